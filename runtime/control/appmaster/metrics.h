/*
 * metrics.h: what the appmaster tells its master once an interval (app.metrics): the reports of all
 * executors added up, and what only their sum shows: the clock, latency to the sinks, the critical
 * path, who is stalled.
 *
 * Counters never go back while this appmaster lives: what an executor had counted stays when it
 * dies. Nothing is told while an executor of an earlier epoch has not reported yet. Histograms of
 * executors that died are forgotten with the appmaster, all else is in its record.
 */
#ifndef CONTROL_APPMASTER_METRICS_H
#define CONTROL_APPMASTER_METRICS_H

#include "wire/messages_executor.h"

#define METRICS_INTERVAL_NS 1000000000
/* Of the beat (port/beat.h): executors report on it, and what they said is to be in the figures. */
#define FIGURES_PHASE_NS 62500000
#define METRICS_STALL_NS 30000000000

struct appmaster;
struct am_metrics;

/* The plan is there. Without memory nothing is told. */
void metrics_begin(struct appmaster *am);
void metrics_free(struct appmaster *am);
/* The application has ended: its last counts are told, before its end is. */
void metrics_end(struct appmaster *am);
/* Keeps the histograms of an executor that is gone. */
void metrics_keep(struct appmaster *am, const struct msg_executor_report *report);
/*
 * Sends how it is now, with less and less in it while send() answers GP_ETOOBIG; what is left out
 * is left out of the next messages too, and now and then tried again. As send(); GP_ENOMEM.
 */
typedef int (*metrics_send_fn)(void *user, const struct msg_app_metrics *msg);
int metrics_send(struct appmaster *am, metrics_send_fn send, void *user);
/* As it is now; fields_deinit(&msg_app_metrics_fields, ret) frees. GP_ENOMEM. */
int metrics_make(struct appmaster *am, struct msg_app_metrics *ret);

#endif
