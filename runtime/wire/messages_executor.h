/*
 * messages_executor.h: between an executor and its appmaster.
 */
#ifndef WIRE_MESSAGES_EXECUTOR_H
#define WIRE_MESSAGES_EXECUTOR_H

#include "wire/messages_worker.h"

/* Where one lane listens. */
struct msg_lane {
    char *tcp;       /* "host:port" */
    char *unix_path; /* "unix:/..." or ""; called "unix" outside */
};

struct msg_executor_register {
    uint32_t app;
    uint32_t epoch;
    uint32_t executor;
    char *host;
    int64_t pid;
    uint64_t incarnation;
    struct msg_lane *lanes;
    uint32_t lanes_count;
    uint32_t blocking; /* the last so many of its lanes are for tasks whose calls may block */
};

/* An executor as its siblings must know it. */
struct msg_sibling {
    uint32_t id;
    char *host;
    uint64_t incarnation;
    struct msg_lane *lanes;
    uint32_t lanes_count;
};

struct msg_executor_assign {
    uint32_t session_epoch;
    struct value *plan;
    struct msg_range *placement;
    uint32_t placement_count;
    struct msg_sibling *executors;
    uint32_t executors_count;
    struct msg_plugin_file *plugins;
    uint32_t plugins_count;
};

struct msg_lane_stats {
    uint32_t lane;
    uint64_t turns;
    uint64_t idle_turns;
    uint64_t sleeps;
    uint64_t batches_sent;
    uint64_t batches_received;
};

struct msg_executor_report {
    struct msg_processor_stats *processors;
    uint32_t processors_count;
    struct msg_edge_stats *edges;
    uint32_t edges_count;
    struct msg_lane_stats *lanes;
    uint32_t lanes_count;
    uint64_t dropped_stale; /* rows of older sessions */
    uint64_t link_failures;
};

struct msg_executor_failed {
    uint32_t processor;
    uint32_t task;
    char *function;
    char *text;
};

extern const struct fields msg_executor_register_fields;
extern const struct fields msg_executor_assign_fields;
extern const struct fields msg_executor_report_fields;
extern const struct fields msg_executor_failed_fields;

#endif
