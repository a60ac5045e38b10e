#include "base/rng.h"
#include "gp_test.h"
#include "graph/placement.h"

static void make_plan(struct plan *plan, struct plan_processor *processors,
                      const uint32_t *parallelism, uint32_t count)
{
    *plan = (struct plan){.processors = processors, .processor_count = count};
    for (uint32_t i = 0; i < count; i++) {
        processors[i] = (struct plan_processor){.parallelism = parallelism[i]};
    }
}

GP_TEST(placement, gives_every_lane_a_share_of_every_processor)
{
    struct plan_processor processors[2];
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {4, 8};
    const struct placement_host hosts[] = {{1, 2, 0}, {2, 2, 0}};

    make_plan(&plan, processors, parallelism, 2);
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 2, NULL, NULL, &placement), 0);
    GP_REQUIRE_EQ(placement.count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        GP_CHECK_EQ(placement.ranges[i].executor, i % 4 / 2 + 1);
        GP_CHECK_EQ(placement.ranges[i].lane, i % 2);
        GP_CHECK_EQ(placement.ranges[i].count, i < 4 ? 1 : 2);
    }
    placement_deinit(&placement);
}

/* One source and one sink on two lanes must not share a lane. */
GP_TEST(placement, spreads_single_tasks_over_lanes)
{
    struct plan_processor processors[2];
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {1, 1};
    const struct placement_host hosts[] = {{1, 2, 0}};

    make_plan(&plan, processors, parallelism, 2);
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 1, NULL, NULL, &placement), 0);
    GP_CHECK(placement.ranges[0].lane != placement.ranges[1].lane);
    placement_deinit(&placement);
}

/* Stages of a chain longer than there are lanes change lanes as seldom as they can, and evenly. */
GP_TEST(placement, cuts_a_chain_into_one_piece_for_each_lane)
{
    struct plan_processor processors[8];
    struct plan_edge edges[7] = {{0}};
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {1, 1, 1, 1, 1, 1, 1, 1};
    const struct placement_host hosts[] = {{1, 2, 0}, {2, 2, 0}};

    for (uint32_t e = 0; e < 7; e++) {
        edges[e].from = e;
        edges[e].to = e + 1;
    }
    make_plan(&plan, processors, parallelism, 8);
    plan.edges = edges;
    plan.edge_count = 7;
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 2, NULL, NULL, &placement), 0);
    GP_REQUIRE_EQ(placement.count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        GP_CHECK_EQ(placement.ranges[i].executor, i / 4 + 1);
        GP_CHECK_EQ(placement.ranges[i].lane, i / 2 % 2);
    }
    placement_deinit(&placement);

    /* Of three, the first has a lane of its own: a source hands over batches, and calls nobody. */
    make_plan(&plan, processors, parallelism, 3);
    plan.edges = edges;
    plan.edge_count = 2;
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 1, NULL, NULL, &placement), 0);
    GP_CHECK_EQ(placement.ranges[0].lane, 0);
    GP_CHECK_EQ(placement.ranges[1].lane, 1);
    GP_CHECK_EQ(placement.ranges[2].lane, 1);
    placement_deinit(&placement);

    /* Two pairs are no chain: who feeds whom stays on two lanes. */
    make_plan(&plan, processors, parallelism, 4);
    edges[1] = (struct plan_edge){.from = 2, .to = 3};
    plan.edges = edges;
    plan.edge_count = 2;
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 1, NULL, NULL, &placement), 0);
    for (uint32_t i = 0; i < 4; i++) {
        GP_CHECK_EQ(placement.ranges[i].lane, i % 2);
    }
    placement_deinit(&placement);
}

GP_TEST(placement, places_each_task_exactly_once_whatever_the_shape)
{
    struct rng rng;
    rng_init(&rng, 7);
    for (int round = 0; round < 300; round++) {
        struct plan_processor processors[5];
        struct placement_host hosts[4];
        uint32_t parallelism[5];
        struct plan plan;
        struct placement placement;
        struct gp_error err = {0};
        uint32_t host_count = 1 + (uint32_t)rng_below(&rng, 4);

        for (int i = 0; i < 5; i++) {
            parallelism[i] = 1 + (uint32_t)rng_below(&rng, round % 3 == 0 ? 2000 : 9);
        }
        for (uint32_t i = 0; i < host_count; i++) {
            hosts[i] = (struct placement_host){i + 1, 1 + (uint32_t)rng_below(&rng, 5),
                                               (uint32_t)rng_below(&rng, 3)};
        }
        make_plan(&plan, processors, parallelism, 5);
        GP_REQUIRE_EQ(placement_make(&plan, hosts, host_count, NULL, NULL, &placement), 0);
        GP_REQUIRE_EQ(placement_check(&placement, &plan, &err), 0);
        placement_deinit(&placement);
    }
}

