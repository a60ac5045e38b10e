/*
 * A process stands still for half a minute, far longer than anybody waits for it, and wakes up in a
 * cluster that has gone on without it.
 */
#include "control/worker/internal.h"
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 8
#endif
#define FREEZE_US 30000000
#define SETTLE_US 15000000
#define HELD      (8 + 1) /* a slot for each task of the job and one for its appmaster */
#define SINK      2u      /* number of the processor in jobs/chain.c */
#define SOURCES   2
#define ROWS      500

static struct sim_proc *draw_executor(struct cluster *c)
{
    return cluster_process(c, "executor", (uint32_t)rng_below(&c->rng, CLUSTER_WORKERS));
}

static struct sim_proc *appmaster(struct cluster *c)
{
    return cluster_process(c, "appmaster", 0);
}

/* What it started goes on and sees nobody. */
static struct sim_proc *draw_worker(struct cluster *c)
{
    return c->workers[rng_below(&c->rng, CLUSTER_WORKERS)].proc;
}

static uint32_t slots_used(const struct cluster *c)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < c->worker_count; i++) {
        used += c->workers[i].worker ? c->workers[i].worker->ledger.used : 0;
    }
    return used;
}

static int64_t rows(struct cluster *c)
{
    GP_REQUIRE_EQ(cluster_describe(c), 0);
    return cluster_counter(c, SINK, "rows");
}

/* It is as if nothing had been. */
static void check_runs(struct cluster *c, uint64_t seed)
{
    int64_t before = rows(c);

    cluster_run_us(c, 1000000);
    if (rows(c) <= before || c->summary.state != APP_RUNNING) {
        GP_TEST_FAIL("seed %d: it is %d, and %d rows after %d", (int)seed, (int)c->summary.state,
                     (int)rows(c), (int)before);
    }
    if (slots_used(c) != HELD || cluster_process_count(c, "executor") != CLUSTER_WORKERS ||
        cluster_process_count(c, "appmaster") != 1) {
        GP_TEST_FAIL("seed %d: %u slots, %u executors, %u appmasters", (int)seed, slots_used(c),
                     cluster_process_count(c, "executor"), cluster_process_count(c, "appmaster"));
    }
}

static void check_next(struct cluster *c)
{
    static const char *const some[] = {"rows=500", NULL};
    const struct cluster_job next = {.plugin = GP_CHAIN_JOB, .config = some};

    GP_REQUIRE_EQ(cluster_submit(c, &next), 0);
    GP_CHECK_EQ(cluster_wait_end(c, 60000), APP_FINISHED);
    GP_CHECK_EQ(rows(c), SOURCES * ROWS);
    GP_CHECK_EQ(cluster_rest(c), 0);
}

static void freeze(struct sim_proc *(*draw)(struct cluster *c), bool whole_host)
{
    static const char *const endless[] = {"rows=0", "pause=30000", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_proc *proc;
        struct sim_host *host = NULL;

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        cluster_run_us(&c, (int64_t)rng_below(&c.rng, 1000000));
        proc = draw(&c);
        if (whole_host) {
            host = c.workers[rng_below(&c.rng, CLUSTER_WORKERS)].host;
            sim_freeze(host, false);
        } else {
            sim_pause(proc);
        }
        cluster_run_us(&c, FREEZE_US);
        GP_CHECK(rows(&c) > 0); /* the others go on */
        if (host) {
            sim_thaw(host);
        } else {
            sim_resume(proc);
        }
        cluster_run_us(&c, SETTLE_US);
        check_runs(&c, seed);
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_CHECK_EQ(cluster_rest(&c), 0);
        check_next(&c);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}

GP_TEST(freezes, of_an_executor_are_survived)
{
    freeze(draw_executor, false);
}

GP_TEST(freezes, of_an_appmaster_are_survived)
{
    freeze(appmaster, false);
}

GP_TEST(freezes, of_a_worker_are_survived)
{
    freeze(draw_worker, false);
}

GP_TEST(freezes, of_a_host_are_survived)
{
    freeze(draw_worker, true);
}

/* To those who stood still it looks as if all the others had fallen silent, and these say so of
 * them: they take nobody for dead, however long it was. */
static void freeze_the_lead(bool appmaster_too)
{
    static const char *const endless[] = {"rows=0", "pause=30000", NULL};
    static const int64_t freezes_us[] = {3000000, 4000000, 4600000, 8000000, FREEZE_US};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless};

    for (uint64_t seed = 0; seed < SEEDS * ARRAY_LEN(freezes_us); seed++) {
        struct cluster c = {.master_count = 1};

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        cluster_run_us(&c, (int64_t)rng_below(&c.rng, 1000000));
        sim_pause(c.masters[0].proc);
        if (appmaster_too) {
            sim_pause(appmaster(&c));
        }
        cluster_run_us(&c, freezes_us[seed % ARRAY_LEN(freezes_us)]);
        sim_resume(c.masters[0].proc);
        if (appmaster_too) {
            sim_resume(appmaster(&c));
        }
        cluster_run_us(&c, SETTLE_US);
        check_runs(&c, seed);
        if (c.described.live.restarts > 0) {
            GP_TEST_FAIL("seed %d: %u restarts", (int)seed, c.described.live.restarts);
        }
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}

GP_TEST(freezes, of_the_only_master_cost_nobody_his_life)
{
    freeze_the_lead(false);
}

GP_TEST(freezes, of_master_and_appmaster_cost_no_executor)
{
    freeze_the_lead(true);
}
