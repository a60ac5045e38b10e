/*
 * plugin.c: see plugin.h.
 *
 * Symbols are bound at once (RTLD_NOW): an unresolved one is an error here, with its name, and not a
 * crash at the first call. They stay private (RTLD_LOCAL), so that two plugins cannot catch each
 * other's functions.
 */
#include "edge/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plugin_file {
    void *handle;
};

/* The loader's text begins with the path; ours does so too, once. */
static int loader_failed(const char *path, struct gp_error *err)
{
    const char *text = dlerror();
    size_t len = strlen(path);

    text = text != NULL ? text : "cannot be loaded";
    if (strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0) {
        text += len + 2;
    }
    return gp_error_set(err, GP_EABI, "%s: %s", path, text);
}

static int check_entry(const char *path, const struct gp_entry *entry, struct gp_error *err)
{
    if (entry == NULL || entry->magic != GP_ENTRY_MAGIC) {
        return gp_error_set(err, GP_EABI, "%s: no %s: not a Gearpump plugin", path,
                            entry == NULL ? GP_ENTRY_SYMBOL : "valid " GP_ENTRY_SYMBOL);
    }
    /* A draft breaks with each minor number; later ones only add. */
    if (entry->abi_major != GP_ABI_MAJOR || entry->abi_minor > GP_ABI_MINOR ||
        (GP_ABI_MAJOR == 0 && entry->abi_minor != GP_ABI_MINOR)) {
        gp_error_set(err, GP_EABI, "%s: built for plugin ABI %u.%u, this is %u.%u", path,
                     entry->abi_major, entry->abi_minor, GP_ABI_MAJOR, GP_ABI_MINOR);
        gp_error_hint(err, "build the plugin again with the SDK of this version");
        return GP_EABI;
    }
    if (entry->size < sizeof(*entry) || entry->name == NULL || entry->version == NULL ||
        entry->get_factory == NULL) {
        return gp_error_set(err, GP_EABI, "%s: its " GP_ENTRY_SYMBOL " is not complete", path);
    }
    return 0;
}

int edge_plugin_open(const char *path, struct plugin_file **ret, const struct gp_entry **ret_entry,
                     struct gp_error *err)
{
    struct plugin_file *file;
    const struct gp_entry *entry;
    int rc;

    if (path[0] != '/') {
        return gp_error_set(err, GP_EINVAL, "%s: the path of a plugin must be absolute", path);
    }
    if (access(path, R_OK) < 0) {
        return gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", path);
    }
    file->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file->handle == NULL) {
        rc = loader_failed(path, err);
        goto cleanup;
    }
    entry = dlsym(file->handle, GP_ENTRY_SYMBOL);
    rc = check_entry(path, entry, err);
    if (rc < 0) {
        goto cleanup;
    }
    *ret = file;
    *ret_entry = entry;
    file = NULL;
cleanup:
    edge_plugin_close(file);
    return rc;
}

void edge_plugin_close(struct plugin_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->handle != NULL) {
        (void)dlclose(file->handle); /* a file that stays loaded does no harm */
    }
    free(file);
}
