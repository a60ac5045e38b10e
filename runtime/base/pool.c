/*
 * The FIFO object pool: a queue of free objects, large enough for all of them.
 *
 * Invariant: free objects + objects in use == count <= count_max == capacity of the queue, so
 * putting back never fails.
 */
#include "base/pool.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

int pool_init(struct pool *p, size_t object_size, size_t count_max)
{
    struct queue free_objects;
    int rc;

    ASSERT(object_size >= 1 && object_size <= SIZE_MAX - CACHE_LINE);
    rc = queue_init(&free_objects, count_max);
    if (rc < 0) {
        return rc;
    }
    *p = (struct pool){
        .free = free_objects,
        .object_size = ALIGN_UP(object_size, (size_t)CACHE_LINE),
        .count_max = count_max,
    };
    return 0;
}

void pool_deinit(struct pool *p)
{
    void *object;

    if (p == NULL) {
        return;
    }
    ASSERT(pool_in_use(p) == 0);
    while ((object = queue_pop(&p->free)) != NULL) {
        free(object);
    }
    queue_deinit(&p->free);
    *p = (struct pool){0};
}

/* One more object, which counts as in use. NULL at the cap or without memory. */
static void *pool_make(struct pool *p)
{
    void *object;

    if (p->count >= p->count_max) {
        return NULL;
    }
    object = aligned_alloc(CACHE_LINE, p->object_size);
    if (object != NULL) {
        p->count++;
    }
    return object;
}

int pool_reserve(struct pool *p, size_t count)
{
    ASSERT(count <= p->count_max);
    while (p->count < count) {
        void *object = pool_make(p);

        if (object == NULL) {
            return GP_ENOMEM;
        }
        pool_put(p, object);
    }
    return 0;
}

void *pool_get(struct pool *p)
{
    void *object = queue_pop(&p->free);

    return object != NULL ? object : pool_make(p);
}

void pool_put(struct pool *p, void *object)
{
    int rc;

    if (object == NULL) {
        return;
    }
    rc = queue_push(&p->free, object);
    ASSERT(rc == 0);
}
