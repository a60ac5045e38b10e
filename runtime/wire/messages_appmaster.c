/*
 * The tables of messages_appmaster.h.
 */
#include "wire/messages_appmaster.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

#define APP(type)   COUNT(type, app, MUST, 0, "id of the application")
#define EPOCH(type) COUNT(type, epoch, MUST, 0, "of this appmaster; older ones are refused")

static const struct field appmaster_register_items[] = {
    APP(struct msg_appmaster_register),
    EPOCH(struct msg_appmaster_register),
    TEXT(struct msg_appmaster_register, address, FULL, MSG_ADDRESS_MAX, "where it listens"),
    FIELD_I64(struct msg_appmaster_register, pid, MAY, "its process id"),
};
const struct fields msg_appmaster_register_fields =
    FIELDS("appmaster_register", struct msg_appmaster_register, appmaster_register_items);

static const struct field restart_items[] = {
    FIELD_I64(struct msg_restart, time_ms, MUST, "when, since 1970"),
};
const struct fields msg_restart_fields = FIELDS("restart", struct msg_restart, restart_items);

static const struct field appmaster_welcome_items[] = {
    TEXT(struct msg_appmaster_welcome, name, MUST, MSG_APP_NAME_MAX, "of the application"),
    TEXT(struct msg_appmaster_welcome, sha256, FULL, MSG_SHA256_HEX, "of its shared object"),
    FIELD_LIST(struct msg_appmaster_welcome, config, MAY, MSG_CONFIG_MAX, &msg_config_fields,
               "parameters of the submit"),
    FIELD_LIST(struct msg_appmaster_welcome, parallelism, MAY, MSG_PROCESSORS_MAX,
               &msg_parallelism_fields, "instead of what the graph says"),
    COUNT(struct msg_appmaster_welcome, executors, MAY, MSG_EXECUTORS_MAX, "asked for; 0: any"),
    FIELD_TREE(struct msg_appmaster_welcome, plan, MAY, "kept from an earlier epoch"),
    FIELD_TREE(struct msg_appmaster_welcome, placement, MAY, "as it was last put"),
    FIELD_BOOL(struct msg_appmaster_welcome, is_planned, MAY,
               "the epoch before was not lost, it made way"),
    COUNT(struct msg_appmaster_welcome, restarts_max, MAY, MSG_RESTARTS_MAX,
          "restarts that it may need in a window; 0: 10"),
    FIELD_I64(struct msg_appmaster_welcome, restart_window_ms, MAY, "that window; 0: a minute"),
    FIELD_LIST(struct msg_appmaster_welcome, restarts, MAY, MSG_RESTARTS_MAX, &msg_restart_fields,
               "those that were, the oldest first"),
    FIELD_LIST(struct msg_appmaster_welcome, places, MAY, MSG_PROCESSORS_MAX,
               &msg_task_place_fields, "where tasks may be, instead of what the graph says"),
};
const struct fields msg_appmaster_welcome_fields =
    FIELDS("appmaster_welcome", struct msg_appmaster_welcome, appmaster_welcome_items);

static const struct field plugin_resolve_items[] = {
    TEXT(struct msg_plugin_resolve, name, FULL, 63, "of the plugin"),
};
const struct fields msg_plugin_resolve_fields =
    FIELDS("plugin_resolve", struct msg_plugin_resolve, plugin_resolve_items);

static const struct field plugin_resolved_items[] = {
    TEXT(struct msg_plugin_resolved, name, MUST, 63, "of the plugin"),
    TEXT(struct msg_plugin_resolved, version, MAY, 31, "of the plugin"),
    TEXT(struct msg_plugin_resolved, sha256, FULL, MSG_SHA256_HEX, "of its file"),
    FIELD_U64(struct msg_plugin_resolved, size, MAY, "bytes of its file"),
};
const struct fields msg_plugin_resolved_fields =
    FIELDS("plugin_resolved", struct msg_plugin_resolved, plugin_resolved_items);

static const struct field plan_put_items[] = {
    APP(struct msg_plan_put),
    EPOCH(struct msg_plan_put),
    FIELD_TREE(struct msg_plan_put, plan, MUST, "the plan, to be kept"),
};
const struct fields msg_plan_put_fields = FIELDS("plan_put", struct msg_plan_put, plan_put_items);

static const struct field placement_put_items[] = {
    APP(struct msg_placement_put),
    EPOCH(struct msg_placement_put),
    FIELD_TREE(struct msg_placement_put, placement, MUST, "to be kept; only appmasters read it"),
    FIELD_LIST(struct msg_placement_put, restarts, MAY, MSG_RESTARTS_MAX, &msg_restart_fields,
               "all that were in the window, the oldest first"),
};
const struct fields msg_placement_put_fields =
    FIELDS("placement_put", struct msg_placement_put, placement_put_items);

