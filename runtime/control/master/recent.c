/* recent.c: see recent.h. */
#include "control/master/recent.h"

#include <math.h>

#define NS_PER_S  1e9
#define NS_PER_MS 1e6
#define NS_PER_US 1e3

#define METRIC(name_, largest) {#name_, largest},
const struct track_metric recent_processor_metrics[] = {RECENT_PROCESSOR_LIST(METRIC)};
const struct track_metric recent_app_metrics[] = {RECENT_APP_LIST(METRIC)};
const struct track_metric recent_executor_metrics[] = {RECENT_EXECUTOR_LIST(METRIC)};
const struct track_metric recent_task_metrics[] = {RECENT_TASK_LIST(METRIC)};

static void unknown(float *ret, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ret[i] = NAN;
    }
}

static double grown(uint64_t now, uint64_t before)
{
    return (double)(now >= before ? now - before : now);
}

/* What was sampled in between; all of it when it began anew. false: nothing. */
static bool sampled(const char *now, const char *before, struct recent_scratch *scratch)
{
    hist_init(&scratch->now);
    hist_init(&scratch->before);
    if (scratch->was_cut && (!before || before[0] == '\0')) {
        return false;
    }
    if (hist_merge_text(&scratch->now, now ? now : "") < 0) {
        return false;
    }
    if (hist_merge_text(&scratch->before, before ? before : "") >= 0) {
        (void)hist_since(&scratch->now, &scratch->before);
    }
    return hist_count(&scratch->now) > 0;
}

static float percentile_us(const struct hist *h, double percent)
{
    return (float)((double)hist_percentile(h, percent) / NS_PER_US);
}

/* In real numbers: nothing that a message says overflows. */
static float lag_ms(int64_t time_ms, double clock_ms)
{
    const double lag = (double)time_ms - clock_ms;

    return (float)(lag > 0 ? lag : 0);
}

/* Of the time that passed for all its tasks, for each of three. */
static void shares(uint64_t busy_ns, uint64_t blocked_ns, uint64_t idle_ns,
                   const struct msg_processor_stats *before, float *ret)
{
    const double busy = grown(busy_ns, before->busy_ns);
    const double blocked = grown(blocked_ns, before->blocked_ns);
    const double idle = grown(idle_ns, before->idle_ns);
    const double all = busy + blocked + idle;

    if (all > 0) {
        ret[RECENT_PROCESSOR_busy] = (float)(busy / all);
        ret[RECENT_PROCESSOR_blocked] = (float)(blocked / all);
        ret[RECENT_PROCESSOR_idle] = (float)(idle / all);
    }
}

void recent_processor(const struct msg_processor_stats *now,
                      const struct msg_processor_stats *before, double seconds, int64_t time_ms,
                      struct recent_scratch *scratch, float ret[RECENT_PROCESSOR_COUNT])
{
    unknown(ret, RECENT_PROCESSOR_COUNT);
    ret[RECENT_PROCESSOR_queue] = (float)now->queue;
    if (now->watermark != INT64_MIN && now->watermark != INT64_MAX) {
        ret[RECENT_PROCESSOR_watermark_lag_ms] =
            lag_ms(time_ms, (double)now->watermark / NS_PER_MS);
    }
    if (!before) {
        return;
    }
    ret[RECENT_PROCESSOR_rate_in] = (float)(grown(now->in, before->in) / seconds);
    ret[RECENT_PROCESSOR_rate_out] = (float)(grown(now->out, before->out) / seconds);
    shares(now->busy_ns, now->blocked_ns, now->idle_ns, before, ret);
    if (sampled(now->latency, before->latency, scratch)) {
        ret[RECENT_PROCESSOR_latency_count] = (float)hist_count(&scratch->now);
        ret[RECENT_PROCESSOR_latency_p50_us] = percentile_us(&scratch->now, 50);
        ret[RECENT_PROCESSOR_latency_p90_us] = percentile_us(&scratch->now, 90);
        ret[RECENT_PROCESSOR_latency_p99_us] = percentile_us(&scratch->now, 99);
        ret[RECENT_PROCESSOR_latency_p999_us] = percentile_us(&scratch->now, 99.9);
        ret[RECENT_PROCESSOR_latency_max_us] = percentile_us(&scratch->now, 100);
    }
    if (sampled(now->processing, before->processing, scratch)) {
        ret[RECENT_PROCESSOR_processing_count] = (float)hist_count(&scratch->now);
        ret[RECENT_PROCESSOR_processing_p50_us] = percentile_us(&scratch->now, 50);
        ret[RECENT_PROCESSOR_processing_p90_us] = percentile_us(&scratch->now, 90);
        ret[RECENT_PROCESSOR_processing_p99_us] = percentile_us(&scratch->now, 99);
        ret[RECENT_PROCESSOR_processing_p999_us] = percentile_us(&scratch->now, 99.9);
        ret[RECENT_PROCESSOR_processing_max_us] = percentile_us(&scratch->now, 100);
    }
}

