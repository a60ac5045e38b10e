/*
 * A single-producer single-consumer ring of fixed slots, and the doorbell its two threads sleep on.
 *
 * Invariants: head <= tail <= head + slots. Only the producer writes tail, only the consumer head,
 * and each keeps its own cursor and its last look at the other's on a line of its own, so a slot
 * costs no shared line: only a publish and a release do.
 *
 * A doorbell belongs to one thread. It announces its sleep, looks once more, then sleeps; whoever
 * changes what it waits for rings. A full fence stands between "announce" and "look" on one side,
 * and between "publish" and "is it asleep?" on the other, so one of the two always sees the other.
 * A ring at an empty doorbell costs a fence and a load; only a sleeper costs a system call.
 */
#ifndef BENCH_LIMIT_RING_H
#define BENCH_LIMIT_RING_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "limit.h"

#define RING_SPINS 200 /* looks before sleeping: a wake-up costs far more than the wait */

struct doorbell {
    _Alignas(CACHE_LINE) _Atomic uint32_t sleeping;
};

static inline void doorbell_ring(struct doorbell *d)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&d->sleeping, memory_order_relaxed) != 0 &&
        atomic_exchange(&d->sleeping, 0) != 0) {
        (void)syscall(SYS_futex, &d->sleeping, FUTEX_WAKE, 1, NULL, NULL, 0); /* nobody: fine */
    }
}

static inline void doorbell_announce(struct doorbell *d)
{
    atomic_store(&d->sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
}

static inline void doorbell_cancel(struct doorbell *d)
{
    atomic_store(&d->sleeping, 0);
}

static inline void doorbell_sleep(struct doorbell *d)
{
    while (atomic_load(&d->sleeping) != 0) {
        /* An early return is answered by the loop. */
        (void)syscall(SYS_futex, &d->sleeping, FUTEX_WAIT, 1, NULL, NULL, 0);
    }
}

struct ring {
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* published by the producer */
    _Alignas(CACHE_LINE) uint64_t next;         /* the producer's own: the next slot to fill */
    uint64_t head_seen;
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* published by the consumer */
    _Alignas(CACHE_LINE) uint64_t taken;        /* the consumer's own: the next slot to read */
    uint64_t tail_seen;
    _Alignas(CACHE_LINE) _Atomic bool closed; /* nothing will be published any more */
    _Alignas(CACHE_LINE) uint32_t slots;      /* a power of two */
    uint32_t slot_bytes;
    _Alignas(CACHE_LINE) char data[];
};

static inline struct ring *ring_new(uint32_t slots, uint32_t slot_bytes)
{
    struct ring *r = pages_new(sizeof(*r) + (size_t)slots * slot_bytes);

    CHECK(slots > 0 && (slots & (slots - 1)) == 0);
    r->slots = slots;
    r->slot_bytes = slot_bytes;
    return r;
}

static inline char *ring_slot(struct ring *r, uint64_t index)
{
    return r->data + (size_t)(index & (r->slots - 1)) * r->slot_bytes;
}

/* Producer: is there room for count slots? */
static inline bool ring_has_room(struct ring *r, uint32_t count)
{
    if (r->next + count - r->head_seen <= r->slots) {
        return true;
    }
    r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
    return r->next + count - r->head_seen <= r->slots;
}

/* Producer: everything filled so far becomes visible. The consumer's bell is the caller's to
 * ring. */
static inline void ring_publish(struct ring *r)
{
    atomic_store_explicit(&r->tail, r->next, memory_order_release);
}

/* Producer: after the last publish. */
static inline void ring_close(struct ring *r)
{
    atomic_store_explicit(&r->closed, true, memory_order_release);
}

/* Consumer: how many slots may be read now. */
static inline uint64_t ring_ready(struct ring *r)
{
    if (r->tail_seen == r->taken) {
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    }
    return r->tail_seen - r->taken;
}

/* Consumer: everything taken so far may be filled again. */
static inline void ring_release(struct ring *r)
{
    atomic_store_explicit(&r->head, r->taken, memory_order_release);
}

/* Consumer: true once the producer is done and every slot has been read. */
static inline bool ring_drained(struct ring *r)
{
    return atomic_load_explicit(&r->closed, memory_order_acquire) && ring_ready(r) == 0;
}

#endif
