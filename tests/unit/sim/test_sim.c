/*
 * The world as a whole: one seed is one run, time moves by events alone, a hang is told.
 */
#include "base/assert.h"
#include "gp_test.h"
#include "sim/sim.h"
#include "town.h"

/* A busy town: two servers, clients on every host, one of them killed on the way. */
static uint64_t live(struct town *town, uint64_t seed, bool with_trace)
{
    struct sim_options options = town_options(town, seed);
    struct sim_proc *clients[6];
    struct sim_proc *victim;
    uint64_t hash;

    options.trace_events = with_trace;
    options.log_level = with_trace ? LOG_LEVEL_DEBUG : LOG_LEVEL_OFF;
    town_begin(town, &options);
    (void)town_spawn(town, 0, "server");
    (void)town_spawn(town, 1, "server");
    GP_CHECK_EQ(sim_run_for(town->sim, 20000000, NULL), 0);
    victim = town_spawn(town, 2, "client 10.0.0.1 4000000");
    GP_CHECK_EQ(sim_run_for(town->sim, 20000000, NULL), 0);
    for (int i = 0; i < 6; i++) {
        clients[i] = town_spawn(
            town, i % 4, i % 2 == 0 ? "client 10.0.0.1 20000" : "parent client 10.0.0.2 9000");
    }
    GP_CHECK_EQ(sim_run_for(town->sim, 3000000, NULL), 0);
    sim_kill(victim);
    for (int i = 0; i < 6; i++) {
        GP_CHECK_EQ(town_wait(town, clients[i]), 0);
    }
    GP_CHECK_EQ(sim_event_count(town->sim, "link.opened"), 7);
    hash = sim_trace_hash(town->sim);
    return hash;
}

GP_TEST(sim, repeats_a_run_from_its_seed)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct town first;
        struct town second;
        uint64_t first_hash = live(&first, seed, true);
        uint64_t second_hash = live(&second, seed, true);

        GP_CHECK_EQ(first_hash, second_hash);
        GP_CHECK_EQ(sim_events(first.sim), sim_events(second.sim));
        GP_CHECK_EQ(sim_now_ns(first.sim), sim_now_ns(second.sim));
        GP_CHECK(buf_len(&first.trace) > 10000);
        GP_CHECK_STR_EQ(buf_c(&first.trace), buf_c(&second.trace));
        town_end(&first);
        town_end(&second);
    }
}

GP_TEST(sim, gives_another_run_for_another_seed)
{
    uint64_t seen[30];

    for (uint64_t seed = 0; seed < 30; seed++) {
        struct town town;

        seen[seed] = live(&town, seed, false);
        town_end(&town);
        for (uint64_t other = 0; other < seed; other++) {
            GP_CHECK_NE(seen[other], seen[seed]);
        }
    }
}

/* Looking must not change what is seen. */
GP_TEST(sim, goes_the_same_way_untraced)
{
    struct town traced;
    struct town untraced;

    GP_CHECK_EQ(live(&traced, 7, true), live(&untraced, 7, false));
    GP_CHECK_EQ(buf_len(&untraced.trace), 0);
    town_end(&traced);
    town_end(&untraced);
}

/* What never happens is not tested: over some seeds, nearly all of it does. */
GP_TEST(sim, comes_across_everything)
{
    static const char *const names[] = {
        "sim.accept_backlogged", "sim.callback_reordered", "sim.callback_waited",
        "sim.proc_exited",       "sim.proc_killed",        "sim.read_asked_twice",
        "sim.read_end",          "sim.read_partial",       "sim.read_paused",
        "sim.runner_slept",      "sim.runner_stayed_up",   "sim.runner_woken",
        "sim.stream_reset",      "sim.write_partial",      "sim.runner_woken_awake",
        "link.closed",           "link.write_failed",
    };
    uint64_t counts[ARRAY_LEN(names)] = {0};

    for (uint64_t seed = 100; seed < 160; seed++) {
        struct town town;

        (void)live(&town, seed, false);
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            counts[i] += sim_event_count(town.sim, names[i]);
        }
        town_end(&town);
    }
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (counts[i] == 0) {
            GP_CHECK_STR_EQ(names[i], "seen");
        }
    }
}

static bool never(void *user)
{
    (void)user;
    return false;
}

GP_TEST(sim, says_when_nothing_is_left_to_happen)
{
    struct town town;
    struct sim_options options = town_options(&town, 1);
    struct gp_error err = {0};

    town_begin(&town, &options);
    (void)town_spawn(&town, 0, "idler");
    GP_CHECK_EQ(sim_run_until(town.sim, never, NULL, &err), GP_ESTATE);
    GP_CHECK(strstr(err.text, "idler running") != NULL);
    town_end(&town);
}

GP_TEST(sim, gives_up_at_its_limits_and_says_who_lives)
{
    struct town town;
    struct sim_options options = town_options(&town, 1);
    struct gp_error err = {0};

    options.event_max = 500;
    town_begin(&town, &options);
    (void)town_spawn(&town, 0, "server");
    GP_CHECK_EQ(sim_run_for(town.sim, 10000000, NULL), 0);
    (void)town_spawn(&town, 1, "client 10.0.0.1 10000000");
    GP_CHECK_EQ(sim_run_until(town.sim, never, NULL, &err), GP_ETIMEOUT);
    GP_CHECK(strstr(err.text, "server running") != NULL);
    GP_CHECK(strstr(err.text, "lane:") != NULL);
    GP_CHECK(strstr(err.text, "peer 10.0.0.1:7000") != NULL);
    GP_CHECK_EQ(sim_events(town.sim), 500);
    town_end(&town);

    options.event_max = 0;
    options.time_max_ns = 5000000;
    town_begin(&town, &options);
    (void)town_spawn(&town, 0, "server");
    GP_CHECK_EQ(sim_run_until(town.sim, never, NULL, &err), GP_ETIMEOUT);
    GP_CHECK(sim_now_ns(town.sim) < 10000000);
    town_end(&town);
}

GP_TEST(sim, lets_time_pass_without_events)
{
    struct town town;
    struct sim_options options = town_options(&town, 1);

    town_begin(&town, &options);
    GP_CHECK_EQ(sim_run_for(town.sim, 5000, NULL), 0);
    GP_CHECK_EQ(sim_now_ns(town.sim), 5000);
    GP_CHECK(!sim_step(town.sim));
    town_end(&town);
}

GP_TEST(sim, refuses_hosts_it_cannot_name)
{
    struct town town;
    struct sim_options options = town_options(&town, 1);
    struct sim_host *host;

    town_begin(&town, &options);
    GP_CHECK_EQ(sim_host_add(town.sim, "10.0.0.1", &host), GP_EEXIST);
    GP_CHECK_EQ(sim_host_add(town.sim, "10.0.0.9:1", &host), GP_EINVAL);
    GP_CHECK_EQ(sim_host_add(town.sim, "", &host), GP_EINVAL);
    GP_CHECK_EQ(sim_host_add(town.sim, "client", &host), 0);
    town_end(&town);
}
