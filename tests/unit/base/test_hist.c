/* The histogram: error bound, percentiles, merging, and a compact form that trusts nobody. */
#include "base/endian.h"
#include "base/error.h"
#include "base/hist.h"
#include "base/rng.h"
#include "gp_test.h"

static struct hist h;
static struct hist other;

static bool is_near(uint64_t got, uint64_t expected)
{
    double error = (double)got - (double)expected;

    error = error < 0 ? -error : error;
    return error <= (double)expected / 64.0;
}

GP_TEST(hist, buckets_rise_without_holes)
{
    uint32_t last = 0;

    for (uint64_t v = 0; v < 100000; v++) {
        uint32_t bucket = hist_bucket(v);

        GP_REQUIRE(bucket == last || bucket == last + 1);
        last = bucket;
    }
    GP_CHECK_EQ(hist_bucket(HIST_VALUE_MAX), HIST_BUCKET_COUNT - 1);
    GP_CHECK_EQ(hist_bucket(UINT64_MAX), HIST_BUCKET_COUNT - 1);
}

GP_TEST(hist, one_value_is_given_back_within_the_error)
{
    for (uint64_t v = 1; v <= HIST_VALUE_MAX / 3; v = v * 3 + 1) {
        hist_init(&h);
        hist_record(&h, v - 1);
        hist_record(&h, v);
        hist_record(&h, v * 3);
        GP_REQUIRE(is_near(hist_percentile(&h, 50), v));
    }
}

GP_TEST(hist, empty_has_zeros)
{
    hist_init(&h);
    GP_CHECK_EQ(hist_count(&h), 0);
    GP_CHECK_EQ(hist_min(&h), 0);
    GP_CHECK_EQ(hist_max(&h), 0);
    GP_CHECK_EQ(hist_percentile(&h, 99), 0);
    GP_CHECK(hist_mean(&h) == 0.0);
    hist_record_n(&h, 5, 0);
    GP_CHECK_EQ(hist_count(&h), 0);
}

GP_TEST(hist, percentiles_of_an_even_spread)
{
    hist_init(&h);
    for (uint64_t v = 1; v <= 10000; v++) {
        hist_record(&h, v);
    }
    GP_CHECK_EQ(hist_count(&h), 10000);
    GP_CHECK_EQ(hist_min(&h), 1);
    GP_CHECK_EQ(hist_max(&h), 10000);
    GP_CHECK(hist_mean(&h) == 5000.5);
    GP_CHECK(hist_sum(&h) == 50005000.0);
    GP_CHECK(is_near(hist_percentile(&h, 50), 5000));
    GP_CHECK(is_near(hist_percentile(&h, 99), 9900));
    GP_CHECK_EQ(hist_percentile(&h, 0), 1);
    GP_CHECK_EQ(hist_percentile(&h, 100), 10000);
    GP_CHECK_EQ(hist_percentile(&h, 1000), 10000);
    GP_CHECK_EQ(hist_percentile(&h, -5), 1);
}

GP_TEST(hist, values_beyond_the_range_still_count)
{
    hist_init(&h);
    hist_record(&h, UINT64_MAX);
    GP_CHECK(hist_max(&h) == UINT64_MAX);
    GP_CHECK(hist_percentile(&h, 50) == UINT64_MAX);
    GP_CHECK_EQ(hist_count(&h), 1);
}

GP_TEST(hist, merging_equals_recording_together)
{
    struct rng rng;
    static struct hist all;

    rng_init(&rng, 1);
    hist_init(&h);
    hist_init(&other);
    hist_init(&all);
    hist_merge(&h, &other); /* empty into empty */
    for (int i = 0; i < 1000; i++) {
        uint64_t v = rng_below(&rng, 1000000);

        hist_record(i % 3 == 0 ? &h : &other, v);
        hist_record(&all, v);
    }
    hist_merge(&h, &other);
    GP_CHECK_MEM_EQ(h.buckets, all.buckets, sizeof(h.buckets));
    GP_CHECK_EQ(h.count, all.count);
    GP_CHECK_EQ(h.min, all.min);
    GP_CHECK_EQ(h.max, all.max);
    GP_CHECK(h.sum == all.sum);
}

