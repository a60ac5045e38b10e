/*
 * The appmaster when parts of its application die, at any moment: the rest goes on, what died is
 * replaced, and nobody runs what another runs.
 */
#include "base/rng.h"
#include "base/str.h"
#include "gp_test.h"
#include "troupe.h"

#ifndef SEEDS
#define SEEDS 20
#endif

static void begin(struct troupe *t, uint64_t seed)
{
    troupe_begin(t, seed);
    TROUPE_UNTIL(t, troupe_is_well(t));
}

static struct troupe *troupe_new(void)
{
    struct troupe *t = calloc(1, sizeof *t);

    GP_REQUIRE(t != NULL);
    return t;
}

static void end(struct troupe *t)
{
    troupe_end(t);
    free(t);
}

/* Tasks of these executors are in the session they were in. */
static void check_untouched(const struct fake_executor *before, const struct fake_executor *now)
{
    GP_CHECK(memcmp(before->sessions, now->sessions, sizeof before->sessions) == 0);
    GP_CHECK_EQ(now->assigns, before->assigns);
}

GP_TEST(recovery, starts_all_when_all_know_each_other)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();

        begin(t, seed);
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        GP_CHECK_EQ(t->requests, 1);
        GP_CHECK(t->placement != NULL);
        end(t);
    }
}

GP_TEST(recovery, replaces_one_that_dies_and_leaves_the_others_alone)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor before;
        int64_t since_ns;

        begin(t, seed);
        before = *troupe_executor(t, 1);
        since_ns = sim_now_ns(t->sim);
        sim_kill(troupe_executor(t, 0)->proc);
        TROUPE_UNTIL(t, troupe_executor(t, 2) && troupe_is_well(t));
        GP_CHECK(sim_now_ns(t->sim) - since_ns < 300 * MS_NS);
        check_untouched(&before, &t->executors_of[before.id]);
        GP_CHECK_EQ(t->recoverings, 1);
        GP_CHECK_EQ(t->released, 4);
        troupe_describe(t);
        GP_CHECK_EQ(t->live.events_count, 1);
        GP_CHECK(strstr(t->live.events[0].text, "crashed: SIGKILL") != NULL);
        GP_CHECK(strstr(t->live.events[0].text, "of 'count' lost ") != NULL);
        GP_CHECK(t->live.events[0].took_ms >= 0 && t->live.events[0].took_ms < 300);
        GP_CHECK_EQ(t->live.restarts, 1);
        GP_CHECK_EQ(t->live.executors_count, TROUPE_WORKERS);
        GP_CHECK(t->live.is_lost_at_least);
        end(t);
    }
}

GP_TEST(recovery, replaces_all_that_die_at_any_moment)
{
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct rng rng;

        rng_init(&rng, seed);
        if (seed % 3 == 0) {
            begin(t, seed);
        } else {
            troupe_begin(t, seed); /* in the middle of its start */
        }
        for (uint32_t i = 0; i < 4; i++) {
            troupe_run_ms(t, 1 + (int64_t)rng_below(&rng, 40));
            if (troupe_living(t) > 0) {
                sim_kill(troupe_executor(t, (uint32_t)rng_below(&rng, troupe_living(t)))->proc);
            }
        }
        TROUPE_UNTIL(t, troupe_is_well(t));
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        end(t);
    }
}

GP_TEST(recovery, moves_the_tasks_of_a_worker_that_is_lost)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();

        begin(t, seed);
        sim_kill(t->workers[1].proc);
        TROUPE_UNTIL(t, !troupe_is_well(t));
        TROUPE_UNTIL(t, troupe_is_well(t));
        for (uint32_t i = 0; i < troupe_living(t); i++) {
            GP_CHECK(troupe_executor(t, i)->worker != 2);
        }
        end(t);
    }
}

/* Frozen, given up, and awake again: it is not let in, and ends. */
GP_TEST(recovery, gives_up_the_silent_and_refuses_it_when_it_wakes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor *zombie;
        struct sim_host *host;

        begin(t, seed);
        zombie = troupe_executor(t, 2);
        host = t->hosts[1 + zombie->worker];
        sim_cut(host, t->hosts[1]); /* nor can its worker be told to kill it */
        TROUPE_UNTIL(t, !troupe_is_well(t) && t->recoverings == 1);
        TROUPE_UNTIL(t, t->state == APP_RUNNING);
        GP_CHECK(zombie->alive);
        sim_heal(host, t->hosts[1]);
        TROUPE_UNTIL(t, !zombie->alive);
        TROUPE_UNTIL(t, troupe_is_well(t));
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        end(t);
    }
}

