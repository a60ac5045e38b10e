/* The growing buffer: content, limits, and that a failed append changes nothing. */
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"
#include "gp_test.h"

static bool holds(const struct buf *b, const char *text)
{
    return str_eq(buf_str(b), gp_str_of(text));
}

GP_TEST(buf, zeroed_is_empty_and_usable)
{
    struct buf b = {0};

    GP_CHECK_EQ(buf_len(&b), 0);
    GP_CHECK_EQ(buf_bytes(&b).len, 0);
    GP_CHECK_EQ(buf_append_c(&b, "abc"), 0);
    GP_CHECK(holds(&b, "abc"));
    buf_deinit(&b);
    buf_deinit(&b);
    buf_deinit(NULL);
    GP_CHECK_EQ(buf_len(&b), 0);
}

GP_TEST(buf, appends_every_kind_in_order)
{
    struct buf b = {0};
    static const unsigned char expected[] = {1,   0x34, 0x12, 0x78, 0x56, 0x34, 0x12, 8,
                                             7,   6,    5,    4,    3,    2,    1,    'x',
                                             'y', 0,    0,    '-',  '4',  '2'};

    GP_CHECK_EQ(buf_append_u8(&b, 1), 0);
    GP_CHECK_EQ(buf_append_u16(&b, 0x1234), 0);
    GP_CHECK_EQ(buf_append_u32(&b, 0x12345678), 0);
    GP_CHECK_EQ(buf_append_u64(&b, UINT64_C(0x0102030405060708)), 0);
    GP_CHECK_EQ(buf_append_str(&b, GP_STR("x")), 0);
    GP_CHECK_EQ(buf_append_bytes(&b, (gp_bytes){.ptr = "y", .len = 1}), 0);
    GP_CHECK_EQ(buf_append_zero(&b, 2), 0);
    GP_CHECK_EQ(buf_append_fmt(&b, "%d", -42), 0);
    GP_CHECK_EQ(buf_append(&b, NULL, 0), 0);
    GP_REQUIRE_EQ(buf_len(&b), sizeof(expected));
    GP_CHECK_MEM_EQ(buf_bytes(&b).ptr, expected, sizeof(expected));
    buf_deinit(&b);
}

GP_TEST(buf, the_limit_is_exact_and_a_refusal_changes_nothing)
{
    struct buf b;

    buf_init(&b, 5);
    GP_CHECK_EQ(buf_append_c(&b, "abcde"), 0);
    GP_CHECK_EQ(buf_append_u8(&b, 'f'), GP_ETOOBIG);
    GP_CHECK_EQ(buf_append_fmt(&b, "%d", 1), GP_ETOOBIG);
    GP_CHECK_EQ(buf_append_zero(&b, SIZE_MAX), GP_ETOOBIG);
    GP_CHECK(holds(&b, "abcde"));
    GP_CHECK_STR_EQ(buf_c(&b), "abcde"); /* the closing zero fits at the limit */
    buf_consume(&b, 2);
    GP_CHECK_EQ(buf_append_fmt(&b, "%s", "xy"), 0);
    GP_CHECK(holds(&b, "cdexy"));
    GP_CHECK_EQ(buf_append_c(&b, "z"), GP_ETOOBIG);
    buf_deinit(&b);
    GP_CHECK_EQ(buf_size_max(&b), 5);
}

GP_TEST(buf, the_default_limit_holds)
{
    struct buf b = {0};

    GP_CHECK_EQ(buf_append_zero(&b, BUF_SIZE_MAX_DEFAULT), 0);
    GP_CHECK_EQ(buf_append_u8(&b, 0), GP_ETOOBIG);
    buf_deinit(&b);
}

GP_TEST(buf, reserve_and_commit_write_in_place)
{
    struct buf b = {0};
    void *space = NULL;

    GP_REQUIRE_EQ(buf_reserve(&b, 100, &space), 0);
    memcpy(space, "hello", 5);
    buf_commit(&b, 5);
    GP_CHECK(holds(&b, "hello"));
    GP_CHECK_EQ(buf_reserve(&b, BUF_SIZE_MAX_DEFAULT, &space), GP_ETOOBIG);
    buf_deinit(&b);
}

GP_TEST(buf, consume_and_truncate_cut_the_ends)
{
    struct buf b = {0};

    GP_CHECK_EQ(buf_append_c(&b, "abcdef"), 0);
    buf_consume(&b, 2);
    buf_truncate(&b, 3);
    GP_CHECK(holds(&b, "cde"));
    buf_consume(&b, 3);
    GP_CHECK_EQ(buf_len(&b), 0);
    GP_CHECK_EQ(buf_append_c(&b, "x"), 0);
    GP_CHECK(holds(&b, "x"));
    buf_clear(&b);
    GP_CHECK_EQ(buf_len(&b), 0);
    buf_deinit(&b);
}

GP_TEST(buf, steal_moves_the_content_out_terminated)
{
    struct buf b = {0};
    size_t len = 0;
    char *text;

    GP_CHECK_EQ(buf_append_c(&b, "..abc"), 0);
    buf_consume(&b, 2);
    text = buf_steal(&b, &len);
    GP_CHECK_STR_EQ(text, "abc");
    GP_CHECK_EQ(len, 3);
    GP_CHECK_EQ(buf_len(&b), 0);
    free(text);
    text = buf_steal(&b, NULL); /* of nothing: the empty string */
    GP_CHECK_STR_EQ(text, "");
    free(text);
}

/* Against a plain array, with a small limit so that moving to the front happens all the time. */
GP_TEST(buf, behaves_as_a_queue_of_bytes_whatever_the_steps)
{
    struct buf b;
    unsigned char next_in = 0;
    unsigned char next_out = 0;
    uint32_t random = 1;

    buf_init(&b, 100);
    for (int round = 0; round < 20000; round++) {
        size_t step;

        random = random * 1664525 + 1013904223;
        step = (random >> 16) % 40;
        if ((random >> 30) < 2) {
            unsigned char bytes[40];

            for (size_t i = 0; i < step; i++) {
                bytes[i] = (unsigned char)(next_in + i);
            }
            if (buf_len(&b) + step <= 100) {
                GP_REQUIRE_EQ(buf_append(&b, bytes, step), 0);
                next_in = (unsigned char)(next_in + step);
            } else {
                GP_REQUIRE_EQ(buf_append(&b, bytes, step), GP_ETOOBIG);
            }
        } else {
            const unsigned char *bytes = (const unsigned char *)buf_bytes(&b).ptr;

            step = step < buf_len(&b) ? step : buf_len(&b);
            for (size_t i = 0; i < step; i++) {
                GP_REQUIRE_EQ(bytes[i], next_out++);
            }
            buf_consume(&b, step);
        }
    }
    buf_deinit(&b);
}

/* A queue of bytes that is never empty must not be moved to the front at each small step. */
GP_TEST(buf, grows_rather_than_move_its_content_again_and_again)
{
    struct buf b = {0};
    const void *before;
    int moves = 0;

    GP_CHECK_EQ(buf_append_zero(&b, 1000), 0);
    before = buf_bytes(&b).ptr;
    for (int i = 0; i < 10000; i++) {
        buf_consume(&b, 1);
        GP_REQUIRE_EQ(buf_append_u8(&b, 0), 0);
        moves += (const char *)buf_bytes(&b).ptr != (const char *)before + 1 ? 1 : 0;
        before = buf_bytes(&b).ptr;
    }
    GP_CHECK(moves <= 12);
    GP_CHECK_EQ(buf_len(&b), 1000);
    buf_deinit(&b);
}
