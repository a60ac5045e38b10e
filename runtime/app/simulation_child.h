/*
 * simulation_child.h: a simulation in a child process, so that user code which crashes, exits or does
 * not return is a finding and nothing else.
 *
 * Records come as they are written (simulation.h). The child's standard error is passed on line by
 * line, but for the last words of a crash (edge/crash.h), which name plugin, processor and function.
 * Its standard output goes to our standard error, for ours belongs to the results.
 *
 * A child whose simulation makes no step for STUCK_S of real time is inside user code that does not
 * return: it is made to crash there.
 */
#ifndef APP_SIMULATION_CHILD_H
#define APP_SIMULATION_CHILD_H

#include "app/simulation.h"
#include "control/worker/crash.h"

/* How the child ended. */
struct simulation_end {
    bool has_result; /* its last record was one */
    bool is_stuck;
    int exit_code; /* -1: a signal */
    int signal;
    struct crash crash; /* found: what its last words said */
};

/* One record; borrowed. */
typedef void (*simulation_record_fn)(void *user, const struct value *record);

/* Runs it and waits for its end. Negative: no child could be made. */
int simulation_child_run(struct simulation_options *options, simulation_record_fn fn, void *user,
                         struct simulation_end *ret, struct gp_error *err);

#endif
