/*
 * share_ring.h: a ring of bytes in memory shared with another process, one writer, one reader.
 *
 * It carries a stream: no lengths, no frames, nothing but bytes. What stands in shared memory is
 * the other side's to write at any moment and so is believed no more than a frame: each side keeps
 * its own position to itself and only tells it; of the other's it takes what lies within the ring
 * and refuses the rest. The bytes are looked at where they lie by who knows what that means
 * (on_lent in port/net.h). A wrong flag costs whoever set it a wake-up, or all of them.
 *
 * Waking: who finds nothing to do sets his flag and looks once more (share_reader_rest(),
 * share_writer_rest()); who has written or read looks at the other's flag after
 * (share_reader_called(), share_writer_called()). Flag and position are sequentially consistent, so
 * one of them sees the other.
 *
 * Positions only grow; the place is position modulo size, and as the ring is mapped twice, what is
 * there is in one piece. Threads: one for each side.
 */
#ifndef EDGE_SHARE_RING_H
#define EDGE_SHARE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

#define SHARE_LINE 64

/* In shared memory. A line is written by one side, save that who calls takes the flag down. */
struct share_lines {
    _Alignas(SHARE_LINE) _Atomic uint64_t tail; /* bytes ever written */
    _Atomic uint32_t writer_rests;              /* waits for room */
    _Alignas(SHARE_LINE) _Atomic uint64_t head; /* bytes ever read */
    _Atomic uint32_t reader_rests;              /* waits for bytes */
};

_Static_assert(sizeof(struct share_lines) == 2 * SHARE_LINE, "the same for every compiler");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "between processes");

/* One side of a ring. Private memory. */
struct share_side {
    struct share_lines *lines;
    uint8_t *data;     /* 2 * size, twice the same */
    uint64_t size;     /* a power of two */
    uint64_t position; /* bytes written, or read */
    uint64_t given;    /* reader: bytes whose room was given back */
};

/* Bytes that may be written, or GP_EPROTO: the reader says what cannot be. */
static inline int64_t share_writer_room(const struct share_side *w)
{
    const uint64_t used = w->position - atomic_load(&w->lines->head);

    return used <= w->size ? (int64_t)(w->size - used) : GP_EPROTO;
}

/* Bytes that may be read, or GP_EPROTO: the writer says what cannot be. */
static inline int64_t share_reader_news(const struct share_side *r)
{
    const uint64_t news = atomic_load(&r->lines->tail) - r->position;

    return news <= r->size - (r->position - r->given) ? (int64_t)news : GP_EPROTO;
}

/* Where they begin. */
static inline const uint8_t *share_reader_at(const struct share_side *r)
{
    return r->data + (r->position & (r->size - 1));
}

/* Copies len bytes in, of which there is room. They are seen after share_writer_tell(). */
static inline void share_writer_put(struct share_side *w, const void *ptr, size_t len)
{
    memcpy(w->data + (w->position & (w->size - 1)), ptr, len);
    w->position += len;
}

static inline void share_writer_tell(struct share_side *w)
{
    atomic_store(&w->lines->tail, w->position);
}

/* Gives back the room of all bytes before `position`. */
static inline void share_reader_give(struct share_side *r, uint64_t position)
{
    r->given = position;
    atomic_store(&r->lines->head, position);
}

/* Whether the reader rests and is to be called; he is called once. */
static inline bool share_reader_called(struct share_side *w)
{
    _Atomic uint32_t *flag = &w->lines->reader_rests;

    return atomic_load(flag) != 0 && atomic_exchange(flag, 0) != 0;
}

/*
 * Whether the writer rests and is to be called; he is called once. Not before half of the ring is
 * free: for a little room he would wake again and again. He rests with less than that only, so the
 * giving back that gets there is still to come.
 */
static inline bool share_writer_called(struct share_side *r)
{
    _Atomic uint32_t *flag = &r->lines->writer_rests;

    return atomic_load(flag) != 0 && atomic_load(&r->lines->tail) - r->given <= r->size / 2 &&
           atomic_exchange(flag, 0) != 0;
}

/* True: the writer will call. False: there is something to read, or to find wrong. */
static inline bool share_reader_rest(struct share_side *r)
{
    atomic_store(&r->lines->reader_rests, 1);
    if (share_reader_news(r) == 0) {
        return true;
    }
    atomic_store(&r->lines->reader_rests, 0);
    return false;
}

/* True: the reader will call when there may be `need` bytes of room, at most half of the ring. */
static inline bool share_writer_rest(struct share_side *w, uint64_t need)
{
    int64_t room;

    atomic_store(&w->lines->writer_rests, 1);
    room = share_writer_room(w);
    if (room >= 0 && (uint64_t)room < need) {
        return true;
    }
    atomic_store(&w->lines->writer_rests, 0);
    return false;
}

#endif
