/*
 * moves.c: tasks move while rows flow, and nothing else happens: workers are drained and serve
 * again, applications are spread, at random moments. Nothing may be lost, doubled or out of order,
 * nothing restarts, and what a task keeps is there in the end. "late" is the same in a network that
 * now and then is slow, so that placements come before rows that were sent before them.
 */
#include <inttypes.h>
#include <stdio.h>

#include "invariants.h"
#include "seeds.h"

#define CHECK    1u /* numbers of processors in jobs/movable.c */
#define TALLY    3u
#define FEEDS    2u
#define ACTS_MAX 8u
#define PAUSE_US 200000u
#define SLOTS    40u /* of each worker: there is room anywhere */
#define END_MS   180000
#define LATE     0.005 /* of the segments: so few that what a master says passes what lanes say */

struct moves {
    struct run *run;
    struct invariants inv;
    uint64_t rows;
};

static void before_step(struct cluster *c, void *user)
{
    struct moves *m = user;

    invariants_step(&m->inv, c);
}

static bool may_be(int code)
{
    return code >= 0 || code == GP_EAGAIN || code == GP_ENOENT || code == GP_ESTATE;
}

static int drain(struct cluster *c, uint32_t worker, bool undo)
{
    char name[16];
    const struct msg_worker_drain msg = {.worker = name, .undo = undo};

    (void)snprintf(name, sizeof name, "w%u", worker);
    return cluster_drain(c, &msg);
}

static void act(struct moves *m, struct cluster *c)
{
    struct rng *rng = &m->run->rng;
    uint32_t worker = 1 + (uint32_t)rng_below(rng, c->worker_count);
    int code;

    switch (rng_below(rng, 4)) {
    case 0:
        code = cluster_rebalance(c, false);
        break;
    case 1:
        code = drain(c, worker, true);
        break;
    default:
        code = drain(c, worker, false);
        break;
    }
    if (!may_be(code)) {
        (void)run_fail(m->run, "an act was answered %d: %s", code, c->err.text);
    }
}

static int begin_job(struct moves *m, struct cluster *c)
{
    struct rng *rng = &m->run->rng;
    struct params parallelism = {0};
    struct params config = {0};
    const struct cluster_job job = {.plugin = GP_MOVABLE_JOB,
                                    .executors = (uint32_t)rng_below(rng, 4),
                                    .config = config.list,
                                    .parallelism = parallelism.list};
    uint32_t checks = 1 + (uint32_t)rng_below(rng, 6);
    int state;

    m->rows = 200 + rng_below(rng, 4000);
    params_add(&config, "rows=%u", (unsigned)m->rows);
    params_add(&config, "pause=%u",
               (unsigned)rng_below(rng, UINT64_C(4000) << 2 * rng_below(rng, 2)));
    params_add_data(&config, rng);
    params_add(&parallelism, "check=%u", checks);
    params_add(&parallelism, "pass=%u", checks);
    params_add(&parallelism, "tally=%u", 1 + (unsigned)rng_below(rng, 3));
    state = cluster_submit(c, &job);
    state = state < 0 ? state : cluster_wait_running(c);
    if (state != 0 && state != APP_FINISHED) { /* it may be over before that is heard */
        return run_fail(m->run, "the job does not run: %s %s", c->error, c->err.text);
    }
    return 0;
}

static void expect(struct moves *m, const struct cluster *c, uint32_t processor,
                   const char *counter, uint64_t expected)
{
    int64_t value = cluster_counter(c, processor, counter);

    if (value != (int64_t)expected && !(value < 0 && expected == 0)) {
        (void)run_fail(m->run, "%s of processor %u is %" PRId64 ", not %" PRIu64, counter,
                       processor, value, expected);
    }
}

static void check_end(struct moves *m, struct cluster *c)
{
    const struct msg_app_live *live;
    int state = cluster_wait_end(c, END_MS);

    if (state != APP_FINISHED) {
        (void)run_fail(m->run, "the job is %d: %s %s", state, c->error, c->err.text);
        return;
    }
    if (cluster_describe(c) < 0) {
        (void)run_fail(m->run, "describing failed: %s", c->err.text);
        return;
    }
    live = &c->described.live;
    expect(m, c, CHECK, "rows", FEEDS * m->rows);
    expect(m, c, CHECK, "wrong", 0);
    expect(m, c, TALLY, "kept", FEEDS * m->rows);
    if (live->lost > 0 || live->in_doubt > 0 || live->is_lost_at_least || live->restarts > 0) {
        (void)run_fail(m->run, "%" PRIu64 " rows were lost, %" PRIu64 " are in doubt, %u restarts",
                       live->lost, live->in_doubt, live->restarts);
    }
    if (live->moves.done > 0) {
        coverage_note(m->run->coverage, "moves.done");
    }
}

static void run_moves(struct run *run, double delayed)
{
    struct moves m = {.run = run};
    struct cluster c = {.before_step = before_step,
                        .step_user = &m,
                        .slots = SLOTS,
                        .faults = {.segment_delayed = delayed}};

    if (run_begin(run, &c) == 0 && begin_job(&m, &c) == 0) {
        for (uint32_t i = (uint32_t)rng_below(&run->rng, ACTS_MAX); i > 0; i--) {
            cluster_run_us(&c, (int64_t)rng_below(&run->rng, PAUSE_US >> rng_below(&run->rng, 6)));
            act(&m, &c);
        }
        check_end(&m, &c);
    }
    if (m.inv.wrong[0] != '\0') {
        run->wrong[0] = '\0'; /* the cause comes before what follows from it */
        (void)run_fail(run, "broken: %s", m.inv.wrong);
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}

void moves_run(struct run *run)
{
    run_moves(run, rng_below(&run->rng, 2) ? 0.05 : 0);
}

void late_run(struct run *run)
{
    run_moves(run, LATE);
}
