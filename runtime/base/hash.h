/*
 * The one hash of bytes: 64-bit XXH3 with a seed.
 *
 * It is part of what a plan means: hash of key -> key group -> task. Every process of every version
 * must compute the same value for the same bytes and seed; a test pins known values. Not for
 * secrets.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* ptr may be NULL when len is 0. Any thread. Same result as hash_key (base/hash_key.h). */
uint64_t hash_bytes(const void *ptr, size_t len, uint64_t seed);

/* Mixes a number: for tables keyed by ids. Not XXH3 and not part of a plan's meaning. */
static inline uint64_t hash_u64(uint64_t v, uint64_t seed)
{
    /* The finalizer of SplitMix64: every input bit changes about half of the output bits. */
    v ^= seed;
    v = (v ^ (v >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94d049bb133111eb);
    return v ^ (v >> 31);
}

#endif
