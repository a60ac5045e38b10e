/*
 * cluster.h: a whole cluster in one process: the real master, workers, appmasters, executors and
 * client on simulated hosts.
 *
 * What is not simulated: the files that the jobs' own plugins open. They are real, small and the
 * same in each run.
 */
#ifndef TESTS_SIM_CLUSTER_H
#define TESTS_SIM_CLUSTER_H

#include "sim/sim.h"
#include "wire/messages.h"

#define CLUSTER_WORKERS_MAX 8u
#define CLUSTER_CONFIG_MAX  16u

struct cluster_job {
    const char *plugin; /* path of the .so to submit */
    struct msg_config config[CLUSTER_CONFIG_MAX];
    uint32_t config_count;
    struct msg_parallelism parallelism[CLUSTER_CONFIG_MAX];
    uint32_t parallelism_count;
    uint32_t executors; /* 0: one per worker */
};

struct cluster_options {
    uint64_t seed;
    uint32_t workers;
    uint32_t lanes; /* of each executor; 0: drawn from the seed */
    const struct cluster_job *job;
    bool verbose; /* log lines to stderr */
};

struct cluster_result {
    uint32_t state; /* enum app_state */
    char error[MSG_ERROR_MAX];
    uint64_t trace_hash;
    uint64_t events;
    uint64_t leaks;
    int64_t took_ns; /* of virtual time */
};

struct cluster;

/*
 * Runs the job from submit to its end, then lets the cluster settle. 0; negative with err when the
 * run did not come to an end. The cluster stays for questions (cluster_sim) until cluster_free().
 */
int cluster_run(const struct cluster_options *options, struct cluster **ret,
                struct cluster_result *result, struct gp_error *err);
struct sim *cluster_sim(struct cluster *c);
void cluster_free(struct cluster *c);

#endif
