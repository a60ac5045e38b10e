/*
 * What a large cluster says to itself: 1,000 workers and a job of 100,000 tasks. Counted where it
 * is said, by the endpoints of the master, of workers and of executors: control bytes, not rows. No
 * message can be longer than FRAME_CONTROL_MAX, so what does not fit fails here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "actor/endpoint_internal.h"
#include "app/node.h"
#include "control/master/internal.h"
#include "data/executor_internal.h"
#include "gp_test.h"
#include "realm.h"

#define WORKERS    1000u
#define TASKS      100000u
#define EVENTS_MAX UINT64_C(1000000000)
#define LOOK_S     10u
#define RECOVER_S  3u

/* Bounds, about twice what it is. */
#define WORKER_BYTES_S   200u   /* a worker and its master, in a second: its vitals now and then */
#define EXECUTOR_BYTES_S 8192u  /* an executor and its appmaster: counts, the slowest of each */
#define METRICS_BYTES_S  1024u  /* an executor, in what its appmaster tells the master */
#define UPDATES_BYTES    2048u  /* told to an executor in a recovery: another and its tasks */
#define RECORD_BYTES     4096u  /* for each executor, of the record while it is put in a recovery */
#define SUBMIT_BYTES     16384u /* told to one executor besides: the plan, the first reports */
#define SIBLING_BYTES    512u   /* told to one executor of another when it begins */

/* Both ways, on the connections that were and those that are. */
static uint64_t said(const struct endpoint *ep)
{
    uint64_t sum = ep->counts.bytes_in + ep->counts.bytes_out;

    LIST_FOREACH (link, &ep->peers) {
        const struct peer *peer = container_of(link, struct peer, node);
        const struct conn_counts *counts = peer->conn ? conn_counts(peer->conn) : NULL;

        sum += counts ? counts->bytes_in + counts->bytes_out : 0;
    }
    return sum;
}

static uint64_t said_by_master(const struct cluster *c)
{
    return said(c->masters[0].master->ep);
}

static uint64_t said_by_executors(const struct cluster *c)
{
    const struct node *node;
    uint64_t sum = 0;

    for (uint32_t i = 0; (node = cluster_node(c, "executor", i)) != NULL; i++) {
        sum += said(node_executor(node)->ep);
    }
    return sum;
}

/* For people. */
static void say(const char *what, uint32_t executors, uint64_t master, uint64_t all)
{
    (void)fprintf(stderr, "%u executors, %s: %llu bytes with the master, %llu with executors\n",
                  executors, what, (unsigned long long)master, (unsigned long long)all);
}

/* Nothing happens for a while: what is said by the way. */
static void check_quiet(struct cluster *c, uint32_t executors)
{
    uint64_t master = said_by_master(c);
    uint64_t all = said_by_executors(c);

    cluster_run_us(c, LOOK_S * 1000000);
    master = said_by_master(c) - master;
    all = said_by_executors(c) - all;
    say("10 quiet seconds", executors, master, all);
    GP_CHECK(master > 0);
    GP_CHECK(master <
             LOOK_S * ((uint64_t)WORKERS * WORKER_BYTES_S + (uint64_t)executors * METRICS_BYTES_S));
    GP_CHECK(all <= (uint64_t)LOOK_S * executors * EXECUTOR_BYTES_S);
}

/* An executor dies: each of the others hears of it and of the one in its place, and of nothing
 * else. */
static void check_recovery(struct cluster *c, uint32_t executors)
{
    uint64_t quiet = RECOVER_S * ((uint64_t)WORKERS * WORKER_BYTES_S);
    uint64_t reports = RECOVER_S * ((uint64_t)executors * EXECUTOR_BYTES_S);
    uint64_t updates = (uint64_t)executors * UPDATES_BYTES;
    uint64_t records = (uint64_t)executors * (RECORD_BYTES + RECOVER_S * METRICS_BYTES_S);
    uint64_t master = said_by_master(c);
    uint64_t all;

    sim_kill(cluster_process(c, "executor", 0));
    all = said_by_executors(c);
    cluster_run_us(c, RECOVER_S * 1000000);
    GP_REQUIRE_EQ(cluster_wait_running(c), 0);
    GP_CHECK_EQ(cluster_process_count(c, "executor"), executors);
    GP_CHECK_EQ(c->summary.tasks, TASKS);
    say("a death", executors, said_by_master(c) - master, said_by_executors(c) - all);
    GP_CHECK(said_by_master(c) - master < quiet + records);
    GP_CHECK(said_by_executors(c) - all < reports + updates);
}

static void check_job(uint32_t executors)
{
    struct cluster c = {
        .worker_count = WORKERS, .slots = TASKS, .lanes = 1, .event_max = EVENTS_MAX};
    static const char *const config[] = {"rows=0", "pause=1000000", NULL};
    static const char *const parallelism[] = {"numbers=10", "work=49990", "sink=50000", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB,
                                    .executors = executors,
                                    .config = config,
                                    .parallelism = parallelism};

    GP_REQUIRE_EQ(realm_begin(&c, 1, false), 0);
    check_quiet(&c, 0);
    GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
    GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
    say("submit", executors, said_by_master(&c), said_by_executors(&c));
    GP_CHECK(said_by_executors(&c) <
             (uint64_t)executors * executors * SIBLING_BYTES + (uint64_t)executors * SUBMIT_BYTES);
    check_quiet(&c, executors);
    check_recovery(&c, executors);
    check_quiet(&c, executors);
    GP_CHECK_EQ(cluster_kill(&c), 0);
    GP_CHECK_EQ(cluster_end(&c), 0);
}

GP_TEST(scale, says_little_of_many_tasks)
{
    check_job(4);
}

/* As many as the environment says: 1,000 take minutes, for each has a connection to each other. */
GP_TEST(scale, says_little_of_many_executors)
{
    const char *count = getenv("GP_SCALE_EXECUTORS");

    check_job(count ? (uint32_t)strtoul(count, NULL, 10) : 128);
}
