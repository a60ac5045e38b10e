/*
 * What the leader remembers: rates out of totals, rings by seconds and minutes, and its bound of
 * memory.
 */
#include <math.h>

#include "base/hist.h"
#include "base/str.h"
#include "control/master/history.h"
#include "control/master/recent.h"
#include "gp_test.h"

#define WALL_MS INT64_C(1700000000000) /* 20 s into a minute */
#define NS      INT64_C(1000000000)
#define MEMORY  ((size_t)4 << 20)

/* As an appmaster would say it after `seconds`: a source that emits 100/s to a sink. */
static struct msg_app_metrics message(uint32_t app, int64_t seconds)
{
    struct msg_app_metrics msg = {.app = app,
                                  .name = str_dup(GP_STR("job")),
                                  .time_ms = WALL_MS + seconds * 1000,
                                  .latency = str_dup(GP_STR(""))};
    struct hist *h = calloc(1, sizeof *h);

    msg.processors = calloc(2, sizeof *msg.processors);
    msg.names = calloc(2, sizeof *msg.names);
    msg.ends = calloc(1, sizeof *msg.ends);
    msg.executors = calloc(1, sizeof *msg.executors);
    msg.processors_count = 2;
    msg.names_count = 2;
    msg.ends_count = 1;
    msg.executors_count = 1;
    msg.ends[0] = (struct msg_edge_ends){0, 1};
    msg.names[0] = str_dup(GP_STR("source"));
    msg.names[1] = str_dup(GP_STR("sink"));
    hist_record_n(h, 1000000, 10);                      /* before: 1 ms */
    hist_record_n(h, 3000000, (uint64_t)seconds * 100); /* since: 3 ms */
    for (uint32_t i = 0; i < 2; i++) {
        struct msg_processor_stats *p = &msg.processors[i];

        p->processor = i;
        p->out = i == 0 ? (uint64_t)seconds * 100 : 0;
        p->in = i == 1 ? (uint64_t)seconds * 100 : 0;
        p->busy_ns = (uint64_t)seconds * 250000000;
        p->idle_ns = (uint64_t)seconds * 750000000;
        p->watermark = (msg.time_ms - 500) * 1000000;
        p->processing = str_dup(GP_STR(""));
        GP_REQUIRE_EQ(hist_to_text(h, &p->latency), 0);
    }
    msg.executors[0] = (struct msg_executor_vitals){
        1,
        1,
        str_dup(GP_STR("host")),
        {.pid = 7, .up_ms = 1, .cpu_ns = (uint64_t)seconds * 2 * 1000000000}};
    free(h);
    return msg;
}

static void add(struct history *h, uint32_t app, int64_t seconds)
{
    struct msg_app_metrics msg = message(app, seconds);

    history_add_take(h, &msg, WALL_MS + seconds * 1000, (seconds + 1) * NS);
    fields_deinit(&msg_app_metrics_fields, &msg);
}

static const char *series(const struct msg_metrics_history *reply, const char *processor,
                          uint32_t executor, const char *metric)
{
    for (uint32_t i = 0; i < reply->series_count; i++) {
        const struct msg_series *s = &reply->series[i];
        if (strcmp(s->processor, processor) == 0 && s->executor == executor &&
            strcmp(s->metric, metric) == 0) {
            return s->values;
        }
    }
    return NULL;
}

/* How it is now; NAN: not told. */
static double now_of(const struct msg_metrics_history *reply, const char *processor,
                     uint32_t executor, const char *metric)
{
    const char *what = executor ? METRICS_NOW_EXECUTOR : METRICS_NOW;
    const char *figures = series(reply, processor, executor, what);
    gp_str rest = gp_str_of(figures ? figures : "");
    gp_str figure;
    gp_str name;
    gp_str text;
    double value;
    bool more = true;

    while (more) {
        more = str_cut(rest, ',', &figure, &rest);
        if (str_cut(figure, '=', &name, &text) && str_eq(name, gp_str_of(metric)) &&
            str_to_double(text, &value) == 0) {
            return value;
        }
    }
    return NAN;
}

static struct msg_metrics_history answer(struct history *h, uint32_t app, uint32_t window)
{
    const struct msg_metrics_read read = {.window = window, .processor = MSG_NO_TEXT};
    struct msg_metrics_history reply = {0};

    GP_REQUIRE_EQ(history_read(h, app, &read, &reply), 0);
    return reply;
}

GP_TEST(history, tells_how_it_is_now)
{
    struct history *h = NULL;
    struct msg_metrics_history reply;

    GP_REQUIRE_EQ(history_new(MEMORY, NULL, &h), 0);
    GP_CHECK_EQ(history_read(h, 1, &(struct msg_metrics_read){.processor = MSG_NO_TEXT}, &reply),
                GP_ENOENT);
    add(h, 1, 10);
    add(h, 1, 12);
    reply = answer(h, 1, METRICS_LATEST);
    GP_CHECK_EQ(reply.latest.processors[1].in, 1200);
    GP_CHECK(now_of(&reply, "", 0, "source_rate") == 100);
    GP_CHECK(now_of(&reply, "", 0, "sink_rate") == 100);
    GP_CHECK(now_of(&reply, "sink", 0, "rate_in") == 100);
    GP_CHECK(now_of(&reply, "sink", 0, "busy") == 0.25);
    GP_CHECK(now_of(&reply, "sink", 0, "idle") == 0.75);
    GP_CHECK(now_of(&reply, "sink", 0, "watermark_lag_ms") == 500);
    GP_CHECK(now_of(&reply, "sink", 0, "latency_count") == 200);
    GP_CHECK(fabs(now_of(&reply, "sink", 0, "latency_p50_us") - 3000) < 30);
    GP_CHECK(reply.latest.processors[1].latency == NULL); /* it stays here */
    GP_CHECK(now_of(&reply, "", 1, "cpu") == 2);
    history_read_deinit(&reply);
    history_free(h);
}