/* A connection is not a process. */
GP_TEST(recovery, restarts_nothing_when_only_a_connection_breaks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor before;

        begin(t, seed);
        before = *troupe_executor(t, 1);
        GP_CHECK(sim_reset(t->appmaster_proc, before.proc) > 0);
        troupe_run_ms(t, 3000);
        check_untouched(&before, &t->executors_of[before.id]);
        GP_CHECK(troupe_is_well(t));
        GP_CHECK_EQ(t->recoverings, 0);
        end(t);
    }
}

GP_TEST(recovery, waits_for_slots_and_says_so)
{
    struct troupe *t = troupe_new();
    char address[16] = "2";
    const char *args[] = {"worker", address, NULL};
    struct sim_proc *proc;

    t->slots = 4;
    begin(t, 1);
    sim_kill(t->workers[1].proc);
    TROUPE_UNTIL(t, t->refusals >= 3);
    GP_CHECK_EQ(t->state, APP_RECOVERING);
    troupe_describe(t);
    GP_CHECK(strstr(t->live.events[0].text, "waiting for slots: 4 slots wanted") != NULL);
    GP_CHECK_EQ(t->live.events[0].took_ms, -1);
    GP_CHECK_EQ(t->live.executors_count, TROUPE_WORKERS);
    GP_REQUIRE_EQ(sim_spawn(t->hosts[3], args, &proc), 0);
    TROUPE_UNTIL(t, troupe_is_well(t));
    end(t);
}

GP_TEST(recovery, restarts_a_task_that_fails_in_its_next_session)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor *e;
        uint32_t task = 0;
        uint64_t session;
        int64_t since_ns;

        begin(t, seed);
        e = troupe_executor(t, 1);
        while (e->sessions[1][task] == 0) {
            task++;
        }
        session = e->sessions[1][task];
        since_ns = sim_now_ns(t->sim);
        troupe_fail_task(e, 1, task, "division by zero");
        TROUPE_UNTIL(t, e->sessions[1][task] > session);
        GP_CHECK(sim_now_ns(t->sim) - since_ns >= 100 * MS_NS);
        TROUPE_UNTIL(t, troupe_is_well(t));
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        GP_CHECK_EQ(e->assigns, 1);
        for (uint32_t k = 0; k < TROUPE_TASKS; k++) {
            GP_CHECK(k == task || e->sessions[1][k] == 0 || e->sessions[1][k] == session);
        }
        troupe_describe(t);
        GP_CHECK(strstr(t->live.events[0].text, "in its process(): division by zero") != NULL);
        end(t);
    }
}

GP_TEST(recovery, fails_with_the_first_reason_when_the_budget_is_spent)
{
    struct troupe *t = troupe_new();
    char why[32];

    t->restarts = 3;
    begin(t, 1);
    for (uint32_t i = 0; i < 4; i++) {
        struct fake_executor *e = troupe_executor(t, 0);
        uint32_t task = 0;
        while (e->sessions[0][task] == 0) {
            task++;
        }
        (void)str_format(why, sizeof why, "mistake %u", i);
        troupe_fail_task(e, 0, task, why);
        if (i < 3) {
            TROUPE_UNTIL(t, !troupe_is_well(t));
            TROUPE_UNTIL(t, troupe_is_well(t));
        }
    }
    TROUPE_UNTIL(t, t->exit_code >= 0);
    GP_CHECK_EQ(t->state, APP_FAILED);
    GP_CHECK(strstr(t->error, "mistake 0") != NULL);
    GP_CHECK(strstr(t->error, "it was restarted 3 times within 60 s") != NULL);
    GP_CHECK(strstr(t->error, "mistake 3") != NULL);
    TROUPE_UNTIL(t, troupe_living(t) == 0);
    end(t);
}

/* What does not open the first time never will. */
GP_TEST(recovery, fails_at_once_when_a_task_does_not_open_at_the_start)
{
    struct troupe *t = troupe_new();

    t->failing_opens = 1;
    troupe_begin(t, 1);
    TROUPE_UNTIL(t, t->exit_code >= 0);
    GP_CHECK_EQ(t->state, APP_FAILED);
    GP_CHECK_STR_EQ(t->error, "processor 'count', task 1: cannot open");
    end(t);
}

