/*
 * build_finish.c: from what the build function described to a plan; see build.h.
 *
 *     what the command line says -> what the tables of the plugins say -> the checks of a whole plan
 *
 * Each step notes its mistakes and goes on, so that all of them are told at once.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "graph/build_internal.h"
#include "graph/parameters.h"
#include "graph/plan_check.h"

#define TYPES_MAX 256u /* that "did you mean" looks at */

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
            p->place = build_keep(b, want->place);
        }
    }
}

/* Parameters that the runtime takes itself. */
static bool is_ours(gp_str group)
{
    return str_eq(group, GP_STR("data")) || str_eq(group, GP_STR("metrics")) ||
           str_eq(group, GP_STR("recovery"));
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
        build_config_put(b, &plan->config, &plan->config_count, entry->key, entry->value);
        if (str_cut(gp_str_of(entry->key), '.', &head, &tail) && tail.len > 0) {
            index = plan_find(plan, head);
        }
        if (index >= 0) {
            struct plan_processor *p = &plan->processors[index];
            build_config_put(b, &p->config, &p->config_count, tail.ptr, entry->value);
        } else if (b->asked_count < ASKED_MAX && !build_was_asked(b, entry->key)) {
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
            build_config_put(b, &p->config, &p->config_count, parameter->name, parameter->fallback);
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
        plan->plugins[i].name = build_keep(b, plugins[i].name);
        plan->plugins[i].version = build_keep(b, plugins[i].version);
        plan->plugins[i].sha256 = build_keep(b, plugins[i].sha256);
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
