/*
 * fuse.h: a row that goes from one task straight into the next: without a batch between them.
 *
 * Where all rows of a task go to one task of the same lane (a forward edge, or one with a single
 * target, and no other edge) emit appends a view to a short list instead of a row to a batch. What
 * the value lies in is not even copied if it belongs to the rows that the sender was called with.
 * When the callback has returned, and before its own rows are given back, the receiver is called
 * with that list, and its receiver with its own, so that a few rows pass a whole chain while the
 * first cache holds them.
 *
 *   process(A) ──emit──▶ views ──(A returned)──▶ process(B) ──emit──▶ views ──▶ process(C)
 *                          └──what B left, or could not be asked to take──▶ the batch, as ever
 *
 * It is a short cut and no promise: it is asked before each call whether it is open, and what is
 * not consumed at once goes the ordinary way, with credit drawn, in order. So a task that yields,
 * waits, fails, restarts, moves or is slow needs nothing here, and nothing of it is left between
 * two slices.
 *
 * Open for a call of A is the way to B while
 *   - B runs, is at rest, has nothing to read and may emit: then it could be called now;
 *   - nothing that A sent is on its way to B: neither in a batch nor as a large message;
 *   - no tasks are just moving (move.h), for what waits behind a mark is on its way, too;
 *   - the account of B has credit: for as many bytes, since all of it may have to go the ordinary way.
 * Time may pass rows by: B can see a row before a watermark that was emitted before it. That is no
 * less true.
 *
 * A task that only passes rows on (gp_out.emit_row) needs no list: as long as each is the next of
 * those that it was called with, they are counted, and the receiver is called with the views that
 * the task itself has. What else it emits turns what was counted into a list.
 *
 * Tasks fail, restart and move one by one. A row at which B fails is given up by B; those behind it
 * wait for its next session. One that moves is no longer on this lane, and its rows go there.
 *
 * Lists belong to the lane, one for each depth of calls, used again and again.
 *
 * Thread: the lane's. Failures: without memory for a list the way is not open.
 */
#ifndef DATA_FUSE_H
#define DATA_FUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/message.h>

struct lane;
struct task;
struct task_rows;

typedef int32_t (*emit_fn)(struct gp_out *out, uint32_t port, const struct gp_msg *m);
typedef int32_t (*emit_row_fn)(struct gp_out *out, uint32_t port, const struct gp_row *row);

#define FUSE_DEPTH_MAX 32u  /* calls that lead to calls; beyond, batches */
#define FUSE_ROWS      192u /* then gp_out_full() says so ... */
#define FUSE_ROWS_MAX  256u /* ... and then the rest goes the ordinary way */
#define FUSE_BYTES_MAX 98304u

struct fuse_list {
    struct gp_row views[FUSE_ROWS_MAX];
    uint8_t bytes[FUSE_BYTES_MAX]; /* keys and values that had to be copied */
};

/* Of a task that sends. */
struct fuse {
    struct gp_row *at;  /* where the next view goes; NULL: closed */
    struct gp_row *end; /* for now */
    uint8_t *copy;      /* where the next copy goes */
    uint32_t granted;   /* bytes of rows in all */
    uint32_t room;      /* ... that are left, for now */
    uint32_t room_more; /* after gp_out_full() */
    const void *kept;   /* what lies here need not be copied */
    size_t kept_bytes;
    struct gp_row *passed;   /* the first row that was passed on as it is ... */
    struct gp_row *pass;     /* ... and the one that may be next; NULL: none may */
    struct gp_row *pass_end; /* behind the last that may */
    uint32_t pass_bytes;     /* of all of them */
    bool passes;             /* there may be rows to pass on: there were before */
    struct fuse_list *list;
    struct task *to;
    emit_fn emit; /* how to emit in any other case */
    emit_row_fn emit_row;
    struct task *reached; /* in this slice: its runs end with it */
    uint32_t taken;       /* rows of the latest callback that the receiver consumed at once */
    bool can;             /* its edge may be open at all */
};

/* How t emits; when its way is open, otherwise. */
void fuse_bind(struct task *t, emit_fn emit, emit_row_fn emit_row);

/* At the beginning of a slice: lets those behind t do what they have to do before rows come. */
void fuse_prepare(struct task *t);

/* The task that would be called now with what t emits; NULL: that goes the ordinary way. */
struct task *fuse_way(const struct task *t);

/* Before a callback, which fuse_settle() must follow: opens the way if it can be opened. */
void fuse_open(struct task *t);

/* What the callback is called with; it lies where it is until that is settled. */
void fuse_offer(struct task *t, const struct task_rows *rows);

/* Use fuse_settle(). */
void fuse_deliver(struct task *t);

/* What was emitted until now goes the ordinary way, and so does the rest. */
void fuse_spill(struct task *t);

void fuse_free_lists(struct lane *lane);

#endif
