/*
 * lone_lane.h: one lane by itself, and a neighbour in another process that is whoever calls: what
 * may come in a frame is given to the lane as it would be from a connection.
 *
 * The job: one source task here and one there; LONE_SINKS sink tasks here and one there; edge 0 by
 * hash, edge 1 to all. The neighbour's opening is taken, the tasks are open. Time stands still.
 */
#ifndef TESTS_DATA_LONE_LANE_H
#define TESTS_DATA_LONE_LANE_H

#include <stddef.h>
#include <stdint.h>

#include "data/lane.h"
#include "data/topology.h"
#include "port/runner.h"
#include "wire/batch.h"

#define LONE_EDGES       2u
#define LONE_SINKS       3u
#define LONE_SESSION     (UINT64_C(1) << 32)
#define LONE_WINDOW      1024u /* of each account */
#define LONE_MESSAGE_MAX 65536u

#define LONE_PLACES_MAX 16u

struct lone_lane {
    struct loop loop;
    struct plan_processor processors[2];
    struct plan_edge edges[LONE_EDGES];
    struct plan plan;
    struct placement_range ranges[4];
    struct placement_host hosts[2];
    struct data_options options;
    struct topology *topologies[LONE_PLACES_MAX + 1]; /* each made from the one before */
    uint32_t places;                                  /* taken since the beginning */
    struct lane_processor code[2];
    struct lane_env env;
    struct crash_note note;
    struct lane *lane;
    struct neighbour *from;
    uint32_t loans; /* not ended */
    uint8_t marks[LONE_PLACES_MAX][BATCH_ELEMENT_SIZE + 8];
    uint32_t mark_count;
};

void lone_lane_begin(struct lone_lane *w);
/* ... with a window of its own for what the neighbour sends. */
void lone_lane_begin_telling(struct lone_lane *w, uint32_t window_bytes);
void lone_lane_end(struct lone_lane *w);

/* The neighbour sends this body of a BATCH or a CREDIT frame. It lives as long as w. */
void lone_lane_take_batch(struct lone_lane *w, const uint8_t *bytes, size_t len);
/* ... through memory that it can still write to; w->loans counts what is not given back. */
void lone_lane_take_lent(struct lone_lane *w, uint8_t *bytes, size_t len);
void lone_lane_take_credit(struct lone_lane *w, const uint8_t *bytes, size_t len);

/*
 * The lane takes another placement, up to LONE_PLACES_MAX times: of sink LONE_SINKS, which lives
 * with the neighbour, it is said in turn that it leaves, that it is here (with that state, which is
 * borrowed until lone_lane_end()), that it leaves, that it is there again. Each has the next
 * generation, from 1.
 */
void lone_lane_place(struct lone_lane *w, gp_bytes state);

/* The neighbour says that what follows is by the placement of that generation. */
void lone_lane_take_mark(struct lone_lane *w, uint64_t generation);

/* Some turns; what must hold between all of them is asserted. */
void lone_lane_go(struct lone_lane *w);

#endif
