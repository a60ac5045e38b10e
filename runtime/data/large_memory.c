/*
 * large_memory.c: memory for whole large messages, of which a lane keeps some for the next ones.
 * See large.h.
 *
 * Fresh memory costs a page fault for each 4 KiB, as much as all the copying of what is put there.
 * Small blocks are left to malloc(), which keeps them by itself.
 */
#include <stdlib.h>

#include "data/lane.h"
#include "data/large.h"

#define KEPT_MIN_BYTES (64u << 10)
#define KEPT_MAX_BYTES (4u << 20) /* of a lane, all together */

struct large_block {
    struct large_block *next;
    size_t capacity;
    uint8_t bytes[];
};

void *large_alloc(struct lane *lane, size_t bytes)
{
    struct large_block **at = &lane->large_kept;
    struct large_block *b;

    for (; (b = *at) != NULL; at = &b->next) {
        if (b->capacity >= bytes && b->capacity / 2 <= bytes) {
            *at = b->next;
            lane->large_kept_bytes -= b->capacity;
            return b->bytes;
        }
    }
    b = (struct large_block *)malloc(sizeof(*b) + bytes);
    if (!b) {
        return NULL;
    }
    b->capacity = bytes;
    return b->bytes;
}

void large_dealloc(struct lane *lane, void *bytes)
{
    struct large_block *b;

    if (!bytes) {
        return;
    }
    b = container_of(bytes, struct large_block, bytes);
    if (b->capacity < KEPT_MIN_BYTES || lane->large_kept_bytes + b->capacity > KEPT_MAX_BYTES) {
        free(b);
        return;
    }
    b->next = lane->large_kept;
    lane->large_kept = b;
    lane->large_kept_bytes += b->capacity;
}

void large_memory_deinit(struct lane *lane)
{
    while (lane->large_kept) {
        struct large_block *b = lane->large_kept;

        lane->large_kept = b->next;
        free(b);
    }
    lane->large_kept_bytes = 0;
}
