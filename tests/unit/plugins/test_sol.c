/*
 * SOL: that it measures what it says, and notices what is lost, repeated or damaged.
 */
#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "gp_test.h"
#include "sol/histogram.h"

#define SECOND_NS 1000000000

static struct gp_kit *made(const char *type, uint32_t index, uint32_t parallelism)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, type), index, parallelism);

    GP_REQUIRE(kit != NULL);
    if (strcmp(type, "sink") == 0) {
        (void)gp_kit_set(kit, "ordered", "1");
        (void)gp_kit_set(kit, "complete", "1");
    }
    return kit;
}

static void push(const struct gp_kit *source, struct gp_kit *sink, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i <= last; i++) {
        const struct gp_row *row = gp_kit_row(source, 0, i);
        struct gp_msg msg = {.size = sizeof msg};
        GP_REQUIRE(row != NULL);
        msg.time_ns = row->time_ns;
        msg.value = row->value;
        msg.value_len = row->value_len;
        GP_REQUIRE_EQ(gp_kit_push_msg(sink, 0, &msg), GP_OK);
    }
}

/* Rows first..last of what the source made go to the sink. */
static void carry(const struct gp_kit *source, struct gp_kit *sink, uint32_t first, uint32_t last)
{
    push(source, sink, first, last);
    GP_CHECK_EQ(gp_kit_run(sink), GP_OK);
}

/* The number behind "name": in the sink's last line of log. */
static double reported(const struct gp_kit *sink, const char *name)
{
    const char *line = gp_kit_log(sink, gp_kit_logs(sink) - 1, NULL);
    char quoted[32];
    const char *at;

    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    at = line ? strstr(line, quoted) : NULL;
    GP_REQUIRE(at != NULL);
    return strtod(at + strlen(quoted), NULL);
}

static struct gp_kit *full_source(uint32_t messages)
{
    struct gp_kit *source = made("source", 0, 1);

    GP_REQUIRE_EQ(gp_kit_open(source), GP_OK);
    GP_REQUIRE_EQ(gp_kit_poll(source, messages), GP_MORE);
    GP_REQUIRE_EQ(gp_kit_count(source, 0), messages);
    return source;
}

static struct gp_kit *open_sink(void)
{
    struct gp_kit *sink = made("sink", 0, 1);

    GP_REQUIRE_EQ(gp_kit_open(sink), GP_OK);
    return sink;
}

static void end(struct gp_kit *sink)
{
    GP_CHECK_EQ(gp_kit_end(sink), GP_OK);
    GP_CHECK_EQ(gp_kit_run(sink), GP_OK);
}

GP_TEST(sol, finds_nothing_wrong_with_what_is_right)
{
    struct gp_kit *source = full_source(1000);
    struct gp_kit *sink = open_sink();

    gp_kit_advance(sink, 3000000); /* three milliseconds on the way */
    carry(source, sink, 0, 999);
    end(sink);
    GP_CHECK_EQ(reported(sink, "messages"), 1000);
    GP_CHECK_EQ(reported(sink, "bytes"), 100);
    GP_CHECK_EQ(reported(sink, "out_of_order"), 0);
    GP_CHECK_EQ(reported(sink, "missing"), 0);
    GP_CHECK_EQ(reported(sink, "corrupt"), 0);
    GP_CHECK_EQ(reported(sink, "p50"), 3000);
    GP_CHECK_EQ(reported(sink, "max"), 3000);
    GP_CHECK_EQ(gp_kit_counter(sink, "messages"), 1000);
    gp_kit_free(sink);
    gp_kit_free(source);
}

GP_TEST(sol, counts_what_is_missing_repeated_and_damaged)
{
    struct gp_kit *source = full_source(100);
    struct gp_kit *sink = open_sink();
    char damaged[100];
    struct gp_msg msg = {.size = sizeof msg, .value = damaged, .value_len = sizeof damaged};

    carry(source, sink, 0, 9);
    carry(source, sink, 15, 20); /* 10..14 are lost */
    carry(source, sink, 18, 19); /* come again */
    memcpy(damaged, gp_kit_row(source, 0, 21)->value, sizeof damaged);
    damaged[99] ^= 1;
    GP_CHECK_EQ(gp_kit_push_msg(sink, 0, &msg), GP_OK);
    msg.value_len--;
    GP_CHECK_EQ(gp_kit_push_msg(sink, 0, &msg), GP_OK);
    carry(source, sink, 21, 99);
    end(sink);
    GP_CHECK_EQ(reported(sink, "messages"), 10 + 6 + 2 + 79);
    GP_CHECK_EQ(reported(sink, "missing"), 5);
    GP_CHECK_EQ(reported(sink, "out_of_order"), 2);
    GP_CHECK_EQ(reported(sink, "corrupt"), 2);
    gp_kit_free(sink);
    gp_kit_free(source);
}

