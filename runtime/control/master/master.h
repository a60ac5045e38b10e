/*
 * master.h: the registry and scheduler of the cluster, as one actor.
 *
 * Clients submit and ask; workers register and offer slots; appmasters register, get slots, tell
 * how their application is. What must not be forgotten is in the registry (registry.h); the rest is
 * soft: workers and grants (workers.h), the places of appmasters, uploads, waiting clients.
 *
 * Happy path of an application: artefact.offer, artefact.chunk ..., app.submit -> a worker is
 * picked, grant.offer, appmaster.launch -> appmaster.register -> plugin.resolve, plan.put,
 * slots.request -> grant.offer to the workers -> the appmaster launches executors there ->
 * app.state running ... finished -> everything is given back.
 *
 * An appmaster that dies, or whose worker does, gets a next life, within a budget (places.c). An
 * application for which no worker has room waits.
 *
 * Every master is a member of a group that agrees on the registry (group.c), alone or as one of
 * several (links.c). One leads; the others answer GP_ENOTLEADER with its address. Without a leader
 * nothing new is accepted, and what runs runs on. DATA_DIR/raft is the member's disk.
 *
 * One loop, one thread. Everything through port.
 */
#ifndef CONTROL_MASTER_MASTER_H
#define CONTROL_MASTER_MASTER_H

#include "actor/endpoint.h"
#include "control/limits.h"
#include "control/settings.h"

struct master;
struct hist;
struct msg_app_metrics;

struct master_options {
    const struct port *port;    /* borrowed, outlives the master */
    const char *bind;           /* "host:port"; port 0: a free one */
    const char *advertise;      /* host for others; NULL: as bound */
    const char *const *masters; /* "host:port" of all, this one too; NULL: it is alone */
    uint32_t master_count;
    const char *listed_as;          /* this one in that list; NULL: as bound and advertised */
    const char *data_dir;           /* absolute; made when missing */
    gp_bytes secret;                /* key "cluster"; copied */
    const char *const *plugin_dirs; /* where plugins named in graphs are looked for */
    uint32_t plugin_dir_count;
    uint64_t upload_max;        /* bytes; 0: ARTEFACT_SIZE_MAX_BYTES */
    int64_t start_timeout_ns;   /* 0: START_TIMEOUT_NS */
    uint32_t restarts;          /* of an application in a window; 0: 10 */
    int64_t restarts_window_ns; /* 0: 60 s */
    size_t history_memory;      /* bytes of the past of applications; 0: none is kept */
    bool rebalance;             /* whenever a worker joins */
    uint32_t snapshot_entries;  /* of the log, after which it begins anew; 0: as consensus.h says */
    struct settings_source settings; /* for who asks; zeroed: nothing is told */
    struct endpoint_limits limits;
};

/* Listens from now on. Strings are copied. */
int master_new(const struct master_options *options, struct master **ret, struct gp_error *err);

/* Ends all connections; workers go on and look for another master. NULL is fine. */
void master_free(struct master *m);

/* Before an orderly end: gives the lead away, if it has it. Takes a second at most. */
void master_retire(struct master *m);
bool master_is_retired(const struct master *m);

/* Whether it leads, its registry is complete and clients can be served. */
bool master_leads(const struct master *m);

/* Whether it leads, or follows a leader and has applied all that it knows to be committed. */
bool master_is_ready(const struct master *m);

/* "host:port" that others reach it by. */
const char *master_address(const struct master *m);

/* What it knows of itself and, as the leader, of the cluster. */
struct master_figures {
    bool leads;
    uint64_t term;
    uint64_t last; /* log entries */
    uint64_t committed;
    uint64_t applied;
    uint64_t elections;       /* times it began to lead */
    const struct hist *apply; /* ns from proposed to applied, of its proposals; borrowed */
    uint32_t workers;
    uint32_t slots;
    uint32_t slots_used;
    uint64_t history_bytes;
    const struct endpoint_counts *counts; /* borrowed */
};
void master_figures(const struct master *m, struct master_figures *ret);

/* The latest app.metrics of the next application that runs, or ran a minute ago, by id, after that
 * one (0: the first); NULL: no more. Borrowed until anything happens. */
const struct msg_app_metrics *master_app_metrics(const struct master *m, uint32_t after);

/* Workers that are registered now. */
uint32_t master_worker_count(const struct master *m);

#endif
