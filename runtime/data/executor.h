/*
 * executor.h: one process of an application, as an actor: it listens with its lanes, registers with
 * its appmaster, runs the tasks it is given, reports, and ends when it is told to or when its
 * appmaster is gone for good.
 *
 *     LISTENING ─▶ REGISTERING ─▶ WAITING ─▶ OPENING ─▶ OPEN ─▶ RUNNING ─▶ ENDED
 *         └─────────────┴────────────┴──────────┴────────┴─────────┴─────────┴──▶ STOPPING ─▶ STOPPED
 *
 *   LISTENING    lanes start and find their addresses
 *   REGISTERING  dials the appmaster and tells where the lanes listen
 *   WAITING      for executor.assign
 *   OPENING      plugins are loaded, every task is opened; then the assignment is answered
 *   OPEN         for executor.start
 *   RUNNING      reports; a failed task is told at once
 *   ENDED        every task has ended, and of those that have left all has come that they sent:
 *                executor.done was told; credit of others still flows. When that is so no more, as
 *                tasks come or leave, it is RUNNING again
 *
 * From WAITING on it may lose its appmaster and come back to it, or to the next (executor_find.c),
 * while its tasks run on. It obeys the highest epoch it has heard of, and takes executor.update
 * between OPENING and ENDED: what is to run changed.
 *
 *   STOPPING     lanes close what is left and end; then executor.stop is answered, if it was asked
 *
 * Fails when: lanes cannot listen, the appmaster is not there or refuses, a plugin does not load, a
 * task does not open. What has a text goes to the appmaster; then the process ends.
 *
 * Thread: the control thread, which is no lane: user code that hangs does not stop it.
 * Events logged: executor.registered, executor.assigned, executor.started, executor.task_failed,
 * executor.updated, executor.appmaster_lost, executor.appmaster_found, executor.ended,
 * executor.resumed, executor.move_unheard, executor.orphaned, executor.refused, executor.stopped;
 * task.stuck, task.returned.
 */
#ifndef DATA_EXECUTOR_H
#define DATA_EXECUTOR_H

#include "actor/endpoint.h"
#include "port/port.h"

struct executor;

#define EXECUTOR_EXIT_OK       0 /* stopped when asked */
#define EXECUTOR_EXIT_FAILED   1 /* could not begin */
#define EXECUTOR_EXIT_ORPHANED 3 /* its application goes on without it, or not at all */

struct executor_options {
    const struct port *port; /* borrowed, outlives the executor; texts below are copied */
    uint32_t app;
    uint32_t epoch;        /* it was launched in */
    uint32_t executor;     /* id, from 1 */
    uint32_t lanes;        /* 0: one for each cpu of the host */
    uint32_t blocking;     /* lanes besides, for tasks whose calls may block */
    uint32_t pinned;       /* core of the first of the others, from 1; 0: lanes are not bound */
    const char *token;     /* of the application */
    const char *appmaster; /* "host:port" */
    char *const *masters;  /* who say where the appmaster is, once it is lost; copied too */
    uint32_t master_count;
    const char *artefacts; /* folder of the store */
    const char *bind;      /* host to listen on */
    const char *advertise; /* host that others reach it by; "" or NULL: as bound */
    const char *host;      /* name of the host: same name, same host */
    const char *sockets;   /* folder for Unix sockets; "" or NULL: none */
    struct endpoint_limits limits;
    bool metrics;         /* samples what its lanes do, unless the application says otherwise */
    uint32_t sample_rate; /* one in so many; 0: 10 */
    int64_t orphan_timeout_ns; /* masters say that there is no appmaster: it ends; 0: 10 minutes */
    int64_t stuck_timeout_ns;  /* a call into user code that lasts longer is told; 0: none is */
    /* It is over: free it, not before this returns, and exit with this code. From the loop, once.
     */
    void (*on_done)(void *user, int32_t exit_code);
    void *user;
};

int executor_new(const struct executor_options *options, struct executor **ret,
                 struct gp_error *err);

/* As executor.stop: closes in order, then on_done. */
void executor_stop(struct executor *ex);

/* After on_done, or when a simulated process dies. NULL is fine. */
void executor_free(struct executor *ex);

#endif
