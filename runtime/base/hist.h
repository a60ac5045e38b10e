/*
 * A histogram of non-negative numbers (latencies, sizes) in fixed memory.
 *
 * Log-linear, as in HdrHistogram: below 64 every number has its own bucket; above, each power of
 * two is cut into 64 equal buckets, so a bucket is at most 1/64 (1.6 %) of its numbers wide, and a
 * percentile, given as the middle of its bucket, is off by at most 0.8 %. Numbers above
 * HIST_VALUE_MAX fall in the last bucket; min, max and mean are exact. Recording is a few
 * instructions; no allocation. One owner; merge to combine threads. About 22 KiB: not for the stack
 * of a deep call.
 */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/buf.h"

#define HIST_SUB_BITS     6  /* 64 buckets to a power of two */
#define HIST_VALUE_BITS   48 /* in nanoseconds: 78 hours */
#define HIST_VALUE_MAX    ((UINT64_C(1) << HIST_VALUE_BITS) - 1)
#define HIST_BUCKET_COUNT ((HIST_VALUE_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
    /* private */
    uint64_t count;
    uint64_t min; /* meaningless while count is 0 */
    uint64_t max;
    double sum;
    uint64_t buckets[HIST_BUCKET_COUNT];
};

void hist_init(struct hist *h);

/* Bucket of a value; exposed for hist_record. */
static inline uint32_t hist_bucket(uint64_t value)
{
    uint32_t shift;

    if (value < (UINT64_C(1) << HIST_SUB_BITS)) {
        return (uint32_t)value;
    }
    if (value > HIST_VALUE_MAX) {
        value = HIST_VALUE_MAX;
    }
    /* value >> shift lies in 64 .. 127: its top 7 bits, the first of which is always set. */
    shift = 63 - (uint32_t)__builtin_clzll(value) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

/* Records a value `count` times. */
static inline void hist_record_n(struct hist *h, uint64_t value, uint64_t count)
{
    if (count == 0) {
        return;
    }
    h->min = h->count == 0 || value < h->min ? value : h->min;
    h->max = value > h->max ? value : h->max;
    h->count += count;
    h->sum += (double)value * (double)count;
    h->buckets[hist_bucket(value)] += count;
}

static inline void hist_record(struct hist *h, uint64_t value)
{
    hist_record_n(h, value, 1);
}

/* Adds all of `from`. */
void hist_merge(struct hist *h, const struct hist *from);

/*
 * The value that `percent` (0 to 100) of the recorded values do not exceed, within the error of a
 * bucket and never outside min .. max. 0 when empty.
 */
uint64_t hist_percentile(const struct hist *h, double percent);

/* For each of these rising bounds, how many values do not exceed it, within the error of a bucket;
 * what is given never falls. */
void hist_count_up_to(const struct hist *h, const uint64_t *bounds, uint32_t count,
                      uint64_t *ret_counts);

uint64_t hist_count(const struct hist *h);
uint64_t hist_min(const struct hist *h); /* 0 when empty */
uint64_t hist_max(const struct hist *h); /* 0 when empty */
double hist_mean(const struct hist *h);  /* 0 when empty */
double hist_sum(const struct hist *h);

/*
 * Appends a compact form: header and the non-empty buckets, a few bytes each; some hundred bytes in
 * practice, at most HIST_ENCODED_MAX. Returns 0, GP_ETOOBIG or GP_ENOMEM (buffer unchanged).
 */
#define HIST_ENCODED_MAX (64 + HIST_BUCKET_COUNT * 12)
int hist_encode(const struct hist *h, struct buf *out);

/* Reads exactly that form and adds all of it: a few microseconds, for there are few buckets. The
 * bytes are not trusted: 0, or GP_EPROTO and h is unchanged. */
int hist_merge_encoded(struct hist *h, gp_bytes bytes);

/* The compact form in hexadecimal, as messages hold it; "" is an empty histogram. *ret_text is
 * free()d by the caller. GP_ENOMEM. */
int hist_to_text(const struct hist *h, char **ret_text);
int hist_merge_text(struct hist *h, const char *text); /* GP_EPROTO, GP_ENOMEM: h is unchanged */

/* What was recorded since: takes away `before`, an earlier state of h. false: it is none, for it
 * holds what h does not; h is unchanged. min and max are those of the buckets that are left. */
bool hist_since(struct hist *h, const struct hist *before);

#endif
