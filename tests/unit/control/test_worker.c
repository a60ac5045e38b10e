/*
 * The worker on a simulated host, between a puppet master and the puppet children it starts: the
 * masters it works for, and what they grant. What becomes of its children is in
 * test_worker_children.c.
 */
#include "base/str.h"
#include "boss.h"
#include "gp_test.h"

#ifndef SEEDS
#define SEEDS 10
#endif

/* ---- registering ---- */

GP_TEST(worker, waits_for_a_master_that_comes_later)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s = {0};

        stage_begin(&s, seed);
        (void)stage_spawn(&s, 1, "worker", "w1");
        stage_run_ms(&s, 5000);
        GP_CHECK(!worker_is_registered(s.worker));
        (void)stage_spawn(&s, 0, "boss", NULL);
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        stage_end(&s);
    }
}

/* What it keeps, a new master must hear of, or slots leak for ever. */
GP_TEST(worker, tells_a_new_master_what_it_keeps)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *boss = worker_begin(&s, seed);

        GP_CHECK_EQ(boss->kept_count, 0);
        GP_REQUIRE_EQ(boss_offer(boss, 7, 1, 4), 0);
        sim_kill(puppet_process(boss));
        STAGE_UNTIL(&s, !worker_is_registered(s.worker));
        (void)stage_spawn(&s, 0, "boss", NULL);
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        boss = stage_find(&s, "boss");
        GP_CHECK_EQ(boss->kept_count, 1);
        GP_CHECK_EQ(boss->kept[0], 4);
        stage_end(&s);
    }
}

#define OTHER_MASTER "10.0.0.3:3000"

/* Application 7 has an appmaster here; the other master follows. */
static void begin_two(struct stage *s, uint64_t seed, struct puppet **ret_first,
                      struct puppet **ret_second)
{
    struct puppet *appmaster;
    char sha[65];

    *s = (struct stage){.slots = 10, .other_master = OTHER_MASTER};
    stage_begin(s, seed);
    (void)stage_spawn(s, 2, "boss", OTHER_MASTER);
    *ret_second = stage_find(s, "boss");
    (*ret_second)->follows = true;
    GP_REQUIRE_EQ(endpoint_set_leader((*ret_second)->ep, STAGE_MASTER), 0);
    (void)stage_spawn(s, 0, "boss", NULL);
    *ret_first = stage_find(s, "boss");
    (*ret_first)->content = BOSS_CONTENT;
    (*ret_first)->term = 5;
    (void)stage_spawn(s, 1, "worker", "w1");
    STAGE_UNTIL(s, worker_is_registered(s->worker));
    GP_REQUIRE_EQ(boss_offer_of(*ret_first, 5, 7, 1, 6), 0);
    GP_REQUIRE_EQ(boss_launch_of(*ret_first, 5, 7, stage_sha(BOSS_CONTENT, sha)), 0);
    STAGE_UNTIL(s, stage_find(s, "appmaster"));
    appmaster = stage_find(s, "appmaster");
    STAGE_UNTIL(s, appmaster->up);
}

/* Nothing here stops for a change of leader; and nobody gets a new number. */
GP_TEST(worker, goes_on_while_the_leader_changes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;

        begin_two(&s, seed, &first, &second);
        first->registered = 40; /* so that the numbers differ */
        sim_kill(puppet_process(first));
        STAGE_UNTIL(&s, !worker_is_registered(s.worker));
        GP_REQUIRE_EQ(endpoint_set_leader(second->ep, ""), 0);
        stage_run_ms(&s, 700); /* an election */
        GP_CHECK(!worker_is_registered(s.worker));
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        second->follows = false;
        second->term = 6;
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        GP_CHECK_EQ(second->came_with, 1);
        GP_CHECK_EQ(second->kept_count, 1);
        GP_CHECK_EQ(second->kept[0], 6);
        STAGE_UNTIL(&s, second->reported == 1);
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        GP_CHECK(stage_find(&s, "appmaster")->up);
        stage_end(&s);
    }
}

