/*
 * topology.h: plan and placement turned into tables that answer at once: on which lane is this
 * task, which tasks are on that lane, how large is an account into it.
 *
 * Lanes are numbered 0..L-1 over all executors, in the order of executor ids; every executor
 * computes the same numbers and the same windows from the same plan, placement and options, so
 * nothing about credit is negotiated. Made once per assignment, then only read, by all lanes of an
 * executor at once.
 */
#ifndef DATA_TOPOLOGY_H
#define DATA_TOPOLOGY_H

#include <stdint.h>

#include "base/error.h"
#include "data/options.h"
#include "graph/placement.h"
#include "graph/plan.h"

struct topology_lane {
    uint32_t executor;     /* id */
    uint32_t lane;         /* index in that executor */
    uint32_t tasks;        /* on it */
    uint32_t window_bytes; /* of each account into it */
};

struct topology_processor {
    uint32_t tasks;
    uint32_t lanes;     /* that host at least one */
    uint16_t *lane_of;  /* [task] */
    uint32_t *local_of; /* [task] position among its lane's tasks of this processor */
    uint32_t *by_lane;  /* [tasks] task indices, grouped by lane, ascending within */
    uint32_t *offset;   /* [lane_count + 1] into by_lane */
};

struct topology {
    const struct plan *plan; /* borrowed */
    uint32_t lane_count;
    struct topology_lane *lanes;
    struct topology_processor *processors;
};

/*
 * hosts: the executors, ascending by id, with their ordinary lanes; a range may name further lanes
 * (those of blocking tasks). plan is borrowed, placement and hosts are read only here. 0, GP_EINVAL
 * (a task twice or nowhere, an unknown executor), GP_ETOOBIG (LANES_MAX), GP_ENOMEM.
 */
int topology_new(const struct plan *plan, const struct placement *placement,
                 const struct placement_host *hosts, uint32_t host_count,
                 const struct data_options *options, struct topology **ret, struct gp_error *err);
void topology_free(struct topology *t);

/* Number of a lane, or negative GP_ENOENT. */
int topology_find_lane(const struct topology *t, uint32_t executor, uint32_t lane);

/* The tasks of a processor on a lane: their count, and the list of their indices. */
static inline uint32_t topology_tasks_on(const struct topology_processor *p, uint32_t lane,
                                         const uint32_t **ret_tasks)
{
    *ret_tasks = p->by_lane + p->offset[lane];
    return p->offset[lane + 1] - p->offset[lane];
}

#endif
