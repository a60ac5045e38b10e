/*
 * simulation.h: a user's job on a simulated cluster with faults: `gpctl simulate`.
 *
 * simulation_run() does it in the process it is called in, which the user's code may crash, or keep
 * for ever; so ctl_simulate.c calls it in a child. What happens is written down at once, one JSON
 * object a line, so that it is known however the child ends:
 *
 *     {"time_ns": 1203000000, "kind": "fault", "text": "10.1.0.2/1004:executor killed"}
 *     {"result": {"verdict": "finished", ...}}                                 the last one
 *
 * Kinds: "cluster" (it began, it is whole again), "job" (its states), "fault", "log" (what masters,
 * workers and appmasters say).
 */
#ifndef APP_SIMULATION_H
#define APP_SIMULATION_H

#include <stdatomic.h>
#include <stdio.h>

#include "app/job.h"

/* How many masters there can be, and are when nothing is said. */
#define SIMULATION_MASTERS_MAX 5u
#define SIMULATION_MASTERS     3u

struct simulation_options {
    const struct job *job;
    const char *path; /* of its file */
    uint64_t seed;
    uint32_t masters;
    uint32_t workers;
    uint32_t lanes;
    uint32_t slots;
    uint32_t faults; /* bits of enum fault_kind */
    uint32_t fault_count;
    int64_t duration_ns;
    bool is_verbose; /* every log line is a record */
};

/* How it came out; the names are those of the result. */
#define SIMULATION_VERDICTS(X)                                                                     \
    X(finished) /* the job has ended as it should */                                               \
    X(running)  /* it has no end, and runs although all that went wrong */                         \
    X(failed)   /* the job says so itself */                                                       \
    X(stalled)  /* it neither ends nor does anything, or nobody knows of it any more */            \
    X(refused)  /* it could not be submitted */                                                    \
    X(broken)   /* the cluster does not come up, or is not whole again when all is healed */

enum simulation_verdict {
#define SIMULATION_ENUM(name) SIMULATION_##name,
    SIMULATION_VERDICTS(SIMULATION_ENUM)
#undef SIMULATION_ENUM
};

/* Whether this verdict is a good one. */
bool simulation_is_good(enum simulation_verdict verdict);

/* Runs it to its end; the counter moves with every step. Lack of memory is an assertion. */
enum simulation_verdict simulation_run(const struct simulation_options *options, FILE *records,
                                       _Atomic uint64_t *counter);

#endif
