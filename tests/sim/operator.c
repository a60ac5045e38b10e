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

/* What is acknowledged must hold; what is not may have happened all the same. */
static int promised(struct operator* op, uint32_t worker, int code, enum operator_promise promise)
{
    if (worker < OPERATOR_WORKERS) {
        op->promises[worker] = code >= 0 ? promise : PROMISED_NOTHING;
    }
    return code;
}

static int act(struct operator* op, struct cluster *c)
{
    uint32_t worker = 1 + (uint32_t)rng_below(&op->rng, c->worker_count);
    bool force = rng_below(&op->rng, 4) == 0;

    switch (rng_below(&op->rng, 4)) {
    case 0:
        return promised(op, worker, drain(c, worker, (struct msg_worker_drain){.undo = true}),
                        PROMISED_SERVING);
    case 1:
        coverage_note(op->run->coverage, "operator.spread");
        return cluster_rebalance(c, force);
    default:
        coverage_note(op->run->coverage, "operator.drained");
        op->drained = worker;
        return promised(op, worker, drain(c, worker, (struct msg_worker_drain){.force = force}),
                        PROMISED_DRAINED);
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

/* Of one that nobody knows nothing is remembered. */
static bool is_kept(enum operator_promise promise, int code, uint32_t state)
{
    bool serves = code == GP_ENOENT || (code >= 0 && state == WORKER_SERVING);

    return (promise == PROMISED_SERVING) == serves && (code >= 0 || code == GP_ENOENT);
}

/* Asked until it holds: who answers first may not know yet that another leads. */
static int check_promise(struct operator* op, struct cluster *c, uint32_t worker)
{
    for (uint32_t i = 0; i < TRIES && op->promises[worker] != PROMISED_NOTHING; i++) {
        int code = insist(c, worker, (struct msg_worker_drain){.look = true});

        if (is_kept(op->promises[worker], code, c->worker_state)) {
            coverage_note(op->run->coverage, "operator.obeyed");
            return 0;
        }
        cluster_run_us(c, TRY_US);
    }
    return op->promises[worker] == PROMISED_NOTHING
               ? 0
               : run_fail(op->run, "worker w%u was to be %s, and is not", worker,
                          op->promises[worker] == PROMISED_DRAINED ? "drained" : "in service");
}

int operator_end(struct operator* op, struct cluster *c, bool has_room)
{
    for (uint32_t i = 1; i <= c->worker_count && i < OPERATOR_WORKERS; i++) {
        if (check_promise(op, c, i) < 0) {
            return -1;
        }
    }
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
