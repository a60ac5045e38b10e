/*
 * net_share.h: a stream whose bytes go through shared memory, as net_share.c (reading, writing,
 * looking) and net_share_life.c (offering, taking, closing) see it. Nobody else includes it.
 */
#ifndef EDGE_NET_SHARE_H
#define EDGE_NET_SHARE_H

#include "edge/net.h"
#include "edge/share.h"
#include "edge/share_loan.h"

struct edge_share {
    struct list_node node;      /* in loop.shares, or not linked: it rests */
    struct edge_stream *stream; /* NULL: it is closed, and loans are left */
    struct share_memory memory;
    bool writes;
    bool reads;
    bool paused;       /* the reader has no place */
    bool broken;       /* the peer's positions cannot be */
    int over;          /* why the socket has ended; 0: it has not */
    int64_t left;      /* when it has: bytes to be read before that is told */
    uint32_t quiet;    /* looks in vain */
    uint64_t slept_at; /* bytes written when the loop was to sleep */
    struct list queue; /* writes that wait for room */
    size_t queued_bytes;
    struct share_loans loans;
};

/* It has something to do: it stands in loop.shares from now on. */
void edge_share_heat(struct edge_share *sh);

/* Without stream and loans. */
void edge_share_free(struct edge_share *sh);

#endif
