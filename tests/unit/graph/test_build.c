#include "gp_test.h"
#include "plans.h"

static struct build *start(const struct build_options *options)
{
    struct build_options full = options ? *options : (struct build_options){0};
    struct build *b = NULL;
    full.app_name = "job";
    full.catalog = &plans_catalog;
    full.hash_seed = 42;
    GP_REQUIRE_EQ(build_new(&full, &b), 0);
    return b;
}

GP_TEST(build, makes_a_plan_of_what_was_described)
{
    struct build *b = start(NULL);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};

    gp_node source = gp_add(s, "lines", &plans_source, 2);
    gp_node map = gp_add(s, "upper", &plans_map, 3);
    gp_set(s, map, "case", "upper");
    gp_connect(s, source, map, GP_HASH);
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, &err), 0);

    GP_CHECK_EQ(plan->processor_count, 2);
    GP_CHECK_EQ(plan->processors[0].is_source, 1);
    GP_CHECK_EQ(plan->processors[1].flags, GP_PROCESSOR_STATEFUL);
    GP_CHECK_EQ(plan->processors[0].outputs, 1);
    GP_CHECK_EQ(plan->processors[1].inputs, 1);
    GP_CHECK_STR_EQ(plan->processors[1].config[0].value, "upper");
    GP_CHECK_EQ(plan->edges[0].partitioner, PLAN_HASH);
    GP_CHECK_EQ(plan->hash_seed, 42);
    GP_CHECK_EQ(plan_task_count(plan), 5);
    plan_free(plan);
    build_free(b);
}

/* A person who made five mistakes wants to hear of five, not of the first. */
GP_TEST(build, lists_all_mistakes_at_once)
{
    static const struct gp_processor stranger = {.size = sizeof stranger, .type = "stranger"};
    const struct build_parallelism wish = {"uper", 2};
    struct build_options options = {.parallelism = &wish, .parallelism_count = 1};
    struct build *b = start(&options);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};

    gp_node source = gp_add(s, "lines", &plans_source, 1);
    gp_node a = gp_add(s, "upper", &plans_map, 0);
    gp_node c = gp_add(s, "upper", &plans_map, 1);
    gp_node alone = gp_add(s, "alone", &plans_map, 1);
    gp_add(s, "strange", &stranger, 1);
    (void)alone;
    gp_connect(s, source, a, "nonsense");
    gp_connect(s, a, c, GP_SHUFFLE);
    gp_connect(s, c, a, GP_SHUFFLE);
    gp_connect(s, c, a, GP_HASH);
    gp_mistake(s, "parameter input is missing");
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, &err), GP_EINVAL);

    GP_CHECK(strstr(err.text, "two processors are named 'upper'"));
    GP_CHECK(strstr(err.text, "parallelism 0"));
    GP_CHECK(strstr(err.text, "not listed in GP_APP"));
    GP_CHECK(strstr(err.text, "no partitioner 'nonsense'"));
    GP_CHECK(strstr(err.text, "connected to 'upper' port 0 twice"));
    GP_CHECK(strstr(err.text, "on a cycle"));
    GP_CHECK(strstr(err.text, "'alone' gets no input"));
    GP_CHECK(strstr(err.text, "parameter input is missing"));
    GP_CHECK(strstr(err.text, "no processor 'uper' (did you mean 'upper'?)"));
    build_free(b);
}

GP_TEST(build, takes_parallelism_and_parameters_of_the_command_line)
{
    const struct build_parallelism wish = {"upper", 7};
    const struct plan_config config[] = {{(char *)"upper.case", (char *)"lower"},
                                         {(char *)"x", (char *)"1"}};
    struct build_options options = {
        .parallelism = &wish, .parallelism_count = 1, .config = config, .config_count = 2};
    struct build *b = start(&options);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;

    GP_CHECK_STR_EQ(gp_config_text(s->config, "x", "none"), "1");
    GP_CHECK_STR_EQ(gp_config_text(s->config, "y", "none"), "none");
    gp_node source = gp_add(s, "lines", &plans_source, 1);
    gp_node map = gp_add(s, "upper", &plans_map, 1);
    gp_set(s, map, "case", "upper");
    gp_connect(s, source, map, NULL);
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, NULL), 0);
    GP_CHECK_EQ(plan->processors[1].parallelism, 7);
    GP_CHECK_STR_EQ(plan->processors[1].config[0].value, "lower");
    GP_CHECK_EQ(plan->config_count, 2);
    plan_free(plan);
    build_free(b);
}

