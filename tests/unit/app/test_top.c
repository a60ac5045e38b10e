/* gpctl top: from answers and keys to pictures. */
#include <string.h>

#include "app/top.h"
#include "edge/json.h"
#include "gp_test.h"

#define NOW_MS INT64_C(1700000010000)

static const char apps_json[] =
    "[{\"id\":1,\"name\":\"words\",\"state\":\"running\",\"started_ms\":1700000000000,"
    "\"executors\":2,\"tasks\":12,\"error\":\"\"},"
    "{\"id\":2,\"name\":\"ticker\",\"state\":\"starting\",\"started_ms\":0,"
    "\"executors\":1,\"tasks\":2,\"error\":\"no \\u001b[31mroom\"}]";

static const char metrics_json[] =
    "{\"app\":1,\"name\":\"words\",\"time_ms\":1700000009000,\"source_rate\":1000000.0,"
    "\"sink_rate\":2000.0,\"latency\":{\"p50_us\":1200.0,\"p99_us\":4000.0},"
    "\"stalled\":[],\"processors\":["
    "{\"name\":\"split\",\"tasks\":4,\"in\":10,\"out\":20,\"rate_in\":1000000.0,"
    "\"rate_out\":5000000.0,\"busy\":0.4,\"idle\":0.0,\"blocked\":0.6,\"queue\":7,"
    "\"watermark_lag_ms\":1500,\"latency\":{\"p50_us\":100.0,\"p99_us\":2000.0},\"slowest\":[]},"
    "{\"name\":\"count\",\"tasks\":8,\"in\":20,\"out\":0,\"rate_in\":5000000.0,\"rate_out\":0.0,"
    "\"busy\":0.97,\"idle\":0.03,\"blocked\":0.0,\"queue\":900,\"watermark_lag_ms\":null,"
    "\"latency\":{\"p50_us\":null,\"p99_us\":null},\"slowest\":["
    "{\"task\":3,\"executor\":1,\"in\":5,\"out\":0,\"rate_in\":900.0,\"rate_out\":0.0,"
    "\"busy\":0.5,\"blocked\":0.25,\"queue\":11,\"watermark_ms\":1700000008000,"
    "\"latency_p99_us\":null}]}]}";

static struct value *parse(const char *json)
{
    struct value *v = NULL;

    GP_REQUIRE(edge_json_parse(gp_str_of(json), &v, NULL) == 0);
    return v;
}

/* As after one round. */
static void begin(struct top *t)
{
    top_init(t);
    t->now_ms = NOW_MS;
    top_take_apps(t, parse(apps_json), false);
    top_take_metrics(t, 1, parse(metrics_json));
}

static void open_words(struct top *t)
{
    begin(t);
    top_press(t, TOP_KEY_OPEN);
    top_take_metrics(t, 1, parse(metrics_json));
}

/* Line `at` of the picture; valid until the next one. */
static const char *line(struct top *t, uint32_t rows, uint32_t columns, uint32_t at)
{
    static char text[PICTURE_COLUMNS_MAX * 4];
    struct picture p;
    gp_str rest;
    gp_str found = {0};

    picture_init(&p, rows, columns);
    GP_REQUIRE(top_draw(t, "127.0.0.1:3000", &p) == 0);
    GP_CHECK_EQ(p.used, rows);
    rest = buf_str(&p.text);
    for (uint32_t i = 0; i <= at; i++) {
        GP_REQUIRE(rest.len > 0);
        const char *end = memchr(rest.ptr, '\n', rest.len);

        found = (gp_str){rest.ptr, (size_t)(end - rest.ptr)};
        rest = (gp_str){end + 1, rest.len - found.len - 1};
    }
    GP_REQUIRE(found.len < sizeof text);
    memcpy(text, found.ptr, found.len);
    text[found.len] = '\0';
    picture_deinit(&p);
    return text;
}

static enum picture_style style(struct top *t, uint32_t at)
{
    struct picture p;
    enum picture_style found;

    picture_init(&p, 24, 80);
    GP_REQUIRE(top_draw(t, "x", &p) == 0);
    found = (enum picture_style)p.styles[at];
    picture_deinit(&p);
    return found;
}

static void press_all(struct top *t, const char *sent)
{
    gp_str rest = gp_str_of(sent);
    enum top_key key;

    while ((key = top_next_key(&rest)) != TOP_KEY_NONE) {
        top_press(t, key);
    }
}

GP_TEST(top, shows_applications_with_their_rates)
{
    struct top t;

    begin(&t);
    GP_CHECK(strncmp(line(&t, 24, 80, 0), "gpctl top  127.0.0.1:3000 ", 26) == 0);
    GP_CHECK_STR_EQ(line(&t, 24, 80, 1), "applications: 2 running");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 3),
                    "   ID  NAME    STATE     TASKS     RUN      IN/S     OUT/S      P50      P99");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 4),
                    ">   1  words   running      12  10.0 s  1.00 M/s  2.00 k/s  1.20 ms  4.00 ms");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 5),
                    "    2  ticker  starting      2       -         -         -        -        -");
    GP_CHECK(strstr(line(&t, 24, 80, 23), "q quit") != NULL);
    top_deinit(&t);
}

