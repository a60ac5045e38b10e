/*
 * A job whose processes die again and again: whoever outlives them remembers no more than before.
 */
#include "actor/endpoint_internal.h"
#include "control/master/internal.h"
#include "control/worker/internal.h"
#include "gp_test.h"
#include "realm.h"

#define ROUND_S 10 /* virtual, so that the budget of restarts comes back */

/* How many things a cluster keeps that deaths could add to. */
struct weight {
    uint32_t peers;
    uint32_t pending;
    uint32_t proposals;
    uint32_t grants;
    uint32_t slots;
    uint32_t children;
    uint32_t launches;
};

static uint32_t length(const struct list *list)
{
    uint32_t count = 0;

    LIST_FOREACH (node, list) {
        count++;
    }
    return count;
}

static struct weight weigh(const struct cluster *c)
{
    struct weight w = {0};

    for (uint32_t i = 0; i < c->master_count; i++) {
        const struct master *m = c->masters[i].master;

        w.peers += length(&m->ep->peers);
        w.pending += length(&m->pending);
        w.proposals += length(&m->proposals);
        w.grants += m->workers.grant_count;
    }
    for (uint32_t i = 0; i < c->worker_count; i++) {
        const struct worker *worker = c->workers[i].worker;

        w.peers += length(&worker->ep->peers);
        w.slots += worker->ledger.used;
        w.children += worker->live_count;
        w.launches += worker->launch_count + worker->fetch_count;
    }
    return w;
}

static void live_on(struct cluster *c, const char *role, uint32_t times)
{
    for (uint32_t i = 0; i < times; i++) {
        struct sim_proc *proc = cluster_process(c, role, 0);

        GP_REQUIRE(proc != NULL);
        sim_kill(proc);
        cluster_run_us(c, ROUND_S * 1000000);
        GP_REQUIRE_EQ(cluster_wait_running(c), 0);
    }
}

static void check_role(const char *role)
{
    struct cluster c = {.master_count = 3};
    static const char *const config[] = {"rows=0", "pause=1000000", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = config};
    struct weight before;
    struct weight after;

    GP_REQUIRE_EQ(realm_begin(&c, 1, false), 0);
    GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
    GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
    live_on(&c, role, 40);
    before = weigh(&c);
    live_on(&c, role, 40);
    after = weigh(&c);
    GP_CHECK_EQ(after.peers, before.peers);
    GP_CHECK_EQ(after.pending, before.pending);
    GP_CHECK_EQ(after.proposals, before.proposals);
    GP_CHECK_EQ(after.grants, before.grants);
    GP_CHECK_EQ(after.slots, before.slots);
    GP_CHECK_EQ(after.children, before.children);
    GP_CHECK_EQ(after.launches, before.launches);
    GP_CHECK_EQ(cluster_kill(&c), 0);
    GP_CHECK_EQ(cluster_end(&c), 0);
}

GP_TEST(growth, none_by_deaths_of_executors)
{
    check_role("executor");
}

GP_TEST(growth, none_by_deaths_of_appmasters)
{
    check_role("appmaster");
}
