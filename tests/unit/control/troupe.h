/*
 * troupe.h: a real appmaster among puppets, in a simulated world: a master that keeps what it is
 * given, workers that start what they are asked for, executors that do as they are told and note
 * it.
 *
 *     host 0   master at 10.0.0.1:3000
 *     host 1   appmaster (in later epochs too), below the worker of host 2
 *     host 2.. workers, numbered from 1, at 10.0.0.3:4000 ...
 *
 * The puppets themselves check what must always hold: an executor is started only when all others
 * know of its tasks, and no task is on two executors in the same session.
 */
#ifndef TESTS_CONTROL_TROUPE_H
#define TESTS_CONTROL_TROUPE_H

#include "actor/endpoint.h"
#include "control/appmaster/appmaster.h"
#include "sim/sim.h"

#define TROUPE_WORKERS   3u
#define TROUPE_EXECUTORS 64u /* in all of a test */
#define TROUPE_EPOCHS    8u
#define TROUPE_TASKS     6u /* of each of the two processors, `numbers` and `count` */

#define SECOND INT64_C(1000000000)
#define MS_NS  INT64_C(1000000)

struct troupe;

struct fake_executor {
    struct troupe *troupe;
    const struct port *port;
    struct sim_proc *proc;
    struct proc *child; /* the same, as its worker holds it */
    uint32_t id;
    uint32_t worker;
    uint32_t slots; /* that its worker keeps for it */
    struct endpoint *ep;
    struct peer *peer; /* its appmaster */
    char address[NET_ADDR_MAX];
    struct timer *timer;
    bool alive;
    bool refused;  /* when it came again */
    bool is_taken; /* an assignment was answered */
    bool started;
    uint64_t generation;
    uint64_t assigned; /* generation of its assignment */
    uint32_t epoch;
    uint32_t assigns;
    uint32_t updates;
    uint32_t states; /* that came with the latest news */
    uint32_t ended;
    uint64_t sessions[2][TROUPE_TASKS]; /* of its own tasks; 0: not its own */
    uint32_t values[2][TROUPE_TASKS];   /* what they keep; it comes along when they move */
    uint64_t stays[2][TROUPE_TASKS];    /* session that was to leave and said that it cannot */
    uint64_t brought[2][TROUPE_TASKS];  /* session for which a state came ahead of it, ... */
    uint32_t brought_values[2][TROUPE_TASKS]; /* ... and that */
    uint64_t left[2][TROUPE_TASKS]; /* session that has left and has no later one yet, as heard */
};

struct fake_worker {
    struct troupe *troupe;
    uint32_t id;
    const struct port *port;
    struct endpoint *ep;
    struct sim_proc *proc;
    struct peer *appmaster;
    uint32_t used; /* slots of grants */
    uint32_t launches;
    uint32_t kills;
};

struct troupe {
    /* Set before or between steps. */
    uint32_t slots;         /* of each worker; 0: 100 */
    uint32_t executors;     /* of the first grant; 0: one for each worker */
    uint32_t serving;       /* the first so many workers give slots; 0: all */
    bool deaf_to_update;    /* executors do not answer updates */
    uint32_t failing_opens; /* so many assignments are answered with an error */
    uint32_t restarts;      /* budget; 0: default */
    bool is_rigid;          /* `count` has no snapshot; before troupe_begin() */
    uint32_t refuse_to_go;  /* so many tasks say that they cannot leave */
    bool refuse_to_grow;    /* workers have no room for more of an executor */
    uint32_t state_chars;   /* what a task takes along is so long */
    bool deaf_to_leave;     /* executors do not say what became of tasks that were to leave */

    struct sim *sim;
    struct sim_host *hosts[2 + TROUPE_WORKERS];
    struct sim_proc *master_proc;
    struct sim_proc *appmaster_proc;
    struct endpoint *master;
    struct peer *appmaster_peer; /* as the master sees it */
    struct appmaster *appmaster;
    uint32_t epoch;                                  /* as the master says */
    struct launch_appmaster launches[TROUPE_EPOCHS]; /* [epoch] */
    char *masters[1];
    char worker_address[NET_ADDR_MAX];
    char appmaster_address[NET_ADDR_MAX];
    struct value *plan;
    struct value *placement;                    /* as kept */
    struct msg_restart drawn[MSG_RESTARTS_MAX]; /* from the budget */
    uint32_t drawn_count;
    struct fake_worker workers[TROUPE_WORKERS];
    struct fake_executor executors_of[TROUPE_EXECUTORS]; /* [id] */
    uint64_t puts;
    uint32_t requests;
    uint32_t refusals; /* of slots */
    uint32_t avoided;  /* workers that the latest request did not want */
    uint32_t released; /* slots */
    uint32_t state;    /* enum app_state */
    char error[2048];
    int32_t exit_code;        /* of the appmaster; -1: it lives */
    uint32_t recoverings;     /* times it told so */
    struct msg_app_live live; /* owned; of the end, or of troupe_describe() */
    bool described;
    struct msg_app_rebalanced said; /* owned; the latest answer to troupe_rebalance() */
    int said_code;                  /* 1: not yet */
    uint32_t next_value;
    uint64_t anew[2][TROUPE_TASKS]; /* session in which a task began with nothing */
    uint32_t fresh;                 /* tasks that began with nothing */
    uint32_t moved;                 /* tasks that came with what they kept */
    uint64_t owners[2][TROUPE_TASKS]
                   [TROUPE_EXECUTORS]; /* session in which an executor had a task */
};

void troupe_begin(struct troupe *t, uint64_t seed);
void troupe_end(struct troupe *t); /* checks that nothing leaked */

#define TROUPE_UNTIL(t, cond)                                                                      \
    do {                                                                                           \
        int64_t end_ns_ = sim_now_ns((t)->sim) + 120 * SECOND;                                     \
        while (!(cond) && sim_now_ns((t)->sim) < end_ns_ && sim_step((t)->sim)) {                  \
        }                                                                                          \
        GP_REQUIRE(cond);                                                                          \
    } while (0)

void troupe_run_ms(struct troupe *t, int64_t ms);

/* Begins the first or next epoch of the appmaster. */
void troupe_start_appmaster(struct troupe *t);

/* Every task runs on one living, started executor, all of which know the same. */
bool troupe_is_well(const struct troupe *t);
uint32_t troupe_living(const struct troupe *t);
/* The i-th living executor. */
struct fake_executor *troupe_executor(struct troupe *t, uint32_t i);
/* Into t->live. */
void troupe_describe(struct troupe *t);
/* The master tells the appmaster to move tasks: off that worker (0: none), or evenly. Waits. */
void troupe_rebalance(struct troupe *t, uint32_t leave, bool spread, bool force);
/* Slots that processes on a worker hold. */
uint32_t troupe_slots_on(const struct troupe *t, uint32_t worker);
/* Tasks on a worker. */
uint32_t troupe_tasks_on(const struct troupe *t, uint32_t worker);
/* The executor says that a task of it failed. */
void troupe_fail_task(struct fake_executor *e, uint32_t processor, uint32_t task, const char *text);
/* The executor says how many messages went over the edge since it began. */
void troupe_report(struct fake_executor *e, uint64_t messages);
/* The executor says where a source is (hexadecimal), or that it has ended. */
void troupe_tell_state(struct fake_executor *e, uint32_t processor, uint32_t task,
                       const char *state);
void troupe_tell_end(struct fake_executor *e, uint32_t processor, uint32_t task);
/* The executor says that it cannot reach these (NULL-terminated); NULL: it reaches all. */
void troupe_miss(struct fake_executor *e, const struct fake_executor *const *others);

#endif
