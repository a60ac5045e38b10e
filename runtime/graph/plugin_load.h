/*
 * plugin_load.h: loads a plugin the careful way: what its note says is checked before any of its
 * code runs, and what its symbol says must agree.
 *
 * Runs user code (constructors, gp_entry.init): only in appmaster and executor processes, and in
 * `gpctl run`.
 */
#ifndef GRAPH_PLUGIN_LOAD_H
#define GRAPH_PLUGIN_LOAD_H

#include <gearpump/plugin.h>

#include "base/error.h"
#include "port/port.h"

#define PLUGIN_FILE_MAX_BYTES (256u << 20)

struct plugin {
    struct plugin_file *file;
    const struct gp_entry *entry;
    const struct gp_catalog *catalog; /* NULL: none */
    const struct gp_app *app;         /* NULL: not an application */
    bool initialised;
};

/*
 * Opens the file at path, calls its init with host. host must live until plugin_unload. On failure
 * nothing stays loaded. GP_EABI with what does not fit (not ELF, other machine, other ABI, an
 * unresolved symbol, note and symbol disagree, a service that this host has not), GP_EUSER (its
 * init failed), GP_ENOENT, GP_EIO.
 */
int plugin_load(const struct port *port, const char *path, const struct gp_host *host,
                struct plugin *ret, struct gp_error *err);

/* Calls its deinit and unloads. Zeroed is fine. */
void plugin_unload(const struct port *port, struct plugin *plugin);

/* The processor of that type, or NULL. */
const struct gp_processor *plugin_processor(const struct plugin *plugin, const char *type);

/* The partitioner of that type, or NULL. */
const struct gp_partitioner *plugin_partitioner(const struct plugin *plugin, const char *type);

#endif
