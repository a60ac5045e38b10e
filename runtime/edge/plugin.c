/*
 * plugin.c: see plugin.h.
 *
 * Symbols are bound at once (RTLD_NOW): an unresolved one is an error here, with its name, and not
 * a crash at the first call. They stay private (RTLD_LOCAL), so that two plugins cannot catch each
 * other's functions.
 */
#include "edge/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct plugin_file {
    void *handle;
    int fd; /* of a copy; -1: none */
};

/* What to do about it, where the loader's words do not tell. */
static const char *advice(const char *path, const char *text)
{
    struct statvfs fs;

    if (strstr(text, "version `GLIBC_") != NULL) {
        return "; it was built for a newer glibc than this host has: build it on an older system";
    }
    if (strstr(text, "failed to map") != NULL && statvfs(path, &fs) == 0 &&
        (fs.f_flag & ST_NOEXEC) != 0) {
        return "; that file system is mounted noexec: give the worker a --data folder elsewhere";
    }
    return "";
}

/* The loader's text begins with the path; ours begins with the name, once. */
static int loader_failed(const char *path, const char *name, struct gp_error *err)
{
    const char *text = dlerror();
    size_t len = strlen(path);

    text = text != NULL ? text : "cannot be loaded";
    if (strncmp(text, path, len) == 0 && strncmp(text + len, ": ", 2) == 0) {
        text += len + 2;
    }
    return gp_error_set(err, GP_EABI, "%s: %s%s", name, text, advice(path, text));
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

/* Loads what is at path into file; messages call it name. */
static int load(struct plugin_file *file, const char *path, const char *name,
                const struct gp_entry **ret_entry, struct gp_error *err)
{
    const struct gp_entry *entry;
    int rc;

    file->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (file->handle == NULL) {
        return loader_failed(path, name, err);
    }
    entry = dlsym(file->handle, GP_ENTRY_SYMBOL);
    rc = check_entry(name, entry, err);
    if (rc == 0) {
        *ret_entry = entry;
    }
    return rc;
}

static struct plugin_file *file_new(void)
{
    struct plugin_file *file = calloc(1, sizeof(*file));

    if (file != NULL) {
        file->fd = -1;
    }
    return file;
}

int edge_plugin_open(const char *path, struct plugin_file **ret, const struct gp_entry **ret_entry,
                     struct gp_error *err)
{
    struct plugin_file *file;
    int rc;

    if (path[0] != '/') {
        return gp_error_set(err, GP_EINVAL, "%s: the path of a plugin must be absolute", path);
    }
    if (access(path, R_OK) < 0) {
        return gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
    }
    file = file_new();
    if (file == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", path);
    }
    rc = load(file, path, path, ret_entry, err);
    if (rc < 0) {
        edge_plugin_close(file);
        return rc;
    }
    *ret = file;
    return 0;
}

/* A file that only its descriptor names. 0 or -errno. */
static int copy_to_memory(gp_bytes bytes, int *ret_fd)
{
    const char *at = bytes.ptr;
    size_t left = bytes.len;

    *ret_fd = memfd_create("gearpump-plugin", MFD_CLOEXEC);
    while (*ret_fd >= 0 && left > 0) {
        ssize_t n = write(*ret_fd, at, left);

        if (n < 0) {
            return -errno;
        }
        at += n;
        left -= (size_t)n;
    }
    return *ret_fd < 0 ? -errno : 0;
}

int edge_plugin_open_copy(gp_bytes bytes, const char *name, struct plugin_file **ret,
                          const struct gp_entry **ret_entry, struct gp_error *err)
{
    struct plugin_file *file = file_new();
    char path[32];
    int rc;

    if (file == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", name);
    }
    rc = copy_to_memory(bytes, &file->fd);
    if (rc < 0) {
        rc = gp_error_set(err, error_from_errno(-rc), "%s: %s", name, strerror(-rc));
        goto cleanup;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file->fd); /* fits */
    rc = load(file, path, name, ret_entry, err);
    if (rc < 0) {
        goto cleanup;
    }
    *ret = file;
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
    if (file->fd >= 0) {
        (void)close(file->fd); /* only now: the loader knows files by name, and would take the next
                                * one under this number for this one */
    }
    free(file);
}
