/* A description as JSON and as people read it. */
#include "app/describe.h"
#include "capture.h"
#include "edge/json.h"

static const char plan_text[] =
    "{\"version\":1,\"app_name\":\"words\",\"hash_seed\":\"7\","
    "\"plugins\":[{\"name\":\"words\",\"version\":\"1\",\"sha256\":"
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}],"
    "\"processors\":["
    "{\"name\":\"lines\",\"plugin\":0,\"type\":\"lines\",\"parallelism\":1,\"is_source\":1,"
    "\"outputs\":1},"
    "{\"name\":\"split\",\"plugin\":0,\"type\":\"split\",\"parallelism\":4,\"inputs\":1,"
    "\"outputs\":1},"
    "{\"name\":\"count\",\"plugin\":0,\"type\":\"count\",\"parallelism\":4,\"inputs\":1}],"
    "\"edges\":[{\"from\":0,\"to\":1,\"partitioner\":\"shuffle\"},"
    "{\"from\":1,\"to\":2,\"partitioner\":\"hash\"}]}";

static char no_text[] = "";
static char name[] = "words";
static char host[] = "here";
static char running[] = "running";
static char error[] = "executor 2 was lost";

static struct msg_edge_stats edges[] = {
    {.edge = 0, .kind = EDGE_LOCAL, .messages = 60, .bytes = 600, .rate = 6},
    {.edge = 0, .kind = EDGE_TCP, .messages = 40, .bytes = 400, .rate = 4},
    {.edge = 1, .kind = EDGE_RING, .messages = 900, .bytes = 10000, .rate = 90},
    {.edge = 1, .kind = EDGE_FUSED, .messages = 100, .bytes = 240, .rate = 10},
    {.edge = 9999, .kind = EDGE_TCP, .messages = 1}, /* of a later version, or a lie */
};
static struct msg_counter counters[] = {{name, 12}};
static struct msg_processor_stats processors[] = {
    {.processor = 1, .tasks_running = 4, .in = 100, .out = 1000},
    {.processor = 2, .in = 1000, .late = 3, .counters = counters, .counters_count = 1},
    {.processor = 9999},
};
static struct msg_executor_info executors[] = {{1, 3, name, no_text, host, 4711, 2, 3, running}};
static struct msg_range placement[] = {
    {0, 0, 1, 1, 0}, {1, 0, 2, 1, 0}, {1, 2, 2, 1, 1}, {2, 0, 4, 1, 1}, {9999, 0, 1, 1, 0}};

static char died[] = "executor 2 crashed: SIGSEGV";
static char failed[] = "processor 'split', task 1: no";
static struct msg_app_event events[] = {{1700000000000, died, 240}, {1700000001000, failed, -1}};

static void begin(struct description *d, struct msg_app_description *msg)
{
    *msg = (struct msg_app_description){
        .app = {.id = 7, .name = name, .state = APP_RUNNING, .error = no_text},
        .appmaster = {0, 3, name, no_text, host, 4710, 0, 0, running},
        .live = {.placement = placement,
                 .placement_count = 5,
                 .executors = executors,
                 .executors_count = 1,
                 .processors = processors,
                 .processors_count = 3,
                 .edges = edges,
                 .edges_count = 5,
                 .events = events,
                 .events_count = 2,
                 .lost = 3120,
                 .in_doubt = 40,
                 .is_lost_at_least = true,
                 .moves = {.open = 1, .done = 7, .refused = 2},
                 .restarts = 2,
                 .restarts_max = 10,
                 .restart_window_ms = 60000,
                 .last_error = error,
                 .guarantee = no_text}};
    GP_REQUIRE_EQ(edge_json_parse(gp_str_of(plan_text), &msg->plan, NULL), 0);
    GP_REQUIRE_EQ(description_init(d, msg, NULL), 0);
}

static void end(struct description *d, struct msg_app_description *msg)
{
    description_deinit(d);
    value_free(msg->plan);
}

static int64_t number(const struct value *list, size_t index, const char *member)
{
    const struct value *v = value_get(value_at(list, index), gp_str_of(member));

    GP_REQUIRE(v != NULL && value_kind(v) == VALUE_I64);
    return value_as_i64(v);
}

