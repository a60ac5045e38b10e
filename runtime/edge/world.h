/*
 * world.h: the real world of one process: what its main() makes first and frees last.
 *
 *     edge_process_begin();
 *     edge_world_new(&options, &world, &err);
 *     ... state machines on edge_port(world) ...
 *     edge_run(world);        until edge_stop()
 *     ... free the state machines ...
 *     edge_world_free(world);
 *
 * All functions on the thread that made the world, save edge_stop().
 */
#ifndef EDGE_WORLD_H
#define EDGE_WORLD_H

#include <stdbool.h>

#include "base/error.h"
#include "base/log.h"
#include "port/port.h"

struct edge_world;
struct edge_inproc_ops;

struct edge_options {
    const char *program;    /* started for children; NULL: the running one */
    struct log *log;        /* handed on as port->log; may be NULL */
    const char *const *env; /* port->env, borrowed: what edge_child_begin() took; may be NULL */
    /* Not NULL: children are hosted in this process (edge/inproc.h). Outlive the world. */
    const struct edge_inproc_ops *inproc;
    void *inproc_host;
    /* How long streams that end wait for the other side; 0: EDGE_STREAM_LINGER_MS. For who has got
     * all answers, and need not see to it that the last bytes are read. */
    uint32_t linger_ms;
};

/* options may be NULL: all defaults. GP_ENOMEM, GP_EFULL (descriptors). */
int edge_world_new(const struct edge_options *options, struct edge_world **ret,
                   struct gp_error *err);

/* Waits for what ends by itself (ending streams, killed children) and asserts that everything made
 * in this world was freed. NULL is fine. */
void edge_world_free(struct edge_world *world);

const struct port *edge_port(struct edge_world *world);

/* Runs the main loop until edge_stop() was called. */
void edge_run(struct edge_world *world);

/* Makes edge_run() return after the callbacks that are due. [any thread] */
void edge_stop(struct edge_world *world);

/* One pass of the main loop, for tests and tools: callbacks that are due, waiting for one if asked.
 */
void edge_step(struct edge_world *world, bool wait);

#endif
