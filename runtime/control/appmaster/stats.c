/*
 * stats.c: the reports of all executors, added up.
 *
 * Reports are totals since the start, one aggregate for each processor and each (edge, kind):
 * adding the last ones of all executors gives the application's. Indices in them come from
 * processes that run user code: those out of range are left out. What an executor had counted when
 * it was lost stays in the sums.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/appmaster/internal.h"

static const char guarantee[] =
    "While all processes live, nothing is lost, doubled or reordered per key. When one dies, its "
    "tasks begin anew and all others go on: messages in flight to or from them are lost, and so is "
    "what stateful processors had kept; a source that can be restored goes on where it last said "
    "it was, at most a second back (two, if its appmaster died with it), so what it emitted since "
    "comes twice. What sinks have completed stays.";

static const char *const state_names[] = {"launching", "registered", "ready",
                                          "running",   "done",       "gone"};

static int add_processor(struct msg_processor_stats *to, const struct msg_processor_stats *from)
{
    to->tasks_running += from->tasks_running;
    to->tasks_ended += from->tasks_ended;
    to->watermark = from->watermark < to->watermark ? from->watermark : to->watermark;
    to->queue += from->tasks_running > 0 ? from->queue : 0; /* it is as of a second ago */
    return record_add_counts(to, from);
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
        if (p < am->record.past_count && rc >= 0) {
            rc = record_add_counts(&live->processors[p], &am->record.past[p]);
            live->processors[p].tasks_ended = am->record.past[p].tasks_ended; /* see stats_view() */
        }
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct msg_executor_report *report = &am->executors[i]->report;
        for (uint32_t k = 0; k < report->processors_count && rc >= 0; k++) {
            if (report->processors[k].processor < count) {
                rc = add_processor(&live->processors[report->processors[k].processor],
                                   &report->processors[k]);
            }
        }
    }
    return rc;
}

/* sums: [edge * EDGE_KINDS + kind] */
static void add_edge_counts(struct msg_edge_stats *sums, uint32_t count,
                            const struct msg_executor_report *report)
{
    for (uint32_t i = 0; i < report->edges_count; i++) {
        const struct msg_edge_stats *e = &report->edges[i];
        if (e->edge < count && e->kind < EDGE_KINDS) {
            sums[e->edge * EDGE_KINDS + e->kind].messages += e->messages;
            sums[e->edge * EDGE_KINDS + e->kind].bytes += e->bytes;
            sums[e->edge * EDGE_KINDS + e->kind].batches += e->batches;
            sums[e->edge * EDGE_KINDS + e->kind].credit_waits += e->credit_waits;
        }
    }
}

/* Of executors that are gone, or of all of them: those that are not zero. */
static int sum_edges(const struct appmaster *am, bool all, struct msg_edge_stats **ret,
                     uint32_t *ret_count)
{
    uint32_t count = am->plan->edge_count;
    struct msg_edge_stats *sums = calloc((size_t)count * EDGE_KINDS + 1, sizeof *sums);
    uint32_t used = 0;

    if (!sums) {
        return GP_ENOMEM;
    }
    if (am->edge_past) {
        memcpy(sums, am->edge_past, (size_t)count * EDGE_KINDS * sizeof *sums);
    }
    for (uint32_t i = 0; all && i < am->executor_count; i++) {
        add_edge_counts(sums, count, &am->executors[i]->report);
    }
    for (uint32_t i = 0; i < count * EDGE_KINDS; i++) {
        if (sums[i].messages > 0) {
            sums[used++] = (struct msg_edge_stats){.edge = i / EDGE_KINDS,
                                                   .kind = i % EDGE_KINDS,
                                                   .messages = sums[i].messages,
                                                   .bytes = sums[i].bytes,
                                                   .batches = sums[i].batches,
                                                   .credit_waits = sums[i].credit_waits};
        }
    }
    *ret = sums;
    *ret_count = used;
    return 0;
}

