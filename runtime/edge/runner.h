/*
 * runner.h: port/runner.h as threads. Private to edge.
 */
#ifndef EDGE_RUNNER_H
#define EDGE_RUNNER_H

#include "base/error.h"
#include "edge/loop.h"
#include "port/runner.h"

/* GP_ENOMEM, GP_EAGAIN (no more threads), GP_EFULL (descriptors). */
int edge_runner_start(struct edge_loop *starter, const struct runner_spec *spec,
                      struct runner **ret, struct gp_error *err);

/* After on_exit, or inside it. */
void edge_runner_free(struct runner *runner);

#endif
