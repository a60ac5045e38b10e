/*
 * hash_bytes, inlined: for the data plane, where a key is short and a call would cost as much as
 * the hash. Only this header includes xxhash.h; include it only where it pays, it is slow to
 * compile.
 */
#ifndef BASE_HASH_KEY_H
#define BASE_HASH_KEY_H

#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* ptr may be NULL when len is 0. */
static inline uint64_t hash_key(const void *ptr, size_t len, uint64_t seed)
{
    return XXH3_64bits_withSeed(ptr, len, seed);
}

#endif
