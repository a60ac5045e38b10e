/*
 * cluster.c: see cluster.h. What a role needs to start comes from its arguments, as in a real
 * process; what the caller looks at is noted here. What the client does stands in cluster_client.c.
 */
#include "sim/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

#define SECOND         INT64_C(1000000000)
#define MS_NS          INT64_C(1000000)
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

struct cluster_program {
    struct list_node link; /* in cluster->programs */
    const struct port *port;
    char role[16];
    uint32_t index; /* of a master or worker */
    struct node *node;
};

static struct cluster_program *program_of(struct list_node *link)
{
    return LIST_ENTRY(link, struct cluster_program, link);
}

/* ---- roles ---- */

static gp_bytes secret(void)
{
    return gp_bytes_of(CLUSTER_SECRET, strlen(CLUSTER_SECRET));
}

/* The addresses of all masters, as everybody is told them. */
struct address_list {
    char texts[CLUSTER_MASTERS_MAX][24];
    const char *list[CLUSTER_MASTERS_MAX];
};

static void list_masters(const struct cluster *c, struct address_list *ret)
{
    for (uint32_t i = 0; i < c->master_count; i++) {
        (void)str_format(ret->texts[i], sizeof ret->texts[i], "10.0.0.%u:3000", i + 1);
        ret->list[i] = ret->texts[i];
    }
}

static int start_master(struct cluster *c, const struct port *port, uint32_t index,
                        struct gp_error *err)
{
    const char *const plugin_dirs[] = {"/plugins"};
    struct address_list masters;
    struct master_options options = {.port = port,
                                     .data_dir = "/var/master",
                                     .secret = secret(),
                                     .plugin_dirs = plugin_dirs,
                                     .plugin_dir_count = 1,
                                     .rebalance = c->is_balanced,
                                     .snapshot_entries = c->snapshot_entries};

    list_masters(c, &masters);
    options.bind = masters.list[index];
    options.masters = masters.list;
    options.master_count = c->master_count;
    return master_new(&options, &c->masters[index].master, err);
}

/* Hosts are dealt out by turns. */
static uint32_t host_of_worker(const struct cluster *c, uint32_t worker)
{
    return worker % c->worker_hosts;
}

static void worker_address_text(uint32_t host, char text[20])
{
    (void)str_format(text, 20, "10.1.%u.%u", host / 250, host % 250 + 1);
}

static int start_worker(struct cluster *c, const struct port *port, uint32_t index,
                        struct gp_error *err)
{
    struct address_list masters;
    char address[20];
    char bind[32];
    char name[16];
    char data_dir[32];
    const struct worker_options options = {.port = port,
                                           .masters = masters.list,
                                           .master_count = c->master_count,
                                           .bind = bind,
                                           .name = name,
                                           .slots = c->slots,
                                           .lanes = c->lanes,
                                           .data_dir = data_dir,
                                           .sockets_dir = "/run/gearpump",
                                           .secret = secret()};

    list_masters(c, &masters);
    worker_address_text(host_of_worker(c, index), address);
    (void)str_format(bind, sizeof bind, "%s:0", address);
    (void)str_format(name, sizeof name, "w%u", index + 1);
    (void)str_format(data_dir, sizeof data_dir, "/var/worker%u", index + 1);
    return worker_new(&options, &c->workers[index].worker, err);
}

static void on_client_clock(void *user)
{
    ((struct cluster *)user)->is_client_awake = true;
}

static int start_client(struct cluster *c, const struct port *port, struct gp_error *err)
{
    struct address_list masters;
    const struct client_options options = {
        .port = port, .masters = masters.list, .master_count = c->master_count, .secret = secret()};

    list_masters(c, &masters);
    ASSERT(timer_new(port->loop, on_client_clock, c, &c->client_clock) == 0);
    return client_new(&options, &c->client, err);
}

static void on_node_exit(void *user, int32_t exit_code)
{
    struct cluster_program *p = user;

    sim_exit(p->port, exit_code);
}

static int start_role(struct cluster *c, struct cluster_program *p, const char *const *args,
                      struct gp_error *err)
{
    if (strcmp(args[0], "master") == 0) {
        p->index = (uint32_t)strtoul(args[1], NULL, 10);
        return start_master(c, p->port, p->index, err);
    }
    if (strcmp(args[0], "worker") == 0) {
        p->index = (uint32_t)strtoul(args[1], NULL, 10);
        return start_worker(c, p->port, p->index, err);
    }
    if (strcmp(args[0], "client") == 0) {
        return start_client(c, p->port, err);
    }
    return c->hooks->node_start(p->port, args, on_node_exit, p, &p->node, err);
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct cluster *c = ctx;
    struct cluster_program *p = calloc(1, sizeof *p);
    int rc;

