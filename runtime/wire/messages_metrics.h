/*
 * messages_metrics.h: what is measured, and the asks that show it.
 *
 * Counters are totals since the task or executor began; who wants rates and shares takes two
 * samples. One aggregate a processor, never one a task, besides the slowest few of each. Histograms
 * are those of base/hist.h as hist_encode() writes them, in hexadecimal: totals too, and merged by
 * adding. An absent one is "": nothing was sampled, or the message would have become too large.
 */
#ifndef WIRE_MESSAGES_METRICS_H
#define WIRE_MESSAGES_METRICS_H

#include "wire/messages_client.h"

#define MSG_SLOWEST_MAX        8u
#define MSG_HIST_MAX           65536u /* hexadecimal digits */
#define MSG_KIND_MAX           63u
#define MSG_CLUSTER_EVENTS_MAX 1000u /* kept by the leader */
#define MSG_SERIES_MAX         4096u
#define MSG_SERIES_VALUES      65536u /* bytes of one series */
#define MSG_CRITICAL_MAX       MSG_PROCESSORS_MAX

/* One of the slowest tasks of a processor: that were blocked and busy the longest since they began;
 * of equals, with the longest queue, then the lowest number. */
struct msg_task_metrics {
    uint32_t task;
    uint32_t executor; /* 0 in a report: of the one that says it */
    uint64_t in;
    uint64_t out;
    uint64_t busy_ns;
    uint64_t blocked_ns;
    uint64_t queue;
    int64_t watermark;
    uint64_t latency_p99_ns; /* of its probes lately; 0: none came */
};

/* Puts it in its place among the slowest of its processor, if it belongs there. */
void msg_slowest_add(struct msg_task_metrics *slowest, uint32_t *count,
                     const struct msg_task_metrics *task);

/* Of any process. */
struct msg_vitals {
    int64_t pid;
    int64_t up_ms;
    uint64_t cpu_ns;
    uint64_t rss_bytes;
    uint32_t fds;
    uint64_t loop_lag_us; /* how late its loop called a timer at most, in the last minute */
    uint32_t connections;
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t frame_errors; /* connections that ended for what came over them */
};

/* Of a host. */
struct msg_load {
    double load_1m; /* runnable threads, over the last minute */
    uint32_t cpus;
    uint64_t memory_total; /* bytes */
    uint64_t memory_free;  /* that could be had without swapping */
};

struct msg_executor_vitals {
    uint32_t id; /* 0: the appmaster */
    uint32_t worker;
    char *host;
    struct msg_vitals vitals;
};

struct msg_processor_ref {
    uint32_t processor;
};

/* The clock waits for this processor. */
struct msg_stalled {
    uint32_t processor;
    int64_t since_ms; /* since 1970 */
};

struct msg_edge_ends {
    uint32_t from;
    uint32_t to;
};

/* What an appmaster tells its master once an interval. */
struct msg_app_metrics {
    uint32_t app;
    char *name;
    int64_t time_ms; /* since 1970 */
    int64_t interval_ms;
    int64_t clock_ms;                        /* since 1970 */
    uint64_t cpu_ns;                         /* of all its executors, dead or alive */
    char *latency;                           /* sources to sinks */
    struct msg_processor_ref *critical_path; /* from a source to a sink */
    uint32_t critical_path_count;
    struct msg_stalled *stalled;
    uint32_t stalled_count;
    char **names; /* [processor] */
    uint32_t names_count;
    struct msg_edge_ends *ends; /* [edge] */
    uint32_t ends_count;
    struct msg_processor_stats *processors;
    uint32_t processors_count;
    struct msg_edge_stats *edges;
    uint32_t edges_count;
    struct msg_executor_vitals *executors;
    uint32_t executors_count;
    bool is_cut; /* histograms of processors, then the slowest, then executors were left out */
};

enum metrics_window { METRICS_LATEST, METRICS_MINUTES, METRICS_DAY };
extern const char *const metrics_window_names[];

struct msg_metrics_read {
    char *app;       /* id or name */
    uint32_t window; /* enum metrics_window */
    char *processor; /* "": the application and its processors; else this one and its slowest */
};

/* Of a window: one value a step, the last at `end_ms`; nothing between two commas: not known. Of
 * the latest: "rate_in=12,busy=0.5". */
struct msg_series {
    char *processor;   /* "": not of one */
    uint32_t executor; /* 0: not of one */
    char *metric;
    char *values;
};
#define METRICS_NOW          "now" /* of the application and its processors, and "now.7" of tasks */
#define METRICS_NOW_EXECUTOR "executor"

struct msg_metrics_history {
    uint32_t state;                /* enum app_state */
    struct msg_app_metrics latest; /* without histograms; time_ms is 0: nothing was told yet */
    int64_t step_ms;
    int64_t end_ms; /* since 1970 */
    struct msg_series *series;
    uint32_t series_count;
};

/* Answered as soon as there is one after `after`, or after the timeout. */
struct msg_cluster_events_read {
    uint64_t after; /* 0: from the oldest kept */
    uint32_t limit; /* 0: as many as fit */
    uint32_t timeout_ms;
};

enum event_level { EVENT_INFO, EVENT_WARN, EVENT_ERROR };
extern const char *const event_level_names[];

/* Something happened in the cluster. */
struct msg_cluster_event {
    uint64_t seq; /* from 1, by 1; begins anew with a new leader */
    int64_t time_ms;
    char *kind;      /* "app.finished" */
    uint32_t app;    /* 0: of none */
    uint32_t worker; /* 0: of none */
    uint32_t level;  /* enum event_level */
    char *text;
};

struct msg_cluster_events {
    uint64_t first; /* the oldest kept: what was before it is forgotten */
    struct msg_cluster_event *events;
    uint32_t events_count;
    uint64_t next; /* ask with this as `after` */
    uint64_t term; /* of the leader whose numbers these are */
};

/* The same shared object, settings and parallelism once more, under a new id. What still runs of
 * the old one is killed first. */
struct msg_app_restart {
    char *app; /* id or name */
    char *request_id;
};

extern const struct fields msg_task_metrics_fields;
extern const struct fields msg_vitals_fields;
extern const struct fields msg_load_fields;
extern const struct fields msg_app_metrics_fields;
extern const struct fields msg_metrics_read_fields;
extern const struct fields msg_series_fields;
extern const struct fields msg_metrics_history_fields;
extern const struct fields msg_cluster_events_read_fields;
extern const struct fields msg_cluster_event_fields;
extern const struct fields msg_cluster_events_fields;
extern const struct fields msg_app_restart_fields;

#endif
