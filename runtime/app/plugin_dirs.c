/* plugin_dirs.c: see plugin_dirs.h. */
#include "app/plugin_dirs.h"

#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* Cuts the last name off an absolute path. */
static void cut_name(char *path)
{
    char *slash = strrchr(path, '/');

    if (slash) {
        *slash = '\0';
    }
}

void plugin_dirs_find(struct plugin_dirs *dirs)
{
    static const char *const below[] = {"lib/gearpump/plugins", "plugins"};
    char prefix[EDGE_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", prefix, sizeof prefix - 1);

    *dirs = (struct plugin_dirs){0};
    if (len <= 0) {
        return;
    }
    prefix[len] = '\0';
    cut_name(prefix); /* the program */
    cut_name(prefix); /* bin */
    for (uint32_t i = 0; i < PLUGIN_DIRS_FOUND_MAX; i++) {
        char *path = dirs->paths[dirs->count];

        if (str_format(path, EDGE_PATH_MAX, "%s/%s", prefix, below[i]) > 0 &&
            access(path, R_OK | X_OK) == 0) {
            dirs->list[dirs->count++] = path;
        }
    }
}
