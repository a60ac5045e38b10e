/*
 * histogram.h: a log-linear histogram of nanoseconds: 32 buckets for each power of two, so a
 * percentile is at most 3 % too high. Fixed size, no allocation. Values beyond the last bucket
 * (19 minutes) count in it; `max` is exact.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS    5
#define HISTOGRAM_LINEAR  (1u << HISTOGRAM_BITS)
#define HISTOGRAM_BUCKETS 1152u /* (40 - 5 + 1) * 32: values of 40 bits */

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Below 2 * HISTOGRAM_LINEAR a bucket is one value; above, its 5 bits after the leading one. */
static inline uint32_t histogram_bucket(uint64_t value)
{
    uint32_t shift;
    uint32_t bucket;

    if (value < 2 * HISTOGRAM_LINEAR) {
        return (uint32_t)value;
    }
    shift = 63u - (uint32_t)__builtin_clzll(value) - HISTOGRAM_BITS;
    bucket = shift * HISTOGRAM_LINEAR + (uint32_t)(value >> shift);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static inline uint64_t histogram_top(uint32_t bucket)
{
    uint32_t shift = bucket / HISTOGRAM_LINEAR;

    if (shift < 2) {
        return bucket;
    }
    shift--;
    return ((uint64_t)(bucket - shift * HISTOGRAM_LINEAR + 1) << shift) - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    h->buckets[histogram_bucket(value)]++;
    h->count++;
    if (value > h->max) {
        h->max = value;
    }
}

/* The value that `part` of all values (0.99, say) do not exceed; 0 without values. */
static inline uint64_t histogram_at(const struct histogram *h, double part)
{
    uint64_t rank = (uint64_t)(part * (double)h->count);
    uint64_t seen = 0;

    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > rank) {
            uint64_t top = histogram_top(i);
            return top < h->max ? top : h->max;
        }
    }
    return h->max;
}

#endif
