/*
 * prometheus_apps.c: the families of applications.
 *
 * All samples of a family stand together, so each family is a walk through all things of its kind:
 * a walk knows their labels, a put_ what is said of one.
 */
#include <stdlib.h>

#include "base/str.h"
#include "observe/figures.h"
#include "observe/prometheus.h"

#define NUMBER_MAX 16
#define NS_PER_S   1e9
#define MS_PER_S   1e3

/* One thing of an application, and what is to be said of it. */
struct sample {
    struct exposition *e;
    const struct figure *figure; /* of figure families */
    struct hist *scratch;        /* of histogram families */
    const struct msg_app_metrics *app;
    const void *of; /* the struct of its kind */
    const struct label *labels;
    uint32_t label_count;
};

typedef void (*put_fn)(const struct sample *s);

/* ---- walks ---- */

static void walk_apps(struct sample s, const struct prometheus_apps *apps, put_fn put)
{
    for (uint32_t a = 0; a < apps->count; a++) {
        const struct label labels[] = {{"app", apps->apps[a]->name}};

        s.app = apps->apps[a];
        s.of = s.app;
        s.labels = labels;
        s.label_count = ARRAY_LEN(labels);
        put(&s);
    }
}

static void walk_processors(struct sample s, const struct prometheus_apps *apps, put_fn put)
{
    for (uint32_t a = 0; a < apps->count; a++) {
        s.app = apps->apps[a];
        for (uint32_t i = 0; i < s.app->processors_count; i++) {
            const struct msg_processor_stats *p = &s.app->processors[i];
            const struct label labels[] = {{"app", s.app->name},
                                           {"processor", figures_name(s.app, p->processor)}};

            s.of = p;
            s.labels = labels;
            s.label_count = ARRAY_LEN(labels);
            put(&s);
        }
    }
}

static void put_task(struct sample *s, const struct msg_processor_stats *p, uint32_t rank,
                     put_fn put)
{
    const struct msg_task_metrics *t = &p->slowest[rank];
    char task[NUMBER_MAX];
    char executor[NUMBER_MAX];
    const struct label labels[] = {{"app", s->app->name},
                                   {"processor", figures_name(s->app, p->processor)},
                                   {"task", task},
                                   {"executor", executor}};

    (void)str_format(task, sizeof task, "%u", t->task);
    (void)str_format(executor, sizeof executor, "%u", t->executor);
    s->of = t;
    s->labels = labels;
    s->label_count = ARRAY_LEN(labels);
    put(s);
}

/* The slowest of all processors come first, for there are only so many. */
static void walk_tasks(struct sample s, const struct prometheus_apps *apps, put_fn put)
{
    uint32_t left = apps->task_series;

    for (uint32_t rank = 0; rank < MSG_SLOWEST_MAX; rank++) {
        for (uint32_t a = 0; a < apps->count; a++) {
            s.app = apps->apps[a];
            for (uint32_t i = 0; i < s.app->processors_count && left > 0; i++) {
                if (rank < s.app->processors[i].slowest_count) {
                    put_task(&s, &s.app->processors[i], rank, put);
                    left--;
                }
            }
        }
    }
}

static void put_edge(struct sample *s, const struct msg_edge_stats *edge, put_fn put)
{
    const struct msg_edge_ends *ends = &s->app->ends[edge->edge];
    char number[NUMBER_MAX];
    const struct label labels[] = {{"app", s->app->name},
                                   {"edge", number},
                                   {"from", figures_name(s->app, ends->from)},
                                   {"to", figures_name(s->app, ends->to)},
                                   {"kind", edge_kind_names[edge->kind]}};

    (void)str_format(number, sizeof number, "%u", edge->edge);
    s->of = edge;
    s->labels = labels;
    s->label_count = ARRAY_LEN(labels);
    put(s);
}

static void walk_edges(struct sample s, const struct prometheus_apps *apps, put_fn put)
{
    for (uint32_t a = 0; a < apps->count; a++) {
        s.app = apps->apps[a];
        for (uint32_t i = 0; i < s.app->edges_count; i++) {
            const struct msg_edge_stats *edge = &s.app->edges[i];

            if (edge->edge < s.app->ends_count && edge->kind < EDGE_KINDS) {
                put_edge(&s, edge, put);
            }
        }
    }
}

static void put_executor(struct sample *s, const struct msg_executor_vitals *x, put_fn put)
{
    char executor[NUMBER_MAX];
    char worker[NUMBER_MAX];
    const struct label labels[] = {
        {"app", s->app->name}, {"executor", executor}, {"worker", worker}, {"host", x->host}};

    (void)str_format(executor, sizeof executor, "%u", x->id);
    (void)str_format(worker, sizeof worker, "%u", x->worker);
    s->of = &x->vitals;
    s->labels = labels;
    s->label_count = ARRAY_LEN(labels);
    put(s);
}

static void walk_executors(struct sample s, const struct prometheus_apps *apps, put_fn put)
{
    for (uint32_t a = 0; a < apps->count; a++) {
        s.app = apps->apps[a];
        for (uint32_t i = 0; i < s.app->executors_count; i++) {
            if (s.app->executors[i].vitals.up_ms != 0) { /* else nothing is known */
                put_executor(&s, &s.app->executors[i], put);
            }
        }
    }
}

