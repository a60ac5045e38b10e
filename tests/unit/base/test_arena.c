/* The bump arena: aligned, bounded, reusable. */
#include "base/arena.h"
#include "gp_test.h"

GP_TEST(arena, gives_aligned_memory_that_does_not_overlap)
{
    struct arena a;
    unsigned char *blocks[50];

    arena_init(&a, 256, 1 << 20);
    for (size_t i = 0; i < 50; i++) {
        blocks[i] = (unsigned char *)arena_alloc(&a, i);
        GP_REQUIRE(blocks[i] != NULL);
        GP_CHECK_EQ((uintptr_t)blocks[i] % _Alignof(max_align_t), 0);
        memset(blocks[i], (int)i, i);
    }
    for (size_t i = 0; i < 50; i++) {
        for (size_t j = 0; j < i; j++) {
            GP_REQUIRE_EQ(blocks[i][j], i);
        }
    }
    arena_deinit(&a);
    arena_deinit(&a);
    arena_deinit(NULL);
}

GP_TEST(arena, stops_at_its_limit)
{
    struct arena a;

    arena_init(&a, 64, 160);
    GP_CHECK(arena_alloc(&a, 161) == NULL);
    GP_CHECK(arena_alloc(&a, SIZE_MAX) == NULL);
    GP_CHECK(arena_alloc(&a, 64) != NULL);
    GP_CHECK(arena_alloc(&a, 64) != NULL);
    GP_CHECK(arena_alloc(&a, 48) == NULL); /* 32 are left */
    GP_CHECK(arena_alloc(&a, 32) != NULL);
    GP_CHECK(arena_alloc(&a, 1) == NULL);
    arena_reset(&a);
    GP_CHECK(arena_alloc(&a, 160 - 64) != NULL); /* the first chunk is kept, of 64 */
    arena_deinit(&a);
}

GP_TEST(arena, reset_reuses_the_first_chunk)
{
    struct arena a;
    void *first;

    arena_init(&a, 128, 1024);
    arena_reset(&a);
    first = arena_alloc(&a, 100);
    GP_CHECK(arena_alloc(&a, 300) != NULL); /* larger than a chunk */
    arena_reset(&a);
    GP_CHECK(arena_alloc(&a, 100) == first);
    arena_deinit(&a);
}

GP_TEST(arena, calloc_zeroes_and_checks_the_product)
{
    struct arena a;
    unsigned char *bytes;

    arena_init(&a, 128, 1024);
    memset(arena_alloc(&a, 64), 0xff, 64);
    arena_reset(&a);
    bytes = (unsigned char *)arena_calloc(&a, 8, 8);
    GP_REQUIRE(bytes != NULL);
    for (size_t i = 0; i < 64; i++) {
        GP_CHECK_EQ(bytes[i], 0);
    }
    GP_CHECK(arena_calloc(&a, SIZE_MAX / 2, 3) == NULL);
    arena_deinit(&a);
}

GP_TEST(arena, dup_terminates)
{
    struct arena a;

    arena_init(&a, 128, 1024);
    GP_CHECK_STR_EQ(arena_dup(&a, (gp_str){.ptr = "abc", .len = 2}), "ab");
    GP_CHECK_STR_EQ(arena_dup(&a, (gp_str){0}), "");
    GP_CHECK(arena_dup(&a, (gp_str){.ptr = "", .len = SIZE_MAX}) == NULL);
    arena_deinit(&a);
}
