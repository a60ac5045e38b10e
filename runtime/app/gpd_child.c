/*
 * gpd_child.c: gpd appmaster and gpd executor: what workers start, as a process of its own.
 *
 * The process lives as long as its node, and no longer than its parent. TERM asks the node to end
 * in order; when it does not, the worker kills it.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/gpd.h"
#include "app/logs.h"
#include "app/node.h"
#include "base/str.h"
#include "edge/child.h"

struct child {
    struct edge_child handed; /* what only we may know */
    struct log log;
    struct edge_world *world;
    struct edge_signals *signals;
    struct node *node;
    int32_t exit_code;
};

static void on_exit_of_node(void *user, int32_t exit_code)
{
    struct child *c = user;

    c->exit_code = exit_code;
    edge_stop(c->world);
}

static void on_stop(void *user, int signal, int count)
{
    struct child *c = user;

    if (count > 1) {
        _exit(128 + signal);
    }
    if (c->node) {
        node_stop(c->node);
    }
}

static int begin(struct child *c, const struct options *options, const char *const *args,
                 struct gp_error *err)
{
    struct gpd settings;
    struct edge_options world = {.log = &c->log, .env = c->handed.env};
    int rc = gpd_configure(&settings, options, err);

    if (rc < 0) {
        return rc;
    }
    logs_init(&c->log, (enum log_level)settings.config.log.level,
              (enum log_format)settings.config.log.format, args[0]);
    rc = edge_world_new(&world, &c->world, err);
    if (rc == 0) {
        rc = edge_signals_new(c->world, on_stop, c, &c->signals, err);
    }
    if (rc == 0) {
        rc = node_new(&(struct node_spec){.port = edge_port(c->world),
                                          .args = args,
                                          .config = &settings.config,
                                          .on_exit = on_exit_of_node,
                                          .user = c},
                      &c->node, err);
    }
    config_deinit(&settings.config);
    return rc;
}

int gpd_child(const struct command_spec *spec, const struct options *options, void *context)
{
    struct child c = {0};
    const char *args[] = {spec->name, options->operands[0], NULL};
    struct gp_error err = {0};
    int rc = edge_child_begin(&c.handed, &err);

    (void)context;
    if (rc == 0) {
        rc = begin(&c, options, args, &err);
    }
    if (rc == 0) {
        edge_run(c.world);
    } else {
        c.exit_code = gpd_fail(&err, "cannot start the %s", spec->name);
    }
    node_free(c.node);
    edge_signals_free(c.signals);
    edge_world_free(c.world);
    edge_child_end(&c.handed);
    return c.exit_code;
}
