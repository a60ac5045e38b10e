/*
 * consensus_heap.c: see consensus_heap.h.
 *
 *     malloc refuses ─▶ the next piece of the newest block ─▶ pieces are freed ─▶ the block is whole, or,
 *                                                             when a newer one took its place, freed
 *
 * A block is only ever cut from the front; it begins anew when the last of its pieces was freed.
 * What libraft keeps for long (entries of its log) may hold a block for long: then another is made,
 * BLOCKS at most.
 */
#include "raft/consensus_heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <raft.h>

#include "base/assert.h"

#define BLOCKS 8u

struct block {
    unsigned char *bytes; /* NULL: none */
    size_t used;
    uint32_t pieces; /* not freed yet */
};

/* Before each piece. */
struct piece {
    size_t size;
    size_t unused; /* so that what follows is aligned */
};

static struct {
    struct block blocks[BLOCKS];
    uint32_t newest;
} heap_reserve;

static struct block *block_of(const void *ptr)
{
    const uintptr_t at = (uintptr_t)ptr;

    for (uint32_t i = 0; i < BLOCKS; i++) {
        struct block *block = &heap_reserve.blocks[i];
        const uintptr_t begin = (uintptr_t)block->bytes;

        if (begin != 0 && at >= begin && at < begin + HEAP_RESERVE_BYTES) {
            return block;
        }
    }
    return NULL;
}

/* The one allocation of this room that is told apart from others by its name: tests refuse it. */
static void *ask(size_t size)
{
    return reallocarray(NULL, 1, size > 0 ? size : 1);
}

static void *cut(size_t size)
{
    struct block *block = &heap_reserve.blocks[heap_reserve.newest];
    const size_t need = sizeof(struct piece) + ALIGN_UP(size, sizeof(struct piece));
    struct piece *piece;

    if (block->bytes == NULL || size > HEAP_SMALL_MAX || need > HEAP_RESERVE_BYTES - block->used) {
        return NULL;
    }
    piece = (struct piece *)(void *)(block->bytes + block->used);
    piece->size = size;
    block->used += need;
    block->pieces++;
    return piece + 1;
}

static void *heap_malloc(void *data, size_t size)
{
    void *ptr = ask(size);

    (void)data;
    return ptr != NULL ? ptr : cut(size);
}

static void heap_free(void *data, void *ptr)
{
    struct block *block = ptr != NULL ? block_of(ptr) : NULL;

    (void)data;
    if (block == NULL) {
        free(ptr);
        return;
    }
    ASSERT(block->pieces > 0);
    if (--block->pieces > 0) {
        return;
    }
    block->used = 0;
    if (block != &heap_reserve.blocks[heap_reserve.newest]) {
        free(block->bytes);
        *block = (struct block){0};
    }
}

static void *heap_calloc(void *data, size_t count, size_t size)
{
    void *ptr;

    if (size > 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    ptr = heap_malloc(data, count * size);
    if (ptr != NULL) {
        memset(ptr, 0, count * size);
    }
    return ptr;
}

/* What malloc gave and cannot enlarge stays as it is: whoever asks (a list of members that grows)
 * says that there is no memory. */
static void *heap_realloc(void *data, void *ptr, size_t size)
{
    const struct piece *piece;
    void *moved;

    if (ptr != NULL && block_of(ptr) == NULL) {
        return reallocarray(ptr, 1, size > 0 ? size : 1);
    }
    moved = heap_malloc(data, size);
    if (moved != NULL && ptr != NULL) {
        piece = (const struct piece *)ptr - 1;
        memcpy(moved, ptr, piece->size < size ? piece->size : size);
        heap_free(data, ptr);
    }
    return moved;
}

static void *heap_aligned_alloc(void *data, size_t alignment, size_t size)
{
    (void)data;
    return aligned_alloc(alignment, size); /* only libraft's own disk uses it */
}

static void heap_aligned_free(void *data, size_t alignment, void *ptr)
{
    (void)data;
    (void)alignment;
    free(ptr);
}

static struct raft_heap heap_functions = {
    .malloc = heap_malloc,
    .free = heap_free,
    .calloc = heap_calloc,
    .realloc = heap_realloc,
    .aligned_alloc = heap_aligned_alloc,
    .aligned_free = heap_aligned_free,
};

void heap_begin(void)
{
    raft_heap_set(&heap_functions);
    (void)heap_is_ready();
}

/* A place for a block: where none is. */
static bool move_on(void)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (heap_reserve.blocks[i].bytes == NULL) {
            heap_reserve.newest = i;
            return true;
        }
    }
    return false;
}

bool heap_is_ready(void)
{
    struct block *block = &heap_reserve.blocks[heap_reserve.newest];

    if (block->bytes != NULL && block->pieces == 0) {
        return true;
    }
    if (block->bytes != NULL && !move_on()) {
        return false;
    }
    block = &heap_reserve.blocks[heap_reserve.newest];
    *block = (struct block){.bytes = ask(HEAP_RESERVE_BYTES)};
    return block->bytes != NULL;
}
