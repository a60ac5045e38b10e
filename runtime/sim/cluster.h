/*
 * cluster.h: a whole cluster in a simulated world: masters, workers, the appmasters and executors
 * that they start, and a client whose hand the caller leads. All of them are the real actors; only
 * the world is not.
 *
 *     10.0.0.1 ..   masters, one on each host, port 3000
 *     10.1.0.1 ..   workers w1, w2, ...: one on each host, or fewer hosts than workers
 *     10.2.0.1      the client
 *
 *     cluster_begin → cluster_submit → cluster_wait_end, cluster_describe, ... → cluster_end
 *
 * Nothing here judges: acts answer with a code, and whoever runs them says what should have come.
 * Every wait is bounded, in virtual time and in events. What happens to the cluster meanwhile is
 * the caller's, by the acts of sim.h on the hosts and processes below, or fault_plan.h's.
 *
 * Not simulated: the files that plugins open through libc. They are real.
 *
 * One thread. Lack of memory for the simulation itself is an assertion.
 */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "base/list.h"
#include "base/rng.h"
#include "control/client/client.h"
#include "control/master/master.h"
#include "control/worker/worker.h"
#include "sim/sim.h"

#define CLUSTER_MASTERS_MAX 5u
#define CLUSTER_WORKERS     3u /* when nothing is said */
#define CLUSTER_WORKERS_MAX 4000u
#define CLUSTER_PAIRS       64u /* parameters of a job, at most */
#define CLUSTER_SECRET      "open sesame"

struct node;
struct cluster;

/* What the cluster needs of the rooms that it may not know. */
struct cluster_hooks {
    const struct sim_plugin_loader *loader;
    int (*json_parse)(gp_str text, struct value **ret, struct gp_error *err);
    /* Appends a real file to buf. */
    int (*read_file)(const char *path, struct buf *buf, struct gp_error *err);
    /* Appmasters and executors, as app/node.h has them. */
    int (*node_start)(const struct port *port, const char *const *args,
                      void (*on_exit)(void *user, int32_t exit_code), void *user, struct node **ret,
                      struct gp_error *err);
    void (*node_stop)(struct node *node);
    void (*node_free)(struct node *node);
};

/* A master or a worker: its host and its present or last life. */
struct cluster_daemon {
    struct sim_host *host;
    struct sim_proc *proc; /* NULL: not begun yet */
    struct master *master; /* NULL while it does not live, or is none */
    struct worker *worker;
};

/* The texts of a submit that is under way. */
struct cluster_submission {
    char texts[2 * CLUSTER_PAIRS][512];
    struct msg_config config[CLUSTER_PAIRS];
    struct msg_parallelism parallelism[CLUSTER_PAIRS];
};

struct cluster {
    /* Set before cluster_begin(); zero is fine but for the hooks. */
    const struct cluster_hooks *hooks;
    uint32_t master_count;     /* 0: 1 */
    uint32_t worker_count;     /* 0: CLUSTER_WORKERS */
    uint32_t slots;            /* of a worker; 0: 20 */
    uint32_t lanes;            /* of each executor; 0: 2 */
    uint32_t snapshot_entries; /* as struct master_options, with the next one */
    bool is_balanced;
    bool is_varied; /* hosts, lanes and the order of beginning are drawn from the seed */
    struct sim_faults faults;
    const char *const *plugins; /* real files, NULL-terminated: what masters offer */
    void (*on_line)(void *line_ctx, gp_str line); /* of sim_options, with the next two */
    void *line_ctx;
    enum log_level log_level;
    int64_t time_max_ns;                            /* 0: 1200 s */
    uint64_t event_max;                             /* 0: 5 million */
    void (*on_note)(const struct crash_note *note); /* of sim_options */
    /* Between any two steps while something is waited for. NULL: nobody looks. */
    void (*before_step)(struct cluster *c, void *step_user);
    void *step_user;

    /* Read-only. */
    struct sim *sim;
    struct rng rng; /* for whoever leads the cluster */
    struct cluster_daemon masters[CLUSTER_MASTERS_MAX];
    struct cluster_daemon *workers;
    struct sim_host *client_host;
    struct sim_proc *client_proc;
    uint32_t worker_hosts; /* that workers are spread over */
    bool was_master_late;  /* some worker began before all of them */
    struct client *client;
    struct timer *client_clock;
    bool is_client_awake;
    struct list programs;             /* that live */
    void (*after)(struct cluster *c); /* of cluster_after(); NULL: none */
    int64_t after_ns;

