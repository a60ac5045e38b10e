/*
 * metrics_tell.h: how this process is doing, for /metrics: looks once a second how late its loop
 * is, and tells Graphite once an interval what this daemon knows: its own vitals and, a master that
 * leads, its applications. See observe/graphite.h for what happens when nobody listens.
 */
#ifndef APP_METRICS_TELL_H
#define APP_METRICS_TELL_H

#include "app/config.h"
#include "app/metrics_page.h"
#include "port/port.h"

struct metrics_tell;

/* daemon is copied; what it points to outlives this. Graphite is told if metrics.enabled is set and
 * a host is named. GP_EINVAL: that host cannot be one; GP_ENOMEM. */
int metrics_tell_new(const struct port *port, const struct config *config,
                     const struct metrics_daemon *daemon, struct metrics_tell **ret,
                     struct gp_error *err);
void metrics_tell_free(struct metrics_tell *t); /* NULL is fine */

/* Of now. Borrowed until the next call. */
const struct msg_vitals *metrics_tell_vitals(struct metrics_tell *t);

#endif
