/*
 * A four-way heap of (time, order): wider than two, so shallower, and its keys lie side by side.
 *
 * Invariant: slots[i].event->slot == i + 1, and no slot comes before its parent (i - 1) / 4.
 */
#include "sim/events.h"

#include <stdlib.h>

#include "base/assert.h"

#define WAYS 4u

void sim_events_deinit(struct sim_events *q)
{
    free(q->slots);
    *q = (struct sim_events){0};
}

static bool comes_before(const struct sim_event_slot *a, const struct sim_event_slot *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put(struct sim_events *q, uint32_t at, struct sim_event_slot slot)
{
    q->slots[at] = slot;
    slot.event->slot = at + 1;
}

/* The slot at `hole` is free: moves parents down until `slot` may stand there. */
static void sift_up(struct sim_events *q, uint32_t hole, struct sim_event_slot slot)
{
    while (hole > 0) {
        uint32_t parent = (hole - 1) / WAYS;

        if (!comes_before(&slot, &q->slots[parent])) {
            break;
        }
        put(q, hole, q->slots[parent]);
        hole = parent;
    }
    put(q, hole, slot);
}

static void sift_down(struct sim_events *q, uint32_t hole, struct sim_event_slot slot)
{
    for (;;) {
        uint32_t first = hole * WAYS + 1;
        uint32_t best = first;

        if (first >= q->count) {
            break;
        }
        for (uint32_t i = first + 1; i < first + WAYS && i < q->count; i++) {
            if (comes_before(&q->slots[i], &q->slots[best])) {
                best = i;
            }
        }
        if (!comes_before(&q->slots[best], &slot)) {
            break;
        }
        put(q, hole, q->slots[best]);
        hole = best;
    }
    put(q, hole, slot);
}

static void grow(struct sim_events *q)
{
    q->capacity = q->capacity == 0 ? 256 : q->capacity * 2;
    q->slots = realloc(q->slots, q->capacity * sizeof(*q->slots));
    ASSERT(q->slots != NULL);
}

void sim_events_arm(struct sim_events *q, struct sim_event *event, int64_t at_ns)
{
    sim_events_cancel(q, event);
    if (q->count == q->capacity) {
        grow(q);
    }
    event->at_ns = at_ns;
    q->count++;
    sift_up(q, q->count - 1,
            (struct sim_event_slot){.at_ns = at_ns, .order = q->order_next++, .event = event});
}

void sim_events_cancel(struct sim_events *q, struct sim_event *event)
{
    struct sim_event_slot last;
    uint32_t hole;

    if (event->slot == 0) {
        return;
    }
    hole = event->slot - 1;
    ASSERT(hole < q->count && q->slots[hole].event == event);
    event->slot = 0;
    last = q->slots[--q->count];
    if (last.event == event) {
        return;
    }
    if (hole > 0 && comes_before(&last, &q->slots[(hole - 1) / WAYS])) {
        sift_up(q, hole, last);
    } else {
        sift_down(q, hole, last);
    }
}

struct sim_event *sim_events_pop(struct sim_events *q)
{
    struct sim_event *event;

    if (q->count == 0) {
        return NULL;
    }
    event = q->slots[0].event;
    sim_events_cancel(q, event);
    return event;
}
