/*
 * The network between two hosts is cut, and between nobody else: executors on both live on, and
 * cannot reach each other. Rows go on all the same, healed or not, and nothing is restarted without
 * end.
 */
#include "control/master/internal.h"
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 8
#endif
#define SINK     2u /* number of the processor */
#define STEP_US  500000
#define STALL_US 40000000 /* the silence of a link, the failure timeout, a recovery */
#define SOON_US  9000000  /* the same, as it should be: 3 s and a third, 3 s, a start */
#define ECHO_US  4000000  /* the silence that answers a silence */
#define AGAIN_US 13000000 /* a host is missed, an executor is waited for, its end, and a start */

#define CALM_EVENTS 20000 /* of a second, in a cluster with little to do */

static const char *const endless[] = {"rows=0", "pause=50000", NULL};

static int64_t rows(struct cluster *c)
{
    GP_REQUIRE_EQ(cluster_describe(c), 0);
    return cluster_counter(c, SINK, "rows");
}

static void begin(struct cluster *c, uint64_t seed, uint32_t workers, uint32_t executors)
{
    const struct cluster_job job = {
        .plugin = GP_CHAIN_JOB, .config = endless, .executors = executors};

    c->worker_count = workers;
    c->event_max = 50000000;
    GP_REQUIRE_EQ(realm_begin(c, seed, false), 0);
    GP_REQUIRE_EQ(cluster_submit(c, &job), 0);
    GP_REQUIRE_EQ(cluster_wait_running(c), 0);
    cluster_run_us(c, 2000000);
}

static void end(struct cluster *c)
{
    GP_CHECK_EQ(cluster_kill(c), 0);
    GP_CHECK_EQ(cluster_rest(c), 0);
    GP_CHECK_EQ(cluster_end(c), 0);
}

/* Two executors on hosts without the appmaster, which loses sight of nobody. */
static void find_two(struct cluster *c, struct sim_host *ret[2])
{
    const struct sim_host *am = sim_proc_host(cluster_process(c, "appmaster", 0));
    uint32_t found = 0;

    for (uint32_t i = 0; found < 2; i++) {
        struct sim_proc *p = cluster_process(c, "executor", i);
        GP_REQUIRE(p != NULL);
        if (sim_proc_host(p) != am) {
            ret[found++] = sim_proc_host(p);
        }
    }
}

/* Waits until rows have gone on, five steps one after the other. */
static bool flows(struct cluster *c, int64_t limit_us)
{
    uint32_t moved = 0;
    int64_t before = rows(c);

    for (int64_t us = 0; us < limit_us && moved < 5; us += STEP_US) {
        int64_t now;
        cluster_run_us(c, STEP_US);
        now = rows(c);
        moved = now > before ? moved + 1 : 0;
        before = now;
    }
    return moved == 5;
}

static bool says(const struct cluster *c, const char *what)
{
    for (uint32_t i = 0; i < c->described.live.events_count; i++) {
        if (strstr(c->described.live.events[i].text, what)) {
            return true;
        }
    }
    return false;
}

GP_TEST(cuts, between_two_executors_move_the_tasks_of_one)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_host *hosts[2];

        begin(&c, seed, 4, seed % 2 ? 2 : 3);
        find_two(&c, hosts);
        if (seed % 3 == 0) {
            sim_cut(hosts[0], hosts[1]);
        } else {
            sim_cut_oneway(hosts[seed % 3 - 1], hosts[2 - seed % 3]);
        }
        cluster_run_us(&c, SOON_US + (seed % 3 == 0 ? 0 : ECHO_US));
        if (!flows(&c, SOON_US) || !says(&c, "could not reach each other")) {
            GP_TEST_FAIL("seed %d: the job stands still", (int)seed);
        }
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        cluster_run_us(&c, 300000000); /* it stays so */
        GP_CHECK(flows(&c, 10000000));
        GP_CHECK_EQ(c.described.live.restarts, 0);
        GP_CHECK_EQ(c.described.live.events_count, 1);
        sim_heal(hosts[0], hosts[1]);
        GP_CHECK(flows(&c, STALL_US));
        end(&c);
    }
}

