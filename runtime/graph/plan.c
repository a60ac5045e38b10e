/*
 * plan.c: life and small questions of a plan. The checks are in plan_check.c, the travelling form
 * in plan_codec.c, the making in build.c.
 */
#include "graph/plan.h"

#include <stdlib.h>

#include "base/str.h"
#include "graph/partitioner.h"

static void config_free(struct plan_config *config, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        free(config[i].key);
        free(config[i].value);
    }
    free(config);
}

void plan_free(struct plan *plan)
{
    if (!plan) {
        return;
    }
    for (uint32_t i = 0; i < plan->plugin_count; i++) {
        free(plan->plugins[i].name);
        free(plan->plugins[i].version);
        free(plan->plugins[i].sha256);
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        free(plan->processors[i].name);
        free(plan->processors[i].type);
        free(plan->processors[i].place);
        config_free(plan->processors[i].config, plan->processors[i].config_count);
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        free(plan->edges[i].custom);
    }
    config_free(plan->config, plan->config_count);
    free(plan->plugins);
    free(plan->processors);
    free(plan->edges);
    free(plan->app_name);
    free(plan);
}

uint32_t plan_task_count(const struct plan *plan)
{
    uint32_t tasks = 0;
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        tasks += plan->processors[i].parallelism;
    }
    return tasks;
}

int plan_find(const struct plan *plan, gp_str name)
{
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (str_eq(gp_str_of(plan->processors[i].name), name)) {
            return (int)i;
        }
    }
    return GP_ENOENT;
}

const char *plan_edge_partitioner_name(const struct plan_edge *edge)
{
    if (edge->partitioner == PLAN_CUSTOM) {
        return edge->custom;
    }
    return partitioner_name((enum plan_partitioner)edge->partitioner);
}
