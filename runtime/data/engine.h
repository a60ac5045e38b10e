/*
 * engine.h: the lanes of one executor, from threads to the end of the job, seen from the control
 * thread.
 *
 *   engine_new ──on_ready──▶ engine_assign ──on_opened──▶ engine_start ──on_ended──▶
 *        engine_stop ──on_stopped──▶ engine_free
 *
 * on_failed may come at any time after assign, for each session of a task that fails; the others go
 * on, and engine_update() brings it its next session. engine_stop may be called at any time, once.
 * Callbacks come from the control thread's loop (port->loop), never from inside a call. Nothing
 * here is per message: lanes are told what to do by one word each, and answer with one.
 *
 * Thread: the control thread, which is no lane. Failures: what a task does wrong arrives in
 * on_failed, broken links are made again; the engine itself fails only for lack of memory, threads
 * or addresses.
 */
#ifndef DATA_ENGINE_H
#define DATA_ENGINE_H

#include <stdint.h>

#include "base/error.h"
#include "base/log.h"
#include "data/lane.h"
#include "data/lane_host.h"
#include "data/move.h"
#include "data/options.h"
#include "graph/placement.h"
#include "port/port.h"

struct engine;

struct engine_events {
    /* Every lane listens (engine_lane_addr), or err says why not. */
    void (*on_ready)(void *user, const struct gp_error *err);
    /* Every task is open; or, with failure, one did not open. */
    void (*on_opened)(void *user, const struct lane_failure *failure);
    /* The session of a task failed while running. The failure is borrowed until return. */
    void (*on_failed)(void *user, const struct lane_failure *failure);
    /* Every lane has taken the update of that generation. */
    void (*on_updated)(void *user, uint64_t generation);
    /* A lane answers engine_ask_news(). The news are borrowed until return,
     * save what was measured, which may be taken. */
    void (*on_news)(void *user, uint32_t lane, struct lane_news *news);
    /* A task that the placement has leaving has left, or stays; or one has come with its state.
     * Whose it is now: lane_moved_free(). */
    void (*on_moved)(void *user, struct lane_moved *moved);
    /* Every task has ended. */
    void (*on_ended)(void *user);
    /* ... but others have come since. */
    void (*on_resumed)(void *user);
    /* The threads are gone. */
    void (*on_stopped)(void *user);
};

struct engine_spec {
    const struct port *port;
    uint32_t lanes;
    const struct net_addr *tcp;             /* address to listen at, port 0; NULL: not */
    const char *unix_dir;                   /* folder for Unix sockets; NULL: none */
    uint32_t pinned;                        /* so many lanes, the first to ... */
    int32_t first_core;                     /* ... this one and so on; -1: none */
    const struct stream_identity *identity; /* who this executor is; copied */
    const char *host; /* where it is: lanes on one host talk over Unix sockets; copied */
    const struct log *log;
    const struct engine_events *events;
    void *user;
};

struct engine_lane_addr {
    struct net_addr tcp;
    struct net_addr unix_socket;
};

/* An executor of the application as it was announced; the own one may be among them. */
struct engine_sibling {
    uint32_t executor;
    const char *host;
    uint64_t incarnation;
    const struct engine_lane_addr *lanes;
    uint32_t lane_count;
};

/* What to run. Everything is borrowed until engine_free(), save what says otherwise. For an update
 * only what is borrowed until return is read. */
struct engine_job {
    uint64_t generation;
    uint64_t moves; /* the latest generation, up to this one, that moved tasks; 0: none did */
    const struct plan *plan;
    const struct placement *placement; /* until return, and so on to siblings; with sessions */
    const struct placement_host *hosts;
    uint32_t host_count;
    const struct engine_sibling *siblings;
    uint32_t sibling_count;
    const struct lane_state *states; /* what own tasks begin with; of a job until on_opened */
    uint32_t state_count;
    const struct lane_tasks *ended; /* not run again; of a job until on_opened */
    uint32_t ended_count;
    const struct data_options *options;
    const struct lane_processor *processors;          /* [processor] */
    const struct gp_partitioner *const *partitioners; /* [edge], or NULL */
    const struct gp_config *config;                   /* for partitioners */
};

int engine_new(const struct engine_spec *spec, struct engine **ret, struct gp_error *err);
int engine_assign(struct engine *e, const struct engine_job *job, struct gp_error *err);
void engine_start(struct engine *e);

/*
 * After assign: makes a new placement true, see lane_update.c. Own tasks whose session grew are
 * restarted; those that it has elsewhere are closed, those that it has here now are opened. Updates
 * are taken one after the other, each by all lanes; then on_updated. One that is not newer than all
 * before it is nothing. 0; GP_EINVAL, GP_EFULL (too many wait), GP_ENOMEM: nothing has changed.
 */
int engine_update(struct engine *e, const struct engine_job *job, struct gp_error *err);

/* Of the assignment or update that all lanes have; 0 before assign. */
uint64_t engine_generation(const struct engine *e);

/* The session of a task of the plan, and whether it is to leave, as of that. After assign. */
uint64_t engine_session(const struct engine *e, uint32_t processor, uint32_t task);
bool engine_is_leaving(const struct engine *e, uint32_t processor, uint32_t task);

/* Whether every task has ended, now: on_ended or on_resumed may be on their way. After assign. */
bool engine_has_ended(const struct engine *e);
void engine_stop(struct engine *e);
void engine_free(struct engine *e); /* after on_stopped; NULL is fine */

/* After on_ready: where lane i listens; empty text where it does not. */
void engine_lane_addr(const struct engine *e, uint32_t lane, struct net_addr *ret_tcp,
                      struct net_addr *ret_unix);

/* After on_opened: has each lane say how things stand, by on_news. */
void engine_ask_news(struct engine *e, enum lane_ask ask);

/* For reports: lane i, or NULL before assign. Read only its counters. */
const struct lane *engine_lane(const struct engine *e, uint32_t lane);
/* All it measured, once the engine has stopped. measures_free(); NULL: without tasks, or memory. */
struct lane_measures *engine_measures(const struct engine *e, uint32_t lane);
uint32_t engine_lane_count(const struct engine *e);

#endif
