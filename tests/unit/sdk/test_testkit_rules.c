/*
 * The testkit against processors that break the rules of the ABI, one each.
 */
#include "probe.h"

/* A processor whose process is the given function, given one row. */
static void expect_failure(int32_t (*process)(void *, uint32_t, const struct gp_batch *, uint32_t *,
                                              struct gp_out *),
                           const char *text)
{
    const struct gp_processor table = {PROBE, .process = process};
    struct gp_kit *kit = opened(&table);

    GP_REQUIRE_EQ(gp_kit_push(kit, 0, "k", "v", 1), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    gp_kit_free(kit);
    GP_CHECK_EQ(probe.closed, 1);
    GP_CHECK_EQ(probe.closed_ended, 0);
}

static int32_t fail_plainly(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)in, (void)consumed, (void)out;
    return gp_failf(probe.task, "no %s", "luck");
}

static int32_t take_nothing(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)in, (void)consumed, (void)out;
    return GP_OK;
}

static int32_t take_too_much(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    *consumed = in->count + 1;
    return GP_OK;
}

static int32_t answer_end(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                          struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    *consumed = in->count;
    return GP_END;
}

static int32_t yield_for_ever(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)in, (void)consumed, (void)out;
    return GP_YIELD;
}

static int32_t leave_reservation(void *self, uint32_t port, const struct gp_batch *in,
                                 uint32_t *consumed, struct gp_out *out)
{
    struct gp_msg msg = {.size = sizeof msg};

    (void)self, (void)port;
    *consumed = in->count;
    return out->reserve(out, 0, &msg, 10) ? GP_OK : GP_FAIL;
}

static int32_t reserve_twice(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct gp_msg msg = {.size = sizeof msg};

    (void)self, (void)port;
    *consumed = in->count;
    (void)out->reserve(out, 0, &msg, 10);
    GP_CHECK(out->reserve(out, 0, &msg, 10) == NULL);
    return GP_FAIL;
}

static int32_t commit_more(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                           struct gp_out *out)
{
    struct gp_msg msg = {.size = sizeof msg};

    (void)self, (void)port, (void)in, (void)consumed;
    (void)out->reserve(out, 0, &msg, 10);
    return out->commit(out, 11);
}

static int32_t emit_elsewhere(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port;
    return gp_emit_row(out, 1, gp_batch_row(in, *consumed));
}

static int32_t emit_wrong_hash(void *self, uint32_t port, const struct gp_batch *in,
                               uint32_t *consumed, struct gp_out *out)
{
    struct gp_row row = *gp_batch_row(in, *consumed);

    (void)self, (void)port;
    row.key_hash++;
    return gp_emit_row(out, 0, &row);
}

static int32_t ignore_failed_emit(void *self, uint32_t port, const struct gp_batch *in,
                                  uint32_t *consumed, struct gp_out *out)
{
    struct gp_msg msg = {.size = 0};

    (void)self, (void)port;
    *consumed = in->count;
    (void)gp_emit_msg(out, 0, &msg);
    return GP_OK;
}

static int32_t watermark_back(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port, (void)in, (void)consumed;
    (void)gp_emit_watermark(out, 7);
    return gp_emit_watermark(out, 6);
}

GP_TEST(testkit_rules, says_what_is_wrong)
{
    expect_failure(fail_plainly, "no luck");
    expect_failure(take_nothing, "process took no row though outputs have room: answer GP_AGAIN");
    expect_failure(take_too_much, "process consumed 2 of 1 rows");
    expect_failure(answer_end, "process answered 7, which it may not");
    expect_failure(yield_for_ever, "the task asked for a million calls without coming to an end");
    expect_failure(leave_reservation, "process left a reservation open");
    expect_failure(reserve_twice, "emit to port 0: the reservation before was not committed");
    expect_failure(commit_more, "commit of 11 bytes, but 10 were reserved");
    expect_failure(emit_elsewhere, "emit to port 1: there is no such output port");
    expect_failure(emit_wrong_hash, "emit to port 0: gp_msg.key_hash is not the hash of the key");
    expect_failure(ignore_failed_emit, "emit to port 0: gp_msg.size is not set");
    expect_failure(watermark_back, "the watermark went back, from 7 to 6");
}

static int32_t emit_on_and_on(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    static char value[1 << 20];

    (void)self, (void)port, (void)in, (void)consumed;
    while (gp_emit(out, 0, value, sizeof value) == GP_OK) {
        probe.calls++;
    }
    return GP_FAIL;
}

/* One row may overdraw by a message of the largest size, no further. */
GP_TEST(testkit_rules, ends_the_overdraft_of_who_ignores_full_outputs)
{
    const struct gp_processor table = {PROBE, .process = emit_on_and_on};
    struct gp_kit *kit = opened(&table);

    gp_kit_set_credit(kit, 1);
    (void)gp_kit_push(kit, 0, NULL, "v", 0);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK_EQ(probe.calls, 17);
    GP_CHECK_STR_EQ(gp_kit_failure(kit),
                    "more than GP_MESSAGE_MAX_BYTES emitted after outputs were full");
    gp_kit_free(kit);
}
