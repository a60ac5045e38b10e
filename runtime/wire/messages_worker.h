/*
 * messages_worker.h: between a worker and its master, and what an appmaster asks of a worker.
 */
#ifndef WIRE_MESSAGES_WORKER_H
#define WIRE_MESSAGES_WORKER_H

#include "wire/messages_client.h"
#include "wire/messages_metrics.h"

#define MSG_TOKEN_HEX 64u

/* Room that a worker keeps for an application since before its master lost sight of it. */
struct msg_kept_grant {
    uint32_t app;
    uint32_t epoch;
    uint32_t slots;
};

struct msg_worker_register {
    uint32_t id; /* that it had; 0: none yet */
    char *name;  /* given by the operator or made from host and port */
    char *address;
    char *host;
    int64_t pid;
    uint32_t cpus;
    uint32_t slots;
    char *version;
    struct msg_kept_grant *grants;
    uint32_t grants_count;
    char **labels; /* "zone=a" */
    uint32_t labels_count;
};

struct msg_worker_welcome {
    uint32_t id;
    uint64_t term; /* of this leader; older ones are refused */
    char *cluster;
    char **masters; /* all there are now; none: as it was told */
    uint32_t masters_count;
};

struct msg_process {
    uint32_t app;
    uint32_t executor; /* 0: the appmaster */
    uint32_t epoch;
    int64_t pid;
    uint32_t slots;
};

struct msg_worker_report {
    uint32_t slots_used;
    struct msg_process *executors;
    uint32_t executors_count;
    struct msg_vitals vitals;
    struct msg_load load; /* of its host */
};

struct msg_appmaster_launch {
    uint64_t term; /* of the leader that says so */
    uint32_t app;
    uint32_t epoch;
    char *name;
    char *sha256;
    char *token; /* 64 hex digits, key "app/N" */
    char **masters;
    uint32_t masters_count;
};

struct msg_launched {
    int64_t pid;
};

struct msg_process_ref {
    uint32_t app;
    uint32_t executor; /* 0: the appmaster */
    uint32_t epoch;
    bool at_once; /* without asking it to end first: nobody listens to it any more */
};

struct msg_process_exited {
    uint32_t app;
    uint32_t executor;
    uint32_t epoch;
    int64_t code;    /* -1 when a signal ended it */
    uint32_t signal; /* 0: none */
    char *crash;     /* "SIGSEGV in wordcount, count_process" */
};

/* Room on this worker for an application; the worker may refuse. */
struct msg_grant_offer {
    uint64_t term; /* of the leader that says so */
    uint32_t app;
    uint32_t epoch;
    char *token;
    uint32_t slots;
    char *sha256; /* of the application, to fetch it early */
    char **masters;
    uint32_t masters_count;
};

struct msg_grant_revoke {
    uint64_t term; /* of the leader that says so */
    uint32_t app;
    uint32_t epoch;
    uint32_t slots;
    bool is_all_due; /* what its processes need now is given back when they end */
};

struct msg_executor_launch {
    uint32_t app;
    uint32_t epoch;
    uint32_t executor;
    uint32_t slots;
    char *appmaster;                 /* where it listens */
    uint32_t lanes;                  /* 0: the worker's share of its host */
    uint32_t blocking;               /* lanes besides, for tasks whose calls may block */
    struct msg_plugin_file *plugins; /* fetched before the process starts */
    uint32_t plugins_count;
    char **masters; /* who say where the appmaster is, once it is lost */
    uint32_t masters_count;
};

/* Slots that the process of an executor holds from now on: tasks came to it, or left it. Refused
 * when the application has not so many more on this worker. */
struct msg_executor_resize {
    uint32_t app;
    uint32_t epoch;
    uint32_t executor;
    uint32_t slots;
};

/* Have this plugin in the worker's store, where its appmaster reads it. */
struct msg_plugin_fetch {
    char *sha256;
};

struct msg_plugin_file {
    char *name;
    char *sha256;
    char *path; /* on the executor's host; "" where it does not matter */
};

extern const struct fields msg_worker_register_fields;
extern const struct fields msg_worker_welcome_fields;
extern const struct fields msg_worker_report_fields;
extern const struct fields msg_appmaster_launch_fields;
extern const struct fields msg_launched_fields;
extern const struct fields msg_process_ref_fields;
extern const struct fields msg_process_exited_fields;
extern const struct fields msg_grant_offer_fields;
extern const struct fields msg_grant_revoke_fields;
extern const struct fields msg_executor_launch_fields;
extern const struct fields msg_executor_resize_fields;
extern const struct fields msg_plugin_fetch_fields;
extern const struct fields msg_plugin_file_fields;

#endif
