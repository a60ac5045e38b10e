/* Log lines: their form, their escapes, their bound; and the brake for repeated ones. */
#include <math.h>

#include "base/log.h"
#include "base/str.h"
#include "gp_test.h"

static char last[LOG_LINE_MAX + 1];
static int lines;

static void keep(void *ctx, enum log_level level, gp_str line)
{
    (void)ctx;
    (void)level;
    GP_REQUIRE(line.len <= LOG_LINE_MAX);
    memcpy(last, line.ptr, line.len);
    last[line.len] = '\0';
    lines++;
}

static int64_t fixed_time(void *ctx)
{
    return *(const int64_t *)ctx;
}

static int64_t now_ns = INT64_C(1769851800123456789); /* 2026-01-31 09:30 */

static struct log make_log(enum log_format format)
{
    last[0] = '\0';
    lines = 0;
    return (struct log){
        .level = LOG_LEVEL_INFO,
        .format = format,
        .sink = keep,
        .clock = fixed_time,
        .clock_ctx = &now_ns,
        .node = "worker/3",
    };
}

GP_TEST(log, text_line_has_time_level_node_event_and_values)
{
    struct log log = make_log(LOG_FORMAT_TEXT);
    const char *host = "a b";

    LOG_INFO(&log, "task.started", KV_U64("task", 7), KV_STR("host", host));
    GP_CHECK_STR_EQ(last,
                    "2026-01-31T09:30:00.123456Z INFO worker/3 task.started task=7 host=\"a b\"\n");
}

GP_TEST(log, json_line_is_one_object)
{
    struct log log = make_log(LOG_FORMAT_JSON);

    LOG_WARN(&log, "frame.dropped", KV_I64("delta", -3), KV_STR("peer", GP_STR("x\"\n")),
             KV_BOOL("last", true), KV_DOUBLE("rate", 0.5), KV_HEX("id", 255),
             KV_CODE("code", GP_ENOENT));
    GP_CHECK_STR_EQ(last, "{\"time\":\"2026-01-31T09:30:00.123456Z\",\"level\":\"warn\","
                          "\"node\":\"worker/3\",\"event\":\"frame.dropped\",\"delta\":-3,"
                          "\"peer\":\"x\\\"\\n\",\"last\":true,\"rate\":0.5,\"id\":\"0xff\","
                          "\"code\":\"GP_ENOENT\"}\n");
}

GP_TEST(log, an_event_needs_no_values_time_or_node)
{
    struct log log = make_log(LOG_FORMAT_TEXT);

    log.clock = NULL;
    log.node[0] = '\0';
    LOG_ERROR(&log, "disk.failed");
    GP_CHECK_STR_EQ(last, "ERROR disk.failed\n");
    log.format = LOG_FORMAT_JSON;
    LOG_ERROR(&log, "disk.failed");
    GP_CHECK_STR_EQ(last, "{\"level\":\"error\",\"event\":\"disk.failed\"}\n");
}

GP_TEST(log, numbers_that_are_none_do_not_spoil_the_line)
{
    struct log log = make_log(LOG_FORMAT_JSON);
    double none = (double)INFINITY;

    log.clock = NULL;
    log.node[0] = '\0';
    LOG_INFO(&log, "x", KV_DOUBLE("a", none), KV_U64("b", UINT64_MAX));
    GP_CHECK_STR_EQ(last, "{\"level\":\"info\",\"event\":\"x\",\"a\":null,"
                          "\"b\":18446744073709551615}\n");
    log.format = LOG_FORMAT_TEXT;
    LOG_INFO(&log, "x", KV_DOUBLE("a", none), KV_DOUBLE("b", none - none));
    GP_CHECK_STR_EQ(last, "INFO x a=inf b=nan\n");
}

GP_TEST(log, levels_below_are_dropped_and_cost_nothing)
{
    struct log log = make_log(LOG_FORMAT_TEXT);
    struct log silent = {0};
    uint64_t evaluated = 0;

    LOG_DEBUG(&log, "task.moved", KV_U64("n", ++evaluated));
    GP_CHECK_EQ(evaluated, 0);
    GP_CHECK_EQ(lines, 0);
    log.level = LOG_LEVEL_OFF;
    LOG_ERROR(&log, "disk.failed");
    LOG_ERROR(&silent, "disk.failed");
    LOG_ERROR((struct log *)NULL, "disk.failed");
    GP_CHECK_EQ(lines, 0);
    log.level = LOG_LEVEL_DEBUG;
    LOG_DEBUG(&log, "task.moved");
    GP_CHECK_EQ(lines, 1);
}

