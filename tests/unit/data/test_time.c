/*
 * Watermarks through jobs: they follow the slowest source, leave silent ones out, and never go
 * back.
 */
#include <stdlib.h>

#include "gp_test.h"
#include "rig.h"

#define TICK_NS INT64_C(20000000)
#define TICKS   150

/* Emits a row and a watermark every 20 ms of processing time, for 3 s. */
struct ticker {
    const struct gp_task *task;
    int64_t ticks;
};

static int32_t ticker_open(const struct gp_task *task, void **ret_self)
{
    struct ticker *t = calloc(1, sizeof(*t));

    if (!t) {
        return GP_FAIL;
    }
    t->task = task;
    *ret_self = t;
    return gp_timer_set(task, GP_TIMER_PROCESSING, 1, gp_now_ns(task) + TICK_NS);
}

static int32_t ticker_poll(void *self, struct gp_out *out, uint32_t budget)
{
    const struct ticker *t = self;

    (void)out;
    (void)budget;
    return t->ticks == TICKS ? GP_END : GP_IDLE;
}

static int32_t ticker_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    struct ticker *t = self;
    uint8_t value[16] = {0};

    (void)clock;
    t->ticks++;
    memcpy(value + 8, &t->ticks, sizeof(t->ticks));
    if (gp_emit(out, t->ticks, value, sizeof(value)) != GP_OK ||
        gp_emit_watermark(out, t->ticks) != GP_OK) {
        return GP_FAIL;
    }
    return t->ticks == TICKS ? GP_OK
                             : gp_timer_set(t->task, GP_TIMER_PROCESSING, id, at_ns + TICK_NS);
}

static const struct gp_processor ticker = {.size = sizeof(ticker),
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "ticker",
                                           .open = ticker_open,
                                           .poll = ticker_poll,
                                           .on_timer = ticker_on_timer,
                                           .close = gp_close_free};

static void two_sources(struct rig *rig, uint32_t lanes)
{
    rig_begin(rig);
    rig->lanes = lanes;
    rig_add(rig, &(struct rig_processor){.name = "ticker", .table = &ticker, .parallelism = 1});
    rig_add(rig, &(struct rig_processor){.name = "silent",
                                         .table = &rig_source,
                                         .parallelism = 2,
                                         .rows = 1000,
                                         .silent_after = 10});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 3});
    rig_connect(rig, 0, 2, PLAN_BROADCAST);
    rig_connect(rig, 1, 2, PLAN_HASH);
}

/* A source that never promises anything holds the watermark back while it speaks. */
GP_TEST(time, a_source_without_watermarks_holds_them_back)
{
    struct rig rig;

    two_sources(&rig, 2);
    rig.options.source_idle_ns = INT64_C(3600000000000);
    rig.patience_ns = INT64_C(6000000000);
    GP_CHECK(!rig_run_simulated(&rig, 1));
    GP_CHECK_EQ(rig.processors[2].seen, 3 * TICKS + 2 * 10);
    GP_CHECK_EQ(rig.processors[2].watermarks, 0);
}

GP_TEST(time, a_silent_source_is_left_out_after_a_while)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rig rig;

        two_sources(&rig, 1 + (uint32_t)seed % 3);
        rig.options.source_idle_ns = INT64_C(1000000000);
        rig.patience_ns = INT64_C(6000000000);
        GP_CHECK(!rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[2].seen, 3 * TICKS + 2 * 10);
        GP_CHECK(rig.processors[2].watermarks >= 3 * TICKS / 2);
        /* The last one stands until the ticker's end, after which nobody counts. */
        GP_CHECK(rig.processors[2].watermark_min >= TICKS - 1);
        GP_CHECK_EQ(rig.processors[2].going_back, 0);
    }
}

/* The end of the last source is the end of time for every task behind it. */
GP_TEST(time, the_end_comes_after_all_rows_and_all_time)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rig rig;

        rig_begin(&rig);
        rig.lanes = 2;
        rig.executors = 1 + (uint32_t)seed % 2;
        for (int i = 0; i < 2; i++) {
            rig_add(&rig, &(struct rig_processor){.name = i == 0 ? "source" : "other",
                                                  .table = &rig_source,
                                                  .parallelism = 3,
                                                  .rows = i == 0 ? 2000 : 500,
                                                  .rows_per_poll = 20,
                                                  .keys = 30,
                                                  .with_watermarks = true});
        }
        rig_add(&rig,
                &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 5});
        rig_connect(&rig, 0, 2, PLAN_HASH);
        rig_connect(&rig, 1, 2, PLAN_SHUFFLE);
        GP_CHECK(rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[2].seen, 3 * 2500);
        GP_CHECK_EQ(rig.processors[2].ended, 5);
        GP_CHECK_EQ(rig.processors[2].late, 0);
        GP_CHECK_EQ(rig.processors[2].going_back, 0);
        GP_CHECK_EQ(rig.processors[2].watermark_min, GP_TIME_MAX);
    }
}
