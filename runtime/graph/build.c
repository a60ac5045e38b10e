/*
 * build.c: what the build function calls; see build.h. The plan under construction is a struct plan
 * with room for the maximum; names are copied at once, so that the application may use temporary
 * strings.
 */
#include <stdlib.h>
#include <string.h>

#include <gearpump/cursor.h>

#include "base/assert.h"
#include "base/str.h"
#include "graph/build_internal.h"
#include "graph/partitioner.h"

static struct build *from_graph(struct gp_graph *graph)
{
    return (struct build *)(void *)graph;
}

char *build_keep(struct build *b, const char *text)
{
    char *copy = str_dup(gp_str_of(text ? text : ""));
    if (!copy) {
        b->out_of_memory = 1;
    }
    return copy;
}

bool build_was_asked(const struct build *b, const char *key)
{
    for (uint32_t i = 0; i < b->asked_count; i++) {
        if (strcmp(b->asked[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static gp_str config_get(const struct gp_config *config, const char *key)
{
    struct build *b = (struct build *)(uintptr_t)config->host;

    if (b->asked_count < ASKED_MAX && !build_was_asked(b, key)) {
        b->asked[b->asked_count] = build_keep(b, key);
        b->asked_count += b->asked[b->asked_count] != NULL;
    }
    for (uint32_t i = 0; i < b->options.config_count; i++) {
        if (strcmp(b->options.config[i].key, key) == 0) {
            return gp_str_of(b->options.config[i].value);
        }
    }
    return (gp_str){0};
}

/* The index of another plugin in the plan; 0 when there is no room. */
static uint32_t plugin_index(struct build *b, const char *name)
{
    for (uint32_t i = 1; i < b->plugin_count; i++) {
        if (strcmp(b->plugin_names[i], name) == 0) {
            return i;
        }
    }
    if (b->plugin_count == PLAN_PLUGINS_MAX) {
        mistakes_add(&b->mistakes, "more than %u plugins", PLAN_PLUGINS_MAX - 1);
        return 0;
    }
    b->plugin_names[b->plugin_count] = build_keep(b, name);
    return b->plugin_names[b->plugin_count] ? b->plugin_count++ : 0;
}

/* A table the application passed by pointer must be one of its own: plans name tables, and other
 * processes look them up. */
static const char *own_type(struct build *b, const struct gp_processor_spec *spec)
{
    const struct gp_catalog *catalog = b->options.catalog;
    for (uint32_t i = 0; catalog && i < catalog->count; i++) {
        if (catalog->tables[i] == (const void *)spec->table) {
            return spec->table->type;
        }
    }
    mistakes_add(&b->mistakes, "processor '%s': its table is not listed in GP_APP(...)",
                 spec->name ? spec->name : "");
    return NULL;
}

static gp_node on_add(struct gp_graph *graph, const struct gp_processor_spec *spec)
{
    struct build *b = from_graph(graph);
    struct plan *plan = b->plan;
    struct plan_processor *p;
    const char *type = spec->type;
    uint32_t plugin = 0;

    if (plan->processor_count == PLAN_PROCESSORS_MAX) {
        mistakes_add(&b->mistakes, "more than %u processors", PLAN_PROCESSORS_MAX);
        return 0;
    }
    if (spec->table) {
        type = own_type(b, spec);
    } else if (spec->plugin && *spec->plugin) {
        plugin = plugin_index(b, spec->plugin);
    }
    if (!type) {
        return 0;
    }
    p = &plan->processors[plan->processor_count++];
    *p = (struct plan_processor){.plugin = plugin, .parallelism = spec->parallelism};
    p->name = build_keep(b, spec->name);
    p->type = build_keep(b, type);
    return plan->processor_count;
}

void build_config_put(struct build *b, struct plan_config **config, uint32_t *count,
                      const char *key, const char *value)
{
    struct plan_config *grown;
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp((*config)[i].key, key) == 0) {
            char *copy = build_keep(b, value);
            free((*config)[i].value);
            (*config)[i].value = copy;
            return;
        }
    }
    if (*count == PLAN_CONFIG_MAX) {
        mistakes_add(&b->mistakes, "more than %u parameters (at '%s')", PLAN_CONFIG_MAX, key);
        return;
    }
    grown = realloc(*config, (*count + 1) * sizeof **config);
    if (!grown) {
        b->out_of_memory = 1;
        return;
    }
    *config = grown;
    grown[*count] = (struct plan_config){.key = build_keep(b, key), .value = build_keep(b, value)};
    ++*count;
}

static void on_set(struct gp_graph *graph, gp_node node, const char *key, const char *value)
{
    struct build *b = from_graph(graph);
    if (node == 0 || node > b->plan->processor_count) {
        return; /* the mistake was noted when the node was refused */
    }
    if (!key || !*key || !value) {
        mistakes_add(&b->mistakes, "processor '%s': a parameter without name or value",
                     b->plan->processors[node - 1].name);
        return;
    }
    build_config_put(b, &b->plan->processors[node - 1].config,
                     &b->plan->processors[node - 1].config_count, key, value);
}

static void on_connect(struct gp_graph *graph, const struct gp_edge_spec *spec)
{
    struct build *b = from_graph(graph);
    struct plan *plan = b->plan;
    const char *name = spec->partitioner ? spec->partitioner : GP_SHUFFLE;
    struct plan_edge *edge;

    if (spec->from == 0 || spec->to == 0 || spec->from > plan->processor_count ||
        spec->to > plan->processor_count) {
        return;
    }
    if (plan->edge_count == PLAN_EDGES_MAX) {
        mistakes_add(&b->mistakes, "more than %u edges", PLAN_EDGES_MAX);
        return;
    }
    if (spec->from_port >= PLAN_PORTS_MAX || spec->to_port >= PLAN_PORTS_MAX) {
        mistakes_add(&b->mistakes, "edge '%s' -> '%s': ports go from 0 to %u",
                     plan->processors[spec->from - 1].name, plan->processors[spec->to - 1].name,
                     PLAN_PORTS_MAX - 1);
        return;
    }
    edge = &plan->edges[plan->edge_count++];
    *edge = (struct plan_edge){.from = spec->from - 1,
                               .from_port = spec->from_port,
                               .to = spec->to - 1,
                               .to_port = spec->to_port,
                               .partitioner = (uint32_t)partitioner_parse(gp_str_of(name))};
    if (edge->partitioner == PLAN_CUSTOM) {
        edge->custom = build_keep(b, name);
    }
}

static void on_place(struct gp_graph *graph, gp_node node, const char *place)
{
    struct build *b = from_graph(graph);
    if (node > 0 && node <= b->plan->processor_count) { /* else the mistake was noted before */
        struct plan_processor *p = &b->plan->processors[node - 1];
        free(p->place);
        p->place = build_keep(b, place);
    }
}

static void on_mistake(struct gp_graph *graph, const char *text)
{
    mistakes_add(&from_graph(graph)->mistakes, "%s", text ? text : "");
}

static const struct gp_graph_service graph_service = {
    .size = sizeof graph_service,
    .add = on_add,
    .set = on_set,
    .connect = on_connect,
    .mistake = on_mistake,
    .place = on_place,
};

int build_new(const struct build_options *options, struct build **ret)
{
    struct build *b = calloc(1, sizeof *b);
    struct plan *plan = calloc(1, sizeof *plan);

    if (b && plan) {
        b->plan = plan;
        plan->processors = calloc(PLAN_PROCESSORS_MAX, sizeof *plan->processors);
        plan->edges = calloc(PLAN_EDGES_MAX, sizeof *plan->edges);
    }
    if (!b || !plan || !plan->processors || !plan->edges) {
        if (b) {
            b->plan = NULL;
        }
        plan_free(plan);
        free(b);
        return GP_ENOMEM;
    }
    b->options = *options;
    b->plugin_count = 1;
    plan->version = PLAN_VERSION;
    plan->hash_seed = options->hash_seed;
    plan->app_name = build_keep(b, options->app_name);
    b->config = (struct gp_config){.size = sizeof b->config, .get = config_get, .host = b};
    b->service = (struct gp_build){.size = sizeof b->service,
                                   .graph = (struct gp_graph *)(void *)b,
                                   .service = &graph_service,
                                   .config = &b->config,
                                   .host = options->host};
    *ret = b;
    return 0;
}

void build_free(struct build *b)
{
    if (!b) {
        return;
    }
    for (uint32_t i = 1; i < b->plugin_count; i++) {
        free(b->plugin_names[i]);
    }
    for (uint32_t i = 0; i < b->asked_count; i++) {
        free(b->asked[i]);
    }
    mistakes_deinit(&b->mistakes);
    plan_free(b->plan);
    free(b);
}

const struct gp_build *build_service(struct build *b)
{
    return &b->service;
}

/* No task lives where a graph is built; that the tables exist is what plugins may ask. */
static const struct gp_task_service no_tasks = {.size = sizeof no_tasks};
static const struct gp_io_service no_io = {.size = sizeof no_io};
static const struct gp_cursor_service no_cursors = {.size = sizeof no_cursors};

static const void *host_service(const struct gp_host *host, const char *id)
{
    (void)host;
    if (strcmp(id, GP_SERVICE_GRAPH) == 0) {
        return &graph_service;
    }
    if (strcmp(id, GP_SERVICE_TASK) == 0) {
        return &no_tasks;
    }
    if (strcmp(id, GP_SERVICE_CURSOR) == 0) {
        return &no_cursors;
    }
    return strcmp(id, GP_SERVICE_IO) == 0 ? &no_io : NULL;
}

const struct gp_host *build_host(void)
{
    static const struct gp_host host = {.size = sizeof host,
                                        .abi_major = GP_ABI_MAJOR,
                                        .abi_minor = GP_ABI_MINOR,
                                        .version = GP_VERSION,
                                        .service = host_service};

    return &host;
}

gp_str build_mistakes(const struct build *b)
{
    return buf_str(&b->mistakes.text);
}

void build_refused(struct build *b)
{
    if (b->mistakes.count == 0) {
        mistakes_add(&b->mistakes,
                     "its build function failed without saying why (gp_mistake() would)");
    }
}

uint32_t build_plugin_count(const struct build *b)
{
    return b->plugin_count - 1;
}

const char *build_plugin_name(const struct build *b, uint32_t i)
{
    ASSERT(i + 1 < b->plugin_count);
    return b->plugin_names[i + 1];
}

uint32_t build_asked_count(const struct build *b)
{
    return b->asked_count;
}

const char *build_asked(const struct build *b, uint32_t i)
{
    ASSERT(i < b->asked_count);
    return b->asked[i];
}
