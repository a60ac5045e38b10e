/*
 * internal.h: the appmaster's own state, shared by its files and by nobody else.
 *
 *   appmaster.c   the node and its drawing: which state follows which, and what each waits for
 *   planning.c    LOADING, BUILDING, RESOLVING, PLANNED: from a shared object to a plan
 *   recovery.c    STARTING, RUNNING, RECOVERING: from what is to what should be, step by step
 *   leader.c      what the master that leads is told
 *   launching.c   slots for executors, and their launch
 *   resizing.c    slots of processes, as tasks come and go
 *   assign.c      what executors are told: assignments and updates
 *   executors.c   executors: how they begin here, and how they are lost
 *   executors_*.c what they say (news), and how they end on our word (end)
 *   balance.c     what should move, slots for it, the end of it
 *   balance_*.c   who asks for that (app.rebalance), and what is said of it
 *   moving.c      moves: from planned to done, step by step
 *   rebalance*.c  what should move (pure)
 *   record.c ...  what should be (pure)
 *   stuck.c       calls of user code that do not return
 *   unreached.c   those that live and cannot reach each other
 *   cuts.c        which of them to give up (pure)
 *   stats.c       reports added up, for describe
 *   metrics.c     the same and more, for whoever watches
 *   words.c       sentences about what happened
 */
#ifndef CONTROL_APPMASTER_INTERNAL_H
#define CONTROL_APPMASTER_INTERNAL_H

#include <stdbool.h>

#include "base/log.h"
#include "control/appmaster/appmaster.h"
#include "control/appmaster/cuts.h"
#include "control/appmaster/metrics.h"
#include "control/appmaster/rebalance.h"
#include "control/appmaster/record.h"
#include "control/budget.h"
#include "graph/build.h"
#include "graph/plugin_load.h"

#define WORDS_MAX        1024u
#define FAILURE_NS       3000000000 /* silence that counts as death, by default */
#define FAILED_TASKS_MAX 256u       /* that wait for their restart at once */
#define STAY_MAX         256u       /* tasks of which it is known that they cannot move */
#define WISHES_MAX       16u        /* that are not answered yet */
#define GOAL_WORKERS_MAX 8u         /* that an event names */

enum am_state {
    AM_REGISTERING,
    AM_LOADING,
    AM_BUILDING,
    AM_RESOLVING,
    AM_PLANNED,
    AM_STARTING,
    AM_RECOVERING,
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

/* A worker that runs executors of ours. */
struct am_worker {
    uint32_t id; /* the latest at this address */
    char address[NET_ADDR_MAX];
    struct peer *peer; /* dialled for ever; freed with the endpoint */
};

/*
 * One executor: a process of the application.
 *
 *   LAUNCHING ─▶ REGISTERED ─▶ READY ─▶ RUNNING ─▶ DONE      any ─▶ GONE
 *
 * A broken connection alone does not make it GONE: for a moment (`timer`) it may come again, or its
 * worker may say how it ended. One that is GONE stays until its slots are given back and nobody
 * answers for it any more.
 */
struct am_executor {
    struct appmaster *am;
    uint32_t id; /* in am->record too, unless GONE */
    enum executor_state state;
    uint32_t worker;
    uint32_t slots;
    uint32_t held;    /* slots that its worker keeps for it, and ... */
    uint32_t resized; /* ... is asked to keep, while ... */
    bool is_resizing; /* ... that is not answered */
    char *worker_name;
    char *worker_address;
    char *host;
    struct am_worker *host_worker; /* NULL: not dialled yet */
    struct peer *peer;             /* itself; NULL: not there */
    int64_t pid;
    struct msg_executor_register info; /* owned, from REGISTERED on */
    struct msg_executor_report report; /* owned: the last one */
    struct timer
        *timer;        /* LAUNCHING: to come; without a peer: to come again; GONE: its worker's word
                          */
    uint64_t placed;   /* generation in which the others heard of it; 0: not yet */
    uint64_t assigned; /* generation of its assignment */
    uint64_t base;     /* it has, or will have come to that one before it hears more; 0: to none */
    uint64_t told;     /* latest generation that it was told, ... */
    uint64_t taken;    /* ... and that it says is true */
    uint64_t session;  /* the highest it was told of */
    uint32_t cut_looks; /* in how many, one after the other, another and it had lost each other */
    uint32_t asks;      /* open ones, whose answers come here */
    int64_t come_ns;    /* LAUNCHING, whose worker is reached: by then it is to register */
    bool is_asked;      /* to be launched */
    bool is_restored;   /* known from the record only, until it registers again */
    bool is_adopted;    /* its next report tells of what was before this epoch */
    bool is_settled;    /* GONE: its process has ended, or nobody can tell */
    bool is_released;   /* GONE: its slots are given back */
    bool is_retired;    /* GONE, because it has no tasks; the others are told so in ... */
    uint64_t retired;   /* ... that generation; 0: it was told to end */
    uint64_t done;      /* DONE: by that generation */
    const char *how;    /* GONE: "crashed", "lost" */
    bool stopped;       /* answered executor.stop, or needs not */
};

/* A task that failed and waits for its next session. */
struct am_failed_task {
    uint32_t processor;
    uint32_t task;
};

/* What an executor said of a task that was to leave it. */
struct am_moved {
    uint32_t processor;
    uint32_t task;
    uint64_t session;
    bool has_left;
    bool is_lost;     /* it has not, and is to go all the same, without its state */
    char *state;      /* owned; NULL: none */
    uint64_t brought; /* session for which it was told on its own; 0: it was not */
};

/* A task that was to move, and why it stays. */
struct am_stay {
    uint32_t processor;
    uint32_t task;
    char why[96];
};

/* Somebody asked for moves, and is answered when that is written down. */
struct am_wish {
    struct reply_token token;
    struct msg_app_rebalanced said; /* owned */
    uint64_t version;               /* of the record */
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
    struct timer *step_timer; /* something changed: see recovery_step() */