/* Of all kinds; those that are told are not 0. */
static uint64_t edge_total(const struct msg_app_live *live, uint32_t edge)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < live->edges_count; i++) {
        total += live->edges[i].edge == edge ? live->edges[i].messages : 0;
    }
    return total;
}

static int add_edges(const struct appmaster *am, struct msg_app_live *live)
{
    int rc = sum_edges(am, true, &live->edges, &live->edges_count);

    for (uint32_t i = 0; i < live->edges_count; i++) {
        struct msg_edge_stats *e = &live->edges[i];
        const double total = (double)edge_total(live, e->edge);

        e->rate = am->edge_rates[e->edge].per_s * ((double)e->messages / total);
    }
    return rc;
}

static const char *state_name(const struct am_executor *e)
{
    if (e->state == EXECUTOR_GONE) {
        return e->how;
    }
    if (e->is_restored) {
        return "awaited";
    }
    return e->state > EXECUTOR_LAUNCHING && !e->peer ? "disconnected" : state_names[e->state];
}

/* Its tasks have nobody else yet. */
static bool is_missed(const struct appmaster *am, const struct am_executor *e)
{
    return record_find(&am->record, e->id) != NULL;
}

static int add_executors(const struct appmaster *am, struct msg_app_live *live)
{
    live->executors = calloc(am->executor_count + 1, sizeof *live->executors);
    if (!live->executors) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        struct msg_executor_info *info = &live->executors[live->executors_count];
        if (e->state == EXECUTOR_GONE && !is_missed(am, e)) {
            continue; /* others have its tasks */
        }
        live->executors_count++;
        *info = (struct msg_executor_info){.id = e->id,
                                           .worker = e->worker,
                                           .worker_name = str_dup(gp_str_of(e->worker_name)),
                                           .worker_address = str_dup(gp_str_of(e->worker_address)),
                                           .host = str_dup(gp_str_of(e->host)),
                                           .pid = e->pid,
                                           .lanes = e->info.lanes_count,
                                           .pinned = e->info.pinned,
                                           .state = str_dup(gp_str_of(state_name(e)))};
        if (!info->worker_name || !info->worker_address || !info->host || !info->state) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

static int add_placement(const struct appmaster *am, struct msg_app_live *live)
{
    live->placement = calloc(am->record.ranges_count + 1, sizeof *live->placement);
    if (!live->placement) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->record.ranges_count; i++) {
        const struct record_range *r = &am->record.ranges[i];
        live->placement[live->placement_count++] =
            (struct msg_range){r->processor, r->first, r->count, r->executor, r->lane};
    }
    return 0;
}

