/*
 * Applications that wait for slots in a simulated cluster: who begins when, and that nothing of it
 * is lost with who leads.
 */
#include "control/master/internal.h"
#include "gp_test.h"
#include "invariants.h"
#include "realm.h"

#ifndef SEEDS
#define SEEDS 12
#endif
#define NEEDED    (8 + 1) /* slots: one for each task of the job, and one for its appmaster */
#define MOMENTS   100u
#define MOMENT_US 500
#define SLOWER    200
#define SLOTS     4 /* of each of three workers: room for one job, not for two */

static const char *const endless[] = {"rows=0", "pause=30000", NULL};

struct scene {
    struct cluster c;
    struct invariants inv;
    uint32_t watched;
    uint32_t state;
};

static void look(struct cluster *c, void *user)
{
    (void)c;
    invariants_step(&((struct scene *)user)->inv, c);
}

static void begin(struct scene *s, uint64_t seed, uint32_t masters)
{
    *s = (struct scene){.c = {.slots = SLOTS, .master_count = masters, .before_step = look}};
    s->c.step_user = s;
    GP_REQUIRE_EQ(realm_begin(&s->c, seed, false), 0);
}

static void end(struct scene *s)
{
    if (s->inv.wrong[0] != '\0') {
        GP_TEST_FAIL("broken: %s", s->inv.wrong);
    }
    GP_CHECK(s->inv.looks > 0);
    GP_CHECK_EQ(cluster_end(&s->c), 0);
}

static uint32_t submit(struct scene *s, const char *name, uint32_t priority)
{
    const struct cluster_job job = {
        .plugin = GP_CHAIN_JOB, .name = name, .config = endless, .priority = priority};

    GP_REQUIRE_EQ(cluster_submit(&s->c, &job), 0);
    return s->c.app;
}

static const struct app *known(const struct scene *s, uint32_t id)
{
    uint32_t leader = cluster_leader(&s->c);

    return leader < CLUSTER_MASTERS_MAX && s->c.masters[leader].master
               ? registry_find(&s->c.masters[leader].master->registry, id)
               : NULL;
}

static bool has_come(struct cluster *c)
{
    const struct scene *s = (const struct scene *)c->step_user;
    const struct app *app = known(s, s->watched);

    return app && app->state == s->state;
}

static void await(struct scene *s, uint32_t app, uint32_t state)
{
    s->watched = app;
    s->state = state;
    if (cluster_until(&s->c, has_come, 60000) < 0) {
        GP_TEST_FAIL("application %u is not %s in time", app, app_state_names[state]);
    }
}

static void kill_app(struct scene *s, uint32_t app)
{
    s->c.app = app;
    GP_CHECK_EQ(cluster_kill(&s->c), 0);
}

static const char *why(struct scene *s, uint32_t app)
{
    s->c.app = app;
    GP_REQUIRE_EQ(cluster_describe(&s->c), 0);
    return s->c.error;
}

/* Whenever somebody kills it: also while its appmaster asks for what there is not. */
GP_TEST(queue, ends_who_is_killed_at_any_moment)
{
    struct scene s;

    begin(&s, 1, 1);
    await(&s, submit(&s, "first", PRIORITY_NORMAL), APP_RUNNING);
    for (uint32_t i = 0; i < MOMENTS; i++) {
        uint32_t app = submit(&s, "second", PRIORITY_NORMAL);

        cluster_run_us(&s.c, i * MOMENT_US);
        kill_app(&s, app);
        await(&s, app, APP_KILLED);
    }
    end(&s);
}

static bool has_appmaster(struct cluster *c)
{
    return cluster_process_count(c, "appmaster") > 0;
}

/* Whose appmaster is slow does not lose its turn to one that came later, and asks for slots
 * first. */
