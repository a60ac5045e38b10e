/*
 * The bounded ring of pointers: slots[head] is the oldest, count of them follow, wrapping round.
 */
#include "base/queue.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

int queue_init(struct queue *q, size_t capacity)
{
    void **slots;

    ASSERT(capacity >= 1);
    slots = (void **)calloc(capacity, sizeof(*slots));
    if (slots == NULL) {
        return GP_ENOMEM;
    }
    *q = (struct queue){.slots = slots, .capacity = capacity};
    return 0;
}

void queue_deinit(struct queue *q)
{
    if (q != NULL) {
        free(q->slots);
        *q = (struct queue){0};
    }
}

/* Slot of the index-th oldest; index <= capacity. */
static size_t queue_slot(const struct queue *q, size_t index)
{
    size_t slot = q->head + index;

    return slot < q->capacity ? slot : slot - q->capacity;
}

int queue_push(struct queue *q, void *item)
{
    ASSERT(item != NULL);
    if (queue_is_full(q)) {
        return GP_EFULL;
    }
    q->slots[queue_slot(q, q->count)] = item;
    q->count++;
    return 0;
}

void *queue_pop(struct queue *q)
{
    void *item;

    if (q->count == 0) {
        return NULL;
    }
    item = q->slots[q->head];
    q->head = queue_slot(q, 1);
    q->count--;
    return item;
}

void *queue_peek(const struct queue *q, size_t index)
{
    return index < q->count ? q->slots[queue_slot(q, index)] : NULL;
}
