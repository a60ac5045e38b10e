/*
 * A set of numbers 0 .. n-1, n fixed at init. One owner, no locks.
 */
#ifndef BASE_BITSET_H
#define BASE_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

struct bitset {
    /* private */
    uint64_t *words;
    size_t n;
};

#define BITSET_NONE SIZE_MAX

/* Empty set over 0 .. n-1; n may be 0. Returns 0 or GP_ENOMEM. */
int bitset_init(struct bitset *b, size_t n);
void bitset_deinit(struct bitset *b);

static inline bool bitset_has(const struct bitset *b, size_t i)
{
    ASSERT(i < b->n);
    return (b->words[i / 64] >> (i % 64) & 1) != 0;
}

static inline void bitset_add(struct bitset *b, size_t i)
{
    ASSERT(i < b->n);
    b->words[i / 64] |= UINT64_C(1) << (i % 64);
}

static inline void bitset_remove(struct bitset *b, size_t i)
{
    ASSERT(i < b->n);
    b->words[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

void bitset_add_all(struct bitset *b);
void bitset_clear(struct bitset *b);

/* How many are in. */
size_t bitset_count(const struct bitset *b);

/* The smallest member >= from, or BITSET_NONE. from may be n. */
size_t bitset_next(const struct bitset *b, size_t from);

/* The smallest non-member >= from, or BITSET_NONE. */
size_t bitset_next_missing(const struct bitset *b, size_t from);

#endif
