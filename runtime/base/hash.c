/*
 * The out-of-line door to hash_key, for callers whose keys are long or calls few.
 */
#include "base/hash.h"

#include "base/hash_key.h"

uint64_t hash_bytes(const void *ptr, size_t len, uint64_t seed)
{
    return hash_key(ptr, len, seed);
}
