/*
 * fault_plan.h: what goes wrong in a simulated cluster, and when: drawn from a seed, or given.
 *
 *     fault_plan_draw → cluster runs, fault_plan_step before each of its steps → fault_plan_end
 *
 * Each fault strikes at a drawn moment, that is between any two events, hits somebody who lives
 * then, and is healed a drawn time later. At most a minority of the masters loses bytes for good,
 * and the faults are as many as asked: so a cluster that keeps its promises reaches its goal once
 * all is healed. Meanwhile somebody keeps the daemons going, as a service manager does: whoever
 * ended by himself is started again.
 *
 * One thread, between steps.
 */
#ifndef SIM_FAULT_PLAN_H
#define SIM_FAULT_PLAN_H

#include "sim/cluster.h"

#define FAULTS_MAX 64u

/* X(name, group, weight): groups are what users ask for; weight: how often, beside the others. */
#define FAULT_KINDS(X)                                                                             \
    X(executor_killed, kill, 6)                                                                    \
    X(appmaster_killed, kill, 3)                                                                   \
    X(worker_killed, kill, 3)                                                                      \
    X(leader_killed, kill, 3)                                                                      \
    X(masters_killed, kill, 1) /* all of them */                                                   \
    X(process_paused, pause, 3)                                                                    \
    X(host_frozen, pause, 2)                                                                       \
    X(hosts_parted, partition, 3)                                                                  \
    X(host_alone, partition, 2) /* from all others */                                              \
    X(link_oneway, partition, 2)                                                                   \
    X(link_flapping, partition, 2)                                                                 \
    X(connections_reset, partition, 2)                                                             \
    X(power_cut, disk, 2) /* unsynced bytes are lost or torn */                                    \
    X(disk_full, disk, 2)                                                                          \
    X(disk_broken, disk, 1)                                                                        \
    X(disk_rotten, disk, 1)                                                                        \
    X(disk_slow, slow, 2)                                                                          \
    X(host_slow, slow, 2)                                                                          \
    X(network_slow, slow, 1)                                                                       \
    X(clock_set, clock, 1)                                                                         \
    X(executors_parted, partition, 2) /* from each other alone */

enum fault_kind {
#define FAULT_ENUM(name, group, weight) FAULT_##name,
    FAULT_KINDS(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_KIND_COUNT
};

_Static_assert(FAULT_KIND_COUNT <= 32, "sets of kinds are words");

struct fault {
    enum fault_kind kind;
    int64_t at_ns;    /* since the plan was drawn */
    int64_t lasts_ns; /* 0: nothing to heal */
    uint64_t choice;  /* of the victim */
    /* private */
    bool has_struck;
    bool is_over;
    int64_t struck_ns;
    struct sim_host *host; /* that was hit */
    struct sim_host *other;
    struct sim_proc *proc;
};

/* What happened, for people: "executor of worker w2 killed". */
typedef void (*fault_told_fn)(void *user, const struct fault *fault, const char *text);

struct fault_plan_options {
    uint32_t kinds;        /* bits of enum fault_kind; 0: none */
    uint32_t count;        /* at most FAULTS_MAX */
    int64_t span_ns;       /* moments are drawn within it */
    int64_t lasts_max_ns;  /* of each fault; at least 1 ms */
    fault_told_fn on_told; /* NULL: nobody listens */
    void *user;
};

struct fault_plan {
    /* read-only */
    struct fault faults[FAULTS_MAX];
    uint32_t count;
    uint64_t struck[FAULT_KIND_COUNT]; /* how often each kind hit somebody */
    /* private */
    struct fault_plan_options options;
    int64_t begin_ns;
    int64_t next_ns;  /* nothing is due before */
    int64_t watch_ns; /* when daemons are looked after */
    bool has_rotten_master;
};

const char *fault_name(enum fault_kind kind);

/* The kinds of a group ("kill", "pause", "partition", "disk", "slow", "clock", "all") or of one
 * name; 0: unknown. */
uint32_t fault_kinds_named(gp_str name);

/* Draws a plan that begins now. */
void fault_plan_draw(struct fault_plan *plan, const struct fault_plan_options *options,
                     const struct cluster *c, struct rng *rng);

/* Strikes and heals what is due. */
void fault_plan_step(struct fault_plan *plan, struct cluster *c);

/* Whether all faults have struck and are healed. */
bool fault_plan_is_over(const struct fault_plan *plan);

/* Heals all that is left, starts who is dead, and lets no more strike. */
void fault_plan_end(struct fault_plan *plan, struct cluster *c);

#endif
