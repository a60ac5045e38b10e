/*
 * realm.c: see realm.h. What a role needs to start comes from its arguments, as in a real
 * process; what the test looks at is noted here.
 */
#include "realm.h"

#include <stdio.h>

#include "app/node.h"
#include "base/assert.h"
#include "base/str.h"
#include "edge/json.h"
#include "edge/plugin.h"
#include "gp_test.h"

struct realm_program {
    const struct port *port;
    char role[16];
    uint32_t index; /* of a worker */
    struct node *node;
};

static const struct sim_plugin_loader loader = {edge_plugin_open_copy, edge_plugin_close};

/* ---- roles ---- */

static int start_master(struct realm *c, const struct port *port, struct gp_error *err)
{
    const char *const plugin_dirs[] = {"/plugins"};
    const struct master_options options = {.port = port,
                                           .bind = REALM_MASTER,
                                           .data_dir = "/var/master",
                                           .secret =
                                               gp_bytes_of(REALM_SECRET, strlen(REALM_SECRET)),
                                           .plugin_dirs = plugin_dirs,
                                           .plugin_dir_count = 1};

    return master_new(&options, &c->master, err);
}

static int start_worker(struct realm *c, const struct port *port, const char *index,
                        struct gp_error *err)
{
    const char *const masters[] = {REALM_MASTER};
    char bind[32];
    char name[16];
    const struct worker_options options = {.port = port,
                                           .masters = masters,
                                           .master_count = 1,
                                           .bind = bind,
                                           .name = name,
                                           .slots = c->slots,
                                           .lanes = 2,
                                           .data_dir = "/var/worker",
                                           .sockets_dir = "/run/gearpump",
                                           .secret =
                                               gp_bytes_of(REALM_SECRET, strlen(REALM_SECRET))};
    int i = index[0] - '0';

    (void)str_format(bind, sizeof bind, "10.0.0.%d:0", i + 1);
    (void)str_format(name, sizeof name, "w%d", i);
    return worker_new(&options, &c->workers[i], err);
}

static int start_client(struct realm *c, const struct port *port, struct gp_error *err)
{
    const char *const masters[] = {REALM_MASTER};
    const struct client_options options = {.port = port,
                                           .masters = masters,
                                           .master_count = 1,
                                           .secret =
                                               gp_bytes_of(REALM_SECRET, strlen(REALM_SECRET))};

    return client_new(&options, &c->client, err);
}

