/*
 * Jobs from submit to end in a simulated cluster.
 */
#include "base/rng.h"
#include "control/master/internal.h"
#include "gp_test.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 5
#endif

#define FAULT_SEEDS 20 /* enough for some to come through */

#define ROWS 2000

static const char *const endless[] = {"pause=1000", NULL}; /* 16 rows a millisecond: cheap */
static const char *const some[] = {"rows=2000", NULL};

static void begin(struct cluster *c, uint64_t seed)
{
    GP_REQUIRE_EQ(realm_begin(c, seed, false), 0);
}

static void end(struct cluster *c)
{
    GP_CHECK_EQ(cluster_end(c), 0);
}

static int submit(struct cluster *c, uint32_t executors, const char *const *config)
{
    const struct cluster_job job = {
        .plugin = GP_CHAIN_JOB, .executors = executors, .config = config};

    return cluster_submit(c, &job);
}

/* No process of an application is left, and all slots are free again. */
static void check_quiet(struct cluster *c)
{
    GP_CHECK_EQ(cluster_rest(c), 0);
}

static void run_ms(struct cluster *c, int64_t ms)
{
    cluster_run_us(c, ms * 1000);
}

GP_TEST(jobs, runs_a_job_to_its_end)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, some), 0);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        GP_CHECK_STR_EQ(c.summary.error, "");
        GP_CHECK_STR_EQ(c.summary.name, "chain");
        GP_CHECK_EQ(c.summary.executors, CLUSTER_WORKERS);
        GP_CHECK_EQ(c.summary.tasks, 8);
        /* Both tasks of numbers emit 0 .. ROWS-1, and describe still knows. */
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        GP_CHECK_EQ(cluster_counter(&c, 2, "rows"), 2 * ROWS);
        GP_CHECK_EQ(cluster_counter(&c, 2, "sum"), (int64_t)ROWS * (ROWS - 1));
        GP_REQUIRE_EQ(c.described.live.processors_count, 3);
        GP_CHECK_EQ(c.described.live.processors[0].out, 2 * ROWS);
        GP_CHECK_EQ(c.described.live.processors[1].in, 2 * ROWS);
        GP_CHECK_EQ(c.described.live.processors[2].in, 2 * ROWS);
        check_quiet(&c);
        end(&c);
    }
}

GP_TEST(jobs, runs_as_few_executors_as_asked)
{
    struct cluster c = {0};

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 1, some), 0);
    GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
    GP_CHECK_EQ(c.summary.executors, 1);
    check_quiet(&c);
    end(&c);
}

GP_TEST(jobs, describes_a_job_that_runs)
{
    struct cluster c = {0};
    uint32_t tasks = 0;
    bool rate = false;

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
    GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
    run_ms(&c, 2500);
    GP_REQUIRE_EQ(cluster_describe(&c), 0);
    GP_CHECK_EQ(c.described.live.executors_count, CLUSTER_WORKERS);
    for (uint32_t i = 0; i < c.described.live.executors_count; i++) {
        GP_CHECK_EQ(c.described.live.executors[i].lanes, 2);
        GP_CHECK(c.described.live.executors[i].pid > 0);
        GP_CHECK_STR_EQ(c.described.live.executors[i].state, "running");
    }
    for (uint32_t i = 0; i < c.described.live.placement_count; i++) {
        tasks += c.described.live.placement[i].count;
    }
    GP_CHECK_EQ(tasks, 8);
    for (uint32_t i = 0; i < c.described.live.edges_count; i++) {
        rate = rate || c.described.live.edges[i].rate > 0;
    }
    GP_CHECK(rate);
    GP_CHECK(c.described.live.processors[2].in > 0);
    end(&c);
}

GP_TEST(jobs, kills_a_job)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
        run_ms(&c, (int64_t)seed * 7); /* at any point of its start */
        GP_CHECK_EQ(cluster_kill(&c), 0);
        GP_CHECK_EQ(c.summary.state, APP_KILLED);
        check_quiet(&c);
        end(&c);
    }
}

