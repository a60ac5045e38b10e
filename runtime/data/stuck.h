/*
 * stuck.h: calls into user code that do not return.
 *
 * A lane inside such a call can say nothing of it; its crash note says where it is, and how many
 * calls it has begun. Somebody else looks at that now and then: as long as neither changes it is
 * the same call. So it costs the lane one plain store a call, and a call counts from the first look
 * that met it, never from earlier.
 *
 *     NONE ──▶ OPEN ──timeout──▶ STUCK ──▶ RETURNED ──next look──▶ NONE or OPEN
 *       ▲────────┘ (in time)
 *
 * Thread: the one that looks.
 */
#ifndef DATA_STUCK_H
#define DATA_STUCK_H

#include <stdbool.h>
#include <stdint.h>

#include "port/runner.h"

enum stuck_state {
    STUCK_NONE,
    STUCK_OPEN,     /* a call was met, and may be over in time */
    STUCK_STUCK,    /* it lasts longer than it should */
    STUCK_RETURNED, /* it did, and is over; until the next look */
};

/* The call that one thread is in, as of the latest look. Zeroed: none. */
struct stuck_call {
    enum stuck_state state;
    uint32_t calls;
    uint32_t task;
    const char *processor; /* as in the note */
    const char *function;
    int64_t began_ns;
    int64_t looked_ns;
};

/* Looks; a timeout of 0 is none. True when it has become STUCK or RETURNED. */
bool stuck_look(struct stuck_call *c, const struct crash_note *note, int64_t timeout_ns,
                int64_t now_ns);

/* How long it has lasted, as of the latest look. */
int64_t stuck_for_ns(const struct stuck_call *c);

#endif
