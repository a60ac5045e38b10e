/*
 * invariants.h: what must hold at every moment in every cluster, whatever goes wrong: looked up in
 * the states of its nodes, past all messages. Asked between any two steps; most of what it asks is
 * looked at now and then only, for it takes longer than a step.
 */
#ifndef TESTS_SIM_INVARIANTS_H
#define TESTS_SIM_INVARIANTS_H

#include "sim/cluster.h"

#define INVARIANTS_PROMISES  16u
#define INVARIANTS_TERMS     512u
#define INVARIANTS_EXECUTORS 256u

/* What a client was told, which must be true for ever. */
struct invariants_promise {
    uint32_t app;
    uint32_t state; /* an end: it has ended so; else: it is known */
};

struct invariants {
    /* read-only */
    char wrong[512]; /* empty: nothing; else the first that was */
    uint64_t looks;
    /* private */
    struct {
        uint64_t term;
        uint64_t leader; /* member */
    } leaders[INVARIANTS_TERMS];
    uint32_t leader_count;
    struct {
        uint32_t app;
        uint32_t executor;
        uint32_t epoch;
    } obeyed[INVARIANTS_EXECUTORS];
    uint32_t obeyed_count;
    uint64_t next_event;
    struct invariants_promise promises[INVARIANTS_PROMISES];
    uint32_t promise_count;
};

/* The cluster answered that this application is there, and maybe how it ended. */
void invariants_promise(struct invariants *inv, uint32_t app, uint32_t state);

/* The cluster is whole: whoever leads knows all that was ever answered. */
void invariants_check_promises(struct invariants *inv, const struct cluster *c);

/* Says on stderr whose the slots are, and who runs on them: for who wonders why nothing goes on. */
void invariants_explain(const struct cluster *c);

/* Looks if it is time to. */
void invariants_step(struct invariants *inv, const struct cluster *c);

/* Looks now. */
void invariants_check(struct invariants *inv, const struct cluster *c);

/* ---- for the parts of invariants.c ---- */

/* The first that was wrong stays. */
void invariants_broken(struct invariants *inv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct master;
void invariants_check_queue(struct invariants *inv, const struct master *m);
void invariants_check_tasks(struct invariants *inv, const struct cluster *c);
/* How much an executor knows of where all run; UINT64_MAX: its process does not live. */
uint64_t invariants_generation(const struct cluster *c, uint32_t app, uint32_t executor);

#endif