/* A leader that steps down says so, and the worker moves without a pause. */
GP_TEST(worker, goes_where_its_leader_sends_it)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;
        struct gp_error why;

        begin_two(&s, seed, &first, &second);
        second->follows = false;
        second->term = 6;
        first->follows = true;
        GP_REQUIRE_EQ(endpoint_set_leader(first->ep, OTHER_MASTER), 0);
        (void)gp_error_set(&why, GP_ENOTLEADER, "another leads");
        peer_dismiss(first->peer, &why);
        stage_run_ms(&s, 300);
        GP_CHECK(worker_is_registered(s.worker));
        GP_CHECK_EQ(second->came_with, 1);
        GP_CHECK(sim_event_count(s.sim, "master.changed") == 1);
        stage_end(&s);
    }
}

GP_TEST(worker, obeys_no_leader_of_an_older_term)
{
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .term = 4};
    char sha[65];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;

        begin_two(&s, seed, &first, &second);
        GP_CHECK_EQ(boss_offer_of(first, 4, 8, 1, 1), GP_ESTALE);
        GP_CHECK_EQ(boss_launch_of(first, 4, 7, stage_sha(BOSS_CONTENT, sha)), GP_ESTALE);
        GP_REQUIRE_EQ(peer_tell(first->peer, MSG_GRANT_REVOKE, &revoke), 0);
        GP_CHECK_EQ(boss_offer_of(first, 5, 8, 1, 1), 0);
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        sim_kill(puppet_process(first));
        second->follows = false;
        second->term = 4; /* it was cut off, and takes itself for the leader */
        stage_run_ms(&s, 3000);
        GP_CHECK(second->registered > 0);
        GP_CHECK(second->registered < 15);
        GP_CHECK(!worker_is_registered(s.worker));
        second->term = 6;
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        stage_end(&s);
    }
}

GP_TEST(worker, reports_what_changed)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    uint32_t before;

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 2), 0);
    STAGE_UNTIL(&s, boss->reported == 2);
    GP_CHECK_EQ(boss->slots_used, 6);
    before = boss->reports;
    stage_run_ms(&s, 2000);
    GP_CHECK_EQ(boss->reports, before);
    stage_end(&s);
}

/* ---- grants ---- */

GP_TEST(worker, lets_in_only_whom_it_has_a_grant_for)
{
    struct stage s;
    struct puppet *boss = worker_begin(&s, 1);
    char sha[65];

    GP_CHECK_EQ(boss_launch(boss, 7, stage_sha(BOSS_CONTENT, sha)), GP_EACCES);
    GP_REQUIRE_EQ(boss_offer(boss, 7, 1, 6), 0);
    GP_CHECK_EQ(boss_offer(boss, 8, 1, 5), GP_EFULL);
    GP_CHECK_STR_EQ(boss->reply.err.text, "5 slots wanted, 4 of 10 are free");
    GP_CHECK_EQ(boss_launch(boss, 8, sha), GP_EACCES);
    GP_CHECK_EQ(worker_process_count(s.worker), 0);
    stage_end(&s);
}

GP_TEST(worker, starts_no_more_than_was_granted)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);

    GP_CHECK_EQ(appmaster_launch(appmaster, 1, 3), 0);
    GP_CHECK_EQ(appmaster_launch(appmaster, 2, 3), GP_EFULL);
    GP_CHECK_EQ(appmaster_launch(appmaster, 2, 2), 0);
    GP_CHECK_EQ(worker_process_count(s.worker), 3);
    stage_end(&s);
}

/* Tasks came, or left. */
GP_TEST(worker, counts_the_slots_of_a_process_anew)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_executor_resize resize = {.app = 7, .epoch = 1, .executor = 1, .slots = 6};
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 2, .is_all_due = true};

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 3), 0);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize),
                GP_EFULL); /* 1 has the appmaster */
    resize.slots = 5;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), 0);
    GP_CHECK_EQ(appmaster_launch(appmaster, 2, 1), GP_EFULL);
    GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0); /* due when it is free */
    resize.slots = 1;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), 0);
    STAGE_UNTIL(&s, boss->slots_used == 4);
    GP_CHECK_EQ(appmaster_launch(appmaster, 2, 2), 0);
    resize.executor = 3;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), GP_ENOENT);
    resize.app = 8;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), GP_EACCES);
    stage_end(&s);
}

GP_TEST(worker, answers_a_repeated_launch_with_the_same_process)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    int64_t pid;

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 3), 0);
    pid = appmaster->reply.pid;
    GP_CHECK(pid > 0);
    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 3), 0);
    GP_CHECK_EQ(appmaster->reply.pid, pid);
    GP_CHECK_EQ(worker_process_count(s.worker), 2);
    stage_end(&s);
}

