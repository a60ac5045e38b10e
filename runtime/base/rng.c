/*
 * xoshiro256** 1.0 (David Blackman and Sebastiano Vigna, 2018), seeded by SplitMix64.
 * Changing any of these numbers changes every recorded simulation; a test pins them.
 */
#include "base/rng.h"

#include <string.h>

#include "base/assert.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void rng_init(struct rng *rng, uint64_t seed)
{
    /* SplitMix64 visits every number once, so the four cannot all be zero. */
    for (size_t i = 0; i < ARRAY_LEN(rng->s); i++) {
        rng->s[i] = splitmix64(&seed);
    }
}

struct rng rng_fork(struct rng *rng)
{
    struct rng forked;

    rng_init(&forked, rng_u64(rng));
    return forked;
}

static uint64_t rotate_left(uint64_t v, int bits)
{
    return (v << bits) | (v >> (64 - bits));
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t n)
{
    uint64_t skip;
    uint64_t drawn;

    ASSERT(n >= 1);
    /* 2^64 mod n: without the lowest `skip` numbers, each remainder is left equally often. */
    skip = (0 - n) % n;
    do {
        drawn = rng_u64(rng);
    } while (drawn < skip);
    return drawn % n;
}

int64_t rng_between(struct rng *rng, int64_t min, int64_t max)
{
    uint64_t width;

    ASSERT(min <= max);
    width = (uint64_t)max - (uint64_t)min + 1;
    /* width is 0 when it stands for all 2^64 numbers. */
    return (int64_t)((uint64_t)min + (width == 0 ? rng_u64(rng) : rng_below(rng, width)));
}

double rng_double(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1.0p-53;
}

bool rng_chance(struct rng *rng, double p)
{
    return rng_double(rng) < p;
}

void rng_fill(struct rng *rng, void *out, size_t len)
{
    unsigned char *at = (unsigned char *)out;

    while (len > 0) {
        uint64_t v = rng_u64(rng);
        size_t step = len < sizeof(v) ? len : sizeof(v);

        memcpy(at, &v, step);
        at += step;
        len -= step;
    }
}
