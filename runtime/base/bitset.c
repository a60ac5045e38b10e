/*
 * The fixed set of numbers. Invariant: bits at n and above in the last word are 0.
 */
#include "base/bitset.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define WORD_BITS 64

static size_t word_count(size_t n)
{
    return n / WORD_BITS + (n % WORD_BITS != 0 ? 1 : 0);
}

int bitset_init(struct bitset *b, size_t n)
{
    /* One word at least: calloc of nothing may answer NULL. */
    uint64_t *words = (uint64_t *)calloc(word_count(n) + 1, sizeof(*words));

    if (words == NULL) {
        return GP_ENOMEM;
    }
    *b = (struct bitset){.words = words, .n = n};
    return 0;
}

void bitset_deinit(struct bitset *b)
{
    if (b != NULL) {
        free(b->words);
        *b = (struct bitset){0};
    }
}

void bitset_add_all(struct bitset *b)
{
    memset(b->words, 0xff, b->n / WORD_BITS * sizeof(*b->words));
    if (b->n % WORD_BITS != 0) {
        b->words[b->n / WORD_BITS] = (UINT64_C(1) << (b->n % WORD_BITS)) - 1;
    }
}

void bitset_clear(struct bitset *b)
{
    memset(b->words, 0, word_count(b->n) * sizeof(*b->words));
}

size_t bitset_count(const struct bitset *b)
{
    size_t count = 0;

    for (size_t i = 0; i < word_count(b->n); i++) {
        count += (size_t)__builtin_popcountll(b->words[i]);
    }
    return count;
}

/* The smallest i >= from whose bit, after flipping all with `flip`, is set. */
static size_t find(const struct bitset *b, size_t from, uint64_t flip)
{
    uint64_t skip = ~UINT64_C(0) << (from % WORD_BITS); /* hides what lies below from */

    ASSERT(from <= b->n);
    for (size_t i = from / WORD_BITS; i < word_count(b->n); i++) {
        uint64_t word = (b->words[i] ^ flip) & skip;

        if (word != 0) {
            size_t found = i * WORD_BITS + (size_t)__builtin_ctzll(word);
            return found < b->n ? found : BITSET_NONE;
        }
        skip = ~UINT64_C(0);
    }
    return BITSET_NONE;
}

size_t bitset_next(const struct bitset *b, size_t from)
{
    return find(b, from, 0);
}

size_t bitset_next_missing(const struct bitset *b, size_t from)
{
    return find(b, from, ~UINT64_C(0));
}