/* An appmaster tells its last counts out of turn, and its executors no more. */
GP_TEST(history, has_no_rates_of_what_has_ended)
{
    struct msg_app_metrics last = message(1, 12);
    struct msg_metrics_history reply;
    struct history *h = NULL;

    GP_REQUIRE_EQ(history_new(MEMORY, NULL, &h), 0);
    add(h, 1, 10);
    add(h, 1, 12);
    last.interval_ms = 1000;
    last.time_ms += 50;
    last.processors[1].in += 1000;
    free(last.executors[0].host);
    last.executors_count = 0;
    history_add_take(h, &last, last.time_ms, 13 * NS + 50000000);
    history_ended(h, 1);
    reply = answer(h, 1, METRICS_LATEST);
    GP_CHECK_EQ(reply.latest.processors[1].in, 2200);
    GP_CHECK_EQ(reply.latest.executors_count, 0);
    GP_CHECK(isnan(now_of(&reply, "sink", 0, "rate_in"))); /* what has ended has no rate */
    history_read_deinit(&reply);
    reply = answer(h, 1, METRICS_MINUTES);
    GP_CHECK_STR_EQ(strrchr(series(&reply, "", 1, "cpu"), ','), ",2");
    history_read_deinit(&reply);
    history_free(h);
}

GP_TEST(history, keeps_minutes_by_seconds_and_days_by_minutes)
{
    struct history *h = NULL;
    struct msg_metrics_history reply;
    const char *values;
    int commas = 0;

    GP_REQUIRE_EQ(history_new(MEMORY, NULL, &h), 0);
    for (int64_t s = 1; s <= 400; s++) {
        if (s != 395) { /* one was lost: the next one covers two seconds */
            add(h, 1, s);
        }
    }
    reply = answer(h, 1, METRICS_MINUTES);
    GP_CHECK_EQ(reply.step_ms, 1000);
    GP_CHECK_EQ(reply.end_ms, WALL_MS + 400000);
    values = series(&reply, "source", 0, "rate_out");
    for (const char *at = values; *at; at++) {
        commas += *at == ',';
    }
    GP_CHECK_EQ(commas, TRACK_SECONDS - 1);
    GP_CHECK(strncmp(values, "100,100,", 8) == 0);
    GP_CHECK_STR_EQ(values + strlen(values) - 28, "100,100,,100,100,100,100,100");
    history_read_deinit(&reply);
    reply = answer(h, 1, METRICS_DAY);
    GP_CHECK_EQ(reply.end_ms % 60000, 0);
    values = series(&reply, "source", 0, "rate_out");
    GP_CHECK(strncmp(values, ",,,,", 4) == 0);
    GP_CHECK_STR_EQ(values + strlen(values) - 27, "100,100,100,100,100,100,100");
    history_read_deinit(&reply);
    history_free(h);
}

/* A restart of the appmaster's counts is no negative rate. */
GP_TEST(history, takes_smaller_totals_for_a_new_beginning)
{
    struct history *h = NULL;
    struct msg_metrics_history reply;
    struct msg_app_metrics msg = message(1, 1);

    GP_REQUIRE_EQ(history_new(MEMORY, NULL, &h), 0);
    add(h, 1, 100);
    msg.time_ms = WALL_MS + 101000;
    history_add_take(h, &msg, WALL_MS + 101000, 102 * NS);
    reply = answer(h, 1, METRICS_LATEST);
    GP_CHECK(now_of(&reply, "sink", 0, "rate_in") == 100);
    GP_CHECK(now_of(&reply, "sink", 0, "latency_count") == 110);
    history_read_deinit(&reply);
    history_free(h);
}

/* It must not make room for itself. */
GP_TEST(history, an_ended_application_tells_nothing_more)
{
    struct history *h = NULL;
    struct msg_metrics_history reply;

    GP_REQUIRE_EQ(history_new(32 << 10, NULL, &h), 0); /* no room for a track */
    add(h, 1, 1);
    history_ended(h, 1);
    add(h, 1, 2);
    reply = answer(h, 1, METRICS_LATEST);
    GP_CHECK_EQ(reply.latest.processors[1].in, 100);
    history_read_deinit(&reply);
    history_free(h);
}

GP_TEST(history, stays_within_its_memory)
{
    struct history *h = NULL;
    struct msg_metrics_history reply;
    struct msg_metrics_read read = {.processor = MSG_NO_TEXT};

    GP_REQUIRE_EQ(history_new(600 << 10, NULL, &h), 0);
    for (uint32_t app = 1; app <= 10; app++) {
        for (int64_t s = 1; s <= 3; s++) {
            add(h, app, s);
            GP_CHECK(history_bytes(h) <= (600 << 10) + 10 * 16384);
        }
        if (app < 5) {
            history_ended(h, app);
        }
    }
    GP_CHECK_EQ(history_read(h, 1, &read, &reply), GP_ENOENT); /* ended first */
    reply = answer(h, 10, METRICS_LATEST);                     /* no room, but for how it is now */
    GP_CHECK(now_of(&reply, "sink", 0, "rate_in") == 100);
    history_read_deinit(&reply);
    history_clear(h);
    GP_CHECK_EQ(history_bytes(h), 0);
    history_free(h);
}
