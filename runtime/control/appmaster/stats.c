/*
 * stats.c: the reports of all executors, added up.
 *
 * Reports are totals since the start, one aggregate for each processor and each (edge, kind):
 * adding the last ones of all executors gives the application's. Indices in them come from
 * processes that run user code: those out of range are left out.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/appmaster/internal.h"

#define EDGE_KINDS 4u

static const char guarantee[] = "While all processes live, nothing is lost, doubled or reordered "
                                "per key. When one dies, the application fails; messages in "
                                "flight are lost, and what sinks have completed stays.";

static const char *const state_names[] = {"launching", "registered", "ready",
                                          "running",   "done",       "gone"};

static int add_counter(struct msg_processor_stats *to, const struct msg_counter *counter)
{
    struct msg_counter *grown;

    for (uint32_t i = 0; i < to->counters_count; i++) {
        if (strcmp(to->counters[i].name, counter->name) == 0) {
            to->counters[i].value += counter->value;
            return 0;
        }
    }
    if (to->counters_count == MSG_COUNTERS_MAX) {
        return 0;
    }
    grown = realloc(to->counters, (to->counters_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    to->counters = grown;
    grown[to->counters_count] =
        (struct msg_counter){str_dup(gp_str_of(counter->name)), counter->value};
    if (!grown[to->counters_count].name) {
        return GP_ENOMEM;
    }
    to->counters_count++;
    return 0;
}

static int add_processor(struct msg_processor_stats *to, const struct msg_processor_stats *from)
{
    int rc = 0;

    to->tasks_running += from->tasks_running;
    to->tasks_ended += from->tasks_ended;
    to->in += from->in;
    to->out += from->out;
    to->rejected += from->rejected;
    to->late += from->late;
    to->watermark = from->watermark < to->watermark ? from->watermark : to->watermark;
    for (uint32_t i = 0; i < from->counters_count && rc >= 0; i++) {
        rc = add_counter(to, &from->counters[i]);
    }
    return rc;
}

static int add_processors(const struct appmaster *am, struct msg_app_live *live)
{
    uint32_t count = am->plan->processor_count;
    int rc = 0;

    live->processors = calloc(count, sizeof *live->processors);
    if (!live->processors) {
        return GP_ENOMEM;
    }
    live->processors_count = count;
    for (uint32_t p = 0; p < count; p++) {
        live->processors[p] = (struct msg_processor_stats){.processor = p, .watermark = INT64_MAX};
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct msg_executor_report *report = &am->executors[i].report;
        for (uint32_t k = 0; k < report->processors_count && rc >= 0; k++) {
            if (report->processors[k].processor < count) {
                rc = add_processor(&live->processors[report->processors[k].processor],
                                   &report->processors[k]);
            }
        }
    }
    return rc;
}

static int add_edges(const struct appmaster *am, struct msg_app_live *live)
{
    uint32_t count = am->plan->edge_count;
    struct msg_edge_stats *sums = calloc((size_t)count * EDGE_KINDS + 1, sizeof *sums);

    if (!sums) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct msg_executor_report *report = &am->executors[i].report;
        for (uint32_t k = 0; k < report->edges_count; k++) {
            const struct msg_edge_stats *e = &report->edges[k];
            if (e->edge < count && e->kind < EDGE_KINDS) {
                sums[e->edge * EDGE_KINDS + e->kind].messages += e->messages;
                sums[e->edge * EDGE_KINDS + e->kind].bytes += e->bytes;
            }
        }
    }
    live->edges = sums;
    for (uint32_t i = 0; i < count * EDGE_KINDS; i++) {
        uint32_t edge = i / EDGE_KINDS;
        if (sums[i].messages > 0) {
            double share = am->edge_rates[edge].total
                               ? (double)sums[i].messages / (double)am->edge_rates[edge].total
                               : 0;
            sums[live->edges_count++] =
                (struct msg_edge_stats){edge, i % EDGE_KINDS, sums[i].messages, sums[i].bytes,
                                        am->edge_rates[edge].per_s * (share > 1 ? 1 : share)};
        }
    }
    return 0;
}

static int add_executors(const struct appmaster *am, struct msg_app_live *live)
{
    live->executors = calloc(am->executor_count + 1, sizeof *live->executors);
    if (!live->executors) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = &am->executors[i];
        struct msg_executor_info *info = &live->executors[live->executors_count++];
        *info = (struct msg_executor_info){.id = e->id,
                                           .worker = e->grant->worker,
                                           .worker_name = str_dup(gp_str_of(e->grant->name)),
                                           .worker_address = str_dup(gp_str_of(e->grant->address)),
                                           .host = str_dup(gp_str_of(e->grant->host)),
                                           .pid = e->pid,
                                           .lanes = e->info.lanes_count,
                                           .state = str_dup(gp_str_of(state_names[e->state]))};
        if (!info->worker_name || !info->worker_address || !info->host || !info->state) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

static int add_placement(const struct appmaster *am, struct msg_app_live *live)
{
    live->placement = calloc(am->placement.count + 1, sizeof *live->placement);
    if (!live->placement) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->placement.count; i++) {
        const struct placement_range *r = &am->placement.ranges[i];
        live->placement[live->placement_count++] =
            (struct msg_range){r->processor, r->first, r->count, r->executor, r->lane};
    }
    return 0;
}

int stats_live(struct appmaster *am, struct msg_app_live *ret)
{
    struct msg_app_live live = {.last_error = str_dup(gp_str_of(am->failure.text)),
                                .guarantee = str_dup(gp_str_of(guarantee))};
    int rc = live.last_error && live.guarantee ? 0 : GP_ENOMEM;

    if (rc >= 0 && am->plan) {
        rc = add_processors(am, &live);
        rc = rc < 0 || !am->edge_rates ? rc : add_edges(am, &live);
        rc = rc < 0 ? rc : add_executors(am, &live);
        rc = rc < 0 ? rc : add_placement(am, &live);
    }
    if (rc < 0) {
        fields_deinit(&msg_app_live_fields, &live);
        return rc;
    }
    *ret = live;
    return 0;
}

void stats_rate(struct appmaster *am)
{
    int64_t now_ns = loop_now_ns(am->port->loop);
    double seconds = (double)(now_ns - am->rated_ns) / 1e9;

    if (seconds <= 0) {
        return;
    }
    am->rated_ns = now_ns;
    for (uint32_t edge = 0; edge < am->plan->edge_count; edge++) {
        struct am_rate *rate = &am->edge_rates[edge];
        uint64_t total = 0;
        for (uint32_t i = 0; i < am->executor_count; i++) {
            const struct msg_executor_report *report = &am->executors[i].report;
            for (uint32_t k = 0; k < report->edges_count; k++) {
                total += report->edges[k].edge == edge ? report->edges[k].messages : 0;
            }
        }
        rate->per_s = total > rate->total ? (double)(total - rate->total) / seconds : 0;
        rate->total = total;
    }
}
