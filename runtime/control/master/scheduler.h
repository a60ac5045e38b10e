/*
 * scheduler.h: who gets slots. Pure: numbers in, numbers out.
 *
 * A slot is the right to run one task on a worker. An application asks for slots in a number of
 * executors, at most one on each worker; the emptiest workers come first, and each executor gets as
 * even a share as free slots allow.
 */
#ifndef CONTROL_MASTER_SCHEDULER_H
#define CONTROL_MASTER_SCHEDULER_H

#include <stdint.h>

#include "base/error.h"

/* In: a worker. Out: what it gives. */
struct scheduler_worker {
    uint32_t id;
    uint32_t free;    /* slots */
    uint32_t used;    /* slots */
    uint32_t granted; /* out: slots of the new executor here; 0: none */
};

/* How many executors a job gets that did not say: enough to use every worker that has room, and no
 * more than it has tasks. */
uint32_t scheduler_executors_default(const struct scheduler_worker *workers, uint32_t count,
                                     uint32_t slots);

/*
 * Spreads `slots` over `executors` executors on as many workers and sets their `granted`; reorders
 * workers. With fewer slots than executors there are fewer executors; when the emptiest workers are
 * too small for all slots, there are more. Fails with GP_EFULL and a sentence with the numbers when
 * slots or workers are short; nothing is granted then.
 */
int scheduler_spread(struct scheduler_worker *workers, uint32_t count, uint32_t slots,
                     uint32_t executors, struct gp_error *err);

/* The emptiest worker with a free slot, or NULL: for an appmaster. */
struct scheduler_worker *scheduler_pick(struct scheduler_worker *workers, uint32_t count);

#endif