GP_TEST(jobs, refuses_two_jobs_of_one_name)
{
    struct cluster c = {0};

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
    GP_CHECK_EQ(submit(&c, 0, endless), GP_EEXIST);
    GP_CHECK_EQ(cluster_kill(&c), 0);
    GP_CHECK_EQ(submit(&c, 0, some), 0);
    GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
    end(&c);
}

/* ---- what is wrong with the job ---- */

static void check_failure(uint64_t seed, const char *const *config, const char *text)
{
    struct cluster c = {0};

    begin(&c, seed);
    GP_REQUIRE_EQ(submit(&c, 0, config), 0);
    GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FAILED);
    if (!strstr(c.summary.error, text)) {
        GP_TEST_FAIL("seed %d: \"%s\" does not say \"%s\"", (int)seed, c.summary.error, text);
    }
    check_quiet(&c);
    end(&c);
}

GP_TEST(jobs, says_which_task_failed)
{
    static const char *const config[] = {"rows=0", "work.fail_after=10", "recovery.restarts=2",
                                         NULL};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_failure(seed, config, "in its process(): row 11 was too much");
        check_failure(seed, config, "processor 'work', task 0 on executor ");
    }
}

GP_TEST(jobs, says_which_task_did_not_open)
{
    static const char *const config[] = {"work.refuse=1", NULL};

    check_failure(1, config, "in its open(): this task does not want to");
}

GP_TEST(jobs, says_what_is_wrong_with_a_graph)
{
    static const char *const broken[] = {"broken=1", NULL};
    static const char *const stranger[] = {"stranger=1", NULL};

    check_failure(1, broken, "the parameter broken was set");
    check_failure(1, stranger, "no plugin 'stranger' on the master");
}

GP_TEST(jobs, says_when_slots_are_short)
{
    struct cluster c = {.slots = 2};

    begin(&c, 1);
    GP_REQUIRE_EQ(
        cluster_submit(&c, &(struct cluster_job){.plugin = GP_CHAIN_JOB, .no_wait = true}), 0);
    GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FAILED);
    GP_CHECK_STR_EQ(c.summary.error, "not enough slots: 8 needed, 5 free on 3 workers");
    check_quiet(&c);
    end(&c);
}

/* ---- what dies ---- */

GP_TEST(jobs, goes_on_when_an_executor_died_and_says_which)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        int64_t rows;

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        run_ms(&c, 300);
        sim_kill(cluster_process(&c, "executor", (uint32_t)seed % CLUSTER_WORKERS));
        run_ms(&c, 700);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        GP_REQUIRE_EQ(c.described.live.events_count, 1);
        if (!strstr(c.described.live.events[0].text, "crashed: SIGKILL")) {
            GP_TEST_FAIL("seed %d: %s", (int)seed, c.described.live.events[0].text);
        }
        rows = cluster_counter(&c, 2, "rows");
        run_ms(&c, 500);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        GP_CHECK(cluster_counter(&c, 2, "rows") > rows);
        GP_CHECK_EQ(cluster_kill(&c), 0);
        check_quiet(&c);
        end(&c);
    }
}

/* It goes on, or it fails with a reason; nothing is left of it in the end. */
static void check_aftermath(struct cluster *c)
{
    run_ms(c, 8000);
    GP_CHECK_EQ(cluster_kill(c), 0);
    GP_CHECK(c->summary.state == APP_KILLED ||
             (c->summary.state == APP_FAILED && c->summary.error[0] != '\0'));
    check_quiet(c);
}

GP_TEST(jobs, outlive_their_appmaster)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        sim_kill(cluster_process(&c, "appmaster", 0));
        check_aftermath(&c);
        end(&c);
    }
}

static const struct app *registered(const struct cluster *c)
{
    return registry_find(&c->masters[0].master->registry, c->app);
}

static bool is_appmaster_up(struct cluster *c)
{
    const struct app_place *place = apps_place(c->masters[0].master, c->app);

    return place && place->phase == PLACE_UP;
}

/* User code that builds a graph may take its time, and nothing is heard of an appmaster
 * meanwhile. */
