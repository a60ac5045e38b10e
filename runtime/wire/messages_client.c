/*
 * The tables of messages_client.h: codec, bounds and documentation of each message in one place.
 */
#include "wire/messages_client.h"

#include "wire/messages_metrics.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

const char *const master_role_names[] = {"leader", "follower", "unreachable",
                                         "broken", "waiting",  NULL};
const char *const app_state_names[] = {"submitted", "waiting", "starting", "running", "recovering",
                                       "finished",  "failed",  "killed",   NULL};
const char *const app_priority_names[] = {"normal", "low", "high", NULL};
const char *const worker_state_names[] = {"serving", "draining", "drained", "lost", NULL};
const char *const edge_kind_names[] = {"local", "ring", "shm", "unix", "tcp", "fused", NULL};

const struct fields msg_empty_fields = {.name = "empty", .size = sizeof(struct msg_empty)};

static const struct field master_info_items[] = {
    TEXT(struct msg_master_info, address, MUST, MSG_ADDRESS_MAX, "where it listens"),
    FIELD_ENUM(struct msg_master_info, role, MUST, master_role_names, "what it is in the group"),
    FIELD_U64(struct msg_master_info, term, MAY, "Raft term, 0 for a single master"),
    FIELD_U64(struct msg_master_info, lag, MAY, "log entries behind the leader"),
    FIELD_U64(struct msg_master_info, last, MAY,
              "last entry of its log; this and the next: of who answers"),
    FIELD_U64(struct msg_master_info, committed, MAY, "last entry it knows to be committed"),
    FIELD_U64(struct msg_master_info, applied, MAY, "last entry it has applied"),
    FIELD_U64(struct msg_master_info, elections, MAY, "elections it has won since it began"),
    FIELD_U64(struct msg_master_info, apply_count, MAY, "its own proposals that were applied"),
    FIELD_U64(struct msg_master_info, apply_p50_ns, MAY, "their time from proposed to applied"),
    FIELD_U64(struct msg_master_info, apply_p99_ns, MAY, "their time from proposed to applied"),
    FIELD_U64(struct msg_master_info, apply_max_ns, MAY, "their time from proposed to applied"),
};
static const struct fields master_info_fields =
    FIELDS("master", struct msg_master_info, master_info_items);

static const struct field cluster_info_items[] = {
    TEXT(struct msg_cluster_info, cluster, MUST, 64, "id of the cluster"),
    TEXT(struct msg_cluster_info, address, MAY, MSG_ADDRESS_MAX, "of the one that answers"),
    TEXT(struct msg_cluster_info, version, MUST, 64, "of the master's program"),
    FIELD_LIST(struct msg_cluster_info, masters, MUST, MSG_MASTERS_MAX, &master_info_fields,
               "all masters of the configuration"),
};
const struct fields msg_cluster_info_fields =
    FIELDS("cluster_info", struct msg_cluster_info, cluster_info_items);

static const struct field master_ref_items[] = {
    TEXT(struct msg_master_ref, address, FULL, MSG_ADDRESS_MAX, "where that master listens"),
};
const struct fields msg_master_ref_fields =
    FIELDS("master_ref", struct msg_master_ref, master_ref_items);

#define LIMIT_DOC "how many at most; 0: as many as fit"
#define AFTER_DOC "only ids after this one"
#define NEXT_DOC  "ask again with this as `after`; 0: nothing is left"

static const struct field worker_list_items[] = {
    COUNT(struct msg_worker_list, after, MAY, 0, AFTER_DOC),
    COUNT(struct msg_worker_list, limit, MAY, MSG_PAGE_MAX, LIMIT_DOC),
};
const struct fields msg_worker_list_fields =
    FIELDS("worker_list", struct msg_worker_list, worker_list_items);

