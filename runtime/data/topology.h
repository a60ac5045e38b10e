/*
 * topology.h: plan and placement turned into tables that answer at once: on which lane is this
 * task, in which session, which tasks are on that lane, how large is an account into it.
 *
 * Lanes are numbered 0..L-1 over all executors. The numbers are this executor's own: when the
 * placement changes a topology is made from the one before, a lane that goes on keeps its number,
 * and one that comes takes a number that is free. So what others call a lane is its executor and
 * its index there. Tasks on executors that nobody announced are parked: on no lane for now.
 *
 * Made once per assignment or update, then only read, by all lanes of an executor at once.
 */
#ifndef DATA_TOPOLOGY_H
#define DATA_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/options.h"
#include "graph/placement.h"
#include "graph/plan.h"

#define TOPOLOGY_PARKED 0xfffeu /* in lane_of: on no lane */

struct topology_lane {
    uint32_t executor;          /* id; 0: the number is free */
    uint32_t lane;              /* index in that executor */
    uint32_t tasks;             /* on it */
    uint32_t window_bytes;      /* of each account into it, if it is a lane of this executor */
    uint32_t ring_window_bytes; /* ... for lanes of the same process */
    uint32_t host_window_bytes; /* ... for lanes of other processes of its host */
    uint32_t tcp_window_bytes;  /* ... for lanes that reach it over TCP only */
};

struct topology_processor {
    uint32_t tasks;
    uint32_t lanes;      /* that host at least one */
    uint32_t parked;     /* tasks on no lane */
    uint32_t leaving;    /* tasks that move: their lane gives them up */
    uint16_t *lane_of;   /* [task], or TOPOLOGY_PARKED */
    uint32_t *local_of;  /* [task] position among its lane's tasks of this processor */
    uint64_t *session;   /* [task] */
    uint64_t *since;     /* [task] rows of older sessions than that are dropped */
    uint8_t *is_leaving; /* [task] */
    uint32_t *by_lane;   /* [tasks] task indices, grouped by lane, ascending within */
    uint32_t *offset;    /* [lane_count + 1] into by_lane */
};

struct topology {
    const struct plan *plan; /* borrowed */
    uint32_t lane_count;
    struct topology_lane *lanes;
    struct topology_processor *processors;
};

/*
 * hosts: the executors, with their ordinary lanes; a range may name further lanes (those of
 * blocking tasks). plan is borrowed, placement and hosts are read only here. before: the topology
 * whose numbers are kept; NULL for the first. 0, GP_EINVAL (a task twice or not mentioned),
 * GP_ETOOBIG (LANES_MAX), GP_ENOMEM.
 */
int topology_new(const struct plan *plan, const struct placement *placement,
                 const struct placement_host *hosts, uint32_t host_count,
                 const struct data_options *options, const struct topology *before,
                 struct topology **ret, struct gp_error *err);
void topology_free(struct topology *t);

/* Number of a lane, or negative GP_ENOENT. */
int topology_find_lane(const struct topology *t, uint32_t executor, uint32_t lane);

/* Whether tasks of a processor are on that lane that were elsewhere before. */
bool topology_has_come(const struct topology *t, const struct topology *before, uint32_t processor,
                       uint32_t lane);

/* Of two lanes that are to be connected, the one that dials: by executor and index, so that both
 * sides say the same. */
static inline bool topology_dials(const struct topology *t, uint32_t from, uint32_t to)
{
    const struct topology_lane *a = &t->lanes[from];
    const struct topology_lane *b = &t->lanes[to];

    return a->executor != b->executor ? a->executor < b->executor : a->lane < b->lane;
}

/* The tasks of a processor on a lane: their count, and the list of their indices. */
static inline uint32_t topology_tasks_on(const struct topology_processor *p, uint32_t lane,
                                         const uint32_t **ret_tasks)
{
    *ret_tasks = p->by_lane + p->offset[lane];
    return p->offset[lane + 1] - p->offset[lane];
}

#endif
