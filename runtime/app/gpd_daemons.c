/*
 * gpd_daemons.c: gpd local, master and worker.
 *
 * `local` is a master and its workers as nodes on one loop. Children, the executors and
 * appmasters, are processes in every case and end with the worker that started them.
 */
#include <stdlib.h>

#include "app/daemon.h"
#include "app/gpd.h"
#include "app/plugin_dirs.h"
#include "app/tree.h"
#include "base/str.h"

#define WORKERS_LOCAL_MAX 64u
#define LINE_MAX_BYTES    256

/* Port of a listener that is in use: the one error of a start that everybody meets. */
static int explain_port(int rc, struct gp_error *err)
{
    if (rc == GP_EADDRINUSE) {
        err->code = GP_EEXIST; /* a conflict, for the exit code */
        gp_error_hint(err, "--port another, or 0 for any that is free");
    }
    return rc;
}

static int start_master(struct gpd *g, const char *data_dir, uint32_t tcp_port, bool is_one_of_many,
                        struct master **ret, struct gp_error *err)
{
    struct plugin_dirs plugins;
    struct daemon_place place = {.port = edge_port(g->world),
                                 .config = &g->config,
                                 .told = &g->config,
                                 .secret = gp_bytes_of(g->secret.text, g->secret.len),
                                 .tcp_port = tcp_port,
                                 .is_one_of_many = is_one_of_many,
                                 .data_dir = data_dir};

    plugin_dirs_find(&plugins);
    return explain_port(daemon_master(&place, plugins.list, plugins.count, ret, err), err);
}

/* Below the folder for sockets each worker has one of its own, by number. */
static int start_worker(struct gpd *g, const char *data_dir, uint32_t number, const char *master,
                        struct worker **ret, struct gp_error *err)
{
    char sockets[EDGE_PATH_MAX];
    struct daemon_place place = {.port = edge_port(g->world),
                                 .config = &g->config,
                                 .told = &g->config,
                                 .secret = gp_bytes_of(g->secret.text, g->secret.len),
                                 .data_dir = data_dir,
                                 .sockets_dir = sockets,
                                 .cores_before =
                                     number > 1 ? (number - 1) * g->config.worker.lanes : 0};

    if (str_format(sockets, sizeof sockets, "%s/%u", g->sockets, number) < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: the path is too long", g->sockets);
    }
    return daemon_worker(&place, master, ret, err);
}

static bool master_ready(void *user)
{
    return master_is_ready(user);
}

static int read_port(const struct options *options, uint64_t otherwise, uint32_t *ret,
                     struct gp_error *err)
{
    uint64_t number = 0;
    int rc = options_u64(options, "port", 0, 65535, otherwise, &number, err);

    *ret = (uint32_t)number;
    return rc;
}

/* ---- local ---- */

struct local {
    struct gpd gpd;
    struct data_dir dir;
    uint32_t tcp_port;
    uint32_t worker_count;
    struct master *master;
    struct worker *workers[WORKERS_LOCAL_MAX];
};

static int local_take_dir(struct local *l, struct gp_error *err)
{
    char name[32];

    if (*l->gpd.config.data_dir) {
        return data_dir_take(&l->dir, l->gpd.config.data_dir, "", err);
    }
    if (l->tcp_port == 0) {
        return data_dir_take_free(&l->dir, "", "local-any", err);
    }
    (void)str_format(name, sizeof name, "local-%u", l->tcp_port);
    return data_dir_take(&l->dir, "", name, err);
}

/* Unless it was said otherwise, an executor has as many lanes as its worker's share of the
 * cores. */
static void share_cpus(struct local *l)
{
    const struct port *port = edge_port(l->gpd.world);
    uint32_t cpus = port->ops->cpu_count(port->world);

    if (l->gpd.config.worker.lanes == 0) {
        l->gpd.config.worker.lanes = cpus > l->worker_count ? cpus / l->worker_count : 1;
    }
}

