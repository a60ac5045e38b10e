/*
 * counter.h: a number that one lane writes and the control thread reads now and then.
 *
 * Relaxed loads and stores, so it costs the lane what a plain variable costs. Counted per run of
 * rows or per call of user code, never per message.
 */
#ifndef DATA_COUNTER_H
#define DATA_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic uint64_t value;
};

/* The writing lane only. */
static inline void counter_add(struct counter *c, uint64_t n)
{
    atomic_store_explicit(&c->value, atomic_load_explicit(&c->value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void counter_set(struct counter *c, uint64_t n)
{
    atomic_store_explicit(&c->value, n, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t counter_get(const struct counter *c)
{
    return atomic_load_explicit(&((struct counter *)c)->value, memory_order_relaxed);
}

#endif
