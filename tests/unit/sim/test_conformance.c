/*
 * The promises of port in the simulated world, each for many seeds.
 */
#include "gp_test.h"
#include "port/conformance.h"
#include "sim/sim.h"

#define SEEDS 40

static bool step(struct conf *c)
{
    struct sim *sim = c->world;

    return sim_now_ns(sim) < INT64_C(60000000000) && sim_step(sim);
}

static bool has_ended(void *user)
{
    struct proc_exit how;

    return sim_proc_ended(user, &how) == 0;
}

static void check_claim(void (*claim)(struct conf *c), uint64_t seed)
{
    const struct sim_options options = {.seed = seed};
    const char *const args[] = {"tester", NULL};
    struct gp_error err = {0};
    struct sim_host *host;
    struct sim_proc *proc;
    struct sim *sim;
    struct conf c;

    GP_REQUIRE_EQ(sim_new(&options, &sim), 0);
    GP_REQUIRE_EQ(sim_host_add(sim, "10.0.0.1", &host), 0);
    GP_REQUIRE_EQ(sim_spawn(host, args, &proc), 0);
    c = (struct conf){
        .port = sim_proc_port(proc),
        .loop = sim_proc_port(proc)->loop,
        .step = step,
        .world = sim,
        .folder = "/tmp",
    };
    GP_REQUIRE_EQ(c.port->fs->make_dirs(c.port->world, c.folder, 0700, NULL), 0);
    claim(&c);
    sim_exit(c.port, 0);
    GP_CHECK_EQ(sim_run_until(sim, has_ended, proc, &err), 0);
    GP_CHECK_EQ(sim_leaks(sim), 0);
    sim_free(sim);
}

#define CASE(claim)                                                                                \
    GP_TEST(sim_port, claim)                                                                       \
    {                                                                                              \
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {                                           \
            check_claim(conformance_##claim, seed);                                                \
        }                                                                                          \
    }
CONFORMANCE_CLAIMS(CASE)
