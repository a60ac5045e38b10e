/*
 * Timers of tasks, in whole jobs: when they end a wait.
 */
#include <stdlib.h>

#include "gp_test.h"
#include "rig.h"

#define ROWS   20u
#define NAP_NS 1000000

/* A source that sleeps by a timer before each row. Nobody is called when it fires. */
struct dozer {
    const struct gp_task *task;
    uint64_t sent;
    bool has_slept;
};

static int32_t dozer_open(const struct gp_task *task, void **ret_self)
{
    struct dozer *d = calloc(1, sizeof(*d));

    if (!d) {
        return GP_FAIL;
    }
    d->task = task;
    *ret_self = d;
    return GP_OK;
}

static int32_t dozer_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct dozer *d = self;

    (void)budget;
    if (d->sent == ROWS) {
        return GP_END;
    }
    d->has_slept = !d->has_slept;
    if (d->has_slept) {
        int64_t at_ns = gp_now_ns(d->task) + NAP_NS;

        return gp_timer_set(d->task, GP_TIMER_PROCESSING, 0, at_ns) == GP_OK ? GP_IDLE : GP_FAIL;
    }
    d->sent++;
    return gp_emit(out, 0, &d->sent, sizeof(d->sent)) == GP_OK ? GP_MORE : GP_FAIL;
}

static const struct gp_processor dozer = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "dozer",
    .open = dozer_open,
    .poll = dozer_poll,
    .close = gp_close_free,
};

/* A sink that sends the source a message about when its timer is due. */
static int32_t caller_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    const struct gp_task *task = self;

    (void)port;
    (void)out;
    for (uint64_t i = 0; i < 8; i++) {
        (void)gp_timer_set(task, GP_TIMER_PROCESSING, i,
                           gp_now_ns(task) + NAP_NS - (int64_t)i * 10000);
    }
    gp_count(task, "rows", in->count);
    *consumed = in->count;
    return GP_OK;
}

static int32_t caller_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    const struct gp_msg msg = {.size = sizeof(msg), .value = &id, .value_len = sizeof(id)};

    (void)clock;
    (void)at_ns;
    (void)out;
    (void)gp_send(self, GP_STR("dozer"), 0, &msg);
    return GP_OK;
}

static const struct gp_processor caller = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "caller",
    .open = gp_open_stateless,
    .process = caller_process,
    .on_timer = caller_on_timer,
};

/* Whoever meets the due timer first: the clock, or the slice in which a message is taken. */
GP_TEST(timers, end_the_wait_of_an_idle_source)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct rig rig;
        uint32_t from;
        uint32_t to;

        rig_begin(&rig);
        rig.lanes = 2;
        from = rig_add(&rig,
                       &(struct rig_processor){.name = "dozer", .table = &dozer, .parallelism = 1});
        to = rig_add(&rig,
                     &(struct rig_processor){.name = "caller", .table = &caller, .parallelism = 2});
        rig_connect(&rig, from, to, PLAN_BROADCAST);
        GP_CHECK(rig_run_simulated(&rig, seed));
    }
}
