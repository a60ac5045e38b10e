/*
 * neighbour.h: a neighbour: another lane (or this one itself) as seen from this lane, and the
 * batches that go there.
 *
 * A neighbour owns one open batch, shared by all edges to that lane: its elements name their edge.
 * That keeps memory at one batch per neighbour whatever the graph, and no edge can hold up another
 * by it, since credit is checked before a row is written. Rows are appended in runs: an element
 * header, then rows of one task on one edge. `token` tells whether the open run is the caller's.
 *
 *   rows ──▶ open batch ──(full | lane idle | linger)──▶ queue ──(neighbour_pump)──▶ LOCAL   inbox
 *                                                                                    RING    ring
 *                                                                                    STREAM  conn
 *
 * and back the other way come credit and, through rings, the batches themselves.
 *
 * A neighbour in another process comes, goes and comes again (neighbour_life.c): while it is not
 * ready all accounts into it stand at zero, so nobody emits towards it.
 *
 * Invariants: a batch is in one place: pool, open, queue, or with the receiver (in_flight of them).
 * Batches go out in the order they were opened, numbered without gaps. Of a neighbour that is not
 * ready nothing is open or queued. An account into a neighbour holds at most window_out, and
 * nothing while it is not ready: an opening lowers it by what is pending, its end adds the window,
 * once, and credit then adds at most what was drawn. So credit within an opening is refused: what
 * it could be for is no longer pending, and would count twice.
 *
 * Thread: the owning lane's. Failures: a ring that is full leaves the rest in the queue for the
 * next turn; a neighbour that breaks the rules is failed (neighbour_fail) and takes or gives
 * nothing any more.
 */
#ifndef DATA_NEIGHBOUR_H
#define DATA_NEIGHBOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "data/batch_pool.h"
#include "data/ring.h"
#include "graph/plan.h"
#include "wire/batch.h"

struct lane;
struct inlink;
struct out_edge;
struct stream_link;

enum neighbour_kind {
    NEIGHBOUR_LOCAL,  /* this lane itself */
    NEIGHBOUR_RING,   /* another lane of this process */
    NEIGHBOUR_STREAM, /* a lane of another process */
    NEIGHBOUR_GONE,   /* stands for those that are no more: rows of theirs are still read */
};

struct neighbour {
    /* What emit touches for each row. */
    uint8_t *cursor;    /* where the next row goes; NULL without an open batch */
    uint8_t *limit;     /* of what the open run was granted */
    uint64_t token;     /* of the open run; 0: none */
    uint32_t rows;      /* in the open run */
    uint32_t kind;      /* enum neighbour_kind */
    uint32_t edge_kind; /* enum edge_kind, for counts */

    struct lane *lane;
    uint32_t index;      /* number of the neighbour lane */
    bool busy;           /* the last batch left because it was full */
    bool failed;         /* its connection is about to end: nothing of it is believed */
    bool ready;          /* batches may go there */
    uint32_t window_in;  /* of the accounts that it draws on */
    uint32_t window_out; /* of the accounts into it; 0: not said yet */
    uint8_t *batch_end;
    uint8_t *run;     /* header of the open run, completed when it ends */
    uint8_t *settled; /* its bytes before this place are drawn from their account */
    struct batch_element head;
    struct out_edge *run_edge; /* of the open run; NULL: outside the stream */
    struct batch *open;
    uint64_t edges_seen[PLAN_EDGES_MAX / 64]; /* with rows in the open batch: bits, by index */
    int64_t opened_ns;                        /* when the open batch got its first element */
    int64_t rows_ns;                          /* when the latest run began */
    uint64_t fed_turn;                        /* the latest with a fragment of large.c */

    struct list_node dirty; /* in lane.dirty: has something for neighbour_pump() */
    struct batch *queue_head;
    struct batch *queue_tail;
    struct batch *return_head; /* read, on their way home */
    struct batch *return_tail;
    struct batch_credit *credits; /* to be told */
    uint32_t credit_count;
    uint32_t credit_capacity;
    uint32_t in_flight; /* batches handed over and not back */
    uint64_t next_seq;  /* of the next batch to be sent */
    uint64_t seen_seq;  /* of the next batch to come */
    uint64_t runs_seen; /* of rows that came */

    struct ring *to;            /* RING */
    struct ring *from;          /* RING */
    struct lane *other;         /* RING: the lane to wake */
    uint32_t held;              /* RING: batches of its that were not given back */
    uint32_t unseen;            /* RING: batches published for which it was not woken yet */
    int64_t held_ns;            /* RING: since when that is held back; 0: it is not */
    struct stream_link *stream; /* STREAM */
    struct list lent;           /* STREAM: parcels that lie in its memory, oldest first */

