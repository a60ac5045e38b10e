/*
 * messages.h: every message there is: number, name, who may send it, what it holds.
 *
 * The structs stand by topic in messages_client.h, messages_worker.h, messages_appmaster.h,
 * messages_executor.h, messages_master.h and messages_metrics.h, each beside the field tables
 * (wire/fields.h) that are their only codec. A number, once used, means the same for ever.
 *
 *     below 16     the connection itself: hello, proof, ping, pong, close, share, shared
 *     16 .. 255    binary frames of the data plane and of consensus
 *     256 ..       control, JSON: 256 client, 512 worker, 768 appmaster, 1024 executor,
 *                  1280 master
 */
#ifndef WIRE_MESSAGES_H
#define WIRE_MESSAGES_H

#include "wire/hello.h"
#include "wire/messages_appmaster.h"
#include "wire/messages_client.h"
#include "wire/messages_executor.h"
#include "wire/messages_master.h"
#include "wire/messages_metrics.h"
#include "wire/messages_worker.h"

enum message_pattern {
    MESSAGE_FRAME, /* belongs to the connection or to the data plane, not to an actor's inbox */
    MESSAGE_TELL,
    MESSAGE_ASK,
};

/* The data plane and consensus; MSG_CONTROL is the first number above. */
#define MSG_DATA    16
#define MSG_CONTROL 256

#define ROLES_C   ROLE_BIT(ROLE_CLIENT)
#define ROLES_M   ROLE_BIT(ROLE_MASTER)
#define ROLES_W   ROLE_BIT(ROLE_WORKER)
#define ROLES_A   ROLE_BIT(ROLE_APPMASTER)
#define ROLES_E   ROLE_BIT(ROLE_EXECUTOR)
#define ROLES_L   ROLE_BIT(ROLE_LANE)
#define ROLES_ALL ROLE_ANY

/*
 * X(NAME, number, "name", pattern, roles that may send it, payload, reply)
 * payload and reply are tables without their suffix; `binary` is not described by one, `none` is
 * empty or does not exist.
 */
