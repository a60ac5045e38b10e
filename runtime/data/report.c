/* report.c: see report.h. */
#include "data/report.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/output.h"
#include "data/stage.h"

#define TASK_METRICS_SIZE 220u /* of struct msg_task_metrics as JSON, about */

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
    to->bytes_in += counter_get(&s->in_bytes);
    to->restarts += counter_get(&s->restarts);
    to->out += counter_get(&s->out_rows);
    to->rejected += counter_get(&s->rejected);
    to->late += counter_get(&s->late);
    to->watermark = watermark < to->watermark ? watermark : to->watermark;
    for (uint32_t i = 0; i < s->out_count; i++) {
        const struct out_edge *e = &s->out_edges[i];
        for (uint32_t kind = 0; e->counts && kind < EDGE_KINDS; kind++) {
            to->bytes_out += counter_get(&e->bytes[kind]);
        }
    }
    return add_counters(to, s);
}

/* ---- what lanes have measured ---- */

static const struct stage_measures *measures_of(const struct report_from *from, uint32_t lane,
                                                uint32_t processor)
{
    const struct lane_measures *m = from->measures[lane];

    for (uint32_t i = 0; m && i < m->count; i++) {
        if (m->stages[i].processor == processor) {
            return &m->stages[i];
        }
    }
    return NULL;
}

static void add_measures(const struct report_from *from, struct msg_processor_stats *to)
{
    for (uint32_t i = 0; i < engine_lane_count(from->engine); i++) {
        const struct stage_measures *m = measures_of(from, i, to->processor);
        if (m) {
            to->busy_ns += m->busy_ns;
            to->idle_ns += m->idle_ns;
            to->blocked_ns += m->blocked_ns;
            to->queue += m->queue;
        }
    }
}

static int add_slowest(const struct report_from *from, struct msg_processor_stats *to)
{
    to->slowest = calloc(MSG_SLOWEST_MAX, sizeof *to->slowest);
    if (!to->slowest) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < engine_lane_count(from->engine); i++) {
        const struct stage_measures *m = measures_of(from, i, to->processor);
        for (uint32_t k = 0; m && k < m->slowest_count; k++) {
            msg_slowest_add(to->slowest, &to->slowest_count, &m->slowest[k]);
        }
    }
    return 0;
}

static const struct hist *hist_of(const struct stage_measures *m, bool latency)
{
    return m ? latency ? m->latency : m->processing : NULL;
}

static int add_hist(const struct report_from *from, uint32_t processor, bool latency, char **ret)
{
    struct hist *sum = malloc(sizeof *sum);
    int rc = sum ? 0 : GP_ENOMEM;

    if (sum) {
        hist_init(sum);
        for (uint32_t i = 0; i < engine_lane_count(from->engine); i++) {
            const struct hist *h = hist_of(measures_of(from, i, processor), latency);
            if (h) {
                hist_merge(sum, h);
            }
        }
        rc = hist_count(sum) > 0 ? hist_to_text(sum, ret) : 0;
    }
    free(sum);
    return rc;
}

static size_t text_size(const char *text)
{
    return text ? strlen(text) : 0;
}

/* Left out again if it is too much for a message. */
static void cut(struct msg_executor_report *report, struct msg_processor_stats *p, size_t *left)
{
    size_t size = text_size(p->processing) + text_size(p->latency);

    if (size > *left || text_size(p->processing) > MSG_HIST_MAX ||
        text_size(p->latency) > MSG_HIST_MAX) {
        free(p->processing);
        free(p->latency);
        p->processing = NULL;
        p->latency = NULL;
        report->is_cut = true;
        size = 0;
    }
    size += p->slowest_count * TASK_METRICS_SIZE;
    if (size > *left) {
        free(p->slowest);
        p->slowest = NULL;
        p->slowest_count = 0;
        size = 0;
        report->is_cut = true;
    }
    *left -= size;
}

/* ---- the sums ---- */

static int report_processor(const struct report_from *from, uint32_t processor,
                            struct msg_executor_report *ret)
{
    const struct engine *engine = from->engine;
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
        add_measures(from, &sum);
        ret->processors[ret->processors_count++] = sum;
    }
    return rc;
}

static void report_edge(const struct engine *engine, uint32_t edge, struct msg_executor_report *ret)
{
    bool said = false; /* a task waits for an edge, not for a kind of it: told with the first */

    for (uint32_t kind = 0; kind < EDGE_KINDS; kind++) {
        struct msg_edge_stats sum = {.edge = edge, .kind = kind};
        uint64_t waits = 0;
        for (uint32_t i = 0; i < engine_lane_count(engine); i++) {
            const struct lane *lane = engine_lane(engine, i);
            const struct out_edge *e = lane ? lane->out_edges[edge] : NULL;
            if (e) {
                sum.messages += counter_get(&e->rows[kind]);
                sum.bytes += counter_get(&e->bytes[kind]);
                sum.batches += counter_get(&e->batches[kind]);
                waits += counter_get(&e->credit_waits);
            }
        }
        if (sum.messages > 0) {
            sum.credit_waits = said ? 0 : waits;
            said = true;
            ret->edges[ret->edges_count++] = sum;
        }
    }
}

static void report_lane(const struct lane *lane, struct msg_executor_report *ret)
{
    ret->lost += counter_get(&lane->stats.rows_lost);
    ret->in_doubt += counter_get(&lane->stats.rows_in_doubt);
    ret->restarted += (uint32_t)counter_get(&lane->stats.tasks_restarted);
    ret->failed += (uint32_t)counter_get(&lane->stats.tasks_failed);
}

int report_make(const struct report_from *from, struct msg_executor_report *ret)
{
    const struct engine *engine = from->engine;
    const struct plan *plan = from->plan;
    struct msg_executor_report report = {0};
    int rc = 0;

    report.processors = calloc(plan->processor_count, sizeof *report.processors);
    report.edges = calloc((size_t)plan->edge_count * EDGE_KINDS + 1, sizeof *report.edges);
    if (!report.processors || !report.edges) {
        rc = GP_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->processor_count && rc >= 0; i++) {
        rc = report_processor(from, i, &report);
    }
    for (uint32_t i = 0; i < plan->edge_count && rc >= 0; i++) {
        report_edge(engine, i, &report);
    }
    for (uint32_t i = 0; i < engine_lane_count(engine) && rc >= 0; i++) {
        if (engine_lane(engine, i)) {
            report_lane(engine_lane(engine, i), &report);
        }
    }
    if (rc < 0) {
        fields_deinit(&msg_executor_report_fields, &report);
        return rc;
    }
    *ret = report;
    return 0;
}

int report_fill(const struct report_from *from, struct msg_executor_report *report)
{
    size_t left = REPORT_FULL_MAX;
    int rc = 0;

    for (uint32_t i = 0; i < report->processors_count && rc >= 0; i++) {
        struct msg_processor_stats *p = &report->processors[i];
        rc = add_slowest(from, p);
        rc = rc < 0 ? rc : add_hist(from, p->processor, false, &p->processing);
        rc = rc < 0 ? rc : add_hist(from, p->processor, true, &p->latency);
        cut(report, p, &left);
    }
    report->is_full = true;
    return rc;
}