static const struct field worker_info_items[] = {
    COUNT(struct msg_worker_info, id, MUST, 0, "id of the worker"),
    TEXT(struct msg_worker_info, name, MUST, 64, "its name"),
    TEXT(struct msg_worker_info, address, MUST, MSG_ADDRESS_MAX, "where it listens"),
    TEXT(struct msg_worker_info, host, MUST, MSG_HOST_MAX, "name of its host"),
    FIELD_I64(struct msg_worker_info, pid, MAY, "process id there"),
    COUNT(struct msg_worker_info, cpus, MAY, 0, "cores it may use"),
    COUNT(struct msg_worker_info, slots, MUST, 0, "tasks it may run"),
    COUNT(struct msg_worker_info, slots_used, MUST, 0, "of these, given away"),
    COUNT(struct msg_worker_info, executors, MAY, 0, "executor processes it runs"),
    FIELD_I64(struct msg_worker_info, up_ms, MAY, "milliseconds since it registered"),
    TEXT(struct msg_worker_info, version, MAY, 64, "of its program"),
    FIELD_ENUM(struct msg_worker_info, state, MAY, worker_state_names, "whether it takes tasks"),
    COUNT(struct msg_worker_info, tasks, MAY, 0, "slots that executors hold"),
    FIELD_DOUBLE(struct msg_worker_info, load_1m, MAY, "runnable threads of its host, on average"),
    FIELD_U64(struct msg_worker_info, memory_total, MAY, "bytes of its host"),
    FIELD_U64(struct msg_worker_info, memory_free, MAY, "of these, to be had without swapping"),
    FIELD_TEXTS(struct msg_worker_info, labels, MAY, MSG_LABELS_MAX, MSG_LABEL_MAX,
                "KEY=VALUE each, for tasks that want such a worker"),
};
const struct fields msg_worker_info_fields =
    FIELDS("worker", struct msg_worker_info, worker_info_items);

static const struct field worker_page_items[] = {
    FIELD_LIST(struct msg_worker_page, workers, MUST, MSG_PAGE_MAX, &msg_worker_info_fields,
               "by id"),
    COUNT(struct msg_worker_page, next, MAY, 0, NEXT_DOC),
};
const struct fields msg_worker_page_fields =
    FIELDS("worker_page", struct msg_worker_page, worker_page_items);

static const struct field app_list_items[] = {
    FIELD_BOOL(struct msg_app_list, all, MAY, "those that ended, too"),
    COUNT(struct msg_app_list, after, MAY, 0, AFTER_DOC),
    COUNT(struct msg_app_list, limit, MAY, MSG_PAGE_MAX, LIMIT_DOC),
};
const struct fields msg_app_list_fields = FIELDS("app_list", struct msg_app_list, app_list_items);

static const struct field app_summary_items[] = {
    COUNT(struct msg_app_summary, id, MUST, 0, "id of the application"),
    TEXT(struct msg_app_summary, name, MUST, MSG_APP_NAME_MAX, "its name"),
    FIELD_ENUM(struct msg_app_summary, state, MUST, app_state_names, "where it is in its life"),
    FIELD_I64(struct msg_app_summary, submitted_ms, MAY, "since 1970; 0: not yet"),
    FIELD_I64(struct msg_app_summary, started_ms, MAY, "since 1970; 0: not yet"),
    FIELD_I64(struct msg_app_summary, finished_ms, MAY, "since 1970; 0: not yet"),
    COUNT(struct msg_app_summary, executors, MAY, 0, "executor processes"),
    COUNT(struct msg_app_summary, tasks, MAY, 0, "tasks of all processors"),
    TEXT(struct msg_app_summary, error, MAY, MSG_ERROR_MAX, "why it failed, or waits"),
    FIELD_ENUM(struct msg_app_summary, priority, MAY, app_priority_names,
               "who goes first when slots are short"),
};
const struct fields msg_app_summary_fields =
    FIELDS("app", struct msg_app_summary, app_summary_items);

static const struct field app_page_items[] = {
    FIELD_LIST(struct msg_app_page, apps, MUST, MSG_PAGE_MAX, &msg_app_summary_fields, "by id"),
    COUNT(struct msg_app_page, next, MAY, 0, NEXT_DOC),
};
const struct fields msg_app_page_fields = FIELDS("app_page", struct msg_app_page, app_page_items);

static const struct field app_ref_items[] = {
    TEXT(struct msg_app_ref, app, FULL, MSG_APP_REF_MAX, "id or name"),
};
const struct fields msg_app_ref_fields = FIELDS("app_ref", struct msg_app_ref, app_ref_items);

