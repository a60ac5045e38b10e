/*
 * Random jobs that things happen to: tasks fail and are restarted, links are cut, executors die and
 * are replaced, tasks move with their state in the middle of that, all from a seed. attack.h says
 * what is proven of them. GP_TRIAL_FIRST and GP_TRIAL_SEEDS choose other seeds or more of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attack.h"
#include "gp_test.h"

#define FAULTS_MAX 12u

/* The placement as the rig makes it, task by task. Called by the first one who needs it. */
static void learn_places(struct run *run)
{
    const struct placement *placement = &run->rig.placement;

    for (uint32_t r = 0; r < placement->count; r++) {
        const struct placement_range *range = &placement->ranges[r];

        for (uint32_t i = range->first; i < range->first + range->count; i++) {
            struct place *p = &run->places[range->processor][i];

            p->executor = range->executor - 1;
            p->lane = range->lane;
            p->session = range->session;
            p->since = range->session;
        }
    }
}

static void disturb_known(struct rig *rig, void *world)
{
    learn_places(rig->user);
    attack_disturb(rig, world);
}

static void draw(struct run *run)
{
    static const uint32_t windows[] = {200, 1000, 8192, 1u << 20};
    static const uint32_t sizes[] = {1, 2, 3, 5, 12};
    struct rig *rig = &run->rig;
    uint32_t counts[STAGES];

    rng_init(&run->rng, run->seed);
    rig_begin(rig);
    rig->user = run;
    rig->executors = 2 + (uint32_t)rng_below(&run->rng, 3);
    rig->lanes = 1 + (uint32_t)rng_below(&run->rng, 2);
    rig->same_host = rng_below(&run->rng, 2) == 0;
    rig->options.batch_bytes = rng_below(&run->rng, 2) ? 4096 : BATCH_FRAME_SIZE;
    rig->options.window_max_bytes = windows[rng_below(&run->rng, 4)];
    rig->options.window_min_bytes = 200;
    rig->options.large_budget_bytes = rng_below(&run->rng, 2) ? 65536 : 1u << 20;
    run->large_every = rng_below(&run->rng, 2) ? 0 : 20;
    run->rows = 200 + rng_below(&run->rng, 2000);
    run->faults = 1 + (uint32_t)rng_below(&run->rng, FAULTS_MAX);
    for (uint32_t p = 0; p < STAGES; p++) {
        static const char *const names[] = {"source", "mid", "sink"};

        counts[p] = sizes[rng_below(&run->rng, 5)];
        (void)rig_add(rig, &(struct rig_processor){.name = names[p],
                                                   .table = p == 0 ? &attack_source : &attack_sink,
                                                   .parallelism = counts[p],
                                                   .user = run});
    }
    rig_connect(rig, 0, 1, (uint32_t)rng_below(&run->rng, PLAN_BROADCAST + 1u));
    rig_connect(rig, 1, 2, (uint32_t)rng_below(&run->rng, PLAN_BROADCAST + 1u));
    rig_connect(rig, 0, 2, rng_below(&run->rng, 2) ? PLAN_LOCAL : PLAN_HASH);
    rig->edges[2].to_port = 1;
    rig->disturb = disturb_known;
    rig->until = attack_has_ended;
    rig->before_stop = attack_check_end;
    rig->on_failed = attack_on_failed;
    rig->on_moved = attack_on_moved;
    rig->patience_ns = INT64_C(200000000000);
    run->generation = 1;
}

static void free_states(struct run *run)
{
    for (uint32_t k = 0; k < STAGES * TASKS_MAX; k++) {
        free(run->places[k / TASKS_MAX][k % TASKS_MAX].state);
    }
}

enum {
    CUTS = 1,
    FAILS = 2,
    KILLS = 4,
    MOVES = 8,
};

static const char *const happenings[HAPPENINGS] = {[KILLED] = "killed",
                                                   [CUT] = "cut",
                                                   [FAILED] = "failed",
                                                   [RESTARTED] = "restarted",
                                                   [LOST] = "rows lost",
                                                   [STALE] = "rows stale",
                                                   [DOUBTED] = "in doubt",
                                                   [MOVED] = "moved",
                                                   [RESUMED] = "resumed",
                                                   [REFUSED] = "refused",
                                                   [CANCELLED] = "moves cancelled",
                                                   [BEREAVED] = "states died",
                                                   [ADOPTED] = "states adopted"};

