/* graphite_apps.c: see graphite_apps.h. */
#include "observe/graphite_apps.h"

#include <stdlib.h>

#include "base/str.h"
#include "observe/figures.h"

#define NAME_MAX_BYTES 256
#define MS_PER_S       1e3
#define NS_PER_US      1e3

/* Lines of one moment below a path. */
struct teller {
    struct graphite *g;
    struct graphite_path path;
    int64_t wall_ms;
    struct hist *scratch;
};

static void line(struct teller *t, const char *name, double value)
{
    const size_t before = graphite_path_add(&t->path, name);

    graphite_line(t->g, t->path.text, value, t->wall_ms);
    graphite_path_cut(&t->path, before);
}

static void lines(struct teller *t, const struct figures *figures, const void *from)
{
    for (size_t i = 0; i < figures->count; i++) {
        const struct figure *figure = &figures->list[i];

        line(t, figure->path, figure_of(figure, from) * figure->unit);
    }
}

static void percentiles(struct teller *t, const char *what, const char *text)
{
    static const struct {
        const char *name;
        double percent;
    } parts[] = {{"p50_us", 50}, {"p99_us", 99}, {"max_us", 100}};
    const size_t before = graphite_path_add(&t->path, what);

    hist_init(t->scratch);
    if (text && hist_merge_text(t->scratch, text) >= 0 && hist_count(t->scratch) > 0) {
        for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
            line(t, parts[i].name,
                 (double)hist_percentile(t->scratch, parts[i].percent) / NS_PER_US);
        }
    }
    graphite_path_cut(&t->path, before);
}

static void put_processor(struct teller *t, const struct msg_app_metrics *app,
                          const struct msg_processor_stats *p)
{
    const size_t before = graphite_path_add(&t->path, "processors");
    double lag_s;

    (void)graphite_path_add(&t->path, figures_name(app, p->processor));
    lines(t, &figures_of_processors, p);
    if (figures_lag_s(app, p->watermark, &lag_s)) {
        line(t, "watermark_lag_ms", lag_s * MS_PER_S);
    }
    line(t, "stalled", figures_is_stalled(app, p->processor));
    percentiles(t, "latency", p->latency);
    percentiles(t, "processing", p->processing);
    graphite_path_cut(&t->path, before);
}

static void put_edge(struct teller *t, const struct msg_app_metrics *app,
                     const struct msg_edge_stats *edge)
{
    const size_t before = graphite_path_add(&t->path, "edges");
    char name[NAME_MAX_BYTES];

    if (edge->edge < app->ends_count && edge->kind < EDGE_KINDS) {
        (void)str_format(name, sizeof name, "%u-%s-%s", edge->edge,
                         figures_name(app, app->ends[edge->edge].from),
                         figures_name(app, app->ends[edge->edge].to));
        (void)graphite_path_add(&t->path, name);
        (void)graphite_path_add(&t->path, edge_kind_names[edge->kind]);
        lines(t, &figures_of_edges, edge);
    }
    graphite_path_cut(&t->path, before);
}

static void put_executor(struct teller *t, const struct msg_executor_vitals *x)
{
    const size_t before = graphite_path_add(&t->path, "executors");
    char id[NAME_MAX_BYTES];

    (void)str_format(id, sizeof id, "%u", x->id);
    (void)graphite_path_add(&t->path, id);
    if (x->vitals.up_ms != 0) { /* else nothing is known */
        lines(t, &figures_of_executors, &x->vitals);
    }
    graphite_path_cut(&t->path, before);
}

void graphite_put_app(struct graphite *g, const char *prefix, const struct msg_app_metrics *app)
{
    struct teller t = {.g = g, .wall_ms = app->time_ms, .scratch = malloc(sizeof *t.scratch)};

    if (!t.scratch) {
        return;
    }
    graphite_path_init(&t.path, prefix);
    (void)graphite_path_add(&t.path, "apps");
    (void)graphite_path_add(&t.path, app->name);
    for (uint32_t i = 0; i < app->processors_count; i++) {
        put_processor(&t, app, &app->processors[i]);
    }
    for (uint32_t i = 0; i < app->edges_count; i++) {
        put_edge(&t, app, &app->edges[i]);
    }
    for (uint32_t i = 0; i < app->executors_count; i++) {
        put_executor(&t, &app->executors[i]);
    }
    if (app->clock_ms != 0) {
        line(&t, "clock_lag_ms", (double)app->time_ms - (double)app->clock_ms);
    }
    line(&t, "stalled", app->stalled_count);
    percentiles(&t, "latency", app->latency);
    free(t.scratch);
}

void graphite_put_vitals(struct graphite *g, const char *prefix, const char *node,
                         const struct msg_vitals *vitals, int64_t wall_ms)
{
    struct teller t = {.g = g, .wall_ms = wall_ms};

    graphite_path_init(&t.path, prefix);
    (void)graphite_path_add(&t.path, "daemons");
    (void)graphite_path_add(&t.path, node);
    lines(&t, &figures_of_daemons, vitals);
}
