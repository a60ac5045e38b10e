/*
 * Random jobs, each from a seed: what trial.h proves must hold of all of them. A failing seed
 * prints how to repeat it; GP_TRIAL_FIRST and GP_TRIAL_SEEDS choose others or more of them.
 */
#include "gp_test.h"
#include "trial.h"

/* What must have happened over many seeds, or they prove less than they seem to. */
struct happened {
    uint64_t yields;
    uint64_t waits;
    uint64_t rejects;
    uint64_t delayed;
    uint64_t large;
    uint64_t blocked;
    uint64_t full;
    uint64_t fused;
    uint64_t spilled;
    struct trial_moves moves;
};

static void add_up(struct happened *h, const struct trial *t)
{
    h->yields += t->yields;
    h->waits += t->waits;
    h->rejects += t->rejects;
    h->delayed += t->delayed;
    h->large += counter_get(&t->rig.seen.large);
    h->blocked += counter_get(&t->rig.seen.blocked);
    h->full += counter_get(&t->rig.seen.batches_full);
    h->fused += counter_get(&t->rig.seen.fused);
    h->spilled += counter_get(&t->rig.seen.spilled);
    h->moves.asked += t->moved.asked;
    h->moves.moved += t->moved.moved;
    h->moves.came_back += t->moved.came_back;
    h->moves.cancelled += t->moved.cancelled;
    h->moves.ended += t->moved.ended;
}

static void run_seeds(const char *claim, uint64_t first, uint64_t seeds,
                      const struct trial_world *world)
{
    struct trial *t = malloc(sizeof(*t));
    struct happened h = {0};
    uint32_t failed = 0;

    first = rig_from_env("GP_TRIAL_FIRST", first);
    seeds = rig_from_env("GP_TRIAL_SEEDS", seeds);
    for (uint64_t seed = first; seed < first + seeds && failed < 3; seed++) {
        const char *wrong = trial_run(t, seed, world);

        add_up(&h, t);
        if (wrong) {
            failed++;
            fprintf(stderr,
                    "seed %llu: %s\n  to repeat: GP_TRIAL_FIRST=%llu GP_TRIAL_SEEDS=1 "
                    "test_data_attack_graphs --filter 'attack_graphs/%s'\n",
                    (unsigned long long)seed, wrong, (unsigned long long)seed, claim);
        }
    }
    GP_CHECK_EQ(failed, 0);
    if (seeds >= 100) {
        GP_CHECK(h.yields > 0 && h.waits > 0 && h.rejects > 0 && h.delayed > 0);
        GP_CHECK(h.large > 0 && h.blocked > 0 && h.full > 0);
        GP_CHECK(h.fused > 0 && h.spilled > 0);
        GP_CHECK(!world->moves || (h.moves.moved > 0 && h.moves.came_back > 0 &&
                                   h.moves.cancelled > 0 && h.moves.ended > 0));
    }
    if (getenv("RIG_VERBOSE")) {
        fprintf(stderr, "asked %llu, moved %llu, came back %llu, cancelled %llu, ended %llu\n",
                (unsigned long long)h.moves.asked, (unsigned long long)h.moves.moved,
                (unsigned long long)h.moves.came_back, (unsigned long long)h.moves.cancelled,
                (unsigned long long)h.moves.ended);
        fprintf(stderr, "fused %llu, spilled %llu\n", (unsigned long long)h.fused,
                (unsigned long long)h.spilled);
    }
    free(t);
}

GP_TEST(attack_graphs, one_lane)
{
    run_seeds("one_lane", 1, 100,
              &(struct trial_world){.lanes_max = 1, .executors_max = 1, .row_max = 20000});
}

GP_TEST(attack_graphs, several_lanes)
{
    run_seeds("several_lanes", 1, 300,
              &(struct trial_world){.lanes_max = 4, .executors_max = 1, .row_max = 20000});
}

GP_TEST(attack_graphs, several_executors)
{
    run_seeds("several_executors", 1, 200,
              &(struct trial_world){.lanes_max = 2, .executors_max = 3, .row_max = 10000});
}

GP_TEST(attack_graphs, tasks_that_move)
{
    run_seeds(
        "tasks_that_move", 1, 200,
        &(struct trial_world){.lanes_max = 3, .executors_max = 3, .row_max = 10000, .moves = true});
}

GP_TEST(attack_graphs, chains)
{
    run_seeds("chains", 1, 200,
              &(struct trial_world){
                  .lanes_max = 2, .executors_max = 1, .row_max = 20000, .chains = true});
}

GP_TEST(attack_graphs, chains_that_move)
{
    run_seeds(
        "chains_that_move", 1, 200,
        &(struct trial_world){
            .lanes_max = 2, .executors_max = 2, .row_max = 10000, .chains = true, .moves = true});
}
