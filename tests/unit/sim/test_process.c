/*
 * Lives and deaths: exits are told, kills are clean, children do not outlive their parents.
 */
#include "base/str.h"
#include "gp_test.h"
#include "sim/sim.h"
#include "town.h"

#define SEEDS 50
#define MS    INT64_C(1000000)

GP_TEST(process, tells_its_parent_how_it_ended)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_options options = town_options(&town, seed);

        town_begin(&town, &options);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "parent client 10.0.0.2 10")), 3);
        (void)town_spawn(&town, 1, "server");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "parent client 10.0.0.2 10")), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "parent parent client 10.0.0.2 10")), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "parent nonsense")), 1);
        GP_CHECK_EQ(sim_event_count(town.sim, "sim.start_failed"), 1);
        town_end(&town);
    }
}

/* All of it, before the exit is told. */
GP_TEST(process, hands_its_output_to_its_parent)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_options options = town_options(&town, seed);

        town_begin(&town, &options);
        (void)town_spawn(&town, 1, "server");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 0, "parent client 10.0.0.2 77")), 0);
        GP_CHECK_STR_EQ(buf_c(&town.output), "INFO client.ended exit_code=0 got=77\n");
        town_end(&town);
    }
}

/* At any moment, in the middle of anything; and what it held is given back. */
GP_TEST(process, may_be_killed_at_any_moment)
{
    uint64_t mid_write = 0;

    for (uint64_t seed = 0; seed < 200; seed++) {
        struct town town;
        struct sim_options options = town_options(&town, seed);
        struct sim_proc *server;
        struct sim_proc *client;
        int code;

        town_begin(&town, &options);
        server = town_spawn(&town, 0, "server");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        client = town_spawn(&town, 1, "client 10.0.0.1 1000000");
        GP_CHECK_EQ(sim_run_for(town.sim, (int64_t)seed * MS / 10, NULL), 0);
        sim_kill(server);
        code = town_wait(&town, client);
        GP_CHECK(code == 2 || code == 3 || (code == 0 && seed > 50));
        GP_CHECK_EQ(town_wait(&town, server), -9);
        GP_CHECK(sim_proc_node(server) == NULL);
        mid_write += sim_event_count(town.sim, "sim.stream_closed_mid_write");
        /* Its port is free for the next life. */
        (void)town_spawn(&town, 0, "server");
        GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 0);
        town_end(&town);
    }
    GP_CHECK(mid_write > 0);
}

GP_TEST(process, takes_its_children_along)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct town town;
        struct sim_options options = town_options(&town, seed);
        struct sim_proc *parent;

        town_begin(&town, &options);
        parent = town_spawn(&town, 0, "parent parent parent server");
        GP_CHECK_EQ(sim_run_for(town.sim, 50 * MS, NULL), 0);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 0);
        sim_kill(parent);
        GP_CHECK_EQ(sim_run_for(town.sim, 5 * MS, NULL), 0);
        GP_CHECK_EQ(town.stopped, 5);
        GP_CHECK_EQ(town_wait(&town, town_spawn(&town, 1, "client 10.0.0.1 100")), 3);
        town_end(&town);
    }
}

GP_TEST(process, gets_signals)
{
    struct town town;
    struct sim_options options = town_options(&town, 3);
    struct sim_proc *parent;

    town_begin(&town, &options);
    parent = town_spawn(&town, 0, "parent server");
    GP_CHECK_EQ(sim_run_for(town.sim, 20 * MS, NULL), 0);
    sim_signal(parent, 15); /* hands it on */
    GP_CHECK_EQ(sim_run_for(town.sim, 5 * MS, NULL), 0);
    GP_CHECK_EQ(town.signals, 1);
    town_end(&town);

    options.on_signal = NULL; /* then they kill */
    town_begin(&town, &options);
    parent = town_spawn(&town, 0, "idler");
    GP_CHECK_EQ(sim_run_for(town.sim, 20 * MS, NULL), 0);
    sim_signal(parent, 15);
    GP_CHECK_EQ(town_wait(&town, parent), -15);
    town_end(&town);
}

