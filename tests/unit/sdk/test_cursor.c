/*
 * Cursors: what the inlined functions write, byte by byte, and the testkit as the host that lends.
 */
#include "probe.h"

static const char digits[] = "0123456789abcdef";

/* What plugins in the field write, whatever the header says later. */
GP_TEST(cursor, writes_the_row_that_the_abi_says)
{
    static const unsigned char row[40] = {
        40,  0,    0,    0,
        0,   0xaa, 0x50, 0x12, /* 40 bytes, 5 of them padding; the rest is the head's */
        0,   0,    0,    0,
        0,   0,    0,    0, /**/
        8,   7,    6,    5,
        4,   3,    2,    1, /* time */
        'a', 'b',  'c',  'd',
        'e', 'f',  'g',  'h', /* value */
        'i', 'j',  'k',  0,
        0,   0,    0,    0,
    };
    unsigned char room[80];
    struct gp_cursor c = {.size = sizeof c,
                          .at = room,
                          .limit = room + sizeof room,
                          .head = UINT64_C(0x1250a00000000000)};

    memset(room, 0xff, sizeof room);
    GP_CHECK_EQ(gp_cursor_emit(&c, INT64_C(0x0102030405060708), "abcdefghijk", 11), GP_OK);
    GP_CHECK(memcmp(room, row, sizeof row) == 0);
    GP_CHECK_EQ(c.rows, 1);
    GP_CHECK_EQ(gp_cursor_emit(&c, INT64_C(0x0102030405060708), "abcdefghijk", 11), GP_OK);
    GP_CHECK(memcmp(room + 40, row, sizeof row) == 0);
    GP_CHECK_EQ(c.rows, 2);
    GP_CHECK(c.at == c.limit);
}

/* A stretch is the same bytes as rows one by one. */
GP_TEST(cursor, a_stretch_of_rows_is_what_single_rows_are)
{
    unsigned char single[120];
    unsigned char room[120];
    struct gp_cursor one = {.size = sizeof one, .at = single, .limit = single + sizeof single};
    struct gp_cursor c = {.size = sizeof c, .at = room, .limit = room + sizeof room};
    unsigned char *at = room;

    one.head = c.head = UINT64_C(0x1250a00000000000);
    memset(room, 0xff, sizeof room);
    GP_CHECK_EQ(gp_cursor_room(&c, 16), 3);
    GP_CHECK_EQ(gp_cursor_room(&c, 17), 2);
    GP_CHECK_EQ(gp_cursor_room(&c, 97), 0);
    for (int64_t i = 0; i < 3; i++) {
        GP_CHECK_EQ(gp_cursor_emit(&one, i, &digits[i], 11), GP_OK);
        memcpy(gp_cursor_begin(at, gp_cursor_word(&c, 11), gp_cursor_row_bytes(11), i), &digits[i],
               11);
        at += gp_cursor_row_bytes(11);
    }
    gp_cursor_advance(&c, 3, 11);
    GP_CHECK(c.at == c.limit);
    GP_CHECK_EQ(c.rows, 3);
    GP_CHECK_EQ(gp_cursor_room(&c, 11), 0);
    GP_CHECK(memcmp(room, single, sizeof room) == 0);
}

/* For each row its value, cut by one byte for odd rows, and now and then an emitted one behind
 * it. */
