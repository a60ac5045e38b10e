/*
 * What the leader is told of an application: counts that never go back, whoever dies, and at its
 * end are those of all rows.
 */
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 12
#endif
#define ROWS       600
#define SOURCES    2
#define PROCESSORS 3 /* of jobs/chain.c */
#define DEATHS     6
#define ROUND_US   3000000 /* metrics are told each second */

/* The latest message that was looked at. */
struct past {
    int64_t time_ms;
    uint32_t messages;
    uint32_t fallen; /* counts that went back */
    uint64_t in[PROCESSORS];
    uint64_t out[PROCESSORS];
    uint64_t busy_ns[PROCESSORS];
    uint64_t sent[PROCESSORS]; /* [edge] */
};

static const struct msg_app_metrics *told(const struct cluster *c)
{
    const uint32_t leader = cluster_leader(c);

    return leader < c->master_count ? master_app_metrics(c->masters[leader].master, 0) : NULL;
}

static void grow(struct past *past, uint64_t *before, uint64_t now)
{
    past->fallen += now < *before;
    *before = now;
}

static void before_step(struct cluster *c, void *user)
{
    const struct msg_app_metrics *m = told(c);
    struct past *past = user;
    uint64_t sent[PROCESSORS] = {0};

    if (!m || m->time_ms == past->time_ms || m->processors_count != PROCESSORS) {
        return;
    }
    past->time_ms = m->time_ms;
    past->messages++;
    for (uint32_t i = 0; i < m->edges_count; i++) {
        sent[m->edges[i].edge] += m->edges[i].messages;
    }
    for (uint32_t p = 0; p < PROCESSORS; p++) {
        grow(past, &past->in[p], m->processors[p].in);
        grow(past, &past->out[p], m->processors[p].out);
        grow(past, &past->busy_ns[p], m->processors[p].busy_ns);
        grow(past, &past->sent[p], sent[p]);
    }
}

GP_TEST(metrics, end_with_all_that_was_sent)
{
    static const char *const some[] = {"rows=600", NULL};
    static const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = some};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct past past = {0};
        struct cluster c = {.before_step = before_step, .step_user = &past};

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        GP_CHECK_EQ(past.fallen, 0);
        GP_CHECK_EQ(past.out[0], SOURCES * ROWS);
        GP_CHECK_EQ(past.in[1], SOURCES * ROWS);
        GP_CHECK_EQ(past.out[1], SOURCES * ROWS);
        GP_CHECK_EQ(past.in[2], SOURCES * ROWS);
        GP_CHECK_EQ(past.sent[0], SOURCES * ROWS);
        GP_CHECK_EQ(past.sent[1], SOURCES * ROWS);
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}

static void live_on(struct cluster *c, const struct past *past)
{
    for (uint32_t i = 0; i < DEATHS; i++) {
        const uint32_t messages = past->messages;
        struct sim_proc *proc = cluster_process(c, i % 2 == 0 ? "executor" : "appmaster", 0);

        GP_REQUIRE(proc != NULL);
        cluster_run_us(c, (int64_t)rng_below(&c->rng, ROUND_US / 4));
        sim_kill(proc);
        cluster_run_us(c, ROUND_US);
        GP_REQUIRE_EQ(cluster_wait_running(c), 0);
        cluster_run_us(c, ROUND_US);
        GP_CHECK(past->messages > messages); /* who is left goes on telling */
    }
}

GP_TEST(metrics, never_go_back_by_deaths)
{
    static const char *const endless[] = {"rows=0", "pause=30000", NULL};
    static const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct past past = {0};
        struct cluster c = {.before_step = before_step, .step_user = &past};

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        live_on(&c, &past);
        if (past.fallen > 0) {
            GP_TEST_FAIL("seed %d: %d counts went back", (int)seed, (int)past.fallen);
        }
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        for (uint32_t p = 0; p < PROCESSORS; p++) { /* what the end says is what was told last */
            GP_CHECK_EQ(c.described.live.processors[p].in, past.in[p]);
            GP_CHECK_EQ(c.described.live.processors[p].out, past.out[p]);
        }
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}
