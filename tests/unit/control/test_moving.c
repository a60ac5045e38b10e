/*
 * The appmaster moves tasks: to workers that join, off workers that are left, while anybody may
 * die. What a task keeps comes along, nobody runs what another runs, and what was begun comes to an
 * end.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "base/str.h"
#include "gp_test.h"
#include "troupe.h"

#ifndef SEEDS
#define SEEDS GP_FEWER(20, 5)
#endif

/* On two of three workers. */
static struct troupe *begin(uint64_t seed)
{
    struct troupe *t = calloc(1, sizeof *t);

    GP_REQUIRE(t != NULL);
    t->serving = 2;
    troupe_begin(t, seed);
    TROUPE_UNTIL(t, troupe_is_well(t));
    t->serving = 0;
    return t;
}

static void end(struct troupe *t)
{
    troupe_end(t);
    free(t);
}

static uint32_t free_worker(const struct troupe *t)
{
    for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
        if (t->workers[i].used == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Nothing moves, and will for a while. */
static void settle(struct troupe *t)
{
    for (uint32_t i = 0; i < 6000; i++) {
        troupe_describe(t);
        if (t->live.moves.open == 0 && troupe_is_well(t)) {
            uint64_t done = t->live.moves.done;
            troupe_run_ms(t, 100);
            troupe_describe(t);
            if (t->live.moves.open == 0 && t->live.moves.done == done && troupe_is_well(t)) {
                return;
            }
        }
        troupe_run_ms(t, 20);
    }
    GP_TEST_FAIL("%s", "it goes on for ever");
}

GP_TEST(moving, gives_a_worker_that_joined_its_share)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t fresh = t->fresh;
        uint32_t worker = free_worker(t);
        int64_t since_ns = sim_now_ns(t->sim);

        troupe_rebalance(t, 0, true, false);
        GP_CHECK_EQ(t->said_code, 0);
        GP_CHECK_EQ(t->said.moving, 4);
        GP_CHECK_EQ(t->said.refused_count, 0);
        TROUPE_UNTIL(t, troupe_tasks_on(t, worker) == 4);
        settle(t);
        GP_CHECK(sim_now_ns(t->sim) - since_ns < SECOND);
        GP_CHECK_EQ(t->fresh, fresh);
        GP_CHECK_EQ(t->moved, 4);
        GP_CHECK_EQ(t->recoverings, 0);
        GP_CHECK_EQ(t->live.moves.done, 4);
        GP_REQUIRE_EQ(t->live.events_count, 1);
        GP_CHECK(strstr(t->live.events[0].text, "4 tasks moved from worker ") != NULL);
        GP_CHECK(strstr(t->live.events[0].text, "(the test says so)") != NULL);
        GP_CHECK(t->live.events[0].took_ms >= 0);
        GP_CHECK_EQ(t->live.restarts, 0);
        /* And that was it. */
        troupe_rebalance(t, 0, true, false);
        GP_CHECK_EQ(t->said.moving, 0);
        troupe_run_ms(t, 1000);
        GP_CHECK_EQ(t->moved, 4);
        end(t);
    }
}

/* Its executor ends, too, and its slots are free. */
GP_TEST(moving, leaves_a_worker_that_is_drained)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t fresh = t->fresh;
        struct fake_executor *gone = troupe_executor(t, 0);
        uint32_t worker = gone->worker;
        uint32_t join = free_worker(t);
        uint32_t tasks = troupe_tasks_on(t, worker);

        troupe_rebalance(t, worker, false, false);
        GP_CHECK_EQ(t->said.moving, tasks);
        GP_REQUIRE_EQ(t->said.left_count, 1);
        GP_CHECK_EQ(t->said.left[0].worker, worker);
        GP_CHECK_EQ(t->said.left[0].tasks, tasks);
        TROUPE_UNTIL(t, !gone->alive && t->workers[worker - 1].used == 0);
        settle(t);
        GP_CHECK_EQ(troupe_tasks_on(t, join), tasks);
        GP_CHECK_EQ(t->fresh, fresh);
        GP_CHECK_EQ(t->moved, tasks);
        GP_CHECK_EQ(t->recoverings, 0);
        GP_CHECK_EQ(t->live.executors_count, 2);
        GP_CHECK(!t->live.is_lost_at_least);
        GP_CHECK_EQ(t->workers[worker - 1].kills, 0);
        troupe_rebalance(t, worker, false, false);
        GP_CHECK_EQ(t->said.moving, 0);
        GP_CHECK_EQ(t->said.left_count, 0);
        end(t);
    }
}

