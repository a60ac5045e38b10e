/*
 * ring.h: a single-producer, single-consumer ring of 32-byte slots between two lanes of a process.
 *
 * It carries pointers to batches, batches going home, and credit; never rows. Either side works on
 * private indices and publishes them once per turn (ring_publish, ring_release), so a line crosses
 * between the cores per turn, not per message. Indices only grow; the slot is index modulo size.
 *
 * Publishing and the last look before sleep (ring_has_news, ring_has_room) are sequentially
 * consistent, as is the flag that says who sleeps: of a side that publishes and then looks at the
 * flag, and one that sets the flag and then looks at the ring, one sees the other.
 *
 * Threads: push and publish are the producer's; take, release and has_news the consumer's.
 */
#ifndef DATA_RING_H
#define DATA_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "data/limits.h"

struct batch;

enum ring_kind {
    RING_DATA,   /* batch: read it and send it back */
    RING_RETURN, /* batch: one of yours, read */
    RING_CREDIT, /* edge, dst, bytes, credit kind */
};

struct ring_slot {
    uint32_t kind;
    uint32_t edge;
    uint32_t dst;
    uint32_t bytes;
    uint32_t credit_kind;
    uint32_t reserved;
    struct batch *batch;
};

_Static_assert(sizeof(struct ring_slot) == 32, "two slots to a line");
_Static_assert((RING_SLOTS & (RING_SLOTS - 1)) == 0, "indices wrap by masking");

struct ring {
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* published by the producer */
    _Alignas(CACHE_LINE) uint64_t push_at;      /* the producer's own */
    uint64_t push_head_seen;
    uint64_t push_published;
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* published by the consumer */
    _Alignas(CACHE_LINE) uint64_t take_at;      /* the consumer's own */
    uint64_t take_tail_seen;
    uint64_t take_released;
    _Alignas(CACHE_LINE) struct ring_slot slots[RING_SLOTS];
};

static inline struct ring *ring_new(void)
{
    struct ring *r = (struct ring *)aligned_alloc(CACHE_LINE, sizeof(*r));

    if (r) {
        memset(r, 0, sizeof(*r));
    }
    return r;
}

static inline void ring_free(struct ring *r)
{
    free(r);
}

/* A free slot to fill, or NULL when the ring is full. */
static inline struct ring_slot *ring_push(struct ring *r)
{
    if (UNLIKELY(r->push_at - r->push_head_seen == RING_SLOTS)) {
        r->push_head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (r->push_at - r->push_head_seen == RING_SLOTS) {
            return NULL;
        }
    }
    return &r->slots[r->push_at++ & (RING_SLOTS - 1)];
}

/* Shows the consumer what was pushed. False if that was nothing. */
static inline bool ring_publish(struct ring *r)
{
    if (r->push_at == r->push_published) {
        return false;
    }
    atomic_store(&r->tail, r->push_at);
    r->push_published = r->push_at;
    return true;
}

/* The next slot, valid until ring_release(), or NULL. */
static inline const struct ring_slot *ring_take(struct ring *r)
{
    if (r->take_at == r->take_tail_seen) {
        r->take_tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (r->take_at == r->take_tail_seen) {
            return NULL;
        }
    }
    return &r->slots[r->take_at++ & (RING_SLOTS - 1)];
}

/* Gives the slots taken back to the producer. False if there were none. */
static inline bool ring_release(struct ring *r)
{
    if (r->take_at == r->take_released) {
        return false;
    }
    atomic_store(&r->head, r->take_at);
    r->take_released = r->take_at;
    return true;
}

/* Whether ring_push() would give a slot. The producer's. */
static inline bool ring_has_room(const struct ring *r)
{
    return r->push_at - atomic_load(&((struct ring *)(uintptr_t)r)->head) < RING_SLOTS;
}

static inline bool ring_has_news(struct ring *r)
{
    return r->take_at != atomic_load(&r->tail);
}

#endif
