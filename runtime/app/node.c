/* node.c: see node.h. */
#include "app/node.h"

#include <stdlib.h>

#include "app/daemon.h"
#include "base/log.h"
#include "base/str.h"
#include "control/appmaster/appmaster.h"
#include "control/launch.h"
#include "data/executor.h"

/* What one kind of node can do. */
struct node_kind {
    const char *name;
    int (*start)(struct node *node, const struct node_spec *spec, const char *token,
                 struct gp_error *err);
    void (*stop)(struct node *node);
    void (*free)(struct node *node);
};

struct node {
    const struct node_kind *kind;
    const struct port *port;
    node_exit_fn on_exit;
    void *user;
    struct launch_appmaster launch; /* of an appmaster, which borrows it */
    struct appmaster *appmaster;
    struct executor *executor;
};

static void on_done(void *user, int32_t exit_code)
{
    struct node *node = user;
    node->on_exit(node->user, exit_code);
}

static int appmaster_start(struct node *node, const struct node_spec *spec, const char *token,
                           struct gp_error *err)
{
    struct appmaster_options options = {.port = node->port,
                                        .launch = &node->launch,
                                        .token = token,
                                        .on_done = on_done,
                                        .user = node};
    int rc = launch_parse(node->port, &launch_appmaster_fields, spec->args[1], &node->launch, err);

    if (spec->config) {
        options.start_timeout_ns = spec->config->timeouts.start;
        options.metrics_interval_ns = spec->config->metrics.interval;
        options.stall_timeout_ns = spec->config->metrics.stall_timeout;
        options.replaces_stuck = spec->config->task.stuck_action == CONFIG_STUCK_RESTART;
        options.limits = daemon_limits(spec->config);
    }
    return rc < 0 ? rc : appmaster_new(&options, &node->appmaster, err);
}

static void appmaster_node_stop(struct node *node)
{
    appmaster_stop(node->appmaster);
}

static void appmaster_node_free(struct node *node)
{
    appmaster_free(node->appmaster);
    fields_deinit(&launch_appmaster_fields, &node->launch);
}

static int executor_start(struct node *node, const struct node_spec *spec, const char *token,
                          struct gp_error *err)
{
    struct launch_executor launch;
    int rc = launch_parse(node->port, &launch_executor_fields, spec->args[1], &launch, err);

    if (rc >= 0) {
        struct executor_options options = {.port = node->port,
                                           .app = launch.app,
                                           .epoch = launch.epoch,
                                           .executor = launch.executor,
                                           .lanes = launch.lanes,
                                           .blocking = launch.blocking,
                                           .pinned = launch.pinned,
                                           .token = token,
                                           .appmaster = launch.appmaster,
                                           .masters = launch.masters,
                                           .master_count = launch.masters_count,
                                           .artefacts = launch.artefacts,
                                           .bind = launch.bind,
                                           .advertise = launch.advertise,
                                           .host = launch.host,
                                           .sockets = launch.sockets,
                                           .on_done = on_done,
                                           .user = node};
        if (spec->config) {
            options.limits = daemon_limits(spec->config);
            options.orphan_timeout_ns = spec->config->timeouts.orphan;
            options.stuck_timeout_ns = spec->config->task.stuck_timeout;
            options.metrics = spec->config->metrics.enabled;
            options.sample_rate = spec->config->metrics.sample_rate;
        }
        rc = executor_new(&options, &node->executor, err);
        fields_deinit(&launch_executor_fields, &launch);
    }
    return rc;
}

static void executor_node_stop(struct node *node)
{
    executor_stop(node->executor);
}

static void executor_node_free(struct node *node)
{
    executor_free(node->executor);
}

static const struct node_kind kinds[] = {
    {"appmaster", appmaster_start, appmaster_node_stop, appmaster_node_free},
    {"executor", executor_start, executor_node_stop, executor_node_free},
};

static const struct node_kind *kind_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (name && strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

int node_new(const struct node_spec *spec, struct node **ret, struct gp_error *err)
{
    const struct node_kind *kind = kind_find(spec->args[0]);
    const char *token = port_env(spec->port, LAUNCH_TOKEN_ENV);
    struct node *node;
    int rc;

    if (!kind || !spec->args[1]) {
        return gp_error_set(err, GP_EINVAL, "'%s' with these arguments is not started by workers",
                            spec->args[0] ? spec->args[0] : "");
    }
    if (!token) {
        return gp_error_set(err, GP_EACCES, "%s: no application token came with it", kind->name);
    }
    node = calloc(1, sizeof *node);
    if (!node) {
        return gp_error_set(err, GP_ENOMEM, "starting %s", kind->name);
    }
    *node = (struct node){
        .kind = kind, .port = spec->port, .on_exit = spec->on_exit, .user = spec->user};
    rc = kind->start(node, spec, token, err);
    if (rc < 0) {
        node_free(node);
        return rc;
    }
    *ret = node;
    return 0;
}

void node_stop(struct node *node)
{
    node->kind->stop(node);
}

const struct appmaster *node_appmaster(const struct node *node)
{
    return node->appmaster;
}

const struct executor *node_executor(const struct node *node)
{
    return node->executor;
}

void node_free(struct node *node)
{
    if (node) {
        node->kind->free(node);
        free(node);
    }
}
