/*
 * town.h: small programs for simulated hosts, so that tests of the world have someone living there.
 *
 *     server           listens on 0.0.0.0:7000 and echoes; a lane beside it counts the bytes
 *     client HOST N    sends N bytes to HOST:7000, checks the echo, exits with 0; 2 when cut off
 *     parent ARGS...   spawns a child with these arguments and exits as it did
 *     idler            does nothing
 *     broken           cannot start
 */
#ifndef TESTS_SIM_TOWN_H
#define TESTS_SIM_TOWN_H

#include "base/buf.h"
#include "sim/sim.h"

struct town {
    struct sim *sim;
    struct sim_host *hosts[4]; /* 10.0.0.1 .. 10.0.0.4 */
    struct buf trace;          /* every line, if asked for */
    struct buf output;         /* of children, as their parents got it */
    uint32_t stopped;          /* programs freed */
    uint32_t signals;
};

/* Options with the programs of the town; tests may change them before town_begin(). */
struct sim_options town_options(struct town *town, uint64_t seed);
void town_begin(struct town *town, const struct sim_options *options);
void town_end(struct town *town); /* checks that nothing leaked */

/* "client 10.0.0.1 1000" on a host. */
struct sim_proc *town_spawn(struct town *town, int host, const char *command);

/* Runs until it has ended; its exit code, or minus its signal. */
int town_wait(struct town *town, struct sim_proc *proc);

#endif