GP_TEST(placement, is_even)
{
    struct plan_processor processors[1];
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {10};
    const struct placement_host hosts[] = {{1, 4, 0}};

    make_plan(&plan, processors, parallelism, 1);
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 1, NULL, NULL, &placement), 0);
    for (uint32_t i = 0; i < placement.count; i++) {
        GP_CHECK(placement.ranges[i].count == 2 || placement.ranges[i].count == 3);
    }
    placement_deinit(&placement);
}

GP_TEST(placement, check_finds_gaps_overlaps_and_strangers)
{
    struct plan_processor processors[1];
    struct plan plan;
    struct gp_error err = {0};
    const uint32_t parallelism[] = {4};
    struct placement_range gap[] = {{0, 0, 2, 1, 0, 0, 0, false}, {0, 3, 1, 1, 0, 0, 0, false}};
    struct placement_range overlap[] = {{0, 0, 3, 1, 0, 0, 0, false}, {0, 2, 2, 1, 0, 0, 0, false}};
    struct placement_range stranger[] = {{0, 0, 4, 1, 0, 0, 0, false},
                                         {1, 0, 1, 1, 0, 0, 0, false}};
    struct placement_range huge[] = {{0, 0, UINT32_MAX, 1, 0, 0, 0, false}};
    struct placement_range later[] = {{0, 0, 4, 1, 0, 7, 8, false}};

    make_plan(&plan, processors, parallelism, 1);
    GP_CHECK_EQ(placement_check(&(struct placement){gap, 2}, &plan, &err), GP_EINVAL);
    GP_CHECK_EQ(placement_check(&(struct placement){overlap, 2}, &plan, &err), GP_EINVAL);
    GP_CHECK_EQ(placement_check(&(struct placement){stranger, 2}, &plan, &err), GP_EINVAL);
    GP_CHECK_EQ(placement_check(&(struct placement){huge, 1}, &plan, &err), GP_EINVAL);
    GP_CHECK_EQ(placement_check(&(struct placement){gap, 0}, &plan, &err), GP_EINVAL);
    GP_CHECK_EQ(placement_check(&(struct placement){later, 1}, &plan, &err), GP_EINVAL);
}

GP_TEST(placement, refuses_a_cluster_without_lanes)
{
    struct plan plan = {0};
    struct placement placement;
    GP_CHECK_EQ(placement_make(&plan, NULL, 0, NULL, NULL, &placement), GP_EINVAL);
}

/* A call that blocks must hold up nobody else, wherever its task is. */
GP_TEST(placement, gives_blocking_tasks_lanes_of_their_own)
{
    struct plan_processor processors[3];
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {3, 4, 2};
    const struct placement_host hosts[] = {{1, 2, 3}, {2, 1, 2}};

    make_plan(&plan, processors, parallelism, 3);
    processors[0].flags = GP_PROCESSOR_BLOCKING;
    processors[2].flags = GP_PROCESSOR_BLOCKING;
    GP_CHECK_EQ(placement_blocking_tasks(&plan), 5);
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 2, NULL, NULL, &placement), 0);
    GP_CHECK_EQ(placement_check(&placement, &plan, NULL), 0);
    for (uint32_t i = 0; i < placement.count; i++) {
        const struct placement_range *r = &placement.ranges[i];
        GP_CHECK_EQ(r->processor != 1, r->lane >= hosts[r->executor - 1].lanes);
        for (uint32_t k = 0; k < i && r->processor != 1; k++) {
            GP_CHECK(placement.ranges[k].executor != r->executor ||
                     placement.ranges[k].lane != r->lane);
        }
    }
    placement_deinit(&placement);
}

/* The executor's number is its zone. */
static bool takes_its_own(void *user, uint32_t processor, uint32_t executor)
{
    const uint32_t *zones = user;

    return zones[processor] == 0 || zones[processor] == executor;
}

GP_TEST(placement, puts_a_processor_only_where_it_is_taken)
{
    struct plan_processor processors[3];
    struct plan plan;
    struct placement placement;
    const uint32_t parallelism[] = {4, 5, 1};
    const struct placement_host hosts[] = {{1, 2, 0}, {2, 3, 0}, {3, 1, 0}};
    uint32_t zones[] = {0, 2, 3};
    uint32_t lanes[3] = {0}; /* that have tasks, by processor */

    make_plan(&plan, processors, parallelism, 3);
    GP_REQUIRE_EQ(placement_make(&plan, hosts, 3, takes_its_own, zones, &placement), 0);
    GP_CHECK_EQ(placement_check(&placement, &plan, NULL), 0);
    for (uint32_t i = 0; i < placement.count; i++) {
        const struct placement_range *range = &placement.ranges[i];
        GP_CHECK(takes_its_own(zones, range->processor, range->executor));
        GP_CHECK(range->lane < hosts[range->executor - 1].lanes);
        lanes[range->processor]++;
    }
    GP_CHECK_EQ(lanes[1], 3); /* all of that one */
    placement_deinit(&placement);
    zones[2] = 4;
    GP_CHECK_EQ(placement_make(&plan, hosts, 3, takes_its_own, zones, &placement), GP_ENOENT);
}
