/*
 * The text that Prometheus reads, character by character; the checker that other tests use is held
 * against texts that are wrong.
 */
#include "base/error.h"
#include "gp_test.h"
#include "observe/exposition.h"
#include "valid_exposition.h"

GP_TEST(exposition, writes_families_and_samples)
{
    struct buf out = {0};
    struct exposition e = {.out = &out};
    const struct label labels[] = {{"app", "word\"count\\\n"}, {"host", ""}, {"task", "7"}};

    exposition_family(&e, "gearpump_in_total", EXPOSITION_COUNTER, "Messages\nin.");
    exposition_number(&e, labels, 3, 12345678901234.0);
    exposition_number(&e, NULL, 0, 0.25);
    GP_CHECK_EQ(e.rc, 0);
    GP_CHECK_STR_EQ(buf_c(&out), "# HELP gearpump_in_total Messages\\nin.\n"
                                 "# TYPE gearpump_in_total counter\n"
                                 "gearpump_in_total{app=\"word\\\"count\\\\\\n\",task=\"7\"} "
                                 "12345678901234\n"
                                 "gearpump_in_total 0.25\n");
    GP_CHECK(invalid_exposition(buf_c(&out)) == NULL);
    buf_deinit(&out);
}

GP_TEST(exposition, writes_what_is_no_utf8_as_question_marks)
{
    struct buf out = {0};
    struct exposition e = {.out = &out};
    const struct label label = {"app", "a\xff\xc3\xa4"};

    exposition_family(&e, "gearpump_x", EXPOSITION_GAUGE, "X.");
    exposition_number(&e, &label, 1, -1);
    GP_CHECK(strstr(buf_c(&out), "gearpump_x{app=\"a?\xc3\xa4\"} -1\n") != NULL);
    buf_deinit(&out);
}

/* Each value is in the first bucket whose bound it does not exceed. */
GP_TEST(exposition, writes_cumulative_buckets)
{
    struct buf out = {0};
    struct exposition e = {.out = &out};
    struct hist *h = calloc(1, sizeof *h);

    hist_init(h);
    hist_record_n(h, 900, 2);                    /* 1 us */
    hist_record_n(h, 1500000, 3);                /* 2 ms */
    hist_record_n(h, UINT64_C(200000000000), 1); /* beyond 100 s */
    exposition_family(&e, "gearpump_latency_seconds", EXPOSITION_HISTOGRAM, "Latency.");
    exposition_histogram(&e, NULL, 0, h);
    GP_CHECK(invalid_exposition(buf_c(&out)) == NULL);
    GP_CHECK(strstr(buf_c(&out), "_bucket{le=\"1e-06\"} 2\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "_bucket{le=\"0.001\"} 2\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "_bucket{le=\"0.002\"} 5\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "_bucket{le=\"100\"} 5\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "_bucket{le=\"+Inf\"} 6\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "seconds_count 6\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "seconds_sum 200.0045018\n") != NULL);
    free(h);
    buf_deinit(&out);
}

GP_TEST(exposition, stops_at_the_limit)
{
    struct buf out;
    struct exposition e = {.out = &out};

    buf_init(&out, 20);
    exposition_family(&e, "gearpump_x", EXPOSITION_GAUGE, "Too long for so little.");
    GP_CHECK_EQ(e.rc, GP_ETOOBIG);
    GP_CHECK(buf_len(&out) <= 20);
    buf_deinit(&out);
}

GP_TEST(exposition, the_checker_refuses_what_does_not_hold)
{
    static const char head[] = "# HELP a_total A.\n# TYPE a_total counter\n";
    static const char *const wrong[] = {
        "a_total{x=1} 1\n", "a_total{x=\"1} 1\n",     "a_total -1\n", "b_total 1\n",
        "a_total x\n",      "a_total{x=\"\\q\"} 1\n", "a_total 1",
    };
    char text[128];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        (void)snprintf(text, sizeof text, "%s%s", head, wrong[i]);
        GP_CHECK(invalid_exposition(text) != NULL);
    }
    GP_CHECK(invalid_exposition("# HELP a A.\n# TYPE a counter\na 1\n") != NULL);
    GP_CHECK(invalid_exposition("# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 3\n"
                                "a_bucket{le=\"2\"} 2\n") != NULL);
}
