/*
 * batch_pool.c: see batch_pool.h. A doubly-ended list through the batches themselves; the array of
 * all batches grows by doubling, so a steady lane allocates nothing.
 */
#include "data/batch_pool.h"

#include <stdlib.h>

void batch_pool_init(struct batch_pool *p, uint32_t warm, uint32_t max)
{
    *p = (struct batch_pool){.warm = warm, .max = max};
}

void batch_pool_deinit(struct batch_pool *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        free(p->all[i]);
    }
    free(p->all);
    *p = (struct batch_pool){0};
}

static bool make_room(struct batch_pool *p)
{
    uint32_t capacity = p->capacity ? p->capacity * 2 : 16;
    struct batch **all;

    if (p->count < p->capacity) {
        return true;
    }
    all = (struct batch **)realloc(p->all, capacity * sizeof(*all));
    if (!all) {
        return false;
    }
    p->all = all;
    p->capacity = capacity;
    return true;
}

static struct batch *make(struct batch_pool *p)
{
    struct batch *b;

    if (!make_room(p)) {
        return NULL;
    }
    b = (struct batch *)aligned_alloc(CACHE_LINE, BATCH_BLOCK_SIZE);
    if (!b) {
        return NULL;
    }
    *b = (struct batch){.pool = p};
    p->all[p->count++] = b;
    return b;
}

struct batch *batch_pool_take(struct batch_pool *p, bool busy)
{
    struct batch *b = p->head;

    if (!b || (busy && p->count < p->warm)) {
        struct batch *fresh = make(p);

        if (fresh) {
            return fresh;
        }
        if (!b) {
            return NULL;
        }
    }
    p->head = b->next;
    if (!p->head) {
        p->tail = NULL;
    }
    p->free_count--;
    b->next = NULL;
    return b;
}

void batch_pool_put_near(struct batch_pool *p, struct batch *b)
{
    ASSERT(b->pool == p && p->free_count < p->count);
    b->next = p->head;
    p->head = b;
    if (!p->tail) {
        p->tail = b;
    }
    p->free_count++;
}

void batch_pool_put_far(struct batch_pool *p, struct batch *b)
{
    ASSERT(b->pool == p && p->free_count < p->count);
    b->next = NULL;
    if (p->tail) {
        p->tail->next = b;
    } else {
        p->head = b;
    }
    p->tail = b;
    p->free_count++;
}
