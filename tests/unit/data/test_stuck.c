/*
 * Calls that do not return: what is said of them and when, by a clock of the test. In the simulated
 * world nothing else runs while a call does, so the call itself looks at its lane.
 */
#include <string.h>

#include "data/stuck.h"
#include "gp_test.h"
#include "rig.h"

#define S          INT64_C(1000000000)
#define TIMEOUT_NS (30 * S)

static void enter(struct crash_note *note, const char *function)
{
    CRASH_NOTE_SET(note, processor, "match");
    CRASH_NOTE_SET(note, task, 1);
    CRASH_NOTE_SET(note, calls, CRASH_NOTE_GET(note, calls) + 1);
    CRASH_NOTE_SET(note, function, function);
}

static void leave(struct crash_note *note)
{
    CRASH_NOTE_SET(note, function, NULL);
}

/* ---- what a look says ---- */

GP_TEST(stuck, says_once_that_a_call_lasts_and_once_that_it_returned)
{
    struct crash_note note = {.task = 0};
    struct stuck_call c = {0};

    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 0));
    GP_CHECK_EQ(c.state, STUCK_NONE);
    enter(&note, "process");
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 1 * S));
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 31 * S - 1));
    GP_CHECK_EQ(c.state, STUCK_OPEN);
    GP_CHECK(stuck_look(&c, &note, TIMEOUT_NS, 31 * S));
    GP_CHECK_EQ(c.state, STUCK_STUCK);
    GP_CHECK_EQ(stuck_for_ns(&c), 30 * S);
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 40 * S));
    GP_CHECK_EQ(c.state, STUCK_STUCK);
    leave(&note);
    GP_CHECK(stuck_look(&c, &note, TIMEOUT_NS, 46 * S));
    GP_CHECK_EQ(c.state, STUCK_RETURNED);
    GP_CHECK_EQ(stuck_for_ns(&c), 45 * S);
    GP_CHECK_EQ(c.task, 1);
    GP_CHECK(strcmp(c.processor, "match") == 0 && strcmp(c.function, "process") == 0);
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 47 * S));
    GP_CHECK_EQ(c.state, STUCK_NONE);
}

/* A lane that is met inside of the same function of the same task each time, in another call. */
GP_TEST(stuck, many_calls_are_not_a_long_one)
{
    struct crash_note note = {.task = 0};
    struct stuck_call c = {0};

    for (int64_t s = 0; s < 100; s++) {
        enter(&note, "process");
        GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, s * S));
        GP_CHECK_EQ(stuck_for_ns(&c), 0);
        leave(&note);
    }
}

GP_TEST(stuck, a_call_right_behind_a_long_one_is_another)
{
    struct crash_note note = {.task = 0};
    struct stuck_call c = {0};

    enter(&note, "process");
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 0));
    GP_CHECK(stuck_look(&c, &note, TIMEOUT_NS, 30 * S));
    leave(&note);
    enter(&note, "process");
    GP_CHECK(stuck_look(&c, &note, TIMEOUT_NS, 31 * S));
    GP_CHECK_EQ(c.state, STUCK_RETURNED);
    GP_CHECK(!stuck_look(&c, &note, TIMEOUT_NS, 32 * S));
    GP_CHECK_EQ(c.state, STUCK_OPEN);
    GP_CHECK_EQ(stuck_for_ns(&c), 0);
    GP_CHECK(stuck_look(&c, &note, TIMEOUT_NS, 62 * S));
    GP_CHECK_EQ(c.state, STUCK_STUCK);
}

GP_TEST(stuck, without_a_timeout_nothing_is_stuck)
{
    struct crash_note note = {.task = 0};
    struct stuck_call c = {0};

    enter(&note, "process");
    for (int64_t s = 0; s < 100; s++) {
        GP_CHECK(!stuck_look(&c, &note, 0, s * S));
    }
}

/* ---- what lanes note ---- */

struct hang {
    struct rig *rig;
    struct stuck_call call;
    bool poll_seen; /* while it lasted */
    bool process_seen;
};

static int32_t hang_open(const struct gp_task *task, void **ret_self)
{
    struct rig_processor *about = (struct rig_processor *)(uintptr_t)task->config->host;

    *ret_self = about->user;
    return GP_OK;
}

/* Where the lane is, for as long as the timeout. */
static bool look_long(struct hang *h, const char *processor, const char *function)
{
    const struct crash_note *note = rig_lane(h->rig, 0, 0)->note;

    memset(&h->call, 0, sizeof(h->call));
    return !stuck_look(&h->call, note, TIMEOUT_NS, 1 * S) &&
           stuck_look(&h->call, note, TIMEOUT_NS, 31 * S) &&
           strcmp(h->call.processor, processor) == 0 && strcmp(h->call.function, function) == 0;
}

static int32_t hang_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct hang *h = self;

    (void)port;
    (void)out;
    h->process_seen |= look_long(h, "sink", "process");
    *consumed = in->count;
    return GP_OK;
}

static int32_t hang_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct hang *h = self;

    (void)budget;
    h->poll_seen |= look_long(h, "source", "poll");
    return gp_emit(out, 0, "row", 3) == GP_OK ? GP_END : GP_FAIL;
}

static void hang_close(void *self, uint32_t ended)
{
    (void)self;
    (void)ended;
}

static const struct gp_processor hang_source = {.size = sizeof(hang_source),
                                                .kind = GP_KIND_PROCESSOR,
                                                .type = "source",
                                                .open = hang_open,
                                                .poll = hang_poll,
                                                .close = hang_close};
static const struct gp_processor hang_sink = {.size = sizeof(hang_sink),
                                              .kind = GP_KIND_PROCESSOR,
                                              .type = "sink",
                                              .open = hang_open,
                                              .process = hang_process,
                                              .close = hang_close};

/* When all is over no lane is in a call, and the next look says that the last one returned. */
static void look_after(struct rig *rig)
{
    struct hang *h = rig->user;

    h->call.state = STUCK_STUCK;
    GP_CHECK(stuck_look(&h->call, rig_lane(rig, 0, 0)->note, TIMEOUT_NS, 45 * S));
    GP_CHECK_EQ(h->call.state, STUCK_RETURNED);
    GP_CHECK(!stuck_look(&h->call, rig_lane(rig, 0, 0)->note, TIMEOUT_NS, 46 * S));
    GP_CHECK_EQ(h->call.state, STUCK_NONE);
}

GP_TEST(stuck, lanes_note_the_call_they_are_in)
{
    struct rig rig;
    struct hang h = {.rig = &rig};

    rig_begin(&rig);
    rig_add(&rig, &(struct rig_processor){
                      .name = "source", .table = &hang_source, .parallelism = 1, .user = &h});
    rig_add(&rig, &(struct rig_processor){
                      .name = "sink", .table = &hang_sink, .parallelism = 1, .user = &h});
    rig_connect(&rig, 0, 1, PLAN_LOCAL);
    rig.user = &h;
    rig.before_stop = look_after;
    GP_CHECK(rig_run_simulated(&rig, 1));
    GP_CHECK(h.poll_seen);
    GP_CHECK(h.process_seen);
}
