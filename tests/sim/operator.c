/* operator.c: see operator.h. */
#include "operator.h"

#include <stdio.h>
#include <string.h>

#define ACTS_MAX  4u
#define PAUSE_US  2000000u
#define TRIES     240u
#define TRY_US    500000
#define OWN_DRAWS UINT64_C(0x6f70657261746f72)

void operator_begin(struct operator* op, struct run *run)
{
    *op = (struct operator){.run = run};
    rng_init(&op->rng, run->seed ^ OWN_DRAWS);
    op->acts = (uint32_t)rng_below(&op->rng, ACTS_MAX + 1);
}

static bool may_be(int code)
{
    return code >= 0 || code == GP_ENOENT || code == GP_EAGAIN || code == GP_ESTATE ||
           code == GP_ETIMEOUT || code == GP_ENOTLEADER || code == GP_EUNREACH ||
           code == GP_ECLOSED || code == GP_ECANCELED || code == GP_EIO || code == GP_ENOSPC ||
           code == GP_EINVAL; /* two of one name, until the one before is found dead */
}

static int drain(struct cluster *c, uint32_t worker, struct msg_worker_drain msg)
{
    char name[16];

    (void)snprintf(name, sizeof name, "w%u", worker);
    msg.worker = name;
    return cluster_drain(c, &msg);
}

static int act(struct operator* op, struct cluster *c)
{
    uint32_t worker = 1 + (uint32_t)rng_below(&op->rng, c->worker_count);
    bool force = rng_below(&op->rng, 4) == 0;

    switch (rng_below(&op->rng, 4)) {
    case 0:
        return drain(c, worker, (struct msg_worker_drain){.undo = true});
    case 1:
        coverage_note(op->run->coverage, "operator.spread");
        return cluster_rebalance(c, force);
    default:
        coverage_note(op->run->coverage, "operator.drained");
        op->drained = worker;
        return drain(c, worker, (struct msg_worker_drain){.force = force});
    }
}

void operator_live(struct operator* op, struct cluster *c)
{
    for (; op->acts > 0; op->acts--) {
        int code;

        cluster_run_us(c, (int64_t)rng_below(&op->rng, PAUSE_US));
        code = act(op, c);
        if (!may_be(code)) {
            (void)run_fail(op->run, "an operator was told %d: %s", code, c->err.text);
        }
    }
}

/* Until it is answered: masters may still be looking for their leader. */
static int insist(struct cluster *c, uint32_t worker, struct msg_worker_drain msg)
{
    int code = GP_EUNREACH;

    for (uint32_t i = 0; i < TRIES && code < 0 && code != GP_ENOENT; i++) {
        code = drain(c, worker, msg);
        if (code < 0) {
            cluster_run_us(c, TRY_US);
        }
    }
    return code;
}

static int await_drained(struct operator* op, struct cluster *c)
{
    for (uint32_t i = 0; i < TRIES; i++) {
        int code = insist(c, op->drained, (struct msg_worker_drain){.look = true});

        if (code == GP_ENOENT ||
            (code >= 0 && c->worker_state != WORKER_DRAINING && c->worker_state != WORKER_LOST)) {
            return 0; /* it may have been undone */
        }
        cluster_run_us(c, TRY_US);
    }
    return run_fail(op->run, "worker w%u is not drained", op->drained);
}

int operator_end(struct operator* op, struct cluster *c, bool has_room)
{
    /* He does not wait where others are drained, too: there may be no room left. */
    for (uint32_t i = 1; i <= c->worker_count; i++) {
        if (i != op->drained && insist(c, i, (struct msg_worker_drain){.undo = true}) < 0 &&
            c->err.code != GP_ENOENT) {
            return run_fail(op->run, "an undo was told: %s", c->err.text);
        }
    }
    if (op->drained != 0 && has_room && await_drained(op, c) < 0) {
        return -1;
    }
    if (op->drained != 0 && insist(c, op->drained, (struct msg_worker_drain){.undo = true}) < 0 &&
        c->err.code != GP_ENOENT) {
        return run_fail(op->run, "the last undo was told: %s", c->err.text);
    }
    return 0;
}
