/*
 * What happens to hosts and links: each fault does what it says, is counted, and can be ended.
 */
#include "gp_test.h"
#include "sim/sim.h"
#include "town.h"

#define SEEDS 50
#define MS    INT64_C(1000000)

static struct sim_proc *begin_with_server(struct town *town, uint64_t seed)
{
    struct sim_options options = town_options(town, seed);
    struct sim_proc *server;

    town_begin(town, &options);
    server = town_spawn(town, 0, "server");
    GP_CHECK_EQ(sim_run_for(town->sim, 20 * MS, NULL), 0);
    return server;
}

static bool has_ended(const struct sim_proc *proc)
{
    struct proc_exit how;

    return sim_proc_ended(proc, &how) == 0;
}

/* ---- links ---- */

/* A link that comes and goes slows a transfer down and loses nothing. */
GP_TEST(faults, a_flapping_link_loses_nothing)
{
    uint64_t flapped = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;

        (void)begin_with_server(&town, seed);
        sim_flap(town.hosts[0], town.hosts[1], 50 * MS);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 500000")), 0);
        flapped += sim_event_count(town.sim, "sim.link_flapped");
        town_end(&town);
    }
    GP_CHECK(flapped > SEEDS);
}

GP_TEST(faults, healing_ends_flapping)
{
    struct town town;
    uint64_t flapped;

    (void)begin_with_server(&town, 1);
    sim_flap(town.hosts[0], town.hosts[1], 5 * MS);
    sim_flap(town.hosts[1], town.hosts[0], 5 * MS); /* the same link: replaces */
    GP_CHECK_EQ(sim_run_for(town.sim, 200 * MS, NULL), 0);
    sim_heal(town.hosts[0], town.hosts[1]);
    flapped = sim_event_count(town.sim, "sim.link_flapped");
    GP_CHECK(flapped > 10);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 5000")), 0);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.link_flapped"), flapped);
    town_end(&town);
}

/* ---- processes ---- */

GP_TEST(faults, a_paused_process_keeps_its_signals)
{
    struct town town;
    struct sim_proc *server = begin_with_server(&town, 2);

    sim_pause(server);
    sim_signal(server, 15);
    GP_CHECK_EQ(sim_run_for(town.sim, 1000 * MS, NULL), 0);
    GP_CHECK_EQ(town.signals, 0);
    sim_resume(server);
    GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
    GP_CHECK_EQ(town.signals, 1);
    town_end(&town);

    server = begin_with_server(&town, 2);
    sim_pause(server);
    sim_signal(server, 9); /* needs nobody to take it */
    GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
    GP_CHECK(has_ended(server));
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.proc_paused"), 1);
    town_end(&town);
}

GP_TEST(faults, a_killed_process_is_started_again)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_proc *server = begin_with_server(&town, seed);

        sim_kill(server);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 3);
        GP_CHECK_EQ(sim_respawn(server, &server), 0);
        GP_CHECK_EQ(sim_run_for(town.sim, 20 * MS, NULL), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 0);
        GP_CHECK_EQ(sim_event_count(town.sim, "sim.proc_respawned"), 1);
        town_end(&town);
    }
}

/* ---- hosts ---- */

/* At any moment; whoever lived there is gone, whoever spoke with them is told. */
GP_TEST(faults, a_crash_takes_all_of_a_host)
{
    for (uint64_t seed = 0; seed < 4 * SEEDS; seed++) {
        struct town town;
        struct sim_proc *server = begin_with_server(&town, seed);
        struct sim_proc *client = town_spawn(&town, 1, "client 10.0.0.1 1000000");
        struct sim_proc *neighbour = town_spawn(&town, 0, "parent idler");
        int code;

        GP_CHECK_EQ(sim_run_for(town.sim, (int64_t)seed * MS / 10, NULL), 0);
        GP_CHECK(sim_crash(town.hosts[0]) >= 2);
        GP_CHECK(has_ended(server) && has_ended(neighbour));
        code = town_wait(&town, client);
        GP_CHECK(code == 2 || code == 3 || code == 0);
        town_end(&town);
    }
}

/* A host that stands still answers nobody, and goes on where it was. */
GP_TEST(faults, a_frozen_host_does_nothing)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_proc *client;
        struct sim_proc *late;

        (void)begin_with_server(&town, seed);
        client = town_spawn(&town, 1, "client 10.0.0.1 3000000");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        sim_freeze(town.hosts[0], seed % 2 == 0);
        late = town_spawn(&town, 2, "client 10.0.0.1 100");
        GP_CHECK_EQ(sim_run_for(town.sim, 5000 * MS, NULL), 0);
        GP_CHECK(!has_ended(client) && !has_ended(late));
        sim_thaw(town.hosts[0]);
        GP_CHECK_EQ(town_wait(&town, client), 0);
        GP_CHECK_EQ(town_wait(&town, late), 0);
        GP_CHECK_EQ(sim_event_count(town.sim, "sim.host_frozen") +
                        sim_event_count(town.sim, "sim.host_frozen_clock"),
                    1);
        town_end(&town);
    }
}

struct alarm {
    struct loop *loop;
    int64_t fired_ns; /* by the host's clock; 0: not yet */
};

static void on_alarm(void *user)
{
    struct alarm *alarm = user;

    alarm->fired_ns = loop_now_ns(alarm->loop);
}

