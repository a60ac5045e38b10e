/*
 * plugin_search.h: the folders where plugins are looked for, by the commands that do it without a
 * master: those of --dir, of plugins.path, and what came with this installation.
 */
#ifndef APP_PLUGIN_SEARCH_H
#define APP_PLUGIN_SEARCH_H

#include "app/ctl.h"
#include "app/plugin_dirs.h"

#define PLUGIN_SEARCH_MAX 64u

struct plugin_search {
    const char *list[PLUGIN_SEARCH_MAX];
    uint32_t count;
    struct plugin_dirs shipped;
};

/* Reads the settings first. Borrows from options, from ctl->config and from itself: not to be
 * copied. GP_ENOENT: a folder of --dir is not there. */
int plugin_search_find(struct plugin_search *s, struct ctl *ctl, struct gp_error *err);

#endif
