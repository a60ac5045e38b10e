/*
 * large.h: messages that do not fit a batch.
 *
 * They travel as fragments, elements of ordinary batches, each naming the whole message and its
 * place in it, and are put together before the task sees them.
 *
 * Up to the window of its account a message is written at once, fragment by fragment, as any row
 * would be: it is in order by itself, and credit bounds it. Where rows use the link, too, one of
 * some batches is copied and takes turns with them. Beyond the window it is copied, its account
 * goes into debt for all of it, and the receiver is asked for room:
 *
 *   emit ─▶ REQUESTED ──LARGE_REQUEST──▶ receiver reserves ──CREDIT (large)──▶ SENDING ─▶ done
 *              ▲ QUEUED: behind another one of its account
 *
 * While it waits and while its fragments trickle out, a few per turn and only while the neighbour
 * keeps up, all other accounts go on. What is emitted to the same task meanwhile queues up behind
 * it, so order between a source task and a receiving task is kept; beyond the window that is
 * little, for its account is exhausted.
 *
 * Bounds. Receiver: large_budget per stage and lane, reserved before the first fragment; per stage,
 * so that messages of one stage never wait for those of a stage behind it. Sender: sources wait
 * while large_budget bytes are copied; other tasks hold at most what they were given. Neither can
 * wait for the other in a circle, for the graph has none.
 *
 * Thread: the lane's.
 */
#ifndef DATA_LARGE_H
#define DATA_LARGE_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/message.h>

#include "base/list.h"
#include "data/inbox.h"

struct lane;
struct neighbour;
struct out_edge;
struct output;
struct stage;
struct task;

/* ---- memory, kept for the next message ---- */

void *large_alloc(struct lane *lane, size_t bytes); /* NULL without memory */
void large_dealloc(struct lane *lane, void *bytes); /* NULL is fine */
void large_memory_deinit(struct lane *lane);

/* ---- sending ---- */

/* Sends a message of any size to one task as fragments, now or when it may. GP_OK or GP_FAIL. */
int32_t large_put(struct task *t, struct output *o, uint32_t dst, const struct gp_msg *m,
                  uint32_t key_len, uint64_t hash);

/* Whether something for that task still waits, so that later rows must queue behind it. */
bool large_is_pending(const struct out_edge *e, uint32_t dst);

/* The receiver has made room. 0 or GP_EPROTO. */
int large_on_grant(struct lane *lane, const struct neighbour *from, uint32_t edge, uint32_t dst);

/* Writes some fragments of what may be sent. True if more could be written at once. */
bool large_pump(struct lane *lane);

/* Nothing more reaches that neighbour: what was to be sent there is dropped. */
void large_drop(struct neighbour *p);

/* The lane has a new placement: what was begun for tasks that leave is written now, before the
 * mark. */
void large_finish_leaving(struct lane *lane);

/* A task is elsewhere: what waits for it goes there. from may be NULL. */
void large_follow(struct out_edge *e, uint32_t dst, struct neighbour *from);

/* ... as soon as the link to its lane is ready: called when one is, and behind the mark of a
 * move. */
void large_begin_adrift(struct lane *lane);

/* The number of the oldest one of a stage that is still to be sent; 0: none is. */
uint64_t large_oldest(const struct stage *s);

/* Whether something that this task emitted is still to be sent. */
bool large_is_sending(const struct task *t);

/* Whether sources should wait: too much is copied. */
bool large_is_full(const struct lane *lane);

void large_deinit(struct lane *lane);

/* ---- receiving ---- */

/* A message being put together, or waiting in an inbox. */
struct large_in {
    struct batch_fragment head;
    uint32_t source;
    uint32_t size;        /* as a row: what its account was charged */
    uint32_t got;         /* bytes, in order */
    uint64_t runs_before; /* neighbour.runs_seen when the latest fragment came */
    bool reserved;        /* taken from the stage's budget */
    bool dropped;         /* its task takes no rows any more: bytes is empty */
    uint8_t bytes[];
};

int large_on_fragment(struct inlink *link, const struct batch_element *e);
int large_on_request(struct inlink *link, const struct batch_element *e);

/* The view of a message at the head of an inbox. */
void large_view(const struct large_in *in, struct gp_row *ret_row);

/* It is consumed or dropped: frees it and its room. */
void large_release(struct task *t, struct large_in *in);

/* What was asked for on a link or is half here will not come. */
void large_forget_link(struct inlink *link);

/* Tasks have come or gone: was[i] is where the one stood that stands at i now, or UINT32_MAX. First
 * for each link, then once for the stage. */
void large_reorder(struct inlink *link, const uint32_t *was, uint32_t count);
void large_reordered(struct stage *s);

/* Frees what a link, or the stage, holds. */
void large_free_link(struct inlink *link);
void large_free_stage(struct stage *s);

#endif
