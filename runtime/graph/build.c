/*
 * build.c: see build.h. The plan under construction is a struct plan with room for the maximum;
 * names are copied at once, so that the application may use temporary strings.
 */
#include "graph/build.h"

#include <stdlib.h>
#include <string.h>

#include <gearpump/cursor.h>

#include "base/assert.h"
#include "base/str.h"
#include "graph/parameters.h"
#include "graph/partitioner.h"
#include "graph/plan_check.h"

#define TYPES_MAX 256u /* that "did you mean" looks at */
#define ASKED_MAX 256u /* parameters that build asked for, kept for the same */

struct build {
    struct build_options options;
    struct gp_build service;
    struct gp_config config;
    struct plan *plan;
    char *plugin_names[PLAN_PLUGINS_MAX]; /* from index 1 */
    uint32_t plugin_count;                /* with the application's own */
    char *asked[ASKED_MAX];               /* which parameters build has read */
    uint32_t asked_count;
    struct mistakes mistakes;
    int out_of_memory;
};

static struct build *from_graph(struct gp_graph *graph)
{
    return (struct build *)(void *)graph;
}

static char *keep(struct build *b, const char *text)
{
    char *copy = str_dup(gp_str_of(text ? text : ""));
    if (!copy) {
        b->out_of_memory = 1;
    }
    return copy;
}

static bool was_asked(const struct build *b, const char *key)
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

    if (b->asked_count < ASKED_MAX && !was_asked(b, key)) {
        b->asked[b->asked_count] = keep(b, key);
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
    b->plugin_names[b->plugin_count] = keep(b, name);
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
    p->name = keep(b, spec->name);
    p->type = keep(b, type);
    return plan->processor_count;
}

static void config_put(struct build *b, struct plan_config **config, uint32_t *count,
                       const char *key, const char *value)
{
    struct plan_config *grown;
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp((*config)[i].key, key) == 0) {
            char *copy = keep(b, value);
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
    grown[*count] = (struct plan_config){.key = keep(b, key), .value = keep(b, value)};
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
    config_put(b, &b->plan->processors[node - 1].config,
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
        edge->custom = keep(b, name);
    }
}

