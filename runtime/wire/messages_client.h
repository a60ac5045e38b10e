/*
 * messages_client.h: what gpctl asks of a master, and (log.read) of a worker.
 */
#ifndef WIRE_MESSAGES_CLIENT_H
#define WIRE_MESSAGES_CLIENT_H

#include "wire/fields.h"

#define MSG_ADDRESS_MAX    136u
#define MSG_HOST_MAX       255u
#define MSG_APP_NAME_MAX   63u
#define MSG_APP_REF_MAX    255u /* what a person may take for a name */
#define MSG_ERROR_MAX      2048u
#define MSG_REQUEST_ID_MAX 64u
#define MSG_SHA256_HEX     64u
#define MSG_CONFIG_MAX     256u   /* key-value pairs */
#define MSG_VALUE_MAX      16384u /* bytes of one configured value */
#define MSG_PAGE_MAX       256u   /* things in one answer */
#define MSG_MASTERS_MAX    9u
#define MSG_RANGES_MAX     32768u /* 1,000 executors with two lanes, 16 processors on each of them */
#define MSG_EXECUTORS_MAX  1024u
#define MSG_PROCESSORS_MAX 256u
#define MSG_EDGES_MAX      1024u
#define MSG_COUNTERS_MAX   64u
#define MSG_LANES_MAX      64u
#define MSG_PLUGINS_MAX    64u
#define MSG_LOG_TEXT_MAX   65536u
#define MSG_EVENTS_MAX     16u
#define MSG_LEAVE_MAX      64u /* workers that are to be left at once */
#define MSG_REFUSED_MAX    64u
#define MSG_REASON_MAX     64u
#define MSG_PLACE_MAX      136u /* see graph/place.h */
#define MSG_LABELS_MAX     32u  /* of a worker */
#define MSG_LABEL_MAX      127u /* "KEY=VALUE" */

/* For text fields of messages that are encoded and not kept. */
#define MSG_NO_TEXT ((char *)(uintptr_t) "")

struct msg_empty {
    uint8_t unused; /* C has no empty structs */
};

/* Broken: its disk failed; it takes nothing until it can read it again. */
enum master_role {
    MASTER_LEADER,
    MASTER_FOLLOWER,
    MASTER_UNREACHABLE,
    MASTER_BROKEN,
    MASTER_WAITING
};
extern const char *const master_role_names[];

/* Life of an application; the last three are its ends. */
enum app_state {
    APP_SUBMITTED,
    APP_WAITING, /* for slots: its error says for how many, and behind whom */
    APP_STARTING,
    APP_RUNNING,
    APP_RECOVERING, /* something died; its tasks are being restarted */
    APP_FINISHED,
    APP_FAILED,
    APP_KILLED,
};
extern const char *const app_state_names[];

static inline bool app_state_is_end(uint32_t state)
{
    return state >= APP_FINISHED;
}

/* Who goes first when slots are short; among equals, who came first. */
enum app_priority { PRIORITY_NORMAL, PRIORITY_LOW, PRIORITY_HIGH };
extern const char *const app_priority_names[];

/* Draining: its tasks are moved away, and it gets no new ones. Drained: it holds nothing any more
 * and may stop. Lost: it is to be drained, and is not connected. */
enum worker_state { WORKER_SERVING, WORKER_DRAINING, WORKER_DRAINED, WORKER_LOST };
extern const char *const worker_state_names[];

/* How rows travel between two lanes. */
enum edge_kind { EDGE_LOCAL, EDGE_RING, EDGE_SHM, EDGE_UNIX, EDGE_TCP, EDGE_FUSED };
#define EDGE_KINDS 6u
extern const char *const edge_kind_names[];

struct msg_master_info {
    char *address;
    uint32_t role; /* enum master_role */
    uint64_t term;
    uint64_t lag; /* log entries behind the leader */
    /* Each says the rest of itself alone. */
    uint64_t last; /* log entries, as the next two */
    uint64_t committed;
    uint64_t applied;
    uint64_t elections;   /* that it won since it began */
    uint64_t apply_count; /* proposals of its own that were applied; their time from proposed: */
    uint64_t apply_p50_ns;
    uint64_t apply_p99_ns;
    uint64_t apply_max_ns;
};

