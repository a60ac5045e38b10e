/*
 * inbox.h: from arrived batches to the views a task is given.
 *
 * inbox_accept_take() walks the elements of a batch once. A run for one task becomes one entry of
 * that task's inbox, its rows untouched and unchecked; a run whose rows name their own tasks is
 * sorted by task in two passes over the row headers into a list of offsets, and becomes one entry
 * per task. An entry borrows the bytes; the parcel counts how many do. Watermarks and ends travel
 * through the inbox as entries of their own, so that a task sees them in order with its rows.
 *
 * Views are built just before user code is called, up to VIEWS_MAX of them across entries of one
 * port, and each row's bounds are checked there: no byte of a row is touched earlier than needed.
 *
 * Consuming gives credit back, in bytes of rows, once half a window is owed: not before, for a
 * message per row would cost more than the row.
 *
 * A run for one task that came through shared memory is viewed where it lies there, though its
 * sender may still write to it: every length is read once, checked and then used (wire/row.h). Room
 * goes back to the sender in order, so where a task is slow the oldest of these runs is copied out.
 *
 * Rows of tasks that do not run hold up the batches they came in. What is left of a batch that is
 * mostly done is therefore copied out (inbox_compact.c), so that a task that stopped holds about as
 * much memory as it has rows, and not 64 KiB for each of them.
 *
 * What a lane of another process sends is held against what it may have drawn (inlink.taken), once
 * per run of rows and for all accounts of the link together: what one of them has in excess another
 * lacks, so what bounds this lane's memory is their sum. Besides its windows an honest sender draws
 * what the rules of output.h let it overdraw: of each account one message more, no larger than a
 * batch or a window, and for a row that goes on emitting once more message_max, where rows are
 * spread over accounts as they please (shuffle, local, forward, broadcast) to each of them. Large
 * messages that were asked for are held against their own budget (large.h).
 *
 * Thread: the lane's.
 */
#ifndef DATA_INBOX_H
#define DATA_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "data/batch_pool.h"
#include "wire/batch.h"

struct lane;
struct large_in;
struct rbuf;
struct stage;
struct task;
struct neighbour;

/* What comes into one stage on one edge from one lane. */
struct inlink {
    uint32_t edge; /* or BATCH_UNMANAGED | processor */
    uint32_t port;
    struct stage *stage;
    struct neighbour *neighbour;
    uint32_t *owed; /* [task of the stage] bytes consumed and not yet given back; NULL before use */
    struct large_slot *large; /* [task of the stage], NULL before use */
    uint32_t owed_max;        /* half the window */
    int64_t taken;            /* bytes of rows that came and are not yet given back */
    int64_t taken_max;        /* for each task of the stage ... */
    int64_t taken_max_once;   /* ... and for all together */
    /* Rows since ever, to each receiving task counted as one: */
    uint64_t arrived;
    uint64_t done; /* consumed or dropped */
    uint64_t done_told;
    uint64_t awaits; /* tasks have come there by the move of that generation: its time counts from
                        what that lane says then; 0: it counts */
    int64_t watermark_ns;
    bool idle;
    bool ended;
    bool vacant; /* no task that sends on it is there any more: its time does not count */
};

/* The large message of one account that is asked for, granted or being put together. */
struct large_slot {
    struct large_in *in;
    uint32_t granted; /* bytes */
    bool asked;
};

enum entry_kind {
    ENTRY_RANGE,   /* consecutive rows */
    ENTRY_INDEX,   /* rows at listed offsets; the last kind of rows */
    ENTRY_MESSAGE, /* one row outside the stream */
    ENTRY_LARGE,   /* one message put together from fragments */
    ENTRY_WATERMARK,
    ENTRY_END,
    ENTRY_LEAVE, /* the task moves: nothing for this session follows */
    ENTRY_PROBE, /* measure.h */
};

