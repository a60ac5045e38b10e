/*
 * messages_appmaster.h: between an appmaster and the master; and what an executor asks that one
 * when it lost its appmaster.
 */
#ifndef WIRE_MESSAGES_APPMASTER_H
#define WIRE_MESSAGES_APPMASTER_H

#include "wire/messages_client.h"

struct msg_appmaster_register {
    uint32_t app;
    uint32_t epoch;
    char *address;
    int64_t pid;
};

#define MSG_RESTARTS_MAX 256u

/* A part of the application was restarted. */
struct msg_restart {
    int64_t time_ms; /* since 1970 */
};

/* All that an appmaster needs to begin, or to go on. */
struct msg_appmaster_welcome {
    char *name;
    char *sha256;
    struct msg_config *config;
    uint32_t config_count;
    struct msg_parallelism *parallelism;
    uint32_t parallelism_count;
    uint32_t executors;
    struct value *plan;      /* NULL until put */
    struct value *placement; /* the same */
    bool is_planned;         /* the epoch before did not end by itself, it was asked to go */
    /* The budget of restarts, and what was drawn from it, the oldest first. */
    uint32_t restarts_max;
    int64_t restart_window_ms;
    struct msg_restart *restarts;
    uint32_t restarts_count;
    struct msg_task_place *places;
    uint32_t places_count;
};

struct msg_plugin_resolve {
    char *name;
};

struct msg_plugin_resolved {
    char *name;
    char *version;
    char *sha256;
    uint64_t size;
};

struct msg_plan_put {
    uint32_t app;
    uint32_t epoch;
    struct value *plan;
};

/* Who runs what where, as the appmaster wrote it down: the master keeps it and does not look
 * inside. */
struct msg_placement_put {
    uint32_t app;
    uint32_t epoch;
    struct value *placement;
    struct msg_restart *restarts; /* drawn from the budget until then */
    uint32_t restarts_count;
};

struct msg_app_where {
    uint32_t app;
};

/* An application's appmaster; "": there is none now, ask again. GP_ENOENT: it is over. */
struct msg_app_whereabouts {
    char *address;
    uint32_t epoch;
};

struct msg_worker_ref {
    uint32_t worker;
};

/* Some of the slots of a request are of use on certain workers only. */
struct msg_slots_place {
    char *place; /* see graph/place.h */
    uint32_t slots;
};

struct msg_slots_request {
    uint32_t app;
    uint32_t epoch;
    uint32_t slots;
    uint32_t executors; /* 0: one per worker that has room */
    uint32_t worker;    /* all of them there; 0: anywhere */
    /* ... but not on these. */
    struct msg_worker_ref *avoid;
    uint32_t avoid_count;
    struct msg_slots_place *places; /* the rest of its slots may be anywhere */
    uint32_t places_count;
};

struct msg_grant {
    uint32_t worker;
    char *name;
    char *address;
    char *host;
    uint32_t cpus;
    uint32_t slots;
    char **labels; /* of the worker */
    uint32_t labels_count;
};

struct msg_slots_granted {
    struct msg_grant *grants;
    uint32_t grants_count;
};

/* All that executors have, or are about to have; what else was granted is given back. */
struct msg_slots_hold {
    uint32_t app;
    uint32_t epoch;
    struct msg_grant *grants; /* worker and slots count */
    uint32_t grants_count;
};

struct msg_app_state {
    uint32_t app;
    uint32_t epoch;
    uint32_t state; /* enum app_state */
    char *error;
    uint32_t executors;
    uint32_t tasks;
    struct msg_app_live live; /* at the end: the last there is to know */
};

extern const struct fields msg_restart_fields;
extern const struct fields msg_appmaster_register_fields;
extern const struct fields msg_appmaster_welcome_fields;
extern const struct fields msg_plugin_resolve_fields;
extern const struct fields msg_plugin_resolved_fields;
extern const struct fields msg_plan_put_fields;
extern const struct fields msg_placement_put_fields;
extern const struct fields msg_app_where_fields;
extern const struct fields msg_app_whereabouts_fields;
extern const struct fields msg_slots_request_fields;
extern const struct fields msg_slots_granted_fields;
extern const struct fields msg_slots_hold_fields;
extern const struct fields msg_app_state_fields;

#endif