GP_TEST(queue, keeps_the_turn_of_who_is_slow_to_ask)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;
        uint32_t first;
        uint32_t low;

        begin(&s, seed, 1);
        first = submit(&s, "first", PRIORITY_NORMAL);
        GP_REQUIRE_EQ(cluster_until(&s.c, has_appmaster, 10000), 0);
        sim_slow(sim_proc_host(cluster_process(&s.c, "appmaster", 0)), SLOWER);
        low = submit(&s, "low", seed % 2 == 0 ? PRIORITY_LOW : PRIORITY_NORMAL);
        await(&s, first, APP_RUNNING);
        await(&s, low, APP_WAITING);
        GP_CHECK_EQ(known(&s, first)->epoch, 1); /* it was not sent away */
        sim_calm(s.c.sim);
        kill_app(&s, first);
        await(&s, low, APP_RUNNING);
        kill_app(&s, low);
        GP_CHECK_EQ(cluster_rest(&s.c), 0);
        end(&s);
    }
}

GP_TEST(queue, begins_by_priority_then_by_age)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;
        uint32_t first;
        uint32_t low;
        uint32_t old;
        uint32_t young;
        uint32_t high;

        begin(&s, seed, 1);
        first = submit(&s, "first", PRIORITY_NORMAL);
        await(&s, first, APP_RUNNING);
        low = submit(&s, "low", PRIORITY_LOW);
        old = submit(&s, "old", PRIORITY_NORMAL);
        young = submit(&s, "young", PRIORITY_NORMAL);
        high = submit(&s, "high", PRIORITY_HIGH);
        await(&s, low, APP_WAITING);
        await(&s, old, APP_WAITING);
        await(&s, young, APP_WAITING);
        await(&s, high, APP_WAITING);
        cluster_run_us(&s.c, 3000000);
        GP_CHECK_STR_EQ(why(&s, high), "9 slots needed, 3 free on 3 workers");
        GP_CHECK_STR_EQ(why(&s, low), "9 slots needed, 3 free on 3 workers; behind application 5");
        GP_CHECK_EQ(known(&s, low)->tasks, NEEDED - 1);
        kill_app(&s, first);
        await(&s, high, APP_RUNNING);
        kill_app(&s, high);
        await(&s, old, APP_RUNNING);
        GP_CHECK_EQ(known(&s, young)->state, APP_WAITING);
        kill_app(&s, young); /* before it ever began */
        GP_CHECK_EQ(known(&s, young)->state, APP_KILLED);
        kill_app(&s, old);
        await(&s, low, APP_RUNNING);
        GP_CHECK_EQ(known(&s, low)->restarts_count, 0); /* waiting costs nothing */
        kill_app(&s, low);
        GP_CHECK_EQ(cluster_rest(&s.c), 0);
        end(&s);
    }
}

/* One that could not run on an empty cluster does not stand in the way of those that can. */
GP_TEST(queue, is_not_held_up_by_what_can_never_run)
{
    static const char *const wide[] = {"work=30", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB,
                                    .name = "wide",
                                    .config = endless,
                                    .parallelism = wide,
                                    .priority = PRIORITY_HIGH};
    struct scene s;
    uint32_t next;

    begin(&s, 3, 1);
    GP_REQUIRE_EQ(cluster_submit(&s.c, &job), 0);
    await(&s, s.c.app, APP_WAITING);
    GP_CHECK(strstr(why(&s, s.c.app), "too few even if all were free") != NULL);
    next = submit(&s, "next", PRIORITY_LOW);
    await(&s, next, APP_RUNNING);
    kill_app(&s, next);
    kill_app(&s, 1);
    GP_CHECK_EQ(cluster_rest(&s.c), 0);
    end(&s);
}

/* Slots are not all that may be missing. */
GP_TEST(queue, says_that_workers_are_missing)
{
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = endless, .executors = 4};
    struct scene s;

    begin(&s, 4, 1);
    GP_REQUIRE_EQ(cluster_submit(&s.c, &job), 0);
    await(&s, s.c.app, APP_WAITING);
    GP_CHECK_STR_EQ(why(&s, s.c.app), "9 slots needed, 12 free on 3 workers, not enough workers: 4 "
                                      "executors need one each, 3 of 3 have a free slot");
    kill_app(&s, s.c.app);
    end(&s);
}

