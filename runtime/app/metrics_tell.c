/* metrics_tell.c: see metrics_tell.h. */
#include "app/metrics_tell.h"

#include <stdlib.h>

#include "base/str.h"
#include "observe/prometheus.h"

#define PREFIX_MAX 129

struct metrics_tell {
    const struct port *port;
    const struct master *master;
    struct graphite *graphite;
    struct timer *timer;
    int64_t interval_ns;
    char prefix[PREFIX_MAX];
};

static void on_timer(void *user)
{
    struct metrics_tell *t = user;
    const struct msg_app_metrics *app = NULL;

    timer_start(t->timer, t->interval_ns);
    while (t->master && master_leads(t->master) &&
           (app = master_app_metrics(t->master, app ? app->app : 0)) != NULL) {
        graphite_put_app(t->graphite, t->prefix, app);
    }
    graphite_flush(t->graphite);
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

int metrics_tell_new(const struct port *port, const struct config *config,
                     const struct master *master, struct metrics_tell **ret, struct gp_error *err)
{
    struct metrics_tell *t;
    int rc;

    *ret = NULL;
    if (!config->metrics.enabled || *config->metrics.graphite.host == '\0') {
        return 0;
    }
    t = calloc(1, sizeof *t);
    if (!t) {
        return gp_error_set(err, GP_ENOMEM, "reporting to Graphite");
    }
    t->port = port;
    t->master = master;
    t->interval_ns = config->metrics.interval;
    (void)str_format(t->prefix, sizeof t->prefix, "%s", config->metrics.graphite.prefix);
    rc = open_graphite(t, &config->metrics, err);
    if (rc >= 0) {
        rc = timer_new(port->loop, on_timer, t, &t->timer);
        rc = rc < 0 ? gp_error_set(err, rc, "reporting to Graphite: %s", error_sentence(rc)) : rc;
    }
    if (rc < 0) {
        metrics_tell_free(t);
        return rc;
    }
    timer_start(t->timer, t->interval_ns);
    *ret = t;
    return 0;
}
