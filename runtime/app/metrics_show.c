/* metrics_show.c: see metrics_show.h. */
#include "app/metrics_show.h"

#include <math.h>

#include "app/metrics_now.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define NS_PER_MS   1000000
#define BATCH_BYTES 65376.0 /* of rows in a full batch */
#define WHAT_MAX    32
#define US_PER_MS   1e3
#define NS_PER_US   1000

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
static struct value *show_sampled(const char *figures, const char *what)
{
    static const char *const parts[] = {"p50_us", "p90_us", "p99_us", "p999_us", "max_us"};
    char metric[WHAT_MAX];
    struct tree t;

    tree_begin(&t);
    (void)str_format(metric, sizeof metric, "%s_count", what);
    tree_u64(&t, "count", (uint64_t)metrics_now_number(figures, metric, 0));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        (void)str_format(metric, sizeof metric, "%s_%s", what, parts[i]);
        put(&t, parts[i], metrics_now_number(figures, metric, NAN));
    }
    return tree_end(&t);
}

/* Those that are not told are 0. */
static void put_rates(struct tree *t, const char *figures, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tree_real(t, names[i], metrics_now_number(figures, names[i], 0));
    }
}

static void put_watermark(struct tree *t, int64_t watermark_ns)
{
    if (watermark_ns == INT64_MIN || watermark_ns == INT64_MAX) {
        tree_take(t, "watermark_ms", value_new_null());
    } else {
        tree_i64(t, "watermark_ms", watermark_ns / NS_PER_MS);
    }
}

static struct value *show_task(struct metrics_now *now, const char *processor,
                               const struct msg_task_metrics *task)
{
    static const char *const rates[] = {"rate_in", "rate_out", "busy", "blocked"};
    char what[WHAT_MAX];
    struct tree t;

    (void)str_format(what, sizeof what, METRICS_NOW ".%u", task->task);
    tree_begin(&t);
    tree_u64(&t, "task", task->task);
    tree_u64(&t, "executor", task->executor);
    tree_u64(&t, "in", task->in);
    tree_u64(&t, "out", task->out);
    put_rates(&t, metrics_now_find(now, processor, 0, what), rates, ARRAY_LEN(rates));
    tree_u64(&t, "queue", task->queue);
    put_watermark(&t, task->watermark);
    put(&t, "latency_p99_us",
        task->latency_p99_ns > 0 ? (double)task->latency_p99_ns / NS_PER_US : NAN);
    return tree_end(&t);
}

static struct value *show_slowest(struct metrics_now *tasks, const struct msg_processor_stats *p,
                                  const char *name)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < p->slowest_count; i++) {
        tree_push_take(&list, show_task(tasks, name, &p->slowest[i]));
    }
    return list;
}

static struct value *show_processor(struct metrics_now *now, struct metrics_now *tasks,
                                    const struct msg_processor_stats *p)
{
    static const char *const rates[] = {"rate_in", "rate_out", "busy", "idle", "blocked"};
    const char *name = name_of(&now->of->latest, p->processor);
    const char *figures = metrics_now_find(now, name, 0, METRICS_NOW);
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", name);
    tree_u64(&t, "tasks", p->tasks_running + p->tasks_ended);
    tree_u64(&t, "in", p->in);
    tree_u64(&t, "out", p->out);
    tree_u64(&t, "bytes_in", p->bytes_in);
    tree_u64(&t, "bytes_out", p->bytes_out);
    put_rates(&t, figures, rates, ARRAY_LEN(rates));
    tree_u64(&t, "queue", p->queue);
    tree_u64(&t, "dead_letters", p->rejected);
    tree_u64(&t, "restarts", p->restarts);
    tree_u64(&t, "late", p->late);
    put_watermark(&t, p->watermark);
    put(&t, "watermark_lag_ms", metrics_now_number(figures, "watermark_lag_ms", NAN));
    tree_take(&t, "latency", show_sampled(figures, "latency"));
    tree_take(&t, "processing", show_sampled(figures, "processing"));
    tree_take(&t, "slowest", show_slowest(tasks, p, name));
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

static struct value *show_executor(struct metrics_now *now, const struct msg_executor_vitals *e)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", e->id);
    tree_u64(&t, "worker", e->worker);
    tree_text(&t, "host", e->host ? e->host : "");
    tree_i64(&t, "pid", e->vitals.pid);
    tree_real(&t, "cpu",
              metrics_now_number(metrics_now_find(now, "", e->id, METRICS_NOW_EXECUTOR), "cpu", 0));
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

const char *metrics_awaits(const struct msg_metrics_history *latest)
{
    if (latest->latest.time_ms != 0) {
        return NULL;
    }
    switch (latest->state) {
    case APP_RUNNING:
    case APP_RECOVERING:
        return "the next report of its appmaster, which comes once in metrics.interval";
    case APP_FINISHED:
    case APP_FAILED:
    case APP_KILLED:
        return "nothing, for the master that leads now was told nothing before the end";
    default:
        return "its start";
    }
}

struct value *metrics_show(const struct msg_metrics_history *latest)
{
    const struct msg_app_metrics *m = &latest->latest;
    struct metrics_now now = {.of = latest};
    struct metrics_now tasks = {.of = latest}; /* they stand behind all else */
    const char *figures = metrics_now_find(&now, "", 0, METRICS_NOW);
    struct value *processors = value_new_list();
    struct value *edges = value_new_list();
    struct value *executors = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < m->processors_count; i++) {
        tree_push_take(&processors, show_processor(&now, &tasks, &m->processors[i]));
    }
    for (uint32_t i = 0; i < m->edges_count; i++) {
        tree_push_take(&edges, show_edge(m, &m->edges[i]));
    }
    for (uint32_t i = 0; i < m->executors_count; i++) {
        tree_push_take(&executors, show_executor(&now, &m->executors[i]));
    }
    tree_begin(&t);
    tree_u64(&t, "app", m->app);
    tree_text(&t, "name", m->name ? m->name : "");
    tree_text(&t, "state", show_state(latest->state));
    tree_text(&t, "awaits", metrics_awaits(latest));
    tree_i64(&t, "time_ms", m->time_ms);
    tree_i64(&t, "interval_ms", m->interval_ms);
    if (m->clock_ms != 0) {
        tree_i64(&t, "clock_ms", m->clock_ms);
    } else {
        tree_take(&t, "clock_ms", value_new_null());
    }
    tree_real(&t, "source_rate", metrics_now_number(figures, "source_rate", 0));
    tree_real(&t, "sink_rate", metrics_now_number(figures, "sink_rate", 0));
    tree_take(&t, "latency", show_sampled(figures, "latency"));
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