static int local_start(struct local *l, struct gp_error *err)
{
    char path[EDGE_PATH_MAX + 32];
    int rc;

    share_cpus(l);
    (void)str_format(path, sizeof path, "%s/master", l->dir.path);
    rc = start_master(&l->gpd, path, l->tcp_port, false, &l->master, err);
    for (uint32_t i = 0; rc == 0 && i < l->worker_count; i++) {
        (void)str_format(path, sizeof path, "%s/worker-%u", l->dir.path, i + 1);
        rc = start_worker(&l->gpd, path, i + 1, master_address(l->master), &l->workers[i], err);
    }
    return rc < 0 ? rc
                  : gpd_http_start(&l->gpd,
                                   &(struct gpd_web){.master = master_address(l->master),
                                                     .data_dir = l->dir.path,
                                                     .is_ready = master_ready,
                                                     .user = l->master,
                                                     .metrics = {.role = "local",
                                                                 .master = l->master,
                                                                 .workers = l->workers,
                                                                 .worker_count = l->worker_count}},
                                   err);
}

static bool local_is_ready(void *user)
{
    const struct local *l = user;

    for (uint32_t i = 0; i < l->worker_count; i++) {
        if (!worker_is_registered(l->workers[i])) {
            return false;
        }
    }
    return true;
}

static int local_announce(struct local *l, struct gp_error *err)
{
    char line[LINE_MAX_BYTES];
    struct value *workers = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < l->worker_count; i++) {
        tree_push_take(&workers, value_new_str(gp_str_of(worker_address(l->workers[i]))));
    }
    tree_begin(&t);
    tree_text(&t, "master", master_address(l->master));
    tree_take(&t, "workers", workers);
    (void)str_format(line, sizeof line, "gpd ready master=%s workers=%u", master_address(l->master),
                     l->worker_count);
    return gpd_announce_take(&l->gpd, line, tree_end(&t), err);
}

static int local_begin(struct local *l, const struct options *options, struct gp_error *err)
{
    uint64_t workers;
    int rc = gpd_configure(&l->gpd, options, err);

    if (rc == 0) {
        rc = read_port(options, CONFIG_PORT, &l->tcp_port, err);
    }
    if (rc == 0) {
        rc = options_u64(options, "workers", 1, WORKERS_LOCAL_MAX, 4, &workers, err);
        l->worker_count = (uint32_t)workers;
    }
    if (rc == 0) {
        rc = local_take_dir(l, err);
    }
    return rc < 0 ? rc : gpd_open(&l->gpd, "local", err);
}

int gpd_local(const struct command_spec *spec, const struct options *options, void *context)
{
    struct local *l = calloc(1, sizeof *l);
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;
    int rc;

    (void)spec;
    (void)context;
    if (!l) {
        (void)gp_error_set(&err, GP_ENOMEM, "out of memory");
        return gpd_fail(&err, "cannot start the cluster");
    }
    rc = local_begin(l, options, &err);
    if (rc == 0) {
        rc = local_start(l, &err);
    }
    if (rc == 0 && gpd_run_until(&l->gpd, local_is_ready, l)) {
        rc = local_announce(l, &err);
    }
    if (rc == 0) {
        gpd_run(&l->gpd);
    } else {
        status = gpd_fail(&err, "cannot start the cluster");
    }
    gpd_look_away(&l->gpd);
    for (uint32_t i = 0; i < l->worker_count && i < WORKERS_LOCAL_MAX; i++) {
        worker_free(l->workers[i]);
    }
    master_free(l->master);
    gpd_close(&l->gpd);
    data_dir_release(&l->dir);
    free(l);
    return status;
}

/* ---- master ---- */

static int master_begin(struct gpd *g, struct data_dir *dir, const struct options *options,
                        struct master **ret, struct gp_error *err)
{
    uint32_t tcp_port = 0;
    char name[32] = "master";
    int rc = gpd_configure(g, options, err);

    if (rc == 0) {
        rc = read_port(options, daemon_master_port(&g->config), &tcp_port, err);
    }
    if (rc == 0) {
        rc = daemon_check_master(&g->config, tcp_port, err);
    }
    if (rc == 0 && !*g->config.data_dir) {
        (void)str_format(name, sizeof name, "master-%u", tcp_port);
    }
    if (rc == 0) {
        rc = data_dir_take(dir, g->config.data_dir, name, err);
    }
    if (rc == 0) {
        rc = gpd_open(g, "master", err);
    }
    return rc < 0 ? rc : start_master(g, dir->path, tcp_port, true, ret, err);
}