static void on_place(struct gp_graph *graph, gp_node node, const char *place)
{
    struct build *b = from_graph(graph);
    if (node > 0 && node <= b->plan->processor_count) { /* else the mistake was noted before */
        struct plan_processor *p = &b->plan->processors[node - 1];
        free(p->place);
        p->place = keep(b, place);
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
    plan->app_name = keep(b, options->app_name);
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

/* ---- finishing ---- */

static const void *catalog_find(const struct gp_catalog *catalog, uint32_t kind, const char *type)
{
    for (uint32_t i = 0; catalog && i < catalog->count; i++) {
        const struct gp_processor *table =
            catalog->tables[i]; /* size, kind and type stand first in every table */
        if (table->kind == kind && table->type && strcmp(table->type, type) == 0) {
            return table;
        }
    }
    return NULL;
}

/* The types of one kind in a catalog, after those that are there already. */
static size_t catalog_types(const struct gp_catalog *catalog, uint32_t kind, gp_str *types,
                            size_t count)
{
    for (uint32_t i = 0; catalog && i < catalog->count && count < TYPES_MAX; i++) {
        const struct gp_processor *table = catalog->tables[i]; /* all begin alike */
        if (table->kind == kind && table->type) {
            types[count++] = gp_str_of(table->type);
        }
    }
    return count;
}

static void no_processor(struct build *b, const struct plan_processor *p,
                         const struct build_plugin *plugin)
{
    gp_str types[TYPES_MAX];
    char meant[STR_MEANT_MAX];
    const size_t count = catalog_types(plugin->catalog, GP_KIND_PROCESSOR, types, 0);

    mistakes_add(&b->mistakes, "processor '%s': plugin '%s' has no processor '%s'%s", p->name,
                 plugin->name, p->type, str_meant(gp_str_of(p->type), types, count, meant));
}

static void no_partitioner(struct build *b, const struct plan_edge *edge,
                           const struct build_plugin *plugins)
{
    gp_str types[TYPES_MAX] = {GP_STR(GP_HASH),      GP_STR(GP_SHUFFLE), GP_STR(GP_ROUND_ROBIN),
                               GP_STR(GP_BROADCAST), GP_STR(GP_FORWARD), GP_STR(GP_LOCAL)};
    char meant[STR_MEANT_MAX];
    size_t count = 6;

    for (uint32_t i = 0; i < b->plugin_count; i++) {
        count = catalog_types(plugins[i].catalog, GP_KIND_PARTITIONER, types, count);
    }
    mistakes_add(&b->mistakes, "edge '%s' -> '%s': no partitioner '%s'%s",
                 b->plan->processors[edge->from].name, b->plan->processors[edge->to].name,
                 edge->custom, str_meant(gp_str_of(edge->custom), types, count, meant));
}

/* " (did you mean 'count'?)" of the processors; answers out. */
static const char *processor_meant(const struct build *b, gp_str name, char out[STR_MEANT_MAX])
{
    gp_str names[PLAN_PROCESSORS_MAX];

    for (uint32_t i = 0; i < b->plan->processor_count; i++) {
        names[i] = gp_str_of(b->plan->processors[i].name);
    }
    return str_meant(name, names, b->plan->processor_count, out);
}

/* The processor that an option names; NULL: there is none, which is a mistake. */
static struct plan_processor *find_named(struct build *b, const char *option, const char *name)
{
    int index = plan_find(b->plan, gp_str_of(name));
    char meant[STR_MEANT_MAX];

    if (index >= 0) {
        return &b->plan->processors[index];
    }
    mistakes_add(&b->mistakes, "%s: there is no processor '%s'%s", option, name,
                 processor_meant(b, gp_str_of(name), meant));
    return NULL;
}

static void apply_parallelism(struct build *b)
{
    for (uint32_t i = 0; i < b->options.parallelism_count; i++) {
        const struct build_parallelism *want = &b->options.parallelism[i];
        struct plan_processor *p = find_named(b, "--parallelism", want->processor);
        if (p) {
            p->parallelism = want->count;
        }
    }
}

static void apply_places(struct build *b)
{
    for (uint32_t i = 0; i < b->options.place_count; i++) {
        const struct build_place *want = &b->options.places[i];
        struct plan_processor *p = find_named(b, "--place", want->processor);
        if (p) {
            free(p->place);
            p->place = keep(b, want->place);
        }
    }
}

/* Parameters that the runtime takes itself. */
static bool is_ours(gp_str group)
{
    return str_eq(group, GP_STR("data")) || str_eq(group, GP_STR("recovery"));
}

/* A parameter that nobody has asked for is a slip of the pen, and would be missed for long. */
static void unknown_parameter(struct build *b, const char *key)
{
    char meant[STR_MEANT_MAX];
    gp_str names[ASKED_MAX];
    gp_str head;
    gp_str tail;

    if (str_cut(gp_str_of(key), '.', &head, &tail)) {
        if (!is_ours(head)) {
            mistakes_add(&b->mistakes, "--set %s: there is no processor '%.*s'%s", key,
                         STR_ARG(head), processor_meant(b, head, meant));
        }
        return;
    }
    for (uint32_t i = 0; i < b->asked_count; i++) {
        names[i] = gp_str_of(b->asked[i]);
    }
    mistakes_add(&b->mistakes, "--set %s: the job has no such parameter%s", key,
                 str_meant(gp_str_of(key), names, b->asked_count, meant));
}

/* `--set key=value` is the application's; `--set NAME.key=value` is the processor's too, if there
 * is one of that name. */
static void apply_config(struct build *b)
{
    struct plan *plan = b->plan;
    for (uint32_t i = 0; i < b->options.config_count; i++) {
        const struct plan_config *entry = &b->options.config[i];
        gp_str head;
        gp_str tail;
        int index = -1;
        config_put(b, &plan->config, &plan->config_count, entry->key, entry->value);
        if (str_cut(gp_str_of(entry->key), '.', &head, &tail) && tail.len > 0) {
            index = plan_find(plan, head);
        }
        if (index >= 0) {
            struct plan_processor *p = &plan->processors[index];
            config_put(b, &p->config, &p->config_count, tail.ptr, entry->value);
        } else if (b->asked_count < ASKED_MAX && !was_asked(b, entry->key)) {
            unknown_parameter(b, entry->key);
        }
    }
}

static bool has_input(const struct plan *plan, uint32_t processor)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (plan->edges[i].to == processor) {
            return true;
        }
    }
    return false;
}

