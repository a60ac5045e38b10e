/*
 * What is measured is what happened: rows and bytes of whole jobs, the time of a task that is
 * blocked, the way of probes. In simulated worlds nothing takes time within a turn, so there the
 * time of tasks is that of waiting; by itself the lane's clock stands still.
 */
#include <stdlib.h>

#include "data/inbox.h"
#include "data/output.h"
#include "data/report.h"
#include "data/stage.h"
#include "data/task.h"
#include "gp_test.h"
#include "lone_lane.h"
#include "rig.h"

#define ROWS 700u

static void chain(struct rig *rig, uint32_t first, uint32_t second)
{
    rig_begin(rig);
    rig->lanes = 2;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = &rig_source,
                                         .parallelism = 3,
                                         .rows = ROWS,
                                         .value_bytes = 40,
                                         .keys = 50});
    rig_add(rig, &(struct rig_processor){.name = "pass", .table = &rig_pass, .parallelism = 5});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 4});
    rig_connect(rig, 0, 1, first);
    rig_connect(rig, 1, 2, second);
}

/* ---- counts ---- */

static void check_slowest(const struct msg_processor_stats *p, uint32_t tasks)
{
    uint64_t in = 0;
    uint64_t out = 0;

    GP_CHECK_EQ(p->slowest_count, tasks);
    for (uint32_t i = 0; i < p->slowest_count; i++) {
        in += p->slowest[i].in;
        out += p->slowest[i].out;
        GP_CHECK_EQ(p->slowest[i].queue, 0);
    }
    GP_CHECK_EQ(in, p->in);
    GP_CHECK_EQ(out, p->out);
}

/* All is here, for there is one executor. */
static void check_counts(struct rig *rig)
{
    struct lane_measures *measured[2] = {measure_copy(rig_lane(rig, 0, 0)),
                                         measure_copy(rig_lane(rig, 0, 1))};
    const struct lane_measures *measures[3] = {measured[0], measured[1], NULL};
    const struct report_from from = {rig->engines[0], &rig->plan, measures};
    struct msg_executor_report report;
    uint64_t messages[2] = {0, 0};
    uint64_t bytes[2] = {0, 0};

    GP_REQUIRE_EQ(report_make(&from, &report), 0);
    GP_REQUIRE_EQ(report_fill(&from, &report), 0);
    GP_REQUIRE_EQ(report.processors_count, 3);
    GP_CHECK(report.is_full && !report.is_cut);
    GP_CHECK_EQ(report.processors[0].out, 3 * ROWS);
    GP_CHECK_EQ(report.processors[1].in, 3 * ROWS);
    GP_CHECK_EQ(report.processors[1].out, 3 * ROWS);
    GP_CHECK_EQ(report.processors[2].in, 3 * ROWS);
    for (uint32_t i = 0; i < report.edges_count; i++) {
        const struct msg_edge_stats *e = &report.edges[i];

        GP_CHECK(e->kind == EDGE_FUSED || (e->batches > 0 && e->batches <= e->messages));
        messages[e->edge] += e->messages;
        bytes[e->edge] += e->bytes;
    }
    for (uint32_t e = 0; e < 2; e++) {
        GP_CHECK_EQ(messages[e], 3 * ROWS);
        GP_CHECK_EQ(bytes[e], report.processors[e].bytes_out);
        GP_CHECK_EQ(bytes[e], report.processors[e + 1].bytes_in);
        GP_CHECK(bytes[e] >= 3 * ROWS * 64);
    }
    check_slowest(&report.processors[0], 3);
    check_slowest(&report.processors[1], 5);
    check_slowest(&report.processors[2], 4);
    fields_deinit(&msg_executor_report_fields, &report);
    measures_free(measured[0]);
    measures_free(measured[1]);
}

GP_TEST(measure, counts_what_flowed)
{
    static const uint32_t kinds[] = {PLAN_HASH, PLAN_SHUFFLE, PLAN_ROUND_ROBIN, PLAN_LOCAL};
    struct rig rig;

    for (uint32_t i = 0; i < 16; i++) {
        chain(&rig, kinds[i % 4], kinds[i / 4]);
        rig.before_stop = check_counts;
        rig.options.metrics = i % 2;
        GP_CHECK(rig_run_simulated(&rig, i + 1));
    }
}