/* Nowhere else to go: those that are there get more slots. */
GP_TEST(moving, makes_executors_grow_when_there_is_no_other_worker)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        struct fake_executor *gone = troupe_executor(t, 0);
        uint32_t worker = gone->worker;
        uint32_t other = troupe_executor(t, 1)->worker;

        sim_kill(t->workers[free_worker(t) - 1].proc);
        troupe_rebalance(t, worker, false, false);
        TROUPE_UNTIL(t, !gone->alive);
        settle(t);
        GP_CHECK_EQ(troupe_tasks_on(t, other), 2 * TROUPE_TASKS);
        GP_CHECK_EQ(t->workers[other - 1].used, 2 * TROUPE_TASKS);
        GP_CHECK_EQ(troupe_living(t), 1);
        end(t);
    }
}

static bool slots_fit(const struct troupe *t)
{
    for (uint32_t w = 1; w <= TROUPE_WORKERS; w++) {
        uint32_t tasks = troupe_tasks_on(t, w);
        if (troupe_slots_on(t, w) != tasks || t->workers[w - 1].used != tasks) {
            return false;
        }
    }
    return true;
}

/* What tasks have left is free for others; and where they come there is a slot for each. */
GP_TEST(moving, has_slots_where_its_tasks_are)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t joins = free_worker(t);
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, 0, true, false);
        TROUPE_UNTIL(t, troupe_tasks_on(t, joins) == 4);
        if (seed % 2 == 1) {
            GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 5 * (uint64_t)MS_NS), NULL),
                        0);
            sim_kill(t->appmaster_proc);
            troupe_start_appmaster(t);
        }
        TROUPE_UNTIL(t, slots_fit(t) && troupe_is_well(t));
        troupe_rebalance(t, joins, false, false);
        TROUPE_UNTIL(t, slots_fit(t) && troupe_tasks_on(t, joins) == 0);
        end(t);
    }
}

/* The master granted what is not there: tasks stay, and nothing else happens. */
GP_TEST(moving, stays_where_a_worker_has_no_room_after_all)
{
    struct troupe *t = begin(1);
    uint32_t worker = troupe_executor(t, 0)->worker;

    sim_kill(t->workers[free_worker(t) - 1].proc);
    t->refuse_to_grow = true;
    troupe_rebalance(t, worker, false, false);
    settle(t);
    GP_CHECK_EQ(troupe_tasks_on(t, worker), TROUPE_TASKS);
    TROUPE_UNTIL(t, slots_fit(t));
    t->refuse_to_grow = false;
    troupe_rebalance(t, worker, false, false);
    TROUPE_UNTIL(t, slots_fit(t) && troupe_tasks_on(t, worker) == 0);
    end(t);
}

GP_TEST(moving, says_what_there_is_no_room_for)
{
    struct troupe *t = calloc(1, sizeof *t);
    uint32_t worker;

    GP_REQUIRE(t != NULL);
    t->executors = 3;
    t->slots = 5;
    troupe_begin(t, 1);
    TROUPE_UNTIL(t, troupe_is_well(t));
    worker = troupe_executor(t, 0)->worker;
    troupe_rebalance(t, worker, false, false);
    GP_CHECK_EQ(t->said.moving, 2);
    GP_REQUIRE(t->said.refused_count > 0);
    GP_CHECK(strstr(t->said.refused[0].why, "no other worker has room") != NULL);
    TROUPE_UNTIL(t, t->moved == 2);
    settle(t);
    GP_CHECK_EQ(troupe_tasks_on(t, worker), 2);
    troupe_rebalance(t, worker, false, false);
    GP_CHECK_EQ(t->said.moving, 0);
    GP_CHECK_EQ(t->said.left[0].tasks, 2);
    end(t);
}