/* An error comes from user code: it must not reach the terminal as it is. */
GP_TEST(top, shows_more_on_a_wide_screen)
{
    struct top t;

    begin(&t);
    GP_CHECK(strstr(line(&t, 24, 160, 3), "LAST ERROR") != NULL);
    GP_CHECK(strstr(line(&t, 24, 160, 5), "no \\x1b[31mroom") != NULL);
    top_deinit(&t);
}

GP_TEST(top, opens_the_processors_of_the_selected_application)
{
    struct top t;

    open_words(&t);
    GP_CHECK_EQ(t.app, 1);
    GP_CHECK_STR_EQ(line(&t, 24, 100, 1), "applications > words (1)  running 10.0 s  in 1.00 M/s  "
                                          "out 2.00 k/s  p50 1.20 ms  p99 4.00 ms");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 3),
                    "   PROCESSOR      IN/S     OUT/S  TIME           P50      P99  QUEUE     LAG");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 4),
                    ">  split      1.00 M/s  5.00 M/s  ####!!!!!!  100 us  2.00 ms      7  1.50 s");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 5),
                    "   count      5.00 M/s       0/s  ##########       -        -    900       -");
    top_deinit(&t);
}

GP_TEST(top, opens_the_slowest_tasks_of_a_processor_and_goes_back)
{
    struct top t;

    open_words(&t);
    press_all(&t, "j\r");
    GP_CHECK_EQ(t.view, TOP_TASKS);
    GP_CHECK(strstr(line(&t, 24, 80, 1), "words (1) > count") != NULL);
    GP_CHECK_STR_EQ(
        line(&t, 24, 80, 4),
        ">     3         1  900/s    0/s  #####!!...  50 %     25 %    -     11  1.00 s");
    press_all(&t, "\x1b");
    GP_CHECK_EQ(t.view, TOP_PROCESSORS);
    GP_CHECK(strncmp(line(&t, 24, 80, 5), ">  count", 8) == 0);
    press_all(&t, "\x7f");
    GP_CHECK_EQ(t.view, TOP_APPS);
    GP_CHECK_EQ(t.app, 0);
    press_all(&t, "\x1b");
    GP_CHECK(!t.is_over);
    press_all(&t, "q");
    GP_CHECK(t.is_over);
    top_deinit(&t);
}

GP_TEST(top, sorts_by_the_column_that_is_chosen)
{
    struct top t;

    open_words(&t);
    press_all(&t, "\x1b[C\x1b[C\x1b[C"); /* PROCESSOR, TASKS, IN/S */
    GP_CHECK(strstr(line(&t, 24, 80, 3), "IN/S v") != NULL);
    GP_CHECK(strncmp(line(&t, 24, 80, 4), "   count", 8) == 0);
    GP_CHECK(strncmp(line(&t, 24, 80, 5), ">  split", 8) == 0); /* is selected still */
    press_all(&t, "r");
    GP_CHECK(strstr(line(&t, 24, 80, 3), "IN/S ^") != NULL);
    GP_CHECK(strncmp(line(&t, 24, 80, 4), ">  split", 8) == 0);
    press_all(&t, "<<<<"); /* once around: the last column */
    GP_CHECK(strstr(line(&t, 24, 80, 3), "REJECTED v") != NULL);
    top_deinit(&t);
}

GP_TEST(top, the_selection_follows_its_row_and_outlives_it)
{
    struct top t;

    begin(&t);
    press_all(&t, "j");
    top_take_apps(&t, parse("[{\"id\":2,\"name\":\"ticker\"},{\"id\":3,\"name\":\"new\"}]"), false);
    GP_CHECK(strncmp(line(&t, 24, 80, 4), ">   2", 5) == 0);
    top_take_apps(&t, parse("[{\"id\":3,\"name\":\"new\"}]"), false);
    GP_CHECK(strncmp(line(&t, 24, 80, 4), ">   3", 5) == 0);
    top_take_apps(&t, parse("[]"), false);
    GP_CHECK(strstr(line(&t, 24, 80, 2), "gpctl submit") != NULL);
    press_all(&t, "j\r");
    GP_CHECK_EQ(t.view, TOP_APPS);
    top_deinit(&t);
}

GP_TEST(top, scrolls_to_what_is_selected)
{
    struct top t;

    begin(&t);
    GP_CHECK(strncmp(line(&t, 6, 80, 4), ">   1", 5) == 0);
    press_all(&t, "\x1b[F");
    GP_CHECK(strncmp(line(&t, 6, 80, 4), ">   2", 5) == 0);
    GP_CHECK(strstr(line(&t, 6, 80, 5), "q quit") != NULL);
    press_all(&t, "\x1b[5~");
    GP_CHECK(strncmp(line(&t, 6, 80, 4), ">   1", 5) == 0);
    top_deinit(&t);
}

