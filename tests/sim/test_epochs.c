/*
 * Appmasters die, and the next ones go on: no executor is given up for it. While the application
 * ends its executors may be gone already: nothing may run once more, nor what they counted be
 * forgotten.
 */
#include "app/node.h"
#include "control/appmaster/internal.h"
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 40
#endif
#define ROWS      600
#define SOURCES   2
#define SINK      2 /* number of the processor in jobs/chain.c, as the next one of the edge */
#define LAST_EDGE 1
#define STRIKE_US 4000u

static const char *const some[] = {"rows=600", NULL};
static const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = some};

struct end {
    bool is_due;
    bool has_struck;
    int64_t at_ns;
};

static bool is_ending(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->state == EXECUTOR_DONE) {
            return true;
        }
    }
    return false;
}

static void before_step(struct cluster *c, void *user)
{
    struct end *end = user;
    const struct node *node = cluster_node(c, "appmaster", 0);
    const struct appmaster *am = node ? node_appmaster(node) : NULL;

    if (end->has_struck || !am) {
        return;
    }
    if (!end->is_due && is_ending(am)) {
        end->is_due = true;
        end->at_ns = sim_now_ns(c->sim) + (int64_t)rng_below(&c->rng, STRIKE_US) * 1000;
    }
    if (end->is_due && sim_now_ns(c->sim) >= end->at_ns) {
        end->has_struck = true;
        sim_kill(cluster_process(c, "appmaster", 0));
    }
}

static uint64_t sent_on(const struct cluster *c, uint32_t edge)
{
    const struct msg_app_live *live = &c->described.live;
    uint64_t sent = 0;

    for (uint32_t i = 0; i < live->edges_count; i++) {
        sent += live->edges[i].edge == edge ? live->edges[i].messages : 0;
    }
    return sent;
}

GP_TEST(epochs, do_not_begin_anew_what_is_over)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct end end = {0};
        struct cluster c = {.before_step = before_step, .step_user = &end};
        int state;

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        state = cluster_wait_end(&c, 60000);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        if (state != APP_FINISHED || cluster_counter(&c, SINK, "rows") != SOURCES * ROWS ||
            sent_on(&c, LAST_EDGE) != SOURCES * ROWS || c.described.live.is_lost_at_least) {
            GP_TEST_FAIL("seed %d: it is %d, %d rows came of %d that were sent", (int)seed, state,
                         (int)cluster_counter(&c, SINK, "rows"), (int)sent_on(&c, LAST_EDGE));
        }
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}

static void kill_appmaster(struct cluster *c)
{
    sim_kill(cluster_process(c, "appmaster", 0));
}

static bool runs_again(struct cluster *c)
{
    const struct node *node = cluster_node(c, "appmaster", 0);
    const struct appmaster *am = node ? node_appmaster(node) : NULL;

    return am && am->options.launch->epoch == 2 && am->state == AM_RUNNING;
}

/* Executors may find the next appmaster before it has heard from its master who they are. */
GP_TEST(epochs, give_up_nobody_who_comes_early)
{
    static const char *const endless[] = {"rows=0", "pause=30000", NULL};
    static const struct cluster_job long_job = {.plugin = GP_CHAIN_JOB, .config = endless};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {.faults = {.segment_delayed = 0.3}};
        uint64_t before;

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &long_job), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        cluster_run_us(&c, 300000);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        before = sent_on(&c, LAST_EDGE);
        kill_appmaster(&c);
        GP_REQUIRE_EQ(cluster_until(&c, runs_again, 60000), 0);
        cluster_run_us(&c, 600000);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        if (c.described.live.is_lost_at_least || c.described.live.lost > 0 ||
            c.described.live.restarts > 1 || sent_on(&c, LAST_EDGE) < before) {
            GP_TEST_FAIL("seed %d: the death of an appmaster cost more than that", (int)seed);
        }
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}
