/*
 * Several masters in a simulated cluster: what clients see when the lead or a file is lost on the
 * way.
 */
#include "gp_test.h"
#include "realm.h"

#define ANSWER_MS 60000

struct asked {
    bool is_answered;
    int code;
    struct gp_error err;
};

static struct asked asked; /* of the test that runs */

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    (void)user;
    (void)msg;
    asked = (struct asked){.is_answered = true, .code = code};
    if (code < 0) {
        asked.err = *err;
    }
}

static bool is_answered(struct cluster *c)
{
    (void)c;
    return asked.is_answered;
}

/* Who removes a master is cut off from the others before it is done: the client must find the next
 * leader, which does it, rather than hear that something was cancelled. */
GP_TEST(masters, a_change_of_them_survives_the_loss_of_the_leader)
{
    for (uint64_t seed = 0; seed < 5; seed++) {
        struct cluster c = {.master_count = 5};
        struct msg_master_ref ref = {0};
        char address[64];
        uint32_t leader;

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        leader = cluster_leader(&c);
        GP_REQUIRE(leader < 5);
        (void)snprintf(address, sizeof address, "%s:3000",
                       sim_host_name(c.masters[(leader + 1) % 5].host));
        ref.address = address;
        GP_REQUIRE_EQ(cluster_list_workers(&c), 0); /* the client has found the leader */
        for (uint32_t i = 0; i < 5; i++) {
            if (i != leader) {
                sim_cut(c.masters[leader].host, c.masters[i].host);
            }
        }
        asked = (struct asked){0};
        GP_REQUIRE(client_ask_for(c.client, MSG_MASTER_REMOVE, &ref, 30 * INT64_C(1000000000),
                                  on_answer, NULL) >= 0);
        GP_REQUIRE_EQ(cluster_until(&c, is_answered, ANSWER_MS), 0);
        if (asked.code < 0) {
            GP_TEST_FAIL("seed %d: %s", (int)seed, asked.err.text);
        }
        GP_CHECK(cluster_leader(&c) != leader);
        for (uint32_t i = 0; i < 5; i++) {
            sim_heal(c.masters[leader].host, c.masters[i].host);
        }
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}

static void rot(struct sim_host *host, const char *path)
{
    struct buf where = {0};

    GP_CHECK_EQ(sim_disk_rot(host, path, 1, &where), 0);
    buf_deinit(&where);
}

static bool is_repaired(struct cluster *c)
{
    return cluster_process_count(c, "executor") == CLUSTER_WORKERS;
}

static void run_next(struct cluster *c)
{
    static const char *const some[] = {"rows=50", NULL};
    const struct cluster_job next = {.plugin = GP_CHAIN_JOB, .name = "next", .config = some};

    GP_REQUIRE_EQ(cluster_submit(c, &next), 0);
    GP_CHECK_EQ(cluster_wait_end(c, ANSWER_MS), APP_FINISHED);
}

/* The leader's copy of a job and the workers' turn bad: those of the other masters are as good. */
GP_TEST(masters, fetch_from_others_what_is_damaged)
{
    static const char *const endless[] = {"rows=0", "pause=30000", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless};

    for (uint64_t seed = 0; seed < 5; seed++) {
        struct cluster c = {.master_count = 3};
        uint32_t leader;
        uint32_t app;

        GP_REQUIRE_EQ(realm_begin(&c, seed, false), 0);
        GP_REQUIRE_EQ(cluster_submit(&c, &job), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        app = c.app;
        cluster_run_us(&c, 1000000);
        leader = cluster_leader(&c);
        GP_REQUIRE(leader < 3);
        rot(c.masters[leader].host, "/var/master/sha256");
        for (uint32_t i = 0; i < c.worker_count; i++) {
            char path[64];

            (void)snprintf(path, sizeof path, "/var/worker%u/sha256", i + 1);
            rot(c.workers[i].host, path);
        }
        sim_kill(cluster_process(&c, "executor", 1));
        cluster_run_us(&c, 1000000);
        GP_CHECK_EQ(cluster_until(&c, is_repaired, ANSWER_MS), 0);
        rot(c.masters[leader].host, "/var/master/sha256");
        run_next(&c);
        c.app = app;
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
}