GP_TEST(recovery, tries_again_when_a_task_does_not_open_later)
{
    struct troupe *t = troupe_new();

    begin(t, 1);
    t->failing_opens = 2;
    sim_kill(troupe_executor(t, 0)->proc);
    TROUPE_UNTIL(t, t->failing_opens == 0 && troupe_is_well(t));
    GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
    end(t);
}

GP_TEST(recovery, takes_over_what_an_earlier_appmaster_left)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor before[TROUPE_WORKERS];
        uint32_t requests;

        begin(t, seed);
        requests = t->requests;
        for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
            before[i] = *troupe_executor(t, i);
        }
        sim_kill(t->appmaster_proc);
        troupe_run_ms(t, 50);
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_is_well(t));
        for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
            check_untouched(&before[i], &t->executors_of[before[i].id]);
        }
        GP_CHECK_EQ(t->requests, requests);
        troupe_describe(t);
        GP_CHECK(strstr(t->live.events[0].text, "the next one (epoch 2) took over") != NULL);
        end(t);
    }
}

/* Where a source was is known even if it dies together with the appmaster that was told. */
GP_TEST(recovery, restores_sources_that_die_with_their_appmaster)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor *e;
        uint32_t task = 0;

        begin(t, seed);
        e = troupe_executor(t, 1);
        while (e->sessions[0][task] == 0) {
            task++;
        }
        troupe_tell_state(e, 0, task, "c0ffee");
        troupe_run_ms(t, 1500);
        sim_kill(e->proc);
        sim_kill(t->appmaster_proc);
        troupe_run_ms(t, 50);
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_is_well(t));
        e = troupe_executor(t, TROUPE_WORKERS - 1); /* the latest */
        GP_CHECK(e->sessions[0][task] != 0);
        GP_CHECK_EQ(e->states, 1);
        troupe_describe(t);
        GP_CHECK(strstr(t->live.events[t->live.events_count - 1].text,
                        "restored at the last reported state") != NULL);
        end(t);
    }
}

/* However often they speak, the master is told once a second; and nothing else is held up by it. */
GP_TEST(recovery, has_states_of_sources_kept_once_a_second)
{
    struct troupe *t = troupe_new();
    uint64_t puts;

    begin(t, 1);
    troupe_run_ms(t, 2000);
    puts = t->puts;
    for (uint32_t i = 0; i < 100; i++) {
        struct fake_executor *e = troupe_executor(t, i % TROUPE_WORKERS);
        uint32_t task = 0;
        while (e->sessions[0][task] == 0) {
            task++;
        }
        troupe_tell_state(e, 0, task, i % 2 == 0 ? "00" : "01");
        troupe_run_ms(t, 100);
    }
    GP_CHECK(t->puts - puts >= 9 && t->puts - puts <= 12);
    end(t);
}

/* One budget for all: what an executor needed, its appmaster lacks, and the other way round. */
GP_TEST(recovery, draws_from_the_same_budget_in_every_epoch)
{
    struct troupe *t = troupe_new();

    t->restarts = 3;
    begin(t, 1);
    sim_kill(troupe_executor(t, 0)->proc);
    TROUPE_UNTIL(t, !troupe_is_well(t));
    TROUPE_UNTIL(t, troupe_is_well(t));
    sim_kill(t->appmaster_proc);
    troupe_run_ms(t, 50);
    troupe_start_appmaster(t);
    TROUPE_UNTIL(t, troupe_is_well(t));
    troupe_describe(t);
    GP_CHECK_EQ(t->live.restarts, 2);
    sim_kill(troupe_executor(t, 0)->proc);
    TROUPE_UNTIL(t, !troupe_is_well(t));
    TROUPE_UNTIL(t, troupe_is_well(t));
    GP_CHECK_EQ(t->drawn_count, 3);
    sim_kill(troupe_executor(t, 0)->proc);
    TROUPE_UNTIL(t, t->exit_code >= 0);
    GP_CHECK_EQ(t->state, APP_FAILED);
    GP_CHECK(strstr(t->error, "(it was restarted 3 times within 60 s, which is the limit") != NULL);
    end(t);
}

