/* prometheus.c: see prometheus.h. */
#include "observe/prometheus.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"

#define NS_PER_S 1e9
#define MS_PER_S 1e3
#define US_PER_S 1e6
#define TEXT_MAX 16

/* One number of a struct: where it stands and how it is called, for both worlds. */
struct figure {
    const char *name; /* Prometheus */
    const char *path; /* Graphite */
    const char *help;
    enum exposition_kind kind;
    bool is_wide; /* 64 bits */
    size_t offset;
    double unit; /* how many make one of what is shown */
};

#define FIGURE(type, member, name_, kind_, unit_, help_)                                           \
    {                                                                                              \
        .name = (name_), .path = #member, .help = (help_), .kind = EXPOSITION_##kind_,             \
        .is_wide = sizeof(((type *)0)->member) == sizeof(uint64_t),                                \
        .offset = offsetof(type, member), .unit = (unit_)                                          \
    }

#define P(...) FIGURE(struct msg_processor_stats, __VA_ARGS__)
static const struct figure processor_figures[] = {
    P(in, "gearpump_processor_messages_in_total", COUNTER, 1, "Messages received."),
    P(out, "gearpump_processor_messages_out_total", COUNTER, 1, "Messages emitted."),
    P(bytes_in, "gearpump_processor_received_bytes_total", COUNTER, 1, "Bytes received."),
    P(bytes_out, "gearpump_processor_sent_bytes_total", COUNTER, 1, "Bytes emitted."),
    P(busy_ns, "gearpump_processor_busy_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks ran, added up."),
    P(idle_ns, "gearpump_processor_idle_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks had nothing to do, or their lane ran others."),
    P(blocked_ns, "gearpump_processor_blocked_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks waited for credit of those behind them."),
    P(rejected, "gearpump_processor_dead_letters_total", COUNTER, 1, "Messages it refused."),
    P(late, "gearpump_processor_late_messages_total", COUNTER, 1,
      "Messages older than the watermark before them."),
    P(restarts, "gearpump_processor_task_restarts_total", COUNTER, 1,
      "Sessions of its tasks after their first."),
    P(queue, "gearpump_processor_queue_messages", GAUGE, 1, "Messages that wait for its tasks."),
    P(tasks_running, "gearpump_processor_tasks_running", GAUGE, 1, "Tasks that run."),
};
#undef P

#define T(...) FIGURE(struct msg_task_metrics, __VA_ARGS__)
static const struct figure task_figures[] = {
    T(in, "gearpump_task_messages_in_total", COUNTER, 1,
      "Messages received, of the slowest tasks of each processor."),
    T(out, "gearpump_task_messages_out_total", COUNTER, 1, "Messages emitted, of the slowest."),
    T(busy_ns, "gearpump_task_busy_seconds_total", COUNTER, NS_PER_S,
      "Time it ran, of the slowest."),
    T(blocked_ns, "gearpump_task_blocked_seconds_total", COUNTER, NS_PER_S,
      "Time it waited for credit, of the slowest."),
    T(queue, "gearpump_task_queue_messages", GAUGE, 1, "Messages that wait, of the slowest."),
};
#undef T

#define E(...) FIGURE(struct msg_edge_stats, __VA_ARGS__)
static const struct figure edge_figures[] = {
    E(messages, "gearpump_edge_messages_total", COUNTER, 1, "Messages sent, by how they travel."),
    E(bytes, "gearpump_edge_bytes_total", COUNTER, 1, "Bytes sent."),
    E(batches, "gearpump_edge_batches_total", COUNTER, 1, "Batches sent."),
    E(credit_waits, "gearpump_edge_credit_waits_total", COUNTER, 1,
      "Times a task stopped for want of credit."),
};
#undef E

