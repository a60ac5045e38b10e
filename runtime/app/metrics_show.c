/* metrics_show.c: see metrics_show.h. */
#include "app/metrics_show.h"

#include <math.h>

#include "app/table.h"
#include "app/tree.h"
#include "base/str.h"
#include "base/units.h"

#define NS_PER_MS   1000000
#define BATCH_BYTES 65376.0 /* of rows in a full batch */
#define METRIC_MAX  64
#define US_PER_MS   1e3
#define NS_PER_US   1000

double metrics_now(const struct msg_metrics_history *latest, const char *processor,
                   uint32_t executor, const char *metric, double otherwise)
{
    for (uint32_t i = 0; i < latest->series_count; i++) {
        const struct msg_series *s = &latest->series[i];
        double value;

        if (s->executor == executor && strcmp(s->metric, metric) == 0 &&
            strcmp(s->processor, processor) == 0 &&
            str_to_double(gp_str_of(s->values), &value) == 0) {
            return value;
        }
    }
    return otherwise;
}

/* ---- parts ---- */

static void put(struct tree *t, const char *name, double value)
{
    if (isnan(value)) {
        tree_take(t, name, value_new_null());
    } else {
        tree_real(t, name, value);
    }
}

static const char *name_of(const struct msg_app_metrics *m, uint32_t processor)
{
    return processor < m->names_count ? m->names[processor] : "";
}

/* What was sampled lately. */
static struct value *show_sampled(const struct msg_metrics_history *h, const char *processor,
                                  const char *what)
{
    static const char *const parts[] = {"p50_us", "p90_us", "p99_us", "p999_us", "max_us"};
    char metric[METRIC_MAX];
    struct tree t;

    tree_begin(&t);
    (void)str_format(metric, sizeof metric, "%s_count", what);
    tree_u64(&t, "count", (uint64_t)metrics_now(h, processor, 0, metric, 0));
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        (void)str_format(metric, sizeof metric, "%s_%s", what, parts[i]);
        put(&t, parts[i], metrics_now(h, processor, 0, metric, NAN));
    }
    return tree_end(&t);
}

static void put_watermark(struct tree *t, int64_t watermark_ns)
{
    if (watermark_ns == INT64_MIN || watermark_ns == INT64_MAX) {
        tree_take(t, "watermark_ms", value_new_null());
    } else {
        tree_i64(t, "watermark_ms", watermark_ns / NS_PER_MS);
    }
}

static struct value *show_slowest(const struct msg_metrics_history *h,
                                  const struct msg_processor_stats *p, const char *name)
{
    static const char *const rates[] = {"rate_in", "rate_out", "busy", "blocked"};
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < p->slowest_count; i++) {
        const struct msg_task_metrics *task = &p->slowest[i];
        struct tree t;

        tree_begin(&t);
        tree_u64(&t, "task", task->task);
        tree_u64(&t, "executor", task->executor);
        tree_u64(&t, "in", task->in);
        tree_u64(&t, "out", task->out);
        for (size_t k = 0; k < sizeof rates / sizeof rates[0]; k++) {
            char metric[METRIC_MAX];

            (void)str_format(metric, sizeof metric, "task.%u.%s", task->task, rates[k]);
            tree_real(&t, rates[k], metrics_now(h, name, 0, metric, 0));
        }
        tree_u64(&t, "queue", task->queue);
        put_watermark(&t, task->watermark);
        put(&t, "latency_p99_us",
            task->latency_p99_ns > 0 ? (double)task->latency_p99_ns / NS_PER_US : NAN);
        tree_push_take(&list, tree_end(&t));
    }
    return list;
}

