/*
 * What goes wrong and how it is told: tasks that fail, tasks that do not open, processes that die.
 */
#include "gp_test.h"
#include "rig.h"

static void job(struct rig *rig, uint32_t executors, uint32_t lanes)
{
    rig_begin(rig);
    rig->executors = executors;
    rig->lanes = lanes;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = &rig_source,
                                         .parallelism = 4,
                                         .rows = 100000,
                                         .value_bytes = 100,
                                         .keys = 100});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 4});
    rig_connect(rig, 0, 1, PLAN_HASH);
}

GP_TEST(failure, a_task_that_fails_says_who_where_and_why)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct rig rig;

        job(&rig, 1 + (uint32_t)seed % 2, 2);
        rig.processors[1].fail_after = 50;
        (void)rig_run_simulated(&rig, seed);
        GP_CHECK(rig.failed > 0);
        GP_CHECK_EQ(rig.failure.processor, 1);
        GP_CHECK(rig.failure.task < 4);
        GP_CHECK_STR_EQ(rig.failure.function, "process");
        GP_CHECK_STR_EQ(rig.failure.text, "as the test wants");
        GP_CHECK_EQ(rig.processors[1].closed, 4); /* every task is closed, whatever happened */
        GP_CHECK_EQ(rig.processors[0].closed, 4);
    }
}

static int32_t never_opens(const struct gp_task *task, void **ret_self)
{
    return task->index == 2 ? gp_fail(task, "no such file") : rig_sink.open(task, ret_self);
}

GP_TEST(failure, a_task_that_does_not_open_keeps_the_job_from_starting)
{
    struct gp_processor sink = rig_sink;
    struct rig rig;

    sink.open = never_opens;
    job(&rig, 1, 2);
    rig.processors[1].table = &sink;
    (void)rig_run_simulated(&rig, 3);
    GP_CHECK(rig.failed > 0);
    GP_CHECK_EQ(rig.failure.processor, 1);
    GP_CHECK_EQ(rig.failure.task, 2);
    GP_CHECK_STR_EQ(rig.failure.function, "open");
    GP_CHECK_STR_EQ(rig.failure.text, "no such file");
    GP_CHECK_EQ(rig.processors[0].seen, 0);
}

/* A code that the ABI does not know fails the task, not the process. */
static int32_t answers_nonsense(void *self, uint32_t port, const struct gp_batch *in,
                                uint32_t *consumed, struct gp_out *out)
{
    (void)rig_sink.process(self, port, in, consumed, out);
    *consumed = in->count + 1;
    return GP_OK;
}

GP_TEST(failure, a_task_that_consumes_more_than_it_was_given_fails)
{
    struct gp_processor sink = rig_sink;
    struct rig rig;

    sink.process = answers_nonsense;
    job(&rig, 1, 2);
    rig.processors[1].table = &sink;
    (void)rig_run_simulated(&rig, 4);
    GP_CHECK(rig.failed > 0);
    GP_CHECK_STR_EQ(rig.failure.text, "consumed more rows than it was given");
}

#define GREEDY_MESSAGE_MAX (1u << 20)
#define GREEDY_ROW         1000u

/* One message too large for a batch, and then as many rows as it is let, whatever gp_out_full()
 * says. */
static int32_t emits_without_end(void *self, struct gp_out *out, uint32_t budget)
{
    static const uint8_t value[GREEDY_MESSAGE_MAX / 2];
    uint32_t key = 7; /* all for one task */
    int32_t rc = gp_emit_keyed(out, 0, &key, sizeof(key), value, sizeof(value));

    (void)self;
    (void)budget;
    for (uint32_t i = 0; rc == GP_OK && i < 8 * GREEDY_MESSAGE_MAX / GREEDY_ROW; i++) {
        rc = gp_emit_keyed(out, 0, &key, sizeof(key), value, GREEDY_ROW);
    }
    return rc == GP_OK ? GP_END : rc;
}

/* Rows queue up behind a large message that waits for room: that is overdraft as any other. */
GP_TEST(failure, a_task_that_emits_without_end_behind_a_large_message_fails)
{
    static const uint32_t partitioners[] = {PLAN_HASH, PLAN_SHUFFLE, PLAN_BROADCAST};

    for (size_t i = 0; i < sizeof(partitioners) / sizeof(*partitioners); i++) {
        struct gp_processor source = rig_source;
        struct rig rig;

        source.poll = emits_without_end;
        job(&rig, 2, 1);
        rig.edges[0].partitioner = partitioners[i];
        rig.processors[0].table = &source;
        rig.options.message_max_bytes = GREEDY_MESSAGE_MAX;
        rig.options.window_max_bytes = 64 << 10;
        (void)rig_run_simulated(&rig, 5);
        GP_CHECK(rig.failed > 0);
        GP_CHECK_EQ(rig.failure.processor, 0);
        GP_CHECK(strstr(rig.failure.text, "went on emitting") != NULL);
    }
}

static void kill_second(struct rig *rig, void *world)
{
    /* In the middle of the stream: batches are in kernels and inboxes of both sides. */
    (void)sim_run_for(world, 5000000 + (int64_t)(rig->seed * 137000), NULL);
    sim_kill(rig->procs[1]);
}

GP_TEST(failure, a_process_that_dies_is_noticed_by_its_neighbours)
{
    uint32_t noticed = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct rig rig;

        job(&rig, 2, 2);
        rig.seed = seed;
        rig.same_host = seed % 2 == 0;
        rig.disturb = kill_second;
        rig.patience_ns = INT64_C(20000000000);
        (void)rig_run_simulated(&rig, seed);
        GP_CHECK_EQ(rig.ended, 0);
        noticed += counter_get(&rig.seen.failed_links) > 0;
        GP_CHECK_EQ(rig.processors[1].ended, 0);
    }
    GP_CHECK_EQ(noticed, 20);
}
