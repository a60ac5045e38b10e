/*
 * batch.h: what stands in a BATCH frame: elements of one link, in order, data and time alike.
 *
 * The frame (header included) is at most BATCH_FRAME_SIZE bytes, one segment of a loopback device.
 * After the frame header come elements; each is a header of four little-endian words and a body of
 * `bytes`, a multiple of 8:
 *
 *   offset  size  field
 *        0     2  kind
 *        2     2  flags
 *        4     4  bytes of the body
 *        8     4  edge (index in the plan; with bit 31: no edge, a message outside the stream to
 *                 the processor of that index)
 *       12     4  source task, as index within its processor
 *       16     4  receiving task, BATCH_DST_ROWS (each row names its own) or BATCH_DST_ALL (every
 *                 task of the receiving processor on the receiving lane)
 *       20     4  rows
 *       24     8  session of the source task
 *
 *   kind             body
 *   ROWS             rows (row.h), `rows` of them
 *   WATERMARK        i64 time_ns: no older row follows on this edge from this lane. With the flag
 *                    AFRESH it replaces what was said before: it may be older, and the lane is
 *                    neither idle nor at its end
 *   IDLE, ACTIVE     none: this lane's watermark of the edge does not count for now; counts again
 *   END              none: nothing follows on this edge from this lane
 *   MOVE             u64 generation: this lane has taken the placement of that generation, and what
 *                    follows is by it; edge, tasks and session are 0
 *   BARRIER          reserved
 *   PROBE            i64 time_ns since 1970 when a source emitted what stands before it, by the
 *                    clock of that source's host; for one receiving task. May be left out
 *   FRAGMENT         struct batch_fragment and a piece of a message too large for a batch
 *   LARGE_REQUEST    u64 bytes: asks to send a message larger than the account's window
 *
 * And a CREDIT frame is a list of entries of four u32: edge, receiving task, bytes, kind.
 *
 *   kind       meaning
 *   BYTES      so many bytes of the account were consumed: they may be drawn again
 *   LARGE      the large message asked for may come
 *   DONE       rows of that edge consumed since ever (tasks and bytes: its low and high half)
 *   MOVE       the MOVE element of that generation has come (as DONE), and all that stood before it
 *
 * A connection between two lanes begins with an opening, first of the side that was dialled, then
 * of the other, which has learned from it that it is awaited:
 *
 *   OPEN       edge: the window in bytes of each account into the lane that says so
 *   ARRIVED    rows of that edge that came since ever, over all connections (as DONE)
 *   PENDING    bytes of the account that came and are not consumed
 *   READY      that is all: batches, and entries of the other kinds, may follow
 *
 * From it the other side knows what was lost with the connection before, and where its accounts
 * stand. Batches of a connection are numbered from 0.
 *
 * Pure functions on bytes. batch_next() believes nothing: it answers GP_EPROTO for anything that is
 * not as above, and reads each header once (row.h says why). Rows are checked one by one, where
 * they are read (row_check()).
 */
#ifndef WIRE_BATCH_H
#define WIRE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"
#include "base/error.h"
#include "wire/row.h"

#define BATCH_FRAME_SIZE        65408u
#define BATCH_FRAME_HEADER_SIZE 32u
#define BATCH_BODY_SIZE         (BATCH_FRAME_SIZE - BATCH_FRAME_HEADER_SIZE)
#define BATCH_ELEMENT_SIZE      32u
#define BATCH_FRAGMENT_SIZE     32u /* struct batch_fragment as bytes */
#define BATCH_CREDIT_SIZE       16u

/* Rows that a body can hold at most. */
#define BATCH_ROWS_MAX ((BATCH_BODY_SIZE - BATCH_ELEMENT_SIZE) / ROW_HEADER_SIZE)

#define BATCH_DST_ROWS  0xffffffffu
#define BATCH_DST_ALL   0xfffffffeu
#define BATCH_UNMANAGED 0x80000000u /* in edge: the rest is a processor */

#define BATCH_AFRESH 1u /* in flags of WATERMARK */

enum batch_kind {
    BATCH_ROWS = 1,
    BATCH_WATERMARK,
    BATCH_IDLE,
    BATCH_ACTIVE,
    BATCH_END,
    BATCH_BARRIER,
    BATCH_MOVE,
    BATCH_PROBE,
    BATCH_FRAGMENT,
    BATCH_LARGE_REQUEST,
};

enum batch_credit_kind {
    BATCH_CREDIT_BYTES = 0,
    BATCH_CREDIT_LARGE = 1,
    BATCH_CREDIT_DONE = 2,
    BATCH_CREDIT_OPEN = 3,
    BATCH_CREDIT_ARRIVED = 4,
    BATCH_CREDIT_PENDING = 5,
    BATCH_CREDIT_READY = 6,
    BATCH_CREDIT_MOVE = 7,
};

struct batch_element {
    uint32_t kind;
    uint32_t flags;
    uint32_t bytes;
    uint32_t edge;
    uint32_t source;
    uint32_t dst;
    uint32_t rows;
    uint64_t session;
    const uint8_t *body;
};

/* In front of each piece of a large message. offset counts in key and value as one. */
struct batch_fragment {
    uint32_t flags; /* ROW_... */
    uint32_t key_len;
    uint32_t value_len;
    uint32_t offset;
    uint64_t hash;
    int64_t time_ns;
};

struct batch_credit {
    uint32_t edge;
    uint32_t dst;
    uint32_t bytes;
    uint32_t kind;
};

/* What is still to be read of a batch. */
struct batch_cursor {
    const uint8_t *at;
    size_t left;
};

