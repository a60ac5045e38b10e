/*
 * recent.h: from two messages of totals to how it is now: rates, shares of time, percentiles of
 * what was sampled in between. Pure.
 *
 * A total that is smaller than before began anew: it counts from zero.
 */
#ifndef CONTROL_MASTER_RECENT_H
#define CONTROL_MASTER_RECENT_H

#include "base/hist.h"
#include "control/master/track.h"
#include "wire/messages_metrics.h"

/* X(name, largest of a minute). The first RECENT_..._KEPT of each are remembered. */
#define RECENT_PROCESSOR_LIST(X)                                                                   \
    X(rate_in, false)                                                                              \
    X(rate_out, false)                                                                             \
    X(busy, false)                                                                                 \
    X(blocked, false)                                                                              \
    X(queue, false)                                                                                \
    X(watermark_lag_ms, false)                                                                     \
    X(latency_p50_us, false)                                                                       \
    X(latency_p99_us, true)                                                                        \
    X(processing_p50_us, false)                                                                    \
    X(processing_p99_us, true)                                                                     \
    X(idle, false)                                                                                 \
    X(latency_count, false)                                                                        \
    X(latency_p90_us, false)                                                                       \
    X(latency_p999_us, true)                                                                       \
    X(latency_max_us, true)                                                                        \
    X(processing_count, false)                                                                     \
    X(processing_p90_us, false)                                                                    \
    X(processing_p999_us, true)                                                                    \
    X(processing_max_us, true)
#define RECENT_PROCESSOR_KEPT 10u

/* What sources emit, and sinks receive. */
#define RECENT_APP_LIST(X)                                                                         \
    X(source_rate, false)                                                                          \
    X(sink_rate, false)                                                                            \
    X(watermark_lag_ms, false)                                                                     \
    X(latency_p50_us, false)                                                                       \
    X(latency_p99_us, true)                                                                        \
    X(latency_count, false)                                                                        \
    X(latency_p90_us, false)                                                                       \
    X(latency_p999_us, true)                                                                       \
    X(latency_max_us, true)
#define RECENT_APP_KEPT 5u

#define RECENT_EXECUTOR_LIST(X)                                                                    \
    X(cpu, false)                                                                                  \
    X(rss_bytes, false)                                                                            \
    X(loop_lag_ms, true)
#define RECENT_EXECUTOR_KEPT 2u

#define RECENT_TASK_LIST(X)                                                                        \
    X(rate_in, false)                                                                              \
    X(rate_out, false)                                                                             \
    X(busy, false)                                                                                 \
    X(blocked, false)

#define RECENT_PROCESSOR_ENUM(name, largest) RECENT_PROCESSOR_##name,
#define RECENT_APP_ENUM(name, largest)       RECENT_APP_##name,
#define RECENT_EXECUTOR_ENUM(name, largest)  RECENT_EXECUTOR_##name,
#define RECENT_TASK_ENUM(name, largest)      RECENT_TASK_##name,
enum { RECENT_PROCESSOR_LIST(RECENT_PROCESSOR_ENUM) RECENT_PROCESSOR_COUNT };
enum { RECENT_APP_LIST(RECENT_APP_ENUM) RECENT_APP_COUNT };
enum { RECENT_EXECUTOR_LIST(RECENT_EXECUTOR_ENUM) RECENT_EXECUTOR_COUNT };
enum { RECENT_TASK_LIST(RECENT_TASK_ENUM) RECENT_TASK_COUNT };

extern const struct track_metric recent_processor_metrics[];
extern const struct track_metric recent_app_metrics[];
extern const struct track_metric recent_executor_metrics[];
extern const struct track_metric recent_task_metrics[];

/* Two histograms to work with. */
struct recent_scratch {
    struct hist now;
    struct hist before;
    bool was_cut; /* the message before was without histograms, though there were some */
};

/* before may be NULL, and then nothing but what is no growth is known; seconds > 0 else. */
void recent_processor(const struct msg_processor_stats *now,
                      const struct msg_processor_stats *before, double seconds, int64_t time_ms,
                      struct recent_scratch *scratch, float ret[RECENT_PROCESSOR_COUNT]);
void recent_app(const struct msg_app_metrics *now, const struct msg_app_metrics *before,
                double seconds, struct recent_scratch *scratch, float ret[RECENT_APP_COUNT]);
void recent_executor(const struct msg_vitals *now, const struct msg_vitals *before, double seconds,
                     float ret[RECENT_EXECUTOR_COUNT]);
void recent_task(const struct msg_task_metrics *now, const struct msg_task_metrics *before,
                 double seconds, float ret[RECENT_TASK_COUNT]);

#endif
