/*
 * Plugins: real code, read from the simulated disk, a private copy for each life of a process.
 *
 * Failures: GP_EUNSUPPORTED without a loader; no such file; whatever the loader says of it.
 */
#include <stdlib.h>

#include "sim/disk.h"
#include "sim/world.h"

struct plugin_file {
    struct sim_object object;
    const struct sim_plugin_loader *loader;
    struct plugin_file *loaded; /* the loader's */
};

static void plugin_dispose(struct sim_object *object)
{
    struct plugin_file *file = container_of(object, struct plugin_file, object);

    file->loader->close(file->loaded);
    sim_object_remove(&file->object);
    free(file);
}

int sim_plugin_open(void *world, const char *path, struct plugin_file **ret,
                    const struct gp_entry **ret_entry, struct gp_error *err)
{
    struct sim_proc *proc = world;
    const struct sim_plugin_loader *loader = proc->sim->options.loader;
    struct plugin_file *file;
    struct sim_inode *inode;
    int rc;

    if (loader == NULL) {
        return gp_error_set(err, GP_EUNSUPPORTED, "the simulation was given no plugin loader");
    }
    rc = sim_disk_find(proc->host->disk, path, &inode);
    if (rc < 0 || inode->kind != SIM_INODE_FILE) {
        rc = rc < 0 ? rc : GP_EINVAL;
        return gp_error_set(err, rc, "cannot load %s: %s", path, error_sentence(rc));
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot load %s: out of memory", path);
    }
    rc = loader->open_copy(gp_bytes_of(inode->bytes, inode->size), path, &file->loaded, ret_entry,
                           err);
    if (rc < 0) {
        free(file);
        return rc;
    }
    file->loader = loader;
    sim_object_add(&proc->loop, &file->object, "plugin", plugin_dispose);
    *ret = file;
    return 0;
}

void sim_plugin_close(void *world, struct plugin_file *file)
{
    (void)world;
    plugin_dispose(&file->object);
}
