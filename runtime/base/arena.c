/*
 * The bump arena: a chain of chunks, the newest first; allocations come from the newest.
 *
 * Invariant: size, the sum of all chunks, never exceeds size_max. A request larger than chunk_size
 * gets a chunk of its own size. Failure: NULL, and the arena is as before.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define ARENA_ALIGN _Alignof(max_align_t)

struct arena_chunk {
    struct arena_chunk *older;
    size_t used;
    size_t capacity;
    _Alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t chunk_size, size_t size_max)
{
    ASSERT(chunk_size >= 64 && size_max >= chunk_size);
    *a = (struct arena){.chunk_size = chunk_size, .size_max = size_max};
}

/* Frees all chunks newer than `keep`. */
static void arena_drop(struct arena *a, const struct arena_chunk *keep)
{
    while (a->chunks != keep) {
        struct arena_chunk *chunk = a->chunks;

        a->chunks = chunk->older;
        a->size -= chunk->capacity;
        free(chunk);
    }
}

void arena_deinit(struct arena *a)
{
    if (a != NULL) {
        arena_drop(a, NULL);
        *a = (struct arena){0};
    }
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *first = a->chunks;

    if (first == NULL) {
        return;
    }
    while (first->older != NULL) {
        first = first->older;
    }
    arena_drop(a, first);
    first->used = 0;
}

static struct arena_chunk *arena_add_chunk(struct arena *a, size_t size)
{
    size_t capacity = size > a->chunk_size ? size : a->chunk_size;
    size_t left = a->size_max - a->size;
    struct arena_chunk *chunk;

    if (capacity > left) {
        capacity = left; /* the last chunk may be a short one */
    }
    if (capacity < size) {
        return NULL;
    }
    chunk = (struct arena_chunk *)malloc(sizeof(*chunk) + capacity);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->older = a->chunks;
    chunk->used = 0;
    chunk->capacity = capacity;
    a->chunks = chunk;
    a->size += capacity;
    return chunk;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = a->chunks;
    void *at;

    if (size > a->size_max) {
        return NULL; /* keeps the rounding below from overflowing */
    }
    size = size > 0 ? ALIGN_UP(size, ARENA_ALIGN) : ARENA_ALIGN;
    if (chunk == NULL || size > chunk->capacity - chunk->used) {
        chunk = arena_add_chunk(a, size);
        if (chunk == NULL) {
            return NULL;
        }
    }
    at = chunk->bytes + chunk->used;
    chunk->used += size;
    return at;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    size_t total;
    void *at;

    if (__builtin_mul_overflow(count, size, &total)) {
        return NULL;
    }
    at = arena_alloc(a, total);
    if (at != NULL) {
        memset(at, 0, total);
    }
    return at;
}

char *arena_dup(struct arena *a, gp_str s)
{
    char *copy = s.len < SIZE_MAX ? (char *)arena_alloc(a, s.len + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}