    struct msg_appmaster_welcome welcome;
    struct build *build;
    struct build_parallelism parallelism[MSG_PROCESSORS_MAX]; /* borrowed by build */
    struct plugin plugins[PLAN_PLUGINS_MAX];
    struct msg_plugin_resolved resolved[PLAN_PLUGINS_MAX];
    uint32_t plugin_count;   /* loaded */
    struct gp_error missing; /* plugins that could not be had, for the list of mistakes */
    struct plan *plan;

    struct record record; /* what should be */
    uint64_t record_sent; /* version that the master is asked to keep; 0: none under way */
    uint64_t record_kept; /* version that it keeps */
    struct timer *record_timer;
    struct timer *states_timer; /* states of sources are to be kept, ... */
    bool is_states_waiting;     /* it runs */
    bool is_states_due;         /* ... and now */
    int64_t states_ns;          /* when the master was given them last */

    struct am_executor **executors; /* that are, ascending by id */
    uint32_t executor_count;
    struct am_worker **workers;
    uint32_t worker_count;

    bool slots_asked;
    bool is_hold_due;   /* the master may grant us more than we hold, or know of */
    uint64_t shrunk;    /* version of the record since which we hold less */
    bool slots_waiting; /* slots_timer runs */
    uint32_t slots_for; /* the dead executor; 0: the first time, or ... */
    uint32_t slots_on;  /* ... for tasks that move to this worker; 0: not */
    uint32_t slots_refused;
    struct timer *slots_timer;

    struct timer *look_timer;
    bool is_looking;             /* it runs */
    struct shunned_list shunned; /* where others could not be reached from */

    struct budget budget;
    int64_t trouble_ns; /* when RECOVERING began */
    int64_t replace_ns; /* no replacement before that */
    struct gp_error first_reason;
    struct am_failed_task failed[FAILED_TASKS_MAX];
    uint32_t failed_count;
    struct timer *failed_timer;

    struct am_moved *moved; /* not placed yet, or not known to have come */
    uint32_t moved_count;
    struct am_stay stay[STAY_MAX];
    uint32_t stay_count;
    int64_t stay_ns; /* since when they are known */
    struct am_wish wishes[WISHES_MAX];
    uint32_t wish_count;
    uint32_t goal_plans; /* made for the goal */
    uint32_t goal_from[GOAL_WORKERS_MAX];
    uint32_t goal_to[GOAL_WORKERS_MAX]; /* workers; 0: no more */
    char refused_said[WORDS_MAX];       /* in the latest event about it */

    struct am_rate *edge_rates;       /* [plan edge] */
    struct msg_edge_stats *edge_past; /* [plan edge * EDGE_KINDS]: of executors that are gone */
    int64_t rated_ns;
    struct am_metrics *metrics; /* NULL: no plan yet */

