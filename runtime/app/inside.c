/*
 * inside.c: see inside.h.
 *
 * The world asks us for children (edge/inproc.h); each is a node (app/node.h) with a port of its
 * own that differs from the main one in its environment, for the application's token, and its log.
 *
 *     start ─▶ RUNNING ──node is over──▶ over: freed by a timer, then reported
 *
 * A hosted child cannot be killed: its lanes are threads of ours. Killing asks it to end, as TERM
 * does, and user code that never returns is ended with the process by a second interrupt.
 */
#include "app/inside.h"

#include <stdlib.h>
#include <string.h>

#include "app/daemon.h"
#include "app/job_log.h"
#include "app/logs.h"
#include "app/node.h"
#include "app/plugin_dirs.h"
#include "app/process_dir.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/sha256.h"
#include "base/str.h"
#include "edge/inproc.h"

#define WORKERS_MAX_INSIDE 64u
#define SOCKETS_PATH_MAX   60u /* longer ones leave no room for the names of sockets */
#define SECRET_BYTES       32u

struct hosted {
    struct inside *inside;
    struct list_node link;
    struct edge_inproc *child;
    struct port port;
    char **env;
    struct node *node;
    struct timer *over; /* fires once the node may be freed */
    bool is_stopping;
    int32_t exit_code;
};

struct inside {
    const struct config *config; /* borrowed */
    struct log log;              /* of daemons and appmasters */
    struct log job_log;
    struct edge_world *world;
    const struct port *port;
    char dir[EDGE_PATH_MAX];
    char secret[2 * SECRET_BYTES + 1];
    struct master *master;
    struct worker *workers[WORKERS_MAX_INSIDE];
    uint32_t worker_count;
    struct list hosted;
};

/* ---- children ---- */

static void free_env(char **env)
{
    for (char **at = env; at && *at; at++) {
        explicit_bzero(*at, strlen(*at));
        free(*at);
    }
    free(env);
}

static char **copy_env(const char *const *env)
{
    size_t count = 0;
    char **copy;

    while (env && env[count]) {
        count++;
    }
    copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = str_dup(gp_str_of(env[i]));
        if (!copy[i]) {
            free_env(copy);
            return NULL;
        }
    }
    return copy;
}

static void hosted_free(struct hosted *h)
{
    list_remove(&h->link);
    node_free(h->node);
    timer_free(h->over);
    free_env(h->env);
    free(h);
}

static void on_over(void *user)
{
    struct hosted *h = user;
    struct edge_inproc *child = h->child;
    struct proc_exit how = {.code = h->exit_code};

    hosted_free(h);
    edge_inproc_exited(child, &how);
}

static void on_node_exit(void *user, int32_t exit_code)
{
    struct hosted *h = user;

    h->exit_code = exit_code;
    timer_start(h->over, 0); /* the node must not be freed from inside */
}

static int start_child(void *host, const struct proc_spec *spec, struct edge_inproc *child,
                       void **ret_node, struct gp_error *err)
{
    struct inside *in = host;
    struct hosted *h = calloc(1, sizeof *h);
    int rc = h ? 0 : GP_ENOMEM;

    if (rc == 0) {
        list_node_init(&h->link);
        list_push_back(&in->hosted, &h->link);
        h->inside = in;
        h->child = child;
        h->env = copy_env(spec->env);
        h->port = *in->port;
        h->port.env = (const char *const *)h->env;
        h->port.log = strcmp(spec->args[0], "executor") == 0 ? &in->job_log : &in->log;
        rc = h->env ? timer_new(in->port->loop, on_over, h, &h->over) : GP_ENOMEM;
    }
    if (rc < 0) {
        (void)gp_error_set(err, rc, "cannot start %s: %s", spec->args[0], error_sentence(rc));
    } else {
        rc = node_new(&(struct node_spec){.port = &h->port,
                                          .args = spec->args,
                                          .config = in->config,
                                          .on_exit = on_node_exit,
                                          .user = h},
                      &h->node, err);
    }
    if (rc < 0) {
        if (h) {
            hosted_free(h);
        }
        return rc;
    }
    *ret_node = h;
    return 0;
}

