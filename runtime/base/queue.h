/*
 * A bounded first-in-first-out queue of pointers with a fixed capacity. One owner, no locks.
 * The queue does not own what the pointers point at.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue {
    /* private */
    void **slots;
    size_t capacity;
    size_t head; /* index of the oldest */
    size_t count;
};

/* Allocates the slots; capacity >= 1. Returns 0 or GP_ENOMEM. */
int queue_init(struct queue *q, size_t capacity);

/* Frees the slots. NULL and zeroed are fine. */
void queue_deinit(struct queue *q);

/* Appends a non-NULL pointer. Returns 0, or GP_EFULL and the queue is unchanged. */
int queue_push(struct queue *q, void *item);

/* Removes and returns the oldest; NULL when empty. */
void *queue_pop(struct queue *q);

/* The index-th oldest, 0 being what queue_pop would return; NULL beyond the end. */
void *queue_peek(const struct queue *q, size_t index);

static inline size_t queue_count(const struct queue *q)
{
    return q->count;
}

static inline bool queue_is_empty(const struct queue *q)
{
    return q->count == 0;
}

static inline bool queue_is_full(const struct queue *q)
{
    return q->count == q->capacity;
}

#endif
