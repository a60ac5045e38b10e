/*
 * realm.h: a whole cluster in a simulated world: master, workers, the appmasters and executors
 * that they start, and a client whose hand the test leads. All of them are the real actors; only
 * the world is not.
 *
 *     host 0   master at 10.0.0.1:3000, and the client
 *     host i   worker w<i>, i = 1 .. REALM_WORKERS
 */
#ifndef TESTS_SIM_REALM_H
#define TESTS_SIM_REALM_H

#include "control/client/client.h"
#include "control/master/master.h"
#include "control/worker/worker.h"
#include "sim/sim.h"

#define REALM_WORKERS 3u
#define REALM_HOSTS   (REALM_WORKERS + 1)
#define REALM_SECRET  "open sesame"
#define REALM_MASTER  "10.0.0.1:3000"

#define SECOND INT64_C(1000000000)
#define MS_NS  INT64_C(1000000)

struct realm_program;

struct realm {
    struct sim *sim;
    struct sim_host *hosts[REALM_HOSTS];
    struct sim_proc *master_proc;
    struct sim_proc *worker_procs[REALM_WORKERS + 1]; /* from 1 */
    struct master *master;                            /* NULL while there is none */
    struct worker *workers[REALM_WORKERS + 1];
    struct client *client;
    struct realm_program *programs[256]; /* that were ever started */
    uint32_t program_count;
    uint32_t slots; /* of a worker */
    struct sim_faults faults;

    /* The latest answer to the client. */
    uint32_t answers;
    int code;
    struct gp_error err;
    uint32_t app;                   /* that was submitted */
    struct msg_app_summary summary; /* texts point into the two below */
    uint64_t version;
    char name[64];
    char error[2048];
    struct msg_app_live live;            /* owned; of the latest describe */
    struct msg_worker_page workers_page; /* owned */
};

/* Starts everything and waits until all workers are known. */
void realm_begin(struct realm *c, uint64_t seed);
void realm_end(struct realm *c); /* checks that nothing leaked */

/* Runs until the condition holds; 0 or GP_ETIMEOUT after limit_ms of simulated time. */
int realm_until(struct realm *c, bool (*done)(struct realm *c), int64_t limit_ms);
void realm_run_ms(struct realm *c, int64_t ms);

/* Kills the master and starts another on its disk; its memory is gone. */
void realm_restart_master(struct realm *c);

/* Submits jobs/chain.so with "key=value" pairs, NULL-terminated; executors 0: any. Its code; the
 * id is in c->app. */
int realm_submit(struct realm *c, uint32_t executors, const char *const *config);

/* Asks about c->app; the answer is in c->summary. */
int realm_wait_change(struct realm *c, int64_t timeout_ms);
/* Waits for the end of c->app, at most limit_ms; its state, or negative. */
int realm_wait_end(struct realm *c, int64_t limit_ms);
/* Waits until c->app runs; 0, or the state it ended in. */
int realm_wait_running(struct realm *c);
int realm_kill(struct realm *c);
int realm_describe(struct realm *c); /* into c->summary and c->live */
int realm_list_workers(struct realm *c);

/* The i-th living process of a role ("appmaster", "executor"); NULL beyond the last. */
struct sim_proc *realm_process(struct realm *c, const char *role, uint32_t i);

#endif