static void on_node_exit(void *user, int32_t exit_code)
{
    struct realm_program *p = user;

    sim_exit(p->port, exit_code);
}

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct realm *c = ctx;
    struct realm_program *p = calloc(1, sizeof *p);
    int rc;

    GP_REQUIRE(p != NULL && c->program_count < ARRAY_LEN(c->programs));
    *p = (struct realm_program){.port = port};
    (void)str_format(p->role, sizeof p->role, "%s", args[0]);
    if (strcmp(args[0], "master") == 0) {
        rc = start_master(c, port, err);
    } else if (strcmp(args[0], "worker") == 0) {
        p->index = (uint32_t)(args[1][0] - '0');
        rc = start_worker(c, port, args[1], err);
    } else if (strcmp(args[0], "client") == 0) {
        rc = start_client(c, port, err);
    } else {
        rc = node_start(port, args, on_node_exit, p, &p->node, err);
    }
    if (rc < 0) {
        free(p);
        return rc;
    }
    c->programs[c->program_count++] = p;
    *ret_node = p;
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct realm *c = ctx;
    struct realm_program *p = node;

    for (uint32_t i = 0; i < c->program_count; i++) {
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

/* ---- life ---- */

struct sim_proc *realm_process(struct realm *c, const char *role, uint32_t i)
{
    for (uint32_t k = 0; k < c->program_count; k++) {
        if (c->programs[k] && strcmp(c->programs[k]->role, role) == 0 && i-- == 0) {
            return c->programs[k]->port->world;
        }
    }
    return NULL;
}

static struct sim_proc *spawn(struct realm *c, uint32_t host, const char *role, const char *arg)
{
    const char *const args[] = {role, arg, NULL};
    struct sim_proc *proc;

    GP_REQUIRE_EQ(sim_spawn(c->hosts[host], args, &proc), 0);
    return proc;
}

static void put_job(struct realm *c)
{
    FILE *file = fopen(GP_TEST_JOB, "rb");
    struct buf bytes = {0};
    char block[4096];
    size_t n;

    GP_REQUIRE(file != NULL);
    while ((n = fread(block, 1, sizeof block, file)) > 0) {
        GP_REQUIRE_EQ(buf_append(&bytes, block, n), 0);
    }
    (void)fclose(file);
    GP_REQUIRE_EQ(sim_disk_put(c->hosts[0], "/chain.so", buf_bytes(&bytes)), 0);
    buf_deinit(&bytes);
}

static bool all_registered(struct realm *c)
{
    return c->client && c->master && master_worker_count(c->master) == REALM_WORKERS;
}

static bool is_over(const struct sim_proc *proc)
{
    struct proc_exit how;

    return !proc || sim_proc_ended(proc, &how) == 0;
}

/* Starts what is not there, as a service manager does: a bad disk may end it again at once. */
static void keep_going(struct realm *c)
{
    if (is_over(c->master_proc)) {
        c->master_proc = spawn(c, 0, "master", NULL);
    }
    for (uint32_t i = 1; i <= REALM_WORKERS; i++) {
        const char index[] = {(char)('0' + i), '\0'};
        if (is_over(c->worker_procs[i])) {
            c->worker_procs[i] = spawn(c, i, "worker", index);
        }
    }
}

void realm_begin(struct realm *c, uint64_t seed)
{
    const bool verbose = getenv("GP_SIM_VERBOSE") != NULL;
    const struct sim_options options = {.seed = seed,
                                        .start = start,
                                        .stop = stop,
                                        .on_signal = on_signal,
                                        .ctx = c,
                                        .loader = &loader,
                                        .json_parse = edge_json_parse,
                                        .on_line = verbose ? on_line : NULL,
                                        .log_level = LOG_LEVEL_DEBUG,
                                        .faults = c->faults};

    c->slots = c->slots ? c->slots : 20;
    GP_REQUIRE_EQ(sim_new(&options, &c->sim), 0);
    for (uint32_t i = 0; i < REALM_HOSTS; i++) {
        char address[16];
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 1);
        GP_REQUIRE_EQ(sim_host_add(c->sim, address, &c->hosts[i]), 0);
    }
    put_job(c);
    (void)spawn(c, 0, "client", NULL);
    for (int i = 0; i < 100 && !all_registered(c); i++) {
        keep_going(c);
        (void)realm_until(c, all_registered, 2000);
    }
    GP_REQUIRE(all_registered(c));
}

void realm_restart_master(struct realm *c)
{
    sim_kill(c->master_proc);
    c->master_proc = spawn(c, 0, "master", NULL);
    GP_CHECK_EQ(realm_until(c, all_registered, 10000), 0);
}

void realm_end(struct realm *c)
{
    GP_CHECK_EQ(sim_leaks(c->sim), 0);
    sim_free(c->sim);
    fields_deinit(&msg_app_live_fields, &c->live);
    fields_deinit(&msg_worker_page_fields, &c->workers_page);
    *c = (struct realm){0};
}

int realm_until(struct realm *c, bool (*done)(struct realm *c), int64_t limit_ms)
{
    int64_t end_ns = sim_now_ns(c->sim) + limit_ms * MS_NS;

    while (!done(c)) {
        if (sim_now_ns(c->sim) >= end_ns || !sim_step(c->sim)) {
            return GP_ETIMEOUT;
        }
    }
    return 0;
}

void realm_run_ms(struct realm *c, int64_t ms)
{
    GP_CHECK_EQ(sim_run_for(c->sim, ms * MS_NS, NULL), 0);
}

/* ---- the client ---- */

static void note_summary(struct realm *c, const struct msg_app_summary *summary)
{
    c->summary = *summary;
    (void)str_format(c->name, sizeof c->name, "%s", summary->name);
    (void)str_format(c->error, sizeof c->error, "%s", summary->error);
    c->summary.name = c->name;
    c->summary.error = c->error;
}

static void note_answer(struct realm *c, int code, const struct gp_error *err)
{
    c->answers++;
    c->code = code;
    c->err = code < 0 ? *err : (struct gp_error){0};
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct realm *c = user;

    note_answer(c, code, err);
    if (code >= 0) {
        c->app = ((const struct msg_app_submitted *)msg)->id;
        c->version = 0;
    }
}

static void on_change(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct realm *c = user;
    const struct msg_app_change *change = msg;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, &change->app);
        c->version = change->version;
    }
}

static void on_summary(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct realm *c = user;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, msg);
    }
}