struct msg_cluster_info {
    char *cluster;
    char *address; /* of the one that answers */
    char *version;
    struct msg_master_info *masters;
    uint32_t masters_count;
};

/* One to add to the group or to remove from it. */
struct msg_master_ref {
    char *address;
};

struct msg_worker_list {
    uint32_t after; /* the last id of the page before, 0 at first */
    uint32_t limit; /* 0: as many as fit */
};

struct msg_worker_info {
    uint32_t id;
    char *name;
    char *address;
    char *host;
    int64_t pid;
    uint32_t cpus;
    uint32_t slots;
    uint32_t slots_used;
    uint32_t executors;
    int64_t up_ms;
    char *version;
    uint32_t state; /* enum worker_state */
    uint32_t tasks; /* slots that executors hold */
    double load_1m; /* of its host, see struct msg_load */
    uint64_t memory_total;
    uint64_t memory_free;
    char **labels; /* "zone=a" */
    uint32_t labels_count;
};

struct msg_worker_page {
    struct msg_worker_info *workers;
    uint32_t workers_count;
    uint32_t next; /* ask again after this id; 0: this was the last page */
};

struct msg_app_list {
    bool all; /* those that ended, too */
    uint32_t after;
    uint32_t limit;
};

struct msg_app_summary {
    uint32_t id;
    char *name;
    uint32_t state;       /* enum app_state */
    int64_t submitted_ms; /* since 1970; 0: not yet, in all three */
    int64_t started_ms;
    int64_t finished_ms;
    uint32_t executors;
    uint32_t tasks;
    char *error;
    uint32_t priority; /* enum app_priority */
};

struct msg_app_page {
    struct msg_app_summary *apps;
    uint32_t apps_count;
    uint32_t next;
};

struct msg_app_ref {
    char *app; /* id or name */
};

/* Tasks first .. first + count - 1 of a processor are on that lane. */
struct msg_range {
    uint32_t processor;
    uint32_t first;
    uint32_t count;
    uint32_t executor;
    uint32_t lane;
};

struct msg_executor_info {
    uint32_t id;
    uint32_t worker;
    char *worker_name;
    char *worker_address; /* whom to ask for its log */
    char *host;
    int64_t pid;
    uint32_t lanes;
    uint32_t pinned; /* core of the first of them, from 1; 0: not bound */
    char *state;
};

struct msg_counter {
    char *name;
    int64_t value;
};

struct msg_task_metrics; /* messages_metrics.h */

/* One aggregate per processor, never per task. */
struct msg_processor_stats {
    uint32_t processor;
    uint32_t tasks_running;
    uint32_t tasks_ended;
    uint64_t in;
    uint64_t out;
    uint64_t rejected;
    uint64_t late;
    int64_t watermark;
    double rate_in; /* rows a second, lately, as rate_out: added up by the appmaster */
    double rate_out;
    struct msg_counter *counters;
    uint32_t counters_count;
    uint64_t bytes_in; /* of rows, as bytes_out */
    uint64_t bytes_out;
    uint64_t busy_ns;    /* sums over its tasks: of the time they ran, ... */
    uint64_t idle_ns;    /* ... had nothing to do, or the lane ran another, ... */
    uint64_t blocked_ns; /* ... waited for credit */
    uint64_t queue;      /* rows that wait now */
    uint64_t restarts;   /* sessions after the first of its tasks */
    char *processing;    /* histogram: ns a row */
    char *latency;       /* histogram: ns from the source to here */
    struct msg_task_metrics *slowest;
    uint32_t slowest_count;
};

/* One aggregate per edge and kind. */
struct msg_edge_stats {
    uint32_t edge;
    uint32_t kind; /* enum edge_kind */
    uint64_t messages;
    uint64_t bytes;
    double rate; /* messages a second, lately */
    uint64_t batches;
    uint64_t credit_waits; /* times a task stopped because nobody granted it credit for this edge */
};

