/*
 * A histogram of times: each power of two is cut into 32 equal parts, so a value read back is at
 * most 3.2 % too small. Values below 64 ns are exact. Adding costs a shift and an increment.
 */
#ifndef BENCH_LIMIT_HISTOGRAM_H
#define BENCH_LIMIT_HISTOGRAM_H

#include "limit.h"

#define HISTOGRAM_PARTS  32
#define HISTOGRAM_SHIFTS 60 /* value >> shift is below 64 for some shift smaller than this */

struct histogram {
    uint64_t count;
    uint64_t parts[HISTOGRAM_SHIFTS][2 * HISTOGRAM_PARTS];
};

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    unsigned bits = 64U - (unsigned)__builtin_clzll(value | 1);
    unsigned shift = bits <= 6 ? 0 : bits - 6;

    h->parts[shift][value >> shift]++;
    h->count++;
}

/* The value that a share of all values (0 to 1) does not exceed, 0 if there is none. */
static inline double histogram_quantile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)((double)h->count * share);
    uint64_t seen = 0;

    for (unsigned shift = 0; shift < HISTOGRAM_SHIFTS; shift++) {
        for (uint64_t part = 0; part < 2 * HISTOGRAM_PARTS; part++) {
            seen += h->parts[shift][part];
            if (seen > wanted) {
                return (double)(part << shift);
            }
        }
    }
    return 0;
}

static inline void result_percentiles_us(const struct histogram *h)
{
    result_number("p50_us", histogram_quantile(h, 0.5) * 1e-3);
    result_number("p99_us", histogram_quantile(h, 0.99) * 1e-3);
    result_number("p999_us", histogram_quantile(h, 0.999) * 1e-3);
    result_number("p9999_us", histogram_quantile(h, 0.9999) * 1e-3);
}

#endif