/* Whether an edge leads to it, or from it. */
static bool has_edge(const struct msg_app_metrics *msg, uint32_t processor, bool is_target)
{
    for (uint32_t i = 0; i < msg->ends_count; i++) {
        if ((is_target ? msg->ends[i].to : msg->ends[i].from) == processor) {
            return true;
        }
    }
    return false;
}

static void app_rates(const struct msg_app_metrics *now, const struct msg_app_metrics *before,
                      double seconds, float *ret)
{
    double emitted = 0;
    double received = 0;

    for (uint32_t i = 0; i < now->processors_count && i < before->processors_count; i++) {
        if (!has_edge(now, i, true)) {
            emitted += grown(now->processors[i].out, before->processors[i].out);
        }
        if (!has_edge(now, i, false)) {
            received += grown(now->processors[i].in, before->processors[i].in);
        }
    }
    ret[RECENT_APP_source_rate] = (float)(emitted / seconds);
    ret[RECENT_APP_sink_rate] = (float)(received / seconds);
}

void recent_app(const struct msg_app_metrics *now, const struct msg_app_metrics *before,
                double seconds, struct recent_scratch *scratch, float ret[RECENT_APP_COUNT])
{
    unknown(ret, RECENT_APP_COUNT);
    if (now->clock_ms != 0) {
        ret[RECENT_APP_watermark_lag_ms] = lag_ms(now->time_ms, (double)now->clock_ms);
    }
    if (!before) {
        return;
    }
    app_rates(now, before, seconds, ret);
    if (sampled(now->latency, before->latency, scratch)) {
        ret[RECENT_APP_latency_count] = (float)hist_count(&scratch->now);
        ret[RECENT_APP_latency_p50_us] = percentile_us(&scratch->now, 50);
        ret[RECENT_APP_latency_p90_us] = percentile_us(&scratch->now, 90);
        ret[RECENT_APP_latency_p99_us] = percentile_us(&scratch->now, 99);
        ret[RECENT_APP_latency_p999_us] = percentile_us(&scratch->now, 99.9);
        ret[RECENT_APP_latency_max_us] = percentile_us(&scratch->now, 100);
    }
}

void recent_executor(const struct msg_vitals *now, const struct msg_vitals *before, double seconds,
                     float ret[RECENT_EXECUTOR_COUNT])
{
    unknown(ret, RECENT_EXECUTOR_COUNT);
    if (now->up_ms == 0) {
        return; /* nothing is known of it */
    }
    ret[RECENT_EXECUTOR_rss_bytes] = (float)now->rss_bytes;
    ret[RECENT_EXECUTOR_loop_lag_ms] = (float)((double)now->loop_lag_us / 1e3);
    if (before && before->pid == now->pid) {
        ret[RECENT_EXECUTOR_cpu] = (float)(grown(now->cpu_ns, before->cpu_ns) / NS_PER_S / seconds);
    }
}

void recent_task(const struct msg_task_metrics *now, const struct msg_task_metrics *before,
                 double seconds, float ret[RECENT_TASK_COUNT])
{
    unknown(ret, RECENT_TASK_COUNT);
    if (before) {
        ret[RECENT_TASK_rate_in] = (float)(grown(now->in, before->in) / seconds);
        ret[RECENT_TASK_rate_out] = (float)(grown(now->out, before->out) / seconds);
        ret[RECENT_TASK_busy] = (float)(grown(now->busy_ns, before->busy_ns) / NS_PER_S / seconds);
        ret[RECENT_TASK_blocked] =
            (float)(grown(now->blocked_ns, before->blocked_ns) / NS_PER_S / seconds);
    }
}