#define MESSAGE_LIST(X)                                                                            \
    X(HELLO, 1, "hello", FRAME, ALL, hello, none)                                                  \
    X(PROOF, 2, "proof", FRAME, ALL, proof, none)                                                  \
    X(PING, 3, "ping", FRAME, ALL, none, none)                                                     \
    X(PONG, 4, "pong", FRAME, ALL, none, none)                                                     \
    X(CLOSE, 5, "close", FRAME, ALL, wire_error, none)                                             \
    X(SHARE, 6, "share", FRAME, L, none, none)                                                     \
    X(SHARED, 7, "shared", FRAME, L, wire_error, none)                                             \
    X(BATCH, 16, "batch", FRAME, L, binary, none)                                                  \
    X(CREDIT, 17, "credit", FRAME, L, binary, none)                                                \
    X(RAFT, 32, "raft", FRAME, M, binary, none)                                                    \
    X(CLUSTER_INFO, 256, "cluster.info", ASK, C, msg_empty, msg_cluster_info)                      \
    X(WORKER_LIST, 257, "worker.list", ASK, C, msg_worker_list, msg_worker_page)                   \
    X(APP_LIST, 258, "app.list", ASK, C, msg_app_list, msg_app_page)                               \
    X(APP_DESCRIBE, 259, "app.describe", ASK, C, msg_app_ref, msg_app_description)                 \
    X(APP_KILL, 260, "app.kill", ASK, C, msg_app_ref, msg_app_summary)                             \
    X(APP_WAIT, 261, "app.wait", ASK, C, msg_app_wait, msg_app_change)                             \
    X(ARTEFACT_OFFER, 262, "artefact.offer", ASK, C, msg_artefact_offer, msg_artefact_place)       \
    X(ARTEFACT_CHUNK, 263, "artefact.chunk", ASK, C, binary, msg_artefact_received)                \
    X(ARTEFACT_GET, 264, "artefact.get", ASK, CWM, msg_artefact_get, binary)                       \
    X(APP_SUBMIT, 265, "app.submit", ASK, C, msg_app_submit, msg_app_submitted)                    \
    X(LOG_READ, 266, "log.read", ASK, C, msg_log_read, msg_log_text)                               \
    X(MASTER_ADD, 267, "master.add", ASK, C, msg_master_ref, msg_empty)                            \
    X(MASTER_REMOVE, 268, "master.remove", ASK, C, msg_master_ref, msg_empty)                      \
    X(APP_REBALANCE, 269, "app.rebalance", ASK, CM, msg_app_rebalance, msg_app_rebalanced)         \
    X(WORKER_DRAIN, 270, "worker.drain", ASK, C, msg_worker_drain, msg_worker_drained)             \
    X(METRICS_READ, 271, "metrics.read", ASK, C, msg_metrics_read, msg_metrics_history)            \
    X(CLUSTER_EVENTS, 272, "cluster.events", ASK, C, msg_cluster_events_read, msg_cluster_events)  \
    X(APP_RESTART, 273, "app.restart", ASK, C, msg_app_restart, msg_app_submitted)                 \
    X(SETTINGS, 274, "settings", ASK, C, msg_empty, msg_settings)                                  \
    X(WORKER_REGISTER, 512, "worker.register", ASK, W, msg_worker_register, msg_worker_welcome)    \
    X(WORKER_REPORT, 513, "worker.report", TELL, W, msg_worker_report, none)                       \
    X(APPMASTER_LAUNCH, 514, "appmaster.launch", ASK, M, msg_appmaster_launch, msg_launched)       \
    X(PROCESS_STOP, 515, "process.stop", ASK, MA, msg_process_ref, msg_empty)                      \
    X(PROCESS_EXITED, 516, "process.exited", TELL, W, msg_process_exited, none)                    \
    X(GRANT_OFFER, 517, "grant.offer", ASK, M, msg_grant_offer, msg_empty)                         \
    X(GRANT_REVOKE, 518, "grant.revoke", TELL, M, msg_grant_revoke, none)                          \
    X(EXECUTOR_LAUNCH, 519, "executor.launch", ASK, A, msg_executor_launch, msg_launched)          \
    X(PLUGIN_FETCH, 520, "plugin.fetch", ASK, A, msg_plugin_fetch, msg_empty)                      \
    X(EXECUTOR_RESIZE, 521, "executor.resize", ASK, A, msg_executor_resize, msg_empty)             \
    X(APPMASTER_REGISTER, 768, "appmaster.register", ASK, A, msg_appmaster_register,               \
      msg_appmaster_welcome)                                                                       \
    X(PLUGIN_RESOLVE, 769, "plugin.resolve", ASK, A, msg_plugin_resolve, msg_plugin_resolved)      \
    X(PLAN_PUT, 770, "plan.put", ASK, A, msg_plan_put, msg_empty)                                  \
    X(SLOTS_REQUEST, 771, "slots.request", ASK, A, msg_slots_request, msg_slots_granted)           \
    X(SLOTS_HOLD, 772, "slots.hold", TELL, A, msg_slots_hold, none)                                \
    X(APP_STATE, 773, "app.state", ASK, A, msg_app_state, msg_empty)                               \
    X(APP_STOP, 774, "app.stop", ASK, M, msg_empty, msg_empty)                                     \
    X(APP_QUERY, 775, "app.query", ASK, M, msg_empty, msg_app_live)                                \
    X(PLACEMENT_PUT, 776, "placement.put", ASK, A, msg_placement_put, msg_empty)                   \
    X(APP_WHERE, 777, "app.where", ASK, E, msg_app_where, msg_app_whereabouts)                     \
    X(APP_METRICS, 778, "app.metrics", TELL, A, msg_app_metrics, none)                             \
    X(EXECUTOR_REGISTER, 1024, "executor.register", ASK, E, msg_executor_register, msg_empty)      \
    X(EXECUTOR_ASSIGN, 1025, "executor.assign", ASK, A, msg_executor_assign, msg_empty)            \
    X(EXECUTOR_START, 1026, "executor.start", TELL, A, msg_empty, none)                            \
    X(EXECUTOR_REPORT, 1027, "executor.report", TELL, E, msg_executor_report, none)                \
    X(EXECUTOR_FAILED, 1028, "executor.failed", TELL, E, msg_executor_failed, none)                \
    X(EXECUTOR_DONE, 1029, "executor.done", TELL, E, msg_executor_done, none)                      \
    X(EXECUTOR_STOP, 1030, "executor.stop", ASK, A, msg_empty, msg_empty)                          \
    X(EXECUTOR_UPDATE, 1031, "executor.update", ASK, A, msg_executor_update, msg_executor_updated) \
    X(EXECUTOR_STATES, 1032, "executor.states", TELL, E, msg_executor_states, none)                \
    X(EXECUTOR_MOVED, 1033, "executor.moved", ASK, E, msg_executor_moved, msg_empty)               \
    X(EXECUTOR_BRING, 1034, "executor.bring", ASK, A, msg_executor_bring, msg_empty)               \
    X(MASTER_HELLO, 1280, "master.hello", ASK, M, msg_master_hello, msg_master_hello)              \
    X(MASTER_FOUND, 1281, "master.found", ASK, M, msg_master_found, msg_empty)                     \
    X(MASTER_JOIN, 1282, "master.join", ASK, M, msg_master_join, msg_empty)                        \
    X(MASTER_FETCH, 1283, "master.fetch", ASK, M, msg_master_fetch, msg_empty)                     \
    X(MASTER_ROOM, 1284, "master.room", ASK, M, msg_empty, msg_empty)

#define ROLES_CM  (ROLES_C | ROLES_M)
#define ROLES_CWM (ROLES_C | ROLES_W | ROLES_M)
#define ROLES_MA  (ROLES_M | ROLES_A)

enum message_type {
    MSG_NONE = 0,
#define MESSAGE_ENUM(NAME, number, name, pattern, roles, payload, reply) MSG_##NAME = (number),
    MESSAGE_LIST(MESSAGE_ENUM)
#undef MESSAGE_ENUM
};

struct message_type_info {
    uint16_t type;
    const char *name;
    enum message_pattern pattern;
    uint32_t from;                /* ROLE_BIT() of those who may send it */
    const struct fields *payload; /* never NULL; &binary_fields: bytes; &none_fields: nothing */
    const struct fields *reply;
};

extern const struct fields none_fields;
extern const struct fields binary_fields;

/* NULL for a number nobody knows. */
const struct message_type_info *message_type_find(uint16_t type);

/* "app.submit", or "unknown". */
const char *message_type_name(uint16_t type);

/* All of them, in the order of their numbers: for documents and tests. */
const struct message_type_info *message_types(size_t *ret_count);

#endif
