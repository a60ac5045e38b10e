/*
 * realm.c: see realm.h. What a role needs to start comes from its arguments, as in a real
 * process; what the test looks at is noted here. What the client does stands in realm_client.c.
 */
#include "realm.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/node.h"
#include "base/assert.h"
#include "base/str.h"
#include "edge/json.h"
#include "edge/plugin.h"

#define CLIENT_HOST    (REALM_HOSTS - 1)
#define SLOTS          20u
#define LANES          2u
#define LANES_MAX      3u
#define START_GAP_US   20000u /* at most, between the beginnings of two daemons */
#define START_STEP_MS  2000   /* until daemons that ended are started again */
#define START_LIMIT_MS 200000
#define END_LIMIT_MS   20000
#define REST_LIMIT_MS  15000
#define EVENTS_MAX     5000000u
#define TIME_MAX_NS    (1200 * SECOND)

struct realm_program {
    const struct port *port;
    char role[16];
    uint32_t index; /* of a worker */
    struct node *node;
};

static const struct sim_plugin_loader loader = {edge_plugin_open_copy, edge_plugin_close};

/* ---- roles ---- */

static gp_bytes secret(void)
{
    return gp_bytes_of(REALM_SECRET, strlen(REALM_SECRET));
}

static int start_master(struct realm *c, const struct port *port, struct gp_error *err)
{
    const char *const plugin_dirs[] = {"/plugins"};
    const struct master_options options = {.port = port,
                                           .bind = REALM_MASTER,
                                           .data_dir = "/var/master",
                                           .secret = secret(),
                                           .plugin_dirs = plugin_dirs,
                                           .plugin_dir_count = 1};

    return master_new(&options, &c->master, err);
}

static uint32_t host_of_worker(const struct realm *c, uint32_t worker)
{
    return 1 + (worker - 1) % c->worker_hosts;
}

static int start_worker(struct realm *c, const struct port *port, uint32_t index,
                        struct gp_error *err)
{
    const char *const masters[] = {REALM_MASTER};
    char bind[32];
    char name[16];
    char data_dir[32];
    const struct worker_options options = {.port = port,
                                           .masters = masters,
                                           .master_count = 1,
                                           .bind = bind,
                                           .name = name,
                                           .slots = c->slots,
                                           .lanes = c->lanes,
                                           .data_dir = data_dir,
                                           .sockets_dir = "/run/gearpump",
                                           .secret = secret()};

    (void)str_format(bind, sizeof bind, "10.0.0.%u:0", host_of_worker(c, index) + 1);
    (void)str_format(name, sizeof name, "w%u", index);
    (void)str_format(data_dir, sizeof data_dir, "/var/worker%u", index);
    return worker_new(&options, &c->workers[index], err);
}

static void on_client_clock(void *user)
{
    ((struct realm *)user)->is_client_awake = true;
}

static int start_client(struct realm *c, const struct port *port, struct gp_error *err)
{
    const char *const masters[] = {REALM_MASTER};
    const struct client_options options = {
        .port = port, .masters = masters, .master_count = 1, .secret = secret()};

    ASSERT(timer_new(port->loop, on_client_clock, c, &c->client_clock) == 0);
    return client_new(&options, &c->client, err);
}

static void on_node_exit(void *user, int32_t exit_code)
{
    struct realm_program *p = user;

    sim_exit(p->port, exit_code);
}

static int start_role(struct realm *c, struct realm_program *p, const char *const *args,
                      struct gp_error *err)
{
    if (strcmp(args[0], "master") == 0) {
        return start_master(c, p->port, err);
    }
    if (strcmp(args[0], "worker") == 0) {
        p->index = (uint32_t)(args[1][0] - '0');
        return start_worker(c, p->port, p->index, err);
    }
    if (strcmp(args[0], "client") == 0) {
        return start_client(c, p->port, err);
    }
    return node_start(p->port, args, on_node_exit, p, &p->node, err);
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct realm *c = ctx;
    struct realm_program *p = calloc(1, sizeof *p);
    uint32_t place = 0;
    int rc;

    while (place < REALM_PROGRAMS && c->programs[place]) {
        place++;
    }
    ASSERT(p && place < REALM_PROGRAMS);
    *p = (struct realm_program){.port = port};
    (void)str_format(p->role, sizeof p->role, "%s", args[0]);
    rc = start_role(c, p, args, err);
    if (rc < 0) {
        free(p);
        return rc;
    }
    c->programs[place] = p;
    *ret_node = p;
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct realm *c = ctx;
    struct realm_program *p = node;

