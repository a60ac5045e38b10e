/*
 * Runs the build function of an application and writes down what it asked for, line by line.
 */
#include <stdarg.h>
#include <stdio.h>

#include "kit.h"

#define NODES_MAX 1024u

struct gp_graph {
    char *text;
    size_t size;
    size_t len; /* as it would be with room enough */
    const struct gp_kit_pair *pairs;
    uint32_t pairs_count;
    uint32_t nodes;
    char names[NODES_MAX + 1][GP_NAME_MAX_BYTES + 1]; /* 0 is nobody */
};

__attribute__((format(printf, 2, 3))) static void say(struct gp_graph *graph, const char *format,
                                                      ...)
{
    size_t at = graph->len < graph->size ? graph->len : graph->size;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(graph->text + at, graph->size - at, format, args);
    va_end(args);
    graph->len += len > 0 ? (size_t)len : 0;
}

static const char *name_of(const struct gp_graph *graph, gp_node node)
{
    return graph->names[node <= graph->nodes ? node : 0];
}

static gp_node on_add(struct gp_graph *graph, const struct gp_processor_spec *spec)
{
    if (graph->nodes == NODES_MAX) {
        say(graph, "mistake: too many processors\n");
        return 0;
    }
    (void)snprintf(graph->names[++graph->nodes], sizeof graph->names[0], "%s", spec->name);
    if (spec->table) {
        say(graph, "%s %s x%u\n", spec->name, spec->table->type, spec->parallelism);
    } else {
        say(graph, "%s %s/%s x%u\n", spec->name, spec->plugin, spec->type, spec->parallelism);
    }
    return graph->nodes;
}

static void on_set(struct gp_graph *graph, gp_node node, const char *key, const char *value)
{
    say(graph, "%s %s=%s\n", name_of(graph, node), key, value);
}

static void on_connect(struct gp_graph *graph, const struct gp_edge_spec *spec)
{
    say(graph, "%s:%u -> %s:%u %s\n", name_of(graph, spec->from), spec->from_port,
        name_of(graph, spec->to), spec->to_port,
        spec->partitioner ? spec->partitioner : GP_SHUFFLE);
}

static void on_mistake(struct gp_graph *graph, const char *text)
{
    say(graph, "mistake: %s\n", text);
}

static void on_place(struct gp_graph *graph, gp_node node, const char *place)
{
    say(graph, "%s on %s\n", name_of(graph, node), place);
}

static gp_str on_get(const struct gp_config *config, const char *key)
{
    const struct gp_graph *graph = config->host;

    for (uint32_t i = 0; i < graph->pairs_count; i++) {
        if (strcmp(graph->pairs[i].key, key) == 0) {
            return gp_str_of(graph->pairs[i].value);
        }
    }
    return (gp_str){NULL, 0};
}

static const void *on_service(const struct gp_host *host, const char *id)
{
    (void)host, (void)id;
    return NULL;
}

int32_t gp_kit_build(const struct gp_entry *entry, const struct gp_kit_pair *config,
                     uint32_t config_count, char *ret_text, size_t ret_text_size)
{
    static const struct gp_graph_service service = {.size = sizeof service,
                                                    .add = on_add,
                                                    .set = on_set,
                                                    .connect = on_connect,
                                                    .mistake = on_mistake,
                                                    .place = on_place};
    const struct gp_app *app = entry->get_factory(GP_FACTORY_APP);
    const struct gp_host host = {.size = sizeof host,
                                 .abi_major = GP_ABI_MAJOR,
                                 .abi_minor = GP_ABI_MINOR,
                                 .version = "testkit",
                                 .service = on_service};
    struct gp_graph graph = {
        .text = ret_text, .size = ret_text_size, .pairs = config, .pairs_count = config_count};
    const struct gp_config parameters = {.size = sizeof parameters, .get = on_get, .host = &graph};
    const struct gp_build build = {.size = sizeof build,
                                   .graph = &graph,
                                   .service = &service,
                                   .config = &parameters,
                                   .host = &host};
    int32_t rc;

    if (!app || ret_text_size == 0) {
        return GP_FAIL;
    }
    ret_text[0] = '\0';
    rc = app->build(&build);
    return graph.len < graph.size ? rc : GP_FAIL;
}

const struct gp_processor *gp_kit_find(const struct gp_entry *entry, const char *type)
{
    const struct gp_catalog *catalog = entry->get_factory(GP_FACTORY_CATALOG);

    for (uint32_t i = 0; catalog && i < catalog->count; i++) {
        const struct gp_processor *table = catalog->tables[i];
        if (table->kind == GP_KIND_PROCESSOR && strcmp(table->type, type) == 0) {
            return table;
        }
    }
    return NULL;
}
