/*
 * child.h: what a process started by proc.c does first, and what the two agree on.
 *
 * The parent gives a child its own pid in the environment and, as descriptor 3, the reading end of
 * a pipe that nobody writes to: its end is the end of the parent. What it hands over in
 * proc_spec.env travels in the environment too, each name behind EDGE_CHILD_ENV_PREFIX, until the
 * child takes it out.
 */
#ifndef EDGE_CHILD_H
#define EDGE_CHILD_H

#include "base/error.h"

#define EDGE_CHILD_PARENT_ENV  "GEARPUMP_PARENT_PID"
#define EDGE_CHILD_ENV_PREFIX  "GEARPUMP_CHILD_"
#define EDGE_CHILD_LIFELINE_FD 3

struct edge_child {
    const char *const *env; /* read-only: for edge_options.env; NULL-terminated, never NULL */
};

/*
 * From now on this process dies with its parent, however that one ends. What the parent handed over
 * is moved to ret->env: neither getenv() nor /proc nor children of ours see it any more.
 * Descriptors above the lifeline's are closed. In main(), after edge_process_begin() and before
 * there are threads or files. GP_ESTATE: not started as a child; GP_ENOMEM.
 */
int edge_child_begin(struct edge_child *ret, struct gp_error *err);

/* Wipes and frees env, when the world is gone. Zeroed is fine. The rest lasts. */
void edge_child_end(struct edge_child *child);

#endif
