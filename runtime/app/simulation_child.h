/*
 * simulation_child.h: a simulation in a child process (edge/forked.h), so that user code which
 * crashes, exits or does not return is a finding and nothing else.
 *
 * Records come as they are written (simulation.h). What user code says on standard output or error
 * is passed on to our standard error, but for the last words of a crash (edge/crash.h), which name
 * plugin, processor and function.
 */
#ifndef APP_SIMULATION_CHILD_H
#define APP_SIMULATION_CHILD_H

#include "app/simulation.h"
#include "control/worker/crash.h"
#include "edge/forked.h"

/* How the child ended. */
struct simulation_end {
    struct edge_forked_end how;
    bool has_result;    /* its last record was one */
    struct crash crash; /* found: what its last words said */
};

/* One record; borrowed. */
typedef void (*simulation_record_fn)(void *user, const struct value *record);

/* Runs it and waits for its end. Negative: no child could be made. */
int simulation_child_run(const struct simulation_options *options, simulation_record_fn fn,
                         void *user, struct simulation_end *ret, struct gp_error *err);

#endif
