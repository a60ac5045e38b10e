/* The fixed set of numbers, at the edges of its words. */
#include "base/bitset.h"
#include "gp_test.h"

static const size_t sizes[] = {0, 1, 63, 64, 65, 127, 128, 200};

GP_TEST(bitset, holds_what_was_added)
{
    struct bitset b;

    GP_REQUIRE_EQ(bitset_init(&b, 130), 0);
    bitset_add(&b, 0);
    bitset_add(&b, 64);
    bitset_add(&b, 129);
    GP_CHECK(bitset_has(&b, 64) && !bitset_has(&b, 63));
    GP_CHECK_EQ(bitset_count(&b), 3);
    GP_CHECK_EQ(bitset_next(&b, 0), 0);
    GP_CHECK_EQ(bitset_next(&b, 1), 64);
    GP_CHECK_EQ(bitset_next(&b, 65), 129);
    bitset_remove(&b, 129);
    GP_CHECK_EQ(bitset_next(&b, 65), BITSET_NONE);
    bitset_clear(&b);
    GP_CHECK_EQ(bitset_count(&b), 0);
    bitset_deinit(&b);
    bitset_deinit(NULL);
}

GP_TEST(bitset, full_and_empty_at_every_edge)
{
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t n = sizes[i];
        struct bitset b;

        GP_REQUIRE_EQ(bitset_init(&b, n), 0);
        GP_CHECK_EQ(bitset_next(&b, 0), BITSET_NONE);
        GP_CHECK_EQ(bitset_next_missing(&b, 0), n == 0 ? BITSET_NONE : 0);
        bitset_add_all(&b);
        GP_CHECK_EQ(bitset_count(&b), n);
        GP_CHECK_EQ(bitset_next_missing(&b, 0), BITSET_NONE);
        GP_CHECK_EQ(bitset_next(&b, n), BITSET_NONE);
        if (n > 0) {
            bitset_remove(&b, n - 1);
            GP_CHECK_EQ(bitset_next_missing(&b, 0), n - 1);
        }
        bitset_deinit(&b);
    }
}
