/*
 * graphite_apps.h: what a daemon knows, as lines for Graphite: the figures that Prometheus reads,
 * in the units of their names (busy_ns stays nanoseconds), histograms as percentiles since the
 * start.
 *
 *     PREFIX.apps.NAME.clock_lag_ms, .stalled, .latency.p99_us
 *     PREFIX.apps.NAME.processors.PROCESSOR.in, .watermark_lag_ms, .latency.p99_us ...
 *     PREFIX.apps.NAME.edges.NUMBER-FROM-TO.KIND.messages ...
 *     PREFIX.apps.NAME.executors.ID.rss_bytes ...
 *     PREFIX.daemons.NODE.rss_bytes ...
 */
#ifndef OBSERVE_GRAPHITE_APPS_H
#define OBSERVE_GRAPHITE_APPS_H

#include "observe/graphite.h"
#include "wire/messages_metrics.h"

/* PREFIX is as configured. All input is borrowed. */
void graphite_put_app(struct graphite *g, const char *prefix, const struct msg_app_metrics *app);
void graphite_put_vitals(struct graphite *g, const char *prefix, const char *node,
                         const struct msg_vitals *vitals, int64_t wall_ms);

#endif