GP_TEST(jobs, may_take_longer_to_build_than_silence_is_borne)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};
        struct sim_proc *appmaster;

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, some), 0);
        GP_REQUIRE_EQ(cluster_until(&c, is_appmaster_up, 10000), 0);
        GP_REQUIRE(!registered(&c)->plan);
        appmaster = cluster_process(&c, "appmaster", 0);
        sim_pause(appmaster);
        run_ms(&c, 20000);
        sim_resume(appmaster);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        GP_CHECK_EQ(registered(&c)->epoch, 1);
        check_quiet(&c);
        end(&c);
    }
}

/* One that never comes back is replaced all the same. */
GP_TEST(jobs, do_not_wait_for_ever_for_a_graph)
{
    struct cluster c = {0};

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 0, some), 0);
    GP_REQUIRE_EQ(cluster_until(&c, is_appmaster_up, 10000), 0);
    sim_pause(cluster_process(&c, "appmaster", 0));
    GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
    GP_CHECK_EQ(registered(&c)->epoch, 2);
    check_quiet(&c);
    end(&c);
}

/* The worker reports what runs: a leader that was never told of an end need not wait for the
 * dead. */
GP_TEST(jobs, outlive_their_appmaster_and_the_leader_at_once)
{
    struct cluster c = {0};

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
    GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
    sim_kill(c.masters[0].proc);
    sim_kill(cluster_process(&c, "appmaster", 0));
    run_ms(&c, 100);
    cluster_start_master(&c, 0);
    run_ms(&c, 3000);
    GP_REQUIRE_EQ(cluster_describe(&c), 0);
    GP_CHECK_EQ(c.summary.state, APP_RUNNING);
    GP_CHECK_EQ(registered(&c)->epoch, 2);
    GP_CHECK_EQ(cluster_kill(&c), 0);
    check_quiet(&c);
    end(&c);
}

GP_TEST(jobs, outlives_the_loss_of_any_worker)
{
    for (uint64_t seed = 0; seed < 2 * SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        sim_kill(c.workers[seed % CLUSTER_WORKERS].proc);
        check_aftermath(&c);
        GP_REQUIRE_EQ(submit(&c, 0, some), 0);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        GP_CHECK_STR_EQ(c.summary.error, "");
        GP_CHECK_EQ(c.summary.executors, CLUSTER_WORKERS - 1);
        end(&c);
    }
}

GP_TEST(jobs, outlive_a_restart_of_the_master)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct cluster c = {0};

        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, 0, endless), 0);
        GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
        GP_CHECK_EQ(cluster_restart_master(&c, 0), 0);
        run_ms(&c, 6000);
        GP_REQUIRE_EQ(cluster_describe(&c), 0);
        GP_CHECK_EQ(c.summary.state, APP_RUNNING);
        GP_CHECK(c.described.live.executors_count > 0); /* its appmaster was found again */
        GP_CHECK_EQ(cluster_kill(&c), 0);
        check_quiet(&c);
        GP_REQUIRE_EQ(submit(&c, 0, some), 0);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        end(&c);
    }
}

/* ---- whatever happens ---- */

/* Kills somebody: any process of the job, or a worker while another is left. */
static void strike(struct cluster *c, struct rng *rng, uint32_t *workers_left)
{
    uint32_t any = (uint32_t)rng_below(rng, CLUSTER_WORKERS);
    struct sim_proc *victim = NULL;

    switch (rng_below(rng, 4)) {
    case 0:
        victim = cluster_process(c, "appmaster", 0);
        break;
    case 1:
        if (*workers_left > 1 && c->workers[any].worker) {
            victim = c->workers[any].proc;
            --*workers_left;
        }
        break;
    default:
        victim = cluster_process(c, "executor", (uint32_t)rng_below(rng, CLUSTER_WORKERS));
        break;
    }
    if (victim) {
        sim_kill(victim);
    }
}

static void check_end(struct cluster *c, uint64_t seed, int state)
{
    bool said = c->summary.error[0] != '\0';

    if (state != APP_FINISHED && !(state == APP_FAILED && said)) {
        GP_TEST_FAIL("seed %d: it is %d, \"%s\"", (int)seed, state, c->summary.error);
    }
}

