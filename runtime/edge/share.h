/*
 * share.h: memory that two processes share for one stream: a ring each way. Private to edge.
 *
 *     page 0            struct share_lines of the giver's ring, then of the taker's
 *     page 1 ..         the giver's ring, then the taker's, both of the same size
 *
 * It is a memfd, sealed before it is given away: nobody can shrink it, so no access can fault. The
 * taker checks size, seals and kind before he maps it, and nothing about its content ever.
 *
 * Each ring is mapped twice, the second time right behind the first: what lies around its end lies
 * in one piece then.
 */
#ifndef EDGE_SHARE_H
#define EDGE_SHARE_H

#include <stddef.h>

#include "edge/share_ring.h"

#define SHARE_PAGE     ((size_t)4096)
#define SHARE_RING_MIN SHARE_PAGE
#define SHARE_RING_MAX ((size_t)64 << 20)

struct share_memory {
    void *ptr;
    size_t len; /* of addresses at ptr */
    struct share_side out;
    struct share_side in;
};

/* Bytes of memory that two rings of `ring` bytes take. */
static inline size_t share_len(size_t ring)
{
    return SHARE_PAGE + 2 * ring;
}

/* Makes memory with rings of `ring` bytes, a power of two; the caller sends ret_fd away and closes
 * it. 0 or negative: the kernel refuses. */
int share_make(size_t ring, struct share_memory *ret, int *ret_fd);

/* Maps what another process gave, at most len_max bytes; fd stays the caller's. GP_EPROTO: not such
 * memory; GP_ETOOBIG. */
int share_map(int fd, size_t len_max, struct share_memory *ret);

void share_unmap(struct share_memory *m);

#endif
