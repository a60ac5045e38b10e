/*
 * realm.h: a whole cluster in a simulated world: master, workers, the appmasters and executors
 * that they start, and a client whose hand the test leads. All of them are the real actors; only
 * the world is not.
 *
 *     host 0      master at 10.0.0.1:3000
 *     host 1..3   workers w1, w2, w3: one on each, or fewer hosts than workers
 *     host 4      the client
 *
 * Nothing here checks: acts answer with a code, and whoever runs them says what should have come.
 * Every wait is bounded, in virtual time and in events.
 *
 * Not simulated: the files that plugins open through libc. They are real.
 */
#ifndef TESTS_SIM_REALM_H
#define TESTS_SIM_REALM_H

#include "base/rng.h"
#include "control/client/client.h"
#include "control/master/master.h"
#include "control/worker/worker.h"
#include "sim/sim.h"

#define REALM_WORKERS  3u
#define REALM_HOSTS    (REALM_WORKERS + 2)
#define REALM_PROGRAMS 64u
#define REALM_PAIRS    16u /* parameters of a job, at most */
#define REALM_SECRET   "open sesame"
#define REALM_MASTER   "10.0.0.1:3000"

#define SECOND INT64_C(1000000000)
#define MS_NS  INT64_C(1000000)

struct realm_program;

/* The texts of a submit that is under way. */
struct realm_submission {
    char texts[2 * REALM_PAIRS][320];
    struct msg_config config[REALM_PAIRS];
    struct msg_parallelism parallelism[REALM_PAIRS];
};

struct realm {
    /* Set before realm_begin(); zero is fine. */
    uint32_t slots; /* of a worker; 0: 20 */
    bool is_varied; /* hosts, lanes and the order of beginning are drawn from the seed */
    bool is_verbose;
    struct sim_faults faults;

    /* Read-only. */
    struct sim *sim;
    struct rng rng; /* for whoever leads the realm */
    struct sim_host *hosts[REALM_HOSTS];
    uint32_t worker_hosts; /* that workers are spread over */
    uint32_t lanes;        /* of each executor */
    bool was_master_late;  /* some worker began before it */
    struct sim_proc *master_proc;
    struct sim_proc *worker_procs[REALM_WORKERS + 1]; /* from 1 */
    struct sim_proc *client_proc;
    struct master *master; /* NULL while there is none */
    struct worker *workers[REALM_WORKERS + 1];
    struct client *client;
    struct timer *client_clock;
    bool is_client_awake;
    struct realm_program *programs[REALM_PROGRAMS]; /* that live */
    void (*after)(struct realm *c);                 /* of realm_after(); NULL: none */
    int64_t after_ns;

    /* The latest answer to the client. */
    uint32_t answers;
    uint32_t awaited; /* the number of the answer that realm_answer() waits for */
    int code;
    struct gp_error err;
    struct realm_submission submission;
    uint32_t app;                   /* that was submitted */
    struct msg_app_summary summary; /* texts point into the two below */
    uint64_t version;
    char name[64];
    char error[2048];
    struct msg_app_live live;            /* owned; of the latest describe */
    struct msg_worker_page workers_page; /* owned */
};

/* What to submit. */
struct realm_job {
    const char *plugin;             /* a real file */
    uint32_t padding_bytes;         /* behind it, so that uploading takes longer */
    uint32_t executors;             /* 0: any */
    const char *const *config;      /* "key=value", NULL-terminated; may be NULL */
    const char *const *parallelism; /* "processor=N", the same */
};

/* ---- life (realm.c) ---- */

/* Starts everything and waits until all workers are known. 0 or GP_ETIMEOUT; realm_end() in any
 * case. */
int realm_begin(struct realm *c, uint64_t seed);

/* Has every process end in order, then frees all and zeroes c. How much was not given back, or
 * GP_ETIMEOUT when a process did not end. */
int realm_end(struct realm *c);

/* Runs until the condition holds; 0 or GP_ETIMEOUT after limit_ms of simulated time. */
int realm_until(struct realm *c, bool (*done)(struct realm *c), int64_t limit_ms);
void realm_run_us(struct realm *c, int64_t us);

/* Has fn called that much later, whatever the realm is waiting for then. One at a time. */
void realm_after(struct realm *c, int64_t us, void (*fn)(struct realm *c));

/* Kills the master and, some time later, starts another on its disk; its memory is gone. 0 or
 * GP_ETIMEOUT. */
int realm_restart_master(struct realm *c, int64_t after_us);

/* The i-th living process of a role ("appmaster", "executor"); NULL beyond the last. */
struct sim_proc *realm_process(struct realm *c, const char *role, uint32_t i);

/* Waits until no process of an application lives and every slot is free. 0; GP_ETIMEOUT: processes
 * are left; GP_ESTATE: slots are. */
int realm_rest(struct realm *c);

/* ---- the client (realm_client.c) ---- */

/* Its code; the id is in c->app. */
int realm_submit(struct realm *c, const struct realm_job *job);

/* The same in two parts: begin, and wait for the answer. */
void realm_submit_begin(struct realm *c, const struct realm_job *job);
int realm_answer(struct realm *c);

/* Asks about c->app; the answer is in c->summary. */
int realm_wait_change(struct realm *c, int64_t timeout_ms);
/* Waits for the end of c->app, at most limit_ms; its state, or negative. */
int realm_wait_end(struct realm *c, int64_t limit_ms);
/* Waits until c->app runs; 0, or the state it ended in. */
int realm_wait_running(struct realm *c);
int realm_kill(struct realm *c);
int realm_describe(struct realm *c); /* into c->summary and c->live */
int realm_list_workers(struct realm *c);

/* Of the latest describe: what a processor, by its number in the plan, did; NULL: not known. */
const struct msg_processor_stats *realm_stats(const struct realm *c, uint32_t processor);
/* ... and a counter of its own; -1: it has none of that name. */
int64_t realm_counter(const struct realm *c, uint32_t processor, const char *name);

/* ---- between the two files ---- */

int realm_read_file(const char *path, struct buf *ret); /* a real one: 0 or GP_ENOENT */

#endif