/* What was counted before is no speed of now. */
GP_TEST(recovery, measures_rates_from_the_moment_it_took_over)
{
    struct troupe *t = troupe_new();

    begin(t, 1);
    troupe_report(troupe_executor(t, 0), 1000000000);
    troupe_run_ms(t, 1500);
    sim_kill(t->appmaster_proc);
    troupe_run_ms(t, 300);
    troupe_start_appmaster(t);
    TROUPE_UNTIL(t, troupe_is_well(t));
    for (uint32_t i = 0; i < 3; i++) {
        troupe_report(troupe_executor(t, 0), 1000000000 + 50 * i);
        troupe_run_ms(t, 500);
        troupe_describe(t);
        GP_REQUIRE_EQ(t->live.edges_count, 1);
        GP_CHECK(t->live.edges[0].messages >= 1000000000);
        GP_CHECK(t->live.edges[0].rate < 1000);
    }
    troupe_run_ms(t, 500);
    troupe_describe(t);
    GP_CHECK(t->live.edges[0].rate > 0);
    end(t);
}

/* One that never ran can have lost nothing. */
GP_TEST(recovery, counts_no_losses_of_who_never_ran)
{
    struct troupe *t = troupe_new();

    troupe_begin(t, 1);
    TROUPE_UNTIL(t, troupe_living(t) > 0);
    sim_kill(troupe_executor(t, 0)->proc);
    TROUPE_UNTIL(t, troupe_is_well(t));
    troupe_describe(t);
    GP_CHECK(t->live.restarts > 0);
    GP_CHECK(!t->live.is_lost_at_least);
    end(t);
}

/* Nothing outlives its worker, so there is nobody to wait for where no worker listens. */
GP_TEST(recovery, takes_over_soon_when_the_worker_died_too)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor *dead;
        int64_t since_ns;

        begin(t, seed);
        dead = troupe_executor(t, 1);
        since_ns = sim_now_ns(t->sim);
        sim_kill(t->workers[dead->worker - 1].proc);
        sim_kill(dead->proc);
        sim_kill(t->appmaster_proc);
        troupe_run_ms(t, 50);
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_is_well(t));
        GP_CHECK(sim_now_ns(t->sim) - since_ns < SECOND);
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        end(t);
    }
}

GP_TEST(recovery, takes_over_at_any_moment_and_replaces_who_does_not_come)
{
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct rng rng;

        rng_init(&rng, seed);
        troupe_begin(t, seed);
        if (seed % 2 == 0) {
            TROUPE_UNTIL(t, troupe_is_well(t));
            sim_kill(troupe_executor(t, 0)->proc);
        }
        troupe_run_ms(t, (int64_t)rng_below(&rng, 30));
        sim_kill(t->appmaster_proc);
        if (troupe_living(t) > 0) {
            sim_kill(troupe_executor(t, (uint32_t)rng_below(&rng, troupe_living(t)))->proc);
        }
        troupe_run_ms(t, (int64_t)rng_below(&rng, 100));
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_is_well(t));
        end(t);
    }
}

/* Frozen while its successor began: it does no harm, and ends. */
GP_TEST(recovery, ends_an_appmaster_whose_epoch_is_over)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor before;
        struct sim_proc *old;
        struct proc_exit how;

        begin(t, seed);
        before = *troupe_executor(t, 0);
        old = t->appmaster_proc;
        t->epoch++; /* the leader has decided so */
        (void)sim_reset(old, t->master_proc);
        TROUPE_UNTIL(t, sim_proc_ended(old, &how) == 0);
        GP_CHECK_EQ(how.code, APPMASTER_EXIT_STALE);
        troupe_run_ms(t, 10);
        check_untouched(&before, &t->executors_of[before.id]);
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        t->epoch--;
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_is_well(t));
        end(t);
    }
}

GP_TEST(recovery, goes_on_without_a_master_until_one_is_there)
{
    struct troupe *t = troupe_new();
    const char *args[] = {"master", NULL};
    struct sim_proc *proc;

    begin(t, 1);
    sim_kill(t->master_proc);
    troupe_run_ms(t, 100);
    sim_kill(troupe_executor(t, 0)->proc);
    troupe_run_ms(t, 20000);
    GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS - 1);
    GP_REQUIRE_EQ(sim_spawn(t->hosts[0], args, &proc), 0);
    TROUPE_UNTIL(t, troupe_living(t) == TROUPE_WORKERS && troupe_is_well(t));
    end(t);
}

/* ---- executors that live and cannot reach each other ---- */

