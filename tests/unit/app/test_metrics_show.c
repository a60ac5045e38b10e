/* What is measured, as programs see it. */
#include "app/metrics_show.h"
#include "gp_test.h"

static struct msg_task_metrics tasks[] = {{.task = 0, .latency_p99_ns = 2500}, {.task = 1}};
static struct msg_processor_stats processors[] = {{.slowest = tasks, .slowest_count = 2}};
static char *names[] = {"count"};

GP_TEST(metrics_show, a_task_without_probes_has_no_latency)
{
    struct msg_metrics_history told = {.latest = {.app = 1,
                                                  .name = "words",
                                                  .names = names,
                                                  .names_count = 1,
                                                  .processors = processors,
                                                  .processors_count = 1}};
    struct value *shown = metrics_show(&told);
    const struct value *slowest;

    GP_REQUIRE(shown != NULL);
    slowest = value_get(value_at(value_get(shown, GP_STR("processors")), 0), GP_STR("slowest"));
    GP_REQUIRE(slowest != NULL && value_count(slowest) == 2);
    GP_CHECK(value_as_double(value_get(value_at(slowest, 0), GP_STR("latency_p99_us"))) == 2.5);
    GP_CHECK_EQ(value_kind(value_get(value_at(slowest, 1), GP_STR("latency_p99_us"))), VALUE_NULL);
    value_free(shown);
}
