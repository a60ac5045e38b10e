/*
 * plugin_dirs.h: where the plugins of this installation stand, found from where the program does.
 */
#ifndef APP_PLUGIN_DIRS_H
#define APP_PLUGIN_DIRS_H

#include <stdint.h>

#include "edge/paths.h"

#define PLUGIN_DIRS_FOUND_MAX 2u

/* PREFIX/lib/gearpump/plugins (installed) and PREFIX/plugins (build tree), those that exist. */
struct plugin_dirs {
    char paths[PLUGIN_DIRS_FOUND_MAX][EDGE_PATH_MAX];
    const char *list[PLUGIN_DIRS_FOUND_MAX];
    uint32_t count;
};

/* Points into itself: not to be copied. */
void plugin_dirs_find(struct plugin_dirs *dirs);

#endif
