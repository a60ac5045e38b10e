/*
 * The tables of messages_metrics.h.
 */
#include "wire/messages_metrics.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

#define PROCESSOR(type) COUNT(type, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan")

const char *const metrics_window_names[] = {"latest", "5m", "24h", NULL};
const char *const event_level_names[] = {"info", "warn", "error", NULL};

static const struct field task_metrics_items[] = {
    COUNT(struct msg_task_metrics, task, MUST, 0, "task of the processor"),
    COUNT(struct msg_task_metrics, executor, MAY, 0, "that runs it; 0: the one that reports"),
    FIELD_U64(struct msg_task_metrics, in, MAY, "rows received"),
    FIELD_U64(struct msg_task_metrics, out, MAY, "rows emitted"),
    FIELD_U64(struct msg_task_metrics, busy_ns, MAY, "time it ran"),
    FIELD_U64(struct msg_task_metrics, blocked_ns, MAY, "time it waited for credit"),
    FIELD_U64(struct msg_task_metrics, queue, MAY, "rows that wait for it now"),
    FIELD_I64(struct msg_task_metrics, watermark, MAY, "ns since 1970"),
    FIELD_U64(struct msg_task_metrics, latency_p99_ns, MAY, "from the source to it; 0: not known"),
};
const struct fields msg_task_metrics_fields =
    FIELDS("task_metrics", struct msg_task_metrics, task_metrics_items);

static const struct field vitals_items[] = {
    FIELD_I64(struct msg_vitals, pid, MAY, "process id; 0: nothing is known"),
    FIELD_I64(struct msg_vitals, up_ms, MAY, "milliseconds since it began"),
    FIELD_U64(struct msg_vitals, cpu_ns, MAY, "time of processors it used, user and system"),
    FIELD_U64(struct msg_vitals, rss_bytes, MAY, "resident memory"),
    COUNT(struct msg_vitals, fds, MAY, 0, "open descriptors"),
    FIELD_U64(struct msg_vitals, loop_lag_us, MAY,
              "how late a timer came at most, in the last minute"),
    COUNT(struct msg_vitals, connections, MAY, 0, "of the control plane, open now"),
    FIELD_U64(struct msg_vitals, frames_in, MAY, "frames of the control plane received"),
    FIELD_U64(struct msg_vitals, frames_out, MAY, "frames of the control plane sent"),
    FIELD_U64(struct msg_vitals, bytes_in, MAY, "their bytes"),
    FIELD_U64(struct msg_vitals, bytes_out, MAY, "their bytes"),
    FIELD_U64(struct msg_vitals, frame_errors, MAY,
              "connections that ended for what came over them"),
};
const struct fields msg_vitals_fields = FIELDS("vitals", struct msg_vitals, vitals_items);

static const struct field load_items[] = {
    FIELD_DOUBLE(struct msg_load, load_1m, MAY, "runnable threads, over the last minute"),
    COUNT(struct msg_load, cpus, MAY, 0, "of the host; 0: nothing is known"),
    FIELD_U64(struct msg_load, memory_total, MAY, "bytes of memory"),
    FIELD_U64(struct msg_load, memory_free, MAY, "bytes that could be had without swapping"),
};
const struct fields msg_load_fields = FIELDS("load", struct msg_load, load_items);

static const struct field executor_vitals_items[] = {
    COUNT(struct msg_executor_vitals, id, MUST, 0, "of the executor; 0: the appmaster"),
    COUNT(struct msg_executor_vitals, worker, MAY, 0, "it is on"),
    TEXT(struct msg_executor_vitals, host, MAY, MSG_HOST_MAX, "name of its host"),
    FIELD_OBJECT(struct msg_executor_vitals, vitals, &msg_vitals_fields, "what it needs"),
};
static const struct fields executor_vitals_fields =
    FIELDS("executor_vitals", struct msg_executor_vitals, executor_vitals_items);

static const struct field processor_ref_items[] = {
    PROCESSOR(struct msg_processor_ref),
};
static const struct fields processor_ref_fields =
    FIELDS("processor_ref", struct msg_processor_ref, processor_ref_items);

static const struct field stalled_items[] = {
    PROCESSOR(struct msg_stalled),
    FIELD_I64(struct msg_stalled, since_ms, MAY, "since 1970: when its clock last moved"),
};
static const struct fields stalled_fields = FIELDS("stalled", struct msg_stalled, stalled_items);

