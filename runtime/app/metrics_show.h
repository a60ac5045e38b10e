/*
 * metrics_show.h: an answer of metrics.read as people's programs see it: in `gpctl metrics -o
 * json`, in REST, and on the dashboard. Times end in _ms or _us, shares are 0 .. 1, what is not
 * known is null or, for rates and shares, 0.
 */
#ifndef APP_METRICS_SHOW_H
#define APP_METRICS_SHOW_H

#include "base/value.h"
#include "wire/messages.h"

/* Of a METRICS_LATEST: all but its history. NULL: no memory. */
struct value *metrics_show(const struct msg_metrics_history *latest);

/* Of another window: {step_ms, end_ms, series: [...]}, to stand in it as "history". */
struct value *metrics_show_history(const struct msg_metrics_history *past);

/* What it waits for that has told nothing yet; NULL: it has. */
const char *metrics_awaits(const struct msg_metrics_history *latest);

#endif