static const struct field range_items[] = {
    COUNT(struct msg_range, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_range, first, MUST, 0, "first task"),
    COUNT(struct msg_range, count, MUST, 0, "how many tasks from there"),
    COUNT(struct msg_range, executor, MUST, 0, "id of the executor that runs them"),
    COUNT(struct msg_range, lane, MUST, 0, "lane of that executor"),
};
const struct fields msg_range_fields = FIELDS("range", struct msg_range, range_items);

static const struct field executor_info_items[] = {
    COUNT(struct msg_executor_info, id, MAY, 0, "id within the application; 0: the appmaster"),
    COUNT(struct msg_executor_info, worker, MAY, 0, "id of its worker"),
    TEXT(struct msg_executor_info, worker_name, MAY, 64, "name of its worker"),
    TEXT(struct msg_executor_info, worker_address, MAY, MSG_ADDRESS_MAX, "whom to ask for its log"),
    TEXT(struct msg_executor_info, host, MAY, MSG_HOST_MAX, "name of its host"),
    FIELD_I64(struct msg_executor_info, pid, MAY, "process id there"),
    COUNT(struct msg_executor_info, lanes, MAY, 0, "threads that run tasks"),
    COUNT(struct msg_executor_info, pinned, MAY, 0,
          "core that the first of them is bound to, from 1; 0: none is bound"),
    TEXT(struct msg_executor_info, state, MAY, 32, "starting, running or ended"),
};
static const struct fields executor_info_fields =
    FIELDS("executor", struct msg_executor_info, executor_info_items);

static const struct field counter_items[] = {
    TEXT(struct msg_counter, name, FULL, 63, "as the plugin calls it"),
    FIELD_I64(struct msg_counter, value, MUST, "sum over its tasks"),
};
static const struct fields counter_fields = FIELDS("counter", struct msg_counter, counter_items);

static const struct field processor_stats_items[] = {
    COUNT(struct msg_processor_stats, processor, MUST, MSG_PROCESSORS_MAX - 1, "index in the plan"),
    COUNT(struct msg_processor_stats, tasks_running, MAY, 0, "tasks open now"),
    COUNT(struct msg_processor_stats, tasks_ended, MAY, 0, "tasks that came to their end"),
    FIELD_U64(struct msg_processor_stats, in, MAY, "rows received"),
    FIELD_U64(struct msg_processor_stats, out, MAY, "rows emitted"),
    FIELD_U64(struct msg_processor_stats, rejected, MAY, "rows given to the dead letters"),
    FIELD_U64(struct msg_processor_stats, late, MAY, "rows behind the watermark"),
    FIELD_I64(struct msg_processor_stats, watermark, MAY, "smallest of its tasks, ns since 1970"),
    FIELD_DOUBLE(struct msg_processor_stats, rate_in, MAY, "rows received a second, lately"),
    FIELD_DOUBLE(struct msg_processor_stats, rate_out, MAY, "rows emitted a second, lately"),
    FIELD_LIST(struct msg_processor_stats, counters, MAY, MSG_COUNTERS_MAX, &counter_fields,
               "its own counters"),
    FIELD_U64(struct msg_processor_stats, bytes_in, MAY, "bytes of rows received"),
    FIELD_U64(struct msg_processor_stats, bytes_out, MAY, "bytes of rows emitted"),
    FIELD_U64(struct msg_processor_stats, busy_ns, MAY, "time its tasks ran, added up"),
    FIELD_U64(struct msg_processor_stats, idle_ns, MAY, "time they neither ran nor were blocked"),
    FIELD_U64(struct msg_processor_stats, blocked_ns, MAY, "time they waited for credit"),
    FIELD_U64(struct msg_processor_stats, queue, MAY, "rows that wait for its tasks now"),
    FIELD_U64(struct msg_processor_stats, restarts, MAY, "sessions of its tasks after their first"),
    TEXT(struct msg_processor_stats, processing, MAY, MSG_HIST_MAX,
         "histogram: ns a row, of sampled calls, hexadecimal"),
    TEXT(struct msg_processor_stats, latency, MAY, MSG_HIST_MAX,
         "histogram: ns from the source to here, of probes, hexadecimal"),
    FIELD_LIST(struct msg_processor_stats, slowest, MAY, MSG_SLOWEST_MAX, &msg_task_metrics_fields,
               "tasks that were blocked and busy the longest"),
};
const struct fields msg_processor_stats_fields =
    FIELDS("processor", struct msg_processor_stats, processor_stats_items);

