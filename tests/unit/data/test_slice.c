/*
 * How much a task may do at its turn: less when its rows take long, so that it keeps the others of
 * its lane waiting no longer than they keep it.
 */
#include "data/lane.h"
#include "data/limits.h"
#include "data/stage.h"
#include "data/task.h"
#include "gp_test.h"
#include "lone_lane.h"
#include "wire/row.h"

#define ROWS      30u /* at once: what the window of a task has room for */
#define ROW_BYTES 32u

/* The clock of the lane goes on only while rows are processed. */
static int64_t clock_ns;
static int64_t row_ns;
static uint32_t calls_most; /* rows in one call */

static int64_t now_ns(struct loop *loop)
{
    (void)loop;
    return clock_ns;
}

static int32_t process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out)
{
    (void)self, (void)port, (void)out;
    clock_ns += row_ns * in->count;
    calls_most = in->count > calls_most ? in->count : calls_most;
    *consumed = in->count;
    return GP_OK;
}

/* Sink 0 is given that many rows, `times` times, each when it has done those before. */
static void feed(struct lone_lane *w, uint32_t times)
{
    static uint8_t run[BATCH_ELEMENT_SIZE + ROWS * ROW_BYTES];
    struct batch_element head = {
        .kind = BATCH_ROWS, .session = LONE_SESSION, .rows = ROWS, .bytes = ROWS * ROW_BYTES};
    uint64_t before = counter_get(&w->lane->stages[1]->in_rows);

    GP_REQUIRE_EQ(row_size(0, 4), ROW_BYTES);
    memset(run, 0, sizeof(run));
    batch_element_put(run, &head);
    for (uint32_t i = 0; i < ROWS; i++) {
        row_put_header(run + BATCH_ELEMENT_SIZE + i * ROW_BYTES, ROW_BYTES, 0, 4, 0, 0, 0, 0);
    }
    for (uint32_t i = 1; i <= times; i++) {
        lone_lane_take_batch(w, run, sizeof(run));
        for (int turn = 0; turn < 64; turn++) { /* one slice or so each */
            lone_lane_go(w);
        }
        GP_REQUIRE_EQ(counter_get(&w->lane->stages[1]->in_rows) - before, i * ROWS);
    }
}

GP_TEST(slice, a_slow_task_does_less_at_its_turn_and_more_when_it_is_fast_again)
{
    struct lone_lane w;
    struct loop_ops ops;
    const struct task *t;

    lone_lane_begin(&w);
    ops = *w.loop.ops;
    ops.now_ns = ops.fresh_now_ns = ops.peek_ns = now_ns;
    w.loop.ops = &ops;
    w.lane->stages[1]->table.process = process;
    t = w.lane->stages[1]->tasks[0];
    clock_ns = w.lane->meter.clock_ns;
    GP_REQUIRE_EQ(t->slice_rows, SLICES_OF_SINK * w.options.slice_rows);

    row_ns = SLICE_NS / 10;
    feed(&w, 20);
    GP_CHECK(t->slice_rows <= 10);
    calls_most = 0;
    feed(&w, 1);
    GP_CHECK_EQ(calls_most, t->slice_rows); /* neither in one call */

    row_ns = 5 * SLICE_NS; /* a row at least */
    feed(&w, 3);
    GP_CHECK_EQ(t->slice_rows, 1);

    row_ns = 1; /* what it did not use up says nothing */
    feed(&w, 20);
    GP_CHECK(t->slice_rows > ROWS && t->slice_rows <= SLICES_OF_SINK * w.options.slice_rows);
    lone_lane_end(&w);
}

static uint32_t asked_for; /* by the last poll */

static int32_t poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out;
    clock_ns += row_ns * budget;
    asked_for = budget;
    return GP_MORE;
}

GP_TEST(slice, a_source_is_asked_for_less_when_slow_and_for_all_again_when_fast)
{
    struct lone_lane w;
    struct loop_ops ops;

    lone_lane_begin(&w);
    ops = *w.loop.ops;
    ops.now_ns = ops.fresh_now_ns = ops.peek_ns = now_ns;
    w.loop.ops = &ops;
    w.lane->stages[0]->table.poll = poll;
    clock_ns = w.lane->meter.clock_ns;
    task_token(w.lane->stages[0]->tasks[0]);

    row_ns = SLICE_NS;
    for (int turn = 0; turn < 16; turn++) {
        lone_lane_go(&w);
    }
    GP_CHECK_EQ(asked_for, 1);

    row_ns = 1; /* as when somebody else had the CPU for a while */
    for (int turn = 0; turn < 16; turn++) {
        lone_lane_go(&w);
    }
    GP_CHECK_EQ(asked_for, w.options.slice_rows);
    lone_lane_end(&w);
}
