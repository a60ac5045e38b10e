/* simulated.c: see simulated.h. */
#include "app/simulated.h"

#include "app/node.h"
#include "control/artefacts.h"
#include "edge/fs.h"
#include "edge/json.h"
#include "edge/plugin.h"

static const struct sim_plugin_loader loader = {edge_plugin_open_copy, edge_plugin_close};

static int read_file(const char *path, struct buf *buf, struct gp_error *err)
{
    return edge_fs_ops.read_file(NULL, path, ARTEFACT_SIZE_MAX_BYTES, buf, err);
}

static int start(const struct port *port, const char *const *args, node_exit_fn on_exit, void *user,
                 struct node **ret, struct gp_error *err)
{
    return node_start(port, args, on_exit, user, ret, err);
}

const struct cluster_hooks simulated_hooks = {
    .loader = &loader,
    .json_parse = edge_json_parse,
    .read_file = read_file,
    .node_start = start,
    .node_stop = node_stop,
    .node_free = node_free,
};