GP_TEST(describe, adds_up_the_ways_of_an_edge)
{
    struct description *d = calloc(1, sizeof *d);
    struct msg_app_description msg;
    struct value *tree;
    const struct value *list;

    begin(d, &msg);
    tree = describe_tree(d);
    list = value_get(tree, GP_STR("edges"));
    GP_REQUIRE_EQ(value_count(list), 2);
    GP_CHECK_EQ(number(list, 0, "messages"), 100);
    GP_CHECK_EQ(number(list, 0, "bytes"), 1000);
    GP_CHECK_EQ(value_count(value_get(value_at(list, 0), GP_STR("kinds"))), 2);
    GP_CHECK(description_rate(d, 1, true) == 10);
    GP_CHECK(description_rate(d, 1, false) == 100);
    value_free(tree);
    end(d, &msg);
    free(d);
}

GP_TEST(describe, has_the_members_that_programs_read)
{
    static const char *const members[] = {"application", "processors", "edges",    "executors",
                                          "tasks",       "events",     "lost",     "restarts",
                                          "moves",       "last_error", "guarantee"};
    struct description *d = calloc(1, sizeof *d);
    struct msg_app_description msg;
    struct value *tree;

    begin(d, &msg);
    tree = describe_tree(d);
    GP_CHECK_EQ(value_count(tree), sizeof members / sizeof members[0]);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        GP_CHECK(value_get(tree, gp_str_of(members[i])) != NULL);
    }
    GP_CHECK_EQ(value_count(value_get(tree, GP_STR("processors"))), 3);
    GP_CHECK_EQ(number(value_get(tree, GP_STR("processors")), 0, "in"), 0); /* no report yet */
    GP_CHECK_EQ(number(value_get(tree, GP_STR("processors")), 2, "late"), 3);
    GP_CHECK_EQ(value_count(value_get(tree, GP_STR("tasks"))), 5);
    GP_CHECK_EQ(value_count(value_get(tree, GP_STR("executors"))), 2); /* the appmaster is 0 */
    GP_CHECK_EQ(number(value_get(tree, GP_STR("executors")), 1, "tasks"), 10);
    value_free(tree);
    end(d, &msg);
    free(d);
}

GP_TEST(describe, draws_the_graph_and_where_it_runs)
{
    struct description *d = calloc(1, sizeof *d);
    struct msg_app_description msg;
    struct capture c;
    const char *text;

    begin(d, &msg);
    GP_CHECK_EQ(describe_print(d, capture_begin(&c)), 0);
    text = capture_text(&c);
    GP_CHECK(strstr(text, "words (id 7): running\n") == text);
    GP_CHECK(strstr(text, "executor 2 was lost") != NULL);
    GP_CHECK(strstr(text, "  lines (1)\n"
                          "    --shuffle--> split (4)\n"
                          "      --hash--> count (4)\n") != NULL);
    GP_CHECK(strstr(text, "pointer, tcp") != NULL);
    GP_CHECK(strstr(text, "ring, fused") != NULL);
    GP_CHECK(strstr(text, "lines 0, split 0-3, count 0-3") != NULL);
    GP_CHECK(strstr(text, "4711") != NULL);
    GP_CHECK(strstr(text, "at least 3,120 messages, and up to 40 more on their way to what died") !=
             NULL);
    GP_CHECK(strstr(text, "restarts    2 of the 10 that it may have in ") != NULL);
    GP_CHECK(strstr(text, "moves       7 tasks moved while it ran, 1 under way, 2 refused") !=
             NULL);
    GP_CHECK(strstr(text, "  executor 2 crashed: SIGSEGV (took 240 ms)\n") != NULL);
    GP_CHECK(strstr(text, "task 1: no (not over yet)\n") != NULL);
    capture_end(&c);
    end(d, &msg);
    free(d);
}

GP_TEST(describe, manages_without_a_plan)
{
    struct description *d = calloc(1, sizeof *d);
    struct msg_app_description msg = {
        .app = {.name = name, .error = no_text},
        .appmaster = {0, 0, no_text, no_text, no_text, 0, 0, 0, no_text},
        .live = {.last_error = no_text, .guarantee = no_text}};
    struct value *tree;
    struct capture c;

    GP_REQUIRE_EQ(description_init(d, &msg, NULL), 0);
    tree = describe_tree(d);
    GP_CHECK(tree != NULL);
    GP_CHECK_EQ(describe_print(d, capture_begin(&c)), 0);
    GP_CHECK(strstr(capture_text(&c), "submitted") != NULL);
    capture_end(&c);
    value_free(tree);
    description_deinit(d);
    free(d);
}

GP_TEST(describe, refuses_a_plan_that_is_none)
{
    struct description *d = calloc(1, sizeof *d);
    struct msg_app_description msg = {0};
    struct gp_error err = {0};

    msg.plan = value_new_object();
    GP_CHECK(description_init(d, &msg, &err) < 0);
    GP_CHECK(err.text[0] != '\0');
    value_free(msg.plan);
    free(d);
}
