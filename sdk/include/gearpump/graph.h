/*
 * graph.h: how an application describes its job.
 *
 * build() runs once per submit, in the appmaster; what it made is the plan and is kept. Mistakes
 * (unknown names, cycles, duplicates, parallelism 0, ...) are collected and reported all at once
 * after build returns, so nothing here needs checking.
 */
#ifndef GEARPUMP_GRAPH_H
#define GEARPUMP_GRAPH_H

#include <gearpump/processor.h>

/* A processor in the graph; 0: one that was refused (the mistake is noted, using it is
 * harmless). */
typedef uint32_t gp_node;

struct gp_processor_spec {
    uint32_t size;
    uint32_t parallelism; /* tasks, 1..GP_PARALLELISM_MAX; `--parallelism NAME=N` overrides it */
    const char *name;     /* unique in the graph, stable, GP_NAME_MAX_BYTES: [a-z0-9_-] */
    const struct gp_processor *table; /* from this plugin, or NULL: */
    const char *plugin;               /* ... the plugin's name, as "file", */
    const char *type;                 /* ... and the type of the processor in it, as "source" */
};

/* Partitioners by name. A custom one is named by its gp_partitioner.type. */
#define GP_HASH        "hash"        /* by key: one key, one task, in order */
#define GP_SHUFFLE     "shuffle"     /* to whichever has room: fastest, evens out slow tasks */
#define GP_ROUND_ROBIN "round_robin" /* strictly in turn, message by message */
#define GP_BROADCAST   "broadcast"   /* to all */
#define GP_FORWARD     "forward"     /* task i to task i; equal parallelism */
#define GP_LOCAL       "local"       /* as shuffle, among those on this lane, else host, else any */

struct gp_edge_spec {
    uint32_t size;
    gp_node from;
    uint32_t from_port;
    gp_node to;
    uint32_t to_port;
    uint32_t reserved;
    const char *partitioner; /* NULL is GP_SHUFFLE */
};

struct gp_graph; /* the host's */

struct gp_graph_service {
    uint32_t size;
    uint32_t reserved;
    gp_node (*add)(struct gp_graph *graph, const struct gp_processor_spec *spec);
    void (*set)(struct gp_graph *graph, gp_node node, const char *key, const char *value);
    void (*connect)(struct gp_graph *graph, const struct gp_edge_spec *spec);
    /* A mistake of the application's own (a missing parameter, ...): reported with the others. */
    void (*mistake)(struct gp_graph *graph, const char *text);
    /* Where the tasks of a processor may be: see gp_place(). By `size`, absent in older hosts. */
    void (*place)(struct gp_graph *graph, gp_node node, const char *place);
};

/* What build() gets. Borrowed until it returns. */
struct gp_build {
    uint32_t size;
    uint32_t reserved;
    struct gp_graph *graph;
    const struct gp_graph_service *service;
    const struct gp_config *config; /* --set and configuration */
    const struct gp_host *host;
};

/* A processor of this plugin. */
static inline gp_node gp_add(const struct gp_build *b, const char *name,
                             const struct gp_processor *table, uint32_t parallelism)
{
    struct gp_processor_spec spec;
    spec.size = (uint32_t)sizeof spec;
    spec.parallelism = parallelism;
    spec.name = name;
    spec.table = table;
    spec.plugin = NULL;
    spec.type = NULL;
    return b->service->add(b->graph, &spec);
}

/* A processor of another plugin: gp_add_plugin(b, "lines", "file", "source", 1). */
static inline gp_node gp_add_plugin(const struct gp_build *b, const char *name, const char *plugin,
                                    const char *type, uint32_t parallelism)
{
    struct gp_processor_spec spec;
    spec.size = (uint32_t)sizeof spec;
    spec.parallelism = parallelism;
    spec.name = name;
    spec.table = NULL;
    spec.plugin = plugin;
    spec.type = type;
    return b->service->add(b->graph, &spec);
}

/* A parameter of one processor; `--set NAME.key=value` on the command line overrides it. */
static inline void gp_set(const struct gp_build *b, gp_node node, const char *key,
                          const char *value)
{
    b->service->set(b->graph, node, key, value);
}

/*
 * On which workers the tasks of a processor may be: "worker:NAME", "label:KEY=VALUE" (as
 * worker.labels in the configuration of workers), or "" for any, as without. Held wherever its
 * tasks are started or moved. `--place NAME=...` on the command line overrides it. A host that does
 * not know places makes it a mistake.
 */
static inline void gp_place(const struct gp_build *b, gp_node node, const char *place)
{
    if (b->service->size >= offsetof(struct gp_graph_service, place) + sizeof b->service->place) {
        b->service->place(b->graph, node, place);
    } else {
        b->service->mistake(b->graph, "this gearpump cannot place tasks: gp_place()");
    }
}

static inline void gp_connect_ports(const struct gp_build *b, gp_node from, uint32_t from_port,
                                    gp_node to, uint32_t to_port, const char *partitioner)
{
    struct gp_edge_spec spec;
    spec.size = (uint32_t)sizeof spec;
    spec.from = from;
    spec.from_port = from_port;
    spec.to = to;
    spec.to_port = to_port;
    spec.reserved = 0;
    spec.partitioner = partitioner;
    b->service->connect(b->graph, &spec);
}

static inline void gp_connect(const struct gp_build *b, gp_node from, gp_node to,
                              const char *partitioner)
{
    gp_connect_ports(b, from, 0, to, 0, partitioner);
}

static inline void gp_mistake(const struct gp_build *b, const char *text)
{
    b->service->mistake(b->graph, text);
}

#endif
