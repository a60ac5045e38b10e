/*
 * consensus_heap.h: libraft's memory, which does not run out in the middle of something.
 *
 * libraft 0.15 does not get over a failed allocation in most places: it frees a message twice
 * (replication.c, sending entries), reads a request it has freed (membership.c), keeps entries in
 * its log that never reach the disk (client.c). So it is given a reserve: a block that is held from
 * the beginning, from which small allocations are served once malloc has refused. Whoever calls
 * libraft asks heap_is_ready() before, and does not call while the reserve is in use: what needs
 * memory waits, elections go to others, proposals are refused.
 *
 * Failures: with the reserve spent, within one call, libraft gets NULL. It takes a few entries of a
 * message and some dozens of small things.
 *
 * There is one heap, since libraft has one: the one mutable object of this room. One thread uses
 * it.
 */
#ifndef RAFT_CONSENSUS_HEAP_H
#define RAFT_CONSENSUS_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#define HEAP_RESERVE_BYTES ((size_t)256 << 10)
#define HEAP_SMALL_MAX                                                                             \
    ((size_t)128 << 10) /* more is not served from it: our own callers ask first */

/* Has libraft use it, from now on. Again is fine. */
void heap_begin(void);

/* Whether the reserve is whole; makes another when it is not and there is memory again. */
bool heap_is_ready(void);

#endif
