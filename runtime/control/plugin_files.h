/*
 * plugin_files.h: which plugins a folder has. The file of a plugin is called as the plugin is, with
 * .so: that is how a master finds one that a graph names.
 */
#ifndef CONTROL_PLUGIN_FILES_H
#define CONTROL_PLUGIN_FILES_H

#include <gearpump/types.h>

#include "port/fs.h"

#define PLUGIN_FILE_SUFFIX ".so"
#define PLUGIN_FILES_MAX   256u /* of one folder; others are not seen */

/* Zeroed is empty. */
struct plugin_files {
    char *names[PLUGIN_FILES_MAX]; /* without the suffix, in order */
    uint32_t count;
};

/* Takes the place of what was in it. A folder that cannot be read has none. GP_ENOMEM: and not
 * all. */
int plugin_files_read(struct plugin_files *f, const struct fs_ops *fs, void *world,
                      const char *dir);
void plugin_files_deinit(struct plugin_files *f);

/* " (did you mean 'file'?)" of them, or "". Returns out: STR_MEANT_MAX bytes. */
const char *plugin_files_meant(const struct plugin_files *f, const char *name, char *out);

#endif