struct entry {
    struct entry *next;
    struct parcel *parcel;
    struct inlink *link;
    const uint8_t *at; /* RANGE: the next row; INDEX: what offsets count from */
    union {
        const uint8_t *end;     /* RANGE: behind the last row */
        const uint16_t *index;  /* INDEX: offset of the next row, in words of 8 bytes */
        int64_t time_ns;        /* WATERMARK, PROBE */
        uint64_t generation;    /* LEAVE */
        struct large_in *large; /* LARGE, owned */
    } u;
    uint32_t kind;
    uint32_t rows;   /* left; RANGE: as the sender says, for accounting only */
    uint32_t source; /* index of the sending task */
    uint32_t viewed; /* rows in the current views */
    uint64_t reserved;
};

_Static_assert(sizeof(struct entry) == 64, "an entry is one line of cache");

/* Offsets of the rows of one batch, sorted by task. */
struct index_block {
    struct index_block *next;
    uint32_t used;
    uint16_t offsets[BATCH_ROWS_MAX];
};

/* Reads the elements of a batch. The parcel is taken: it is given back when its last row is
 * consumed. 0; GP_EPROTO when the bytes are not a batch that this neighbour may send; GP_EFULL when
 * they are more than it has credit for. */
int inbox_accept_take(struct lane *lane, struct parcel *parcel, const uint8_t *body, size_t len);

/* The same for a body that stands in buf, lent by the sender, who may still write there. A single
 * run for one task stays where it is, and the parcel keeps buf; of anything else it gets a copy.
 * GP_ENOMEM too. */
int inbox_accept_lent_take(struct lane *lane, struct parcel *parcel, struct rbuf *buf,
                           const uint8_t *body, size_t len);

/* Reads on where a parcel had to wait. As inbox_accept_take(). */
int inbox_read_on(struct lane *lane, struct parcel *parcel);

/* Views of the next rows of t, all of one port: their count, 0 when none are at the head. */
uint32_t inbox_views(struct task *t, struct gp_row *views, uint32_t max, uint32_t *ret_port);

/* The first n of the current views are done. */
void inbox_consume(struct task *t, const struct gp_row *views, uint32_t n);

/* Appends a watermark or the end; a watermark directly behind another replaces it. */
void inbox_add_watermark(struct task *t, int64_t time_ns);
void inbox_add_end(struct task *t);
void inbox_add_leave(struct task *t, uint64_t generation);
void inbox_add_probe(struct task *t, int64_t time_ns);

/* Puts the watermark that t has seen in front of all: its next session is to see it too. */
void inbox_repeat_watermark(struct task *t);

/* Drops the entry at the head. */
void inbox_pop(struct task *t);

/* Rows that t will not take: counted as lost, their credit goes back. */
void inbox_drop(struct task *t, struct inlink *link, uint32_t rows, uint32_t bytes);

/* Drops everything. */
void inbox_clear(struct task *t);

/* So many bytes of the rows that lie in it are done, or are no longer read there. */
void parcel_used(struct lane *lane, struct parcel *parcel, uint32_t bytes);

/* Copies what tasks that do not run hold in batches that are mostly done. Not while views are
 * out. */
void inbox_compact(struct lane *lane);

/* Copies what is left of the oldest batch that lies in memory of a neighbour. False: there is none,
 * or no memory for it. Not while views are out. */
bool inbox_return_lent(struct neighbour *p);

/* One reader less. */
void parcel_unref(struct lane *lane, struct parcel *parcel);

struct parcel *parcel_new(struct lane *lane);
void parcel_free(struct lane *lane, struct parcel *parcel);

/* For inbox_accept.c and the like. */
uint32_t inbox_unread_bytes(const struct entry *e); /* of the rows of an entry */
struct entry *inbox_new_entry(struct lane *lane);
void inbox_push(struct task *t, struct entry *e);
void inbox_owe(struct task *t, struct inlink *link, uint32_t bytes);
void inbox_owe_large(struct task *t, struct inlink *link, const struct large_in *in);
void inbox_deinit_pools(struct lane *lane);

#endif