    for (uint32_t i = 0; i < REALM_PROGRAMS; i++) {
        if (c->programs[i] == p) {
            c->programs[i] = NULL;
        }
    }
    if (strcmp(p->role, "master") == 0) {
        master_free(c->master);
        c->master = NULL;
    } else if (strcmp(p->role, "worker") == 0) {
        worker_free(c->workers[p->index]);
        c->workers[p->index] = NULL;
    } else if (strcmp(p->role, "client") == 0) {
        client_free(c->client);
        timer_free(c->client_clock);
        c->client = NULL;
    }
    node_free(p->node);
    free(p);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    struct realm_program *p = node;

    (void)ctx;
    (void)signal;
    if (p->node) {
        node_stop(p->node);
    } else {
        sim_exit(p->port, 0);
    }
}

static void on_line(void *ctx, gp_str line)
{
    (void)ctx;
    (void)fwrite(line.ptr, 1, line.len, stderr);
}

struct sim_proc *realm_process(struct realm *c, const char *role, uint32_t i)
{
    for (uint32_t k = 0; k < REALM_PROGRAMS; k++) {
        if (c->programs[k] && strcmp(c->programs[k]->role, role) == 0 && i-- == 0) {
            return sim_proc_of(c->programs[k]->port);
        }
    }
    return NULL;
}

/* ---- running ---- */

/* False when nothing more can happen, or too much did. */
static bool step(struct realm *c)
{
    if (c->after && sim_now_ns(c->sim) >= c->after_ns) {
        void (*fn)(struct realm *) = c->after;

        c->after = NULL;
        fn(c);
    }
    return sim_events(c->sim) < EVENTS_MAX && sim_step(c->sim);
}

void realm_after(struct realm *c, int64_t us, void (*fn)(struct realm *c))
{
    ASSERT(!c->after);
    c->after = fn;
    c->after_ns = sim_now_ns(c->sim) + us * 1000;
}

/* Who waits for what, when a wait was in vain and somebody looks on. */
static void explain(const struct realm *c)
{
    struct buf report = {0};

    if (c->is_verbose && sim_report(c->sim, &report) == 0) {
        (void)fprintf(stderr, "waited in vain:\n%s\n", buf_c(&report));
    }
    buf_deinit(&report);
}

int realm_until(struct realm *c, bool (*done)(struct realm *c), int64_t limit_ms)
{
    int64_t end_ns = sim_now_ns(c->sim) + limit_ms * MS_NS;

    while (!done(c)) {
        if (sim_now_ns(c->sim) >= end_ns || !step(c)) {
            explain(c);
            return GP_ETIMEOUT;
        }
    }
    return 0;
}

void realm_run_us(struct realm *c, int64_t us)
{
    int64_t end_ns = sim_now_ns(c->sim) + us * 1000;

    while (sim_now_ns(c->sim) < end_ns && step(c)) {
    }
}

/* ---- the beginning ---- */

static struct sim_proc *spawn(struct realm *c, uint32_t host, const char *role, uint32_t index)
{
    const char text[] = {(char)('0' + index), '\0'};
    const char *const args[] = {role, text, NULL};
    struct sim_proc *proc;

    ASSERT(sim_spawn(c->hosts[host], args, &proc) == 0);
    return proc;
}

static void spawn_daemon(struct realm *c, uint32_t worker)
{
    if (worker == 0) {
        c->master_proc = spawn(c, 0, "master", 0);
    } else {
        c->worker_procs[worker] = spawn(c, host_of_worker(c, worker), "worker", worker);
        c->was_master_late = c->was_master_late || !c->master_proc;
    }
}

/* Master (0) and workers; varied: in any order, some time apart. */
static void spawn_daemons(struct realm *c)
{
    uint32_t order[REALM_WORKERS + 1];

    for (uint32_t i = 0; i <= REALM_WORKERS; i++) {
        order[i] = i;
    }
    for (uint32_t i = REALM_WORKERS; c->is_varied && i > 0; i--) {
        uint32_t other = (uint32_t)rng_below(&c->rng, i + 1);
        uint32_t moved = order[i];

        order[i] = order[other];
        order[other] = moved;
    }
    for (uint32_t i = 0; i <= REALM_WORKERS; i++) {
        spawn_daemon(c, order[i]);
        if (c->is_varied) {
            realm_run_us(c, (int64_t)rng_below(&c->rng, START_GAP_US));
        }
    }
    c->client_proc = spawn(c, CLIENT_HOST, "client", 0);
}

int realm_read_file(const char *path, struct buf *ret)
{
    char block[65536];
    size_t n;
    FILE *file = fopen(path, "rb");
    int rc = file ? 0 : GP_ENOENT;

    while (rc >= 0 && (n = fread(block, 1, sizeof block, file)) > 0) {
        rc = buf_append(ret, block, n);
    }
    if (file) {
        (void)fclose(file);
    }
    return rc;
}