/* Something happened to an application, and what was done. */
struct msg_app_event {
    int64_t time_ms; /* since 1970 */
    char *text;
    int64_t took_ms; /* until all was well again; -1: not yet */
};

/* Tasks that change executors while rows flow. */
struct msg_app_moves {
    uint32_t open;
    uint64_t done;
    uint64_t refused; /* they stay where they were */
};

/* What only the appmaster knows. */
struct msg_app_live {
    struct msg_range *placement;
    uint32_t placement_count;
    struct msg_executor_info *executors;
    uint32_t executors_count;
    struct msg_processor_stats *processors;
    uint32_t processors_count;
    struct msg_edge_stats *edges;
    uint32_t edges_count;
    struct msg_app_event *events; /* the latest, oldest first */
    uint32_t events_count;
    uint64_t lost;     /* messages that were in flight to or from what died */
    uint64_t in_doubt; /* messages sent to what died; whether they were consumed, nobody knows */
    bool is_lost_at_least; /* nobody is left who could count them all */
    uint32_t restarts;     /* that count against the budget just now */
    uint32_t restarts_max; /* the budget */
    int64_t restart_window_ms;
    struct msg_app_moves moves;
    char *last_error;
    char *guarantee;
};

struct msg_app_description {
    struct msg_app_summary app;
    struct value *plan; /* graph/plan.h decodes it; NULL before it is made */
    struct msg_executor_info appmaster;
    struct msg_app_live live;
};

/* Answered as soon as the version differs from the one seen, or after the timeout. */
struct msg_app_wait {
    char *app;
    uint64_t seen_version;
    uint32_t timeout_ms;
};

struct msg_app_change {
    struct msg_app_summary app;
    uint64_t version;
};

struct msg_artefact_offer {
    char *sha256;
    uint64_t size;
    char *request_id;
};

struct msg_artefact_place {
    bool have;       /* no need to send it */
    uint64_t upload; /* names this upload in chunks */
    uint64_t offset; /* from where to send */
};

struct msg_artefact_received {
    uint64_t received; /* bytes so far; equal to the size: complete and verified */
};

struct msg_artefact_get {
    char *sha256;
    uint64_t offset;
    uint32_t max;
    bool look;
};

struct msg_config {
    char *key;
    char *value;
};

struct msg_parallelism {
    char *processor;
    uint32_t count;
};

/* Where the tasks of a processor may be: see graph/place.h. */
struct msg_task_place {
    char *processor;
    char *place;
};

struct msg_app_submit {
    char *request_id; /* the same again gives the same application */
    char *name;       /* "": as the plugin is called */
    char *sha256;
    struct msg_config *config;
    uint32_t config_count;
    struct msg_parallelism *parallelism;
    uint32_t parallelism_count;
    uint32_t executors; /* 0: one per worker that has room */
    uint32_t priority;  /* enum app_priority */
    bool no_wait;       /* it fails when slots are short, instead of waiting for them */
    struct msg_task_place *places;
    uint32_t places_count;
};

struct msg_app_submitted {
    uint32_t id;
};

/* A worker that is to be left. */
struct msg_leave {
    uint32_t worker;
    bool force; /* tasks whose state cannot come along, too: they lose it */
};

/* Free slots of a worker. */
struct msg_worker_room {
    uint32_t worker;
    uint32_t free;
    char *name;
    char **labels;
    uint32_t labels_count;
};

/*
 * Moves tasks while rows flow: off the workers that are to be left, and with `spread` evenly over
 * all workers. What was said before of workers to be left no longer counts. Harmless twice: what is
 * under way goes on, and what could not go is tried again.
 */
struct msg_app_rebalance {
    char *app;               /* id or name */
    struct msg_leave *leave; /* the master fills it in: all that are draining */
    uint32_t leave_count;
    bool spread;
    bool force;                   /* the same as in leave, for all that is moved */
    char *reason;                 /* for people: "worker/3 is drained" */
    struct msg_worker_room *room; /* the master fills it in: all workers that take more */
    uint32_t room_count;
};