GP_TEST(moving, leaves_those_whose_state_cannot_come_along)
{
    struct troupe *t = calloc(1, sizeof *t);
    uint32_t worker;
    uint32_t fresh;

    GP_REQUIRE(t != NULL);
    t->executors = 2;
    t->is_rigid = true;
    troupe_begin(t, 1);
    TROUPE_UNTIL(t, troupe_is_well(t));
    fresh = t->fresh;
    worker = troupe_executor(t, 0)->worker;
    troupe_rebalance(t, worker, false, false);
    GP_CHECK_EQ(t->said.moving, 3);
    GP_REQUIRE_EQ(t->said.refused_count, 1);
    GP_CHECK_STR_EQ(t->said.refused[0].processor, "count");
    GP_CHECK_EQ(t->said.refused[0].tasks, 3);
    GP_CHECK(strstr(t->said.refused[0].why, "no snapshot") != NULL);
    TROUPE_UNTIL(t, t->moved == 3);
    settle(t);
    GP_CHECK_EQ(troupe_tasks_on(t, worker), 3);
    GP_CHECK_EQ(t->fresh, fresh);
    GP_CHECK(strstr(t->live.events[0].text, "3 tasks of 'count' stay") != NULL);
    end(t);
}

/* What an executor refuses stays, and is said; forced, it goes without its state. */
GP_TEST(moving, hears_why_a_task_stays)
{
    struct troupe *t = begin(1);
    uint32_t worker = troupe_executor(t, 0)->worker;
    uint32_t tasks = troupe_tasks_on(t, worker);
    uint32_t fresh = t->fresh;

    t->refuse_to_go = 2;
    troupe_rebalance(t, worker, false, false);
    TROUPE_UNTIL(t, t->moved == tasks - 2);
    settle(t);
    GP_CHECK_EQ(t->live.moves.refused, 2);
    troupe_rebalance(t, worker, false, false);
    GP_CHECK_EQ(t->said.moving, 0);
    GP_REQUIRE(t->said.refused_count > 0);
    GP_CHECK(strstr(t->said.refused[0].why, "larger than a message") != NULL);
    GP_CHECK_EQ(troupe_tasks_on(t, worker), 2);
    t->refuse_to_go = 2;
    troupe_rebalance(t, worker, false, true);
    TROUPE_UNTIL(t, troupe_tasks_on(t, worker) == 0);
    settle(t);
    GP_CHECK_EQ(t->fresh, fresh + 2);
    end(t);
}

/* Who joined dies again before it has anything. */
GP_TEST(moving, plans_again_when_somebody_dies)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, 0, true, false);
        for (uint32_t i = 0; i < 3; i++) {
            troupe_run_ms(t, (int64_t)rng_below(&rng, 30));
            if (troupe_living(t) > 0) {
                sim_kill(troupe_executor(t, (uint32_t)rng_below(&rng, troupe_living(t)))->proc);
            }
        }
        settle(t);
        end(t);
    }
}

/* What an executor has of its own. */
static uint32_t tasks_of(const struct fake_executor *e)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < 2 * TROUPE_TASKS; i++) {
        tasks += e->sessions[i / TROUPE_TASKS][i % TROUPE_TASKS] != 0;
    }
    return tasks;
}

static struct fake_executor *executor_on(struct troupe *t, uint32_t worker)
{
    for (uint32_t i = 0; i < troupe_living(t); i++) {
        if (troupe_executor(t, i)->worker == worker) {
            return troupe_executor(t, i);
        }
    }
    return NULL;
}

