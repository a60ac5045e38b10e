/*
 * past.h: what the history holds of one application, for history.c which adds to it and
 * history_read.c which answers from it.
 */
#ifndef CONTROL_MASTER_PAST_H
#define CONTROL_MASTER_PAST_H

#include "base/list.h"
#include "control/master/history.h"
#include "control/master/recent.h"

struct processor_past {
    struct track track;
    float now[RECENT_PROCESSOR_COUNT];
    float slowest[MSG_SLOWEST_MAX][RECENT_TASK_COUNT];
};

struct executor_past {
    uint32_t id;
    bool is_told; /* by the latest message */
    struct track track;
    float now[RECENT_EXECUTOR_COUNT];
};

/* Of one application. */
struct past {
    struct list_node node; /* history.apps; the one that ended first stands first */
    uint32_t app;
    bool has_ended;
    struct msg_app_metrics latest;
    int64_t told_ns;
    int64_t second; /* of the latest, by the master's clock */
    struct track track;
    float now[RECENT_APP_COUNT];
    struct processor_past *processors;
    uint32_t processor_count;
    struct executor_past *executors;
    uint32_t executor_count;
    size_t bytes;
};

struct history {
    size_t bytes_max;
    size_t bytes;
    const struct log *log;
    struct list apps;
    struct log_limit limit;
    struct recent_scratch scratch;
};

/* NULL: nothing was told of it. */
struct past *history_find(const struct history *h, uint32_t app);

#endif
