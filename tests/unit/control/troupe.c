/*
 * troupe.c: see troupe.h. Each puppet lives in a simulated process of its own; all share the
 * troupe's notes, which the test reads between steps.
 */
#include "base/str.h"
#include "edge/json.h"
#include "gp_test.h"
#include "troupe_puppets.h"

/* ---- the plan ---- */

static struct plan_plugin plugins[] = {
    {(char *)(uintptr_t) "job", (char *)(uintptr_t) "1",
     (char *)(uintptr_t) "00000000000000000000000000000000000000000000000000000000000000aa"}};
static struct plan_processor processors[] = {
    {.name = (char *)(uintptr_t) "numbers",
     .type = (char *)(uintptr_t) "numbers",
     .parallelism = TROUPE_TASKS,
     .is_source = 1,
     .outputs = 1},
    {.name = (char *)(uintptr_t) "count",
     .type = (char *)(uintptr_t) "count",
     .parallelism = TROUPE_TASKS,
     .flags = GP_PROCESSOR_STATEFUL,
     .inputs = 1},
};
static struct plan_edge edges[] = {{.from = 0, .to = 1, .partitioner = PLAN_HASH}};
const struct plan troupe_plan = {.version = PLAN_VERSION,
                                 .app_name = (char *)(uintptr_t) "job",
                                 .plugins = plugins,
                                 .plugin_count = 1,
                                 .processors = processors,
                                 .processor_count = 2,
                                 .edges = edges,
                                 .edge_count = 1};

/* ---- for all puppets ---- */

int puppet_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    (void)user;
    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = strlen(TOKEN);
    memcpy(ret->bytes, TOKEN, ret->len);
    return 0;
}

struct endpoint *puppet_endpoint(const struct port *port, enum role role, const char *name,
                                 const struct endpoint_events *events, void *user)
{
    const struct endpoint_config config = {
        .port = port, .role = role, .name = name, .events = events, .user = user};
    struct endpoint *ep;

    GP_REQUIRE_EQ(endpoint_new(&config, &ep), 0);
    return ep;
}

/* ---- the appmaster ---- */

static void on_done(void *user, int32_t exit_code)
{
    struct troupe *t = user;

    t->exit_code = exit_code;
    sim_exit(sim_proc_port(t->appmaster_proc), exit_code);
}

static int appmaster_begin(struct troupe *t, const struct port *port, struct gp_error *err)
{
    const struct appmaster_options options = {.port = port,
                                              .launch = &t->launches[t->epoch],
                                              .token = TOKEN,
                                              .on_done = on_done,
                                              .user = t};

    t->appmaster_proc = sim_proc_of(port);
    return appmaster_new(&options, &t->appmaster, err);
}
/* ---- programs ---- */

enum role_kind { KIND_MASTER, KIND_WORKER, KIND_APPMASTER, KIND_EXECUTOR };

struct program {
    enum role_kind kind;
    struct fake_worker *worker;
    struct fake_executor *executor;
};

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct troupe *t = ctx;
    struct program *p = calloc(1, sizeof *p);
    uint64_t id = 0;

    GP_REQUIRE(p != NULL);
    *ret_node = p;
    if (strcmp(args[0], "master") == 0) {
        p->kind = KIND_MASTER;
        return puppet_master_begin(t, port, err);
    }
    if (strcmp(args[0], "appmaster") == 0) {
        p->kind = KIND_APPMASTER;
        return appmaster_begin(t, port, err);
    }
    GP_REQUIRE(str_to_u64(gp_str_of(args[1]), &id) >= 0);
    if (strcmp(args[0], "worker") == 0) {
        p->kind = KIND_WORKER;
        p->worker = &t->workers[id - 1];
        *p->worker = (struct fake_worker){.troupe = t};
        return puppet_worker_begin(p->worker, (uint32_t)id, port, err);
    }
    p->kind = KIND_EXECUTOR;
    p->executor = &t->executors_of[id];
    puppet_executor_begin(p->executor, port, args[2]);
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct troupe *t = ctx;
    struct program *p = node;

    switch (p->kind) {
    case KIND_MASTER:
        endpoint_free(t->master);
        t->master = NULL;
        break;
    case KIND_WORKER:
        puppet_worker_end(p->worker);
        break;
    case KIND_APPMASTER:
        appmaster_free(t->appmaster);
        t->appmaster = NULL;
        break;
    case KIND_EXECUTOR:
        puppet_executor_end(p->executor);
        break;
    }
    free(p);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    (void)ctx;
    (void)node;
    (void)signal;
}
/* ---- the troupe ---- */

