/* metrics_tell.c: see metrics_tell.h. */
#include "app/metrics_tell.h"

#include <stdlib.h>

#include "actor/vitals.h"
#include "base/str.h"
#include "observe/graphite_apps.h"
#include "port/beat.h"

#define PREFIX_MAX 129
#define NODE_MAX   128
#define TICK_NS    INT64_C(1000000000)

struct metrics_tell {
    const struct port *port;
    struct metrics_daemon daemon;
    struct vitals own;
    struct msg_vitals vitals; /* as of the latest look */
    struct timer *timer;
    struct graphite *graphite; /* NULL: nobody is told */
    int64_t interval_ns;
    int64_t left_ns; /* until it is told again */
    char prefix[PREFIX_MAX];
    char node[NODE_MAX]; /* this daemon in paths */
};

/* ---- vitals ---- */

static void look(struct metrics_tell *t)
{
    vitals_tell(&t->own, NULL, &t->vitals);
    if (t->daemon.master) {
        struct master_figures f;

        master_figures(t->daemon.master, &f);
        vitals_add_counts(&t->vitals, f.counts);
    }
    for (uint32_t i = 0; i < t->daemon.worker_count; i++) {
        struct worker_figures f;

        if (t->daemon.workers[i]) {
            worker_figures(t->daemon.workers[i], &f);
            vitals_add_counts(&t->vitals, f.counts);
        }
    }
}

const struct msg_vitals *metrics_tell_vitals(struct metrics_tell *t)
{
    look(t);
    return &t->vitals;
}

/* ---- Graphite ---- */

static void tell_graphite(struct metrics_tell *t)
{
    const struct master *master = t->daemon.master;
    const struct msg_app_metrics *app = NULL;

    look(t);
    while (master && master_leads(master) &&
           (app = master_app_metrics(master, app ? app->app : 0)) != NULL) {
        graphite_put_app(t->graphite, t->prefix, app);
    }
    graphite_put_vitals(t->graphite, t->prefix, t->node, &t->vitals,
                        loop_wall_ns(t->port->loop) / 1000000);
    graphite_flush(t->graphite);
}

/* ---- ticks ---- */

static void start_timer(struct metrics_tell *t)
{
    vitals_await(&t->own, timer_start_beat(t->timer, TICK_NS, 0));
}

static void on_timer(void *user)
{
    struct metrics_tell *t = user;

    vitals_came(&t->own);
    start_timer(t);
    t->left_ns -= TICK_NS;
    if (t->graphite && t->left_ns <= 0) {
        t->left_ns = t->interval_ns;
        tell_graphite(t);
    }
}

void metrics_tell_free(struct metrics_tell *t)
{
    if (t) {
        timer_free(t->timer);
        graphite_free(t->graphite);
        free(t);
    }
}

static int open_graphite(struct metrics_tell *t, const struct config_metrics *config,
                         struct gp_error *err)
{
    const char *host = config->graphite.host;
    const bool is_ip6 = strchr(host, ':') != NULL && host[0] != '[';
    char address[NET_ADDR_MAX];
    int rc = str_format(address, sizeof address, is_ip6 ? "[%s]:%u" : "%s:%u", host,
                        config->graphite.port);

    if (rc < 0) {
        return gp_error_set(err, GP_EINVAL, "metrics.graphite.host: %s is too long", host);
    }
    return graphite_new(&(struct graphite_options){.port = t->port, .address = address},
                        &t->graphite, err);
}

/* By its name or its address, which are the same after a restart if they are configured. */
static void name_node(struct metrics_tell *t, const struct config *config)
{
    const char *address =
        t->daemon.master ? master_address(t->daemon.master) : worker_address(t->daemon.workers[0]);
    const bool is_named = !t->daemon.master && *config->worker.name;

    (void)str_format(t->node, sizeof t->node, "%s", is_named ? config->worker.name : address);
}

int metrics_tell_new(const struct port *port, const struct config *config,
                     const struct metrics_daemon *daemon, struct metrics_tell **ret,
                     struct gp_error *err)
{
    struct metrics_tell *t = calloc(1, sizeof *t);
    int rc = 0;

    if (!t) {
        return gp_error_set(err, GP_ENOMEM, "measuring this process");
    }
    t->port = port;
    t->daemon = *daemon;
    t->interval_ns = config->metrics.interval;
    (void)str_format(t->prefix, sizeof t->prefix, "%s", config->metrics.graphite.prefix);
    name_node(t, config);
    vitals_init(&t->own, port);
    if (config->metrics.enabled && *config->metrics.graphite.host) {
        rc = open_graphite(t, &config->metrics, err);
    }
    if (rc >= 0) {
        rc = timer_new(port->loop, on_timer, t, &t->timer);
        rc = rc < 0 ? gp_error_set(err, rc, "measuring this process: %s", error_sentence(rc)) : rc;
    }
    if (rc < 0) {
        metrics_tell_free(t);
        return rc;
    }
    start_timer(t);
    *ret = t;
    return 0;
}