/* Rows that are as expected are taken in one go, up to one that is not. */
GP_TEST(sol, finds_a_fault_among_rows_that_are_right)
{
    struct gp_kit *source = full_source(300);
    struct gp_kit *other = made("source", 7, 8);
    struct gp_kit *sink = open_sink();
    char bad[101] = {0};
    struct gp_msg msg = {.size = sizeof msg, .value = bad, .value_len = 100};

    GP_REQUIRE_EQ(gp_kit_open(other), GP_OK);
    GP_REQUIRE_EQ(gp_kit_poll(other, 5), GP_MORE);
    push(source, sink, 0, 9);
    push(source, sink, 12, 20); /* 10 and 11 are lost */
    push(source, sink, 18, 20); /* come again, in order of their own */
    memcpy(bad, gp_kit_row(source, 0, 21)->value, 100);
    bad[99] ^= 1;
    GP_CHECK_EQ(gp_kit_push_msg(sink, 0, &msg), GP_OK); /* 21 is lost, too */
    push(source, sink, 22, 30);
    push(other, sink, 0, 4);
    push(source, sink, 31, 40);
    memcpy(bad, gp_kit_row(source, 0, 41)->value, 100);
    msg.value_len++;
    GP_CHECK_EQ(gp_kit_push_msg(sink, 0, &msg), GP_OK); /* and 41 */
    push(source, sink, 42, 45);
    carry(source, sink, 174, 180); /* so many that the filler is that of the next: 128 */
    end(sink);
    GP_CHECK_EQ(reported(sink, "messages"), 10 + 9 + 3 + 9 + 5 + 10 + 4 + 7);
    GP_CHECK_EQ(reported(sink, "missing"), 4 + 128);
    GP_CHECK_EQ(reported(sink, "out_of_order"), 3);
    GP_CHECK_EQ(reported(sink, "corrupt"), 2);
    gp_kit_free(sink);
    gp_kit_free(other);
    gp_kit_free(source);
}

/* A sink among several gets a part of the numbers: gaps are right, going back is not. */
GP_TEST(sol, expects_gaps_where_there_are_more_sinks)
{
    struct gp_kit *source = full_source(100);
    struct gp_kit *sink = made("sink", 1, 2);

    GP_REQUIRE_EQ(gp_kit_open(sink), GP_OK);
    carry(source, sink, 10, 20);
    carry(source, sink, 50, 60);
    carry(source, sink, 40, 40);
    end(sink);
    GP_CHECK_EQ(reported(sink, "missing"), 0);
    GP_CHECK_EQ(reported(sink, "out_of_order"), 1);
    gp_kit_free(sink);
    gp_kit_free(source);
}

GP_TEST(sol, tells_sources_apart)
{
    struct gp_kit *first = full_source(10);
    struct gp_kit *second = made("source", 70, 100);
    struct gp_kit *sink = open_sink();

    GP_REQUIRE_EQ(gp_kit_open(second), GP_OK);
    GP_REQUIRE_EQ(gp_kit_poll(second, 10), GP_MORE);
    carry(first, sink, 0, 5);
    carry(second, sink, 0, 9);
    carry(first, sink, 6, 9);
    end(sink);
    GP_CHECK_EQ(reported(sink, "messages"), 20);
    GP_CHECK_EQ(reported(sink, "out_of_order"), 0);
    GP_CHECK_EQ(reported(sink, "missing"), 0);
    gp_kit_free(sink);
    gp_kit_free(second);
    gp_kit_free(first);
}

GP_TEST(sol, ends_flat_out_after_its_seconds)
{
    struct gp_kit *source = made("source", 0, 1);

    (void)gp_kit_set(source, "seconds", "2");
    (void)gp_kit_set(source, "bytes", "16");
    GP_REQUIRE_EQ(gp_kit_open(source), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(source, 10), GP_MORE);
    gp_kit_advance(source, 2 * (int64_t)SECOND_NS - 1);
    GP_CHECK_EQ(gp_kit_poll(source, 10), GP_MORE);
    gp_kit_advance(source, 1);
    GP_CHECK_EQ(gp_kit_poll(source, 10), GP_END);
    GP_CHECK_EQ(gp_kit_count(source, 0), 20);
    GP_CHECK_EQ(gp_kit_row(source, 0, 0)->value_len, 16);
    GP_CHECK_STR_EQ(gp_kit_log(source, 0, NULL),
                    "{\"sol_source\":{\"task\":0,\"messages\":20,\"seconds\":2.000000}}");
    gp_kit_free(source);
}

/* 1000 a second: one each millisecond; late messages keep the time they were due. */
GP_TEST(sol, keeps_an_open_loop_at_a_rate)
{
    struct gp_kit *source = made("source", 0, 1);
    int64_t start_ns = gp_kit_now_ns(source);
    int64_t next_ns = 0;

    (void)gp_kit_set(source, "rate", "1000");
    (void)gp_kit_set(source, "seconds", "1");
    GP_REQUIRE_EQ(gp_kit_open(source), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(source, 100), GP_IDLE);
    GP_CHECK_EQ(gp_kit_count(source, 0), 1);
    (void)gp_kit_timers(source, GP_TIMER_PROCESSING, &next_ns);
    GP_CHECK_EQ(next_ns, start_ns + 1000000);
    gp_kit_advance(source, 5500000);
    GP_CHECK_EQ(gp_kit_run(source), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(source, 100), GP_IDLE);
    GP_CHECK_EQ(gp_kit_count(source, 0), 6);
    GP_CHECK_EQ(gp_kit_row(source, 0, 3)->time_ns, start_ns + 3000000);
    gp_kit_advance(source, 10 * (int64_t)SECOND_NS);
    while (gp_kit_poll(source, 100) == GP_MORE) {
    }
    GP_CHECK(gp_kit_ended(source));
    GP_CHECK_EQ(gp_kit_count(source, 0), 1000);
    gp_kit_free(source);
}