/* Tasks that stay where they are, though they should not. */
struct msg_move_refused {
    char *processor;
    uint32_t tasks;
    char *why;
};

/* Tasks on a worker that is to be left. */
struct msg_left_on {
    uint32_t worker;
    uint32_t tasks;
};

struct msg_app_rebalanced {
    uint32_t moving; /* tasks that will move, or are about to */
    struct msg_move_refused *refused;
    uint32_t refused_count;
    struct msg_left_on *left; /* one for each worker of `leave` where tasks are still */
    uint32_t left_count;
    bool is_settled; /* before this was asked: nothing was under way, and all was written down */
    char *text;      /* the same for people */
};

/* Drains a worker: by id, "worker/3", name or host:port. Harmless twice. */
struct msg_worker_drain {
    char *worker;
    bool undo;
    bool force;
    bool look; /* changes nothing: how far is it? */
};

/* An application that is not yet gone from a worker. */
struct msg_drain_app {
    uint32_t app;
    char *name;
    uint32_t tasks;  /* still there */
    uint32_t moving; /* of all its tasks, under way */
    bool appmaster;  /* is there, too */
    bool stays;      /* until something changes: there is no room, or its state would be lost */
    char *why;       /* what it waits for, or why it stays; "": it is on its way */
};

struct msg_worker_drained {
    uint32_t worker;
    char *name;
    uint32_t state; /* enum worker_state */
    uint32_t tasks; /* still there */
    bool force;
    struct msg_drain_app *apps;
    uint32_t apps_count;
};

struct msg_log_read {
    uint32_t app;
    uint32_t executor; /* 0: the appmaster */
    uint64_t offset;
    uint32_t max;
    uint32_t wait_ms; /* at the end: wait this long for more */
};

struct msg_log_text {
    char *text;
    uint64_t offset; /* of its first byte: later than asked when the log was cut */
    uint64_t end;    /* size of the log now */
    bool truncated;  /* older text is gone */
};

/* What a daemon was told, and by whom. */
struct msg_settings {
    struct value
        *settings; /* a list of objects: key, value, origin, default, kind, variable, doc */
};

extern const struct fields msg_empty_fields;
extern const struct fields msg_cluster_info_fields;
extern const struct fields msg_master_ref_fields;
extern const struct fields msg_worker_list_fields;
extern const struct fields msg_worker_info_fields;
extern const struct fields msg_worker_page_fields;
extern const struct fields msg_app_list_fields;
extern const struct fields msg_app_summary_fields;
extern const struct fields msg_app_page_fields;
extern const struct fields msg_app_ref_fields;
extern const struct fields msg_range_fields;
extern const struct fields msg_executor_info_fields;
extern const struct fields msg_processor_stats_fields;
extern const struct fields msg_edge_stats_fields;
extern const struct fields msg_app_event_fields;
extern const struct fields msg_app_live_fields;
extern const struct fields msg_app_description_fields;
extern const struct fields msg_app_wait_fields;
extern const struct fields msg_app_change_fields;
extern const struct fields msg_artefact_offer_fields;
extern const struct fields msg_artefact_place_fields;
extern const struct fields msg_artefact_received_fields;
extern const struct fields msg_artefact_get_fields;
extern const struct fields msg_config_fields;
extern const struct fields msg_task_place_fields;
extern const struct fields msg_worker_room_fields;
extern const struct fields msg_parallelism_fields;
extern const struct fields msg_app_submit_fields;
extern const struct fields msg_app_submitted_fields;
extern const struct fields msg_app_rebalance_fields;
extern const struct fields msg_app_rebalanced_fields;
extern const struct fields msg_worker_drain_fields;
extern const struct fields msg_worker_drained_fields;
extern const struct fields msg_log_read_fields;
extern const struct fields msg_log_text_fields;
extern const struct fields msg_settings_fields;

#endif