#define VITALS(prefix)                                                                             \
    {                                                                                              \
        FIGURE(struct msg_vitals, cpu_ns, prefix "cpu_seconds_total", COUNTER, NS_PER_S,           \
               "Processor time used, user and system."),                                           \
            FIGURE(struct msg_vitals, rss_bytes, prefix "resident_memory_bytes", GAUGE, 1,         \
                   "Resident memory."),                                                            \
            FIGURE(struct msg_vitals, fds, prefix "open_fds", GAUGE, 1, "Open descriptors."),      \
            FIGURE(struct msg_vitals, loop_lag_us, prefix "loop_lag_seconds", GAUGE, US_PER_S,     \
                   "How late its loop called a timer at most, lately."),                           \
            FIGURE(struct msg_vitals, connections, prefix "connections", GAUGE, 1,                 \
                   "Connections of the control plane."),                                           \
            FIGURE(struct msg_vitals, frames_in, prefix "frames_received_total", COUNTER, 1,       \
                   "Frames of the control plane received."),                                       \
            FIGURE(struct msg_vitals, frames_out, prefix "frames_sent_total", COUNTER, 1,          \
                   "Frames of the control plane sent."),                                           \
            FIGURE(struct msg_vitals, frame_errors, prefix "frame_errors_total", COUNTER, 1,       \
                   "Connections that ended for what came over them."),                             \
            FIGURE(struct msg_vitals, up_ms, prefix "uptime_seconds", GAUGE, MS_PER_S,             \
                   "Time since it began."),                                                        \
    }
static const struct figure executor_figures[] = VITALS("gearpump_executor_");
static const struct figure daemon_figures[] = VITALS("gearpump_daemon_");

static double figure_of(const struct figure *figure, const void *from)
{
    const unsigned char *at = (const unsigned char *)from + figure->offset;
    uint64_t wide = 0;
    uint32_t narrow = 0;

    if (figure->is_wide) {
        memcpy(&wide, at, sizeof wide);
        return (double)wide / figure->unit;
    }
    memcpy(&narrow, at, sizeof narrow);
    return (double)narrow / figure->unit;
}

static const char *name_of(const struct msg_app_metrics *app, uint32_t processor)
{
    return processor < app->names_count ? app->names[processor] : "";
}

static const char *number_text(uint32_t number, char out[TEXT_MAX])
{
    (void)str_format(out, TEXT_MAX, "%u", number);
    return out;
}

/* ---- processors ---- */

static void put_processors(struct exposition *e, const struct prometheus_apps *apps,
                           const struct figure *figure)
{
    exposition_family(e, figure->name, figure->kind, figure->help);
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct msg_app_metrics *app = apps->apps[a];

        for (uint32_t i = 0; i < app->processors_count; i++) {
            const struct label labels[] = {
                {"app", app->name}, {"processor", name_of(app, app->processors[i].processor)}};
            exposition_number(e, labels, ARRAY_LEN(labels), figure_of(figure, &app->processors[i]));
        }
    }
}

/* Its watermark is behind by so much. */
static void put_lags(struct exposition *e, const struct prometheus_apps *apps)
{
    exposition_family(e, "gearpump_processor_watermark_lag_seconds", EXPOSITION_GAUGE,
                      "How far its watermark is behind the clock on the wall.");
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct msg_app_metrics *app = apps->apps[a];

        for (uint32_t i = 0; i < app->processors_count; i++) {
            const struct msg_processor_stats *p = &app->processors[i];
            const struct label labels[] = {{"app", app->name},
                                           {"processor", name_of(app, p->processor)}};
            if (p->watermark != INT64_MIN && p->watermark != INT64_MAX) {
                exposition_number(e, labels, ARRAY_LEN(labels),
                                  (double)app->time_ms / MS_PER_S -
                                      (double)p->watermark / NS_PER_S);
            }
        }
    }
}

static void put_histogram(struct exposition *e, const struct label *labels, uint32_t count,
                          const char *text, struct hist *scratch)
{
    hist_init(scratch);
    if (text && text[0] != '\0' && hist_merge_text(scratch, text) >= 0) {
        exposition_histogram(e, labels, count, scratch);
    }
}