GP_TEST(worker, serves_an_appmaster_its_own_application_only)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct msg_executor_launch launch = executor_launch(1, 1, NULL);
    const struct msg_process_ref ref = {.app = 8, .epoch = 1};

    GP_REQUIRE_EQ(boss_offer(stage_find(&s, "boss"), 8, 1, 2), 0);
    launch.app = 8;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_EACCES);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PROCESS_STOP, &ref), GP_EACCES);
    launch.app = 7;
    launch.epoch = 0;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_ESTALE);
    stage_end(&s);
}

GP_TEST(worker, ends_everything_when_the_grant_is_revoked)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1};

        GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 3), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        stage_find(&s, "executor")->deaf = true; /* it will have to be killed */
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
        STAGE_UNTIL(&s, worker_process_count(s.worker) == 0);
        GP_CHECK_EQ(sim_event_count(s.sim, "process.killed"), 1);
        STAGE_UNTIL(&s, boss->slots_used == 0 && boss->reported == 0);
        STAGE_UNTIL(&s, boss->exits == 2);
        GP_CHECK_EQ(boss_offer(boss, 9, 1, 10), 0);
        stage_end(&s);
    }
}

/* Its grant may end and begin anew while its appmaster, which runs elsewhere, stays connected. */
GP_TEST(worker, tells_the_appmaster_of_each_end)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1};

        appmaster->deaf = true; /* it stays */
        for (uint32_t i = 1; i <= 3; i++) {
            GP_REQUIRE_EQ(appmaster_launch(appmaster, i, 2), 0);
            STAGE_UNTIL(&s, stage_find(&s, "executor"));
            sim_kill(puppet_process(stage_find(&s, "executor")));
            STAGE_UNTIL(&s, appmaster->exits == i);
            GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
            GP_REQUIRE_EQ(boss_offer(boss, 7, 1, 3), 0);
        }
        stage_end(&s);
    }
}

/* One that is frozen hears no word, and would hold the slot for ever. */
GP_TEST(worker, kills_an_appmaster_when_the_next_one_comes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *frozen = worker_begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 1};
        int64_t pid = boss->reply.pid;
        char sha[65];

        GP_REQUIRE_EQ(appmaster_launch(frozen, 1, 5), 0);
        frozen->deaf = true;
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
        GP_REQUIRE_EQ(boss_offer(boss, 7, 2, 1), 0);
        GP_REQUIRE_EQ(boss_launch_epoch(boss, 0, 7, 2, stage_sha(BOSS_CONTENT, sha)), 0);
        GP_CHECK_NE(boss->reply.pid, pid);
        GP_CHECK_EQ(sim_event_count(s.sim, "process.killed"), 1);
        GP_CHECK_EQ(boss->exits, 1);
        GP_CHECK_EQ(worker_process_count(s.worker), 2);
        GP_CHECK_EQ(boss_launch_epoch(boss, 0, 7, 1, sha), GP_ESTALE);
        stage_end(&s);
    }
}

/* A leader that takes over may give back once more what was given back. */
GP_TEST(worker, keeps_the_slots_that_its_processes_hold)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 1};

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 4), 0);
    for (int i = 0; i < 3; i++) {
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
    }
    GP_REQUIRE_EQ(boss_offer(boss, 7, 1, 1), 0);
    GP_CHECK_EQ(appmaster_launch(appmaster, 2, 1), 0);
    GP_CHECK_EQ(appmaster_launch(appmaster, 3, 1), GP_EFULL);
    GP_CHECK_EQ(worker_process_count(s.worker), 3);
    stage_end(&s);
}

/* Executors outlive their appmaster. */
GP_TEST(worker, stops_an_appmaster_alone)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    const struct msg_process_ref ref = {.app = 7, .epoch = 1, .at_once = true};

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 5), 0);
    appmaster->deaf = true;
    GP_REQUIRE_EQ(puppet_ask(boss, MSG_PROCESS_STOP, &ref), 0);
    STAGE_UNTIL(&s, boss->exits == 1);
    GP_CHECK_EQ(boss->exited[0].executor, 0);
    GP_CHECK_EQ(worker_process_count(s.worker), 1);
    GP_CHECK_EQ(puppet_ask(boss, MSG_PROCESS_STOP, &ref), GP_ENOENT);
    stage_end(&s);
}