GP_TEST(log, text_values_cannot_forge_fields_or_lines)
{
    struct log log = make_log(LOG_FORMAT_TEXT);

    log.clock = NULL;
    log.node[0] = '\0';
    LOG_INFO(&log, "x", KV_STR("a", "b c=d"), KV_STR("e", "f\ng\x1b[2J"), KV_STR("h", ""),
             KV_STR("i", (const char *)NULL), KV_STR("j", "plain"));
    GP_CHECK_STR_EQ(last, "INFO x a=\"b c=d\" e=\"f\\ng\\x1b[2J\" h=\"\" i=\"\" j=plain\n");
}

/* However long the values: one line, within bounds, whole, and marked as cut. */
GP_TEST(log, long_values_are_cut_and_marked)
{
    static char text[5000];

    for (size_t len = 900; len < sizeof(text); len += 7) {
        gp_str value = {.ptr = text, .len = len};

        for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
            struct log log = make_log((enum log_format)format);
            size_t last_len;

            memset(text, len % 2 == 0 ? '\n' : 'x', sizeof(text));
            LOG_INFO(&log, "x", KV_STR("a", value), KV_STR("b", value), KV_U64("c", 1));
            last_len = strlen(last);
            GP_REQUIRE_EQ(lines, 1);
            GP_REQUIRE(strchr(last, '\n') == last + last_len - 1);
            if (len > 1024) {
                GP_REQUIRE(strstr(last, format == LOG_FORMAT_JSON ? ",\"c\":1,\"cut\":true}\n"
                                                                  : " c=1 cut=true\n") != NULL);
            }
        }
    }
}

GP_TEST(log, one_long_value_keeps_its_beginning)
{
    static char text[3000];
    struct log log = make_log(LOG_FORMAT_TEXT);

    memset(text, 'x', sizeof(text) - 1);
    LOG_INFO(&log, "x", KV_STR("a", text));
    GP_CHECK(strstr(last, " a=xxx") != NULL);
    GP_CHECK(strstr(last, "xxx...\n") != NULL);
}

GP_TEST(log, times_are_right_across_the_calendar)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00"},          {951782399, "2000-02-28T23:59:59"},
        {951782400, "2000-02-29T00:00:00"},  {951868800, "2000-03-01T00:00:00"},
        {1709164800, "2024-02-29T00:00:00"}, {4107542400, "2100-03-01T00:00:00"},
        {-1, "1969-12-31T23:59:59"},         {1767225599, "2025-12-31T23:59:59"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log log = make_log(LOG_FORMAT_TEXT);
        int64_t ns = cases[i].seconds * INT64_C(1000000000);

        log.clock_ctx = &ns;
        LOG_INFO(&log, "x");
        last[strlen(cases[i].text)] = '\0';
        GP_CHECK_STR_EQ(last, cases[i].text);
    }
}

GP_TEST(log, the_brake_lets_one_through_per_interval_and_counts_the_rest)
{
    struct log_limit limit = {.interval_ns = 100}; /* burst: 1 */
    uint64_t held_back = 99;

    GP_CHECK(log_limit_pass(&limit, -50, &held_back)); /* the first, whatever the clock says */
    GP_CHECK_EQ(held_back, 0);
    GP_CHECK(!log_limit_pass(&limit, 0, &held_back));
    GP_CHECK(!log_limit_pass(&limit, 49, &held_back));
    GP_CHECK(log_limit_pass(&limit, 50, &held_back));
    GP_CHECK_EQ(held_back, 2);
    GP_CHECK(!log_limit_pass(&limit, 149, &held_back));
    GP_CHECK(log_limit_pass(&limit, 500, &held_back));
    GP_CHECK_EQ(held_back, 1);
}

GP_TEST(log, level_names_go_there_and_back)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_OFF; i++) {
        enum log_level level = LOG_LEVEL_DEBUG;

        GP_CHECK_EQ(log_level_parse(gp_str_of(log_level_name((enum log_level)i)), &level), 0);
        GP_CHECK_EQ(level, i);
    }
    GP_CHECK_EQ(log_level_parse(GP_STR("INFO"), &(enum log_level){0}), GP_EINVAL);
}

GP_TEST(log, a_brake_may_let_a_burst_through)
{
    struct log_limit limit = {.interval_ns = 100, .burst = 2};
    uint64_t held_back = 9;

    GP_CHECK(log_limit_pass(&limit, 0, &held_back));
    GP_CHECK(log_limit_pass(&limit, 1, &held_back));
    GP_CHECK(!log_limit_pass(&limit, 2, &held_back));
    GP_CHECK(!log_limit_pass(&limit, 99, &held_back));
    GP_CHECK_EQ(held_back, 0);
    GP_CHECK(log_limit_pass(&limit, 100, &held_back));
    GP_CHECK_EQ(held_back, 2);
    GP_CHECK(log_limit_pass(&limit, 101, &held_back));
    GP_CHECK_EQ(held_back, 0);
    GP_CHECK(!log_limit_pass(&limit, 102, &held_back));
}