/* Nobody reads what is misspelt, so somebody has to say so. */
GP_TEST(build, knows_which_parameters_nobody_asked_for)
{
    const struct plan_config config[] = {
        {(char *)"byts", (char *)"8"},           {(char *)"liens.case", (char *)"lower"},
        {(char *)"lines.case", (char *)"lower"}, {(char *)"bytes", (char *)"9"},
        {(char *)"data.edge", (char *)"tcp"},    {(char *)"metrics.enabled", (char *)"true"}};
    struct build_options options = {.config = config, .config_count = 6};
    struct build *b = start(&options);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};

    GP_CHECK_STR_EQ(gp_config_text(s->config, "bytes", "none"), "9");
    gp_node source = gp_add(s, "lines", &plans_source, 1);
    gp_connect(s, source, gp_add(s, "upper", &plans_map, 1), NULL);
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "--set byts: the job has no such parameter (did you mean 'bytes'?)"));
    GP_CHECK(strstr(err.text,
                    "--set liens.case: there is no processor 'liens' (did you mean 'lines'?)"));
    GP_CHECK(!strstr(err.text, "data.edge") && !strstr(err.text, "metrics.enabled"));
    GP_CHECK(!strstr(err.text, "--set lines.case"));
    build_free(b);
}

GP_TEST(build, resolves_other_plugins_and_custom_partitioners)
{
    struct build *b = start(NULL);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct build_plugin plugins[2] = {plans_self,
                                      {"file", "2.0", plans_self.sha256, &plans_catalog}};

    gp_node source = gp_add_plugin(s, "lines", "file", "source", 1);
    gp_node again = gp_add_plugin(s, "more", "file", "source", 1);
    gp_node map = gp_add(s, "upper", &plans_map, 1);
    gp_connect(s, source, map, "mine");
    gp_connect_ports(s, again, 0, map, 1, GP_FORWARD);
    GP_REQUIRE_EQ(build_plugin_count(b), 1);
    GP_CHECK_STR_EQ(build_plugin_name(b, 0), "file");
    GP_REQUIRE_EQ(build_finish(b, plugins, &plan, NULL), 0);
    GP_CHECK_EQ(plan->processors[0].plugin, 1);
    GP_CHECK_EQ(plan->edges[0].partitioner, PLAN_CUSTOM);
    GP_CHECK_STR_EQ(plan_edge_partitioner_name(&plan->edges[0]), "mine");
    GP_CHECK_EQ(plan->processors[2].inputs, 2);
    plan_free(plan);
    build_free(b);
}

GP_TEST(build, names_what_a_plugin_lacks)
{
    struct build *b = start(NULL);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};
    struct build_plugin plugins[2] = {plans_self,
                                      {"file", "2.0", plans_self.sha256, &plans_catalog}};

    gp_add_plugin(s, "lines", "file", "sauce", 1);
    GP_REQUIRE_EQ(build_finish(b, plugins, &plan, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "plugin 'file' has no processor 'sauce'"));
    build_free(b);
}

/* One mistake, told by the owner: what follows from it is none of its own. */
GP_TEST(build, assumes_the_best_of_a_plugin_that_could_not_be_had)
{
    struct build_plugin plugins[2] = {plans_self, {0}};
    struct build *b = start(NULL);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};

    gp_node lines = gp_add_plugin(s, "lines", "nowhere", "source", 1);
    gp_node map = gp_add(s, "upper", &plans_map, 1);
    gp_node sink = gp_add_plugin(s, "out", "nowhere", "sink", 1);
    gp_connect(s, lines, map, GP_SHUFFLE);
    gp_connect(s, map, sink, GP_SHUFFLE);
    gp_mistake(s, "no plugin 'nowhere'");
    GP_REQUIRE_EQ(build_finish(b, plugins, &plan, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "no plugin 'nowhere'"));
    GP_CHECK(strstr(err.text, "'lines'") == NULL && strstr(err.text, "'out'") == NULL);
    build_free(b);
}

GP_TEST(build, refuses_more_than_its_bounds_and_survives)
{
    struct build *b = start(NULL);
    const struct gp_build *s = build_service(b);
    struct plan *plan = NULL;
    struct gp_error err = {0};
    char name[32];

    for (uint32_t i = 0; i < PLAN_PROCESSORS_MAX + 2; i++) {
        snprintf(name, sizeof name, "p%u", i);
        gp_add(s, name, &plans_source, 1);
    }
    gp_connect(s, 1, PLAN_PROCESSORS_MAX + 1, NULL);
    gp_connect_ports(s, 1, PLAN_PORTS_MAX, 2, 0, NULL);
    gp_set(s, PLAN_PROCESSORS_MAX + 1, "a", "b");
    GP_REQUIRE_EQ(build_finish(b, &plans_self, &plan, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "more than 256 processors"));
    GP_CHECK(strstr(err.text, "ports go from 0 to 63"));
    build_free(b);
}