/* By the clock of the host a timer of one second, frozen for ten, has taken one or ten. */
static void check_frozen_clock(uint64_t seed, bool stops_clock, int64_t min_ms, int64_t max_ms)
{
    struct town town;
    struct sim_options options = town_options(&town, seed);
    struct timer *timer;
    struct alarm alarm;
    int64_t begin_ns;
    int64_t took_ns;

    options.start = NULL;
    town_begin(&town, &options);
    alarm = (struct alarm){.loop = sim_proc_port(town_spawn(&town, 0, "anything"))->loop};
    GP_CHECK_EQ(timer_new(alarm.loop, on_alarm, &alarm, &timer), 0);
    begin_ns = loop_fresh_now_ns(alarm.loop);
    timer_start(timer, 1000 * MS);
    GP_CHECK_EQ(sim_run_for(town.sim, 500 * MS, NULL), 0);
    sim_freeze(town.hosts[0], stops_clock);
    GP_CHECK_EQ(sim_run_for(town.sim, 10000 * MS, NULL), 0);
    GP_CHECK_EQ(alarm.fired_ns, 0);
    sim_thaw(town.hosts[0]);
    GP_CHECK_EQ(sim_run_for(town.sim, 1000 * MS, NULL), 0);
    took_ns = alarm.fired_ns - begin_ns;
    GP_CHECK(took_ns >= min_ms * MS && took_ns < max_ms * MS);
    timer_free(timer);
    town_end(&town);
}

GP_TEST(faults, the_clock_of_a_frozen_host_stands_or_jumps)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        check_frozen_clock(seed, true, 1000, 1010);
        check_frozen_clock(seed, false, 10500, 10510);
    }
}

GP_TEST(faults, the_wall_clock_is_set)
{
    struct town town;
    struct sim_options options = town_options(&town, 1);
    struct loop *loop;
    int64_t before_ns;
    int64_t wall_ns;

    options.start = NULL;
    town_begin(&town, &options);
    loop = sim_proc_port(town_spawn(&town, 0, "anything"))->loop;
    before_ns = loop_now_ns(loop);
    wall_ns = loop_wall_ns(loop);
    sim_jump_wall(town.hosts[0], -3600 * 1000 * MS);
    GP_CHECK_EQ(loop_wall_ns(loop), wall_ns - 3600 * 1000 * MS);
    GP_CHECK_EQ(loop_now_ns(loop), before_ns);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.clock_jumped"), 1);
    town_end(&town);
}

/* How long a transfer takes when the server's host is so many times slower. */
static int64_t took_ns(uint64_t seed, uint32_t times)
{
    struct town town;
    int64_t begin_ns;

    (void)begin_with_server(&town, seed);
    sim_slow(town.hosts[0], times);
    begin_ns = sim_now_ns(town.sim);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 300000")), 0);
    begin_ns = sim_now_ns(town.sim) - begin_ns;
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.host_slowed"), times > 1);
    town_end(&town);
    return begin_ns;
}

GP_TEST(faults, a_slow_host_takes_longer)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        GP_CHECK(took_ns(seed, 1000) > 10 * took_ns(seed, 1));
    }
}

static int write_and_note(void *ctx, const struct port *port, const char *const *args,
                          void **ret_node, struct gp_error *err)
{
    int64_t *took_ns = ctx;
    int64_t begin_ns = loop_fresh_now_ns(port->loop);
    int rc = port->fs->write_file(port->world, "/a", gp_bytes_of("x", 1), 0600, err);

    (void)args;
    *took_ns = loop_fresh_now_ns(port->loop) - begin_ns;
    *ret_node = ctx;
    return rc;
}

static void forget(void *ctx, void *node)
{
    (void)ctx;
    (void)node;
}

/* How long writing a file takes, over some lives of a process. */
static int64_t writing_ns(uint32_t times)
{
    int64_t one_ns;
    int64_t sum_ns = 0;
    struct sim_options options = {
        .seed = 1, .start = write_and_note, .stop = forget, .ctx = &one_ns};
    const char *const args[] = {"writer", NULL};
    struct sim_host *host;
    struct sim_proc *proc;
    struct sim *sim;

    GP_REQUIRE_EQ(sim_new(&options, &sim), 0);
    GP_REQUIRE_EQ(sim_host_add(sim, "10.0.0.1", &host), 0);
    sim_disk_slow(host, times);
    for (int i = 0; i < 20; i++) {
        GP_REQUIRE_EQ(sim_spawn(host, args, &proc), 0);
        GP_CHECK_EQ(sim_run_for(sim, 10000 * MS, NULL), 0);
        sum_ns += one_ns;
    }
    GP_CHECK_EQ(sim_event_count(sim, "sim.disk_slowed"), times > 1);
    sim_free(sim);
    return sum_ns;
}

GP_TEST(faults, a_slow_disk_takes_longer)
{
    GP_CHECK(writing_ns(100) > 50 * writing_ns(1));
}

/* All of it at once, and then nothing of it. */
GP_TEST(faults, calm_ends_what_lasts)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_proc *server = begin_with_server(&town, seed);
        struct sim_proc *client = town_spawn(&town, 1, "client 10.0.0.1 300000");

        GP_CHECK_EQ(sim_run_for(town.sim, (int64_t)seed * MS / 5, NULL), 0);
        sim_flap(town.hosts[0], town.hosts[1], 20 * MS);
        sim_cut_oneway(town.hosts[1], town.hosts[0]);
        sim_pause(server);
        sim_freeze(town.hosts[1], seed % 2 == 0);
        sim_slow(town.hosts[1], 10000);
        GP_CHECK_EQ(sim_run_for(town.sim, 1000 * MS, NULL), 0);
        sim_calm(town.sim);
        GP_CHECK_EQ(town_wait(&town, client), 0);
        town_end(&town);
    }
}
