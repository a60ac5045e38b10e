/*
 * placement.h: which lane of which executor hosts which tasks.
 *
 * Symmetric by default: every lane gets a share of every processor, so that much of the traffic
 * stays on its core. The rule is a pure function, so that simulator, appmaster and tests agree:
 *   the lanes of all executors, in order, are numbered 0..L-1; a processor with n >= L tasks
 *   gives lane l the tasks [n*l/L, n*(l+1)/L); one with n < L tasks puts task i on lane
 *   (i*L/n + p) mod L, p being the processor's index.
 * Processors flagged GP_PROCESSOR_BLOCKING are placed the same way; the executor gives each of
 * their tasks a lane of its own.
 */
#ifndef GRAPH_PLACEMENT_H
#define GRAPH_PLACEMENT_H

#include "graph/plan.h"

struct placement_range {
    uint32_t processor;
    uint32_t first; /* task index */
    uint32_t count;
    uint32_t executor; /* id, from 1 */
    uint32_t lane;     /* index in that executor */
};

struct placement {
    struct placement_range
        *ranges; /* sorted by processor, then first; together each task exactly once */
    uint32_t count;
};

struct placement_host {
    uint32_t executor;
    uint32_t lanes;
};

/* 0, GP_EINVAL (no lanes), GP_ENOMEM. */
int placement_make(const struct plan *plan, const struct placement_host *hosts, uint32_t host_count,
                   struct placement *ret);

/* The range that holds a task, or NULL. O(log ranges). */
const struct placement_range *placement_find(const struct placement *placement, uint32_t processor,
                                             uint32_t task);

/* 0 when the ranges cover each task of the plan exactly once. */
int placement_check(const struct placement *placement, const struct plan *plan,
                    struct gp_error *err);

void placement_deinit(struct placement *placement);

#endif
