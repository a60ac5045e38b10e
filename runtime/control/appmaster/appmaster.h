/*
 * appmaster.h: what owns one application, as one actor: its plan, its processes, its end.
 *
 *     REGISTERING ─▶ LOADING ─▶ BUILDING ─▶ RESOLVING ─▶ PLANNED ─▶ STARTING ─▶ RUNNING ◀─▶ RECOVERING
 *          └──────── what an earlier epoch left ──────────────────────▶ STARTING or RECOVERING
 *     RUNNING or RECOVERING ─▶ STOPPING ─▶ REPORTING ─▶ ENDED
 *
 *     any state may move to STOPPING: a failure, app.stop, the deadline of the start; and to ENDED,
 *     when a later epoch has begun
 *
 *   REGISTERING  asks a master what it is to do
 *   LOADING      reads the application's shared object and compares its note with its symbol
 *   BUILDING     runs its build function
 *   RESOLVING    one by one: asks the master for a plugin that the graph names, has the worker
 *                fetch it, loads it
 *   PLANNED      gives the plan to the master, to be kept
 *   STARTING     asks for slots, has the workers start executors, tells all of them who runs what
 *   RUNNING      adds up reports; waits until all tasks have ended
 *   RECOVERING   something died: its tasks begin anew on another executor, the others go on
 *   STOPPING     asks executors to close their tasks and end, then makes them
 *   REPORTING    tells the master how it ended, with the last counts
 *
 * Fails when: the plugin cannot be loaded, the graph has mistakes, slots are short at the start, a
 * task does not open the first time, parts of it die more often than the budget allows; the text
 * that says so goes to the master. A master that is lost is looked for while the application goes
 * on. An appmaster that dies is followed by the next epoch, which gets plan and placement from the
 * master, builds nothing, and takes over the executors that live.
 *
 * One loop, one thread. User code runs here only in LOADING, BUILDING and RESOLVING.
 * Events logged: appmaster.registered, appmaster.state, appmaster.plan_made,
 * appmaster.executor_up, appmaster.executor_lost, appmaster.record_not_kept, appmaster.stale,
 * app.recovering, app.recovered, app.waits_for_slots, appmaster.failed, appmaster.ended.
 */
#ifndef CONTROL_APPMASTER_APPMASTER_H
#define CONTROL_APPMASTER_APPMASTER_H

#include "actor/endpoint.h"
#include "control/launch.h"
#include "control/limits.h"

struct appmaster;

/* What `gpd appmaster` exits with. */
#define APPMASTER_EXIT_OK     0 /* finished, or stopped when asked */
#define APPMASTER_EXIT_FAILED 1 /* the application failed; the master knows why */
#define APPMASTER_EXIT_STALE  4 /* a later one has taken over */

struct appmaster_options {
    const struct port *port;               /* borrowed, outlives the appmaster, as the next two */
    const struct launch_appmaster *launch; /* as its worker said */
    const char *token;                     /* of the application: port_env(LAUNCH_TOKEN_ENV) */
    int64_t start_timeout_ns;              /* 0: START_TIMEOUT_NS */
    int64_t stop_timeout_ns;               /* 0: half of STOP_TIMEOUT_NS */
    int64_t metrics_interval_ns;           /* 0: METRICS_INTERVAL_NS */
    int64_t stall_timeout_ns;              /* 0: METRICS_STALL_NS */
    bool replaces_stuck;                   /* executors in which a call does not return */
    struct endpoint_limits limits;
    /* It is over: free it, not before this returns, and exit with this code. From the loop, once.
     */
    void (*on_done)(void *user, int32_t exit_code);
    void *user;
};

/* Listens and looks for its master. */
int appmaster_new(const struct appmaster_options *options, struct appmaster **ret,
                  struct gp_error *err);

/* Ends all connections at once; executors see it and end. NULL is fine. */
void appmaster_free(struct appmaster *am);

/* As app.stop from the master: closes the application in order, then on_done. */
void appmaster_stop(struct appmaster *am);

#endif