GP_TEST(hist, compact_form_goes_there_and_back)
{
    struct rng rng;
    struct buf b = {0};

    rng_init(&rng, 2);
    for (int size = 0; size < 2000; size = size * 2 + 1) {
        hist_init(&h);
        for (int i = 0; i < size; i++) {
            hist_record_n(&h, rng_u64(&rng) >> rng_below(&rng, 64), 1 + rng_below(&rng, 300));
        }
        buf_clear(&b);
        GP_REQUIRE_EQ(hist_encode(&h, &b), 0);
        GP_CHECK(buf_len(&b) <= HIST_ENCODED_MAX);
        hist_init(&other);
        GP_REQUIRE_EQ(hist_merge_encoded(&other, buf_bytes(&b)), 0);
        GP_CHECK_MEM_EQ(&other, &h, sizeof(h));
    }
    buf_deinit(&b);
}

GP_TEST(hist, a_full_buffer_is_left_as_it_was)
{
    struct buf b;

    hist_init(&h);
    hist_record_n(&h, 1, 200);
    for (size_t limit = 1; limit < 30; limit++) {
        buf_init(&b, limit); /* the header is 27 bytes, one bucket 3 more */
        GP_CHECK_EQ(hist_encode(&h, &b), GP_ETOOBIG);
        GP_CHECK_EQ(buf_len(&b), 0);
        buf_deinit(&b);
    }
    buf_init(&b, 30);
    GP_CHECK_EQ(hist_encode(&h, &b), 0);
    buf_deinit(&b);
}

/* A good encoding of the values 5, 5 and 700, to be spoiled by the tests below. */
static void make_sample(struct buf *b)
{
    hist_init(&h);
    hist_record_n(&h, 5, 2);
    hist_record(&h, 700);
    GP_REQUIRE_EQ(hist_encode(&h, b), 0);
    hist_init(&other);
    other.count = 12345; /* to see that failures leave it alone */
}

GP_TEST(hist, every_truncation_and_tail_is_refused)
{
    struct buf b = {0};

    make_sample(&b);
    for (size_t len = 0; len < buf_len(&b); len++) {
        gp_bytes part = {.ptr = buf_bytes(&b).ptr, .len = len};

        GP_CHECK_EQ(hist_merge_encoded(&other, part), GP_EPROTO);
    }
    GP_CHECK_EQ(hist_merge_encoded(&other, buf_bytes(&b)), 0);
    GP_CHECK_EQ(buf_append_u8(&b, 0), 0);
    other.count = 12345;
    GP_CHECK_EQ(hist_merge_encoded(&other, buf_bytes(&b)), GP_EPROTO);
    GP_CHECK_EQ(other.count, 12345);
    buf_deinit(&b);
}

/* Decodes the sample with one byte replaced. */
static int decode_with(size_t at, unsigned char byte)
{
    struct buf b = {0};
    unsigned char copy[64];
    size_t len;
    int rc;

    make_sample(&b);
    len = buf_len(&b);
    GP_REQUIRE(len < sizeof(copy) && at < len);
    memcpy(copy, buf_bytes(&b).ptr, len);
    buf_deinit(&b);
    copy[at] = byte;
    rc = hist_merge_encoded(&other, (gp_bytes){.ptr = copy, .len = len});
    GP_CHECK(rc == 0 || other.count == 12345);
    return rc;
}

GP_TEST(hist, lies_are_refused)
{
    GP_CHECK_EQ(decode_with(0, 2), GP_EPROTO);     /* version */
    GP_CHECK_EQ(decode_with(1, 6), GP_EPROTO);     /* min not in the first bucket */
    GP_CHECK_EQ(decode_with(9, 0), GP_EPROTO);     /* max not in the last */
    GP_CHECK_EQ(decode_with(24, 0xff), GP_EPROTO); /* a negative sum */
    GP_CHECK_EQ(decode_with(25, 1), GP_EPROTO);    /* fewer buckets than follow */
    GP_CHECK_EQ(decode_with(25, 3), GP_EPROTO);    /* more */
    GP_CHECK_EQ(decode_with(27, 0), GP_EPROTO);    /* a step of 0 */
    GP_CHECK_EQ(decode_with(28, 0), GP_EPROTO);    /* a count of 0 */
    GP_CHECK_EQ(decode_with(28, 3), 0);            /* another count is plausible */
}

