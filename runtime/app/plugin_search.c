/* plugin_search.c: see plugin_search.h. */
#include "app/plugin_search.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void add(struct plugin_search *s, const char *dir)
{
    if (s->count < PLUGIN_SEARCH_MAX) {
        s->list[s->count++] = dir;
    }
}

int plugin_search_find(struct plugin_search *s, struct ctl *ctl, struct gp_error *err)
{
    const char *dir;
    int rc = ctl_configure(ctl, NULL, 0, err);

    s->count = 0;
    for (uint32_t i = 0; rc == 0 && (dir = options_nth(ctl->options, "dir", i)) != NULL; i++) {
        if (access(dir, R_OK | X_OK) != 0) {
            return gp_error_set(err, error_from_errno(errno), "--dir %s: %s", dir, strerror(errno));
        }
        add(s, dir);
    }
    for (uint32_t i = 0; rc == 0 && i < ctl->config.plugins.path_count; i++) {
        add(s, ctl->config.plugins.path[i]);
    }
    plugin_dirs_find(&s->shipped);
    for (uint32_t i = 0; i < s->shipped.count; i++) {
        add(s, s->shipped.list[i]);
    }
    return rc;
}