static struct value *show_processor(const struct msg_metrics_history *h,
                                    const struct msg_processor_stats *p)
{
    static const char *const rates[] = {"rate_in", "rate_out", "busy", "idle", "blocked"};
    const char *name = name_of(&h->latest, p->processor);
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", name);
    tree_u64(&t, "tasks", p->tasks_running + p->tasks_ended);
    tree_u64(&t, "in", p->in);
    tree_u64(&t, "out", p->out);
    tree_u64(&t, "bytes_in", p->bytes_in);
    tree_u64(&t, "bytes_out", p->bytes_out);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        tree_real(&t, rates[i], metrics_now(h, name, 0, rates[i], 0));
    }
    tree_u64(&t, "queue", p->queue);
    tree_u64(&t, "dead_letters", p->rejected);
    tree_u64(&t, "restarts", p->restarts);
    tree_u64(&t, "late", p->late);
    put_watermark(&t, p->watermark);
    put(&t, "watermark_lag_ms", metrics_now(h, name, 0, "watermark_lag_ms", NAN));
    tree_take(&t, "latency", show_sampled(h, name, "latency"));
    tree_take(&t, "processing", show_sampled(h, name, "processing"));
    tree_take(&t, "slowest", show_slowest(h, p, name));
    return tree_end(&t);
}

static struct value *show_edge(const struct msg_app_metrics *m, const struct msg_edge_stats *e)
{
    const bool is_known = e->edge < m->ends_count;
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "from", is_known ? name_of(m, m->ends[e->edge].from) : "");
    tree_text(&t, "to", is_known ? name_of(m, m->ends[e->edge].to) : "");
    tree_text(&t, "kind", e->kind < EDGE_KINDS ? edge_kind_names[e->kind] : "");
    tree_u64(&t, "messages", e->messages);
    tree_u64(&t, "bytes", e->bytes);
    tree_real(&t, "rate", e->rate);
    tree_u64(&t, "batches", e->batches);
    tree_real(&t, "fill", e->batches > 0 ? (double)e->bytes / (double)e->batches / BATCH_BYTES : 0);
    tree_u64(&t, "credit_waits", e->credit_waits);
    return tree_end(&t);
}

static struct value *show_executor(const struct msg_metrics_history *h,
                                   const struct msg_executor_vitals *e)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", e->id);
    tree_u64(&t, "worker", e->worker);
    tree_text(&t, "host", e->host ? e->host : "");
    tree_i64(&t, "pid", e->vitals.pid);
    tree_real(&t, "cpu", metrics_now(h, "", e->id, "cpu", 0));
    tree_u64(&t, "rss_bytes", e->vitals.rss_bytes);
    tree_u64(&t, "fds", e->vitals.fds);
    tree_real(&t, "loop_lag_ms", (double)e->vitals.loop_lag_us / US_PER_MS);
    tree_u64(&t, "connections", e->vitals.connections);
    tree_u64(&t, "frames_in", e->vitals.frames_in);
    tree_u64(&t, "frames_out", e->vitals.frames_out);
    tree_u64(&t, "errors", e->vitals.frame_errors);
    return tree_end(&t);
}

/* ---- the whole ---- */

static struct value *show_critical_path(const struct msg_app_metrics *m)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < m->critical_path_count; i++) {
        tree_push_take(&list, value_new_str(gp_str_of(name_of(m, m->critical_path[i].processor))));
    }
    return list;
}

static struct value *show_stalled(const struct msg_app_metrics *m)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < m->stalled_count; i++) {
        struct tree t;

        tree_begin(&t);
        tree_text(&t, "processor", name_of(m, m->stalled[i].processor));
        tree_i64(&t, "since_ms", m->stalled[i].since_ms);
        tree_push_take(&list, tree_end(&t));
    }
    return list;
}

struct value *metrics_show(const struct msg_metrics_history *latest)
{
    const struct msg_app_metrics *m = &latest->latest;
    struct value *processors = value_new_list();
    struct value *edges = value_new_list();
    struct value *executors = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < m->processors_count; i++) {
        tree_push_take(&processors, show_processor(latest, &m->processors[i]));
    }
    for (uint32_t i = 0; i < m->edges_count; i++) {
        tree_push_take(&edges, show_edge(m, &m->edges[i]));
    }
    for (uint32_t i = 0; i < m->executors_count; i++) {
        tree_push_take(&executors, show_executor(latest, &m->executors[i]));
    }
    tree_begin(&t);
    tree_u64(&t, "app", m->app);
    tree_text(&t, "name", m->name ? m->name : "");
    tree_i64(&t, "time_ms", m->time_ms);
    tree_i64(&t, "interval_ms", m->interval_ms);
    if (m->clock_ms != 0) {
        tree_i64(&t, "clock_ms", m->clock_ms);
    } else {
        tree_take(&t, "clock_ms", value_new_null());
    }
    tree_real(&t, "source_rate", metrics_now(latest, "", 0, "source_rate", 0));
    tree_real(&t, "sink_rate", metrics_now(latest, "", 0, "sink_rate", 0));
    tree_take(&t, "latency", show_sampled(latest, "", "latency"));
    tree_take(&t, "critical_path", show_critical_path(m));
    tree_take(&t, "stalled", show_stalled(m));
    tree_take(&t, "processors", processors);
    tree_take(&t, "edges", edges);
    tree_take(&t, "executors", executors);
    tree_bool(&t, "is_cut", m->is_cut);
    return tree_end(&t);
}