GP_TEST(sol, polls_on_when_told_to_be_busy)
{
    struct gp_kit *source = made("source", 0, 1);

    (void)gp_kit_set(source, "rate", "1000");
    (void)gp_kit_set(source, "pace", "busy");
    GP_REQUIRE_EQ(gp_kit_open(source), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(source, 100), GP_MORE);
    GP_CHECK_EQ(gp_kit_timers(source, GP_TIMER_PROCESSING, NULL), 0);
    gp_kit_free(source);
}

GP_TEST(sol, heeds_full_outputs)
{
    struct gp_kit *source = made("source", 0, 1);
    struct gp_kit *relay = made("relay", 0, 1);

    gp_kit_set_credit(source, 3);
    GP_REQUIRE_EQ(gp_kit_open(source), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(source, 100), GP_MORE);
    GP_CHECK_EQ(gp_kit_count(source, 0), 3);
    gp_kit_set_credit(relay, 2);
    GP_REQUIRE_EQ(gp_kit_open(relay), GP_OK);
    for (uint32_t i = 0; i < 3; i++) {
        GP_CHECK_EQ(gp_kit_push(relay, 0, "key", "value", i), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_run(relay), GP_YIELD);
    GP_CHECK(gp_kit_row_is(relay, 0, 1, "key", "value"));
    gp_kit_free(relay);
    gp_kit_free(source);
}

GP_TEST(sol, histogram_is_at_most_three_per_cent_too_high)
{
    static struct histogram h;
    static const uint64_t values[] = {0,     1,      63,         64,         65,
                                      1000,  123456, 1000000007, 1ull << 39, (1ull << 40) - 1,
                                      77777, 31,     32,         4095,       4096};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint64_t top = histogram_top(histogram_bucket(values[i]));
        GP_CHECK(top >= values[i]);
        GP_CHECK(top - values[i] <= values[i] / 32);
    }
    GP_CHECK_EQ(histogram_at(&h, 0.5), 0);
    for (uint64_t v = 1; v <= 1000; v++) {
        histogram_add(&h, v * 1000);
    }
    GP_CHECK(histogram_at(&h, 0.5) >= 500000 && histogram_at(&h, 0.5) < 520000);
    GP_CHECK(histogram_at(&h, 0.99) >= 990000 && histogram_at(&h, 0.99) <= 1000000);
    GP_CHECK_EQ(histogram_at(&h, 1), 1000000);
    histogram_add(&h, UINT64_MAX);
    GP_CHECK_EQ(h.max, UINT64_MAX);
}

GP_TEST(sol, builds_chains_of_any_length)
{
    static const struct gp_kit_pair pairs[] = {
        {"stages", "4"}, {"sources", "2"}, {"sinks", "3"}, {"edge", "round_robin"}};
    char text[1024];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, pairs, 4, text, sizeof text), GP_OK);
    GP_CHECK(strstr(text, "source source x2\n") != NULL);
    GP_CHECK(strstr(text, "relay-2 relay x2\n") != NULL);
    GP_CHECK(strstr(text, "relay-3 relay x2\n") != NULL);
    GP_CHECK(strstr(text, "sink sink x3\n") != NULL);
    GP_CHECK(strstr(text, "relay-3:0 -> sink:0 round_robin\n") != NULL);
    GP_CHECK(strstr(text, "sink ordered=0\n") != NULL);
    GP_CHECK(strstr(text, "sink complete=0\n") != NULL);
    GP_CHECK_EQ(gp_kit_build(&gp_entry, NULL, 0, text, sizeof text), GP_OK);
    GP_CHECK(strstr(text, "source:0 -> sink:0 shuffle\n") != NULL);
    GP_CHECK(strstr(text, "sink ordered=1\n") != NULL);
    GP_CHECK(strstr(text, "sink complete=1\n") != NULL);
}

GP_TEST(sol, lists_all_bad_parameters)
{
    static const struct gp_kit_pair pairs[] = {{"stages", "1"}, {"bytes", "15"}, {"rate", "fast"}};
    char text[1024];

    GP_CHECK_EQ(gp_kit_build(&gp_entry, pairs, 3, text, sizeof text), GP_FAIL);
    GP_CHECK_STR_EQ(text, "mistake: stages must be a number from 2 to 64\n"
                          "mistake: bytes must be a number from 16 to 16777152\n"
                          "mistake: rate must be a number from 0 to 1000000000\n");
}
