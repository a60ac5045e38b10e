/*
 * Slots in a simulated cluster: an application holds what its executors and its appmaster need, and
 * nothing more, whatever was lost on the way.
 */
#include "control/worker/internal.h"
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 30
#endif
#define HELD (8 + 1) /* a slot for each task of the job and one for its appmaster */

static const char *const endless[] = {"rows=0", "pause=30000", NULL};
static const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless};

static uint32_t slots_used(const struct cluster *c)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < c->worker_count; i++) {
        used += c->workers[i].worker ? c->workers[i].worker->ledger.used : 0;
    }
    return used;
}

static void begin(struct cluster *c, uint64_t seed)
{
    GP_REQUIRE_EQ(realm_begin(c, seed, false), 0);
    GP_REQUIRE_EQ(cluster_submit(c, &job), 0);
    GP_REQUIRE_EQ(cluster_wait_running(c), 0);
    GP_REQUIRE_EQ(slots_used(c), HELD);
}

/* Once it runs again. */
static void check(struct cluster *c, uint64_t seed)
{
    cluster_run_us(c, 12000000);
    GP_REQUIRE_EQ(cluster_describe(c), 0);
    GP_CHECK_EQ(c->summary.state, APP_RUNNING);
    if (slots_used(c) != HELD) {
        GP_TEST_FAIL("seed %d: %u slots are held", (int)seed, slots_used(c));
    }
    GP_CHECK_EQ(cluster_kill(c), 0);
    GP_CHECK_EQ(cluster_rest(c), 0);
    GP_CHECK_EQ(cluster_end(c), 0);
}

static void kill_executor(struct cluster *c)
{
    sim_kill(cluster_process(c, "executor", (uint32_t)rng_below(&c->rng, CLUSTER_WORKERS)));
}

/* The answer to a request of slots may be lost with the connection, wherever it is then. */
GP_TEST(slots, of_a_request_without_an_answer_are_given_back)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        kill_executor(&c);
        cluster_run_us(&c, (int64_t)seed * 60);
        (void)sim_reset(cluster_process(&c, "appmaster", 0), c.masters[0].proc);
        check(&c, seed);
    }
}

GP_TEST(slots, of_the_dead_are_given_back_by_the_next_appmaster)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        kill_executor(&c);
        cluster_run_us(&c, (int64_t)seed * 60);
        sim_kill(cluster_process(&c, "appmaster", 0));
        check(&c, seed);
    }
}

/* Workers bring to the next leader what they granted for the one before. */
GP_TEST(slots, are_the_same_under_the_next_leader)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        kill_executor(&c);
        cluster_run_us(&c, (int64_t)seed * 60);
        GP_CHECK_EQ(cluster_restart_master(&c, 100000), 0);
        check(&c, seed);
    }
}

/* A whole host stands still: a worker, its executors, perhaps the appmaster. It has its successors
 * by the time it wakes, or wakes in the middle of that, and says what it held. */
static void freeze(struct cluster *c, bool stops_clock)
{
    struct sim_host *host = c->workers[rng_below(&c->rng, CLUSTER_WORKERS)].host;

    sim_freeze(host, stops_clock);
    cluster_run_us(c, 2500000 + (int64_t)rng_below(&c->rng, 3500000));
    sim_thaw(host);
}

GP_TEST(slots, of_a_host_that_was_frozen_are_given_back)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        freeze(&c, seed % 2 == 0);
        if (seed % 3 == 0) {
            cluster_run_us(&c, 2000000);
            freeze(&c, seed % 2 == 0);
        }
        check(&c, seed);
    }
}

/* What it was about to take when it froze, and what it holds of two epochs. */
GP_TEST(slots, of_a_host_that_was_frozen_in_a_recovery_are_given_back)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        kill_executor(&c);
        cluster_run_us(&c, (int64_t)seed * 60);
        if (seed % 2 == 0) {
            sim_kill(cluster_process(&c, "appmaster", 0));
            cluster_run_us(&c, (int64_t)seed * 40);
        }
        freeze(&c, seed % 4 < 2);
        check(&c, seed);
    }
}
