/*
 * What only a world of many hosts has: names, partitions, resets, faults.
 */
#include "gp_test.h"
#include "sim/sim.h"
#include "town.h"

#define SEEDS 50
#define MS    INT64_C(1000000)

static void begin_with_server(struct town *town, uint64_t seed, struct sim_faults faults)
{
    struct sim_options options = town_options(town, seed);

    options.faults = faults;
    town_begin(town, &options);
    (void)town_spawn(town, 0, "server");
    GP_CHECK_EQ(sim_run_for(town->sim, 20 * MS, NULL), 0);
}

GP_TEST(net, knows_hosts_by_name)
{
    struct town town;

    begin_with_server(&town, 1, (struct sim_faults){0});
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 3, "client 10.0.0.1 5000")), 0);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "client 127.0.0.1 5000")), 0);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "client localhost 5000")), 0);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 127.0.0.1 5000")), 3);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.77 5000")), 3);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.connect_refused"), 1);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.connect_unresolved"), 1);
    town_end(&town);
}

/* TCP goes on after a partition; nothing is lost, and nobody is told. */
GP_TEST(net, holds_bytes_back_while_cut)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_proc *client;
        struct proc_exit how;

        begin_with_server(&town, seed, (struct sim_faults){0});
        client = town_spawn(&town, 1, "client 10.0.0.1 2000000");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        if (seed % 2 == 0) {
            sim_cut(town.hosts[0], town.hosts[1]);
        } else {
            sim_cut_oneway(town.hosts[1], town.hosts[0]);
        }
        GP_CHECK_EQ(sim_run_for(town.sim, 3000 * MS, NULL), 0);
        GP_CHECK_EQ(sim_proc_ended(client, &how), GP_EAGAIN);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 2, "client 10.0.0.1 2000")), 0);
        GP_CHECK(sim_event_count(town.sim, "sim.partition_stalled") > 0);
        sim_heal(town.hosts[0], town.hosts[1]);
        GP_CHECK_EQ(town_wait(&town, client), 0);
        town_end(&town);
    }
}

GP_TEST(net, connects_after_the_cut_is_healed_or_times_out)
{
    struct town town;
    struct sim_proc *client;
    struct proc_exit how;

    begin_with_server(&town, 9, (struct sim_faults){0});
    sim_cut(town.hosts[0], town.hosts[1]);
    client = town_spawn(&town, 1, "client 10.0.0.1 100");
    GP_CHECK_EQ(sim_run_for(town.sim, 20000 * MS, NULL), 0);
    GP_CHECK_EQ(sim_proc_ended(client, &how), GP_EAGAIN);
    sim_heal(town.hosts[0], town.hosts[1]);
    GP_CHECK_EQ(town_wait(&town, client), 0);
    sim_cut_oneway(town.hosts[0], town.hosts[1]);
    GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 3);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.connect_timed_out"), 1);
    GP_CHECK(sim_now_ns(town.sim) > 120000 * MS);
    town_end(&town);
}

/* Faults strike and are counted; whoever meets one is told, and nobody hangs. */
GP_TEST(net, has_faults)
{
    uint64_t codes[4] = {0};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        int code;

        begin_with_server(&town, seed,
                          (struct sim_faults){.connect_refused = 0.2,
                                              .stream_reset = 0.02,
                                              .segment_delayed = 0.1});
        code = town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100000"));
        GP_REQUIRE(code >= 0 && code < 4);
        codes[code]++;
        GP_CHECK(code != 0 || sim_event_count(town.sim, "sim.segment_delayed") > 0);
        town_end(&town);
    }
    GP_CHECK(codes[0] > 0);
    GP_CHECK(codes[2] > 0);
    GP_CHECK(codes[3] > 0);
}

/* Only what is between these two breaks, and who comes again is served. */
GP_TEST(net, breaks_the_connections_of_two_processes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_options options;
        struct sim_proc *server;
        struct sim_proc *client;
        struct sim_proc *other;

        options = town_options(&town, seed);
        town_begin(&town, &options);
        server = town_spawn(&town, 0, "server");
        GP_CHECK_EQ(sim_run_for(town.sim, 20 * MS, NULL), 0);
        client = town_spawn(&town, 1, "client 10.0.0.1 20000000");
        other = town_spawn(&town, 1, "client 10.0.0.1 20000");
        GP_CHECK_EQ(sim_reset(client, server), 0);
        GP_CHECK_EQ(sim_run_for(town.sim, 30 * MS, NULL), 0);
        GP_CHECK_EQ(sim_reset(other, client), 0);
        GP_CHECK_EQ(sim_reset(client, server), 1);
        GP_CHECK_EQ(town_wait(&town, client), 2);
        GP_CHECK_EQ(town_wait(&town, other), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 0);
        town_end(&town);
    }
}

GP_TEST(net, has_disks_that_fail)
{
    struct town town;
    struct sim_options options = town_options(&town, 2);
    const struct port *port;
    int failed = 0;
    int full = 0;

    options.start = NULL;
    options.faults = (struct sim_faults){.disk_write_failed = 0.2, .disk_full = 0.2};
    town_begin(&town, &options);
    GP_CHECK_EQ(sim_disk_put(town.hosts[0], "/a", gp_bytes_of("old", 3)), 0);
    port = sim_proc_port(town_spawn(&town, 0, "anything"));
    for (int i = 0; i < 100; i++) {
        struct buf buf = {0};
        int rc = port->fs->write_file(port->world, "/a", gp_bytes_of("new", 3), 0600, NULL);

        failed += rc == GP_EIO;
        full += rc == GP_ENOSPC;
        GP_CHECK_EQ(port->fs->read_file(port->world, "/a", 3, &buf, NULL), 0); /* all or nothing */
        GP_CHECK_EQ(buf_len(&buf), 3);
        buf_deinit(&buf);
    }
    GP_CHECK(failed > 0 && full > 0 && failed + full < 100);
    town_end(&town);
}

/* A socket file outlives a killed listener, refuses, and is taken over by the next. */
GP_TEST(net, leaves_socket_files_of_the_dead)
{
    const struct net_addr addr = {"unix:/x.sock"};
    struct town town;
    struct sim_options options = town_options(&town, 2);
    struct listener *listener;
    const struct port *port;
    struct sim_proc *proc;

    options.start = NULL;
    town_begin(&town, &options);
    proc = town_spawn(&town, 0, "anything");
    port = sim_proc_port(proc);
    GP_CHECK_EQ(net_listen(port->loop, &addr, NULL, NULL, &listener, NULL), 0);
    sim_kill(proc);
    proc = town_spawn(&town, 0, "anything");
    port = sim_proc_port(proc);
    GP_CHECK_EQ(port->fs->exists(port->world, "/x.sock"), 1);
    GP_CHECK_EQ(net_listen(port->loop, &addr, NULL, NULL, &listener, NULL), 0);
    net_listener_free(listener);
    GP_CHECK_EQ(port->fs->exists(port->world, "/x.sock"), 0);
    town_end(&town);
}
