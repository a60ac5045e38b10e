/*
 * A bump arena: many small allocations freed at once, for the scratch of one batch or one request.
 * Grows by chunks to a stated limit; reset keeps the first chunk, so that steady use does not
 * malloc. Pointers stay valid until reset or deinit. One owner, no locks.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include <gearpump/types.h>

struct arena_chunk;

struct arena {
    /* private */
    struct arena_chunk *chunks; /* newest first; the last one is kept on reset */
    size_t chunk_size;          /* bytes of an ordinary chunk */
    size_t size;                /* bytes in all chunks */
    size_t size_max;
};

/* Allocates nothing yet. chunk_size >= 64, size_max >= chunk_size. */
void arena_init(struct arena *a, size_t chunk_size, size_t size_max);
void arena_deinit(struct arena *a);

/* Forgets every allocation. */
void arena_reset(struct arena *a);

/* size bytes, aligned for any type, not zeroed; NULL at the limit or without memory. */
void *arena_alloc(struct arena *a, size_t size);

/* count * size zeroed bytes, checked for overflow; NULL likewise. */
void *arena_calloc(struct arena *a, size_t count, size_t size);

/* A zero-terminated copy; NULL likewise. */
char *arena_dup(struct arena *a, gp_str s);

#endif
