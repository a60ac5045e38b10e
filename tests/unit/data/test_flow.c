/*
 * Rows through whole jobs: each partitioner, on one lane and on several, in simulated worlds of
 * many seeds and with threads. Every row arrives once, at the right task, in order.
 */
#include <unistd.h>

#include "gp_test.h"
#include "rig.h"

#define ROWS 3000u

static uint64_t sum_to(uint64_t n)
{
    return n * (n + 1) / 2;
}

static void source_to_sink(struct rig *rig, uint32_t partitioner, uint32_t lanes, uint32_t sources,
                           uint32_t sinks)
{
    uint32_t source;
    uint32_t sink;

    rig_begin(rig);
    rig->lanes = lanes;
    source = rig_add(rig, &(struct rig_processor){.name = "source",
                                                  .table = &rig_source,
                                                  .parallelism = sources,
                                                  .rows = ROWS,
                                                  .value_bytes = 40,
                                                  .keys = 64});
    sink = rig_add(
        rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = sinks});
    rig_connect(rig, source, sink, partitioner);
}

static void check_all_arrived(struct rig *rig, uint32_t sink, uint64_t copies)
{
    const struct rig_processor *from = &rig->processors[0];
    const struct rig_processor *to = &rig->processors[sink];

    GP_CHECK_EQ(from->ended, from->parallelism);
    GP_CHECK_EQ(to->ended, to->parallelism);
    GP_CHECK_EQ(to->seen, from->seen * copies);
    GP_CHECK_EQ(from->seen, (uint64_t)from->rows * from->parallelism);
    GP_CHECK_EQ(to->sum, sum_to(from->rows) * from->parallelism * copies);
    GP_CHECK_EQ(to->disordered, 0);
    GP_CHECK_EQ(to->misrouted, 0);
}

static const uint32_t partitioners[] = {PLAN_HASH, PLAN_SHUFFLE, PLAN_ROUND_ROBIN, PLAN_BROADCAST,
                                        PLAN_LOCAL};

GP_TEST(flow, one_lane_delivers_each_row_once)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof(partitioners) / sizeof(partitioners[0]); i++) {
        source_to_sink(&rig, partitioners[i], 1, 2, 3);
        GP_CHECK(rig_run_simulated(&rig, 1 + i));
        check_all_arrived(&rig, 1, partitioners[i] == PLAN_BROADCAST ? 3 : 1);
    }
}

GP_TEST(flow, three_lanes_deliver_each_row_once)
{
    struct rig rig;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        for (size_t i = 0; i < sizeof(partitioners) / sizeof(partitioners[0]); i++) {
            source_to_sink(&rig, partitioners[i], 3, 4, 7);
            GP_CHECK(rig_run_simulated(&rig, seed));
            check_all_arrived(&rig, 1, partitioners[i] == PLAN_BROADCAST ? 7 : 1);
        }
    }
}

GP_TEST(flow, forward_keeps_the_index)
{
    struct rig rig;

    source_to_sink(&rig, PLAN_FORWARD, 3, 7, 7);
    GP_CHECK(rig_run_simulated(&rig, 5));
    check_all_arrived(&rig, 1, 1);
    GP_CHECK_EQ(rig.processors[1].most, ROWS);
}

static void check_streams(bool same_host, uint32_t lanes, uint64_t seed)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof(partitioners) / sizeof(partitioners[0]); i++) {
        source_to_sink(&rig, partitioners[i], lanes, 4, 7);
        rig.executors = 2;
        rig.same_host = same_host;
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_all_arrived(&rig, 1, partitioners[i] == PLAN_BROADCAST ? 7 : 1);
    }
}

GP_TEST(flow, executors_on_two_hosts_deliver_each_row_once)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        check_streams(false, 1 + (uint32_t)seed % 2, seed);
    }
}

GP_TEST(flow, executors_on_one_host_deliver_each_row_once)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        check_streams(true, 1 + (uint32_t)seed % 2, seed);
    }
}

GP_TEST(flow, executors_on_one_host_without_sockets_take_tcp)
{
    struct rig rig;

    for (uint64_t seed = 1; seed <= 5; seed++) {
        source_to_sink(&rig, PLAN_SHUFFLE, 1 + (uint32_t)seed % 2, 4, 7);
        rig.executors = 2;
        rig.same_host = true;
        rig.sockets_lost = true;
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_all_arrived(&rig, 1, 1);
    }
}

GP_TEST(flow, sockets_deliver_each_row_once)
{
    static const uint32_t modes[] = {EDGE_MODE_SHM, EDGE_MODE_UNIX, EDGE_MODE_TCP};
    struct rig rig;

    for (size_t m = 0; m < 3; m++) {
        for (size_t i = 0; i < sizeof(partitioners) / sizeof(partitioners[0]); i++) {
            source_to_sink(&rig, partitioners[i], 2, 4, 7);
            rig.processors[0].rows = 50000;
            rig.options.edge_mode = modes[m];
            GP_CHECK(rig_run_real(&rig));
            check_all_arrived(&rig, 1, partitioners[i] == PLAN_BROADCAST ? 7 : 1);
        }
    }
}

GP_TEST(flow, threads_deliver_each_row_once)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof(partitioners) / sizeof(partitioners[0]); i++) {
        source_to_sink(&rig, partitioners[i], 3, 4, 7);
        rig.processors[0].rows = 100000;
        GP_CHECK(rig_run_real(&rig));
        check_all_arrived(&rig, 1, partitioners[i] == PLAN_BROADCAST ? 7 : 1);
    }
}

/* ---- calls that block ---- */

static const struct rig_processor *other_sink;

