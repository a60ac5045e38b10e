/*
 * metrics_tell.h: tells Graphite once an interval what this daemon knows: a master that leads, of its
 * applications. See observe/graphite.h for what happens when nobody listens.
 */
#ifndef APP_METRICS_TELL_H
#define APP_METRICS_TELL_H

#include "app/config.h"
#include "control/master/master.h"
#include "port/port.h"

struct metrics_tell;

/* NULL in *ret unless metrics.enabled is set and a host is named. master is borrowed and may be NULL; it
 * outlives this. GP_EINVAL: that host cannot be one; GP_ENOMEM. */
int metrics_tell_new(const struct port *port, const struct config *config,
                     const struct master *master, struct metrics_tell **ret, struct gp_error *err);
void metrics_tell_free(struct metrics_tell *t); /* NULL is fine */

#endif