static const struct field edge_stats_items[] = {
    COUNT(struct msg_edge_stats, edge, MUST, MSG_EDGES_MAX - 1, "index in the plan"),
    FIELD_ENUM(struct msg_edge_stats, kind, MUST, edge_kind_names, "how these rows travelled"),
    FIELD_U64(struct msg_edge_stats, messages, MAY, "rows"),
    FIELD_U64(struct msg_edge_stats, bytes, MAY, "bytes of rows"),
    FIELD_DOUBLE(struct msg_edge_stats, rate, MAY, "rows a second, lately"),
    FIELD_U64(struct msg_edge_stats, batches, MAY, "batches that held such rows"),
    FIELD_U64(struct msg_edge_stats, credit_waits, MAY, "times a task stopped for want of credit"),
};
const struct fields msg_edge_stats_fields = FIELDS("edge", struct msg_edge_stats, edge_stats_items);

static const struct field app_event_items[] = {
    FIELD_I64(struct msg_app_event, time_ms, MUST, "when, since 1970"),
    TEXT(struct msg_app_event, text, MUST, MSG_ERROR_MAX, "what happened, what was done"),
    FIELD_I64(struct msg_app_event, took_ms, MAY, "until all was well again; -1: not yet"),
};
const struct fields msg_app_event_fields =
    FIELDS("app_event", struct msg_app_event, app_event_items);

static const struct field app_moves_items[] = {
    COUNT(struct msg_app_moves, open, MAY, 0, "tasks that are about to"),
    FIELD_U64(struct msg_app_moves, done, MAY, "moves so far"),
    FIELD_U64(struct msg_app_moves, refused, MAY, "tasks that had to stay where they were"),
};
static const struct fields app_moves_fields =
    FIELDS("moves", struct msg_app_moves, app_moves_items);

static const struct field app_live_items[] = {
    FIELD_LIST(struct msg_app_live, placement, MAY | FIELD_ROWS, MSG_RANGES_MAX, &msg_range_fields,
               "where tasks run"),
    FIELD_LIST(struct msg_app_live, executors, MAY, MSG_EXECUTORS_MAX, &executor_info_fields,
               "its processes"),
    FIELD_LIST(struct msg_app_live, processors, MAY, MSG_PROCESSORS_MAX,
               &msg_processor_stats_fields, "counts of each processor"),
    FIELD_LIST(struct msg_app_live, edges, MAY, MSG_EDGES_MAX * 4, &msg_edge_stats_fields,
               "counts of each edge, by kind"),
    FIELD_LIST(struct msg_app_live, events, MAY, MSG_EVENTS_MAX, &msg_app_event_fields,
               "the latest, oldest first"),
    FIELD_U64(struct msg_app_live, lost, MAY,
              "messages in flight to or from what died, that nobody will see"),
    FIELD_U64(struct msg_app_live, in_doubt, MAY,
              "messages sent to what died, of which nobody knows whether they were consumed"),
    FIELD_BOOL(struct msg_app_live, is_lost_at_least, MAY, "not all of them could be counted"),
    COUNT(struct msg_app_live, restarts, MAY, 0, "that count against the budget just now"),
    COUNT(struct msg_app_live, restarts_max, MAY, 0, "the budget: with more it fails"),
    FIELD_I64(struct msg_app_live, restart_window_ms, MAY, "in which they are forgotten again"),
    FIELD_OBJECT(struct msg_app_live, moves, &app_moves_fields,
                 "tasks that change executors while rows flow"),
    TEXT(struct msg_app_live, last_error, MAY, MSG_ERROR_MAX, "the latest failure"),
    TEXT(struct msg_app_live, guarantee, MAY, 1024, "what holds after a failure, in words"),
};
const struct fields msg_app_live_fields = FIELDS("live", struct msg_app_live, app_live_items);

static const struct field app_description_items[] = {
    FIELD_OBJECT(struct msg_app_description, app, &msg_app_summary_fields, "the summary"),
    FIELD_TREE(struct msg_app_description, plan, MAY, "the plan; absent before it is made"),
    FIELD_OBJECT(struct msg_app_description, appmaster, &executor_info_fields, "its appmaster"),
    FIELD_OBJECT(struct msg_app_description, live, &msg_app_live_fields, "as it is just now"),
};
const struct fields msg_app_description_fields =
    FIELDS("app_description", struct msg_app_description, app_description_items);