GP_TEST(process, does_nothing_while_paused)
{
    struct town town;
    struct sim_options options = town_options(&town, 4);
    struct sim_proc *server;
    struct sim_proc *client;
    struct proc_exit how;
    uint64_t slept;

    town_begin(&town, &options);
    server = town_spawn(&town, 0, "server");
    GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
    sim_pause(server);
    slept = sim_event_count(town.sim, "sim.runner_slept");
    client = town_spawn(&town, 1, "client 10.0.0.1 100");
    GP_CHECK_EQ(sim_run_for(town.sim, 1000 * MS, NULL), 0);
    GP_CHECK_EQ(sim_proc_ended(client, &how), GP_EAGAIN);
    GP_CHECK_EQ(sim_event_count(town.sim, "sim.runner_slept"), slept);
    sim_resume(server);
    GP_CHECK_EQ(town_wait(&town, client), 0);
    GP_CHECK_EQ(sim_run_for(town.sim, 10 * MS, NULL), 0);
    GP_CHECK(sim_event_count(town.sim, "sim.runner_slept") > slept);
    town_end(&town);
}

GP_TEST(process, keeps_its_disk_when_it_dies)
{
    struct town town;
    struct sim_options options = town_options(&town, 5);
    const struct port *port;
    struct sim_proc *proc;
    struct buf buf = {0};
    struct gp_error err = {0};

    options.start = NULL;
    town_begin(&town, &options);
    proc = town_spawn(&town, 0, "anything");
    port = sim_proc_port(proc);
    GP_CHECK_EQ(port->fs->write_file(port->world, "/a", gp_bytes_of("x", 1), 0600, NULL), 0);
    sim_kill(proc);
    GP_CHECK_EQ(port->fs->write_file(port->world, "/b", gp_bytes_of("x", 1), 0600, &err),
                GP_ECLOSED);
    proc = town_spawn(&town, 0, "anything");
    port = sim_proc_port(proc);
    GP_CHECK_EQ(port->fs->exists(port->world, "/a"), 1);
    GP_CHECK_EQ(port->fs->exists(port->world, "/b"), 0);
    proc = town_spawn(&town, 1, "anything"); /* another host, another disk */
    port = sim_proc_port(proc);
    GP_CHECK_EQ(port->fs->exists(port->world, "/a"), 0);
    GP_CHECK_EQ(sim_disk_put(town.hosts[1], "/etc/x/y.conf", gp_bytes_of("yes", 3)), 0);
    GP_CHECK_EQ(port->fs->read_file(port->world, "/etc/x/y.conf", 3, &buf, NULL), 0);
    GP_CHECK_EQ(sim_disk_get(town.hosts[1], "/etc/x/y.conf", &buf), 0);
    GP_CHECK_STR_EQ(buf_c(&buf), "yesyes");
    GP_CHECK_EQ(sim_disk_get(town.hosts[0], "/etc/x/y.conf", &buf), GP_ENOENT);
    buf_deinit(&buf);
    town_end(&town);
}

/* ---- plugins: the loader is somebody else's ---- */

static int loads;

static int load_copy(gp_bytes bytes, const char *name, struct plugin_file **ret,
                     const struct gp_entry **ret_entry, struct gp_error *err)
{
    static const struct gp_entry entry = {.name = "fake"};
    int *copy;

    if (!str_eq(str_from_bytes(bytes), GP_STR("ELF"))) {
        return gp_error_set(err, GP_EABI, "%s: not a plugin", name);
    }
    copy = malloc(sizeof(*copy));
    GP_REQUIRE(copy != NULL);
    loads++;
    *ret = (struct plugin_file *)(void *)copy;
    *ret_entry = &entry;
    return 0;
}

static void unload(struct plugin_file *file)
{
    loads--;
    free(file);
}