    /* STREAM: rows since ever, by edge; the last place is for those outside the stream. To each
     * receiving task counts as one. */
    uint64_t *sent;
    uint64_t *arrived; /* ... of them, as it said when the connection opened */
    uint64_t *done;    /* ... consumed, as it said last */

    struct inlink **inlinks; /* [edge]: what comes in from there, or NULL */
    struct neighbour *next_retired;

    /* move.h */
    uint64_t moved;           /* generation of the latest mark read from it */
    uint64_t heard;           /* STREAM: ... of ours that it says has come */
    bool mark_due;            /* STREAM: that its mark has come is to be told */
    struct parcel *held_head; /* what came behind it and has to wait */
    struct parcel *held_tail;
    uint64_t held_bytes;
    bool reading; /* a batch of it is being walked over */
};

struct neighbour *neighbour_new(struct lane *lane, uint32_t index, enum neighbour_kind kind);
void neighbour_free(struct neighbour *p);

/*
 * Goes on with the run of this token or begins it, with room for a row of `size` bytes; what was
 * written before is settled. head describes the run: kind, flags, edge, source, dst, session. The
 * caller sets limit, at most batch_end. 0; GP_ENOMEM.
 */
int neighbour_begin_run(struct neighbour *p, uint64_t token, const struct batch_element *head,
                        struct out_edge *edge, uint32_t size);

/* Draws what the open run has written so far from its account. */
void neighbour_settle(struct neighbour *p);

/* Appends one element that is no run of rows; body of e->bytes, a multiple of 8. 0; GP_ENOMEM. */
int neighbour_put_element(struct neighbour *p, const struct batch_element *e, const void *body);

/* The same, with the body to be written where the answer points; NULL without memory. */
uint8_t *neighbour_reserve_element(struct neighbour *p, const struct batch_element *e);

/* Ends the open run; rows written later begin another. */
void neighbour_end_run(struct neighbour *p);

/* Hands over the open batch, if it holds anything. */
void neighbour_flush(struct neighbour *p);

/* Whether a batch that is not full had better wait: the neighbour has enough to read. */
bool neighbour_is_saturated(const struct neighbour *p);

/* Remembers credit for the neighbour, to be told at the end of the turn. */
void neighbour_add_credit(struct neighbour *p, const struct batch_credit *credit);

/* ---- neighbour_life.c ---- */

/* Opens every account into it, by its window; those hold what is negative now. Batches may go. */
void neighbour_open_accounts(struct neighbour *p);

/*
 * What is on its way there will not arrive: drops it, closes the accounts, and forgets what was
 * half received. What came stays in the inboxes.
 */
void neighbour_lose(struct neighbour *p);

/* Says again where the stages of this lane stand in time. */
void neighbour_say_time(struct neighbour *p);

/* It is no more: counts what is in doubt, leaves what came from it to the lane's `gone`. The caller
 * takes it out of the lane's tables. */
void neighbour_retire(struct neighbour *p);

/* Appends an opening to the credits to be told, in place of what was to be told. */
void neighbour_tell_opening(struct neighbour *p);

/* An entry of the neighbour's opening. 1 when it was the last, 0, GP_EPROTO. */
int neighbour_take_opening(struct neighbour *p, const struct batch_credit *c);

/* The rows it says are consumed. 0 or GP_EPROTO. */
int neighbour_take_done(struct neighbour *p, const struct batch_credit *c);

/* Appends what was consumed of its rows, and which mark has come, to the credits to be told. */
void neighbour_tell_done(struct neighbour *p);

/* ---- */

/* Sends a batch of the neighbour's home. */
void neighbour_add_return(struct neighbour *p, struct batch *b);

/* It has something to send: it is pumped at the end of this turn. */
void neighbour_mark_dirty(struct neighbour *p);

/* Sends what is queued: batches, batches going home, credit. */
void neighbour_pump(struct neighbour *p);

/* RING: takes what came in. */
void neighbour_take(struct neighbour *p);

/* The neighbour gives credit for what this lane sent. Checked: it may be from another process. */
void neighbour_take_credit(struct neighbour *p, const struct batch_credit *credit);

/* The neighbour broke the rules: its connection ends, and is made anew. */
void neighbour_fail(struct neighbour *p, int code, const char *text);

/* ... with a batch that inbox_accept_take() did not take, and why. */
void neighbour_fail_batch(struct neighbour *p, int code);

/* For neighbour_ring.c and neighbour_stream.c. The oldest queued batch, or NULL. */
struct batch *neighbour_next_queued(struct neighbour *p);

/* False when something is left because the ring is full. */
bool neighbour_ring_pump(struct neighbour *p);

#endif