static const struct field app_where_items[] = {
    APP(struct msg_app_where),
};
const struct fields msg_app_where_fields =
    FIELDS("app_where", struct msg_app_where, app_where_items);

static const struct field app_whereabouts_items[] = {
    TEXT(struct msg_app_whereabouts, address, MAY, MSG_ADDRESS_MAX,
         "where its appmaster listens; \"\": nowhere now"),
    COUNT(struct msg_app_whereabouts, epoch, MAY, 0, "of that appmaster"),
};
const struct fields msg_app_whereabouts_fields =
    FIELDS("app_whereabouts", struct msg_app_whereabouts, app_whereabouts_items);

static const struct field worker_ref_items[] = {
    COUNT(struct msg_worker_ref, worker, MUST, 0, "its id"),
};
static const struct fields worker_ref_fields =
    FIELDS("worker_ref", struct msg_worker_ref, worker_ref_items);

static const struct field slots_place_items[] = {
    TEXT(struct msg_slots_place, place, FULL, MSG_PLACE_MAX, "worker:NAME or label:KEY=VALUE"),
    COUNT(struct msg_slots_place, slots, MUST, 0, "that must be there"),
};
static const struct fields slots_place_fields =
    FIELDS("slots_place", struct msg_slots_place, slots_place_items);

static const struct field slots_request_items[] = {
    APP(struct msg_slots_request),
    EPOCH(struct msg_slots_request),
    COUNT(struct msg_slots_request, slots, MUST, 0, "tasks to be run"),
    COUNT(struct msg_slots_request, executors, MAY, MSG_EXECUTORS_MAX,
          "over so many processes; 0: one per worker that has room"),
    COUNT(struct msg_slots_request, worker, MAY, 0, "all of them on this one; 0: on any"),
    FIELD_LIST(struct msg_slots_request, avoid, MAY, MSG_EXECUTORS_MAX, &worker_ref_fields,
               "not on these workers"),
    FIELD_LIST(struct msg_slots_request, places, MAY, MSG_PROCESSORS_MAX, &slots_place_fields,
               "where some of them must be"),
};
const struct fields msg_slots_request_fields =
    FIELDS("slots_request", struct msg_slots_request, slots_request_items);

static const struct field grant_items[] = {
    COUNT(struct msg_grant, worker, MUST, 0, "id of the worker"),
    TEXT(struct msg_grant, name, MAY, 64, "its name"),
    TEXT(struct msg_grant, address, MAY, MSG_ADDRESS_MAX, "where it listens"),
    TEXT(struct msg_grant, host, MAY, MSG_HOST_MAX, "name of its host"),
    COUNT(struct msg_grant, cpus, MAY, 0, "cores it may use"),
    COUNT(struct msg_grant, slots, MUST, 0, "tasks it keeps room for"),
    FIELD_TEXTS(struct msg_grant, labels, MAY, MSG_LABELS_MAX, MSG_LABEL_MAX, "of the worker"),
};
static const struct fields grant_fields = FIELDS("grant", struct msg_grant, grant_items);

static const struct field slots_granted_items[] = {
    FIELD_LIST(struct msg_slots_granted, grants, MUST, MSG_EXECUTORS_MAX, &grant_fields,
               "one for each executor to be started"),
};
const struct fields msg_slots_granted_fields =
    FIELDS("slots_granted", struct msg_slots_granted, slots_granted_items);

static const struct field slots_hold_items[] = {
    APP(struct msg_slots_hold),
    EPOCH(struct msg_slots_hold),
    FIELD_LIST(struct msg_slots_hold, grants, MUST, MSG_EXECUTORS_MAX, &grant_fields,
               "worker and slots that it holds; the rest is given back"),
};
const struct fields msg_slots_hold_fields =
    FIELDS("slots_hold", struct msg_slots_hold, slots_hold_items);

static const struct field app_state_items[] = {
    APP(struct msg_app_state),
    EPOCH(struct msg_app_state),
    FIELD_ENUM(struct msg_app_state, state, MUST, app_state_names, "from now on"),
    TEXT(struct msg_app_state, error, MAY, MSG_ERROR_MAX, "why it failed"),
    COUNT(struct msg_app_state, executors, MAY, 0, "executor processes"),
    COUNT(struct msg_app_state, tasks, MAY, 0, "tasks of all processors"),
    FIELD_OBJECT(struct msg_app_state, live, &msg_app_live_fields,
                 "with an end: the last counts, for describe"),
};
const struct fields msg_app_state_fields =
    FIELDS("app_state", struct msg_app_state, app_state_items);