static const struct field edge_ends_items[] = {
    COUNT(struct msg_edge_ends, from, MUST, MSG_PROCESSORS_MAX - 1, "processor that sends"),
    COUNT(struct msg_edge_ends, to, MUST, MSG_PROCESSORS_MAX - 1, "processor that receives"),
};
static const struct fields edge_ends_fields =
    FIELDS("edge_ends", struct msg_edge_ends, edge_ends_items);

static const struct field app_metrics_items[] = {
    COUNT(struct msg_app_metrics, app, MAY, 0, "id of the application; 0: nothing is known"),
    TEXT(struct msg_app_metrics, name, MAY, MSG_APP_NAME_MAX, "of the application"),
    FIELD_I64(struct msg_app_metrics, time_ms, MAY, "when, since 1970"),
    FIELD_I64(struct msg_app_metrics, interval_ms, MAY, "how often this is told"),
    FIELD_I64(struct msg_app_metrics, clock_ms, MAY,
              "smallest watermark of all processors, since 1970"),
    FIELD_U64(struct msg_app_metrics, cpu_ns, MAY,
              "time of processors that its executors used, those that are gone too"),
    TEXT(struct msg_app_metrics, latency, MAY, MSG_HIST_MAX,
         "histogram: ns from sources to sinks, hexadecimal"),
    FIELD_LIST(struct msg_app_metrics, critical_path, MAY | FIELD_ROWS, MSG_CRITICAL_MAX,
               &processor_ref_fields, "from a source to a sink, where messages take longest"),
    FIELD_LIST(struct msg_app_metrics, stalled, MAY, MSG_PROCESSORS_MAX, &stalled_fields,
               "whose clock has not moved for too long"),
    FIELD_TEXTS(struct msg_app_metrics, names, MAY, MSG_PROCESSORS_MAX, MSG_KIND_MAX,
                "of the processors, by their index"),
    FIELD_LIST(struct msg_app_metrics, ends, MAY | FIELD_ROWS, MSG_EDGES_MAX, &edge_ends_fields,
               "of the edges, by their index"),
    FIELD_LIST(struct msg_app_metrics, processors, MAY, MSG_PROCESSORS_MAX,
               &msg_processor_stats_fields, "sums over all tasks"),
    FIELD_LIST(struct msg_app_metrics, edges, MAY, MSG_EDGES_MAX * 4, &msg_edge_stats_fields,
               "sums over all executors, by kind"),
    FIELD_LIST(struct msg_app_metrics, executors, MAY, MSG_EXECUTORS_MAX + 1,
               &executor_vitals_fields, "its processes, the appmaster too"),
    FIELD_BOOL(struct msg_app_metrics, is_cut, MAY, "some was left out for the size"),
};
const struct fields msg_app_metrics_fields =
    FIELDS("app_metrics", struct msg_app_metrics, app_metrics_items);

static const struct field metrics_read_items[] = {
    TEXT(struct msg_metrics_read, app, FULL, MSG_APP_REF_MAX, "id or name"),
    FIELD_ENUM(struct msg_metrics_read, window, MAY, metrics_window_names,
               "latest: no history; 5m: by seconds; 24h: by minutes"),
    TEXT(struct msg_metrics_read, processor, MAY, MSG_APP_NAME_MAX,
         "history of this one and its slowest tasks; empty: of the application"),
};
const struct fields msg_metrics_read_fields =
    FIELDS("metrics_read", struct msg_metrics_read, metrics_read_items);

static const struct field series_items[] = {
    TEXT(struct msg_series, processor, MAY, MSG_APP_NAME_MAX, "empty: not of one"),
    COUNT(struct msg_series, executor, MAY, 0, "0: not of one"),
    TEXT(struct msg_series, metric, FULL, MSG_KIND_MAX,
         "of a window: what it counts; of the latest: now, now.TASK or executor"),
    TEXT(
        struct msg_series, values, MAY, MSG_SERIES_VALUES,
        "of a window: numbers, commas between them, nothing between two: not known; of the latest: "
        "rate_in=12,busy=0.5 and so on"),
};
const struct fields msg_series_fields = FIELDS("series", struct msg_series, series_items);

