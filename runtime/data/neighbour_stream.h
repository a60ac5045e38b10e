/*
 * neighbour_stream.h: neighbours in other processes, over connections.
 *
 * A batch goes out as one frame, in one write, from the memory the rows were written to; it comes
 * back to the pool when the kernel has taken it. What comes in is read in place: rows are borrowed
 * from the connection's read buffers until they are consumed.
 *
 *   IDLE ──begin──▶ DIALLING ⇄ WAITING            the one that dials: see topology_dials()
 *     │                 └─▶ OPENING ◀──────┐
 *     └──(we are dialled) bind──▶ OPENING ─┴▶ UP        lost: back to WAITING or IDLE
 *
 * A link that is lost is made again, for ever and at growing intervals, until it is retired:
 * whether the other end still lives is for the appmaster to say. What that costs stands in
 * neighbour_life.c.
 *
 * Thread: the lane's.
 */
#ifndef DATA_NEIGHBOUR_STREAM_H
#define DATA_NEIGHBOUR_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "data/reach.h"
#include "data/stream_hub.h"

struct lane;
struct parcel;
struct neighbour;
struct stream_link;

/* Before the lane runs: how the neighbour is reached. 0 or GP_ENOMEM. */
int neighbour_stream_new(struct neighbour *p, const struct stream_place *place);
void neighbour_stream_free(struct stream_link *link);

/* The lane runs: dials, if that is for this side to do and not done yet. */
void neighbour_stream_begin(struct neighbour *p, struct stream_hub *hub);

/* A proven connection from the neighbour; false: it is not awaited. */
bool neighbour_stream_bind(struct neighbour *p, struct stream_conn *sc, uint64_t incarnation);

void neighbour_stream_up(struct neighbour *p);
/* Nothing is heard of it any more, or it is again. Meanwhile nothing is sent: a path that swallows
 * bytes in one direction falls silent in both, so that both sides know. */
void neighbour_stream_silent(struct neighbour *p, bool is_silent);

/* From now on its connection goes through shared memory. */
void neighbour_stream_shared(struct neighbour *p);

void neighbour_stream_down(struct neighbour *p, const struct gp_error *why);
void neighbour_stream_frame(struct neighbour *p, const struct frame_header *header,
                            const void *payload, struct rbuf *buf);

/* The lane ends: without a word. */
void neighbour_stream_end(struct neighbour *p);

/* The neighbour is no more: it is freed once the kernel has given back its batches. */
void neighbour_stream_retire(struct neighbour *p);

/* There is a connection, which may be silent. */
bool neighbour_stream_is_up(const struct neighbour *p);

/* Whether it is within reach, at this very moment. */
enum reach neighbour_stream_reach(const struct neighbour *p, int64_t now_ns);

/* The neighbour broke the rules: its connection ends. */
void neighbour_stream_refuse(struct neighbour *p, int code, const char *text);

/* Whether a batch is still on its way into the kernel, or cannot go yet. */
bool neighbour_stream_is_writing(const struct stream_link *link);

/* Writes what is queued. */
void neighbour_stream_pump(struct neighbour *p);

/* The bytes of a parcel that came by a stream are read. */
void neighbour_stream_release(struct lane *lane, struct parcel *parcel);

#endif