static bool is_over(const struct sim_proc *proc)
{
    struct proc_exit how;

    return sim_proc_ended(proc, &how) == 0;
}

/* Starts again what has ended, as a service manager does: a bad disk may end it at once. */
static void keep_going(struct realm *c)
{
    if (is_over(c->master_proc)) {
        spawn_daemon(c, 0);
    }
    for (uint32_t i = 1; i <= REALM_WORKERS; i++) {
        if (is_over(c->worker_procs[i])) {
            spawn_daemon(c, i);
        }
    }
}

static void put_plugins(struct realm *c)
{
    struct buf bytes = {0};

    ASSERT(realm_read_file(GP_FILE_PLUGIN, &bytes) == 0);
    ASSERT(sim_disk_put(c->hosts[0], "/plugins/file.so", buf_bytes(&bytes)) == 0);
    buf_deinit(&bytes);
}

static bool all_registered(struct realm *c)
{
    return c->client && c->master && master_worker_count(c->master) == REALM_WORKERS;
}

static void draw_shape(struct realm *c, uint64_t seed)
{
    rng_init(&c->rng, seed);
    c->slots = c->slots ? c->slots : SLOTS;
    c->worker_hosts = REALM_WORKERS;
    c->lanes = LANES;
    if (c->is_varied) {
        c->worker_hosts = 1 + (uint32_t)rng_below(&c->rng, REALM_WORKERS);
        c->lanes = 1 + (uint32_t)rng_below(&c->rng, LANES_MAX);
    }
}

int realm_begin(struct realm *c, uint64_t seed)
{
    struct sim_options options = {.seed = seed,
                                  .start = start,
                                  .stop = stop,
                                  .on_signal = on_signal,
                                  .ctx = c,
                                  .loader = &loader,
                                  .json_parse = edge_json_parse,
                                  .log_level = LOG_LEVEL_DEBUG,
                                  .time_max_ns = TIME_MAX_NS,
                                  .faults = c->faults};

    c->is_verbose = c->is_verbose || getenv("GP_SIM_VERBOSE") != NULL;
    options.on_line = c->is_verbose ? on_line : NULL;
    draw_shape(c, seed);
    ASSERT(sim_new(&options, &c->sim) == 0);
    for (uint32_t i = 0; i < REALM_HOSTS; i++) {
        char address[16];
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 1);
        ASSERT(sim_host_add(c->sim, address, &c->hosts[i]) == 0);
    }
    put_plugins(c);
    spawn_daemons(c);
    while (realm_until(c, all_registered, START_STEP_MS) < 0) {
        if (sim_now_ns(c->sim) > START_LIMIT_MS * MS_NS) {
            return GP_ETIMEOUT;
        }
        keep_going(c);
    }
    return 0;
}

int realm_restart_master(struct realm *c, int64_t after_us)
{
    sim_kill(c->master_proc);
    realm_run_us(c, after_us);
    c->master_proc = spawn(c, 0, "master", 0);
    return realm_until(c, all_registered, START_LIMIT_MS);
}

/* ---- the end ---- */

static bool has_rested(struct realm *c)
{
    return !realm_process(c, "appmaster", 0) && !realm_process(c, "executor", 0);
}

int realm_rest(struct realm *c)
{
    int rc = realm_until(c, has_rested, REST_LIMIT_MS);

    if (rc < 0) {
        return rc;
    }
    realm_run_us(c, 500000); /* for the master to hear of it */
    rc = realm_list_workers(c);
    for (uint32_t i = 0; rc >= 0 && i < c->workers_page.workers_count; i++) {
        if (c->workers_page.workers[i].slots_used > 0 || c->workers_page.workers[i].executors > 0) {
            return GP_ESTATE;
        }
    }
    return rc < 0 ? rc : 0;
}

static bool nobody_lives(struct realm *c)
{
    for (uint32_t i = 0; i < REALM_PROGRAMS; i++) {
        if (c->programs[i]) {
            return false;
        }
    }
    return true;
}

int realm_end(struct realm *c)
{
    int rc;

    for (uint32_t i = 0; i < REALM_PROGRAMS; i++) {
        if (c->programs[i]) {
            sim_signal(c->programs[i]->port->world, 15);
        }
    }
    c->after = NULL;
    rc = realm_until(c, nobody_lives, END_LIMIT_MS);
    rc = rc < 0 ? rc : (int)sim_leaks(c->sim);
    sim_free(c->sim);
    fields_deinit(&msg_app_live_fields, &c->live);
    fields_deinit(&msg_worker_page_fields, &c->workers_page);
    *c = (struct realm){0};
    return rc;
}
