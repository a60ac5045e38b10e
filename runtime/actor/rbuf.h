/*
 * rbuf.h: buffers that connections read into and that others may keep.
 *
 * A connection reads as much as the kernel has into one buffer and hands out the frames in place.
 * Whoever wants a payload for longer than the callback keeps it with rbuf_keep(), which takes a
 * reference, so that nothing is copied on the way to the task; while it is kept the connection
 * goes on in another buffer.
 *
 * Through shared memory a frame may be handed out where it lies there: its buffer is lent by the
 * stream, and who sent it may still write to it.
 *
 * Bound: a pool lends at most count_max buffers beyond the one that each connection may hold; past
 * that rbuf_keep() copies just the bytes wanted, so a few rows kept long cannot pin the pool, and
 * reading never waits for those who hold. What is kept at all is bounded by whoever keeps (credit).
 *
 * One thread: the pool, its buffers and their users belong to one loop.
 */
#ifndef ACTOR_RBUF_H
#define ACTOR_RBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RBUF_ALIGN ((size_t)64)

struct rbuf_pool;
struct stream_loan;

struct rbuf {
    /* read-only */
    unsigned char *ptr; /* aligned to RBUF_ALIGN, unless it is lent */
    size_t capacity;
    /* private */
    uint32_t refs;
    struct rbuf_pool *pool;   /* NULL: of its own size, freed with its last reference */
    struct stream_loan *loan; /* of the bytes, which are another's then */
    struct rbuf *next_free;
};

struct rbuf_pool {
    /* private */
    size_t capacity; /* of each */
    uint32_t count_max;
    uint32_t count; /* lent now */
    uint32_t free_count;
    uint32_t free_max;
    struct rbuf *free; /* last in first out: the warmest for the kernel to write */
};

/* Buffers of `capacity` bytes; of those that came back free_max are kept for the next. */
void rbuf_pool_init(struct rbuf_pool *pool, size_t capacity, uint32_t count_max, uint32_t free_max);

/* All buffers must have come back. Zeroed is fine. */
void rbuf_pool_deinit(struct rbuf_pool *pool);

/* One reference, the caller's. NULL without memory. */
struct rbuf *rbuf_get(struct rbuf_pool *pool);

/* A buffer of its own size (a frame longer than those of the pool). NULL without memory. */
struct rbuf *rbuf_new(size_t capacity);

/* Bytes that a stream lends (port/net.h); the last reference ends the loan. They are not written
 * to. NULL without memory: the loan is ended. */
struct rbuf *rbuf_new_lent_take(const void *ptr, size_t len, struct stream_loan *loan);

static inline bool rbuf_is_lent(const struct rbuf *buf)
{
    return buf->loan != NULL;
}

/* Bytes of its own with what stands at ptr; lent ones for instance. NULL without memory. */
struct rbuf *rbuf_new_copy(const void *ptr, size_t len);

struct rbuf *rbuf_ref(struct rbuf *buf);
void rbuf_unref(struct rbuf *buf); /* NULL is fine */

/*
 * Keeps len bytes at *ptr, which stand in buf: with a reference, or, when the pool runs short or
 * the bytes are few, as a copy, and then *ptr is moved to it. Alignment to 8 is kept. The caller
 * gives the result back with rbuf_unref(). NULL without memory.
 */
struct rbuf *rbuf_keep(struct rbuf *buf, const void **ptr, size_t len);

#endif