/* Straight calls from task to task are counted, too. */
GP_TEST(measure, counts_what_is_fused)
{
    struct rig rig;

    chain(&rig, PLAN_LOCAL, PLAN_LOCAL);
    rig.lanes = 2;
    for (uint32_t p = 0; p < 3; p++) {
        rig.processors[p].parallelism = p == 0 ? 3 : p == 1 ? 5 : 4;
    }
    rig.options.metrics = true;
    rig.options.sample_rate = 1;
    rig.before_stop = check_counts;
    GP_CHECK(rig_run_simulated(&rig, 3));
}

/* ---- time ---- */

/* The sink has stopped: the source stands, in vain, for as long as that lasts. */
static bool has_been_blocked(struct rig *rig)
{
    struct lane *lane = rig_lane(rig, 0, 0);
    const struct task *t = lane->stages[0]->tasks[0];
    struct lane_measures *m;
    int64_t alive_ns;

    engine_ask_news(rig->engines[0], LANE_ASK_ENDS); /* a turn, that the clock goes on */
    if (t->meter.blocked_ns == 0 || lane->meter.clock_ns - t->meter.blocked_ns < 50000000) {
        return false;
    }
    m = measure_copy(lane);
    GP_REQUIRE(m != NULL && m->count == 2);
    alive_ns = lane->meter.clock_ns - t->meter.since_ns;
    GP_CHECK(m->stages[0].blocked_ns >= 50000000);
    GP_CHECK_EQ(m->stages[0].busy_ns + m->stages[0].idle_ns + m->stages[0].blocked_ns,
                (uint64_t)alive_ns);
    GP_CHECK_EQ(m->stages[1].blocked_ns, 0);
    GP_CHECK(m->stages[1].queue > 0);
    GP_CHECK_EQ(m->stages[1].slowest[0].queue, m->stages[1].queue);
    GP_CHECK(counter_get(&lane->out_edges[0]->credit_waits) > 0);
    measures_free(m);
    rig->seed = 1;
    return true;
}

GP_TEST(measure, knows_who_waits_for_credit)
{
    struct rig rig;

    rig_begin(&rig);
    rig_add(&rig, &(struct rig_processor){.name = "source",
                                          .table = &rig_source,
                                          .parallelism = 1,
                                          .rows = 100000,
                                          .value_bytes = 40});
    rig_add(&rig, &(struct rig_processor){
                      .name = "sink", .table = &rig_sink, .parallelism = 1, .stall_after = 10});
    rig_connect(&rig, 0, 1, PLAN_SHUFFLE);
    rig.options.window_max_bytes = 4096;
    rig.until = has_been_blocked;
    rig.patience_ns = INT64_C(10000000000);
    GP_CHECK(rig_run_simulated(&rig, 1));
    GP_CHECK_EQ(rig.seed, 1);
}

/* ---- the slowest ---- */

GP_TEST(measure, keeps_the_slowest_in_order)
{
    struct msg_task_metrics slowest[MSG_SLOWEST_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < 100; i++) {
        const uint32_t task = i * 37 % 100;

        msg_slowest_add(
            slowest, &count,
            &(struct msg_task_metrics){
                .task = task, .busy_ns = task / 20, .blocked_ns = 3, .queue = task % 10});
    }
    GP_REQUIRE_EQ(count, MSG_SLOWEST_MAX);
    /* Those from 80 to 99, by their last digit. */
    GP_CHECK_EQ(slowest[0].task, 89);
    GP_CHECK_EQ(slowest[1].task, 99);
    GP_CHECK_EQ(slowest[2].task, 88);
    GP_CHECK_EQ(slowest[7].task, 96);
}

/* ---- probes ---- */

