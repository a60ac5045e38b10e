/*
 * rig.h: a job made of test processors, run through the whole data plane in the real world or in
 * a simulated one.
 *
 * A job is a list of processors and edges. Sources emit numbered rows; sinks note what came, from
 * whom and in which order; what was noted is summed up when the tasks close. So a test says what
 * graph, what options, which world, and checks the sums.
 */
#ifndef TESTS_DATA_RIG_H
#define TESTS_DATA_RIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <gearpump/gearpump.h>

#include "data/engine.h"
#include "sim/sim.h"

#define RIG_PROCESSORS_MAX 8u
#define RIG_EDGES_MAX      12u
#define RIG_EXECUTORS_MAX  40u /* that ever lived */
#define RIG_LANES_MAX      4u

/* What one processor does and what was seen of it. Written by lanes, hence atomic. */
struct rig_processor {
    const char *name;
    const struct gp_processor *table;
    uint32_t parallelism;
    uint32_t flags;
    /* sources */
    uint64_t rows;          /* per task */
    uint32_t value_bytes;   /* at least 16 */
    uint32_t keys;          /* 0: not keyed */
    uint32_t rows_per_poll; /* 0: the budget */
    uint32_t large_every;   /* each so many rows one of large_bytes; 0: none */
    uint32_t large_bytes;
    uint64_t silent_after; /* rows; then GP_IDLE for ever. 0: never */
    bool with_watermarks;
    /* others */
    uint32_t consume_max; /* rows per call; 0: all */
    uint64_t stall_after; /* rows; then GP_AGAIN for ever. 0: never */
    uint64_t fail_after;  /* rows; 0: never */
    uint32_t copies;      /* rows emitted per row; 0 stands for 1 */
    void *user;           /* for tables of the test's own: their config->host is this struct */
    /* seen */
    _Atomic uint64_t seen;       /* rows */
    _Atomic uint64_t sum;        /* of row numbers */
    _Atomic uint64_t disordered; /* rows that came out of order */
    _Atomic uint64_t misrouted;  /* a key seen by two tasks, or bytes that are not right */
    _Atomic uint64_t late;
    _Atomic uint64_t ended; /* closed after a regular end */
    _Atomic uint64_t closed;
    _Atomic int64_t watermark_min; /* of tasks, when they closed */
    _Atomic uint64_t tasks_fed;    /* that saw at least one row */
    _Atomic uint64_t most;         /* rows of the task that saw most */
    _Atomic uint64_t watermarks;
    _Atomic uint64_t going_back;
};

struct rig_edge {
    uint32_t from;
    uint32_t to;
    uint32_t partitioner; /* enum plan_partitioner */
    uint32_t from_port;
    uint32_t to_port;
};

struct rig;

struct rig {
    /* set by the test */
    struct rig_processor processors[RIG_PROCESSORS_MAX];
    uint32_t processor_count;
    struct rig_edge edges[RIG_EDGES_MAX];
    uint32_t edge_count;
    uint32_t executors;                  /* 0: 1 */
    uint32_t lanes;                      /* of each; 0: 1 */
    uint32_t blocking;                   /* lanes besides, for tasks whose calls may block */
    bool sockets_lost;                   /* nobody answers at the Unix sockets */
    bool same_host;                      /* simulated: all executors on one */
    struct data_options options;         /* rig_begin() sets the defaults */
    const struct gp_partitioner *custom; /* for PLAN_CUSTOM edges */
    bool pin;
    void (*disturb)(struct rig *rig, void *world); /* called once all have started; may be NULL */
    char addresses[RIG_EXECUTORS_MAX][16];
    uint64_t seed;                             /* for the test's own use */
    struct sim_proc *procs[RIG_EXECUTORS_MAX]; /* simulated */
    int64_t patience_ns; /* simulated: ends the run, which is then no failure; 0: until the end */
    /* NULL, or what ends the running job although tasks are left: asked between events. */
    bool (*until)(struct rig *rig);
    /* NULL, or called when the job is over and before it is stopped. Simulated only. */
    void (*before_stop)(struct rig *rig);
    /* NULL, or told of each task that fails while running; then that is no end. */
    void (*on_failed)(struct rig *rig, const struct lane_failure *failure);
    void (*on_news)(struct rig *rig, const struct lane_news *news); /* may be NULL */
    void (*on_moved)(struct rig *rig, const struct lane_moved *moved);
    uint64_t moves; /* of the latest placement */
    void *mover;
    const struct lane_tasks *not_run; /* that ended in an earlier life */
    uint32_t not_run_count;
    void *user;

    /* what happened */
    struct lane_stats seen; /* sums over lanes */
    uint64_t batches_made;  /* sum over lanes: what pools hold at the end */
    uint32_t opened;
    uint32_t ended;
    uint32_t stopped;
    uint32_t failed;
    uint32_t updated;
    struct lane_failure failure;

    /* private */
    struct plan plan;
    struct plan_processor plan_processors[RIG_PROCESSORS_MAX];
    struct plan_edge plan_edges[RIG_EDGES_MAX];
    struct lane_processor code[RIG_PROCESSORS_MAX];
    struct gp_config configs[RIG_PROCESSORS_MAX];
    const struct gp_partitioner *partitioners[RIG_EDGES_MAX];
    struct placement placement;
    struct placement_host hosts[RIG_EXECUTORS_MAX];
    struct engine *engines[RIG_EXECUTORS_MAX];
    struct engine_lane_addr addrs[RIG_EXECUTORS_MAX][RIG_LANES_MAX];
    struct engine_sibling siblings[RIG_EXECUTORS_MAX];
    char folder[32];
    uint32_t ready;
    struct sim *sim;
    struct sim_host *sim_hosts[RIG_EXECUTORS_MAX];
};

extern const struct gp_processor rig_source;
extern const struct gp_processor rig_pass;
extern const struct gp_processor rig_sink;

/* An empty job with default options. */
void rig_begin(struct rig *rig);
uint32_t rig_add(struct rig *rig, const struct rig_processor *processor);
void rig_connect(struct rig *rig, uint32_t from, uint32_t to, uint32_t partitioner);

/* Runs the job until it has ended (or failed), in a simulated world. False: it did neither. */
bool rig_run_simulated(struct rig *rig, uint64_t seed);

/* The same with threads. */
bool rig_run_real(struct rig *rig);

/* Simulated, inside before_stop: lets every lane look at what lies in its rings, which a sleeping
 * one does not do for credit and batches that nobody waits for. */
void rig_wake_all(struct rig *rig);

/* Simulated: another executor, on a host of its own; its number. It is neither ready nor
 * assigned. */
uint32_t rig_add_executor(struct rig *rig);

/* After it is ready: notes where its lanes are. */
void rig_announce(struct rig *rig, uint32_t executor);

/* What an executor would be given now, as a change of generation `generation`. Borrows from rig. */
struct engine_job rig_job(const struct rig *rig, uint64_t generation);

/* A lane of an executor, both from 0. Its insides may be looked at in a simulated world only. */
struct lane *rig_lane(const struct rig *rig, uint32_t executor, uint32_t lane);

/* A number that who starts the test may say in its environment. */
uint64_t rig_from_env(const char *name, uint64_t fallback);

#endif