static void cut(struct fake_executor *a, struct fake_executor *b)
{
    troupe_miss(a, (const struct fake_executor *[]){b, NULL});
    troupe_miss(b, (const struct fake_executor *[]){a, NULL});
}

/* Two that wait for each other would wait for ever: one goes to where it can be reached. */
GP_TEST(recovery, gives_up_one_of_two_that_cannot_reach_each_other)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();
        struct fake_executor *a;
        struct fake_executor *b;
        uint32_t worker;
        int64_t since_ns;

        begin(t, seed);
        a = troupe_executor(t, 0);
        b = troupe_executor(t, 2);
        worker = b->worker;
        since_ns = sim_now_ns(t->sim);
        cut(a, b);
        TROUPE_UNTIL(t, !b->alive);
        GP_CHECK(sim_now_ns(t->sim) - since_ns >= 3 * SECOND);
        GP_CHECK(sim_now_ns(t->sim) - since_ns < 4 * SECOND);
        troupe_miss(a, NULL);
        TROUPE_UNTIL(t, troupe_is_well(t));
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        GP_CHECK_EQ(t->avoided, 1);
        for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
            GP_CHECK(troupe_executor(t, i)->worker != worker);
        }
        troupe_describe(t);
        GP_CHECK_EQ(t->live.restarts, 1);
        GP_CHECK_EQ(t->live.events_count, 1);
        GP_CHECK(strstr(t->live.events[0].text, " could not reach each other for 3 s") != NULL);
        GP_CHECK(t->live.events[0].took_ms >= 0);
        end(t);
    }
}

/* One side alone: its lane waits in user code, say. Or it is over in a moment, again and again. */
GP_TEST(recovery, gives_up_nobody_who_is_missed_for_a_moment_or_by_one_side)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = troupe_new();

        begin(t, seed);
        troupe_miss(troupe_executor(t, 0), (const struct fake_executor *[]){
                                               troupe_executor(t, 1), troupe_executor(t, 2), NULL});
        troupe_run_ms(t, 20000);
        for (uint32_t i = 0; i < 10; i++) {
            cut(troupe_executor(t, 0), troupe_executor(t, 1));
            troupe_run_ms(t, 2500);
            troupe_miss(troupe_executor(t, 1), NULL);
            troupe_run_ms(t, 500);
        }
        GP_CHECK_EQ(t->recoverings, 0);
        GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
        GP_CHECK(troupe_is_well(t));
        end(t);
    }
}

/* An appmaster that was frozen has looked at nothing meanwhile. */
GP_TEST(recovery, gives_others_time_when_it_was_frozen_itself)
{
    struct troupe *t = troupe_new();

    begin(t, 1);
    cut(troupe_executor(t, 0), troupe_executor(t, 1));
    troupe_run_ms(t, 1500);
    sim_pause(t->appmaster_proc);
    troupe_run_ms(t, 2000);
    troupe_miss(troupe_executor(t, 0), NULL);
    troupe_run_ms(t, 100);
    sim_resume(t->appmaster_proc);
    troupe_run_ms(t, 5000);
    GP_CHECK_EQ(t->recoverings, 0);
    GP_CHECK_EQ(troupe_living(t), TROUPE_WORKERS);
    end(t);
}

/* No room but there: it waits, tries whether the network is whole, ever more rarely, and never
 * fails. */
GP_TEST(recovery, tries_the_other_side_again_now_and_then)
{
    struct troupe *t = troupe_new();
    uint32_t tries = 0;
    int64_t since_ns;

    t->slots = 4;
    begin(t, 1);
    since_ns = sim_now_ns(t->sim);
    while (sim_now_ns(t->sim) - since_ns < 600 * SECOND) {
        cut(troupe_executor(t, 0), troupe_executor(t, 2));
        TROUPE_UNTIL(t, troupe_living(t) == TROUPE_WORKERS - 1);
        tries++;
        troupe_miss(troupe_executor(t, 0), NULL);
        troupe_run_ms(t, 3000);
        troupe_describe(t);
        GP_CHECK(strstr(t->live.events[t->live.events_count - 1].text,
                        "(1 worker is left out for a while") != NULL);
        for (uint32_t i = 0; i < 6 && !troupe_is_well(t); i++) {
            troupe_run_ms(t, 100000);
        }
        GP_REQUIRE(troupe_is_well(t));
    }
    GP_CHECK(tries >= 3 && tries < 8);
    end(t);
}
