/*
 * child.h: what a process started by proc.c does first, and what the two agree on.
 *
 * The parent gives a child its own pid in the environment and, as descriptor 3, the reading end of
 * a pipe that nobody writes to: its end is the end of the parent.
 */
#ifndef EDGE_CHILD_H
#define EDGE_CHILD_H

#include "base/error.h"

#define EDGE_CHILD_PARENT_ENV  "GEARPUMP_PARENT_PID"
#define EDGE_CHILD_LIFELINE_FD 3

/*
 * From now on this process dies with its parent, however that one ends. Descriptors above the
 * lifeline's are closed. In main(), after edge_process_begin() and before there are threads or
 * files. GP_ESTATE: not started as a child.
 */
int edge_child_begin(struct gp_error *err);

#endif