static const struct field app_wait_items[] = {
    TEXT(struct msg_app_wait, app, FULL, MSG_APP_REF_MAX, "id or name"),
    FIELD_U64(struct msg_app_wait, seen_version, MAY, "of the last answer; 0 at first"),
    COUNT(struct msg_app_wait, timeout_ms, MAY, 600000, "answer after this long in any case"),
};
const struct fields msg_app_wait_fields = FIELDS("app_wait", struct msg_app_wait, app_wait_items);

static const struct field app_change_items[] = {
    FIELD_OBJECT(struct msg_app_change, app, &msg_app_summary_fields, "the summary"),
    FIELD_U64(struct msg_app_change, version, MUST, "grows with each change"),
};
const struct fields msg_app_change_fields =
    FIELDS("app_change", struct msg_app_change, app_change_items);

#define SHA256(type) TEXT(type, sha256, FULL, MSG_SHA256_HEX, "of the file, 64 hex digits")

static const struct field artefact_offer_items[] = {
    SHA256(struct msg_artefact_offer),
    FIELD_U64(struct msg_artefact_offer, size, MUST, "bytes"),
    TEXT(struct msg_artefact_offer, request_id, MAY, MSG_REQUEST_ID_MAX, "of this submit"),
};
const struct fields msg_artefact_offer_fields =
    FIELDS("artefact_offer", struct msg_artefact_offer, artefact_offer_items);

static const struct field artefact_place_items[] = {
    FIELD_BOOL(struct msg_artefact_place, have, MUST, "the master has it: send nothing"),
    FIELD_U64(struct msg_artefact_place, upload, MAY, "names this upload in its chunks"),
    FIELD_U64(struct msg_artefact_place, offset, MAY, "send from here"),
};
const struct fields msg_artefact_place_fields =
    FIELDS("artefact_place", struct msg_artefact_place, artefact_place_items);

static const struct field artefact_received_items[] = {
    FIELD_U64(struct msg_artefact_received, received, MUST,
              "bytes so far; the whole size: complete, and its hash is right"),
};
const struct fields msg_artefact_received_fields =
    FIELDS("artefact_received", struct msg_artefact_received, artefact_received_items);

static const struct field artefact_get_items[] = {
    SHA256(struct msg_artefact_get),
    FIELD_U64(struct msg_artefact_get, offset, MAY, "from here"),
    COUNT(struct msg_artefact_get, max, MAY, 262144, "at most so many bytes; 0: as fit"),
    FIELD_BOOL(struct msg_artefact_get, look, MAY,
               "what came before was damaged: the file is looked at first"),
};
const struct fields msg_artefact_get_fields =
    FIELDS("artefact_get", struct msg_artefact_get, artefact_get_items);

static const struct field config_items[] = {
    TEXT(struct msg_config, key, FULL, 256, "name of the parameter"),
    TEXT(struct msg_config, value, MUST, MSG_VALUE_MAX, "its value"),
};
const struct fields msg_config_fields = FIELDS("config", struct msg_config, config_items);

static const struct field parallelism_items[] = {
    TEXT(struct msg_parallelism, processor, FULL, 63, "name of the processor"),
    COUNT(struct msg_parallelism, count, MUST, 65536, "how many tasks"),
};
const struct fields msg_parallelism_fields =
    FIELDS("parallelism", struct msg_parallelism, parallelism_items);

static const struct field task_place_items[] = {
    TEXT(struct msg_task_place, processor, FULL, 63, "name of the processor"),
    TEXT(struct msg_task_place, place, MUST, MSG_PLACE_MAX,
         "worker:NAME, label:KEY=VALUE, or nothing: anywhere"),
};
const struct fields msg_task_place_fields =
    FIELDS("task_place", struct msg_task_place, task_place_items);

