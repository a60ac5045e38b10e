#include "council.h"

#include "base/str.h"
#include "edge/json.h"
#include "gp_test.h"

#define SECRET "open sesame"
#define SECOND INT64_C(1000000000)

static const char *const nobody[] = {"person", NULL};

static uint32_t index_of(const struct council *c, const struct port *port)
{
    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        if (sim_proc_host(sim_proc_of(port)) == c->hosts[i]) {
            return i;
        }
    }
    return COUNCIL_MAX;
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct council *c = ctx;
    uint32_t self = index_of(c, port);
    const char *masters[COUNCIL_MAX];
    struct master_options options = {.port = port,
                                     .bind = c->addresses[self],
                                     .masters = masters,
                                     .listed_as = c->addresses[self],
                                     .data_dir = "/data",
                                     .secret = gp_bytes_of(SECRET, strlen(SECRET))};
    int rc;

    if (self == COUNCIL_MAX || strcmp(args[0], "master") != 0) {
        return 0;
    }
    for (const char *digit = args[1]; *digit; digit++) {
        masters[options.master_count++] = c->addresses[*digit - '0'];
    }
    rc = master_new(&options, &c->masters[self], err);
    *ret_node = rc < 0 ? NULL : c->masters[self];
    return rc;
}

static void stop(void *ctx, void *node)
{
    struct council *c = ctx;

    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        if (node && c->masters[i] == node) {
            c->masters[i] = NULL;
        }
    }
    master_free(node);
}

void council_begin(struct council *c, uint64_t seed)
{
    const struct sim_options options = {
        .seed = seed, .start = start, .stop = stop, .ctx = c, .json_parse = edge_json_parse};
    const char *masters[COUNCIL_MAX];
    struct client_options client = {.masters = masters,
                                    .master_count = COUNCIL_MAX,
                                    .secret = gp_bytes_of(SECRET, strlen(SECRET)),
                                    .timeout_ns = 600 * SECOND}; /* of a clock that stood still */
    char host[16];

    memset(c, 0, sizeof *c);
    GP_REQUIRE_EQ(sim_new(&options, &c->sim), 0);
    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        (void)str_format(host, sizeof host, "10.0.0.%u", i + 1);
        (void)str_format(c->addresses[i], sizeof c->addresses[i], "%s:3000", host);
        GP_REQUIRE_EQ(sim_host_add(c->sim, host, &c->hosts[i]), 0);
        masters[i] = c->addresses[i];
    }
    GP_REQUIRE_EQ(sim_host_add(c->sim, "10.0.1.1", &c->outside), 0);
    GP_REQUIRE_EQ(sim_spawn(c->outside, nobody, &c->person), 0);
    council_run_s(c, 1);
    client.port = sim_proc_port(c->person);
    GP_REQUIRE_EQ(client_new(&client, &c->client, NULL), 0);
}

void council_end(struct council *c)
{
    client_free(c->client);
    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        council_kill(c, i);
    }
    GP_CHECK_EQ(sim_leaks(c->sim), 0);
    sim_free(c->sim);
}

void council_run_s(struct council *c, int64_t seconds)
{
    GP_CHECK_EQ(sim_run_for(c->sim, seconds * SECOND, NULL), 0);
}

void council_start(struct council *c, uint32_t i, const char *list)
{
    const char *const args[] = {"master", list, NULL};

    GP_REQUIRE_EQ(sim_spawn(c->hosts[i], args, &c->procs[i]), 0);
    council_run_s(c, 1);
    GP_REQUIRE(c->masters[i] != NULL);
}

void council_kill(struct council *c, uint32_t i)
{
    if (c->masters[i]) {
        sim_kill(c->procs[i]);
        council_run_s(c, 1);
    }
}

void council_wipe(struct council *c, uint32_t i)
{
    struct sim_proc *proc;
    const struct port *port;

    GP_REQUIRE(c->masters[i] == NULL);
    GP_REQUIRE_EQ(sim_spawn(c->hosts[i], nobody, &proc), 0);
    council_run_s(c, 1);
    port = sim_proc_port(proc);
    GP_REQUIRE(port->fs->remove_tree(port->world, "/data", NULL) >= 0);
    sim_kill(proc);
    council_run_s(c, 1);
}

uint32_t council_leader(const struct council *c)
{
    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        if (c->masters[i] && master_leads(c->masters[i])) {
            return i;
        }
    }
    return COUNCIL_MAX;
}

static bool has_leader(void *user)
{
    return council_leader(user) < COUNCIL_MAX;
}

uint32_t council_await_leader(struct council *c)
{
    GP_REQUIRE_EQ(sim_run_until(c->sim, has_leader, c, NULL), 0);
    return council_leader(c);
}

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct council *c = user;

    (void)msg;
    c->is_answered = true;
    c->code = code;
    c->err = code < 0 ? *err : (struct gp_error){0};
}

static void on_info(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct council *c = user;
    const struct msg_cluster_info *info = msg;

    if (code >= 0) {
        GP_REQUIRE(info->masters_count <= COUNCIL_MAX);
        c->infos_count = info->masters_count;
        for (uint32_t i = 0; i < info->masters_count; i++) {
            c->infos[i] = info->masters[i];
            c->infos[i].address = NULL; /* borrowed */
        }
        (void)str_format(c->cluster, sizeof c->cluster, "%s", info->cluster);
    }
    on_answer(user, code, msg, err);
}

static bool is_answered(void *user)
{
    const struct council *c = user;

    return c->is_answered;
}

static int await_answer(struct council *c)
{
    GP_REQUIRE_EQ(sim_run_until(c->sim, is_answered, c, NULL), 0);
    return c->code;
}

int council_change(struct council *c, uint16_t type, const char *address)
{
    const struct msg_master_ref ref = {(char *)(uintptr_t)address};

    c->is_answered = false;
    GP_REQUIRE(client_ask_for(c->client, type, &ref, 60 * SECOND, on_answer, c) >= 0);
    return await_answer(c);
}

int council_ask_info(struct council *c, uint32_t i)
{
    c->is_answered = false;
    GP_REQUIRE(client_ask_at(c->client, c->addresses[i], MSG_CLUSTER_INFO, NULL, 10 * SECOND,
                             on_info, c) >= 0);
    return await_answer(c);
}
