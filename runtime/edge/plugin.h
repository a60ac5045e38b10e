/*
 * plugin.h: shared objects of users.
 */
#ifndef EDGE_PLUGIN_H
#define EDGE_PLUGIN_H

#include <gearpump/plugin.h>

#include "base/error.h"

struct plugin_file;

/*
 * Loads a shared object (running its constructors) and finds its entry, which is valid until
 * edge_plugin_close(). path is absolute. GP_ENOENT (no file), GP_EABI (anything that makes it no
 * plugin for us; err says what, naming an unresolved symbol), GP_ENOMEM. Main thread.
 */
int edge_plugin_open(const char *path, struct plugin_file **ret, const struct gp_entry **ret_entry,
                     struct gp_error *err);

/*
 * The same from bytes, as a copy with globals of its own however often the same bytes are opened:
 * what a simulation gives each of its processes. name is for messages.
 */
int edge_plugin_open_copy(gp_bytes bytes, const char *name, struct plugin_file **ret,
                          const struct gp_entry **ret_entry, struct gp_error *err);

/* NULL is fine. */
void edge_plugin_close(struct plugin_file *file);

#endif