static int add_events(const struct appmaster *am, struct msg_app_live *live)
{
    live->events = calloc(am->record.events_count + 1, sizeof *live->events);
    if (!live->events) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->record.events_count; i++) {
        const struct msg_app_event *from = &am->record.events[i];
        live->events[live->events_count++] =
            (struct msg_app_event){from->time_ms, str_dup(gp_str_of(from->text)), from->took_ms};
        if (!live->events[i].text) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

static void add_losses(const struct appmaster *am, struct msg_app_live *live)
{
    live->lost = am->record.lost;
    live->in_doubt = am->record.in_doubt;
    live->is_lost_at_least = am->record.is_lost_at_least;
    for (uint32_t i = 0; i < am->executor_count; i++) {
        live->lost += am->executors[i]->report.lost;
        live->in_doubt += am->executors[i]->report.in_doubt;
    }
    live->restarts = budget_used(&am->budget, am_wall_ms(am));
    live->restarts_max = am->budget.max;
    live->restart_window_ms = am->budget.window_ms;
    live->moves = (struct msg_app_moves){.open = am->record.moves_count,
                                         .done = am->record.moves_done,
                                         .refused = am->record.moves_refused};
}

int stats_live(struct appmaster *am, struct msg_app_live *ret)
{
    char stuck[WORDS_MAX];
    const char *error = am->failure.text[0]                  ? am->failure.text
                        : stuck_now(am, stuck, sizeof stuck) ? stuck
                                                             : "";
    struct msg_app_live live = {.last_error = str_dup(gp_str_of(error)),
                                .guarantee = str_dup(gp_str_of(guarantee))};
    int rc = live.last_error && live.guarantee ? 0 : GP_ENOMEM;

    add_losses(am, &live);
    rc = rc < 0 ? rc : add_events(am, &live);
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

int stats_sums(struct appmaster *am, struct msg_app_metrics *ret)
{
    struct msg_app_live live = {0};
    int rc = add_processors(am, &live);

    rc = rc < 0 || !am->edge_rates ? rc : add_edges(am, &live);
    ret->processors = live.processors;
    ret->processors_count = live.processors_count;
    ret->edges = live.edges;
    ret->edges_count = live.edges_count;
    return rc;
}

void stats_keep(struct appmaster *am, struct msg_executor_report *report)
{
    metrics_keep(am, report);
    if (am->plan) { /* without memory some of it is forgotten */
        (void)record_add_past(&am->record, report, am->plan->processor_count);
    }
    if (am->edge_past) {
        add_edge_counts(am->edge_past, am->plan->edge_count, report);
    }
    am->record.lost += report->lost;
    am->record.in_doubt += report->in_doubt;
    record_touch(&am->record);
    fields_deinit(&msg_executor_report_fields, report);
    *report = (struct msg_executor_report){0};
}

int stats_view(struct appmaster *am, struct record *ret)
{
    struct record view = am->record; /* borrows the rest */
    struct msg_app_live live = {0};
    int rc = 0;

    view.edges = NULL;
    view.edges_count = 0;
    if (am->plan && am->edge_past) {
        rc = sum_edges(am, view.is_over, &view.edges, &view.edges_count);
    }
    if (rc >= 0 && am->plan && view.is_over) {
        rc = add_processors(am, &live);
        add_losses(am, &live);
        view.past = live.processors;
        view.past_count = live.processors_count;
        view.lost = live.lost;
        view.in_doubt = live.in_doubt;
    }
    *ret = view;
    if (rc < 0) {
        stats_view_deinit(am, ret);
    }
    return rc;
}

void stats_view_deinit(const struct appmaster *am, struct record *view)
{
    struct msg_app_live live = {.processors = view->past,
                                .processors_count = view->past_count,
                                .edges = view->edges,
                                .edges_count = view->edges_count};

    if (view->past == am->record.past) {
        live.processors = NULL;
        live.processors_count = 0;
    }
    fields_deinit(&msg_app_live_fields, &live);
}

void stats_resume(struct appmaster *am)
{
    const struct msg_executor_report past = {.edges = am->record.edges,
                                             .edges_count = am->record.edges_count};

    add_edge_counts(am->edge_past, am->plan->edge_count, &past);
    stats_adopt(am, &past); /* nor is that growth */
    free(am->record.edges);
    am->record.edges = NULL;
    am->record.edges_count = 0;
}

void stats_adopt(struct appmaster *am, const struct msg_executor_report *report)
{
    for (uint32_t i = 0; i < report->edges_count && am->edge_rates; i++) {
        if (report->edges[i].edge < am->plan->edge_count) {
            am->edge_rates[report->edges[i].edge].total += report->edges[i].messages;
        }
    }
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
        for (uint32_t kind = 0; kind < EDGE_KINDS; kind++) {
            total += am->edge_past[edge * EDGE_KINDS + kind].messages;
        }
        for (uint32_t i = 0; i < am->executor_count; i++) {
            const struct msg_executor_report *report = &am->executors[i]->report;
            for (uint32_t k = 0; k < report->edges_count; k++) {
                total += report->edges[k].edge == edge ? report->edges[k].messages : 0;
            }
        }
        rate->per_s = total > rate->total ? (double)(total - rate->total) / seconds : 0;
        rate->total = total;
    }
}
