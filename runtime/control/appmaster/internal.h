/*
 * internal.h: the appmaster's own state, shared by its files and by nobody else.
 *
 *   appmaster.c   the node and its drawing: which state follows which, and what each waits for
 *   planning.c    LOADING, BUILDING, RESOLVING, PLANNED: from a shared object to a plan
 *   executors.c   SLOTS, LAUNCHING, ASSIGNING, RUNNING, STOPPING: its processes
 *   stats.c       reports added up, for describe
 */
#ifndef CONTROL_APPMASTER_INTERNAL_H
#define CONTROL_APPMASTER_INTERNAL_H

#include <stdbool.h>

#include "base/log.h"
#include "control/appmaster/appmaster.h"
#include "graph/build.h"
#include "graph/placement.h"
#include "graph/plugin_load.h"

enum am_state {
    AM_REGISTERING,
    AM_LOADING,
    AM_BUILDING,
    AM_RESOLVING,
    AM_PLANNED,
    AM_SLOTS,
    AM_LAUNCHING,
    AM_ASSIGNING,
    AM_RUNNING,
    AM_STOPPING,
    AM_REPORTING,
    AM_ENDED,
};

enum executor_state {
    EXECUTOR_LAUNCHING,
    EXECUTOR_REGISTERED,
    EXECUTOR_READY, /* its tasks are open */
    EXECUTOR_RUNNING,
    EXECUTOR_DONE, /* its tasks have ended */
    EXECUTOR_GONE,
};

/* One executor: the one process of the application on one worker. */
struct am_executor {
    struct appmaster *am;
    uint32_t id; /* from 1; index + 1 */
    enum executor_state state;
    const struct msg_grant *grant;
    struct peer *worker; /* dialled */
    struct peer *peer;   /* itself; NULL: not there */
    int64_t pid;
    struct msg_executor_register info; /* owned, from REGISTERED on */
    struct msg_executor_report report; /* owned: the last one */
    bool stopped;                      /* answered executor.stop, or needs not */
    struct timer *exit_timer;          /* it was lost; its worker will say how */
};

/* A total and how fast it grows. */
struct am_rate {
    uint64_t total;
    double per_s;
};

struct appmaster {
    struct appmaster_options options;
    const struct port *port;
    struct endpoint *ep;
    char address[NET_ADDR_MAX];
    char key[32]; /* "app/7" */
    struct peer *master;
    struct peer *home; /* the worker below this process: fetches plugins */
    enum am_state state;
    struct timer *deadline;
    struct timer *done_timer;
    struct timer *rate_timer;

    struct msg_appmaster_welcome welcome;
    struct gp_host host;
    struct build *build;
    struct build_parallelism parallelism[MSG_PROCESSORS_MAX]; /* borrowed by build */
    struct plugin plugins[PLAN_PLUGINS_MAX];
    struct msg_plugin_resolved resolved[PLAN_PLUGINS_MAX];
    uint32_t plugin_count;   /* loaded */
    struct gp_error missing; /* plugins that could not be had, for the list of mistakes */
    struct plan *plan;
    struct placement placement;

    struct msg_slots_granted granted;
    struct am_executor *executors;
    uint32_t executor_count;
    struct am_rate *edge_rates; /* [plan edge] */
    int64_t rated_ns;

    uint32_t end;            /* enum app_state it ends with */
    struct gp_error failure; /* code < 0: it failed */
    bool stop_asked;
    struct reply_token stop_token;
};

static inline const struct log *am_log(const struct appmaster *am)
{
    return am->port->log;
}

/* ---- appmaster.c ---- */

/* Moves on; asserts that the drawing has this move. */
void am_move(struct appmaster *am, enum am_state state);
/* Ends it as failed; the first reason stays. Fine in any state. */
void am_fail(struct appmaster *am, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void am_fail_err(struct appmaster *am, const struct gp_error *err);

/* ---- planning.c: each is entered with its state; moves on or fails ---- */

void planning_load(struct appmaster *am);
void planning_put(struct appmaster *am);
void planning_deinit(struct appmaster *am);

/* ---- executors.c ---- */

void executors_request_slots(struct appmaster *am);
int executors_register(struct appmaster *am, struct peer *peer, struct msg_executor_register *msg,
                       struct reply_token token, struct gp_error *err);
void executors_report(struct appmaster *am, struct peer *peer, struct msg_executor_report *msg);
void executors_failed(struct appmaster *am, struct peer *peer,
                      const struct msg_executor_failed *msg);
void executors_done(struct appmaster *am, struct peer *peer);
void executors_exited(struct appmaster *am, const struct msg_process_exited *msg);
/* True when the peer was an executor or a worker of one. */
bool executors_peer_down(struct appmaster *am, struct peer *peer, const struct gp_error *why);
void executors_stop(struct appmaster *am);
void executors_stop_hard(struct appmaster *am);
void executors_deinit(struct appmaster *am);

/* ---- stats.c ---- */

/* What only the appmaster knows, now. fields_deinit(&msg_app_live_fields, ret) frees. GP_ENOMEM. */
int stats_live(struct appmaster *am, struct msg_app_live *ret);
/* Once a second. */
void stats_rate(struct appmaster *am);

#endif