static int master_announce(struct gpd *g, const struct master *m, struct gp_error *err)
{
    char line[LINE_MAX_BYTES];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "master", master_address(m));
    tree_take(&t, "workers", value_new_list());
    (void)str_format(line, sizeof line, "gpd ready master=%s", master_address(m));
    return gpd_announce_take(g, line, tree_end(&t), err);
}

int gpd_master(const struct command_spec *spec, const struct options *options, void *context)
{
    struct gpd g;
    struct data_dir dir = {.lock_fd = -1};
    struct master *master = NULL;
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;
    int rc = master_begin(&g, &dir, options, &master, &err);

    (void)spec;
    (void)context;
    if (rc == 0) {
        const bool is_alone = g.config.cluster.masters_count == 1;

        rc = gpd_http_start(&g,
                            &(struct gpd_web){.master = is_alone ? master_address(master) : NULL,
                                              .data_dir = dir.path,
                                              .is_ready = master_ready,
                                              .user = master,
                                              .metrics = {.role = "master", .master = master}},
                            &err);
    }
    if (rc == 0) {
        rc = master_announce(&g, master, &err);
    }
    if (rc == 0) {
        gpd_run(&g);
        master_retire(master);
        while (!master_is_retired(master)) {
            edge_step(g.world, true);
        }
    } else {
        status = gpd_fail(&err, "cannot start the master");
    }
    gpd_look_away(&g);
    master_free(master);
    gpd_close(&g);
    data_dir_release(&dir);
    return status;
}

/* ---- worker ---- */

/* A worker with a name keeps its folder; others take the first that is free. */
static int worker_take_dir(const struct config *config, struct data_dir *dir, struct gp_error *err)
{
    char name[96];

    if (!*config->worker.name) {
        return data_dir_take_free(dir, config->data_dir, "worker", err);
    }
    (void)str_format(name, sizeof name, "worker-%s", config->worker.name);
    for (char *at = name; *at; at++) {
        if (*at == '/') {
            *at = '_';
        }
    }
    return data_dir_take(dir, config->data_dir, name, err);
}

static bool worker_is_ready(void *user)
{
    return worker_is_registered(user);
}

static int worker_begin(struct gpd *g, struct data_dir *dir, const struct options *options,
                        struct worker **ret, struct gp_error *err)
{
    int rc = gpd_configure(g, options, err);

    if (rc == 0) {
        rc = worker_take_dir(&g->config, dir, err);
    }
    if (rc == 0) {
        rc = gpd_open(g, "worker", err);
    }
    rc = rc < 0 ? rc : start_worker(g, dir->path, 0, NULL, ret, err);
    return rc < 0 ? rc
                  : gpd_http_start(
                        g,
                        &(struct gpd_web){
                            .data_dir = dir->path,
                            .is_worker = true,
                            .is_ready = worker_is_ready,
                            .user = *ret,
                            .metrics = {.role = "worker", .workers = ret, .worker_count = 1}},
                        err);
}

static int worker_announce(struct gpd *g, const struct worker *w, struct gp_error *err)
{
    char line[LINE_MAX_BYTES];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "worker", worker_address(w));
    (void)str_format(line, sizeof line, "gpd ready worker=%s", worker_address(w));
    return gpd_announce_take(g, line, tree_end(&t), err);
}

int gpd_worker(const struct command_spec *spec, const struct options *options, void *context)
{
    struct gpd g;
    struct data_dir dir = {.lock_fd = -1};
    struct worker *worker = NULL;
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;
    int rc = worker_begin(&g, &dir, options, &worker, &err);

    (void)spec;
    (void)context;
    if (rc == 0 && gpd_run_until(&g, worker_is_ready, worker)) {
        rc = worker_announce(&g, worker, &err);
    }
    if (rc == 0) {
        gpd_run(&g);
    } else {
        status = gpd_fail(&err, "cannot start the worker");
    }
    gpd_look_away(&g);
    worker_free(worker);
    gpd_close(&g);
    data_dir_release(&dir);
    return status;
}
