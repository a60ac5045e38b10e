/*
 * The tables of messages_executor.h.
 */
#include "wire/messages_executor.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

static const struct field lane_items[] = {
    TEXT(struct msg_lane, tcp, FULL, MSG_ADDRESS_MAX, "host:port"),
    {.name = "unix",
     .kind = FIELD_KIND_TEXT,
     .offset = offsetof(struct msg_lane, unix_path),
     .max = MSG_ADDRESS_MAX,
     .doc = "unix:PATH for executors of the same host; may be empty"},
};
static const struct fields lane_fields = FIELDS("lane", struct msg_lane, lane_items);

static const struct field executor_register_items[] = {
    COUNT(struct msg_executor_register, app, MUST, 0, "id of the application"),
    COUNT(struct msg_executor_register, epoch, MUST, 0, "it was launched in"),
    COUNT(struct msg_executor_register, executor, MUST, 0, "its id, from 1"),
    TEXT(struct msg_executor_register, host, FULL, MSG_HOST_MAX, "name of its host"),
    FIELD_I64(struct msg_executor_register, pid, MAY, "its process id"),
    FIELD_U64(struct msg_executor_register, incarnation, MUST, "as in its HELLO"),
    FIELD_LIST(struct msg_executor_register, lanes, FULL, MSG_LANES_MAX, &lane_fields,
               "where each lane listens"),
    COUNT(struct msg_executor_register, blocking, MAY, MSG_LANES_MAX,
          "the last so many of them are for tasks whose calls may block"),
};
const struct fields msg_executor_register_fields =
    FIELDS("executor_register", struct msg_executor_register, executor_register_items);

static const struct field sibling_items[] = {
    COUNT(struct msg_sibling, id, MUST, 0, "id of the executor"),
    TEXT(struct msg_sibling, host, MUST, MSG_HOST_MAX, "name of its host"),
    FIELD_U64(struct msg_sibling, incarnation, MUST, "as in its HELLO"),
    FIELD_LIST(struct msg_sibling, lanes, FULL, MSG_LANES_MAX, &lane_fields,
               "where each lane listens"),
};
static const struct fields sibling_fields = FIELDS("sibling", struct msg_sibling, sibling_items);

static const struct field executor_assign_items[] = {
    COUNT(struct msg_executor_assign, session_epoch, MUST, 0, "upper half of new sessions"),
    FIELD_TREE(struct msg_executor_assign, plan, MUST, "the plan"),
    FIELD_LIST(struct msg_executor_assign, placement, MUST, MSG_RANGES_MAX, &msg_range_fields,
               "of all tasks"),
    FIELD_LIST(struct msg_executor_assign, executors, FULL, MSG_EXECUTORS_MAX, &sibling_fields,
               "all of the application, itself too"),
    FIELD_LIST(struct msg_executor_assign, plugins, FULL, MSG_PLUGINS_MAX, &msg_plugin_file_fields,
               "in the order of the plan"),
};
const struct fields msg_executor_assign_fields =
    FIELDS("executor_assign", struct msg_executor_assign, executor_assign_items);

static const struct field lane_stats_items[] = {
    COUNT(struct msg_lane_stats, lane, MUST, MSG_LANES_MAX - 1, "which lane"),
    FIELD_U64(struct msg_lane_stats, turns, MAY, "turns taken"),
    FIELD_U64(struct msg_lane_stats, idle_turns, MAY, "turns that found nothing to do"),
    FIELD_U64(struct msg_lane_stats, sleeps, MAY, "times it slept"),
    FIELD_U64(struct msg_lane_stats, batches_sent, MAY, "batches that left the lane"),
    FIELD_U64(struct msg_lane_stats, batches_received, MAY, "batches that came to it"),
};
static const struct fields lane_stats_fields =
    FIELDS("lane_stats", struct msg_lane_stats, lane_stats_items);

static const struct field executor_report_items[] = {
    FIELD_LIST(struct msg_executor_report, processors, MAY, MSG_PROCESSORS_MAX,
               &msg_processor_stats_fields, "sums over its own tasks"),
    FIELD_LIST(struct msg_executor_report, edges, MAY, MSG_EDGES_MAX * 4, &msg_edge_stats_fields,
               "of rows it sent"),
    FIELD_LIST(struct msg_executor_report, lanes, MAY, MSG_LANES_MAX, &lane_stats_fields,
               "its lanes"),
    FIELD_U64(struct msg_executor_report, dropped_stale, MAY, "rows of older sessions"),
    FIELD_U64(struct msg_executor_report, link_failures, MAY, "gaps, repeats and lost links"),
};
const struct fields msg_executor_report_fields =
    FIELDS("executor_report", struct msg_executor_report, executor_report_items);

static const struct field executor_failed_items[] = {
    COUNT(struct msg_executor_failed, processor, MUST, MSG_PROCESSORS_MAX,
          "index in the plan; beyond it: no task is to blame"),
    COUNT(struct msg_executor_failed, task, MUST, 0, "task of that processor"),
    TEXT(struct msg_executor_failed, function, MAY, 256, "of the plugin"),
    TEXT(struct msg_executor_failed, text, MUST, MSG_ERROR_MAX, "what it said"),
};
const struct fields msg_executor_failed_fields =
    FIELDS("executor_failed", struct msg_executor_failed, executor_failed_items);