/* The plan says what runs, defaults included: a task finds them all, from one place. */
static void put_defaults(struct build *b, struct plan_processor *p,
                         const struct gp_processor *table)
{
    for (uint32_t i = 0; i < gp_processor_parameter_count(table); i++) {
        const struct gp_parameter *parameter = gp_processor_parameter(table, i);
        if (parameter->fallback && !parameters_value(p, parameter->name)) {
            config_put(b, &p->config, &p->config_count, parameter->name, parameter->fallback);
        }
    }
}

/* Of a plugin that could not be had the best is assumed, so that what is reported is no more than
 * what is wrong. */
static void resolve_processors(struct build *b, const struct build_plugin *plugins)
{
    for (uint32_t i = 0; i < b->plan->processor_count; i++) {
        struct plan_processor *p = &b->plan->processors[i];
        const struct gp_catalog *catalog = plugins[p->plugin].catalog;
        const struct gp_processor *table = catalog_find(catalog, GP_KIND_PROCESSOR, p->type);
        if (table) {
            p->is_source = table->poll != NULL;
            p->flags = table->flags;
            p->has_snapshot = table->snapshot != NULL;
            parameters_check(p, table, plugins[p->plugin].name, &b->mistakes);
            put_defaults(b, p, table);
        } else if (catalog) {
            no_processor(b, p, &plugins[p->plugin]);
        } else {
            p->is_source = !has_input(b->plan, i);
        }
    }
}

static void resolve_edges(struct build *b, const struct build_plugin *plugins)
{
    struct plan *plan = b->plan;
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        struct plan_edge *edge = &plan->edges[i];
        struct plan_processor *from = &plan->processors[edge->from];
        struct plan_processor *to = &plan->processors[edge->to];
        from->outputs = from->outputs > edge->from_port ? from->outputs : edge->from_port + 1;
        to->inputs = to->inputs > edge->to_port ? to->inputs : edge->to_port + 1;
        if (edge->partitioner != PLAN_CUSTOM) {
            continue;
        }
        edge->custom_plugin = b->plugin_count;
        for (uint32_t k = 0; k < b->plugin_count && edge->custom_plugin == b->plugin_count; k++) {
            if (catalog_find(plugins[k].catalog, GP_KIND_PARTITIONER, edge->custom)) {
                edge->custom_plugin = k;
            }
        }
        if (edge->custom_plugin == b->plugin_count) {
            edge->custom_plugin = 0;
            no_partitioner(b, edge, plugins);
        }
    }
}

static int keep_plugins(struct build *b, const struct build_plugin *plugins)
{
    struct plan *plan = b->plan;
    plan->plugins = calloc(b->plugin_count, sizeof *plan->plugins);
    if (!plan->plugins) {
        return GP_ENOMEM;
    }
    plan->plugin_count = b->plugin_count;
    for (uint32_t i = 0; i < b->plugin_count; i++) {
        plan->plugins[i].name = keep(b, plugins[i].name);
        plan->plugins[i].version = keep(b, plugins[i].version);
        plan->plugins[i].sha256 = keep(b, plugins[i].sha256);
    }
    return b->out_of_memory ? GP_ENOMEM : 0;
}

int build_finish(struct build *b, const struct build_plugin *plugins, struct plan **ret,
                 struct gp_error *err)
{
    int rc;

    ASSERT(b->plan && !b->plan->plugins);
    apply_parallelism(b);
    apply_places(b);
    apply_config(b);
    resolve_processors(b, plugins);
    resolve_edges(b, plugins);
    rc = keep_plugins(b, plugins);
    if (rc < 0) {
        return gp_error_set(err, rc, "building the graph");
    }
    plan_check_into(b->plan, &b->mistakes);
    rc = mistakes_report(&b->mistakes, PLAN_CHECK_TITLE, err);
    if (rc < 0) {
        return rc;
    }
    *ret = b->plan;
    b->plan = NULL;
    return 0;
}
