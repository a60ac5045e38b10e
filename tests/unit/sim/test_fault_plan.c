/*
 * Plans of faults: what they are made of. What they do to clusters, tests/sim/chaos.c tells.
 */
#include <string.h>

#include "gp_test.h"
#include "sim/fault_plan.h"

#define MS INT64_C(1000000)

GP_TEST(fault_plan, knows_groups_and_names)
{
    uint32_t all = fault_kinds_named(GP_STR("all"));
    uint32_t kill = fault_kinds_named(GP_STR("kill"));

    GP_CHECK_EQ(all, (UINT32_C(1) << FAULT_KIND_COUNT) - 1);
    GP_CHECK(kill & 1u << FAULT_executor_killed);
    GP_CHECK(!(kill & 1u << FAULT_disk_full));
    GP_CHECK_EQ(fault_kinds_named(GP_STR("clock_set")), 1u << FAULT_clock_set);
    GP_CHECK_EQ(fault_kinds_named(GP_STR("kil")), 0);
    GP_CHECK_EQ(fault_kinds_named(GP_STR("")), 0);
    GP_CHECK_STR_EQ(fault_name(FAULT_disk_full), "disk_full");
}

static void draw(struct fault_plan *plan, uint64_t seed, uint32_t kinds)
{
    const struct fault_plan_options options = {
        .kinds = kinds, .count = 20, .span_ns = 1000 * MS, .lasts_max_ns = 500 * MS};
    const struct sim_options world = {.seed = 1};
    struct cluster c = {0};
    struct rng rng;

    GP_REQUIRE_EQ(sim_new(&world, &c.sim), 0);
    rng_init(&rng, seed);
    fault_plan_draw(plan, &options, &c, &rng);
    sim_free(c.sim);
}

GP_TEST(fault_plan, is_drawn_from_the_seed)
{
    struct fault_plan first;
    struct fault_plan second;

    draw(&first, 7, fault_kinds_named(GP_STR("all")));
    draw(&second, 7, fault_kinds_named(GP_STR("all")));
    GP_CHECK_EQ(first.count, 20);
    GP_CHECK(memcmp(first.faults, second.faults, sizeof first.faults) == 0);
    draw(&second, 8, fault_kinds_named(GP_STR("all")));
    GP_CHECK(memcmp(first.faults, second.faults, sizeof first.faults) != 0);
}

GP_TEST(fault_plan, draws_what_was_asked_for_and_all_of_it)
{
    uint32_t kinds = fault_kinds_named(GP_STR("pause")) | fault_kinds_named(GP_STR("slow"));
    uint32_t seen = 0;
    struct fault_plan plan;

    for (uint64_t seed = 0; seed < 50; seed++) {
        draw(&plan, seed, kinds);
        for (uint32_t i = 0; i < plan.count; i++) {
            seen |= 1u << plan.faults[i].kind;
            GP_CHECK(plan.faults[i].at_ns >= 0 && plan.faults[i].at_ns < 1000 * MS);
            GP_CHECK(plan.faults[i].lasts_ns >= MS && plan.faults[i].lasts_ns <= 501 * MS);
        }
    }
    GP_CHECK_EQ(seen, kinds);
    draw(&plan, 1, 0);
    GP_CHECK_EQ(plan.count, 0);
    GP_CHECK(fault_plan_is_over(&plan));
}
