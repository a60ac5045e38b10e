/*
 * The bytes of one direction, in a ring that grows as far as its window.
 */
#include "sim/pipe.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define CAPACITY_FIRST 1024u

void sim_pipe_init(struct sim_pipe *p, size_t window)
{
    *p = (struct sim_pipe){.window = window};
}

void sim_pipe_deinit(struct sim_pipe *p)
{
    free(p->ring);
    p->ring = NULL;
}

static void copy_out(const struct sim_pipe *p, unsigned char *out, size_t len)
{
    size_t first = p->capacity - p->head < len ? p->capacity - p->head : len;

    memcpy(out, p->ring + p->head, first);
    memcpy(out + first, p->ring, len - first);
}

static void grow(struct sim_pipe *p, size_t need)
{
    size_t capacity = p->capacity != 0 ? p->capacity : CAPACITY_FIRST;
    unsigned char *ring;

    while (capacity < need) {
        capacity *= 2;
    }
    if (capacity == p->capacity) {
        return;
    }
    ring = malloc(capacity);
    ASSERT(ring != NULL);
    if (p->used > 0) {
        copy_out(p, ring, p->used);
    }
    free(p->ring);
    p->ring = ring;
    p->head = 0;
    p->capacity = capacity;
}

size_t sim_pipe_put(struct sim_pipe *p, const void *ptr, size_t len)
{
    size_t first;
    size_t tail;

    len = len < sim_pipe_room(p) ? len : sim_pipe_room(p);
    if (len == 0) {
        return 0;
    }
    grow(p, p->used + len);
    tail = (p->head + p->used) & (p->capacity - 1);
    first = p->capacity - tail < len ? p->capacity - tail : len;
    memcpy(p->ring + tail, ptr, first);
    memcpy(p->ring, (const unsigned char *)ptr + first, len - first);
    p->used += len;
    return len;
}

void sim_pipe_send(struct sim_pipe *p, size_t size, int64_t at_ns)
{
    struct sim_segment *segment;

    ASSERT(!p->has_end);
    p->last_at_ns = at_ns > p->last_at_ns ? at_ns : p->last_at_ns;
    if (p->segment_count < SIM_PIPE_SEGMENTS) {
        p->segment_count++;
    } else {
        size += p->segments[(p->segment_first + p->segment_count - 1) % SIM_PIPE_SEGMENTS].size;
    }
    segment = &p->segments[(p->segment_first + p->segment_count - 1) % SIM_PIPE_SEGMENTS];
    *segment = (struct sim_segment){.size = size, .at_ns = p->last_at_ns};
}

void sim_pipe_end(struct sim_pipe *p, int64_t at_ns)
{
    p->has_end = true;
    p->end_at_ns = at_ns > p->last_at_ns ? at_ns : p->last_at_ns;
}

int64_t sim_pipe_next_ns(const struct sim_pipe *p)
{
    if (p->segment_count > 0) {
        return p->segments[p->segment_first].at_ns;
    }
    return p->has_end && !p->end_arrived ? p->end_at_ns : INT64_MAX;
}

void sim_pipe_arrive(struct sim_pipe *p, int64_t now_ns)
{
    while (p->segment_count > 0 && p->segments[p->segment_first].at_ns <= now_ns) {
        p->arrived += p->segments[p->segment_first].size;
        p->segment_first = (p->segment_first + 1) % SIM_PIPE_SEGMENTS;
        p->segment_count--;
    }
    ASSERT(p->arrived <= p->used);
    if (p->segment_count == 0 && p->has_end && p->end_at_ns <= now_ns) {
        p->end_arrived = true;
    }
}

void sim_pipe_take(struct sim_pipe *p, void *ptr, size_t len)
{
    ASSERT(len <= p->arrived);
    if (ptr != NULL && len > 0) {
        copy_out(p, ptr, len);
    }
    p->head = p->capacity != 0 ? (p->head + len) & (p->capacity - 1) : 0;
    p->used -= len;
    p->arrived -= len;
}

void sim_pipe_drop(struct sim_pipe *p, bool all)
{
    p->segment_count = 0;
    p->used = p->arrived;
    if (all) {
        sim_pipe_take(p, NULL, p->arrived);
    }
}