static void check_probes(struct rig *rig)
{
    uint64_t seen[3] = {0, 0, 0};

    for (uint32_t l = 0; l < 2; l++) {
        struct lane *lane = rig_lane(rig, 0, l);

        for (uint32_t p = 0; p < 3; p++) {
            seen[p] += lane->stages[p] ? hist_count(lane->stages[p]->meter.latency) : 0;
        }
        if (lane->stages[1]) {
            GP_CHECK(hist_count(lane->stages[1]->meter.processing) > 0);
        }
    }
    GP_CHECK_EQ(seen[0], 0);
    GP_CHECK(seen[1] > 0);
    GP_CHECK(seen[2] > 0);
    rig->seed++;
}

GP_TEST(measure, sends_probes_from_sources_to_sinks)
{
    static const uint32_t kinds[] = {PLAN_HASH, PLAN_SHUFFLE, PLAN_LOCAL, PLAN_BROADCAST};
    struct rig rig;

    for (uint32_t i = 0; i < 4; i++) {
        chain(&rig, kinds[i], kinds[i]);
        rig.options.metrics = true;
        rig.options.sample_rate = 1;
        rig.before_stop = check_probes;
        rig.seed = 0;
        GP_CHECK(rig_run_simulated(&rig, i + 1));
        GP_CHECK_EQ(rig.seed, 1);
    }
}

static void send_probe(struct lone_lane *w, uint8_t bytes[40], uint32_t dst, int64_t time_ns)
{
    const struct batch_element e = {.kind = BATCH_PROBE, .bytes = 8, .dst = dst};

    batch_element_put(bytes, &e);
    put_u64_le(bytes + BATCH_ELEMENT_SIZE, (uint64_t)time_ns);
    lone_lane_take_batch(w, bytes, 40);
    GP_CHECK(!w->from->failed);
}

/* A lane whose clock stands at 1,000 ns. */
static void begin_lone(struct lone_lane *w)
{
    lone_lane_begin(w);
    w->options.metrics = true;
    GP_REQUIRE_EQ(measure_stage_init(w->lane->stages[1]), 0);
}

GP_TEST(measure, records_how_long_a_probe_took)
{
    struct lone_lane w;
    const struct hist *h;
    uint8_t bytes[4][40];

    begin_lone(&w);
    h = w.lane->stages[1]->meter.latency;
    send_probe(&w, bytes[0], 0, 960);
    GP_CHECK_EQ(hist_count(h), 1);
    GP_CHECK_EQ(hist_max(h), 40);
    send_probe(&w, bytes[1], 0, 5000); /* their clock is ahead */
    GP_CHECK_EQ(hist_count(h), 2);
    GP_CHECK_EQ(hist_min(h), 0);
    send_probe(&w, bytes[2], 4711, 960); /* for nobody */
    GP_CHECK_EQ(hist_count(h), 2);
    send_probe(&w, bytes[3], 0, INT64_MIN); /* a time that none is */
    GP_CHECK_EQ(hist_count(h), 2);
    lone_lane_end(&w);
}

/* No credit bounds probes: of many that wait behind rows only some are kept. */
GP_TEST(measure, probes_wait_behind_rows_and_are_bounded)
{
    uint8_t run[BATCH_ELEMENT_SIZE + 32];
    uint8_t bytes[40][40];
    struct batch_element head = {
        .kind = BATCH_ROWS, .session = LONE_SESSION, .rows = 1, .bytes = row_size(0, 4)};
    struct lone_lane w;
    const struct hist *h;

    begin_lone(&w);
    h = w.lane->stages[1]->meter.latency;
    batch_element_put(run, &head);
    row_put_header(run + BATCH_ELEMENT_SIZE, head.bytes, 0, 4, 0, 0, 0, 0);
    memset(run + BATCH_ELEMENT_SIZE + ROW_HEADER_SIZE, 0, 8);
    lone_lane_take_batch(&w, run, BATCH_ELEMENT_SIZE + head.bytes);
    for (uint32_t i = 0; i < 40; i++) {
        send_probe(&w, bytes[i], 0, 960);
    }
    GP_CHECK_EQ(hist_count(h), 0);
    lone_lane_go(&w);
    GP_CHECK_EQ(hist_count(h), 16);
    GP_CHECK_EQ(w.lane->stages[1]->tasks[0]->meter.probes, 0);
    GP_CHECK_EQ(counter_get(&w.lane->stages[1]->in_rows), 1);
    lone_lane_end(&w);
}