    if (!p) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a process");
    }
    p->port = port;
    list_node_init(&p->link);
    (void)str_format(p->role, sizeof p->role, "%s", args[0]);
    rc = start_role(c, p, args, err);
    if (rc < 0) {
        free(p);
        return rc;
    }
    list_push_back(&c->programs, &p->link);
    *ret_node = p;
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct cluster *c = ctx;
    struct cluster_program *p = node;

    list_remove(&p->link);
    if (strcmp(p->role, "master") == 0) {
        master_free(c->masters[p->index].master);
        c->masters[p->index].master = NULL;
    } else if (strcmp(p->role, "worker") == 0) {
        worker_free(c->workers[p->index].worker);
        c->workers[p->index].worker = NULL;
    } else if (strcmp(p->role, "client") == 0) {
        client_free(c->client);
        timer_free(c->client_clock);
        c->client = NULL;
    }
    c->hooks->node_free(p->node);
    free(p);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    struct cluster *c = ctx;
    struct cluster_program *p = node;

    (void)signal;
    if (p->node) {
        c->hooks->node_stop(p->node);
    } else {
        sim_exit(p->port, 0);
    }
}

/* ---- who lives ---- */

static struct cluster_program *find_program(const struct cluster *c, const char *role, uint32_t i)
{
    LIST_FOREACH (link, &c->programs) {
        if (strcmp(program_of(link)->role, role) == 0 && i-- == 0) {
            return program_of(link);
        }
    }
    return NULL;
}

struct sim_proc *cluster_process(const struct cluster *c, const char *role, uint32_t i)
{
    const struct cluster_program *p = find_program(c, role, i);

    return p ? sim_proc_of(p->port) : NULL;
}

const struct node *cluster_node(const struct cluster *c, const char *role, uint32_t i)
{
    const struct cluster_program *p = find_program(c, role, i);

    return p ? p->node : NULL;
}

uint32_t cluster_process_count(const struct cluster *c, const char *role)
{
    uint32_t count = 0;

    LIST_FOREACH (link, &c->programs) {
        count += strcmp(program_of(link)->role, role) == 0;
    }
    return count;
}

bool cluster_is_up(const struct cluster_daemon *daemon)
{
    struct proc_exit how;

    return daemon->proc && sim_proc_ended(daemon->proc, &how) == GP_EAGAIN;
}

uint32_t cluster_leader(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->master_count; i++) {
        if (c->masters[i].master && master_leads(c->masters[i].master)) {
            return i;
        }
    }
    return CLUSTER_MASTERS_MAX;
}

bool cluster_is_whole(struct cluster *c)
{
    uint32_t leader = cluster_leader(c);
    uint32_t workers = 0;

    for (uint32_t i = 0; i < c->worker_count; i++) {
        workers += cluster_is_up(&c->workers[i]);
    }
    return leader != CLUSTER_MASTERS_MAX && workers > 0 &&
           master_worker_count(c->masters[leader].master) == workers;
}

/* ---- running ---- */

bool cluster_is_spent(const struct cluster *c)
{
    return sim_events(c->sim) >= c->event_max;
}

/* False when nothing more can happen. */
static bool step(struct cluster *c)
{
    if (c->after && sim_now_ns(c->sim) >= c->after_ns) {
        void (*fn)(struct cluster *) = c->after;

        c->after = NULL;
        fn(c);
    }
    if (c->before_step) {
        c->before_step(c, c->step_user);
    }
    return !cluster_is_spent(c) && sim_step(c->sim);
}

void cluster_after(struct cluster *c, int64_t us, void (*fn)(struct cluster *c))
{
    ASSERT(!c->after);
    c->after = fn;
    c->after_ns = sim_now_ns(c->sim) + us * 1000;
}

/* Who waits for what, when a wait was in vain and somebody looks on. */
static void explain(const struct cluster *c)
{
    struct buf report = {0};

    if (c->on_line && sim_report(c->sim, &report) == 0) {
        c->on_line(c->line_ctx, GP_STR("waited in vain:\n"));
        c->on_line(c->line_ctx, buf_str(&report));
    }
    buf_deinit(&report);
}

