/* cluster.c: see cluster.h. */
#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/node.h"
#include "base/assert.h"
#include "base/rng.h"
#include "base/str.h"
#include "control/client/client.h"
#include "control/master/master.h"
#include "control/worker/worker.h"
#include "edge/json.h"
#include "edge/plugin.h"

#define MASTER      "10.0.0.1:3000"
#define SECRET      "the secret of simulated clusters"
#define SETTLE_NS   2000000000
#define TIME_MAX_NS INT64_C(300000000000)

enum kind { KIND_MASTER, KIND_WORKER, KIND_CLIENT, KIND_CHILD };

/* A process of the cluster: exactly one of these lives in it. */
struct inhabitant {
    enum kind kind;
    struct cluster *cluster;
    const struct port *port;
    struct master *master;
    struct worker *worker;
    struct client *client;
    struct node *child;
};

struct cluster {
    struct sim *sim;
    struct cluster_options options;
    struct rng rng;
    uint32_t app;
    uint64_t seen_version;
    bool done;
    struct cluster_result result;
};

/* ---- the client: submit, wait, remember how it ended ---- */

static void wait_more(struct inhabitant *in);

static void give_up(struct inhabitant *in, const struct gp_error *err)
{
    struct cluster *c = in->cluster;

    c->done = true;
    c->result.state = APP_FAILED;
    (void)str_format(c->result.error, sizeof c->result.error, "%s", err ? err->text : "?");
}

static void on_change(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct inhabitant *in = user;
    const struct msg_app_change *change = msg;

    if (code < 0) {
        give_up(in, err);
        return;
    }
    in->cluster->seen_version = change->version;
    if (!app_state_is_end(change->app.state)) {
        wait_more(in);
        return;
    }
    in->cluster->done = true;
    in->cluster->result.state = change->app.state;
    (void)str_format(in->cluster->result.error, sizeof in->cluster->result.error, "%s",
                     change->app.error);
}

static void wait_more(struct inhabitant *in)
{
    char id[16];
    struct msg_app_wait wait = {
        .app = id, .seen_version = in->cluster->seen_version, .timeout_ms = 20000};

    (void)str_format(id, sizeof id, "%u", in->cluster->app);
    int rc = client_ask_for(in->client, MSG_APP_WAIT, &wait, INT64_C(30000000000), on_change, in);
    ASSERT(rc >= 0);
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct inhabitant *in = user;

    if (code < 0) {
        give_up(in, err);
        return;
    }
    in->cluster->app = ((const struct msg_app_submitted *)msg)->id;
    wait_more(in);
}

static int client_begin(struct inhabitant *in, struct gp_error *err)
{
    const char *masters[] = {MASTER};
    const struct cluster_job *job = in->cluster->options.job;
    struct client_options options = {.port = in->port,
                                     .masters = masters,
                                     .master_count = 1,
                                     .secret = gp_bytes_of(SECRET, sizeof SECRET - 1)};
    struct client_submit submit = {.path = "/app.so", .fn = on_submitted, .user = in};
    int rc = client_new(&options, &in->client, err);

    if (rc < 0) {
        return rc;
    }
    submit.spec = (struct msg_app_submit){.name = MSG_NO_TEXT,
                                          .config = (struct msg_config *)(uintptr_t)job->config,
                                          .config_count = job->config_count,
                                          .parallelism =
                                              (struct msg_parallelism *)(uintptr_t)job->parallelism,
                                          .parallelism_count = job->parallelism_count,
                                          .executors = job->executors};
    return client_submit(in->client, &submit, err);
}

/* ---- programs ---- */

static int master_begin(struct inhabitant *in, struct gp_error *err)
{
    static const char *const dirs[] = {"/plugins"};
    struct master_options options = {.port = in->port,
                                     .bind = MASTER,
                                     .data_dir = "/data/master",
                                     .secret = gp_bytes_of(SECRET, sizeof SECRET - 1),
                                     .plugin_dirs = dirs,
                                     .plugin_dir_count = 1};
    return master_new(&options, &in->master, err);
}

static int worker_begin(struct inhabitant *in, const char *host, struct gp_error *err)
{
    const char *masters[] = {MASTER};
    char bind[32];
    struct worker_options options = {.port = in->port,
                                     .masters = masters,
                                     .master_count = 1,
                                     .bind = bind,
                                     .data_dir = "/data/worker",
                                     .lanes = in->cluster->options.lanes,
                                     .secret = gp_bytes_of(SECRET, sizeof SECRET - 1)};

    (void)str_format(bind, sizeof bind, "%s:0", host);
    if (options.lanes == 0) {
        options.lanes = 1 + (uint32_t)rng_below(&in->cluster->rng, 3);
    }
    return worker_new(&options, &in->worker, err);
}

static void on_child_exit(void *user, int32_t code)
{
    struct inhabitant *in = user;
    sim_exit(in->port, code);
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct inhabitant *in = calloc(1, sizeof *in);
    int rc;

    ASSERT(in);
    *in = (struct inhabitant){.cluster = ctx, .port = port, .kind = KIND_CHILD};
    *ret_node = in;
    if (strcmp(args[0], "master") == 0) {
        in->kind = KIND_MASTER;
        rc = master_begin(in, err);
    } else if (strcmp(args[0], "worker") == 0) {
        in->kind = KIND_WORKER;
        rc = worker_begin(in, args[1], err);
    } else if (strcmp(args[0], "client") == 0) {
        in->kind = KIND_CLIENT;
        rc = client_begin(in, err);
    } else {
        rc = node_start(port, args, on_child_exit, in, &in->child, err);
    }
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", args[0], err->text);
    }
    return rc;
}