/* ---- what is said of one ---- */

static void put(const struct sample *s, double value)
{
    exposition_number(s->e, s->labels, s->label_count, value);
}

static void put_figure(const struct sample *s)
{
    put(s, figure_of(s->figure, s->of));
}

static void put_histogram(const struct sample *s, const char *text)
{
    hist_init(s->scratch);
    if (text && text[0] != '\0' && hist_merge_text(s->scratch, text) >= 0) {
        exposition_histogram(s->e, s->labels, s->label_count, s->scratch);
    }
}

static void put_processor_latency(const struct sample *s)
{
    put_histogram(s, ((const struct msg_processor_stats *)s->of)->latency);
}

static void put_processor_processing(const struct sample *s)
{
    put_histogram(s, ((const struct msg_processor_stats *)s->of)->processing);
}

static void put_lag(const struct sample *s, int64_t watermark_ns)
{
    double lag;

    if (figures_lag_s(s->app, watermark_ns, &lag)) {
        put(s, lag);
    }
}

static void put_processor_lag(const struct sample *s)
{
    put_lag(s, ((const struct msg_processor_stats *)s->of)->watermark);
}

static void put_stalled(const struct sample *s)
{
    put(s, figures_is_stalled(s->app, ((const struct msg_processor_stats *)s->of)->processor));
}

static void put_critical(const struct sample *s)
{
    put(s, figures_is_critical(s->app, ((const struct msg_processor_stats *)s->of)->processor));
}

static void put_task_lag(const struct sample *s)
{
    put_lag(s, ((const struct msg_task_metrics *)s->of)->watermark);
}

static void put_task_latency(const struct sample *s)
{
    const struct msg_task_metrics *t = s->of;

    if (t->latency_p99_ns != 0) {
        put(s, (double)t->latency_p99_ns / NS_PER_S);
    }
}

static void put_app_clock(const struct sample *s)
{
    if (s->app->clock_ms != 0) {
        put(s, (double)s->app->clock_ms / MS_PER_S);
    }
}

static void put_app_stalled(const struct sample *s)
{
    put(s, s->app->stalled_count);
}

static void put_app_latency(const struct sample *s)
{
    put_histogram(s, s->app->latency);
}

/* ---- the page ---- */

typedef void (*walk_fn)(struct sample s, const struct prometheus_apps *apps, put_fn put);

/* The families of figures.h, of each kind of thing. */
static const struct {
    const struct figures *figures;
    walk_fn walk;
} kinds[] = {
    {&figures_of_processors, walk_processors},
    {&figures_of_tasks, walk_tasks},
    {&figures_of_edges, walk_edges},
    {&figures_of_executors, walk_executors},
};

/* The others. */
static const struct {
    const char *name;
    enum exposition_kind kind;
    const char *help;
    walk_fn walk;
    put_fn put;
} families[] = {
    {"gearpump_processor_watermark_lag_seconds", EXPOSITION_GAUGE,
     "How far its watermark is behind the clock on the wall.", walk_processors, put_processor_lag},
    {"gearpump_processor_latency_seconds", EXPOSITION_HISTOGRAM,
     "Time from a source to this processor, of probes.", walk_processors, put_processor_latency},
    {"gearpump_processor_processing_seconds", EXPOSITION_HISTOGRAM,
     "Time that a message takes, of sampled calls.", walk_processors, put_processor_processing},
    {"gearpump_processor_stalled", EXPOSITION_GAUGE,
     "1: its clock has not moved for metrics.stall_timeout, though it has work.", walk_processors,
     put_stalled},
    {"gearpump_processor_on_critical_path", EXPOSITION_GAUGE,
     "1: it is on the way on which messages take longest.", walk_processors, put_critical},
    {"gearpump_task_watermark_lag_seconds", EXPOSITION_GAUGE,
     "How far its watermark is behind the clock on the wall, of the slowest.", walk_tasks,
     put_task_lag},
    {"gearpump_task_latency_p99_seconds", EXPOSITION_GAUGE,
     "99th percentile of the time from a source to it lately, of the slowest.", walk_tasks,
     put_task_latency},
    {"gearpump_app_clock_timestamp_seconds", EXPOSITION_GAUGE,
     "The smallest watermark of its processors.", walk_apps, put_app_clock},
    {"gearpump_app_stalled_processors", EXPOSITION_GAUGE,
     "Processors whose clock has not moved for too long.", walk_apps, put_app_stalled},
    {"gearpump_app_latency_seconds", EXPOSITION_HISTOGRAM, "Time from sources to sinks, of probes.",
     walk_apps, put_app_latency},
};

void prometheus_put_apps(struct exposition *e, const struct prometheus_apps *apps)
{
    struct sample s = {.e = e, .scratch = malloc(sizeof *s.scratch)};

    if (!s.scratch) {
        e->rc = e->rc < 0 ? e->rc : GP_ENOMEM;
        return;
    }
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        for (size_t i = 0; i < kinds[k].figures->count; i++) {
            s.figure = &kinds[k].figures->list[i];
            exposition_family(e, s.figure->name, s.figure->kind, s.figure->help);
            kinds[k].walk(s, apps, put_figure);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        exposition_family(e, families[i].name, families[i].kind, families[i].help);
        families[i].walk(s, apps, families[i].put);
    }
    free(s.scratch);
}