int cluster_until(struct cluster *c, bool (*done)(struct cluster *c), int64_t limit_ms)
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

void cluster_run_us(struct cluster *c, int64_t us)
{
    int64_t end_ns = sim_now_ns(c->sim) + us * 1000;

    while (sim_now_ns(c->sim) < end_ns && step(c)) {
    }
}

/* ---- the beginning ---- */

static struct sim_proc *spawn(struct sim_host *host, const char *role, uint32_t index)
{
    char text[16];
    const char *const args[] = {role, text, NULL};
    struct sim_proc *proc;

    (void)str_format(text, sizeof text, "%u", index);
    ASSERT(sim_spawn(host, args, &proc) == 0);
    return proc;
}

void cluster_start_master(struct cluster *c, uint32_t master)
{
    struct cluster_daemon *daemon = &c->masters[master];

    if (!cluster_is_up(daemon)) {
        daemon->proc = spawn(daemon->host, "master", master);
    }
}

void cluster_start_worker(struct cluster *c, uint32_t worker)
{
    struct cluster_daemon *daemon = &c->workers[worker];

    if (!cluster_is_up(daemon)) {
        daemon->proc = spawn(daemon->host, "worker", worker);
    }
}

/* Masters, then workers, by one number. */
static void start_daemon(struct cluster *c, uint32_t number)
{
    if (number < c->master_count) {
        cluster_start_master(c, number);
        return;
    }
    cluster_start_worker(c, number - c->master_count);
    for (uint32_t i = 0; i < c->master_count; i++) {
        c->was_master_late = c->was_master_late || !c->masters[i].proc;
    }
}

/* Varied: in any order, some time apart. */
static void start_daemons(struct cluster *c)
{
    uint32_t count = c->master_count + c->worker_count;
    uint32_t *order = calloc(count, sizeof *order);

    ASSERT(order);
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count - 1; c->is_varied && i > 0; i--) {
        uint32_t other = (uint32_t)rng_below(&c->rng, i + 1);
        uint32_t moved = order[i];

        order[i] = order[other];
        order[other] = moved;
    }
    for (uint32_t i = 0; i < count; i++) {
        start_daemon(c, order[i]);
        if (c->is_varied) {
            cluster_run_us(c, (int64_t)rng_below(&c->rng, START_GAP_US));
        }
    }
    free(order);
    c->client_proc = spawn(c->client_host, "client", 0);
}

/* Starts again what has ended, as a service manager does: a bad disk may end it at once. */
static void keep_going(struct cluster *c)
{
    for (uint32_t i = 0; i < c->master_count; i++) {
        cluster_start_master(c, i);
    }
    for (uint32_t i = 0; i < c->worker_count; i++) {
        cluster_start_worker(c, i);
    }
}

/* Every master has the plugins that jobs may name. */
static void put_plugins(struct cluster *c)
{
    for (const char *const *path = c->plugins; path && *path; path++) {
        const char *slash = strrchr(*path, '/');
        struct buf bytes = {0};
        char to[256];

        ASSERT(str_format(to, sizeof to, "/plugins/%s", slash ? slash + 1 : *path) >= 0);
        ASSERT(c->hooks->read_file(*path, &bytes, NULL) == 0);
        for (uint32_t i = 0; i < c->master_count; i++) {
            ASSERT(sim_disk_put(c->masters[i].host, to, buf_bytes(&bytes)) == 0);
        }
        buf_deinit(&bytes);
    }
}

static bool all_registered(struct cluster *c)
{
    uint32_t leader = cluster_leader(c);

    return c->client && leader != CLUSTER_MASTERS_MAX &&
           master_worker_count(c->masters[leader].master) == c->worker_count;
}

static void draw_shape(struct cluster *c, uint64_t seed)
{
    rng_init(&c->rng, seed);
    c->master_count = c->master_count ? c->master_count : 1;
    c->worker_count = c->worker_count ? c->worker_count : CLUSTER_WORKERS;
    c->slots = c->slots ? c->slots : SLOTS;
    c->worker_hosts = c->worker_count;
    c->event_max = c->event_max ? c->event_max : EVENTS_MAX;
    c->time_max_ns = c->time_max_ns ? c->time_max_ns : TIME_MAX_NS;
    if (c->is_varied) {
        c->worker_hosts = 1 + (uint32_t)rng_below(&c->rng, c->worker_count);
        c->lanes = 1 + (uint32_t)rng_below(&c->rng, LANES_MAX);
    }
    c->lanes = c->lanes ? c->lanes : LANES;
    ASSERT(c->master_count <= CLUSTER_MASTERS_MAX && c->worker_count <= CLUSTER_WORKERS_MAX);
}

