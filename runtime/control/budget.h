/*
 * budget.h: how often an application may be restarted in parts before it counts as broken.
 *
 * One budget for each application: restarts of its executors, its tasks and its appmaster draw from
 * it, at most `max` in any window; what was longer ago is forgotten. Whoever decides on a restart
 * draws: the appmaster while it lives, the leader when it died. The list of what was drawn stands
 * in the registry; it goes to each appmaster with its welcome, and comes back with each placement
 * that it puts, before it acts on it. A restart that somebody planned (an appmaster that leaves a
 * drained worker) draws nothing.
 *
 * Pure: time comes as an argument, wall time in milliseconds, as it must mean the same on all
 * hosts. Clocks differ and jump: what was drawn in the future was drawn now.
 */
#ifndef CONTROL_BUDGET_H
#define CONTROL_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/messages_appmaster.h"

#define BUDGET_RESTARTS_DEFAULT  10u
#define BUDGET_WINDOW_DEFAULT_MS INT64_C(60000)
#define BUDGET_PAUSE_MIN_MS      INT64_C(100)
#define BUDGET_PAUSE_MAX_MS      INT64_C(10000)

struct budget {
    /* read-only */
    uint32_t max;
    int64_t window_ms;
    struct msg_restart drawn[MSG_RESTARTS_MAX]; /* the oldest first */
    uint32_t count;                             /* of these, some of which may be forgotten */
};

/* Zeros: the defaults. `drawn` were before, the oldest first; of too many the latest count. */
void budget_init(struct budget *b, uint32_t max, int64_t window_ms, const struct msg_restart *drawn,
                 uint32_t count, int64_t now_ms);

/* One restart more; false: there are too many, and nothing is drawn. */
bool budget_draw(struct budget *b, int64_t now_ms);

/* Restarts that are held against it now. */
uint32_t budget_used(const struct budget *b, int64_t now_ms);

/* How long to wait before one more, when so many are held against it: not at all at first, so that
 * one death costs little; then ever longer, so that what fails at once does not fill its budget in
 * a moment. */
int64_t budget_pause_ms(uint32_t used);

#endif
