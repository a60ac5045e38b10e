/*
 * batch_pool.h: the buffers that messages travel in, and the pool they come back to.
 *
 * A batch is one block of 64 KiB: this header and, right behind it, the frame as it goes on a wire.
 * It belongs to the pool of the lane that fills it, for ever; other lanes only borrow it and give
 * it back through their ring.
 *
 * Recycling order decides the speed of an edge between cores. A batch that comes back from another
 * core goes to the tail and is used again last, and a busy lane first takes new memory until `warm`
 * batches are in circulation (3 MiB, more than the L2): rewriting lines that the consumer's cache
 * still owns cost seven times as much per message. A batch that never left this core goes to the
 * head and is used again at once, still cached. A lane that is not busy never grows its pool.
 *
 * Thread: the owning lane's. Bound: batch_pool_is_short() tells when tasks must stop emitting; a
 * task in the middle of a row still gets batches (its row cannot be refused), which credit bounds.
 */
#ifndef DATA_BATCH_POOL_H
#define DATA_BATCH_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "wire/batch.h"

#define BATCH_BLOCK_SIZE 65536u
#define BATCH_HEAD_SIZE  128u

_Static_assert(BATCH_HEAD_SIZE + BATCH_FRAME_SIZE == BATCH_BLOCK_SIZE, "one block, no more");

struct entry;
struct lane;
struct neighbour;

/* What the receiving lane knows of bytes it still reads: how many entries of inboxes point into
 * them, and whose they are. Inside a batch, or on its own for bytes that came from a stream. */
struct parcel {
    uint32_t refs;
    uint32_t live_bytes;         /* of rows not consumed yet */
    uint32_t held_bytes;         /* of memory that is kept for them */
    bool thin;                   /* little of it is live: counted in lane.thin_parcels */
    bool is_lent;                /* lies where its sender may still write: one run of one entry */
    struct neighbour *neighbour; /* where they came from */
    struct batch *batch;         /* to be given back; NULL for streams and copies */
    void *rbuf;                  /* the read buffer they lie in, for streams */
    void *copy;                  /* the bytes themselves, when copied out; to be freed */
    struct index_block *index;
    struct parcel *next; /* in a free list, or in neighbour.held_head */
    union {
        struct {
            const uint8_t *body; /* all of it */
            const uint8_t *at;   /* what is not looked at yet */
            size_t left;
        };
        struct {                   /* is_lent */
            struct list_node node; /* in neighbour.lent */
            struct entry *entry;
        };
    };
};

struct batch {
    struct batch *next; /* in the pool, or in one queue of a neighbour */
    struct batch_pool *pool;
    uint64_t seq;
    uint32_t used; /* bytes of the frame, its header included */
    uint32_t rows;
    struct parcel parcel; /* the receiver's while the batch is with it */
};

_Static_assert(sizeof(struct batch) <= BATCH_HEAD_SIZE, "the head of a batch has 128 bytes");

struct batch_pool {
    struct batch *head;
    struct batch *tail;
    struct batch **all; /* every batch ever made and not freed */
    uint32_t count;
    uint32_t capacity; /* of all */
    uint32_t free_count;
    uint32_t warm;
    uint32_t max;
};

void batch_pool_init(struct batch_pool *p, uint32_t warm, uint32_t max);

/* Frees all batches, wherever they are: when every lane that may hold one has ended. */
void batch_pool_deinit(struct batch_pool *p);

/* A batch with unset content. busy: the lane is filling batches, so memory pays. NULL: no
 * memory. */
struct batch *batch_pool_take(struct batch_pool *p, bool busy);

/* Gives back a batch that stayed on this core, or one that was away. */
void batch_pool_put_near(struct batch_pool *p, struct batch *b);
void batch_pool_put_far(struct batch_pool *p, struct batch *b);

static inline bool batch_pool_is_short(const struct batch_pool *p)
{
    return p->count - p->free_count >= p->max;
}

static inline uint8_t *batch_frame(struct batch *b)
{
    return (uint8_t *)b + BATCH_HEAD_SIZE;
}

static inline uint8_t *batch_body(struct batch *b)
{
    return batch_frame(b) + BATCH_FRAME_HEADER_SIZE;
}

static inline uint32_t batch_body_len(const struct batch *b)
{
    return b->used - BATCH_FRAME_HEADER_SIZE;
}

#endif