static int32_t copy_at_cursor(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct gp_cursor *c = gp_cursor_of(probe.task, 0);

    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        char *value = gp_cursor_reserve(c, row->time_ns, row->value_len);

        if (!value) {
            return GP_FAIL;
        }
        memcpy(value, row->value, row->value_len);
        if (gp_cursor_commit(c, value, row->value_len - (uint32_t)(row->time_ns & 1)) != GP_OK) {
            return GP_FAIL;
        }
        probe.rows++;
        if (row->time_ns % 7 == 0 && gp_emit(out, row->time_ns, "emitted", 7) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

GP_TEST(cursor, rows_come_out_in_order)
{
    const struct gp_processor table = {PROBE, .process = copy_at_cursor};
    struct gp_kit *kit = opened(&table);
    uint32_t at = 0;

    for (int64_t i = 0; i < 100; i++) {
        GP_REQUIRE_EQ(gp_kit_push(kit, 0, NULL, &digits[i % 8], i), GP_OK);
    }
    GP_REQUIRE_EQ(gp_kit_run(kit), GP_OK);
    for (int64_t i = 0; i < 100; i++) {
        const struct gp_row *row = gp_kit_row(kit, 0, at++);

        GP_REQUIRE(row != NULL);
        GP_CHECK_EQ(row->time_ns, i);
        GP_CHECK_EQ(row->value_len, 16 - i % 8 - (i & 1));
        GP_CHECK(memcmp(row->value, &digits[i % 8], row->value_len) == 0);
        GP_CHECK(i % 7 != 0 || gp_kit_row_is(kit, 0, at++, NULL, "emitted"));
    }
    GP_CHECK_EQ(gp_kit_count(kit, 0), at);
    gp_kit_free(kit);
}

/* The row that takes the last credit ends the batch, though the host has not seen it yet. */
GP_TEST(cursor, full_outputs_end_the_batch)
{
    const struct gp_processor table = {PROBE, .process = copy_at_cursor};
    struct gp_kit *kit = opened(&table);

    gp_kit_set_credit(kit, 2);
    for (int64_t i = 1; i < 6; i++) {
        GP_REQUIRE_EQ(gp_kit_push(kit, 0, NULL, "0123456789abcdef", i), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    GP_CHECK_EQ(probe.rows, 2);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    GP_CHECK_EQ(probe.rows, 4);
    gp_kit_free(kit);
}

/* ---- rules ---- */

enum mistake { COMMIT_MORE, COMMIT_AGAIN, COMMIT_ELSE, RUN_OFF, MISCOUNT, MALFORM, OTHER_PORT };

static enum mistake mistake;

static int32_t mistaken(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                        struct gp_out *out)
{
    struct gp_cursor *c = gp_cursor_of(probe.task, mistake == OTHER_PORT ? 1 : 0);
    char *value = gp_cursor_reserve(c, 0, 8);

    (void)self, (void)port, (void)out;
    *consumed = in->count;
    if (!value) {
        return GP_FAIL;
    }
    memset(value, 0, 8);
    switch (mistake) {
    case COMMIT_MORE:
        return gp_cursor_commit(c, value, 9);
    case COMMIT_AGAIN:
        (void)gp_cursor_commit(c, value, 8);
        return gp_cursor_commit(c, value, 8);
    case COMMIT_ELSE:
        return gp_cursor_commit(c, &mistake, 4);
    case RUN_OFF:
        c->at = c->limit + 8;
        return GP_OK;
    case MISCOUNT:
        c->at = c->limit;
        return GP_OK;
    default:
        value[-16] = 1; /* into the row's second word */
        return gp_cursor_commit(c, value, 8);
    }
}

GP_TEST(cursor, mistakes_fail_the_task)
{
    static const char *const texts[] = {
        [COMMIT_MORE] = "commit of 9 bytes, but 8 were reserved",
        [COMMIT_AGAIN] = "commit without reserve",
        [COMMIT_ELSE] = "commit without reserve",
        [RUN_OFF] = "the cursor of port 0 is not where it can be",
        [MISCOUNT] = "the cursor of port 0 miscounts its rows",
        [MALFORM] = "row 0 at the cursor of port 0 is malformed",
        [OTHER_PORT] = "emit to port 1: there is no such output port",
    };
    const struct gp_processor table = {PROBE, .process = mistaken};

    for (mistake = COMMIT_MORE; mistake <= OTHER_PORT; mistake++) {
        struct gp_kit *kit = opened(&table);

        GP_REQUIRE_EQ(gp_kit_push(kit, 0, NULL, "v", 1), GP_OK);
        GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
        GP_CHECK_STR_EQ(gp_kit_failure(kit), texts[mistake]);
        gp_kit_free(kit);
    }
}