/* Healed at any moment: before anybody noticed, while one is given up, or afterwards. */
GP_TEST(cuts, that_heal_leave_the_job_running)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_host *hosts[2];
        int64_t cut_us = (int64_t)seed * 10000000 / SEEDS;

        begin(&c, seed, 4, 3);
        find_two(&c, hosts);
        sim_cut(hosts[0], hosts[1]);
        cluster_run_us(&c, cut_us + 1);
        sim_heal(hosts[0], hosts[1]);
        GP_CHECK(flows(&c, STALL_US));
        if (cut_us < 5000000) {
            GP_CHECK_EQ(c.described.live.events_count, 0);
        }
        GP_CHECK(c.described.live.events_count <= 1);
        end(&c);
    }
}

/* Two hosts here, two there, and nobody in between but the master and the appmaster. */
GP_TEST(cuts, through_the_middle_leave_one_side)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        const struct sim_host *am;

        begin(&c, seed, 5, 4);
        am = sim_proc_host(cluster_process(&c, "appmaster", 0));
        for (uint32_t i = 0; i < 5; i++) {
            for (uint32_t k = i + 1; k < 5; k++) {
                if (i % 2 != k % 2 && c.workers[i].host != am && c.workers[k].host != am) {
                    sim_cut(c.workers[i].host, c.workers[k].host);
                }
            }
        }
        cluster_run_us(&c, STALL_US);
        if (!flows(&c, STALL_US) || !says(&c, "could not reach each other")) {
            GP_TEST_FAIL("seed %d: the job stands still", (int)seed);
        }
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        if (c.described.live.restarts > 2) {
            GP_TEST_FAIL("seed %d: %u restarts", (int)seed, c.described.live.restarts);
        }
        end(&c);
    }
}

/* A worker on none of the two hosts, nor on the appmaster's. */
static void drain_another(struct cluster *c, struct sim_host *const hosts[2])
{
    const struct sim_host *am = sim_proc_host(cluster_process(c, "appmaster", 0));
    char name[16];
    const struct msg_worker_drain msg = {.worker = name};
    uint32_t worker = 0;

    while (c->workers[worker].host == am || c->workers[worker].host == hosts[0] ||
           c->workers[worker].host == hosts[1]) {
        worker++;
    }
    (void)snprintf(name, sizeof name, "w%u", worker + 1);
    GP_REQUIRE_EQ(cluster_drain(c, &msg), 0);
}

/* Another executor is emptied meanwhile. These two wait for its last marks before they forget it,
 * and what it says waits for marks that cannot come through the cut: they sleep over it, and go
 * on. */
GP_TEST(cuts, hold_up_an_executor_that_retires_and_cost_no_turns)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_host *hosts[2];
        uint64_t before;

        begin(&c, seed, 4, 4);
        find_two(&c, hosts);
        sim_cut(hosts[0], hosts[1]);
        cluster_run_us(&c, (int64_t)seed * 10000);
        drain_another(&c, hosts);
        cluster_run_us(&c, 100000);
        before = sim_events(c.sim);
        cluster_run_us(&c, 1000000);
        if (sim_events(c.sim) - before > CALM_EVENTS) {
            GP_TEST_FAIL("seed %d: %d events in a second", (int)seed,
                         (int)(sim_events(c.sim) - before));
        }
        cluster_run_us(&c, STALL_US / 2); /* one of the two is given up */
        if (!flows(&c, SOON_US) || !says(&c, "could not reach each other")) {
            GP_TEST_FAIL("seed %d: the job stands still", (int)seed);
        }
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        end(&c);
    }
}

/* The next appmaster is on one side of the cut: it misses whoever is on the other, and begins
 * nothing there, where it reaches no worker, however much room there is. */
GP_TEST(cuts, that_an_appmaster_comes_to_cost_it_one_executor)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_host *hosts[2];

        begin(&c, seed, 3, 2);
        find_two(&c, hosts);
        sim_cut(hosts[0], hosts[1]);
        cluster_run_us(&c, (int64_t)seed * 200000 + 1);
        (void)sim_crash(sim_proc_host(cluster_process(&c, "appmaster", 0)));
        cluster_run_us(&c, AGAIN_US);
        if (!flows(&c, SOON_US / 2) || !says(&c, "did not come to its new appmaster")) {
            GP_TEST_FAIL("seed %d: the job stands still", (int)seed);
        }
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        sim_heal(hosts[0], hosts[1]);
        GP_CHECK(flows(&c, STALL_US));
        GP_CHECK(c.described.live.events_count <= 2);
        end(&c);
    }
}
