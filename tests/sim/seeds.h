/*
 * seeds.h: a campaign: scenarios run in simulated clusters, seed by seed.
 *
 * A scenario is a function that leads one cluster from begin to end, draws what it does from the
 * seed, and says what was wrong. The campaign runs each seed twice and compares the traces, adds up
 * what happened, and prints the command that repeats a failure.
 */
#ifndef TESTS_SIM_SEEDS_H
#define TESTS_SIM_SEEDS_H

#include "coverage.h"
#include "realm.h"

/* One run of a scenario. */
struct run {
    uint64_t seed;
    const char *folder; /* a real one, empty at first */
    bool is_verbose;
    struct coverage *coverage;
    struct rng rng; /* for the choices of the scenario */
    /* what came of it */
    uint64_t trace_hash;
    uint64_t events;
    int64_t took_ns;
    char wrong[2048]; /* empty: nothing */
};

/* Parameters of a job, as cluster_job wants them. */
struct params {
    char texts[CLUSTER_PAIRS][320];
    const char *list[CLUSTER_PAIRS + 1];
    uint32_t count;
};

/* Notes what is wrong, unless something was before. Returns -1. */
int run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Begins a cluster of a shape drawn from the seed. 0 or -1. */
int run_begin(struct run *run, struct cluster *c);

/* Submits and waits for the end, which must be APP_FINISHED. 0 or -1. */
int run_job(struct run *run, struct cluster *c, const struct cluster_job *job);

/* What must hold after any job: no process, no slot, no memory is kept. Ends the cluster. 0 or
 * -1. */
int run_end(struct run *run, struct cluster *c);

void params_add(struct params *params, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Now and then, small windows, batches and slices, so that what is rare at the defaults happens. */
void params_add_data(struct params *params, struct rng *rng);

/* The scenarios. */
void wordcount_run(struct run *run);
void mixed_run(struct run *run);
void faults_run(struct run *run);
void restarts_run(struct run *run);
void chaos_run(struct run *run);
void moves_run(struct run *run);
void late_run(struct run *run);

#endif
