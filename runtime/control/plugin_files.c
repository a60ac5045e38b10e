/* plugin_files.c: see plugin_files.h. */
#include "control/plugin_files.h"

#include <stdlib.h>

#include "base/str.h"

static int on_entry(void *user, const char *name, int is_dir)
{
    struct plugin_files *f = user;
    gp_str stem = gp_str_of(name);

    if (is_dir || f->count == PLUGIN_FILES_MAX ||
        !str_ends_with(stem, GP_STR(PLUGIN_FILE_SUFFIX))) {
        return 0;
    }
    stem.len -= strlen(PLUGIN_FILE_SUFFIX);
    f->names[f->count] = str_dup(stem);
    if (!f->names[f->count]) {
        return GP_ENOMEM;
    }
    f->count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int plugin_files_read(struct plugin_files *f, const struct fs_ops *fs, void *world, const char *dir)
{
    int rc;

    plugin_files_deinit(f);
    rc = fs->list(world, dir, on_entry, f, NULL);
    qsort(f->names, f->count, sizeof f->names[0], by_name);
    return rc == GP_ENOMEM ? rc : 0;
}

void plugin_files_deinit(struct plugin_files *f)
{
    while (f->count > 0) {
        free(f->names[--f->count]);
    }
}

const char *plugin_files_meant(const struct plugin_files *f, const char *name, char *out)
{
    gp_str known[PLUGIN_FILES_MAX];

    for (uint32_t i = 0; i < f->count; i++) {
        known[i] = gp_str_of(f->names[i]);
    }
    return str_meant(gp_str_of(name), known, f->count, out);
}