/* ---- the past ---- */

/* "1,,2" as [1, null, 2]. */
static struct value *show_values(const char *text)
{
    struct value *list = value_new_list();
    gp_str rest = gp_str_of(text);
    bool more = true;

    while (more) {
        gp_str word;
        double value;

        more = str_cut(rest, ',', &word, &rest);
        tree_push_take(&list, str_to_double(word, &value) == 0 ? value_new_double(value)
                                                               : value_new_null());
    }
    return list;
}

struct value *metrics_show_history(const struct msg_metrics_history *past)
{
    struct value *list = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < past->series_count; i++) {
        const struct msg_series *s = &past->series[i];

        tree_begin(&t);
        tree_text(&t, "processor", s->processor);
        tree_u64(&t, "executor", s->executor);
        tree_text(&t, "metric", s->metric);
        tree_take(&t, "values", show_values(s->values));
        tree_push_take(&list, tree_end(&t));
    }
    tree_begin(&t);
    tree_i64(&t, "step_ms", past->step_ms);
    tree_i64(&t, "end_ms", past->end_ms);
    tree_take(&t, "series", list);
    return tree_end(&t);
}

/* ---- for people ---- */

static void cell_us(struct table *t, double us)
{
    char text[UNITS_TEXT_MAX];

    table_cell(t, "%s", isnan(us) ? "" : units_duration((int64_t)(us * NS_PER_US), text));
}

static void cell_share(struct table *t, double share)
{
    table_cell(t, "%.0f %%", 100 * share);
}

int metrics_print(const struct msg_metrics_history *latest, FILE *to)
{
    static const struct table_column columns[] = {
        {"PROCESSOR", TABLE_LEFT}, {"TASKS", TABLE_RIGHT},   {"IN", TABLE_RIGHT},
        {"IN/S", TABLE_RIGHT},     {"OUT", TABLE_RIGHT},     {"OUT/S", TABLE_RIGHT},
        {"BUSY", TABLE_RIGHT},     {"BLOCKED", TABLE_RIGHT}, {"P50", TABLE_RIGHT},
        {"P99", TABLE_RIGHT},      {"QUEUE", TABLE_RIGHT},   {"LAG", TABLE_RIGHT},
    };
    const struct msg_app_metrics *m = &latest->latest;
    struct table t;
    int rc;

    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < m->processors_count; i++) {
        const struct msg_processor_stats *p = &m->processors[i];
        const char *name = name_of(m, p->processor);
        char rate[UNITS_TEXT_MAX];

        table_cell(&t, "%s", name);
        table_cell(&t, "%u", p->tasks_running + p->tasks_ended);
        table_cell(&t, "%llu", (unsigned long long)p->in);
        table_cell(&t, "%s", units_rate(metrics_now(latest, name, 0, "rate_in", 0), rate));
        table_cell(&t, "%llu", (unsigned long long)p->out);
        table_cell(&t, "%s", units_rate(metrics_now(latest, name, 0, "rate_out", 0), rate));
        cell_share(&t, metrics_now(latest, name, 0, "busy", 0));
        cell_share(&t, metrics_now(latest, name, 0, "blocked", 0));
        cell_us(&t, metrics_now(latest, name, 0, "latency_p50_us", NAN));
        cell_us(&t, metrics_now(latest, name, 0, "latency_p99_us", NAN));
        table_cell(&t, "%llu", (unsigned long long)p->queue);
        cell_us(&t, US_PER_MS * metrics_now(latest, name, 0, "watermark_lag_ms", NAN));
    }
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}