static void attack(const char *claim, uint64_t seeds, uint32_t what, uint64_t h[HAPPENINGS])
{
    struct run *run = malloc(sizeof(*run));
    uint64_t first = rig_from_env("GP_TRIAL_FIRST", 1);
    uint32_t failed = 0;

    seeds = rig_from_env("GP_TRIAL_SEEDS", seeds);
    for (uint64_t seed = first; seed < first + seeds && failed < 3; seed++) {
        memset(run, 0, sizeof(*run));
        run->seed = seed;
        run->cuts = what & CUTS;
        run->fails = what & FAILS;
        run->kills = what & KILLS;
        run->has_moves = what & MOVES;
        draw(run);
        (void)rig_run_simulated(&run->rig, seed);
        if (!run->broken) {
            attack_check_counts(run);
        }
        attack_free_selves(run);
        free_states(run);
        run->happened[LOST] = counter_get(&run->rig.seen.rows_lost);
        run->happened[STALE] = counter_get(&run->rig.seen.stale_rows);
        run->happened[DOUBTED] = counter_get(&run->rig.seen.rows_in_doubt);
        for (uint32_t i = 0; i < HAPPENINGS; i++) {
            h[i] += run->happened[i];
        }
        if (run->broken) {
            failed++;
            fprintf(stderr,
                    "seed %llu: %s\n  to repeat: GP_TRIAL_FIRST=%llu GP_TRIAL_SEEDS=1 "
                    "test_data_attack_faults --filter 'attack_faults/%s'\n",
                    (unsigned long long)seed, run->text, (unsigned long long)seed, claim);
        }
    }
    GP_CHECK_EQ(failed, 0);
    for (uint32_t i = 0; i < HAPPENINGS && getenv("RIG_VERBOSE"); i++) {
        fprintf(stderr, "%llu %s%s", (unsigned long long)h[i], happenings[i],
                i + 1 < HAPPENINGS ? ", " : "\n");
    }
    free(run);
}

static bool is_whole(uint64_t seeds)
{
    return rig_from_env("GP_TRIAL_SEEDS", seeds) >= seeds;
}

GP_TEST(attack_faults, tasks_are_restarted)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("tasks_are_restarted", 100, FAILS, h);
    GP_CHECK(!is_whole(100) || (h[FAILED] > 0 && h[RESTARTED] > 0 && h[LOST] > 0 && h[STALE] > 0));
}

GP_TEST(attack_faults, links_are_cut)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("links_are_cut", 100, CUTS | FAILS, h);
    GP_CHECK(!is_whole(100) || (h[CUT] > 0 && h[FAILED] > 0 && h[LOST] > 0));
}

GP_TEST(attack_faults, executors_die)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("executors_die", 100, CUTS | FAILS | KILLS, h);
    GP_CHECK(!is_whole(100) || (h[KILLED] > 0 && h[CUT] > 0 && h[DOUBTED] > 0));
}

GP_TEST(attack_faults, tasks_move_and_fail)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("tasks_move_and_fail", 100, FAILS | MOVES, h);
    GP_CHECK(!is_whole(100) || (h[RESUMED] > 0 && h[REFUSED] > 0 && h[CANCELLED] > 0));
}

GP_TEST(attack_faults, tasks_move_over_links_that_are_cut)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("tasks_move_over_links_that_are_cut", 100, CUTS | MOVES, h);
    GP_CHECK(!is_whole(100) || (h[CUT] > 0 && h[RESUMED] > 0 && h[LOST] > 0));
}

GP_TEST(attack_faults, tasks_move_among_executors_that_die)
{
    uint64_t h[HAPPENINGS] = {0};

    attack("tasks_move_among_executors_that_die", 100, CUTS | FAILS | KILLS | MOVES, h);
    GP_CHECK(!is_whole(100) ||
             (h[KILLED] > 0 && h[RESUMED] > 0 && h[BEREAVED] > 0 && h[ADOPTED] > 0));
}