static const struct field app_submit_items[] = {
    TEXT(struct msg_app_submit, request_id, FULL, MSG_REQUEST_ID_MAX,
         "random; the same again gives the same application"),
    TEXT(struct msg_app_submit, name, MAY, MSG_APP_NAME_MAX, "empty: as the plugin is called"),
    SHA256(struct msg_app_submit),
    FIELD_LIST(struct msg_app_submit, config, MAY, MSG_CONFIG_MAX, &msg_config_fields,
               "parameters"),
    FIELD_LIST(struct msg_app_submit, parallelism, MAY, MSG_PROCESSORS_MAX, &msg_parallelism_fields,
               "instead of what the graph says"),
    COUNT(struct msg_app_submit, executors, MAY, MSG_EXECUTORS_MAX,
          "processes; 0: one per worker that has room"),
    FIELD_ENUM(struct msg_app_submit, priority, MAY, app_priority_names,
               "who goes first when slots are short"),
    FIELD_BOOL(struct msg_app_submit, no_wait, MAY, "it fails when slots are short"),
    FIELD_LIST(struct msg_app_submit, places, MAY, MSG_PROCESSORS_MAX, &msg_task_place_fields,
               "on which workers tasks may be, instead of what the graph says"),
};
const struct fields msg_app_submit_fields =
    FIELDS("app_submit", struct msg_app_submit, app_submit_items);

static const struct field app_submitted_items[] = {
    COUNT(struct msg_app_submitted, id, MUST, 0, "id of the application"),
};
const struct fields msg_app_submitted_fields =
    FIELDS("app_submitted", struct msg_app_submitted, app_submitted_items);

#define WORKER(type) COUNT(type, worker, MUST, 0, "id of the worker")

static const struct field leave_items[] = {
    WORKER(struct msg_leave),
    FIELD_BOOL(struct msg_leave, force, MAY, "tasks that lose their state by it, too"),
};
static const struct fields leave_fields = FIELDS("leave", struct msg_leave, leave_items);

static const struct field worker_room_items[] = {
    WORKER(struct msg_worker_room),
    COUNT(struct msg_worker_room, free, MUST, 0, "slots that nobody holds"),
    TEXT(struct msg_worker_room, name, MAY, 64, "of the worker"),
    FIELD_TEXTS(struct msg_worker_room, labels, MAY, MSG_LABELS_MAX, MSG_LABEL_MAX,
                "of the worker"),
};
const struct fields msg_worker_room_fields =
    FIELDS("worker_room", struct msg_worker_room, worker_room_items);

static const struct field app_rebalance_items[] = {
    TEXT(struct msg_app_rebalance, app, FULL, MSG_APP_REF_MAX, "id or name"),
    FIELD_LIST(struct msg_app_rebalance, leave, MAY, MSG_LEAVE_MAX, &leave_fields,
               "workers that are to be left, and not to be come to; the master fills it in"),
    FIELD_BOOL(struct msg_app_rebalance, spread, MAY, "evenly over all other workers"),
    FIELD_BOOL(struct msg_app_rebalance, force, MAY, "tasks that lose their state by it, too"),
    TEXT(struct msg_app_rebalance, reason, MAY, MSG_REASON_MAX, "for people"),
    FIELD_LIST(struct msg_app_rebalance, room, MAY, MSG_EXECUTORS_MAX, &msg_worker_room_fields,
               "workers that take more; the master fills it in for the appmaster"),
};
const struct fields msg_app_rebalance_fields =
    FIELDS("app_rebalance", struct msg_app_rebalance, app_rebalance_items);

static const struct field move_refused_items[] = {
    TEXT(struct msg_move_refused, processor, MUST, 63, "its name"),
    COUNT(struct msg_move_refused, tasks, MUST, 0, "how many of its tasks stay"),
    TEXT(struct msg_move_refused, why, MUST, MSG_ERROR_MAX, "in words"),
};
static const struct fields move_refused_fields =
    FIELDS("move_refused", struct msg_move_refused, move_refused_items);

static const struct field left_on_items[] = {
    COUNT(struct msg_left_on, worker, MUST, 0, "id of the worker"),
    COUNT(struct msg_left_on, tasks, MUST, 0, "that are still there"),
};
static const struct fields left_on_fields = FIELDS("left_on", struct msg_left_on, left_on_items);