/* Who was to take them died: what had not come yet is still at hand. */
GP_TEST(moving, keeps_what_had_not_come_to_one_that_died)
{
    for (uint64_t seed = 0; seed < 6 * SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t worker = free_worker(t);
        uint32_t fresh = t->fresh;
        uint32_t lost;
        struct fake_executor *e;
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, 0, true, false);
        TROUPE_UNTIL(t, executor_on(t, worker) != NULL && executor_on(t, worker)->started);
        GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 12 * (uint64_t)MS_NS), NULL), 0);
        e = executor_on(t, worker);
        lost = tasks_of(e);
        sim_kill(e->proc);
        if (seed % 2 == 1) {
            GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 4 * (uint64_t)MS_NS), NULL),
                        0);
            sim_kill(t->appmaster_proc);
            troupe_start_appmaster(t);
        }
        TROUPE_UNTIL(t, troupe_is_well(t));
        settle(t);
        /* It may not have said yet what it had; and what only the appmaster knew is gone with
         * it. */
        GP_CHECK(t->fresh == fresh || t->fresh == fresh + lost || seed % 2 == 1);
        end(t);
    }
}

static uint32_t left_of(const struct fake_executor *e)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < 2 * TROUPE_TASKS; i++) {
        tasks += e->left[i / TROUPE_TASKS][i % TROUPE_TASKS] != 0;
    }
    return tasks;
}

/* Six that have left, and whoever kept that is dead: all at once come to the one in its place. */
GP_TEST(moving, brings_more_than_a_message_holds)
{
    struct troupe *t = begin(1);
    struct fake_executor *gone = troupe_executor(t, 0);
    uint32_t fresh = t->fresh;

    t->state_chars = 300000;
    troupe_rebalance(t, gone->worker, false, false);
    TROUPE_UNTIL(t, left_of(gone) == TROUPE_TASKS);
    t->deaf_to_update = true; /* so they stay with the appmaster */
    troupe_run_ms(t, 1000);
    sim_kill(gone->proc);
    TROUPE_UNTIL(t, t->moved == TROUPE_TASKS || t->exit_code >= 0);
    GP_CHECK_EQ(t->exit_code, -1);
    GP_CHECK_EQ(t->fresh, fresh);
    end(t);
}

/* The next appmaster goes on where the one before was, and nothing is lost by it. */
GP_TEST(moving, goes_on_in_the_next_epoch)
{
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct troupe *t = begin(seed);
        struct fake_executor *gone = troupe_executor(t, 0);
        uint32_t fresh = t->fresh;
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, gone->worker, false, false);
        for (uint32_t i = 0; i < 1 + seed % 3; i++) {
            /* In steps of less than it takes from one message to the next. */
            GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 12 * (uint64_t)MS_NS), NULL),
                        0);
            sim_kill(t->appmaster_proc);
            troupe_start_appmaster(t);
        }
        TROUPE_UNTIL(t, troupe_is_well(t));
        troupe_rebalance(t, gone->worker, false, false);
        TROUPE_UNTIL(t, !gone->alive);
        settle(t);
        GP_CHECK_EQ(t->fresh, fresh);
        end(t);
    }
}

/* What was answered is done, by whichever appmaster; nobody asks twice. */
GP_TEST(moving, reaches_the_goal_of_an_epoch_before)
{
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t fresh = t->fresh;
        uint32_t worker = free_worker(t);
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, 0, true, false);
        GP_REQUIRE_EQ(t->said_code, 0);
        GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 20 * (uint64_t)MS_NS), NULL), 0);
        sim_kill(t->appmaster_proc);
        troupe_start_appmaster(t);
        TROUPE_UNTIL(t, troupe_tasks_on(t, worker) == 4 && troupe_is_well(t));
        settle(t);
        GP_CHECK_EQ(t->fresh, fresh);
        end(t);
    }
}