static void kill_child(void *host, void *node, int32_t signal)
{
    struct hosted *h = node;

    (void)host;
    (void)signal;
    if (!h->is_stopping) {
        h->is_stopping = true;
        node_stop(h->node);
    }
}

static const struct edge_inproc_ops inproc_ops = {.start = start_child, .kill = kill_child};

/* ---- beginning ---- */

static int make_dir(struct inside *in, struct gp_error *err)
{
    return process_dir_make(in->port, process_dir_base(), "gearpump-run-", in->dir, err);
}

int inside_new(const struct config *config, enum log_level level, struct inside **ret,
               struct gp_error *err)
{
    struct inside *in = calloc(1, sizeof *in);
    struct edge_options options = {.inproc = &inproc_ops, .inproc_host = in};
    uint8_t random[SECRET_BYTES];
    int rc;

    if (!in) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    in->config = config;
    list_init(&in->hosted);
    logs_init(&in->log, level, (enum log_format)config->log.format, "");
    job_log_init(&in->job_log, level, (enum log_format)config->log.format);
    options.log = &in->log;
    rc = edge_world_new(&options, &in->world, err);
    if (rc == 0) {
        in->port = edge_port(in->world);
        rc = make_dir(in, err);
    }
    if (rc < 0) {
        inside_free(in);
        return rc;
    }
    port_random(in->port, random, sizeof random);
    hex_encode(random, sizeof random, in->secret);
    *ret = in;
    return 0;
}

struct edge_world *inside_world(struct inside *in)
{
    return in->world;
}

const char *inside_master(const struct inside *in)
{
    return master_address(in->master);
}

gp_bytes inside_secret(const struct inside *in)
{
    return gp_bytes_of(in->secret, strlen(in->secret));
}

static int start_master(struct inside *in, struct gp_error *err)
{
    struct plugin_dirs plugins;
    char path[EDGE_PATH_MAX + 16];
    struct daemon_place place = {
        .port = in->port, .config = in->config, .secret = inside_secret(in), .data_dir = path};

    (void)str_format(path, sizeof path, "%s/master", in->dir);
    plugin_dirs_find(&plugins);
    return daemon_master(&place, plugins.list, plugins.count, &in->master, err);
}

static int start_worker(struct inside *in, struct gp_error *err)
{
    uint32_t number = in->worker_count;
    char path[EDGE_PATH_MAX + 32];
    char sockets[EDGE_PATH_MAX + 32];
    struct daemon_place place = {
        .port = in->port, .config = in->config, .secret = inside_secret(in), .data_dir = path};
    int rc;

    (void)str_format(path, sizeof path, "%s/worker-%u", in->dir, number + 1);
    (void)str_format(sockets, sizeof sockets, "%s/%u", in->dir, number + 1);
    place.sockets_dir = strlen(sockets) <= SOCKETS_PATH_MAX ? sockets : NULL;
    rc = daemon_worker(&place, inside_master(in), &in->workers[number], err);
    in->worker_count += rc == 0;
    return rc;
}

int inside_start(struct inside *in, uint32_t worker_count, struct gp_error *err)
{
    int rc = start_master(in, err);

    ASSERT(worker_count >= 1 && worker_count <= WORKERS_MAX_INSIDE);
    while (rc == 0 && in->worker_count < worker_count) {
        rc = start_worker(in, err);
    }
    for (uint32_t i = 0; rc == 0 && i < worker_count; i++) {
        while (!worker_is_registered(in->workers[i])) {
            edge_step(in->world, true);
        }
    }
    return rc;
}

/* ---- the end ---- */

void inside_free(struct inside *in)
{
    if (!in) {
        return;
    }
    for (uint32_t i = 0; i < in->worker_count; i++) {
        worker_free(in->workers[i]);
    }
    master_free(in->master);
    LIST_FOREACH (node, &in->hosted) {
        struct hosted *h = container_of(node, struct hosted, link);

        kill_child(in, h, 0);
    }
    while (!list_is_empty(&in->hosted)) {
        edge_step(in->world, true);
    }
    if (in->port) {
        process_dir_remove(in->port, in->dir);
    }
    edge_world_free(in->world);
    explicit_bzero(in->secret, sizeof in->secret);
    free(in);
}
