/*
 * gpd_http.c: the web server of a daemon, and what its supervisor hears; see gpd.h.
 *
 * The watchdog is told from a timer of the main loop: who hears nothing knows that the loop is
 * stuck.
 */
#include <stdlib.h>

#include "app/api.h"
#include "app/gpd.h"
#include "base/str.h"
#include "edge/notify.h"

static bool is_ready(void *user)
{
    const struct gpd *g = user;

    return g->web.is_ready(g->web.user);
}

static int make_metrics(void *user, struct buf *out)
{
    struct gpd *g = user;
    struct metrics_daemon daemon = g->web.metrics;

    daemon.vitals = metrics_tell_vitals(g->tell);
    daemon.task_series = g->config.metrics.task_series;
    return metrics_page(&daemon, out);
}

int gpd_http_start(struct gpd *g, const struct gpd_web *web, struct gp_error *err)
{
    char folder[2 * EDGE_PATH_MAX];
    struct api_options options = {
        .port = edge_port(g->world),
        .config = &g->config,
        .masters = web->master ? &web->master : (const char *const *)g->config.cluster.masters,
        .master_count = web->master ? 1 : g->config.cluster.masters_count,
        .secret = gp_bytes_of(g->secret.text, g->secret.len),
        .folder = folder,
        .is_worker = web->is_worker,
        .is_ready = is_ready,
        .metrics = make_metrics,
        .user = g};
    int rc;

    g->web = *web;
    rc = metrics_tell_new(options.port, &g->config, &web->metrics, &g->tell, err);
    if (rc < 0 || !g->config.http.enabled) {
        return rc;
    }
    if (str_format(folder, sizeof folder, "%s/uploads", web->data_dir) < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: the path is too long", web->data_dir);
    }
    return api_new(&options, &g->api, err);
}

void gpd_look_away(struct gpd *g)
{
    metrics_tell_free(g->tell);
    g->tell = NULL;
}

/* ---- the supervisor ---- */

static void on_watchdog(void *user)
{
    struct gpd *g = user;

    edge_notify("WATCHDOG=1");
    timer_start(g->watchdog, g->watchdog_ns);
}

void gpd_notify_ready(struct gpd *g)
{
    g->watchdog_ns = edge_notify_watchdog_ns() / 3;
    if (g->watchdog_ns > 0 && !g->watchdog &&
        timer_new(edge_port(g->world)->loop, on_watchdog, g, &g->watchdog) == 0) {
        timer_start(g->watchdog, g->watchdog_ns);
    }
    edge_notify("READY=1");
}

void gpd_notify_stopping(struct gpd *g)
{
    (void)g;
    edge_notify("STOPPING=1");
}
