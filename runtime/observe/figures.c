/* figures.c: see figures.h. */
#include "observe/figures.h"

#include <string.h>

#define NS_PER_S 1e9
#define MS_PER_S 1e3
#define US_PER_S 1e6

#define P(...) FIGURE(struct msg_processor_stats, __VA_ARGS__)
static const struct figure processor_list[] = {
    P(in, "gearpump_processor_messages_in_total", COUNTER, 1, "Messages received."),
    P(out, "gearpump_processor_messages_out_total", COUNTER, 1, "Messages emitted."),
    P(bytes_in, "gearpump_processor_received_bytes_total", COUNTER, 1, "Bytes received."),
    P(bytes_out, "gearpump_processor_sent_bytes_total", COUNTER, 1, "Bytes emitted."),
    P(busy_ns, "gearpump_processor_busy_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks ran, added up."),
    P(idle_ns, "gearpump_processor_idle_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks had nothing to do, or their lane ran others."),
    P(blocked_ns, "gearpump_processor_blocked_seconds_total", COUNTER, NS_PER_S,
      "Time its tasks waited for credit of those behind them."),
    P(rejected, "gearpump_processor_dead_letters_total", COUNTER, 1, "Messages it refused."),
    P(late, "gearpump_processor_late_messages_total", COUNTER, 1,
      "Messages older than the watermark before them."),
    P(restarts, "gearpump_processor_task_restarts_total", COUNTER, 1,
      "Sessions of its tasks after their first."),
    P(queue, "gearpump_processor_queue_messages", GAUGE, 1, "Messages that wait for its tasks."),
    P(tasks_running, "gearpump_processor_tasks_running", GAUGE, 1, "Tasks that run."),
};
#undef P

#define T(...) FIGURE(struct msg_task_metrics, __VA_ARGS__)
static const struct figure task_list[] = {
    T(in, "gearpump_task_messages_in_total", COUNTER, 1,
      "Messages received, of the slowest tasks of each processor."),
    T(out, "gearpump_task_messages_out_total", COUNTER, 1, "Messages emitted, of the slowest."),
    T(busy_ns, "gearpump_task_busy_seconds_total", COUNTER, NS_PER_S,
      "Time it ran, of the slowest."),
    T(blocked_ns, "gearpump_task_blocked_seconds_total", COUNTER, NS_PER_S,
      "Time it waited for credit, of the slowest."),
    T(queue, "gearpump_task_queue_messages", GAUGE, 1, "Messages that wait, of the slowest."),
};
#undef T

#define E(...) FIGURE(struct msg_edge_stats, __VA_ARGS__)
static const struct figure edge_list[] = {
    E(messages, "gearpump_edge_messages_total", COUNTER, 1, "Messages sent, by how they travel."),
    E(bytes, "gearpump_edge_bytes_total", COUNTER, 1, "Bytes sent."),
    E(batches, "gearpump_edge_batches_total", COUNTER, 1, "Batches sent."),
    E(credit_waits, "gearpump_edge_credit_waits_total", COUNTER, 1,
      "Times a task stopped for want of credit."),
};
#undef E

#define VITALS(prefix)                                                                             \
    {                                                                                              \
        FIGURE(struct msg_vitals, cpu_ns, prefix "cpu_seconds_total", COUNTER, NS_PER_S,           \
               "Processor time used, user and system."),                                           \
            FIGURE(struct msg_vitals, rss_bytes, prefix "resident_memory_bytes", GAUGE, 1,         \
                   "Resident memory."),                                                            \
            FIGURE(struct msg_vitals, fds, prefix "open_fds", GAUGE, 1, "Open descriptors."),      \
            FIGURE(struct msg_vitals, loop_lag_us, prefix "loop_lag_seconds", GAUGE, US_PER_S,     \
                   "How late its loop called a timer at most, in the last minute."),               \
            FIGURE(struct msg_vitals, connections, prefix "connections", GAUGE, 1,                 \
                   "Connections of the control plane."),                                           \
            FIGURE(struct msg_vitals, frames_in, prefix "frames_received_total", COUNTER, 1,       \
                   "Frames of the control plane received."),                                       \
            FIGURE(struct msg_vitals, frames_out, prefix "frames_sent_total", COUNTER, 1,          \
                   "Frames of the control plane sent."),                                           \
            FIGURE(struct msg_vitals, frame_errors, prefix "frame_errors_total", COUNTER, 1,       \
                   "Connections that ended for what came over them."),                             \
            FIGURE(struct msg_vitals, up_ms, prefix "uptime_seconds", GAUGE, MS_PER_S,             \
                   "Time since it began."),                                                        \
    }
static const struct figure executor_list[] = VITALS("gearpump_executor_");
static const struct figure daemon_list[] = VITALS("gearpump_daemon_");

const struct figures figures_of_processors = {processor_list, ARRAY_LEN(processor_list)};
const struct figures figures_of_tasks = {task_list, ARRAY_LEN(task_list)};
const struct figures figures_of_edges = {edge_list, ARRAY_LEN(edge_list)};
const struct figures figures_of_executors = {executor_list, ARRAY_LEN(executor_list)};
const struct figures figures_of_daemons = {daemon_list, ARRAY_LEN(daemon_list)};

double figure_of(const struct figure *figure, const void *from)
{
    const unsigned char *at = (const unsigned char *)from + figure->offset;
    uint64_t wide = 0;
    uint32_t narrow = 0;

    if (figure->is_wide) {
        memcpy(&wide, at, sizeof wide);
        return (double)wide / figure->unit;
    }
    memcpy(&narrow, at, sizeof narrow);
    return (double)narrow / figure->unit;
}

const char *figures_name(const struct msg_app_metrics *app, uint32_t processor)
{
    return processor < app->names_count ? app->names[processor] : "";
}

bool figures_lag_s(const struct msg_app_metrics *app, int64_t watermark_ns, double *ret)
{
    const double lag = (double)app->time_ms / MS_PER_S - (double)watermark_ns / NS_PER_S;

    if (watermark_ns == INT64_MIN || watermark_ns == INT64_MAX) {
        return false;
    }
    *ret = lag > 0 ? lag : 0; /* it may be of a moment after the time was taken */
    return true;
}

bool figures_is_stalled(const struct msg_app_metrics *app, uint32_t processor)
{
    for (uint32_t i = 0; i < app->stalled_count; i++) {
        if (app->stalled[i].processor == processor) {
            return true;
        }
    }
    return false;
}

bool figures_is_critical(const struct msg_app_metrics *app, uint32_t processor)
{
    for (uint32_t i = 0; i < app->critical_path_count; i++) {
        if (app->critical_path[i].processor == processor) {
            return true;
        }
    }
    return false;
}
