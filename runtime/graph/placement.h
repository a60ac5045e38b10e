/*
 * placement.h: which lane of which executor hosts which tasks.
 *
 * Symmetric by default: every lane gets a share of every processor, so that much of the traffic
 * stays on its core. The rule is a pure function, so that simulator, appmaster and tests agree:
 *   the lanes of all executors, in order, are numbered 0..L-1; a processor with n >= L tasks
 *   gives lane l the tasks [n*l/L, n*(l+1)/L); one with n < L tasks puts task i on lane
 *   (i*L/n + p) mod L, p being the processor's index. But in a plan of P > L
 *   processors, each of which feeds the next one only, those with one task are cut into L pieces:
 *   the p-th is on the lane l that has [P*l/L, P*(l+1)/L). So most stages of a long chain share
 *   the lane of the stage before and call each other, instead of all of them changing lanes.
 * Tasks of processors flagged GP_PROCESSOR_BLOCKING go to lanes of their own, which stand behind
 * the ordinary ones of each executor: in the order of the plan, the b-th of them to executor b mod
 * E and there to its lane b/E, counted anew when it has fewer. An executor without such lanes hosts
 * none of them; if none has any, they are placed as all others.
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
    uint64_t session;  /* of these tasks; placement_make() leaves it 0 */
    uint64_t since;    /* the oldest session whose rows still count; 0: session */
    bool leaving;      /* their executor gives them up with their state: they move */
};

struct placement {
    struct placement_range
        *ranges; /* sorted by processor, then first; together each task exactly once */
    uint32_t count;
};

struct placement_host {
    uint32_t executor;
    uint32_t lanes;
    uint32_t blocking; /* lanes behind those, for tasks whose calls may block */
};

/* Whether tasks of a processor may be on an executor. */
typedef bool (*placement_takes_fn)(void *user, uint32_t processor, uint32_t executor);

/*
 * 0, GP_EINVAL (no lanes), GP_ENOMEM. With takes (NULL: any) a processor is placed by the same rule
 * over the hosts that take it, as if there were no others; GP_ENOENT: none does.
 */
int placement_make(const struct plan *plan, const struct placement_host *hosts, uint32_t host_count,
                   placement_takes_fn takes, void *user, struct placement *ret);

/* Tasks of a plan whose calls may block. */
uint32_t placement_blocking_tasks(const struct plan *plan);

/* 0 when the ranges cover each task of the plan exactly once, and none counts rows from a session
 * that is not begun. */
int placement_check(const struct placement *placement, const struct plan *plan,
                    struct gp_error *err);

void placement_deinit(struct placement *placement);

#endif
