/* Which lines of a log are wanted. */
#include "app/log_line.h"
#include "gp_test.h"

/* 2026-01-31T09:30:00Z */
#define HALF_PAST_NINE_MS INT64_C(1769851800000)

#define LINE(level) "2026-01-31T09:30:00.250000Z " level " executor task.logged text=x"
#define LINE_JSON(level)                                                                           \
    "{\"time\":\"2026-01-31T09:30:00.250000Z\",\"level\":\"" level "\",\"event\":\"x\"}"

static bool passes(const struct log_filter *filter, struct log_state *state, const char *line)
{
    return log_line_passes(filter, state, gp_str_of(line));
}

GP_TEST(log_line, levels_are_read_in_both_formats)
{
    const struct log_filter filter = {.level = LOG_LEVEL_WARN};
    struct log_state state = {0};

    GP_CHECK(!passes(&filter, &state, LINE("INFO")));
    GP_CHECK(passes(&filter, &state, LINE("WARN")));
    GP_CHECK(passes(&filter, &state, LINE("ERROR")));
    GP_CHECK(!passes(&filter, &state, LINE_JSON("debug")));
    GP_CHECK(passes(&filter, &state, LINE_JSON("warn")));
    GP_CHECK_EQ(state.time_ms, HALF_PAST_NINE_MS + 250);
}

GP_TEST(log_line, what_users_print_is_as_info)
{
    const struct log_filter all = {.level = LOG_LEVEL_DEBUG};
    const struct log_filter info = {.level = LOG_LEVEL_INFO};
    const struct log_filter warn = {.level = LOG_LEVEL_WARN};
    static const char *const lines[] = {
        "hello",   "", "ERROR in my program", "2026-01-31 WARN x", "{", "{\"level\":\"error\"}",
        "x WARN y"};

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct log_state state = {.level = LOG_LEVEL_ERROR};

        GP_CHECK(passes(&all, &state, lines[i]));
        GP_CHECK(passes(&info, &state, lines[i]));
        GP_CHECK(!passes(&warn, &state, lines[i]));
    }
}

GP_TEST(log_line, indented_lines_go_with_the_one_before)
{
    const struct log_filter filter = {.level = LOG_LEVEL_ERROR};
    struct log_state state = {0};

    GP_CHECK(passes(&filter, &state, LINE("ERROR")));
    GP_CHECK(passes(&filter, &state, "    at count.c:12"));
    GP_CHECK(passes(&filter, &state, "\tand before"));
    GP_CHECK(!passes(&filter, &state, "at last"));
    GP_CHECK(!passes(&filter, &state, "  with more"));
}

GP_TEST(log_line, a_crash_is_an_error)
{
    const struct log_filter filter = {.level = LOG_LEVEL_ERROR};
    struct log_state state = {0};

    GP_CHECK(passes(&filter, &state, "gearpump: crash signal=11 name=SIGSEGV"));
}

GP_TEST(log_line, lines_without_a_time_have_that_of_the_one_before)
{
    struct log_filter filter = {.since_ms = HALF_PAST_NINE_MS};
    struct log_state state = {0};

    GP_CHECK(!passes(&filter, &state, "before all"));
    GP_CHECK(passes(&filter, &state, LINE("INFO")));
    GP_CHECK(passes(&filter, &state, "after it"));
    filter.since_ms += 251;
    GP_CHECK(!passes(&filter, &state, LINE("INFO")));
    GP_CHECK(!passes(&filter, &state, "after it"));
}

static int64_t parsed(const char *text)
{
    int64_t ms = -1;

    return log_time_parse(gp_str_of(text), &ms) == 0 ? ms : -1;
}

GP_TEST(log_time, reads_what_logs_and_people_write)
{
    GP_CHECK_EQ(parsed("2026-01-31T09:30:00Z"), HALF_PAST_NINE_MS);
    GP_CHECK_EQ(parsed("2026-01-31 09:30Z"), HALF_PAST_NINE_MS);
    GP_CHECK_EQ(parsed("2026-01-31T09:30:01.5Z"), HALF_PAST_NINE_MS + 1500);
    GP_CHECK_EQ(parsed("2026-01-31T09:30:00.123456789Z"), HALF_PAST_NINE_MS + 123);
    GP_CHECK_EQ(parsed("1970-01-01T00:00:00Z"), 0);
}

/* Local time moves by whole quarters of an hour. */
GP_TEST(log_time, without_a_zone_is_local)
{
    int64_t away_ms = parsed("2026-01-31T09:30:00") - HALF_PAST_NINE_MS;

    GP_CHECK(parsed("2026-01-31T09:30:00") != -1);
    GP_CHECK_EQ(away_ms % 900000, 0);
}

GP_TEST(log_time, refuses_everything_else)
{
    static const char *const texts[] = {"",
                                        "5m",
                                        "2026",
                                        "2026-01-31",
                                        "2026-01-31T",
                                        "2026-01-31T09",
                                        "2026-01-31T09:30:",
                                        "2026-13-31T09:30Z",
                                        "2026-00-31T09:30Z",
                                        "2026-01-00T09:30Z",
                                        "2026-01-32T09:30Z",
                                        "2026-01-31T24:30Z",
                                        "2026-01-31T09:60Z",
                                        "2026-01-31T09:30:61Z",
                                        "2026-01-31T09:30:00Z ",
                                        "2026-01-31T09:30:00+01:00",
                                        "x026-01-31T09:30:00Z"};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        GP_CHECK_EQ(parsed(texts[i]), -1);
    }
}
