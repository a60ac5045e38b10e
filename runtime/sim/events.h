/*
 * events.h: what will happen, ordered by virtual time; events of one instant in order of arming.
 *
 * An event is embedded in the thing it happens to and armed at most once at a time. Arming and
 * cancelling cost a walk down a four-way heap; nothing is allocated but the heap itself.
 */
#ifndef SIM_EVENTS_H
#define SIM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_event {
    void (*fire)(struct sim_event *event);
    int64_t at_ns; /* while armed */
    uint32_t slot; /* private: place in the heap and 1, or 0 */
};

struct sim_event_slot {
    int64_t at_ns;
    uint64_t order;
    struct sim_event *event;
};

struct sim_events {
    /* private */
    struct sim_event_slot *slots;
    uint32_t count;
    uint32_t capacity;
    uint64_t order_next;
};

void sim_events_deinit(struct sim_events *q);

static inline bool sim_event_armed(const struct sim_event *event)
{
    return event->slot != 0;
}

/* Arms, or moves an armed event. */
void sim_events_arm(struct sim_events *q, struct sim_event *event, int64_t at_ns);

/* An event that is not armed is fine. */
void sim_events_cancel(struct sim_events *q, struct sim_event *event);

/* Takes out the earliest; NULL when there is none. */
struct sim_event *sim_events_pop(struct sim_events *q);

#endif
