/*
 * desk.h: one simulated process with a disk and a clock, which the test itself drives.
 */
#ifndef TESTS_CONTROL_DESK_H
#define TESTS_CONTROL_DESK_H

#include "sim/sim.h"

struct desk {
    struct sim *sim;
    struct sim_host *host;
    struct sim_proc *proc;
    const struct port *port;
};

void desk_begin(struct desk *desk);
void desk_end(struct desk *desk);

/* Number of files below a folder. */
uint32_t desk_files(const struct desk *desk, const char *path);

#endif