/* It ends, it says why, it leaves nothing behind, and the cluster goes on. */
GP_TEST(jobs, come_to_an_end_whatever_dies)
{
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        struct cluster c = {0};
        uint32_t workers_left = CLUSTER_WORKERS;
        struct rng rng;

        rng_init(&rng, seed);
        begin(&c, seed);
        GP_REQUIRE_EQ(submit(&c, (uint32_t)rng_below(&rng, 3), some), 0);
        for (int strikes = 1 + (int)rng_below(&rng, 3); strikes > 0; strikes--) {
            run_ms(&c, (int64_t)rng_below(&rng, 80));
            strike(&c, &rng, &workers_left);
        }
        check_end(&c, seed, cluster_wait_end(&c, 60000));
        check_quiet(&c);
        GP_REQUIRE_EQ(submit(&c, 0, some), 0);
        GP_CHECK_EQ(cluster_wait_end(&c, 60000), APP_FINISHED);
        end(&c);
    }
}

/* Connections that break, do not come about or are slow. */
GP_TEST(jobs, come_to_an_end_on_a_bad_network)
{
    uint32_t finished = 0;

    for (uint64_t seed = 0; seed < FAULT_SEEDS; seed++) {
        struct cluster c = {.faults = {.connect_refused = 0.05,
                                       .stream_reset = seed % 2 ? 0.002 : 0,
                                       .segment_delayed = 0.05}};
        int state;

        begin(&c, seed);
        if (submit(&c, 0, some) >= 0) {
            state = cluster_wait_end(&c, 120000);
            check_end(&c, seed, state);
            finished += state == APP_FINISHED;
        }
        end(&c);
    }
    GP_CHECK(finished > FAULT_SEEDS / 4);
}

/* A disk that is full, or fails now and then, may cost a job; never the cluster. */
GP_TEST(jobs, come_to_an_end_on_a_bad_disk)
{
    uint32_t finished = 0;

    for (uint64_t seed = 0; seed < FAULT_SEEDS; seed++) {
        struct cluster c = {
            .faults = {.disk_write_failed = seed % 2 ? 0.03 : 0, .disk_full = seed % 2 ? 0 : 0.03}};
        int state;

        begin(&c, seed);
        if (submit(&c, 0, some) >= 0) {
            /* A master whose disk fails again when it is read anew waits ever longer. */
            state = cluster_wait_end(&c, 600000);
            check_end(&c, seed, state);
            finished += state == APP_FINISHED;
            check_quiet(&c);
        } else {
            GP_CHECK(c.err.text[0] != '\0');
        }
        end(&c);
    }
    GP_CHECK(finished > FAULT_SEEDS / 4);
}

/* ---- executors that nobody can find ---- */

/* No appmaster has room: for a long while they wait for one, then they go. */
GP_TEST(jobs, end_executors_that_have_been_without_an_appmaster_for_too_long)
{
    static const char *const slow[] = {"rows=0", "pause=1000000", NULL};
    struct cluster c = {.worker_count = 3, .slots = 3};
    uint32_t executors;

    begin(&c, 1);
    GP_REQUIRE_EQ(submit(&c, 0, slow), 0); /* 8 tasks and an appmaster */
    GP_REQUIRE_EQ(cluster_wait_running(&c), 0);
    GP_REQUIRE_EQ(cluster_describe(&c), 0);
    GP_CHECK_STR_EQ(c.described.appmaster.state, "running");
    for (uint32_t i = 0; i < c.worker_count; i++) {
        if (c.workers[i].host == sim_proc_host(cluster_process(&c, "appmaster", 0))) {
            sim_kill(c.workers[i].proc);
        }
    }
    run_ms(&c, 20000);
    executors = cluster_process_count(&c, "executor");
    GP_REQUIRE(executors > 0);
    run_ms(&c, 570000);
    GP_CHECK_EQ(cluster_process_count(&c, "executor"), executors);
    run_ms(&c, 30000);
    GP_CHECK_EQ(cluster_process_count(&c, "executor"), 0);
    end(&c);
}