    uint32_t end;            /* enum app_state it ends with */
    struct gp_error failure; /* code < 0: it failed */
    bool is_stale;           /* a later epoch has begun: nothing here counts any more */
    uint32_t telling;        /* states that the leader has not answered yet */
    bool report_lost;        /* its end could not be told in time, and is told again */
    bool stop_asked;
    struct reply_token stop_token;
};

static inline const struct log *am_log(const struct appmaster *am)
{
    return am->port->log;
}

static inline int64_t am_now_ns(const struct appmaster *am)
{
    return loop_now_ns(am->port->loop);
}

static inline int64_t am_wall_ms(const struct appmaster *am)
{
    return loop_wall_ns(am->port->loop) / 1000000;
}

static inline int64_t am_failure_ns(const struct appmaster *am)
{
    int64_t ns = am->options.limits.failure_timeout_ns;

    return ns > 0 ? ns : FAILURE_NS;
}

static inline uint32_t am_epoch(const struct appmaster *am)
{
    return am->options.launch->epoch;
}

/* ---- appmaster.c ---- */

/* Moves on; asserts that the drawing has this move. */
void am_move(struct appmaster *am, enum am_state state);
/* Ends it as failed; the first reason stays. Fine in any state. */
void am_fail(struct appmaster *am, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void am_fail_err(struct appmaster *am, const struct gp_error *err);
/* A later appmaster has taken over: ends this one, and touches nothing that is the other's. */
void am_stale(struct appmaster *am);
/* A dialled peer, one for each address, which is that of worker `id` now. NULL without memory. */
struct am_worker *am_worker_of(struct appmaster *am, uint32_t id, const char *address);

/* ---- leader.c ---- */

/* On a new connection to the master that leads. */
void leader_register(struct appmaster *am);
/* Tells it the state that the application is in now: recovering, running, or its end. */
void leader_tell(struct appmaster *am);

/* ---- planning.c: each is entered with its state; moves on or fails ---- */

void planning_load(struct appmaster *am);
void planning_put(struct appmaster *am);
/* The plan came with the welcome: nothing is built again. */
void planning_resume(struct appmaster *am);
void planning_deinit(struct appmaster *am);

/* ---- recovery.c ---- */

/* What is or what should be has changed: a step is taken soon. */
void recovery_changed(struct appmaster *am);
void recovery_step(void *user);                  /* of step_timer */
void recovery_put_again(void *user);             /* of record_timer */
void recovery_keep_states(struct appmaster *am); /* a source has said where it is */
void recovery_put_states(void *user);            /* of states_timer */
void recovery_restart_tasks(void *user);         /* of failed_timer */
/* Something died. Costs one restart (unless is_free), and says so; false: there were too many, and
 * the application has failed. */
bool recovery_trouble(struct appmaster *am, bool is_free, const char *text);
/* How long to wait before what was drawn last. */
int64_t recovery_pause_ns(const struct appmaster *am);
/* Goes on from the record of an earlier epoch. */
void recovery_resume(struct appmaster *am);

/* ---- stuck.c ---- */

/* What an executor reports of calls that do not return, before the report takes the place of the
 * one before. */
void stuck_reported(struct am_executor *e, const struct msg_executor_report *report);

/* Does what is to be done about one that lasts: it may lose the executor, and comes last. */
void stuck_act(struct am_executor *e);

/* The sentence about one that lasts now; false: there is none. */
bool stuck_now(const struct appmaster *am, char *text, size_t cap);

/* ---- unreached.c ---- */

/* An executor says whom it cannot reach. */
void unreached_reported(struct appmaster *am, const struct msg_executor_report *report);
void unreached_look(void *user); /* of look_timer */
/* Nothing is to begin on that worker now: what runs there may be cut off from others, or it is
 * itself from us. */
bool unreached_avoids(const struct appmaster *am, uint32_t worker);
/* All of these; ret has room for SHUNNED_MAX. How many. */
uint32_t unreached_avoid(const struct appmaster *am, struct msg_worker_ref *ret);

/* ---- launching.c ---- */

void launching_step(struct appmaster *am);
void launching_again(void *user); /* of slots_timer */
/* Starts the process of one that is LAUNCHING. */
void launching_start(struct am_executor *e);

/* Slots on one worker, for tasks that move there. */
void launching_request_on(struct appmaster *am, uint32_t worker, uint32_t slots);

/* ---- resizing.c ---- */

/* Tells workers what they do not know yet of the slots of processes. */
void resizing_step(struct appmaster *am);

/* ---- assign.c ---- */

/* Tells executors what they do not know yet, and starts those that may run. */
void assign_step(struct appmaster *am);

/* ---- executors.c ---- */

struct am_executor *executors_find(const struct appmaster *am, uint32_t id);
struct am_executor *executors_of_peer(const struct appmaster *am, const struct peer *peer);
/* One of the record gets its other half. NULL without memory. */
struct am_executor *executors_add(struct appmaster *am, const struct record_executor *from);
/* Forgets those that are GONE and settled. */
void executors_sweep(struct appmaster *am);
void executors_deinit(struct appmaster *am);
/* Has its worker end the process at once. */
void executors_kill(struct am_executor *e);
/* It is dead, or held to be: its process is made to end, its tasks wait for others. */
void executors_lost(struct am_executor *e, const char *how, const char *text);
/* The same by our own decision: is_free when another that was given up with it has paid. */
void executors_give_up(struct am_executor *e, bool is_free, const char *text);
void executors_exited(struct appmaster *am, const struct msg_process_exited *msg);
void executors_peer_down(struct appmaster *am, struct peer *peer, const struct gp_error *why);
/* A worker that is dialled does not come: what it ran is lost, if its host says that nobody is
 * there. */
void executors_unreachable(struct appmaster *am, const struct peer *peer,
                           const struct gp_error *why);

/* ---- executors_news.c: takes what it keeps of a message; the rest is the caller's to free ---- */

int executors_register(struct appmaster *am, struct peer *peer, struct msg_executor_register *msg,
                       struct reply_token token, struct gp_error *err);
void executors_report(struct appmaster *am, struct peer *peer, struct msg_executor_report *msg);
void executors_states(struct appmaster *am, struct peer *peer, struct msg_executor_states *msg);
void executors_failed(struct appmaster *am, struct peer *peer,
                      const struct msg_executor_failed *msg);
void executors_done(struct appmaster *am, struct peer *peer, const struct msg_executor_done *msg);

/* ---- executors_end.c ---- */

/* It has no tasks any more: the others hear of it first, then it ends. */
void executors_retire(struct am_executor *e);
void executors_end_retired(struct appmaster *am);
/* On entering STOPPING, and when that took too long; moves on to REPORTING when none is left. */
void executors_stop(struct appmaster *am);
void executors_stop_hard(struct appmaster *am);
/* Its process has ended, or no longer counts. */
void executors_stopped(struct am_executor *e);

/* ---- balance*.c ---- */

int balance_ask(struct appmaster *am, struct msg_app_rebalance *msg, struct reply_token token,
                struct gp_error *err);
/* Those are answered whose wish is written down. */
void balance_answer(struct appmaster *am);
/* The application ends: all the others are refused. */
void balance_refuse(struct appmaster *am);
/* While no task moves: plans the next moves, or the goal is reached. */
void balance_step(struct appmaster *am);
/* A request for slots on one worker failed, or took some. */
void balance_no_room(struct appmaster *am, uint32_t worker);
void balance_took_room(struct appmaster *am, uint32_t worker, uint32_t slots);
/* A move is done. */
void balance_note(struct appmaster *am, const struct record_move *m);
/* This task cannot move. */
void balance_stay(struct appmaster *am, uint32_t processor, uint32_t task, const char *why);
void balance_deinit(struct appmaster *am);

/* ---- moving.c ---- */

void moving_step(struct appmaster *am);
int moving_told(struct appmaster *am, struct peer *peer, struct msg_executor_moved *msg,
                struct reply_token token, struct gp_error *err);
/* It may hear of the latest generation: see moving.c. */
bool moving_may_tell(const struct am_executor *e);
/* What a task takes along to where it comes; NULL: none, or it does not come from elsewhere. */
struct am_moved *moving_state_of(const struct appmaster *am, uint32_t processor, uint32_t task);
/* This executor was given the tasks of one that died: what was to come there, and is still at hand,
 * comes to it. GP_ENOMEM. */
int moving_given(struct appmaster *am, const struct am_executor *e);
/* Tasks that are neither here nor there. */
bool moving_is_open(const struct appmaster *am);
void moving_deinit(struct appmaster *am);

/* ---- stats.c ---- */

/* What only the appmaster knows, now. fields_deinit(&msg_app_live_fields, ret) frees. GP_ENOMEM. */
int stats_live(struct appmaster *am, struct msg_app_live *ret);
/* Processors and edges alone, into a zeroed message; what was made stays in it on failure.
 * GP_ENOMEM. */
int stats_sums(struct appmaster *am, struct msg_app_metrics *ret);
/* Once a second. */
void stats_rate(struct appmaster *am);
/* The first report of an executor of an earlier epoch: what it counted so far is no growth. */
void stats_adopt(struct appmaster *am, const struct msg_executor_report *report);
/* The record as it is to be kept: with what was counted on edges by executors that are gone and,
 * once all is over, everything by all of them: the next epoch may find none. GP_ENOMEM. */
int stats_view(struct appmaster *am, struct record *ret);
void stats_view_deinit(const struct appmaster *am, struct record *view);
/* Takes back what an earlier epoch had counted on edges. */
void stats_resume(struct appmaster *am);
/* Keeps what an executor that is gone had counted. */
void stats_keep(struct appmaster *am, struct msg_executor_report *report); /* emptied */

/* ---- words.c ---- */

/* "executor 2 (pid 7 on worker w1)" */
void words_executor(const struct am_executor *e, char *text, size_t cap);
/* What these tasks lose by beginning anew: "task 2 of 'count' lost its state: it has no snapshot";
 * "" if nothing. Appends, as far as it fits. */
void words_loss(const struct appmaster *am, uint32_t processor, uint32_t first, uint32_t count,
                char *text, size_t cap);

#endif
