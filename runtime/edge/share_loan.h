/*
 * share_loan.h: what was read of a shared ring and is kept where it lies. Private to edge.
 *
 * Room goes back to the writer in order, so a loan that is over waits for those before it. Bytes
 * that were used at once belong to the loan before them; without any their room is free at once.
 *
 *     given           end[first]       end[...]        position
 *       │  kept or over  │                │   over by now  │    news ...
 *
 * Thread: the stream's.
 */
#ifndef EDGE_SHARE_LOAN_H
#define EDGE_SHARE_LOAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/net.h"

#define SHARE_LOANS_MAX 64u /* a power of two; a full ring of 2 MiB holds 32 full frames */

struct edge_share;

struct share_loan {
    struct stream_loan base; /* first */
    struct edge_share *share;
    uint64_t end; /* position behind its bytes */
    bool is_over;
};

/* Zeroed is empty. Oldest first; the youngest may be over too, while one before it is not. */
struct share_loans {
    uint32_t first;
    uint32_t count;
    struct share_loan loans[SHARE_LOANS_MAX];
};

/* A loan of all bytes behind those of the loans before, up to `end`; NULL: there are too many. */
static inline struct share_loan *share_loans_add(struct share_loans *l, uint64_t end)
{
    struct share_loan *loan;

    if (l->count == SHARE_LOANS_MAX) {
        return NULL;
    }
    loan = &l->loans[(l->first + l->count++) % SHARE_LOANS_MAX];
    loan->end = end;
    loan->is_over = false;
    return loan;
}

/* Everything before `position` has been used or kept: up to where room may be given back. */
static inline uint64_t share_loans_settle(struct share_loans *l, uint64_t given, uint64_t position)
{
    if (l->count > 0) {
        struct share_loan *last = &l->loans[(l->first + l->count - 1) % SHARE_LOANS_MAX];

        last->end = position > last->end ? position : last->end;
    }
    while (l->count > 0 && l->loans[l->first].is_over) {
        given = l->loans[l->first].end;
        l->first = (l->first + 1) % SHARE_LOANS_MAX;
        l->count--;
    }
    return l->count > 0 ? given : position;
}

#endif