static struct sim_proc *spawn(struct troupe *t, uint32_t host, const char *role, const char *arg)
{
    const char *args[] = {role, arg, NULL};
    struct sim_proc *proc;

    GP_REQUIRE_EQ(sim_spawn(t->hosts[host], args, &proc), 0);
    TROUPE_UNTIL(t, sim_proc_node(proc) != NULL);
    return proc;
}

void troupe_begin(struct troupe *t, uint64_t seed)
{
    const struct sim_options options = {.seed = seed,
                                        .start = start,
                                        .stop = stop,
                                        .on_signal = on_signal,
                                        .ctx = t,
                                        .json_parse = edge_json_parse};
    char address[32];

    GP_REQUIRE_EQ(sim_new(&options, &t->sim), 0);
    for (uint32_t i = 0; i < 2 + TROUPE_WORKERS; i++) {
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 1);
        GP_REQUIRE_EQ(sim_host_add(t->sim, address, &t->hosts[i]), 0);
    }
    processors[0].has_snapshot = 1;
    processors[1].has_snapshot = !t->is_rigid;
    GP_REQUIRE_EQ(plan_encode(&troupe_plan, &t->plan), 0);
    t->masters[0] = text(MASTER);
    (void)str_format(t->worker_address, sizeof t->worker_address, "10.0.0.3:4000");
    t->master_proc = spawn(t, 0, "master", NULL);
    for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
        (void)str_format(address, sizeof address, "%u", i + 1);
        (void)spawn(t, 2 + i, "worker", address);
    }
    troupe_start_appmaster(t);
}

void troupe_start_appmaster(struct troupe *t)
{
    t->epoch++;
    GP_REQUIRE(t->epoch < TROUPE_EPOCHS);
    if (t->epoch > 1) { /* the master draws, as the one before has died */
        t->drawn[t->drawn_count++].time_ms =
            loop_wall_ns(sim_proc_port(t->master_proc)->loop) / MS_NS;
    }
    t->launches[t->epoch] = (struct launch_appmaster){.app = APP,
                                                      .epoch = t->epoch,
                                                      .name = text("job"),
                                                      .sha256 = troupe_plan.plugins[0].sha256,
                                                      .artefacts = text("/a"),
                                                      .worker = t->worker_address,
                                                      .bind = text("10.0.0.2"),
                                                      .advertise = text(""),
                                                      .masters = t->masters,
                                                      .masters_count = 1};
    t->exit_code = -1;
    (void)spawn(t, 1, "appmaster", NULL);
}

void troupe_end(struct troupe *t)
{
    GP_CHECK_EQ(sim_leaks(t->sim), 0);
    sim_free(t->sim);
    value_free(t->plan);
    value_free(t->placement);
    fields_deinit(&msg_app_live_fields, &t->live);
    fields_deinit(&msg_app_rebalanced_fields, &t->said);
}

void troupe_run_ms(struct troupe *t, int64_t ms)
{
    GP_CHECK_EQ(sim_run_for(t->sim, ms * MS_NS, NULL), 0);
}

uint32_t troupe_living(const struct troupe *t)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        count += t->executors_of[i].alive;
    }
    return count;
}

struct fake_executor *troupe_executor(struct troupe *t, uint32_t i)
{
    for (uint32_t id = 0; id < TROUPE_EXECUTORS; id++) {
        if (t->executors_of[id].alive && i-- == 0) {
            return &t->executors_of[id];
        }
    }
    return NULL;
}

bool troupe_is_well(const struct troupe *t)
{
    uint64_t generation = 0;
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        if (!e->alive) {
            continue;
        }
        if (!e->started || e->epoch != t->epoch ||
            (generation != 0 && e->generation != generation)) {
            return false;
        }
        generation = e->generation;
        for (uint32_t k = 0; k < 2 * TROUPE_TASKS; k++) {
            tasks += e->sessions[k / TROUPE_TASKS][k % TROUPE_TASKS] != 0;
        }
    }
    return tasks == 2 * TROUPE_TASKS && t->state == APP_RUNNING;
}

uint32_t troupe_slots_on(const struct troupe *t, uint32_t worker)
{
    uint32_t slots = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        slots += e->alive && e->worker == worker ? e->slots : 0;
    }
    return slots;
}

uint32_t troupe_tasks_on(const struct troupe *t, uint32_t worker)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        for (uint32_t k = 0; k < 2 * TROUPE_TASKS && e->alive && e->worker == worker; k++) {
            tasks += e->sessions[k / TROUPE_TASKS][k % TROUPE_TASKS] != 0;
        }
    }
    return tasks;
}
