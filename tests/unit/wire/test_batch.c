/*
 * The elements of a batch and of a credit frame.
 */
#include "gp_test.h"
#include "wire/batch.h"

static size_t put(uint8_t *at, uint32_t kind, uint32_t bytes, uint32_t rows)
{
    const struct batch_element e = {.kind = kind,
                                    .bytes = bytes,
                                    .edge = 3,
                                    .source = 70000,
                                    .dst = 65535,
                                    .rows = rows,
                                    .session = UINT64_C(7) << 32 | 1};

    batch_element_put(at, &e);
    return BATCH_ELEMENT_SIZE + bytes;
}

static int next(const uint8_t *bytes, size_t len, struct batch_element *ret)
{
    struct batch_cursor cursor = {bytes, len};

    return batch_next(&cursor, ret);
}

GP_TEST(batch, walks_the_elements)
{
    uint8_t bytes[512] = {0};
    size_t len = put(bytes, BATCH_ROWS, 48, 2);
    struct batch_element e;
    struct batch_cursor cursor;

    len += put(bytes + len, BATCH_END, 0, 0);
    cursor = (struct batch_cursor){bytes, len};
    GP_REQUIRE_EQ(batch_next(&cursor, &e), 1);
    GP_CHECK_EQ(e.kind, BATCH_ROWS);
    GP_CHECK_EQ(e.bytes, 48);
    GP_CHECK_EQ(e.edge, 3);
    GP_CHECK_EQ(e.source, 70000);
    GP_CHECK_EQ(e.dst, 65535);
    GP_CHECK_EQ(e.rows, 2);
    GP_CHECK_EQ(e.session, INT64_C(7) << 32 | 1);
    GP_CHECK(e.body == bytes + BATCH_ELEMENT_SIZE);
    GP_REQUIRE_EQ(batch_next(&cursor, &e), 1);
    GP_CHECK_EQ(e.kind, BATCH_END);
    GP_CHECK_EQ(batch_next(&cursor, &e), 0);
}

GP_TEST(batch, refuses_elements_that_are_none)
{
    uint8_t bytes[256] = {0};
    struct batch_element e;
    size_t len;

    len = put(bytes, BATCH_ROWS, 24, 1);
    GP_CHECK_EQ(next(bytes, len, &e), 1);
    GP_CHECK_EQ(next(bytes, len - 8, &e), GP_EPROTO);
    GP_CHECK_EQ(next(bytes, 24, &e), GP_EPROTO);
    (void)put(bytes, BATCH_ROWS, 24, 0);
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_ROWS, 24, 2); /* two rows do not fit */
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_ROWS, 28, 1); /* no multiple of 8 */
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_WATERMARK, 16, 0);
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_END, 8, 0);
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, 0, 0, 0);
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_BARRIER, 0, 0); /* reserved */
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
    (void)put(bytes, BATCH_ROWS, UINT32_MAX & ~7u, 1);
    GP_CHECK_EQ(next(bytes, sizeof bytes, &e), GP_EPROTO);
}

static int get_fragment(const struct batch_fragment *f, uint32_t piece)
{
    uint8_t bytes[256] = {0};
    struct batch_element e = {.kind = BATCH_FRAGMENT, .body = bytes};
    struct batch_fragment ret;
    gp_bytes ret_piece;

    batch_fragment_put(bytes, f);
    e.bytes = BATCH_FRAGMENT_SIZE + piece;
    return batch_fragment_get(&e, 1000, &ret, &ret_piece) < 0 ? -1 : (int)ret_piece.len;
}

GP_TEST(batch, takes_pieces_that_lie_within_their_message)
{
    struct batch_fragment f = {.key_len = 10, .value_len = 90, .offset = 40};

    GP_CHECK_EQ(get_fragment(&f, 56), 56);
    GP_CHECK_EQ(get_fragment(&f, 64), 60); /* the last piece, padded */
    GP_CHECK_EQ(get_fragment(&f, 72), -1); /* padded by more than a word */
    f.offset = 100;
    GP_CHECK_EQ(get_fragment(&f, 8), -1);
    f = (struct batch_fragment){.value_len = 1001}; /* larger than the limit */
    GP_CHECK_EQ(get_fragment(&f, 8), -1);
    f = (struct batch_fragment){.key_len = UINT32_MAX, .value_len = UINT32_MAX};
    GP_CHECK_EQ(get_fragment(&f, 8), -1);
    f = (struct batch_fragment){.value_len = 8, .flags = 2}; /* unknown */
    GP_CHECK_EQ(get_fragment(&f, 8), -1);
    f = (struct batch_fragment){0}; /* an empty message behind a large one */
    GP_CHECK_EQ(get_fragment(&f, 0), 0);
}

GP_TEST(batch, credit_is_read_as_written)
{
    uint8_t bytes[2 * BATCH_CREDIT_SIZE];
    struct batch_cursor cursor = {bytes, sizeof bytes};
    struct batch_credit c = {.edge = BATCH_UNMANAGED | 4, .dst = 5, .bytes = 6, .kind = 1};

    batch_credit_put(bytes, &c);
    c.kind = BATCH_CREDIT_MOVE + 1; /* unknown */
    batch_credit_put(bytes + BATCH_CREDIT_SIZE, &c);
    GP_CHECK_EQ(batch_credit_next(&cursor, &c), 1);
    GP_CHECK_EQ(c.edge, BATCH_UNMANAGED | 4);
    GP_CHECK_EQ(c.dst, 5);
    GP_CHECK_EQ(c.bytes, 6);
    GP_CHECK_EQ(c.kind, BATCH_CREDIT_LARGE);
    GP_CHECK_EQ(batch_credit_next(&cursor, &c), GP_EPROTO);
    cursor = (struct batch_cursor){bytes, BATCH_CREDIT_SIZE - 1};
    GP_CHECK_EQ(batch_credit_next(&cursor, &c), GP_EPROTO);
}
