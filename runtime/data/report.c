/* report.c: see report.h. */
#include "data/report.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/output.h"
#include "data/stage.h"

static int add_counters(struct msg_processor_stats *to, const struct stage *s)
{
    uint32_t count =
        atomic_load_explicit(&((struct stage *)(uintptr_t)s)->counter_count, memory_order_acquire);

    for (uint32_t i = 0; i < count; i++) {
        int64_t value = atomic_load_explicit(&((struct stage *)(uintptr_t)s)->counters[i].value,
                                             memory_order_relaxed);
        uint32_t at = 0;
        while (at < to->counters_count && strcmp(to->counters[at].name, s->counters[i].name) != 0) {
            at++;
        }
        if (at == to->counters_count) {
            struct msg_counter *grown = realloc(to->counters, (at + 1) * sizeof *grown);
            if (!grown) {
                return GP_ENOMEM;
            }
            to->counters = grown;
            grown[at] = (struct msg_counter){.name = str_dup(gp_str_of(s->counters[i].name))};
            if (!grown[at].name) {
                return GP_ENOMEM;
            }
            to->counters_count++;
        }
        to->counters[at].value += value;
    }
    return 0;
}

static int add_stage(struct msg_processor_stats *to, const struct stage *s)
{
    int64_t watermark = (int64_t)counter_get(&s->watermark);

    to->tasks_running += (uint32_t)counter_get(&s->running);
    to->tasks_ended += (uint32_t)counter_get(&s->tasks_ended);
    to->in += counter_get(&s->in_rows);
    to->out += counter_get(&s->out_rows);
    to->rejected += counter_get(&s->rejected);
    to->late += counter_get(&s->late);
    to->watermark = watermark < to->watermark ? watermark : to->watermark;
    return add_counters(to, s);
}

static int report_processor(const struct engine *engine, uint32_t processor,
                            struct msg_executor_report *ret)
{
    struct msg_processor_stats sum = {.processor = processor, .watermark = INT64_MAX};
    bool here = false;
    int rc = 0;

    for (uint32_t i = 0; i < engine_lane_count(engine) && rc >= 0; i++) {
        const struct lane *lane = engine_lane(engine, i);
        if (lane && lane->stages[processor]) {
            rc = add_stage(&sum, lane->stages[processor]);
            here = true;
        }
    }
    if (here) {
        ret->processors[ret->processors_count++] = sum;
    }
    return rc;
}

static void report_edge(const struct engine *engine, uint32_t edge, struct msg_executor_report *ret)
{
    for (uint32_t kind = 0; kind < EDGE_KINDS; kind++) {
        struct msg_edge_stats sum = {.edge = edge, .kind = kind};
        for (uint32_t i = 0; i < engine_lane_count(engine); i++) {
            const struct lane *lane = engine_lane(engine, i);
            const struct out_edge *e = lane ? lane->out_edges[edge] : NULL;
            if (e) {
                sum.messages += counter_get(&e->rows[kind]);
                sum.bytes += counter_get(&e->bytes[kind]);
            }
        }
        if (sum.messages > 0) {
            ret->edges[ret->edges_count++] = sum;
        }
    }
}

static void report_lane(const struct engine *engine, uint32_t index,
                        struct msg_executor_report *ret)
{
    const struct lane *lane = engine_lane(engine, index);

    if (!lane || ret->lanes_count == MSG_LANES_MAX) {
        return;
    }
    ret->lanes[ret->lanes_count++] =
        (struct msg_lane_stats){.lane = index,
                                .turns = counter_get(&lane->stats.turns),
                                .sleeps = counter_get(&lane->stats.sleeps),
                                .batches_sent = counter_get(&lane->stats.batches_out),
                                .batches_received = counter_get(&lane->stats.batches_in)};
    ret->dropped_stale += counter_get(&lane->stats.stale_rows);
    ret->link_failures += counter_get(&lane->stats.failed_links);
    ret->lost += counter_get(&lane->stats.rows_lost);
    ret->in_doubt += counter_get(&lane->stats.rows_in_doubt);
    ret->restarted += (uint32_t)counter_get(&lane->stats.tasks_restarted);
    ret->failed += (uint32_t)counter_get(&lane->stats.tasks_failed);
}

int report_make(const struct engine *engine, const struct plan *plan,
                struct msg_executor_report *ret)
{
    struct msg_executor_report report = {0};
    int rc = 0;

    report.processors = calloc(plan->processor_count, sizeof *report.processors);
    report.edges = calloc((size_t)plan->edge_count * EDGE_KINDS + 1, sizeof *report.edges);
    report.lanes = calloc(engine_lane_count(engine) + 1, sizeof *report.lanes);
    if (!report.processors || !report.edges || !report.lanes) {
        rc = GP_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->processor_count && rc >= 0; i++) {
        rc = report_processor(engine, i, &report);
    }
    for (uint32_t i = 0; i < plan->edge_count && rc >= 0; i++) {
        report_edge(engine, i, &report);
    }
    for (uint32_t i = 0; i < engine_lane_count(engine) && rc >= 0; i++) {
        report_lane(engine, i, &report);
    }
    if (rc < 0) {
        fields_deinit(&msg_executor_report_fields, &report);
        return rc;
    }
    *ret = report;
    return 0;
}