static const struct field app_rebalanced_items[] = {
    COUNT(struct msg_app_rebalanced, moving, MUST, 0, "tasks that will move, or are about to"),
    FIELD_LIST(struct msg_app_rebalanced, refused, MAY, MSG_REFUSED_MAX, &move_refused_fields,
               "tasks that stay, though they should not"),
    FIELD_LIST(struct msg_app_rebalanced, left, MAY, MSG_LEAVE_MAX, &left_on_fields,
               "tasks that are still where they are to leave"),
    FIELD_BOOL(struct msg_app_rebalanced, is_settled, MAY,
               "nothing was under way before, and all was written down: the next epoch may begin"),
    TEXT(struct msg_app_rebalanced, text, MAY, MSG_ERROR_MAX, "the same for people"),
};
const struct fields msg_app_rebalanced_fields =
    FIELDS("app_rebalanced", struct msg_app_rebalanced, app_rebalanced_items);

static const struct field worker_drain_items[] = {
    TEXT(struct msg_worker_drain, worker, FULL, MSG_APP_REF_MAX, "id, name or address"),
    FIELD_BOOL(struct msg_worker_drain, undo, MAY, "it serves again"),
    FIELD_BOOL(struct msg_worker_drain, force, MAY, "tasks without `snapshot` lose their state"),
    FIELD_BOOL(struct msg_worker_drain, look, MAY, "only say how far it is"),
};
const struct fields msg_worker_drain_fields =
    FIELDS("worker_drain", struct msg_worker_drain, worker_drain_items);

static const struct field drain_app_items[] = {
    COUNT(struct msg_drain_app, app, MUST, 0, "id of the application"),
    TEXT(struct msg_drain_app, name, MUST, MSG_APP_NAME_MAX, "its name"),
    COUNT(struct msg_drain_app, tasks, MUST, 0, "its tasks that are still there"),
    COUNT(struct msg_drain_app, moving, MAY, 0, "its tasks under way"),
    FIELD_BOOL(struct msg_drain_app, appmaster, MAY, "its appmaster is there"),
    FIELD_BOOL(struct msg_drain_app, stays, MAY, "until there is room, or force"),
    TEXT(struct msg_drain_app, why, MAY, MSG_ERROR_MAX, "what it waits for, or why it stays"),
};
static const struct fields drain_app_fields =
    FIELDS("drain_app", struct msg_drain_app, drain_app_items);

static const struct field worker_drained_items[] = {
    WORKER(struct msg_worker_drained),
    TEXT(struct msg_worker_drained, name, MAY, 64, "its name"),
    FIELD_ENUM(struct msg_worker_drained, state, MUST, worker_state_names, "how far it is"),
    COUNT(struct msg_worker_drained, tasks, MUST, 0, "that are still there"),
    FIELD_BOOL(struct msg_worker_drained, force, MAY, "as it is being drained"),
    FIELD_LIST(struct msg_worker_drained, apps, MAY, MSG_PAGE_MAX, &drain_app_fields,
               "applications that are not yet gone"),
};
const struct fields msg_worker_drained_fields =
    FIELDS("worker_drained", struct msg_worker_drained, worker_drained_items);

static const struct field log_read_items[] = {
    COUNT(struct msg_log_read, app, MUST, 0, "id of the application"),
    COUNT(struct msg_log_read, executor, MAY, 0, "0: the appmaster"),
    FIELD_U64(struct msg_log_read, offset, MAY, "from this byte"),
    COUNT(struct msg_log_read, max, MAY, MSG_LOG_TEXT_MAX, "at most so many; 0: as fit"),
    COUNT(struct msg_log_read, wait_ms, MAY, 600000, "at the end: wait this long for more"),
};
const struct fields msg_log_read_fields = FIELDS("log_read", struct msg_log_read, log_read_items);

static const struct field log_text_items[] = {
    TEXT(struct msg_log_text, text, MUST, MSG_LOG_TEXT_MAX, "what was written"),
    FIELD_U64(struct msg_log_text, offset, MUST, "of its first byte"),
    FIELD_U64(struct msg_log_text, end, MUST, "size of the log now"),
    FIELD_BOOL(struct msg_log_text, truncated, MAY, "older text is gone"),
};
const struct fields msg_log_text_fields = FIELDS("log_text", struct msg_log_text, log_text_items);

static const struct field settings_items[] = {
    FIELD_TREE(struct msg_settings, settings, MUST,
               "list of {key, value, origin, default, kind, variable, doc}"),
};
const struct fields msg_settings_fields = FIELDS("settings", struct msg_settings, settings_items);
