/* Parameters: what a table allows is taken, everything else is listed, and defaults are in the
 * plan. */
#include "base/str.h"
#include "gp_test.h"
#include "graph/parameters.h"
#include "plans.h"

static const struct gp_parameter parameters[] = {
    {.name = "path", .type = GP_PARAMETER_TEXT, .flags = GP_PARAMETER_REQUIRED, .help = "a file"},
    {.name = "line.max",
     .type = GP_PARAMETER_BYTES,
     .fallback = "1MiB",
     .min = "1",
     .max = "16MiB"},
    {.name = "mode", .type = GP_PARAMETER_CHOICE, .fallback = "once", .choices = "once|follow"},
    {.name = "linger", .type = GP_PARAMETER_DURATION, .max = "1h"},
};

static const struct gp_processor table = {.size = sizeof table,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "source",
                                          .open = plans_open,
                                          .poll = plans_poll,
                                          GP_PARAMETERS(parameters)};

static const void *const tables[] = {&table};
static const struct gp_catalog catalog = {sizeof catalog, 1, tables};

static struct plan *make(const struct plan_config *config, uint32_t count, struct gp_error *err)
{
    struct build_options options = {
        .app_name = "job", .catalog = &catalog, .config = config, .config_count = count};
    struct build_plugin self = {"mine", "1", plans_self.sha256, &catalog};
    struct build *b = NULL;
    struct plan *plan = NULL;

    GP_REQUIRE_EQ(build_new(&options, &b), 0);
    (void)gp_add(build_service(b), "lines", &table, 1);
    (void)gp_config_text(build_service(b)->config, "mode", NULL);
    (void)build_finish(b, &self, &plan, err);
    build_free(b);
    return plan;
}

static const char *value(const struct plan *plan, const char *name)
{
    return parameters_value(&plan->processors[0], name);
}

GP_TEST(parameters, right_ones_are_taken_and_defaults_stand_in_the_plan)
{
    const struct plan_config config[] = {{(char *)"lines.path", (char *)"/a"},
                                         {(char *)"lines.linger", (char *)"5ms"}};
    struct plan *plan = make(config, 2, NULL);

    GP_REQUIRE(plan != NULL);
    GP_CHECK_STR_EQ(value(plan, "path"), "/a");
    GP_CHECK_STR_EQ(value(plan, "line.max"), "1MiB");
    GP_CHECK_STR_EQ(value(plan, "mode"), "once");
    GP_CHECK_STR_EQ(value(plan, "linger"), "5ms");
    plan_free(plan);
}

/* What an application calls mode is no concern of a plugin that it uses. */
GP_TEST(parameters, of_the_application_are_not_the_processors)
{
    const struct plan_config config[] = {{(char *)"lines.path", (char *)"/a"},
                                         {(char *)"mode", (char *)"nonsense"}};
    struct plan *plan = make(config, 2, NULL);

    GP_REQUIRE(plan != NULL);
    GP_CHECK_STR_EQ(value(plan, "mode"), "once");
    plan_free(plan);
}

GP_TEST(parameters, all_mistakes_are_listed_at_once)
{
    const struct plan_config config[] = {{(char *)"lines.pth", (char *)"/a"},
                                         {(char *)"lines.line.max", (char *)"17m"},
                                         {(char *)"lines.mode", (char *)"twice"},
                                         {(char *)"lines.linger", (char *)"5"}};
    struct gp_error err = {0};

    GP_REQUIRE(make(config, 4, &err) == NULL);
    GP_CHECK(strstr(err.text, "5 mistakes"));
    GP_CHECK(strstr(err.text, "processor 'lines' (mine/source): there is no parameter 'pth' (did "
                              "you mean 'path'?)"));
    GP_CHECK(strstr(err.text, "parameter path is missing: a file"));
    GP_CHECK(strstr(err.text, "parameter line.max is '17m', not a size in bytes like 64KiB, from 1 "
                              "to 16MiB"));
    GP_CHECK(strstr(err.text, "parameter mode is 'twice', not one of once|follow"));
    GP_CHECK(strstr(err.text, "parameter linger is '5', not a duration like 100ms, at most 1h"));
}

/* The table ends where its maker knew it to end. */
GP_TEST(parameters, a_table_of_an_older_sdk_takes_anything)
{
    struct gp_processor old = table;

    old.size = offsetof(struct gp_processor, parameters);
    GP_CHECK_EQ(gp_processor_parameter_count(&old), 0);
    GP_CHECK_EQ(gp_processor_parameter_count(&table), 4);
}

GP_TEST(parameters, a_default_that_the_table_refuses_is_the_plugins_mistake)
{
    const struct gp_parameter bad[] = {
        {.name = "n", .type = GP_PARAMETER_U64, .fallback = "0", .min = "1"}};
    struct gp_processor wrong = table;
    struct gp_error err = {0};

    wrong.parameters = bad;
    wrong.parameter_count = 1;
    GP_CHECK_EQ(parameters_check_table(&table, &err), 0);
    GP_CHECK_EQ(parameters_check_table(&wrong, &err), GP_EABI);
    GP_CHECK(
        strstr(err.text, "the default of parameter n is '0', not a number from 0 on, at least 1"));
}

/* What a plugin reads and what the configuration file reads is spelt alike. */
GP_TEST(parameters, are_spelt_like_the_configuration)
{
    static const char *const texts[] = {"",
                                        "0",
                                        "1",
                                        "-1",
                                        "1.5",
                                        "1e3",
                                        "-2.5e-3",
                                        ".5",
                                        "5.",
                                        "+1",
                                        "1k",
                                        "1KiB",
                                        "1kB",
                                        "16MiB",
                                        "2g",
                                        "3TB",
                                        "1x",
                                        "k",
                                        "5ms",
                                        "5 ms",
                                        "10us",
                                        "1h",
                                        "2d",
                                        "7m",
                                        "99999999999999999999",
                                        "nan",
                                        "inf",
                                        "0x10",
                                        "true",
                                        "yes",
                                        "on",
                                        "false",
                                        "no",
                                        "off",
                                        "True",
                                        " 1",
                                        "1 ",
                                        "1e999",
                                        "9999999999999999999d",
                                        "9223372036854775807",
                                        "20000000000000000k"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        gp_str s = gp_str_of(texts[i]);
        int64_t a = 0, b = 0;
        uint64_t c = 0, d = 0;
        double e = 0, f = 0;
        uint32_t g = 0;
        bool h = false;
        GP_CHECK_EQ(gp_parse_i64(s, &a) == GP_OK, str_to_i64(s, &b) == 0);
        GP_CHECK_EQ(a, b);
        GP_CHECK_EQ(gp_parse_u64(s, &c) == GP_OK, str_to_u64(s, &d) == 0);
        GP_CHECK_EQ(c, d);
        GP_CHECK_EQ(gp_parse_f64(s, &e) == GP_OK, str_to_double(s, &f) == 0);
        GP_CHECK(e == f);
        GP_CHECK_EQ(gp_parse_bool(s, &g) == GP_OK, str_to_bool(s, &h) == 0);
        GP_CHECK_EQ(g, h);
        a = b = 0;
        c = d = 0;
        GP_CHECK_EQ(gp_parse_duration_ns(s, &a) == GP_OK, str_to_duration_ns(s, &b) == 0);
        GP_CHECK_EQ(a, b);
        GP_CHECK_EQ(gp_parse_bytes(s, &c) == GP_OK, str_to_size_bytes(s, &d) == 0);
        GP_CHECK_EQ(c, d);
    }
}
