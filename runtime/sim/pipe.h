/*
 * pipe.h: one direction of a connection: bytes under way and bytes that have arrived.
 *
 *     put ─▶ [ arrived, to be taken | under way in segments, each with its time ]
 *
 * Invariants: arrived <= used <= window; the segments' sizes add up to used - arrived; their times
 * do not fall. At most SIM_PIPE_SEGMENTS: what is sent beyond rides with the last. Knows no world.
 */
#ifndef SIM_PIPE_H
#define SIM_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/limits.h"

struct sim_segment {
    size_t size;
    int64_t at_ns;
};

struct sim_pipe {
    /* private */
    unsigned char *ring;
    size_t capacity; /* a power of two, grows up to the window */
    size_t head;     /* of the first byte to take */
    /* read-only */
    size_t window;
    size_t used;
    size_t arrived;
    struct sim_segment segments[SIM_PIPE_SEGMENTS];
    uint32_t segment_first;
    uint32_t segment_count;
    int64_t last_at_ns;
    bool has_end; /* the regular end follows the last segment, at end_at_ns */
    bool end_arrived;
    int64_t end_at_ns;
};

void sim_pipe_init(struct sim_pipe *p, size_t window);
void sim_pipe_deinit(struct sim_pipe *p);

static inline size_t sim_pipe_room(const struct sim_pipe *p)
{
    return p->window - p->used;
}

/* Copies in at most the room; they are not under way before sim_pipe_send(). Returns how many. */
size_t sim_pipe_put(struct sim_pipe *p, const void *ptr, size_t len);

/* Sends what was put since the last call: size bytes that arrive at at_ns, or later if others
 * do. */
void sim_pipe_send(struct sim_pipe *p, size_t size, int64_t at_ns);

/* Sends the end. */
void sim_pipe_end(struct sim_pipe *p, int64_t at_ns);

/* When something arrives next; INT64_MAX: nothing is under way. */
int64_t sim_pipe_next_ns(const struct sim_pipe *p);

/* Lets arrive what is due. */
void sim_pipe_arrive(struct sim_pipe *p, int64_t now_ns);

/* Copies out len <= arrived bytes; ptr NULL drops them. */
void sim_pipe_take(struct sim_pipe *p, void *ptr, size_t len);

/* Forgets what is under way, and with all what has arrived too. */
void sim_pipe_drop(struct sim_pipe *p, bool all);

#endif