GP_TEST(process, loads_plugins_for_itself)
{
    static const struct sim_plugin_loader loader = {load_copy, unload};
    struct town town;
    struct sim_options options = town_options(&town, 6);
    const struct gp_entry *entry = NULL;
    struct plugin_file *files[2];
    struct gp_error err = {0};
    const struct port *port;

    options.start = NULL;
    options.loader = &loader;
    town_begin(&town, &options);
    port = sim_proc_port(town_spawn(&town, 0, "anything"));
    GP_CHECK_EQ(sim_disk_put(town.hosts[0], "/app.so", gp_bytes_of("ELF", 3)), 0);
    GP_CHECK_EQ(sim_disk_put(town.hosts[0], "/bad.so", gp_bytes_of("BAD", 3)), 0);
    GP_CHECK_EQ(port_plugin_open(port, "/none.so", &files[0], &entry, &err), GP_ENOENT);
    GP_CHECK_EQ(port_plugin_open(port, "/bad.so", &files[0], &entry, &err), GP_EABI);
    GP_CHECK_STR_EQ(err.text, "/bad.so: not a plugin");
    GP_CHECK_EQ(port_plugin_open(port, "/app.so", &files[0], &entry, &err), 0);
    GP_CHECK_EQ(port_plugin_open(port, "/app.so", &files[1], &entry, &err), 0);
    GP_CHECK_STR_EQ(entry->name, "fake");
    GP_CHECK_EQ(loads, 2);
    port_plugin_close(port, files[0]);
    GP_CHECK_EQ(loads, 1);
    town_end(&town); /* dies with the other one open */
    GP_CHECK_EQ(loads, 0);
}

/* ---- what a parent hands to its child ---- */

struct family {
    char secret[32]; /* as the child found it */
    char other[32];
};

static void no_output(void *user, const char *ptr, size_t len)
{
    (void)user;
    (void)ptr;
    (void)len;
}

static void no_exit(void *user, const struct proc_exit *how)
{
    (void)user;
    (void)how;
}

static int family_start(void *ctx, const struct port *port, const char *const *args,
                        void **ret_node, struct gp_error *err)
{
    struct family *family = ctx;
    const char *const child[] = {"child", NULL};
    const char *env[] = {"GEARPUMP_A=1", "GEARPUMP_SECRET=swordfish", NULL};
    const struct proc_spec spec = {
        .args = child, .env = env, .on_output = no_output, .on_exit = no_exit};
    struct proc *proc;

    *ret_node = ctx;
    if (strcmp(args[0], "parent") == 0) {
        GP_CHECK(port_env(port, "GEARPUMP_SECRET") == NULL);
        return port_spawn(port, &spec, &proc, err);
    }
    GP_REQUIRE(port_env(port, "GEARPUMP_SECRET") != NULL);
    (void)str_format(family->secret, sizeof(family->secret), "%s",
                     port_env(port, "GEARPUMP_SECRET"));
    (void)str_format(family->other, sizeof(family->other), "%s", port_env(port, "GEARPUMP_A"));
    GP_CHECK(port_env(port, "GEARPUMP_SEC") == NULL);
    return 0;
}

static void family_stop(void *ctx, void *node)
{
    (void)ctx;
    (void)node;
}

GP_TEST(process, hands_its_child_an_environment)
{
    struct family family = {0};
    struct sim_options options = {
        .seed = 1, .start = family_start, .stop = family_stop, .ctx = &family};
    const char *const args[] = {"parent", NULL};
    struct sim_host *host;
    struct sim_proc *proc;
    struct sim *sim;

    GP_REQUIRE_EQ(sim_new(&options, &sim), 0);
    GP_REQUIRE_EQ(sim_host_add(sim, "10.0.0.1", &host), 0);
    GP_REQUIRE_EQ(sim_spawn(host, args, &proc), 0);
    GP_CHECK_EQ(sim_run_for(sim, 100 * MS, NULL), 0);
    GP_CHECK_STR_EQ(family.secret, "swordfish");
    GP_CHECK_STR_EQ(family.other, "1");
    sim_free(sim);
}