static void stop(void *ctx, void *node)
{
    struct inhabitant *in = node;

    (void)ctx;
    if (!in) {
        return;
    }
    client_free(in->client);
    node_free(in->child);
    worker_free(in->worker);
    master_free(in->master);
    free(in);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    struct inhabitant *in = node;

    (void)ctx;
    (void)signal;
    if (in->kind == KIND_CHILD && in->child) {
        node_stop(in->child);
    } else {
        sim_exit(in->port, 0);
    }
}

static void on_line(void *ctx, gp_str line)
{
    (void)ctx;
    fprintf(stderr, "%.*s", STR_ARG(line));
    if (line.len > 0 && line.ptr[line.len - 1] != '\n') {
        fputc('\n', stderr);
    }
}

static void print_report(const struct sim *sim)
{
    struct buf report = {0};

    if (sim_report(sim, &report) >= 0) {
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&report)));
    }
    buf_deinit(&report);
}

/* ---- the world ---- */

static int put(struct sim_host *host, const char *at, const char *path)
{
    struct buf bytes = {0};
    char block[65536];
    size_t n;
    FILE *file = fopen(path, "rb");
    int rc = file ? 0 : GP_ENOENT;

    while (rc >= 0 && (n = fread(block, 1, sizeof block, file)) > 0) {
        rc = buf_append(&bytes, block, n);
    }
    if (file) {
        (void)fclose(file);
    }
    if (rc >= 0) {
        rc = sim_disk_put(host, at, buf_bytes(&bytes));
    }
    buf_deinit(&bytes);
    return rc;
}

static int settle_hosts(struct cluster *c)
{
    struct sim_host *host;
    struct sim_proc *proc;
    int rc = sim_host_add(c->sim, "10.0.0.1", &host);

    rc = rc < 0 ? rc : put(host, "/plugins/file.so", GP_FILE_PLUGIN);
    rc = rc < 0 ? rc : sim_spawn(host, (const char *[]){"master", NULL}, &proc);
    for (uint32_t i = 0; rc >= 0 && i < c->options.workers; i++) {
        char address[16];
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 2);
        rc = sim_host_add(c->sim, address, &host);
        rc = rc < 0 ? rc : sim_spawn(host, (const char *[]){"worker", address, NULL}, &proc);
    }
    return rc;
}

static bool is_done(void *user)
{
    return ((const struct cluster *)user)->done;
}

static int submit_and_wait(struct cluster *c, struct gp_error *err)
{
    struct sim_host *host;
    struct sim_proc *proc;
    int rc = sim_host_add(c->sim, "10.0.0.100", &host);

    rc = rc < 0 ? rc : put(host, "/app.so", c->options.job->plugin);
    rc = rc < 0 ? rc : sim_spawn(host, (const char *[]){"client", NULL}, &proc);
    if (rc < 0) {
        return gp_error_set(err, rc, "the client: %s", error_sentence(rc));
    }
    rc = sim_run_until(c->sim, is_done, c, err);
    return rc < 0 ? rc : sim_run_for(c->sim, SETTLE_NS, err);
}

int cluster_run(const struct cluster_options *options, struct cluster **ret,
                struct cluster_result *result, struct gp_error *err)
{
    static const struct sim_plugin_loader loader = {edge_plugin_open_copy, edge_plugin_close};
    struct cluster *c = calloc(1, sizeof *c);
    struct sim_options sim = {.seed = options->seed,
                              .start = start,
                              .stop = stop,
                              .on_signal = on_signal,
                              .ctx = c,
                              .loader = &loader,
                              .json_parse = edge_json_parse,
                              .on_line = options->verbose ? on_line : NULL,
                              .log_level = options->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_OFF,
                              .trace_events = false,
                              .time_max_ns = TIME_MAX_NS};
    int rc;

    ASSERT(c);
    c->options = *options;
    rng_init(&c->rng, options->seed);
    rc = sim_new(&sim, &c->sim);
    rc = rc < 0 ? rc : settle_hosts(c);
    /* Long enough for the workers to be there: a submit without one is refused. */
    rc = rc < 0 ? rc : sim_run_for(c->sim, SETTLE_NS, err);
    if (rc >= 0) {
        rc = submit_and_wait(c, err);
    }
    if (rc < 0 && options->verbose) {
        print_report(c->sim);
    }
    c->result.trace_hash = sim_trace_hash(c->sim);
    c->result.events = sim_events(c->sim);
    c->result.leaks = sim_leaks(c->sim);
    c->result.took_ns = sim_now_ns(c->sim);
    *result = c->result;
    *ret = c;
    return rc;
}

struct sim *cluster_sim(struct cluster *c)
{
    return c->sim;
}

void cluster_free(struct cluster *c)
{
    if (c) {
        sim_free(c->sim);
        free(c);
    }
}
