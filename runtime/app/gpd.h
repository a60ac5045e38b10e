/*
 * gpd.h: what the roles of the daemon program share.
 *
 *     settings (file, environment, flags) -> folder, locked -> world, signals -> nodes -> ready
 *     -> until a signal -> nodes freed, children with them -> folder let go
 *
 * gpd_open() and gpd_close() are the beginning and the end of this, the roles the middle.
 */
#ifndef APP_GPD_H
#define APP_GPD_H

#include "app/config.h"
#include "app/data_dir.h"
#include "app/fail.h"
#include "app/metrics_page.h"
#include "app/metrics_tell.h"
#include "app/options.h"
#include "edge/signals.h"
#include "edge/world.h"

struct api;
struct gpd;
struct value;

/* What the web server has to know of the role. */
struct gpd_web {
    const char *master;   /* the one to ask; NULL: those of the configuration */
    const char *data_dir; /* of this daemon */
    bool is_worker;
    bool (*is_ready)(void *user);
    void *user;
    struct metrics_daemon metrics; /* what is measured; its vitals are filled in */
};

struct gpd {
    const struct options *options;
    struct config config;
    struct edge_secret secret;
    struct log log;
    struct edge_world *world;
    int stop_signal;             /* the first that asked to end; 0: none */
    char sockets[EDGE_PATH_MAX]; /* "" when there is none */
    struct api *api;             /* NULL: http.enabled is false */
    struct metrics_tell *tell;   /* NULL: not yet, not any more */
    /* private */
    struct edge_signals *signals;
    bool is_configured;
    struct gpd_web web;
    struct timer *watchdog; /* NULL: nobody watches */
    int64_t watchdog_ns;
};

/* ---- all of it is undone by gpd_close(), whatever was begun ---- */

/* Settings alone; then mistakes are in err. gpd_close() not needed before. */
int gpd_configure(struct gpd *g, const struct options *options, struct gp_error *err);

/* World, signals, secret, folder for sockets. node: who speaks in the log. */
int gpd_open(struct gpd *g, const char *node, struct gp_error *err);
void gpd_close(struct gpd *g);

/* Runs the loop until is_ready(user), then says so; false: asked to stop before. */
bool gpd_run_until(struct gpd *g, bool (*is_ready)(void *user), void *user);
void gpd_run(struct gpd *g);

/* Prints the ready line and writes the file of --ready-file: tree, to which the pid is added.
 * Consumes the tree. */
int gpd_announce_take(struct gpd *g, const char *line, struct value *tree, struct gp_error *err);

/* ---- gpd_http.c ---- */

/* Measures what web names, tells Graphite, serves HTTP: what of it is configured. */
int gpd_http_start(struct gpd *g, const struct gpd_web *web, struct gp_error *err);
/* What web named is about to be freed. */
void gpd_look_away(struct gpd *g);

/* What systemd (or whoever set NOTIFY_SOCKET) hears: ready, stopping, still alive. */
void gpd_notify_ready(struct gpd *g);
void gpd_notify_stopping(struct gpd *g);

/* Three lines and the exit code. */
int gpd_fail(const struct gp_error *err, const char *what, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- roles; see struct command_spec ---- */

#define GPD_ROLE(name)                                                                             \
    int name(const struct command_spec *spec, const struct options *options, void *context)

GPD_ROLE(gpd_local);
GPD_ROLE(gpd_master);
GPD_ROLE(gpd_worker);
GPD_ROLE(gpd_child);

#endif