static inline void batch_element_put(uint8_t *at, const struct batch_element *e)
{
    put_u64_le(at, (uint64_t)e->kind | (uint64_t)e->flags << 16 | (uint64_t)e->bytes << 32);
    put_u64_le(at + 8, (uint64_t)e->edge | (uint64_t)e->source << 32);
    put_u64_le(at + 16, (uint64_t)e->dst | (uint64_t)e->rows << 32);
    put_u64_le(at + 24, e->session);
}

/* 1 if the body of an element of this kind may have that length and that many rows. */
static inline int batch_element_is_sane(const struct batch_element *e)
{
    switch (e->kind) {
    case BATCH_ROWS:
        return e->rows > 0 && (uint64_t)e->rows * ROW_HEADER_SIZE <= e->bytes;
    case BATCH_WATERMARK:
    case BATCH_MOVE:
    case BATCH_PROBE:
    case BATCH_LARGE_REQUEST:
        return e->rows == 0 && e->bytes == 8;
    case BATCH_IDLE:
    case BATCH_ACTIVE:
    case BATCH_END:
        return e->rows == 0 && e->bytes == 0;
    case BATCH_FRAGMENT:
        return e->rows == 0 && e->bytes >= BATCH_FRAGMENT_SIZE;
    default:
        return 0;
    }
}

/* The next element into *ret: 1; 0 at the end; GP_EPROTO. The body borrows from the batch. */
static inline int batch_next(struct batch_cursor *cursor, struct batch_element *ret)
{
    uint64_t word;

    if (cursor->left == 0) {
        return 0;
    }
    if (UNLIKELY(cursor->left < BATCH_ELEMENT_SIZE)) {
        return GP_EPROTO;
    }
    word = get_u64_le_once(cursor->at);
    ret->kind = (uint32_t)word & 0xffffu;
    ret->flags = (uint32_t)(word >> 16) & 0xffffu;
    ret->bytes = (uint32_t)(word >> 32);
    word = get_u64_le_once(cursor->at + 8);
    ret->edge = (uint32_t)word;
    ret->source = (uint32_t)(word >> 32);
    word = get_u64_le_once(cursor->at + 16);
    ret->dst = (uint32_t)word;
    ret->rows = (uint32_t)(word >> 32);
    ret->session = get_u64_le_once(cursor->at + 24);
    ret->body = cursor->at + BATCH_ELEMENT_SIZE;
    if (UNLIKELY(ret->bytes > cursor->left - BATCH_ELEMENT_SIZE || (ret->bytes & 7u) != 0 ||
                 !batch_element_is_sane(ret))) {
        return GP_EPROTO;
    }
    cursor->at += BATCH_ELEMENT_SIZE + ret->bytes;
    cursor->left -= BATCH_ELEMENT_SIZE + ret->bytes;
    return 1;
}

static inline void batch_fragment_put(uint8_t *at, const struct batch_fragment *f)
{
    put_u64_le(at, (uint64_t)f->flags | (uint64_t)f->key_len << 32);
    put_u64_le(at + 8, (uint64_t)f->value_len | (uint64_t)f->offset << 32);
    put_u64_le(at + 16, f->hash);
    put_u64_le(at + 24, (uint64_t)f->time_ns);
}

/*
 * Reads the head of a FRAGMENT element; *ret_piece is the piece, without the padding of the
 * element. 0, or GP_EPROTO when the piece does not lie within the message it claims to be of, or
 * the message is larger than message_max.
 */
static inline int batch_fragment_get(const struct batch_element *e, uint32_t message_max,
                                     struct batch_fragment *ret, gp_bytes *ret_piece)
{
    uint64_t total;
    uint64_t piece = e->bytes - BATCH_FRAGMENT_SIZE;

    ret->flags = get_u32_le(e->body);
    ret->key_len = get_u32_le(e->body + 4);
    ret->value_len = get_u32_le(e->body + 8);
    ret->offset = get_u32_le(e->body + 12);
    ret->hash = get_u64_le(e->body + 16);
    ret->time_ns = (int64_t)get_u64_le(e->body + 24);
    total = (uint64_t)ret->key_len + ret->value_len;
    if (total > message_max || ret->key_len > GP_KEY_MAX_BYTES ||
        (ret->offset >= total && ret->offset > 0) || (ret->flags & ~ROW_KEYED) != 0) {
        return GP_EPROTO;
    }
    if (piece > total - ret->offset) {
        /* Only the last piece may be padded, by less than a word. */
        if (piece - (total - ret->offset) >= 8) {
            return GP_EPROTO;
        }
        piece = total - ret->offset;
    }
    *ret_piece = gp_bytes_of(e->body + BATCH_FRAGMENT_SIZE, (size_t)piece);
    return 0;
}

static inline void batch_credit_put(uint8_t *at, const struct batch_credit *c)
{
    put_u64_le(at, (uint64_t)c->edge | (uint64_t)c->dst << 32);
    put_u64_le(at + 8, (uint64_t)c->bytes | (uint64_t)c->kind << 32);
}

/* The next entry of a CREDIT frame: 1; 0 at the end; GP_EPROTO. */
static inline int batch_credit_next(struct batch_cursor *cursor, struct batch_credit *ret)
{
    if (cursor->left == 0) {
        return 0;
    }
    if (cursor->left < BATCH_CREDIT_SIZE) {
        return GP_EPROTO;
    }
    ret->edge = get_u32_le(cursor->at);
    ret->dst = get_u32_le(cursor->at + 4);
    ret->bytes = get_u32_le(cursor->at + 8);
    ret->kind = get_u32_le(cursor->at + 12);
    if (ret->kind > BATCH_CREDIT_MOVE) {
        return GP_EPROTO;
    }
    cursor->at += BATCH_CREDIT_SIZE;
    cursor->left -= BATCH_CREDIT_SIZE;
    return 1;
}

#endif
