/*
 * operator.h: somebody who drains workers and spreads tasks while all goes wrong, and does not care
 * how it is. What he draws is his own: runs without him are as they would be.
 */
#ifndef TESTS_SIM_OPERATOR_H
#define TESTS_SIM_OPERATOR_H

#include "seeds.h"

#define OPERATOR_WORKERS 8u /* that promises are remembered of */

enum operator_promise { PROMISED_NOTHING, PROMISED_SERVING, PROMISED_DRAINED };

struct operator
{
    struct run *run;
    struct rng rng;
    uint32_t acts;    /* that are left */
    uint32_t drained; /* number of the last worker, from 1; 0: none */
    enum operator_promise promises[OPERATOR_WORKERS]; /* by number: what was acknowledged last */
};

void operator_begin(struct operator* op, struct run *run);

/* Some acts, with random pauses. The codes that a cluster in trouble gives are fine. */
void operator_live(struct operator* op, struct cluster *c);

/*
 * The cluster is healed: what was acknowledged holds, what is drained comes to be empty, if there
 * is room for it elsewhere; in the end all workers take tasks again. 0 or -1: the run has failed.
 */
int operator_end(struct operator* op, struct cluster *c, bool has_room);

#endif
