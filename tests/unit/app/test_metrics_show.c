/* What is measured, as programs see it. */
#include "app/metrics_show.h"
#include "base/str.h"
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

/* Rates of a processor and its tasks, wherever they stand in the answer. */
GP_TEST(metrics_show, finds_what_is_told_in_any_order)
{
    struct msg_series series[] = {
        {.processor = "count", .metric = "now.1", .values = "rate_in=5,busy=0.5"},
        {.processor = "", .executor = 3, .metric = METRICS_NOW_EXECUTOR, .values = "cpu=1.5"},
        {.processor = "count", .metric = METRICS_NOW, .values = "rate_in=7,latency_p99_us=12.5"},
        {.processor = "", .metric = METRICS_NOW, .values = "source_rate=9"},
    };
    struct msg_executor_vitals executor = {.id = 3};
    struct msg_metrics_history told = {.state = APP_RUNNING,
                                       .latest = {.app = 1,
                                                  .name = "words",
                                                  .time_ms = 1,
                                                  .names = names,
                                                  .names_count = 1,
                                                  .processors = processors,
                                                  .processors_count = 1,
                                                  .executors = &executor,
                                                  .executors_count = 1},
                                       .series = series,
                                       .series_count = 4};
    struct value *shown = metrics_show(&told);
    const struct value *count;
    const struct value *task;

    GP_REQUIRE(shown != NULL);
    count = value_at(value_get(shown, GP_STR("processors")), 0);
    task = value_at(value_get(count, GP_STR("slowest")), 1);
    GP_CHECK(value_as_double(value_get(shown, GP_STR("source_rate"))) == 9);
    GP_CHECK(value_as_double(value_get(count, GP_STR("rate_in"))) == 7);
    GP_CHECK(value_as_double(value_get(count, GP_STR("rate_out"))) == 0);
    GP_CHECK(value_as_double(value_get(value_get(count, GP_STR("latency")), GP_STR("p99_us"))) ==
             12.5);
    GP_CHECK(value_as_double(value_get(task, GP_STR("rate_in"))) == 5);
    GP_CHECK(value_as_double(value_get(value_at(value_get(shown, GP_STR("executors")), 0),
                                       GP_STR("cpu"))) == 1.5);
    GP_CHECK_EQ(value_kind(value_get(shown, GP_STR("awaits"))), VALUE_NULL);
    value_free(shown);
}

GP_TEST(metrics_show, says_what_is_awaited)
{
    struct msg_metrics_history told = {.state = APP_STARTING,
                                       .latest = {.app = 4, .name = "words"}};
    struct value *shown = metrics_show(&told);

    GP_REQUIRE(shown != NULL);
    GP_CHECK_EQ(value_as_i64(value_get(shown, GP_STR("app"))), 4);
    GP_CHECK(str_eq(value_as_str(value_get(shown, GP_STR("state"))), GP_STR("starting")));
    GP_CHECK(str_eq(value_as_str(value_get(shown, GP_STR("awaits"))), GP_STR("its start")));
    GP_CHECK_EQ(value_count(value_get(shown, GP_STR("processors"))), 0);
    value_free(shown);
}
