/*
 * Buffers that connections read into; see rbuf.h.
 *
 * Invariants: count is the number of this pool's buffers that somebody refers to; a buffer in the
 * free list has no reference. Failures: no memory, answered with NULL.
 */
#include "actor/rbuf.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "port/net.h"

/* Less than this part of a buffer is copied rather than kept with all the rest of it. */
#define KEEP_PART_MIN 16

void rbuf_pool_init(struct rbuf_pool *pool, size_t capacity, uint32_t count_max, uint32_t free_max)
{
    ASSERT(capacity > 0);
    *pool = (struct rbuf_pool){
        .capacity = ALIGN_UP(capacity, RBUF_ALIGN), .count_max = count_max, .free_max = free_max};
}

void rbuf_pool_deinit(struct rbuf_pool *pool)
{
    ASSERT(pool->count == 0);
    while (pool->free != NULL) {
        struct rbuf *buf = pool->free;

        pool->free = buf->next_free;
        free(buf);
    }
    pool->free_count = 0;
}

struct rbuf *rbuf_new(size_t capacity)
{
    const size_t bytes = ALIGN_UP(capacity, RBUF_ALIGN);
    /* In one, and by hand: aligned_alloc() keeps nothing at hand for the next call, as malloc()
     * does for what is small. */
    struct rbuf *buf = malloc(sizeof(*buf) + RBUF_ALIGN - 1 + bytes);

    if (buf == NULL) {
        return NULL;
    }
    *buf = (struct rbuf){.capacity = bytes, .refs = 1};
    buf->ptr = (unsigned char *)ALIGN_UP((uintptr_t)(buf + 1), (uintptr_t)RBUF_ALIGN);
    return buf;
}

struct rbuf *rbuf_new_lent_take(const void *ptr, size_t len, struct stream_loan *loan)
{
    struct rbuf *buf = malloc(sizeof(*buf));

    if (buf == NULL) {
        loan->end(loan);
        return NULL;
    }
    *buf = (struct rbuf){
        .ptr = (unsigned char *)(uintptr_t)ptr, .capacity = len, .refs = 1, .loan = loan};
    return buf;
}

struct rbuf *rbuf_new_copy(const void *ptr, size_t len)
{
    struct rbuf *buf = rbuf_new(len > 0 ? len : 1);

    if (buf != NULL && len > 0) {
        memcpy(buf->ptr, ptr, len);
    }
    return buf;
}

struct rbuf *rbuf_get(struct rbuf_pool *pool)
{
    struct rbuf *buf = pool->free;

    if (buf != NULL) {
        pool->free = buf->next_free;
        pool->free_count--;
        buf->refs = 1;
    } else {
        buf = rbuf_new(pool->capacity);
        if (buf == NULL) {
            return NULL;
        }
        buf->pool = pool;
    }
    pool->count++;
    return buf;
}

struct rbuf *rbuf_ref(struct rbuf *buf)
{
    ASSERT(buf->refs > 0);
    buf->refs++;
    return buf;
}

void rbuf_unref(struct rbuf *buf)
{
    struct rbuf_pool *pool;

    if (buf == NULL) {
        return;
    }
    ASSERT(buf->refs > 0);
    if (--buf->refs > 0) {
        return;
    }
    pool = buf->pool;
    if (pool == NULL) {
        if (buf->loan != NULL) {
            buf->loan->end(buf->loan);
        }
        free(buf);
        return;
    }
    pool->count--;
    if (pool->free_count >= pool->free_max) {
        free(buf);
        return;
    }
    buf->next_free = pool->free;
    pool->free = buf;
    pool->free_count++;
}

struct rbuf *rbuf_keep(struct rbuf *buf, const void **ptr, size_t len)
{
    struct rbuf *copy;

    if (len >= buf->capacity / KEEP_PART_MIN &&
        (buf->pool == NULL || buf->pool->count < buf->pool->count_max)) {
        return rbuf_ref(buf);
    }
    copy = rbuf_new_copy(*ptr, len);
    if (copy != NULL) {
        *ptr = copy->ptr;
    }
    return copy;
}
