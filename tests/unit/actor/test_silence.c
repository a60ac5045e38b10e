/*
 * Silence in a world with a network: two actors on two simulated hosts, frozen, cut off, killed.
 */
#include "base/str.h"
#include "edge/json.h"
#include "nodes.h"
#include "sim/sim.h"

#define SEEDS 20

struct hosts {
    struct sim *sim;
    struct sim_host *hosts[2];
    struct sim_proc *procs[2];
    struct node server;
    struct node client;
    struct peer *peer;
};

static void node_begin(struct node *n, struct sim_proc *proc, enum role role, const char *name)
{
    const struct endpoint_config config = {
        .port = sim_proc_port(proc), .role = role, .name = name, .events = &node_events, .user = n};

    *n = (struct node){.secret = "s", .reply_at_once = true};
    GP_REQUIRE_EQ(endpoint_new(&config, &n->ep), 0);
}

static void hosts_begin(struct hosts *h, uint64_t seed)
{
    static const char *const idle[] = {"actor", NULL};
    const struct sim_options options = {.seed = seed, .json_parse = edge_json_parse};
    const struct net_addr addr = {"10.0.0.1:3000"};
    const struct dial_spec spec = {
        .addrs = &addr, .addrs_count = 1, .target = "master", .key = "cluster"};
    struct gp_error err = {0};

    GP_REQUIRE_EQ(sim_new(&options, &h->sim), 0);
    for (int i = 0; i < 2; i++) {
        char name[16];

        (void)str_format(name, sizeof name, "10.0.0.%d", i + 1);
        GP_REQUIRE_EQ(sim_host_add(h->sim, name, &h->hosts[i]), 0);
        GP_REQUIRE_EQ(sim_spawn(h->hosts[i], idle, &h->procs[i]), 0);
    }
    node_begin(&h->server, h->procs[0], ROLE_MASTER, "master");
    GP_REQUIRE_EQ(endpoint_listen(h->server.ep, &addr, NULL, &err), 0);
    node_begin(&h->client, h->procs[1], ROLE_CLIENT, "client");
    GP_REQUIRE_EQ(endpoint_dial(h->client.ep, &spec, &h->peer), 0);
    GP_REQUIRE_EQ(sim_run_for(h->sim, SECOND, &err), 0);
    GP_REQUIRE_EQ(h->client.ups, 1);
}

static void run_for(struct hosts *h, int64_t ns)
{
    struct gp_error err = {0};

    GP_REQUIRE_EQ(sim_run_for(h->sim, ns, &err), 0);
}

static void hosts_end(struct hosts *h)
{
    endpoint_free(h->client.ep);
    endpoint_free(h->server.ep);
    sim_free(h->sim);
}

/* The one that froze finds its peer gone, and blames nobody; the other took it for dead. */
GP_TEST(silence, is_noticed_by_the_other_side_alone)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hosts h;

        hosts_begin(&h, seed);
        sim_pause(h.procs[1]);
        run_for(&h, 1900 * MS_NS);
        GP_CHECK_EQ(h.server.downs, 0);
        run_for(&h, 2200 * MS_NS);
        GP_CHECK_EQ(h.server.downs, 1);
        GP_CHECK_EQ(h.server.why.code, GP_ETIMEOUT);
        GP_CHECK(!h.server.may_live);
        run_for(&h, 26 * SECOND);
        GP_CHECK_EQ(h.client.downs, 0);
        sim_resume(h.procs[1]);
        run_for(&h, SECOND);
        GP_CHECK_EQ(h.client.downs, 1);
        GP_CHECK(h.client.why.code != GP_ETIMEOUT && h.client.may_live);
        GP_CHECK_EQ(h.client.ups, 2); /* and is there again */
        run_for(&h, 10 * SECOND);
        GP_CHECK_EQ(h.client.downs, 1);
        hosts_end(&h);
    }
}

/* A machine that is paused takes all its processes along: they know nothing of it. */
GP_TEST(silence, of_everybody_is_nobodys_fault)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hosts h;

        hosts_begin(&h, seed);
        sim_pause(h.procs[0]);
        sim_pause(h.procs[1]);
        run_for(&h, 30 * SECOND);
        sim_resume(h.procs[(seed & 1) == 0]);
        run_for(&h, 2 * SECOND);
        sim_resume(h.procs[(seed & 1) != 0]);
        run_for(&h, 10 * SECOND);
        GP_CHECK_EQ(h.server.downs, 0);
        GP_CHECK_EQ(h.client.downs, 0);
        hosts_end(&h);
    }
}

/* However long it stands still: a pause that ends just before the timeout would, on both sides. */
GP_TEST(silence, of_everybody_may_be_of_any_length)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hosts h;

        hosts_begin(&h, seed);
        for (int i = 1; i <= 40; i++) { /* over all of the phases of their ticks */
            sim_pause(h.procs[0]);
            sim_pause(h.procs[1]);
            run_for(&h, i * 100 * MS_NS);
            sim_resume(h.procs[i & 1]);
            run_for(&h, 20 * MS_NS);
            sim_resume(h.procs[!(i & 1)]);
            run_for(&h, 1370 * MS_NS);
        }
        GP_CHECK_EQ(h.server.downs, 0);
        GP_CHECK_EQ(h.client.downs, 0);
        hosts_end(&h);
    }
}

/* Peers ask each other each third of the timeout, so a pause of two thirds harms nobody. */
GP_TEST(silence, may_be_short)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct hosts h;

        hosts_begin(&h, seed);
        for (int i = 0; i < 5; i++) {
            sim_pause(h.procs[i & 1]);
            run_for(&h, 1900 * MS_NS);
            sim_resume(h.procs[i & 1]);
            run_for(&h, 500 * MS_NS);
        }
        GP_CHECK_EQ(h.server.downs, 0);
        GP_CHECK_EQ(h.client.downs, 0);
        hosts_end(&h);
    }
}

/* Cut both ways or one way: both sides notice within the timeout and a tick. */
GP_TEST(silence, of_a_cut_network_is_noticed_on_both_sides)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (int way = 0; way < 3; way++) {
            struct hosts h;

            hosts_begin(&h, seed);
            if (way == 0) {
                sim_cut(h.hosts[0], h.hosts[1]);
            } else {
                sim_cut_oneway(h.hosts[way - 1], h.hosts[2 - way]);
            }
            run_for(&h, 1900 * MS_NS);
            GP_CHECK_EQ(h.server.downs + h.client.downs, 0);
            run_for(&h, 6 * SECOND);
            GP_CHECK_EQ(h.server.downs, 1);
            GP_CHECK_EQ(h.client.downs, 1);
            GP_CHECK_EQ(h.client.ups, 1);
            sim_heal(h.hosts[0], h.hosts[1]);
            run_for(&h, 8 * SECOND);
            GP_CHECK_EQ(h.client.ups, 2);
            hosts_end(&h);
        }
    }
}