static void put_histograms(struct exposition *e, const struct prometheus_apps *apps,
                           bool is_latency, struct hist *scratch)
{
    if (is_latency) {
        exposition_family(e, "gearpump_processor_latency_seconds", EXPOSITION_HISTOGRAM,
                          "Time from a source to this processor, of probes.");
    } else {
        exposition_family(e, "gearpump_processor_processing_seconds", EXPOSITION_HISTOGRAM,
                          "Time that a message takes, of sampled calls.");
    }
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct msg_app_metrics *app = apps->apps[a];

        for (uint32_t i = 0; i < app->processors_count; i++) {
            const struct msg_processor_stats *p = &app->processors[i];
            const struct label labels[] = {{"app", app->name},
                                           {"processor", name_of(app, p->processor)}};
            put_histogram(e, labels, ARRAY_LEN(labels), is_latency ? p->latency : p->processing,
                          scratch);
        }
    }
}

/* ---- tasks ---- */

static void put_tasks(struct exposition *e, const struct prometheus_apps *apps,
                      const struct figure *figure)
{
    uint32_t left = apps->task_series;

    exposition_family(e, figure->name, figure->kind, figure->help);
    for (uint32_t rank = 0; rank < MSG_SLOWEST_MAX; rank++) { /* the slowest of all come first */
        for (uint32_t a = 0; a < apps->count; a++) {
            const struct msg_app_metrics *app = apps->apps[a];

            for (uint32_t i = 0; i < app->processors_count && left > 0; i++) {
                const struct msg_processor_stats *p = &app->processors[i];
                char task[TEXT_MAX];
                char executor[TEXT_MAX];

                if (rank < p->slowest_count) {
                    const struct label labels[] = {
                        {"app", app->name},
                        {"processor", name_of(app, p->processor)},
                        {"task", number_text(p->slowest[rank].task, task)},
                        {"executor", number_text(p->slowest[rank].executor, executor)}};
                    exposition_number(e, labels, ARRAY_LEN(labels),
                                      figure_of(figure, &p->slowest[rank]));
                    left--;
                }
            }
        }
    }
}

/* ---- edges, executors ---- */

static void put_edges(struct exposition *e, const struct prometheus_apps *apps,
                      const struct figure *figure)
{
    exposition_family(e, figure->name, figure->kind, figure->help);
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct msg_app_metrics *app = apps->apps[a];

        for (uint32_t i = 0; i < app->edges_count; i++) {
            const struct msg_edge_stats *edge = &app->edges[i];
            char number[TEXT_MAX];

            if (edge->edge < app->ends_count && edge->kind < EDGE_KINDS) {
                const struct label labels[] = {{"app", app->name},
                                               {"edge", number_text(edge->edge, number)},
                                               {"from", name_of(app, app->ends[edge->edge].from)},
                                               {"to", name_of(app, app->ends[edge->edge].to)},
                                               {"kind", edge_kind_names[edge->kind]}};
                exposition_number(e, labels, ARRAY_LEN(labels), figure_of(figure, edge));
            }
        }
    }
}

static void put_executors(struct exposition *e, const struct prometheus_apps *apps,
                          const struct figure *figure)
{
    exposition_family(e, figure->name, figure->kind, figure->help);
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct msg_app_metrics *app = apps->apps[a];

        for (uint32_t i = 0; i < app->executors_count; i++) {
            const struct msg_executor_vitals *x = &app->executors[i];
            char executor[TEXT_MAX];
            char worker[TEXT_MAX];
            const struct label labels[] = {{"app", app->name},
                                           {"executor", number_text(x->id, executor)},
                                           {"worker", number_text(x->worker, worker)},
                                           {"host", x->host}};
            if (x->vitals.up_ms != 0) { /* else nothing is known */
                exposition_number(e, labels, ARRAY_LEN(labels), figure_of(figure, &x->vitals));
            }
        }
    }
}

/* ---- applications ---- */

static void put_stalled(struct exposition *e, const struct prometheus_apps *apps)
{
    exposition_family(e, "gearpump_app_stalled_processors", EXPOSITION_GAUGE,
                      "Processors whose clock has not moved for too long.");
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct label label = {"app", apps->apps[a]->name};
        exposition_number(e, &label, 1, apps->apps[a]->stalled_count);
    }
}

static void put_clocks(struct exposition *e, const struct prometheus_apps *apps)
{
    exposition_family(e, "gearpump_app_clock_timestamp_seconds", EXPOSITION_GAUGE,
                      "The smallest watermark of its processors.");
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct label label = {"app", apps->apps[a]->name};
        if (apps->apps[a]->clock_ms != 0) {
            exposition_number(e, &label, 1, (double)apps->apps[a]->clock_ms / MS_PER_S);
        }
    }
}