/* Blocks until the other sink has closed. */
static int32_t patient_process(void *self, uint32_t port, const struct gp_batch *in,
                               uint32_t *consumed, struct gp_out *out)
{
    while (atomic_load(&other_sink->closed) < other_sink->parallelism) {
        usleep(1000);
    }
    return rig_sink.process(self, port, in, consumed, out);
}

GP_TEST(flow, calls_that_block_hold_up_no_other_task)
{
    struct gp_processor patient = rig_sink;
    struct rig rig;

    patient.process = patient_process;
    patient.flags = GP_PROCESSOR_BLOCKING;
    source_to_sink(&rig, PLAN_HASH, 2, 2, 3);
    rig.processors[0].rows = 100;
    rig.blocking = 2;
    rig_add(&rig, &(struct rig_processor){.name = "patient",
                                          .table = &patient,
                                          .parallelism = 2,
                                          .flags = GP_PROCESSOR_BLOCKING});
    rig_connect(&rig, 0, 2, PLAN_HASH);
    other_sink = &rig.processors[1];
    GP_CHECK(rig_run_real(&rig));
    check_all_arrived(&rig, 1, 1);
    check_all_arrived(&rig, 2, 1);
}

/* ---- a task that always has something to do ---- */

/* Has ten times the rows of the other, but ends as soon as all those of the other are consumed. */
static int32_t hot_poll(void *self, struct gp_out *out, uint32_t budget)
{
    return atomic_load(&other_sink->closed) == other_sink->parallelism
               ? GP_END
               : rig_source.poll(self, out, budget);
}

GP_TEST(flow, a_hot_task_lets_the_others_of_its_lane_run)
{
    static const uint32_t ways[] = {PLAN_SHUFFLE, PLAN_HASH}; /* one sink is called directly */
    struct gp_processor hot = rig_source;
    struct rig rig;

    hot.poll = hot_poll;
    for (uint32_t i = 0; i < 2; i++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            source_to_sink(&rig, ways[i], 1, 1, i + 1);
            rig.processors[0].rows = 20000;
            rig_add(&rig, &(struct rig_processor){.name = "hot",
                                                  .table = &hot,
                                                  .parallelism = 1,
                                                  .rows = 200000,
                                                  .value_bytes = 100,
                                                  .keys = 64});
            rig_add(&rig, &(struct rig_processor){
                              .name = "busy", .table = &rig_sink, .parallelism = i + 1});
            rig_connect(&rig, 2, 3, ways[i]);
            other_sink = &rig.processors[1];
            GP_CHECK(rig_run_simulated(&rig, seed));
            check_all_arrived(&rig, 1, 1);
            GP_CHECK_EQ(rig.processors[3].seen, rig.processors[2].seen);
            GP_CHECK(rig.processors[2].seen < 3 * rig.processors[0].seen);
        }
    }
}

/* ---- a source that is asked again and again and mostly has nothing ---- */

#define SELDOM_ROWS  20u
#define SELDOM_POLLS 2000u /* from one row to the next */

struct seldom {
    const struct gp_task *task;
    struct rig_processor *about;
    uint64_t polls;
    uint64_t waited_ns; /* the longest way of a row */
};

static int32_t seldom_open(const struct gp_task *task, void **ret_self)
{
    struct seldom *s = calloc(1, sizeof *s);

    if (!s) {
        return GP_FAIL;
    }
    s->task = task;
    s->about = (struct rig_processor *)(uintptr_t)task->config->host;
    *ret_self = s;
    return GP_OK;
}

static void seldom_close(void *self, uint32_t ended)
{
    struct seldom *s = self;

    (void)ended;
    s->about->most = s->waited_ns;
    free(s);
}

static int32_t seldom_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct seldom *s = self;

    (void)budget;
    if (s->polls++ % SELDOM_POLLS == 0 && gp_emit(out, gp_now_ns(s->task), "x", 1) != GP_OK) {
        return GP_FAIL;
    }
    return s->polls < (uint64_t)SELDOM_ROWS * SELDOM_POLLS ? GP_MORE : GP_END;
}

static int32_t seldom_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct seldom *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        uint64_t waited_ns = (uint64_t)(gp_now_ns(s->task) - row->time_ns);

        s->waited_ns = waited_ns > s->waited_ns ? waited_ns : s->waited_ns;
        s->about->seen++;
    }
    return GP_OK;
}

/* Its lane is never idle, but has nothing better to do than to hand over what it has. */
GP_TEST(flow, a_busy_source_does_not_hold_its_rows_back)
{
    static const struct gp_processor source = {.size = sizeof source,
                                               .kind = GP_KIND_PROCESSOR,
                                               .type = "source",
                                               .open = seldom_open,
                                               .poll = seldom_poll,
                                               .close = seldom_close};
    static const struct gp_processor sink = {.size = sizeof sink,
                                             .kind = GP_KIND_PROCESSOR,
                                             .type = "sink",
                                             .open = seldom_open,
                                             .process = seldom_process,
                                             .close = seldom_close};
    struct rig rig;

    for (uint32_t executors = 1; executors <= 2; executors++) {
        rig_begin(&rig);
        rig.executors = executors;
        rig.lanes = 3 - executors;
        rig.same_host = true; /* one clock */
        rig.options.linger_ns = 1000 * 1000 * 1000;
        rig_add(&rig,
                &(struct rig_processor){.name = "source", .table = &source, .parallelism = 1});
        rig_add(&rig, &(struct rig_processor){.name = "sink", .table = &sink, .parallelism = 1});
        rig_connect(&rig, 0, 1, PLAN_SHUFFLE);
        GP_CHECK(rig_run_simulated(&rig, executors));
        GP_CHECK_EQ(rig.processors[1].seen, SELDOM_ROWS);
        GP_CHECK(rig.processors[1].most < 10 * 1000 * 1000);
    }
}
