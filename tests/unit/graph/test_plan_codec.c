#include "gp_test.h"
#include "plans.h"

static struct plan *make(void)
{
    struct build_options options = {
        .app_name = "job", .catalog = &plans_catalog, .hash_seed = UINT64_MAX};
    struct build *b = NULL;
    struct plan *plan = NULL;

    GP_REQUIRE_EQ(build_new(&options, &b), 0);
    const struct gp_build *s = build_service(b);
    gp_node source = gp_add(s, "lines", &plans_source, 2);
    gp_node map = gp_add(s, "upper", &plans_map, 3);
    gp_set(s, map, "case", "upper");
    gp_connect(s, source, map, "mine");
    gp_connect_ports(s, source, 1, map, 2, GP_HASH);
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, NULL), 0);
    build_free(b);
    return plan;
}

GP_TEST(plan_codec, gives_back_what_it_took)
{
    struct plan *plan = make();
    struct plan *copy = NULL;
    struct value *tree = NULL;
    struct value *again = NULL;

    GP_REQUIRE_EQ(plan_encode(plan, &tree), 0);
    GP_REQUIRE_EQ(plan_decode(tree, &copy, NULL), 0);
    GP_REQUIRE_EQ(plan_encode(copy, &again), 0);
    GP_CHECK(value_equal(tree, again));
    GP_CHECK(copy->hash_seed == UINT64_MAX);
    GP_CHECK_EQ(copy->edges[0].partitioner, PLAN_CUSTOM);
    GP_CHECK_STR_EQ(copy->processors[1].config[0].value, "upper");
    value_free(tree);
    value_free(again);
    plan_free(copy);
    plan_free(plan);
}

/* What comes from outside is followed by index later: a bad index must die here. */
GP_TEST(plan_codec, refuses_a_plan_that_does_not_hold)
{
    struct plan *plan = make();
    struct plan *copy = NULL;
    struct value *tree = NULL;
    struct gp_error err = {0};

    plan->edges[1].to = 7;
    GP_REQUIRE_EQ(plan_encode(plan, &tree), 0);
    GP_CHECK_EQ(plan_decode(tree, &copy, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "edge 1 joins processors 0 and 7 of 2"));
    value_free(tree);
    plan_free(plan);
}
