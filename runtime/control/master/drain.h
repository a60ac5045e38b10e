/*
 * drain.h: within the master: who is told to leave which workers, or to spread.
 */
#ifndef CONTROL_MASTER_DRAIN_H
#define CONTROL_MASTER_DRAIN_H

#include "control/master/internal.h"

/* What is wanted of an appmaster besides leaving the workers that are drained. */
struct drain_wish {
    bool spread;
    bool force;
    const char *reason; /* at most MSG_REASON_MAX; NULL: the workers that are drained */
};

/* said: NULL: err says why. */
typedef void (*drain_told_fn)(struct master *m, void *user, uint32_t app,
                              const struct msg_app_rebalanced *said, const struct gp_error *err);

bool drain_can_tell(const struct app_place *place);

/* Tells an appmaster. fn (may be NULL) comes once, from the loop, unless a negative code is
 * returned; not at all when the master is freed before. */
int drain_tell(struct master *m, struct app_place *place, const struct drain_wish *wish,
               drain_told_fn fn, void *user);

/* Slots of an application on a worker, that of its appmaster included. */
uint32_t drain_held(const struct master *m, uint32_t app, uint32_t worker);

#endif
