/*
 * plan_codec.c: the plan as a tree that travels in messages and is kept by the master.
 *
 * The tables describe the structs of plan.h as they are; numbers of partitioners become their
 * names, so that a plan can be read by people and by later versions. A decoded plan is checked:
 * from then on its indices can be trusted.
 */
#include <stdlib.h>

#include "graph/place.h"
#include "graph/plan.h"
#include "wire/fields.h"

static const char *const partitioner_labels[] = {
    "hash", "shuffle", "round_robin", "broadcast", "forward", "local", "custom", NULL,
};
_Static_assert(PLAN_CUSTOM == 6, "the labels follow enum plan_partitioner");

static const struct field config_items[] = {
    FIELD_TEXT(struct plan_config, key, FIELD_REQUIRED | FIELD_NONEMPTY, 255,
               "name of the parameter"),
    FIELD_TEXT(struct plan_config, value, FIELD_REQUIRED, 65535, "what it is set to"),
};
static const struct fields config_fields = FIELDS("parameter", struct plan_config, config_items);

static const struct field processor_items[] = {
    FIELD_TEXT(struct plan_processor, name, FIELD_REQUIRED | FIELD_NONEMPTY, GP_NAME_MAX_BYTES,
               "unique in the graph"),
    FIELD_COUNT(struct plan_processor, plugin, FIELD_REQUIRED, PLAN_PLUGINS_MAX - 1,
                "index in plugins"),
    FIELD_TEXT(struct plan_processor, type, FIELD_REQUIRED | FIELD_NONEMPTY, GP_NAME_MAX_BYTES,
               "which processor of the plugin"),
    FIELD_COUNT(struct plan_processor, parallelism, FIELD_REQUIRED, GP_PARALLELISM_MAX, "tasks"),
    FIELD_COUNT(struct plan_processor, flags, FIELD_OPTIONAL, 0, "1 stateful, 2 blocking"),
    FIELD_COUNT(struct plan_processor, is_source, FIELD_OPTIONAL, 1, "1: it is polled"),
    FIELD_COUNT(struct plan_processor, has_snapshot, FIELD_OPTIONAL, 1,
                "1: what its tasks keep can come along when they move"),
    FIELD_COUNT(struct plan_processor, inputs, FIELD_OPTIONAL, PLAN_PORTS_MAX, "input ports"),
    FIELD_COUNT(struct plan_processor, outputs, FIELD_OPTIONAL, PLAN_PORTS_MAX, "output ports"),
    FIELD_TEXT(struct plan_processor, place, FIELD_OPTIONAL, PLACE_TEXT_MAX,
               "on which workers its tasks may be: worker:NAME, label:KEY=VALUE; empty: on any"),
    FIELD_LIST(struct plan_processor, config, FIELD_OPTIONAL, PLAN_CONFIG_MAX, &config_fields,
               "its parameters"),
};
static const struct fields processor_fields =
    FIELDS("processor", struct plan_processor, processor_items);

static const struct field edge_items[] = {
    FIELD_COUNT(struct plan_edge, from, FIELD_REQUIRED, PLAN_PROCESSORS_MAX - 1,
                "index in processors"),
    FIELD_COUNT(struct plan_edge, from_port, FIELD_OPTIONAL, PLAN_PORTS_MAX - 1, "output port"),
    FIELD_COUNT(struct plan_edge, to, FIELD_REQUIRED, PLAN_PROCESSORS_MAX - 1,
                "index in processors"),
    FIELD_COUNT(struct plan_edge, to_port, FIELD_OPTIONAL, PLAN_PORTS_MAX - 1, "input port"),
    FIELD_ENUM(struct plan_edge, partitioner, FIELD_REQUIRED, partitioner_labels,
               "which task gets a message"),
    FIELD_TEXT(struct plan_edge, custom, FIELD_OPTIONAL, GP_NAME_MAX_BYTES,
               "type of a custom partitioner"),
    FIELD_COUNT(struct plan_edge, custom_plugin, FIELD_OPTIONAL, PLAN_PLUGINS_MAX - 1,
                "index in plugins of a custom partitioner"),
};
static const struct fields edge_fields = FIELDS("edge", struct plan_edge, edge_items);

static const struct field plugin_items[] = {
    FIELD_TEXT(struct plan_plugin, name, FIELD_REQUIRED | FIELD_NONEMPTY, GP_NAME_MAX_BYTES,
               "as its note says"),
    FIELD_TEXT(struct plan_plugin, version, FIELD_OPTIONAL, 31, "as its note says"),
    FIELD_TEXT(struct plan_plugin, sha256, FIELD_REQUIRED, 64, "of its file"),
};
static const struct fields plugin_fields = FIELDS("plugin", struct plan_plugin, plugin_items);

/* The lists of struct plan are named processors and processor_count: not the _count that the macros
 * expect. */
#define PLAN_LIST(member, count_member, max_, sub_, doc_)                                          \
    {                                                                                              \
        .name = #member, .kind = FIELD_KIND_LIST, .offset = offsetof(struct plan, member),         \
        .count_offset = offsetof(struct plan, count_member), .max = (max_), .sub = (sub_),         \
        .doc = (doc_)                                                                              \
    }

static const struct field plan_items[] = {
    FIELD_COUNT(struct plan, version, FIELD_REQUIRED, 0, "of this layout"),
    FIELD_TEXT(struct plan, app_name, FIELD_REQUIRED, 255, "name of the application"),
    FIELD_U64(struct plan, hash_seed, FIELD_REQUIRED, "of the hash from key to key group"),
    PLAN_LIST(plugins, plugin_count, PLAN_PLUGINS_MAX, &plugin_fields,
              "0 is the application itself"),
    PLAN_LIST(processors, processor_count, PLAN_PROCESSORS_MAX, &processor_fields, "vertices"),
    PLAN_LIST(edges, edge_count, PLAN_EDGES_MAX, &edge_fields, "edges"),
    PLAN_LIST(config, config_count, PLAN_CONFIG_MAX, &config_fields,
              "parameters of the application"),
};
static const struct fields plan_fields = FIELDS("plan", struct plan, plan_items);

int plan_encode(const struct plan *plan, struct value **ret)
{
    return fields_encode(&plan_fields, plan, ret);
}

int plan_decode(const struct value *tree, struct plan **ret, struct gp_error *err)
{
    struct plan *plan = calloc(1, sizeof *plan);
    int rc;

    if (!plan) {
        return gp_error_set(err, GP_ENOMEM, "reading a plan");
    }
    rc = fields_decode(&plan_fields, tree, plan, err);
    if (rc >= 0) {
        rc = plan_check(plan, err);
    }
    if (rc < 0) {
        plan_free(plan);
        return rc;
    }
    *ret = plan;
    return 0;
}