    /* The latest answer to the client. */
    uint32_t answers;
    uint32_t awaited; /* the number of the answer that cluster_answer() waits for */
    int code;
    struct gp_error err;
    struct cluster_submission submission;
    uint32_t app;                   /* that was submitted */
    struct msg_app_summary summary; /* texts point into the two below */
    uint64_t version;
    char name[64];
    char error[2048];
    struct msg_app_description described; /* owned; the latest */
    struct msg_worker_page workers_page;  /* owned */
    uint32_t worker_state;                /* enum worker_state, of the latest drain */
};

/* What to submit. */
struct cluster_job {
    const char *plugin;                /* a real file */
    const char *name;                  /* NULL: as the plugin is called */
    uint32_t padding_bytes;            /* behind it, so that uploading takes longer */
    const struct msg_app_submit *spec; /* all of the rest, if it is set */
    uint32_t executors;                /* 0: any */
    const char *const *config;         /* "key=value", NULL-terminated; may be NULL */
    const char *const *parallelism;    /* "processor=N", the same */
    uint32_t priority;                 /* enum app_priority */
    bool no_wait;                      /* for slots */
};

/* ---- life (cluster.c) ---- */

/* Starts everything and waits until all workers are known. 0 or GP_ETIMEOUT; cluster_end() in any
 * case. */
int cluster_begin(struct cluster *c, uint64_t seed);

/* Has every process end in order, then frees all and zeroes c. How much was not given back, or
 * GP_ETIMEOUT when a process did not end. */
int cluster_end(struct cluster *c);

/* The same at once, in whatever state: every process is killed. */
void cluster_abort(struct cluster *c);

/* Runs until the condition holds; 0 or GP_ETIMEOUT after limit_ms of simulated time. */
int cluster_until(struct cluster *c, bool (*done)(struct cluster *c), int64_t limit_ms);
void cluster_run_us(struct cluster *c, int64_t us);
/* Too much has happened: nothing more will, time stands still, and asking again is in vain. */
bool cluster_is_spent(const struct cluster *c);

/* Has fn called that much later, whatever the cluster is waiting for then. One at a time. */
void cluster_after(struct cluster *c, int64_t us, void (*fn)(struct cluster *c));

/* Starts the daemon again on its disk, if it has ended. */
void cluster_start_master(struct cluster *c, uint32_t master);
void cluster_start_worker(struct cluster *c, uint32_t worker);
bool cluster_is_up(const struct cluster_daemon *daemon);

/* The master that leads, of those that live; CLUSTER_MASTERS_MAX: none does. */
uint32_t cluster_leader(const struct cluster *c);

/* Whether some master leads and knows all workers that live. */
bool cluster_is_whole(struct cluster *c);

/* Kills the leader and, some time later, starts another life on its disk. 0 or GP_ETIMEOUT. */
int cluster_restart_master(struct cluster *c, int64_t after_us);

/* The i-th living process of a role ("appmaster", "executor"); NULL beyond the last. */
struct sim_proc *cluster_process(const struct cluster *c, const char *role, uint32_t i);
/* What node_start() made of it. */
const struct node *cluster_node(const struct cluster *c, const char *role, uint32_t i);
uint32_t cluster_process_count(const struct cluster *c, const char *role);

/* Waits until no process of an application lives and every slot is free. 0; GP_ETIMEOUT: processes
 * are left; GP_ESTATE: slots are. */
int cluster_rest(struct cluster *c);

/* ---- the client (cluster_client.c) ---- */

/* Its code; the id is in c->app. */
int cluster_submit(struct cluster *c, const struct cluster_job *job);

/* The same in two parts: begin, and wait for the answer. */
void cluster_submit_begin(struct cluster *c, const struct cluster_job *job);
int cluster_answer(struct cluster *c);

/* Asks about c->app; the answer is in c->summary. */
int cluster_wait_change(struct cluster *c, int64_t timeout_ms);
/* Waits for the end of c->app, at most limit_ms; its state, or negative. */
int cluster_wait_end(struct cluster *c, int64_t limit_ms);
/* Waits until c->app runs; 0, or the state it ended in. */
int cluster_wait_running(struct cluster *c);
int cluster_kill(struct cluster *c);
int cluster_describe(struct cluster *c); /* into c->summary and c->described */
int cluster_list_workers(struct cluster *c);
int cluster_drain(struct cluster *c, const struct msg_worker_drain *msg); /* c->worker_state */
int cluster_rebalance(struct cluster *c, bool force);                     /* c->app */

/* Of the latest describe: what a processor, by its number in the plan, did; NULL: not known. */
const struct msg_processor_stats *cluster_stats(const struct cluster *c, uint32_t processor);
/* ... and a counter of its own; -1: it has none of that name. */
int64_t cluster_counter(const struct cluster *c, uint32_t processor, const char *name);

#endif
