/*
 * council.h: masters alone, on a simulated host each, and somebody who asks them.
 *
 * Master i is 10.0.0.<i+1>:3000.
 */
#ifndef TESTS_CONTROL_COUNCIL_H
#define TESTS_CONTROL_COUNCIL_H

#include "control/client/client.h"
#include "control/master/master.h"
#include "sim/sim.h"
#include "wire/messages.h"

#define COUNCIL_MAX 5u

struct council {
    struct sim *sim;
    struct sim_host *hosts[COUNCIL_MAX];
    struct sim_proc *procs[COUNCIL_MAX];
    struct master *masters[COUNCIL_MAX]; /* NULL: it does not run */
    char addresses[COUNCIL_MAX][32];
    struct sim_host *outside;
    struct sim_proc *person;
    struct client *client; /* knows all addresses */

    /* The latest answer. */
    bool is_answered;
    int code;
    struct gp_error err;
    struct msg_master_info infos[COUNCIL_MAX]; /* of cluster.info; without addresses */
    uint32_t infos_count;
    char cluster[65];
};

void council_begin(struct council *c, uint64_t seed);
void council_end(struct council *c); /* checks that nothing leaked */

/* Starts master i with a list of masters: "012" are the first three. */
void council_start(struct council *c, uint32_t i, const char *list);
void council_kill(struct council *c, uint32_t i);
/* As if it had got a new disk; it does not run. */
void council_wipe(struct council *c, uint32_t i);

/* Which leads; COUNCIL_MAX: none. */
uint32_t council_leader(const struct council *c);
/* Runs until one leads, and is asked by the client; fails the test after a minute. */
uint32_t council_await_leader(struct council *c);
void council_run_s(struct council *c, int64_t seconds);

/* Asks whoever leads to add or remove an address. */
int council_change(struct council *c, uint16_t type, const char *address);
/* Asks master i how the cluster is. */
int council_ask_info(struct council *c, uint32_t i);

#endif