/* Whoever leads next knows who waits, and in which order. */
GP_TEST(queue, is_the_same_under_the_next_leader)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;
        uint32_t first;
        uint32_t second;
        uint32_t high;

        begin(&s, seed, seed % 2 == 0 ? 1 : 3);
        first = submit(&s, "first", PRIORITY_NORMAL);
        await(&s, first, APP_RUNNING);
        second = submit(&s, "second", PRIORITY_NORMAL);
        high = submit(&s, "high", PRIORITY_HIGH);
        if (seed % 3 != 0) { /* else one of them may be asking for slots just now */
            await(&s, second, APP_WAITING);
            await(&s, high, APP_WAITING);
        }
        GP_CHECK_EQ(cluster_restart_master(&s.c, 100000 + (int64_t)seed * 1000), 0);
        GP_CHECK_EQ(cluster_until(&s.c, cluster_is_whole, 30000), 0);
        await(&s, second, APP_WAITING);
        await(&s, high, APP_WAITING);
        await(&s, first, APP_RUNNING);
        kill_app(&s, first);
        await(&s, high, APP_RUNNING);
        await(&s, second, APP_WAITING); /* it may have begun, in a slot, until its plan is known */
        kill_app(&s, high);
        await(&s, second, APP_RUNNING);
        kill_app(&s, second);
        GP_CHECK_EQ(cluster_rest(&s.c), 0);
        end(&s);
    }
}

/* Slots that one lost go to it before anybody begins with them, though these were enough. */
GP_TEST(queue, comes_after_who_recovers)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;
        uint32_t first;
        uint32_t second;
        struct sim_proc *lost;

        begin(&s, seed, 1);
        first = submit(&s, "first", PRIORITY_LOW);
        await(&s, first, APP_RUNNING);
        second = submit(&s, "second", PRIORITY_HIGH);
        await(&s, second, APP_WAITING);
        lost = cluster_process(&s.c, "executor", (uint32_t)rng_below(&s.c.rng, CLUSTER_WORKERS));
        sim_kill(lost);
        cluster_run_us(&s.c, (int64_t)rng_below(&s.c.rng, 400000));
        if (seed % 2 == 0) {
            sim_kill(cluster_process(&s.c, "appmaster", 0));
        }
        cluster_run_us(&s.c, 20000000);
        GP_CHECK_EQ(known(&s, first)->state, APP_RUNNING);
        GP_CHECK_EQ(known(&s, second)->state, APP_WAITING);
        kill_app(&s, first);
        await(&s, second, APP_RUNNING);
        kill_app(&s, second);
        GP_CHECK_EQ(cluster_rest(&s.c), 0);
        end(&s);
    }
}

/* A worker that takes tasks again is room, too. */
GP_TEST(queue, goes_on_when_a_worker_serves_again)
{
    struct scene s;
    uint32_t first;

    begin(&s, 5, 1);
    GP_REQUIRE_EQ(cluster_drain(&s.c, &(struct msg_worker_drain){.worker = "1"}), 0);
    first = submit(&s, "first", PRIORITY_NORMAL);
    await(&s, first, APP_WAITING);
    cluster_run_us(&s.c, 1000000);
    GP_CHECK_STR_EQ(why(&s, first), "9 slots needed, 8 free on 2 workers (1 drained), too few even "
                                    "if all were free");
    GP_REQUIRE_EQ(cluster_drain(&s.c, &(struct msg_worker_drain){.worker = "1", .undo = true}), 0);
    await(&s, first, APP_RUNNING);
    kill_app(&s, first);
    GP_CHECK_EQ(cluster_rest(&s.c), 0);
    end(&s);
}

GP_TEST(queue, is_not_for_who_does_not_want_to_wait)
{
    struct msg_config config[] = {{"rows", "0"}, {"pause", "30000"}};
    const struct msg_app_submit spec = {
        .name = "hasty", .config = config, .config_count = ARRAY_LEN(config), .no_wait = true};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .spec = &spec};
    struct scene s;
    uint32_t first;

    begin(&s, 6, 1);
    first = submit(&s, "first", PRIORITY_NORMAL);
    await(&s, first, APP_RUNNING);
    GP_REQUIRE_EQ(cluster_submit(&s.c, &job), 0);
    await(&s, s.c.app, APP_FAILED);
    GP_CHECK_STR_EQ(why(&s, s.c.app), "not enough slots: 8 needed, 2 free on 3 workers");
    kill_app(&s, first);
    GP_CHECK_EQ(cluster_rest(&s.c), 0);
    end(&s);
}
