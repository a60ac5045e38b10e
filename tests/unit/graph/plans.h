/* plans.h: small plans for the tests of graph. */
#ifndef TEST_PLANS_H
#define TEST_PLANS_H

#include "graph/build.h"

static int32_t plans_open(const struct gp_task *task, void **ret_self)
{
    (void)task;
    *ret_self = NULL;
    return GP_OK;
}

static int32_t plans_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)self;
    (void)port;
    (void)out;
    *consumed = in->count;
    return GP_OK;
}

static int32_t plans_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self;
    (void)out;
    (void)budget;
    return GP_END;
}

static uint32_t plans_route(void *self, const struct gp_msg *msg, uint32_t source, uint32_t targets)
{
    (void)self;
    (void)msg;
    return source % targets;
}

static const struct gp_processor plans_source = {.size = sizeof plans_source,
                                                 .kind = GP_KIND_PROCESSOR,
                                                 .type = "source",
                                                 .open = plans_open,
                                                 .poll = plans_poll};
static const struct gp_processor plans_map = {.size = sizeof plans_map,
                                              .kind = GP_KIND_PROCESSOR,
                                              .type = "map",
                                              .flags = GP_PROCESSOR_STATEFUL,
                                              .open = plans_open,
                                              .process = plans_process};
static const struct gp_partitioner plans_custom = {
    .size = sizeof plans_custom, .kind = GP_KIND_PARTITIONER, .type = "mine", .route = plans_route};

static const void *const plans_tables[] = {&plans_source, &plans_map, &plans_custom};
static const struct gp_catalog plans_catalog = {sizeof plans_catalog, 3, plans_tables};

static const struct build_plugin plans_self = {
    "test", "1.0", "0000000000000000000000000000000000000000000000000000000000000000",
    &plans_catalog};

#endif