static void put_app_latencies(struct exposition *e, const struct prometheus_apps *apps,
                              struct hist *scratch)
{
    exposition_family(e, "gearpump_app_latency_seconds", EXPOSITION_HISTOGRAM,
                      "Time from sources to sinks, of probes.");
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct label label = {"app", apps->apps[a]->name};
        put_histogram(e, &label, 1, apps->apps[a]->latency, scratch);
    }
}

void prometheus_put_apps(struct exposition *e, const struct prometheus_apps *apps)
{
    struct hist *scratch = malloc(sizeof *scratch);

    if (!scratch) {
        e->rc = e->rc < 0 ? e->rc : GP_ENOMEM;
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(processor_figures); i++) {
        put_processors(e, apps, &processor_figures[i]);
    }
    put_lags(e, apps);
    put_histograms(e, apps, true, scratch);
    put_histograms(e, apps, false, scratch);
    for (size_t i = 0; i < ARRAY_LEN(task_figures); i++) {
        put_tasks(e, apps, &task_figures[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(edge_figures); i++) {
        put_edges(e, apps, &edge_figures[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(executor_figures); i++) {
        put_executors(e, apps, &executor_figures[i]);
    }
    put_clocks(e, apps);
    put_stalled(e, apps);
    put_app_latencies(e, apps, scratch);
    free(scratch);
}

/* ---- daemons ---- */

static void put_one(struct exposition *e, const char *name, enum exposition_kind kind,
                    const char *help, double value)
{
    exposition_family(e, name, kind, help);
    exposition_number(e, NULL, 0, value);
}

void prometheus_put_master(struct exposition *e, const struct prometheus_master *m)
{
    put_one(e, "gearpump_master_leads", EXPOSITION_GAUGE, "1: it leads its group.", m->leads);
    put_one(e, "gearpump_raft_term", EXPOSITION_GAUGE, "Term of the group.", (double)m->term);
    put_one(e, "gearpump_raft_last_index", EXPOSITION_GAUGE, "Last entry of its log.",
            (double)m->last);
    put_one(e, "gearpump_raft_committed_index", EXPOSITION_GAUGE, "Last entry it knows committed.",
            (double)m->committed);
    put_one(e, "gearpump_raft_applied_index", EXPOSITION_GAUGE, "Last entry it has applied.",
            (double)m->applied);
    put_one(e, "gearpump_raft_elections_total", EXPOSITION_COUNTER, "Times it began to lead.",
            (double)m->elections);
    if (m->apply) {
        exposition_family(e, "gearpump_raft_apply_seconds", EXPOSITION_HISTOGRAM,
                          "Time from proposed to applied, of its own proposals.");
        exposition_histogram(e, NULL, 0, m->apply);
    }
    if (m->leads) {
        put_one(e, "gearpump_cluster_workers", EXPOSITION_GAUGE, "Workers that are registered.",
                m->workers);
        put_one(e, "gearpump_cluster_slots", EXPOSITION_GAUGE, "Slots of all workers.", m->slots);
        put_one(e, "gearpump_cluster_slots_used", EXPOSITION_GAUGE, "Of these, given away.",
                m->slots_used);
        put_one(e, "gearpump_master_history_bytes", EXPOSITION_GAUGE,
                "Memory of what is remembered of applications.", (double)m->history_bytes);
    }
}

void prometheus_put_workers(struct exposition *e, const struct prometheus_worker *workers,
                            uint32_t count)
{
    static const struct figure figures[] = {
        FIGURE(struct prometheus_worker, slots, "gearpump_worker_slots", GAUGE, 1,
               "Slots it offers."),
        FIGURE(struct prometheus_worker, slots_used, "gearpump_worker_slots_used", GAUGE, 1,
               "Of these, given away."),
        FIGURE(struct prometheus_worker, processes, "gearpump_worker_processes", GAUGE, 1,
               "Processes it runs."),
    };

    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        exposition_family(e, figures[i].name, figures[i].kind, figures[i].help);
        for (uint32_t k = 0; k < count; k++) {
            char worker[TEXT_MAX];
            const struct label labels[] = {{"worker", number_text(workers[k].worker, worker)},
                                           {"host", workers[k].host}};
            exposition_number(e, labels, ARRAY_LEN(labels), figure_of(&figures[i], &workers[k]));
        }
    }
}

void prometheus_put_vitals(struct exposition *e, const char *role, const struct msg_vitals *vitals)
{
    const struct label label = {"role", role};

    for (size_t i = 0; i < ARRAY_LEN(daemon_figures); i++) {
        exposition_family(e, daemon_figures[i].name, daemon_figures[i].kind,
                          daemon_figures[i].help);
        exposition_number(e, &label, 1, figure_of(&daemon_figures[i], vitals));
    }
}

/* ---- Graphite ---- */

static void line_of(struct graphite *g, struct graphite_path *path, const struct figure *figure,
                    const void *from, int64_t wall_ms)
{
    const size_t before = graphite_path_add(path, figure->path);

    /* In units of its name here: nanoseconds stay nanoseconds. */
    graphite_line(g, path->text, figure_of(figure, from) * figure->unit, wall_ms);
    graphite_path_cut(path, before);
}

static void percentiles(struct graphite *g, struct graphite_path *path, const char *what,
                        const char *text, struct hist *scratch, int64_t wall_ms)
{
    static const struct {
        const char *name;
        double percent;
    } parts[] = {{"p50_us", 50}, {"p99_us", 99}, {"max_us", 100}};
    const size_t before = graphite_path_add(path, what);

    hist_init(scratch);
    if (text && hist_merge_text(scratch, text) >= 0 && hist_count(scratch) > 0) {
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            const size_t part = graphite_path_add(path, parts[i].name);

            graphite_line(g, path->text, (double)hist_percentile(scratch, parts[i].percent) / 1e3,
                          wall_ms);
            graphite_path_cut(path, part);
        }
    }
    graphite_path_cut(path, before);
}

void graphite_put_app(struct graphite *g, const char *prefix, const struct msg_app_metrics *app)
{
    struct hist *scratch = malloc(sizeof *scratch);
    struct graphite_path path;
    size_t root;

    if (!scratch) {
        return;
    }
    graphite_path_init(&path, prefix);
    (void)graphite_path_add(&path, "apps");
    (void)graphite_path_add(&path, app->name);
    root = path.len;
    for (uint32_t i = 0; i < app->processors_count; i++) {
        const struct msg_processor_stats *p = &app->processors[i];

        (void)graphite_path_add(&path, "processors");
        (void)graphite_path_add(&path, name_of(app, p->processor));
        for (size_t k = 0; k < ARRAY_LEN(processor_figures); k++) {
            line_of(g, &path, &processor_figures[k], p, app->time_ms);
        }
        percentiles(g, &path, "latency", p->latency, scratch, app->time_ms);
        percentiles(g, &path, "processing", p->processing, scratch, app->time_ms);
        graphite_path_cut(&path, root);
    }
    for (uint32_t i = 0; i < app->executors_count; i++) {
        char number[TEXT_MAX];

        (void)graphite_path_add(&path, "executors");
        (void)graphite_path_add(&path, number_text(app->executors[i].id, number));
        for (size_t k = 0; k < ARRAY_LEN(executor_figures) && app->executors[i].vitals.up_ms; k++) {
            line_of(g, &path, &executor_figures[k], &app->executors[i].vitals, app->time_ms);
        }
        graphite_path_cut(&path, root);
    }
    percentiles(g, &path, "latency", app->latency, scratch, app->time_ms);
    free(scratch);
}

void graphite_put_vitals(struct graphite *g, const char *prefix, const char *node,
                         const struct msg_vitals *vitals, int64_t wall_ms)
{
    struct graphite_path path;

    graphite_path_init(&path, prefix);
    (void)graphite_path_add(&path, "daemons");
    (void)graphite_path_add(&path, node);
    for (size_t i = 0; i < ARRAY_LEN(daemon_figures); i++) {
        line_of(g, &path, &daemon_figures[i], vitals, wall_ms);
    }
}