GP_TEST(top, rows_say_by_colour_what_is_wrong)
{
    struct top t;

    open_words(&t);
    GP_CHECK_EQ(style(&t, 3), PICTURE_STRONG);
    GP_CHECK_EQ(style(&t, 4), PICTURE_SELECTED);
    press_all(&t, "j");
    GP_CHECK_EQ(style(&t, 4), PICTURE_WARNING); /* blocked 60 % */
    top_take_metrics(&t, 1,
                     parse("{\"app\":1,\"time_ms\":1700000009000,\"stalled\":[{\"processor\":"
                           "\"split\",\"since_ms\":1700000000000}],"
                           "\"processors\":[{\"name\":\"split\"},{\"name\":\"count\"}]}"));
    GP_CHECK_EQ(style(&t, 4), PICTURE_ALARM);
    GP_CHECK(strstr(line(&t, 24, 80, 2), "waits for split") != NULL);
    top_deinit(&t);
}

GP_TEST(top, says_what_it_does_not_know)
{
    struct top t;

    top_init(&t);
    GP_CHECK_STR_EQ(line(&t, 24, 80, 2), "asking ...");
    top_failed(&t, "nobody listens at 127.0.0.1:3000");
    GP_CHECK_STR_EQ(line(&t, 24, 80, 2), "no answer: nobody listens at 127.0.0.1:3000");
    GP_CHECK_EQ(style(&t, 2), PICTURE_ALARM);
    top_take_apps(&t, parse(apps_json), false);
    top_open(&t, 2);
    GP_CHECK_STR_EQ(line(&t, 24, 80, 2), "nothing was told yet");
    top_take_metrics(&t, 2, parse("{\"app\":2,\"time_ms\":0,\"processors\":[]}"));
    GP_CHECK(t.metrics == NULL);
    top_take_apps(&t, parse("[]"), false);
    GP_CHECK(t.has_ended);
    GP_CHECK(strstr(line(&t, 24, 80, 2), "it has ended") != NULL);
    top_deinit(&t);
}

GP_TEST(top, asks_for_all_in_turn_and_for_the_open_one_alone)
{
    struct top t;
    uint32_t turn = 0;
    uint32_t apps[2];

    begin(&t);
    GP_CHECK_EQ(top_wanted(&t, &turn, 1, apps), 1);
    GP_CHECK_EQ(apps[0], 1);
    GP_CHECK_EQ(top_wanted(&t, &turn, 1, apps), 1);
    GP_CHECK_EQ(apps[0], 2);
    GP_CHECK_EQ(top_wanted(&t, &turn, 2, apps), 2);
    top_open(&t, 7);
    GP_CHECK_EQ(top_wanted(&t, &turn, 2, apps), 1);
    GP_CHECK_EQ(apps[0], 7);
    top_deinit(&t);
}

/* Sizes that make no sense must not break it: terminals are made small by accident. */
GP_TEST(top, fits_any_size)
{
    struct top t;

    open_words(&t);
    for (int help = 0; help < 2; help++) {
        for (uint32_t rows = 1; rows < 30; rows++) {
            for (uint32_t columns = 1; columns < 200; columns += 13) {
                (void)line(&t, rows, columns, rows - 1);
            }
        }
        top_press(&t, TOP_KEY_HELP);
    }
    top_deinit(&t);
}

GP_TEST(top, help_covers_the_view_until_it_is_left)
{
    struct top t;

    begin(&t);
    press_all(&t, "?");
    GP_CHECK(strstr(line(&t, 24, 80, 3), "enter") != NULL);
    for (uint32_t i = 1; i < 24; i++) {
        GP_CHECK(strlen(line(&t, 24, 80, i)) < 80); /* nothing is cut */
    }
    press_all(&t, "\x1b");
    GP_CHECK(!t.has_help);
    GP_CHECK_EQ(t.view, TOP_APPS);
    top_deinit(&t);
}

/* ---- keys ---- */

GP_TEST(top, skips_keys_that_it_does_not_know)
{
    gp_str sent = GP_STR("x\x1b[15~\x1b[1;5Bj\x1b[");

    GP_CHECK_EQ(top_next_key(&sent), TOP_KEY_DOWN);
    GP_CHECK_EQ(top_next_key(&sent), TOP_KEY_NONE);
    GP_CHECK_EQ(sent.len, 0);
}

GP_TEST(top, an_escape_alone_goes_back)
{
    gp_str sent = GP_STR("\x1bq");

    GP_CHECK_EQ(top_next_key(&sent), TOP_KEY_BACK);
    GP_CHECK_EQ(top_next_key(&sent), TOP_KEY_QUIT);
}
