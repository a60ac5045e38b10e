/*
 * stage.h: a lane's share of one processor: its tasks, the edges into it and out of it, and its
 * time.
 *
 * Time is kept per stage, not per task: the watermark that goes out is the smallest of the stage's
 * tasks and travels once per neighbour; the one that comes in is the smallest over the inlinks and
 * is handed to every task as an entry of its inbox. That is exact: whatever arrived before the
 * entry lies before it, whatever arrives later is not older.
 *
 *   inlink.watermark ──min over active──▶ stage.in_ns ──inbox──▶ task.watermark_ns
 *          ──on_watermark──▶ task.out_ns ──min over active──▶ stage.out_ns ──▶ WATERMARK elements
 *
 * Idle inlinks leave the minimum; when all are idle the stage is, and says so downstream. Nothing
 * ever goes back. An inlink has ended when the sending lane has no running task of that processor;
 * a task has ended input when all inlinks of its stage have.
 *
 * Thread: the lane's.
 */
#ifndef DATA_STAGE_H
#define DATA_STAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/processor.h>

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "data/counter.h"
#include "data/limits.h"
#include "data/measure.h"
#include "data/topology.h"

struct lane;
struct task;
struct out_edge;
struct inlink;
struct neighbour;
struct batch_element;

/* The outputs of every task of a stage: out_edges[first .. first+count) leave from this port. */
struct stage_port {
    uint32_t first;
    uint32_t count;
};

struct user_counter {
    char name[GP_NAME_MAX_BYTES + 1];
    _Atomic int64_t value;
};

struct stage {
    struct lane *lane;
    uint32_t processor;
    struct gp_processor table; /* as this host knows it: what the plugin has not is NULL */
    const char *name;
    const char *plugin;
    uint64_t hash_seed;
    const struct topology_processor *topology;
    const uint32_t *task_indices; /* [task_count] */
    struct task **tasks;          /* those that live here now, by index */
    uint32_t task_count;

    struct stage_port *ports;
    uint32_t port_count;
    struct out_edge *out_edges; /* sorted by port */
    uint32_t out_count;
    struct inlink **inlinks; /* one for each (edge in, lane that sends on it) */
    uint32_t inlink_count;
    uint32_t inlink_ended;
    uint32_t inlink_max;       /* of those that count, as the topology says */
    bool in_parked;            /* some of the tasks that send are on no lane, or move: time waits */
    struct inlink **unmanaged; /* [unmanaged_count] by lane, or NULL before use */
    uint32_t unmanaged_count;

    struct list blocked;          /* tasks that wait for credit */
    struct list large_waiting;    /* requests of large messages to its tasks */
    uint64_t large_reserved;      /* bytes of those granted and not consumed */
    struct list_node in_changed;  /* in lane.in_changed: watermark or end to be handed to tasks */
    struct list_node out_changed; /* in lane.out_changed: watermark, idle or end to be sent */
    int64_t in_ns;
    int64_t out_ns;
    uint64_t time_behind;   /* the large message behind which time waits; 0: it does not */
    int64_t time_behind_ns; /* ... and which */
    int64_t in_advanced_ns; /* when it was last done: many tasks make it dear */
    int64_t out_advanced_ns;
    bool in_idle;
    bool in_ended; /* handed to the tasks */
    bool out_idle;
    bool out_ended;
    bool say_afresh; /* with the next move mark: who listens has changed, or what was promised */
    uint32_t ended;  /* tasks that ended regularly */
    struct stage_meter meter;

    /* read by the control thread */
    struct counter in_rows;
    struct counter in_bytes;
    struct counter out_rows;
    struct counter rejected;
    struct counter late;
    struct counter running;
    struct counter tasks_ended;
    struct counter restarts;
    struct counter watermark; /* int64_t as bits */
    struct user_counter counters[COUNTERS_MAX];
    _Atomic uint32_t counter_count;
    struct log_limit reject_limit;
    struct log_limit log_limit;
};

/* A stage with its tasks, not opened. GP_EINVAL: the table cannot do what the plan wants of it. */
int stage_new(struct lane *lane, uint32_t processor, struct stage **ret, struct gp_error *err);
void stage_free(struct stage *s);

/* What comes from a neighbour, for all stages of its lane: those links that are not there yet. 0;
 * GP_ENOMEM. */
int stage_add_inlinks(struct neighbour *neighbour);

/* The link of messages outside the stream from a neighbour. */
struct inlink *stage_unmanaged_link(struct stage *s, struct neighbour *neighbour);

/* A watermark, idle mark or end came in on a link. */
void stage_on_watermark(struct inlink *link, int64_t time_ns);
void stage_on_idle(struct inlink *link, bool idle);
void stage_on_end(struct inlink *link);

/* ... what holds whatever was said before: tasks have come to the sending lane. */
void stage_on_afresh(struct inlink *link, int64_t time_ns);

/* Something of the inlinks changed: they are looked at at the end of the turn. */
void stage_in_changed(struct stage *s);

/* Whether an element is of an older session of its task than the newest that is known. */
bool stage_is_stale(const struct inlink *link, const struct batch_element *e);

/* The out_ns, idle or state of a task changed. */
void stage_task_changed(struct stage *s);

/* Hands the smallest watermark of the inlinks, or their end, to the tasks. */
void stage_advance_in(struct stage *s);

/* Says to a neighbour that has just become ready where this stage stands. */
void stage_say_time(struct stage *s, struct neighbour *p);

/* A link from the neighbour is no more. Nothing refers to it. */
void stage_remove_inlinks(struct stage *s, const struct neighbour *neighbour);

/* The one that takes the place of a link whose neighbour is no more, for what came from it. */
struct inlink *stage_gone_link(struct stage *s, const struct inlink *link);

/* How many links that count come in by the lane's topology. */
void stage_await_inlinks(struct stage *s);

/* Takes over what the lane's new topology says, once its neighbours are there: its edges, and which
 * tasks live here. Those that have come are not opened. 0 or GP_ENOMEM. */
int stage_rebuild(struct stage *s, const struct topology *before);

/* Says to all who listen where this stage stands, whatever was said before. */
void stage_say_afresh(struct stage *s);

void inlink_free(struct inlink *link);

/* Tells the neighbours what became of the stage's own time. */
void stage_advance_out(struct stage *s);

/* Whether it is time for that: with many tasks at most once a millisecond. */
bool stage_is_due(const struct stage *s, int64_t advanced_ns);

/* Tasks that waited for credit look again. */
void stage_unblock(struct stage *s);

#endif