static void add_hosts(struct cluster *c)
{
    struct sim_host *host = NULL;
    char address[20];

    for (uint32_t i = 0; i < c->master_count; i++) {
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 1);
        ASSERT(sim_host_add(c->sim, address, &c->masters[i].host) == 0);
    }
    c->workers = calloc(c->worker_count, sizeof *c->workers);
    ASSERT(c->workers);
    for (uint32_t i = 0; i < c->worker_hosts; i++) {
        worker_address_text(i, address);
        ASSERT(sim_host_add(c->sim, address, &host) == 0);
        for (uint32_t k = i; k < c->worker_count; k += c->worker_hosts) {
            c->workers[k].host = host;
        }
    }
    ASSERT(sim_host_add(c->sim, "10.2.0.1", &c->client_host) == 0);
}

int cluster_begin(struct cluster *c, uint64_t seed)
{
    struct sim_options options = {.seed = seed,
                                  .start = start,
                                  .stop = stop,
                                  .on_signal = on_signal,
                                  .ctx = c,
                                  .loader = c->hooks->loader,
                                  .json_parse = c->hooks->json_parse,
                                  .on_line = c->on_line,
                                  .line_ctx = c->line_ctx,
                                  .log_level = c->log_level,
                                  .on_note = c->on_note,
                                  .faults = c->faults};

    list_init(&c->programs);
    draw_shape(c, seed);
    options.time_max_ns = c->time_max_ns;
    options.event_max = c->event_max;
    ASSERT(sim_new(&options, &c->sim) == 0);
    add_hosts(c);
    put_plugins(c);
    start_daemons(c);
    while (cluster_until(c, all_registered, START_STEP_MS) < 0) {
        if (sim_now_ns(c->sim) > START_LIMIT_MS * MS_NS || cluster_is_spent(c)) {
            return GP_ETIMEOUT;
        }
        keep_going(c);
    }
    return 0;
}

int cluster_restart_master(struct cluster *c, int64_t after_us)
{
    uint32_t leader = cluster_leader(c);

    if (leader == CLUSTER_MASTERS_MAX) {
        return GP_ESTATE;
    }
    sim_kill(c->masters[leader].proc);
    cluster_run_us(c, after_us);
    cluster_start_master(c, leader);
    return cluster_until(c, all_registered, START_LIMIT_MS);
}

/* ---- the end ---- */

static bool has_rested(struct cluster *c)
{
    return !cluster_process(c, "appmaster", 0) && !cluster_process(c, "executor", 0);
}

int cluster_rest(struct cluster *c)
{
    int rc = cluster_until(c, has_rested, REST_LIMIT_MS);

    if (rc < 0) {
        return rc;
    }
    cluster_run_us(c, 500000); /* for the master to hear of it */
    rc = cluster_list_workers(c);
    for (uint32_t i = 0; rc >= 0 && i < c->workers_page.workers_count; i++) {
        if (c->workers_page.workers[i].slots_used > 0 || c->workers_page.workers[i].executors > 0) {
            return GP_ESTATE;
        }
    }
    return rc < 0 ? rc : 0;
}

static bool nobody_lives(struct cluster *c)
{
    return list_is_empty(&c->programs);
}

static void forget(struct cluster *c)
{
    sim_free(c->sim);
    free(c->workers);
    fields_deinit(&msg_app_description_fields, &c->described);
    fields_deinit(&msg_worker_page_fields, &c->workers_page);
    *c = (struct cluster){0};
}

int cluster_end(struct cluster *c)
{
    int rc;

    LIST_FOREACH (link, &c->programs) {
        sim_signal(program_of(link)->port->world, 15);
    }
    c->after = NULL;
    c->before_step = NULL;
    rc = cluster_until(c, nobody_lives, END_LIMIT_MS);
    rc = rc < 0 ? rc : (int)sim_leaks(c->sim);
    forget(c);
    return rc;
}

void cluster_abort(struct cluster *c)
{
    forget(c);
}
