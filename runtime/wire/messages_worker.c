/*
 * The tables of messages_worker.h.
 */
#include "wire/messages_worker.h"

#define TEXT  FIELD_TEXT
#define COUNT FIELD_COUNT
#define MUST  FIELD_REQUIRED
#define MAY   FIELD_OPTIONAL
#define FULL  (FIELD_REQUIRED | FIELD_NONEMPTY)

#define APP(type)   COUNT(type, app, MUST, 0, "id of the application")
#define EPOCH(type) COUNT(type, epoch, MUST, 0, "of its appmaster; older ones are refused")
#define TERM(type)  FIELD_U64(type, term, MAY, "of the leader; older ones are refused")
#define TOKEN(type)                                                                                \
    TEXT(type, token, FULL | FIELD_SECRET, MSG_TOKEN_HEX, "the key app/N, 64 hex digits")
#define MASTERS(type)                                                                              \
    FIELD_TEXTS(type, masters, FULL, MSG_MASTERS_MAX, MSG_ADDRESS_MAX, "where the masters listen")

static const struct field kept_grant_items[] = {
    APP(struct msg_kept_grant),
    EPOCH(struct msg_kept_grant),
    COUNT(struct msg_kept_grant, slots, MUST, 0, "it still keeps for it"),
};
static const struct fields kept_grant_fields =
    FIELDS("kept_grant", struct msg_kept_grant, kept_grant_items);

static const struct field worker_register_items[] = {
    COUNT(struct msg_worker_register, id, MAY, 0, "that it had before; 0: none yet"),
    TEXT(struct msg_worker_register, name, MAY, 64, "what people call it"),
    TEXT(struct msg_worker_register, address, FULL, MSG_ADDRESS_MAX, "where it listens"),
    TEXT(struct msg_worker_register, host, FULL, MSG_HOST_MAX, "name of its host"),
    FIELD_I64(struct msg_worker_register, pid, MAY, "its process id"),
    COUNT(struct msg_worker_register, cpus, MAY, 0, "cores it may use"),
    COUNT(struct msg_worker_register, slots, MUST, 0, "tasks it may run"),
    TEXT(struct msg_worker_register, version, MAY, 64, "of its program"),
    FIELD_LIST(struct msg_worker_register, grants, MAY, MSG_EXECUTORS_MAX, &kept_grant_fields,
               "of before, when it comes again; those of ended applications are revoked"),
    FIELD_TEXTS(struct msg_worker_register, labels, MAY, MSG_LABELS_MAX, MSG_LABEL_MAX,
                "KEY=VALUE each, for tasks that want such a worker"),
};
const struct fields msg_worker_register_fields =
    FIELDS("worker_register", struct msg_worker_register, worker_register_items);

static const struct field worker_welcome_items[] = {
    COUNT(struct msg_worker_welcome, id, MUST, 0, "the worker is worker/<id> from now on"),
    TERM(struct msg_worker_welcome),
    TEXT(struct msg_worker_welcome, cluster, MUST, 64, "id of the cluster"),
    FIELD_TEXTS(struct msg_worker_welcome, masters, MAY, MSG_MASTERS_MAX, MSG_ADDRESS_MAX,
                "all there are now; empty: as it was told"),
};
const struct fields msg_worker_welcome_fields =
    FIELDS("worker_welcome", struct msg_worker_welcome, worker_welcome_items);

static const struct field process_items[] = {
    APP(struct msg_process),
    COUNT(struct msg_process, executor, MUST, 0, "0: the appmaster"),
    EPOCH(struct msg_process),
    FIELD_I64(struct msg_process, pid, MAY, "process id"),
    COUNT(struct msg_process, slots, MAY, 0, "it holds"),
};
static const struct fields process_fields = FIELDS("process", struct msg_process, process_items);

static const struct field worker_report_items[] = {
    COUNT(struct msg_worker_report, slots_used, MUST, 0, "slots given away"),
    FIELD_LIST(struct msg_worker_report, executors, MAY, MSG_EXECUTORS_MAX, &process_fields,
               "its processes, appmasters too"),
    FIELD_OBJECT(struct msg_worker_report, vitals, &msg_vitals_fields, "what its process needs"),
    FIELD_OBJECT(struct msg_worker_report, load, &msg_load_fields, "of its host"),
};
const struct fields msg_worker_report_fields =
    FIELDS("worker_report", struct msg_worker_report, worker_report_items);

static const struct field appmaster_launch_items[] = {
    TERM(struct msg_appmaster_launch),
    APP(struct msg_appmaster_launch),
    EPOCH(struct msg_appmaster_launch),
    TEXT(struct msg_appmaster_launch, name, MUST, MSG_APP_NAME_MAX, "of the application"),
    TEXT(struct msg_appmaster_launch, sha256, FULL, MSG_SHA256_HEX, "of its shared object"),
    TOKEN(struct msg_appmaster_launch),
    MASTERS(struct msg_appmaster_launch),
};
const struct fields msg_appmaster_launch_fields =
    FIELDS("appmaster_launch", struct msg_appmaster_launch, appmaster_launch_items);

