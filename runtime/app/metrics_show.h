/*
 * metrics_show.h: an answer of metrics.read as people's programs see it: in `gpctl metrics -o json`,
 * in REST, and on the dashboard. Times end in _ms or _us, shares are 0 .. 1, what is not known is null
 * or, for rates and shares, 0.
 */
#ifndef APP_METRICS_SHOW_H
#define APP_METRICS_SHOW_H

#include <stdio.h>

#include "base/value.h"
#include "wire/messages.h"

/* Of a METRICS_LATEST: all but its history. NULL: no memory. */
struct value *metrics_show(const struct msg_metrics_history *latest);

/* Of another window: {step_ms, end_ms, series: [...]}, to stand in it as "history". */
struct value *metrics_show_history(const struct msg_metrics_history *past);

/* The latest as a table for people. GP_ENOMEM, GP_ETOOBIG. */
int metrics_print(const struct msg_metrics_history *latest, FILE *to);

/* How it is now, or `otherwise`. */
double metrics_now(const struct msg_metrics_history *latest, const char *processor,
                   uint32_t executor, const char *metric, double otherwise);

#endif