static void on_described(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct realm *c = user;
    const struct msg_app_description *d = msg;
    struct value *tree = NULL;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, &d->app);
        GP_REQUIRE_EQ(fields_encode(&msg_app_live_fields, &d->live, &tree), 0);
        fields_deinit(&msg_app_live_fields, &c->live);
        GP_REQUIRE_EQ(fields_decode(&msg_app_live_fields, tree, &c->live, NULL), 0);
        value_free(tree);
    }
}

static void on_workers(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct realm *c = user;
    struct value *tree = NULL;

    note_answer(c, code, err);
    if (code >= 0) {
        GP_REQUIRE_EQ(fields_encode(&msg_worker_page_fields, msg, &tree), 0);
        fields_deinit(&msg_worker_page_fields, &c->workers_page);
        GP_REQUIRE_EQ(fields_decode(&msg_worker_page_fields, tree, &c->workers_page, NULL), 0);
        value_free(tree);
    }
}

/* Runs until the client has its answer; rc is how asking went. */
static int finish(struct realm *c, int rc, uint32_t before)
{
    int64_t end_ns = sim_now_ns(c->sim) + 120 * SECOND;

    GP_REQUIRE_EQ(rc, 0);
    while (c->answers == before && sim_now_ns(c->sim) < end_ns && sim_step(c->sim)) {
    }
    GP_REQUIRE(c->answers > before);
    return c->code;
}

static int ask(struct realm *c, uint16_t type, const void *msg, client_fn fn)
{
    uint32_t before = c->answers;

    return finish(c, client_ask(c->client, type, msg, fn, c), before);
}

int realm_submit(struct realm *c, uint32_t executors, const char *const *config)
{
    struct msg_config pairs[8];
    struct client_submit submit = {.path = "/chain.so",
                                   .spec = {.config = pairs, .executors = executors},
                                   .fn = on_submitted,
                                   .user = c};
    char texts[8][64];
    struct gp_error err = {0};
    uint32_t before = c->answers;
    int rc;

    for (; config && config[submit.spec.config_count]; submit.spec.config_count++) {
        uint32_t i = submit.spec.config_count;
        GP_REQUIRE(i < ARRAY_LEN(texts));
        (void)str_format(texts[i], sizeof texts[i], "%s", config[i]);
        pairs[i].key = texts[i];
        pairs[i].value = strchr(texts[i], '=') + 1;
        pairs[i].value[-1] = '\0';
    }
    rc = client_submit(c->client, &submit, &err);
    return finish(c, rc, before);
}

static void app_text(const struct realm *c, char text[16])
{
    (void)str_format(text, 16, "%u", c->app);
}

int realm_wait_change(struct realm *c, int64_t timeout_ms)
{
    char app[16];
    const struct msg_app_wait wait = {
        .app = app, .seen_version = c->version, .timeout_ms = (uint32_t)timeout_ms};
    uint32_t before = c->answers;

    app_text(c, app);
    return finish(c,
                  client_ask_for(c->client, MSG_APP_WAIT, &wait, timeout_ms * MS_NS + 5 * SECOND,
                                 on_change, c),
                  before);
}

int realm_wait_end(struct realm *c, int64_t limit_ms)
{
    int64_t end_ns = sim_now_ns(c->sim) + limit_ms * MS_NS;

    while (sim_now_ns(c->sim) < end_ns) {
        int rc = realm_wait_change(c, 1000);
        if (rc < 0) {
            return rc;
        }
        if (app_state_is_end(c->summary.state)) {
            return (int)c->summary.state;
        }
    }
    return GP_ETIMEOUT;
}

int realm_wait_running(struct realm *c)
{
    for (int i = 0; i < 60; i++) {
        int rc = realm_wait_change(c, 1000);
        if (rc < 0) {
            return rc;
        }
        if (c->summary.state >= APP_RUNNING) {
            return c->summary.state == APP_RUNNING ? 0 : (int)c->summary.state;
        }
    }
    return GP_ETIMEOUT;
}

int realm_kill(struct realm *c)
{
    char app[16];
    const struct msg_app_ref ref = {.app = app};

    app_text(c, app);
    return ask(c, MSG_APP_KILL, &ref, on_summary);
}

int realm_describe(struct realm *c)
{
    char app[16];
    const struct msg_app_ref ref = {.app = app};

    app_text(c, app);
    return ask(c, MSG_APP_DESCRIBE, &ref, on_described);
}

int realm_list_workers(struct realm *c)
{
    const struct msg_worker_list list = {0};

    return ask(c, MSG_WORKER_LIST, &list, on_workers);
}