static const struct field launched_items[] = {
    FIELD_I64(struct msg_launched, pid, MUST, "process id"),
};
const struct fields msg_launched_fields = FIELDS("launched", struct msg_launched, launched_items);

static const struct field process_ref_items[] = {
    APP(struct msg_process_ref),
    COUNT(struct msg_process_ref, executor, MAY, 0, "0: the appmaster"),
    EPOCH(struct msg_process_ref),
    FIELD_BOOL(struct msg_process_ref, at_once, MAY, "kill it, without asking it to end first"),
};
const struct fields msg_process_ref_fields =
    FIELDS("process_ref", struct msg_process_ref, process_ref_items);

static const struct field process_exited_items[] = {
    APP(struct msg_process_exited),
    COUNT(struct msg_process_exited, executor, MUST, 0, "0: the appmaster"),
    EPOCH(struct msg_process_exited),
    FIELD_I64(struct msg_process_exited, code, MUST, "exit code; -1 when a signal ended it"),
    COUNT(struct msg_process_exited, signal, MAY, 128, "0: none"),
    TEXT(struct msg_process_exited, crash, MAY, MSG_ERROR_MAX, "signal, plugin and function"),
};
const struct fields msg_process_exited_fields =
    FIELDS("process_exited", struct msg_process_exited, process_exited_items);

static const struct field grant_offer_items[] = {
    TERM(struct msg_grant_offer),
    APP(struct msg_grant_offer),
    EPOCH(struct msg_grant_offer),
    TOKEN(struct msg_grant_offer),
    COUNT(struct msg_grant_offer, slots, MUST, 0, "to keep for it"),
    TEXT(struct msg_grant_offer, sha256, MAY, MSG_SHA256_HEX, "of its shared object, to fetch"),
    MASTERS(struct msg_grant_offer),
};
const struct fields msg_grant_offer_fields =
    FIELDS("grant_offer", struct msg_grant_offer, grant_offer_items);

static const struct field grant_revoke_items[] = {
    TERM(struct msg_grant_revoke),
    APP(struct msg_grant_revoke),
    EPOCH(struct msg_grant_revoke),
    COUNT(struct msg_grant_revoke, slots, MAY, 0, "given back; 0: all"),
    FIELD_BOOL(
        struct msg_grant_revoke, is_all_due, MAY,
        "what processes need now is given back when they end: no more, no less, whatever was "
        "still due before"),
};
const struct fields msg_grant_revoke_fields =
    FIELDS("grant_revoke", struct msg_grant_revoke, grant_revoke_items);

static const struct field plugin_fetch_items[] = {
    TEXT(struct msg_plugin_fetch, sha256, FULL, MSG_SHA256_HEX, "of the file"),
};
const struct fields msg_plugin_fetch_fields =
    FIELDS("plugin_fetch", struct msg_plugin_fetch, plugin_fetch_items);

static const struct field plugin_file_items[] = {
    TEXT(struct msg_plugin_file, name, MUST, 63, "of the plugin"),
    TEXT(struct msg_plugin_file, sha256, FULL, MSG_SHA256_HEX, "of the file"),
    TEXT(struct msg_plugin_file, path, MAY, 4096, "where it lies on that host"),
};
const struct fields msg_plugin_file_fields =
    FIELDS("plugin", struct msg_plugin_file, plugin_file_items);

static const struct field executor_launch_items[] = {
    APP(struct msg_executor_launch),
    EPOCH(struct msg_executor_launch),
    COUNT(struct msg_executor_launch, executor, MUST, 0, "its id, from 1"),
    COUNT(struct msg_executor_launch, slots, MUST, 0, "of the grant"),
    TEXT(struct msg_executor_launch, appmaster, FULL, MSG_ADDRESS_MAX, "whom it registers with"),
    COUNT(struct msg_executor_launch, lanes, MAY, MSG_LANES_MAX, "0: its share of the cores"),
    COUNT(struct msg_executor_launch, blocking, MAY, MSG_LANES_MAX,
          "lanes besides, for tasks whose calls may block"),
    FIELD_LIST(struct msg_executor_launch, plugins, MAY, MSG_PLUGINS_MAX, &msg_plugin_file_fields,
               "to have on disk before it starts"),
    FIELD_TEXTS(struct msg_executor_launch, masters, MAY, MSG_MASTERS_MAX, MSG_ADDRESS_MAX,
                "who say where the appmaster is, once it is lost"),
};
const struct fields msg_executor_launch_fields =
    FIELDS("executor_launch", struct msg_executor_launch, executor_launch_items);

static const struct field executor_resize_items[] = {
    APP(struct msg_executor_resize),
    EPOCH(struct msg_executor_resize),
    COUNT(struct msg_executor_resize, executor, MUST, 0, "its id, from 1"),
    COUNT(struct msg_executor_resize, slots, MUST, 0, "that it holds from now on"),
};
const struct fields msg_executor_resize_fields =
    FIELDS("executor_resize", struct msg_executor_resize, executor_resize_items);
