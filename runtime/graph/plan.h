/*
 * plan.h: the plan: the graph of an application as its build function made it, checked and
 * numbered.
 *
 * The plan is the contract between appmaster and executors, kept by the master and never built
 * twice: processors and edges are named by their index in it. It is immutable once checked, a tree
 * of heap memory owned by one holder.
 */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include <stdint.h>

#include <gearpump/graph.h>

#include "base/error.h"
#include "base/value.h"

#define PLAN_VERSION        1u
#define PLAN_PROCESSORS_MAX 256u
#define PLAN_EDGES_MAX      1024u
#define PLAN_PLUGINS_MAX    64u
#define PLAN_CONFIG_MAX     256u    /* entries of the application, and of each processor */
#define PLAN_PORTS_MAX      64u     /* input ports, and output ports, of a processor */
#define PLAN_TASKS_MAX      262144u /* of one application */

struct plan_config {
    char *key;
    char *value;
};

struct plan_processor {
    char *name;
    uint32_t plugin; /* index in plan.plugins */
    char *type;      /* of the gp_processor in that plugin */
    uint32_t parallelism;
    uint32_t flags; /* GP_PROCESSOR_... */
    uint32_t is_source;
    uint32_t has_snapshot; /* what it keeps can come along when its tasks move */
    uint32_t inputs;       /* 1 + the highest input port in use, or 0 */
    uint32_t outputs;
    char *place;                /* on which workers its tasks may be (place.h); "": on any */
    struct plan_config *config; /* what the graph and `--set NAME.key=value` gave */
    uint32_t config_count;
};

enum plan_partitioner {
    PLAN_HASH,
    PLAN_SHUFFLE,
    PLAN_ROUND_ROBIN,
    PLAN_BROADCAST,
    PLAN_FORWARD,
    PLAN_LOCAL,
    PLAN_CUSTOM,
};

struct plan_edge {
    uint32_t from;
    uint32_t from_port;
    uint32_t to;
    uint32_t to_port;
    uint32_t partitioner;   /* enum plan_partitioner */
    char *custom;           /* PLAN_CUSTOM: gp_partitioner.type ... */
    uint32_t custom_plugin; /* ... in plan.plugins[custom_plugin] */
};

struct plan_plugin {
    char *name;
    char *version;
    char *sha256; /* 64 hex digits; plugins[0] is the application itself */
};

struct plan {
    uint32_t version;
    char *app_name;
    uint64_t hash_seed;
    struct plan_plugin *plugins;
    uint32_t plugin_count;
    struct plan_processor *processors;
    uint32_t processor_count;
    struct plan_edge *edges;
    uint32_t edge_count;
    struct plan_config *config; /* of the application */
    uint32_t config_count;
};

/* NULL is fine. */
void plan_free(struct plan *plan);

/* Everything that must hold of a plan from anywhere: names, bounds, no cycle, ports, parallelism of
 * forward edges, plugin indices, at least one source, every processor reached from one. All
 * mistakes at once, one line each, in err. 0 or GP_EINVAL. */
int plan_check(const struct plan *plan, struct gp_error *err);

/* To and from the tree that travels and is kept; decoding checks the plan too. */
int plan_encode(const struct plan *plan, struct value **ret);
int plan_decode(const struct value *tree, struct plan **ret, struct gp_error *err);

/* Where its tasks may be: place.h. */
static inline const char *plan_place(const struct plan_processor *p)
{
    return p->place ? p->place : "";
}

/* Sum over processors. */
uint32_t plan_task_count(const struct plan *plan);

/* The index of a processor, or negative GP_ENOENT. */
int plan_find(const struct plan *plan, gp_str name);

/* "hash", ...; for PLAN_CUSTOM its own name. */
const char *plan_edge_partitioner_name(const struct plan_edge *edge);

#endif