static const struct field metrics_history_items[] = {
    FIELD_ENUM(struct msg_metrics_history, state, MAY, app_state_names, "of the application"),
    FIELD_OBJECT(
        struct msg_metrics_history, latest, &msg_app_metrics_fields,
        "the last told, without histograms, but for the latency of an application that has "
        "ended; its time_ms is 0: nothing was told yet"),
    FIELD_I64(struct msg_metrics_history, step_ms, MAY, "from one value to the next"),
    FIELD_I64(struct msg_metrics_history, end_ms, MAY, "of the last value, since 1970"),
    FIELD_LIST(struct msg_metrics_history, series, MAY, MSG_SERIES_MAX, &msg_series_fields,
               "how it is now, or was"),
};
const struct fields msg_metrics_history_fields =
    FIELDS("metrics_history", struct msg_metrics_history, metrics_history_items);

static const struct field cluster_events_read_items[] = {
    FIELD_U64(struct msg_cluster_events_read, after, MAY, "only later ones; 0: all that are kept"),
    COUNT(struct msg_cluster_events_read, limit, MAY, MSG_CLUSTER_EVENTS_MAX,
          "how many at most; 0: as many as fit"),
    COUNT(struct msg_cluster_events_read, timeout_ms, MAY, 600000,
          "answer after this long in any case"),
};
const struct fields msg_cluster_events_read_fields =
    FIELDS("cluster_events_read", struct msg_cluster_events_read, cluster_events_read_items);

static const struct field cluster_event_items[] = {
    FIELD_U64(struct msg_cluster_event, seq, MUST, "from 1, by 1; anew with each leader"),
    FIELD_I64(struct msg_cluster_event, time_ms, MUST, "when, since 1970"),
    TEXT(struct msg_cluster_event, kind, FULL, MSG_KIND_MAX, "what happened, for programs"),
    COUNT(struct msg_cluster_event, app, MAY, 0, "to which application; 0: none"),
    COUNT(struct msg_cluster_event, worker, MAY, 0, "to which worker; 0: none"),
    FIELD_ENUM(struct msg_cluster_event, level, MAY, event_level_names, "how bad it is"),
    TEXT(struct msg_cluster_event, text, MAY, MSG_ERROR_MAX, "what happened, for people"),
};
const struct fields msg_cluster_event_fields =
    FIELDS("cluster_event", struct msg_cluster_event, cluster_event_items);

static const struct field cluster_events_items[] = {
    FIELD_U64(struct msg_cluster_events, first, MAY, "the oldest kept"),
    FIELD_LIST(struct msg_cluster_events, events, MUST, MSG_CLUSTER_EVENTS_MAX,
               &msg_cluster_event_fields, "oldest first"),
    FIELD_U64(struct msg_cluster_events, next, MAY, "ask again with this as `after`"),
    FIELD_U64(struct msg_cluster_events, term, MAY, "of the leader that numbered them"),
};
const struct fields msg_cluster_events_fields =
    FIELDS("cluster_events", struct msg_cluster_events, cluster_events_items);

static const struct field app_restart_items[] = {
    TEXT(struct msg_app_restart, app, FULL, MSG_APP_REF_MAX, "id or name"),
    TEXT(struct msg_app_restart, request_id, FULL, MSG_REQUEST_ID_MAX,
         "the same again gives the same application"),
};
const struct fields msg_app_restart_fields =
    FIELDS("app_restart", struct msg_app_restart, app_restart_items);

static bool is_slower(const struct msg_task_metrics *a, const struct msg_task_metrics *b)
{
    const uint64_t a_ns = a->busy_ns + a->blocked_ns;
    const uint64_t b_ns = b->busy_ns + b->blocked_ns;

    if (a_ns != b_ns) {
        return a_ns > b_ns;
    }
    return a->queue != b->queue ? a->queue > b->queue : a->task < b->task;
}

void msg_slowest_add(struct msg_task_metrics *slowest, uint32_t *count,
                     const struct msg_task_metrics *task)
{
    uint32_t at = *count;

    if (at == MSG_SLOWEST_MAX) {
        at--;
        if (!is_slower(task, &slowest[at])) {
            return;
        }
    } else {
        *count += 1;
    }
    for (; at > 0 && is_slower(task, &slowest[at - 1]); at--) {
        slowest[at] = slowest[at - 1];
    }
    slowest[at] = *task;
}