GP_TEST(hist, endless_and_huge_numbers_are_refused)
{
    struct buf b = {0};
    unsigned char header[27] = {1};

    header[25] = 1;
    GP_CHECK_EQ(buf_append(&b, header, sizeof(header)), 0);
    for (int i = 0; i < 20; i++) {
        GP_CHECK_EQ(buf_append_u8(&b, 0xff), 0);
    }
    GP_CHECK_EQ(hist_merge_encoded(&other, buf_bytes(&b)), GP_EPROTO);
    buf_truncate(&b, sizeof(header));
    GP_CHECK_EQ(buf_append_u8(&b, 1), 0); /* bucket 0, counted 2^63 times */
    for (int i = 0; i < 9; i++) {
        GP_CHECK_EQ(buf_append_u8(&b, 0x80), 0);
    }
    GP_CHECK_EQ(buf_append_u8(&b, 1), 0);
    GP_CHECK_EQ(hist_merge_encoded(&other, buf_bytes(&b)), GP_EPROTO);
    buf_deinit(&b);
}

GP_TEST(hist, merges_texts_as_it_merges_histograms)
{
    struct hist *a = calloc(3, sizeof *a);
    struct hist *b = a + 1;
    struct hist *sum = a + 2;
    char *text = NULL;

    for (uint64_t i = 1; i < 2000; i++) {
        hist_record(a, i * i);
        hist_record(b, i * 1000);
    }
    GP_CHECK_EQ(hist_to_text(a, &text), 0);
    GP_CHECK_EQ(hist_merge_text(sum, text), 0);
    GP_CHECK_EQ(hist_merge_text(sum, ""), 0);
    free(text);
    GP_CHECK_EQ(hist_to_text(b, &text), 0);
    GP_CHECK_EQ(hist_merge_text(sum, text), 0);
    hist_merge(a, b);
    GP_CHECK_MEM_EQ(a, sum, sizeof *a);
    GP_CHECK_EQ(hist_merge_text(sum, "01zz"), GP_EPROTO);
    text[strlen(text) - 1] = '\0';
    GP_CHECK_EQ(hist_merge_text(sum, text), GP_EPROTO);
    GP_CHECK_MEM_EQ(a, sum, sizeof *a);
    free(text);
    free(a);
}

GP_TEST(hist, tells_what_was_recorded_since)
{
    struct hist *before = calloc(3, sizeof *before);
    struct hist *now = before + 1;
    struct hist *only = before + 2;

    hist_record_n(before, 10, 5);
    hist_record_n(before, 1000000, 5);
    hist_merge(now, before);
    hist_record_n(now, 500, 3);
    GP_CHECK(hist_since(now, before));
    GP_CHECK_EQ(hist_count(now), 3);
    GP_CHECK_EQ(hist_percentile(now, 50), 502); /* the middle of its bucket */
    GP_CHECK_EQ(hist_max(now), 502);
    GP_CHECK(!hist_since(now, before)); /* it began anew */
    GP_CHECK_EQ(hist_count(now), 3);
    hist_merge(only, before);
    GP_CHECK(hist_since(only, before));
    GP_CHECK_EQ(hist_count(only), 0);
    GP_CHECK_EQ(hist_percentile(only, 99), 0);
    free(before);
}

GP_TEST(hist, counts_up_to_bounds)
{
    static const uint64_t bounds[] = {0, 1, 63, 64, 100000, UINT64_MAX};
    uint64_t counts[6];
    struct hist *few = calloc(1, sizeof *few);

    hist_record(few, 0);
    hist_record_n(few, 64, 2);
    hist_record_n(few, HIST_VALUE_MAX, 4);
    hist_count_up_to(few, bounds, 6, counts);
    GP_CHECK_EQ(counts[0], 1);
    GP_CHECK_EQ(counts[2], 1);
    GP_CHECK_EQ(counts[3], 3);
    GP_CHECK_EQ(counts[4], 3);
    GP_CHECK_EQ(counts[5], 7);
    free(few);
}
