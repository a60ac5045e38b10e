/*
 * output.h: from emit() to a row in the open batch of the right neighbour.
 *
 * An out_edge is an edge of the plan as one stage of one lane sends on it: its accounts and its
 * partitioner, shared by the stage's tasks. An output is one task's place on it: where its current
 * run goes.
 *
 * Credit. out_edge.credit[task] is what this lane may still send to that task on this edge, in
 * bytes of rows; it starts as the window of the receiving lane, which both sides compute. Emitting
 * draws and never refuses: the rule that a task is only called while out_edge_is_ready() for all
 * its edges, and that `full` ends a batch early, keeps the overdraft to the output of one row. A
 * run for one task is granted a stretch of its batch that its account covers and drawn when it
 * ends or has used up its grant; rows of a run for many tasks are drawn one by one.
 *
 *   hash, broadcast, round_robin, custom   ready while no account is exhausted: the next row may be
 *                                          for any of them
 *   shuffle, local                         ready while one account is not
 *   forward                                ready while the one of the task of the same index is not
 *
 * Shuffle and local send runs: one target for up to RUN_BYTES or the end of the task's slice, then
 * the next in turn that has credit, so a slow task is passed over and gets less.
 *
 * Thread: the lane's.
 */
#ifndef DATA_OUTPUT_H
#define DATA_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/cursor.h>
#include <gearpump/message.h>
#include <gearpump/processor.h>

#include "base/error.h"
#include "data/counter.h"
#include "data/neighbour.h"
#include "data/topology.h"
#include "wire/messages_client.h"

struct lane;
struct stage;
struct task;
struct neighbour;

#define RUN_BYTES 32768

/* An account of a task that moves is so much lower, so that nobody draws on it. */
#define OUT_EDGE_HOLD (1 << 29)

struct out_edge {
    uint32_t edge;
    uint32_t kind; /* enum plan_partitioner */
    uint32_t targets;
    uint32_t exhausted;   /* accounts at or below zero */
    uint32_t large_count; /* large messages that wait or are being sent */
    int32_t *credit;      /* [targets] */
    const uint16_t *lane_of;
    const struct topology_processor *to;
    struct stage *stage;
    struct neighbour **neighbours; /* [lane], the lane's own table */
    uint64_t hash_seed;
    bool listens_new; /* since the latest placement, tasks are where none were before */
    bool counts;      /* its rows are what the stage emitted (the first edge of its port) */
    uint32_t *lanes;  /* that host targets */
    uint32_t lane_count;
    uint8_t *single;  /* [lane]: hosts one target, so its runs need not be sorted */
    uint32_t *choice; /* local: targets on this lane, or in this process; NULL: all */
    uint32_t choice_count;
    const struct gp_partitioner *partitioner; /* custom */
    void *partitioner_self;
    struct counter rows[EDGE_KINDS]; /* by the way they went */
    struct counter bytes[EDGE_KINDS];
    struct counter batches[EDGE_KINDS]; /* that hold such rows */
    struct counter credit_waits;        /* times a task stopped for want of it */
};

struct output {
    uint64_t token; /* own while its run may go on; OUTPUT_STALE: look at everything again */
    struct neighbour *neighbour; /* shuffle, local, forward: where the current target is */
    uint32_t dst;                /* ... and the target */
    uint32_t next;               /* shuffle, local, round_robin: place in the choice to try next */
    uint64_t own;                /* names its runs; a new target means a new name */
    uint64_t unread;             /* batches that the lane must have taken from itself before all
                                    that it sent to itself here is in inboxes */
    struct out_edge *edge;
    struct gp_cursor cursor; /* while it is lent (task.lent), the truth about the open run */
};

#define OUTPUT_STALE UINT64_MAX

int out_edge_init(struct out_edge *e, struct stage *stage, uint32_t edge, struct gp_error *err);
void out_edge_deinit(struct out_edge *e);
void output_init(struct output *o, struct out_edge *e, struct task *t);

/* Whether a task may be called that sends on this edge. index is its own. */
static inline bool out_edge_is_ready(const struct out_edge *e, uint32_t index)
{
    switch (e->kind) {
    case PLAN_SHUFFLE:
    case PLAN_LOCAL:
        return e->exhausted < e->choice_count;
    case PLAN_FORWARD:
        return e->credit[index] > 0;
    default:
        return e->exhausted == 0;
    }
}

/* The receiving task consumed that much: its account may be drawn on again. Unblocks who waited. */
void out_edge_refill(struct out_edge *e, uint32_t dst, uint32_t bytes);

/* Nothing may be sent to that task for now. */
void out_edge_close(struct out_edge *e, uint32_t dst);

/* By how much the account of a task is lower than what it stands for. */
static inline int32_t out_edge_held(const struct out_edge *e, uint32_t dst)
{
    return e->to->is_leaving[dst] ? OUT_EDGE_HOLD : 0;
}

/* Takes over what the lane's new topology says: the accounts of tasks that are elsewhere now are
 * closed, or open where their lane is ready. 0 or GP_ENOMEM. */
int out_edge_rebuild(struct out_edge *e, const struct topology *before);

/* One row of a run whose rows name their task. */
static inline void out_edge_draw_row(struct out_edge *e, uint32_t dst, uint32_t bytes)
{
    int32_t credit = e->credit[dst];

    e->credit[dst] = credit - (int32_t)bytes;
    e->exhausted += credit > 0 && credit <= (int32_t)bytes;
}

/* Rows of that many bytes went out in a run for dst (a task, or all tasks of a lane). */
void out_edge_draw(struct out_edge *e, uint32_t lane, uint32_t dst, uint32_t bytes);

/* The functions of gp_out. */
void output_bind(struct task *t);

/* Those of them that build a message in place (reserve.c): where emit is emit_to_target() in the
 * batch itself, else always aside. */
void *output_reserve(struct gp_out *out, uint32_t port, const struct gp_msg *m, uint32_t value_len);
int32_t output_commit(struct gp_out *out, uint32_t value_len);
void *output_reserve_aside(struct gp_out *out, uint32_t port, const struct gp_msg *m,
                           uint32_t value_len);
int32_t output_commit_aside(struct gp_out *out, uint32_t value_len);

/* Makes room at the end of the output's open run for a message without key of value_len bytes.
 * GP_OK; GP_AGAIN: such messages cannot be built in place here, or not now; GP_FAIL: the host said
 * why. Nothing may be lent. */
int32_t output_open(struct task *t, struct output *o, uint32_t value_len);

/* Whether p holds the output's open run, with room for a row of `size` bytes. */
static inline bool output_is_open(const struct output *o, const struct neighbour *p, uint64_t size)
{
    return p->token == o->token && size <= (size_t)(p->limit - p->cursor);
}

/* The slice of a task is over: its shuffles turn to the next target. */
void output_end_slice(struct task *t);

#endif