/* Another wish in the middle of one: the latest counts. */
GP_TEST(moving, comes_to_no_worker_that_is_to_be_left)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        uint32_t fresh = t->fresh;
        uint32_t joins = free_worker(t);
        struct rng rng;

        rng_init(&rng, seed);
        troupe_rebalance(t, 0, true, false);
        GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 30 * (uint64_t)MS_NS), NULL), 0);
        troupe_rebalance(t, joins, false, false);
        settle(t);
        troupe_run_ms(t, 11000); /* what was cut short is tried again */
        troupe_rebalance(t, joins, false, false);
        TROUPE_UNTIL(t, troupe_tasks_on(t, joins) == 0);
        settle(t);
        TROUPE_UNTIL(t, t->workers[joins - 1].used == 0);
        GP_CHECK_EQ(t->fresh, fresh);
        end(t);
    }
}

/* What would run there might be cut off from the others, as what ran there was. */
GP_TEST(moving, comes_to_no_worker_that_was_cut_off)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct troupe *t = begin(seed);
        struct fake_executor *first = troupe_executor(t, 0);
        struct fake_executor *second = troupe_executor(t, 1);
        uint32_t worker;
        uint32_t requests;

        troupe_miss(first, (const struct fake_executor *const[]){second, NULL});
        troupe_miss(second, (const struct fake_executor *const[]){first, NULL});
        TROUPE_UNTIL(t, !first->alive || !second->alive);
        worker = first->alive ? second->worker : first->worker;
        troupe_miss(first->alive ? first : second, NULL);
        TROUPE_UNTIL(t, troupe_is_well(t));
        requests = t->requests;
        troupe_rebalance(t, 0, true, false);
        settle(t);
        troupe_run_ms(t, 5000);
        GP_CHECK_EQ(t->said_code, 0);
        GP_CHECK_EQ(troupe_tasks_on(t, worker), 0);
        GP_CHECK_EQ(t->requests, requests); /* nothing is begun instead, either */
        GP_CHECK_EQ(troupe_living(t), 2);
        troupe_run_ms(t, 20000); /* for a while */
        troupe_rebalance(t, 0, true, false);
        TROUPE_UNTIL(t, troupe_tasks_on(t, worker) > 0);
        end(t);
    }
}

/* Executors, workers and appmasters die, tasks fail, wishes come: in the end all is where it should
 * be. */
GP_TEST(moving, survives_whatever_happens)
{
    for (uint64_t seed = 0; seed < 5 * SEEDS; seed++) {
        struct troupe *t = begin(seed);
        struct rng rng;

        rng_init(&rng, seed);
        t->restarts = 100;
        for (uint32_t i = 0; i < 12; i++) {
            uint32_t living;
            GP_CHECK_EQ(sim_run_for(t->sim, (int64_t)rng_below(&rng, 60 * (uint64_t)MS_NS), NULL),
                        0);
            if (t->exit_code >= 0) {
                break; /* more than its budget */
            }
            living = troupe_living(t);
            switch (rng_below(&rng, 8)) {
            case 0:
                if (living > 0) {
                    sim_kill(troupe_executor(t, (uint32_t)rng_below(&rng, living))->proc);
                }
                break;
            case 1:
                if (t->epoch + 1 < TROUPE_EPOCHS) {
                    sim_kill(t->appmaster_proc);
                    troupe_start_appmaster(t);
                }
                break;
            case 2:
                t->refuse_to_go = (uint32_t)rng_below(&rng, 3);
                break;
            default:
                TROUPE_UNTIL(t, t->appmaster_peer != NULL);
                troupe_rebalance(t, (uint32_t)rng_below(&rng, TROUPE_WORKERS + 1),
                                 rng_below(&rng, 2) == 0, rng_below(&rng, 3) == 0);
                break;
            }
        }
        if (t->exit_code < 0) {
            TROUPE_UNTIL(t, troupe_is_well(t));
            t->refuse_to_go = 0;
            troupe_run_ms(t, 11000);
            troupe_rebalance(t, 2, false, false);
            TROUPE_UNTIL(t, troupe_tasks_on(t, 2) == 0);
            settle(t);
        }
        end(t);
    }
}
