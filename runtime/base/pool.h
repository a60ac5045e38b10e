/*
 * A pool of equal objects with a cap, recycled first-in-first-out.
 *
 * FIFO on purpose: objects that travel between cores and come back are soonest cheap to write when
 * the longest unused is taken; last-in-first-out was measured seven times slower. The free list is
 * a ring of pointers, so neither get nor put touches the object. One owner, no locks.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

#include "base/queue.h"

struct pool {
    /* private */
    struct queue free;
    size_t object_size;
    size_t count; /* objects allocated, free or in use */
    size_t count_max;
};

/* Objects of object_size bytes (>= 1), aligned to a cache line, at most count_max (>= 1). 0,
 * GP_ENOMEM. */
int pool_init(struct pool *p, size_t object_size, size_t count_max);

/* Frees all objects; asserts that every one has come back. Zeroed and NULL are fine. */
void pool_deinit(struct pool *p);

/* Allocates ahead until `count` objects exist (at most count_max). 0 or GP_ENOMEM. */
int pool_reserve(struct pool *p, size_t count);

/* The longest free object, or a new one; content undefined. NULL at the cap or without memory. */
void *pool_get(struct pool *p);

/* Gives back an object got from this pool. NULL is fine. */
void pool_put(struct pool *p, void *object);

static inline size_t pool_in_use(const struct pool *p)
{
    return p->count - queue_count(&p->free);
}

#endif
