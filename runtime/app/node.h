/*
 * node.h: the programs that workers start, as nodes: "appmaster JSON" and "executor JSON"
 * (control/launch.h).
 *
 * One place for three uses: `gpd appmaster` and `gpd executor` as processes of their own, `gpctl
 * run` with all of them in one process, and the simulator. Everything a role knows comes from its
 * arguments and its port.
 */
#ifndef APP_NODE_H
#define APP_NODE_H

#include "app/config.h"
#include "base/error.h"
#include "port/port.h"

struct appmaster;
struct executor;
struct node;

/* The node has come to its end: free it (not before this returns) and exit with this code. From the
 * loop, once. */
typedef void (*node_exit_fn)(void *user, int32_t exit_code);

struct node_spec {
    const struct port *port;     /* with its env outlives the node */
    const char *const *args;     /* as in proc_spec: args[0] is the role */
    const struct config *config; /* limits and timeouts; NULL: those of the rooms */
    node_exit_fn on_exit;
    void *user;
};

/* Starts the role; the spec is borrowed until return. GP_EINVAL: unknown role or arguments. */
int node_new(const struct node_spec *spec, struct node **ret, struct gp_error *err);

/* The same with no configuration. */
static inline int node_start(const struct port *port, const char *const *args, node_exit_fn on_exit,
                             void *user, struct node **ret, struct gp_error *err)
{
    return node_new(
        &(struct node_spec){.port = port, .args = args, .on_exit = on_exit, .user = user}, ret,
        err);
}

/* Asks it to end in order, as TERM does; on_exit follows. */
void node_stop(struct node *node);

/* What runs in it; NULL: another role, or nothing yet. For tests, which look into it. */
const struct executor *node_executor(const struct node *node);
const struct appmaster *node_appmaster(const struct node *node);

/* Ends it now if need be. NULL is fine. */
void node_free(struct node *node);

#endif
