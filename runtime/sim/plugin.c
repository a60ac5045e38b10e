/*
 * Plugins: real code, a private copy for each life of a simulated process.
 *
 * The file is read from the simulated disk and copied to anonymous memory with a name of its own in
 * /proc/self/fd, which the loader opens: so each process has its own globals, as in reality. The
 * descriptor stays open while the copy is loaded, for the dynamic linker knows objects by name and
 * would take the next file under the same number for this one.
 *
 * Failures: GP_EUNSUPPORTED without a loader; no such file; whatever the loader says of it.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "sim/disk.h"
#include "sim/world.h"

struct plugin_file {
    struct sim_object object;
    struct sim *sim;
    struct plugin_file *loaded; /* the loader's */
    int fd;
};

static void plugin_dispose(struct sim_object *object)
{
    struct plugin_file *file = container_of(object, struct plugin_file, object);

    sim_object_remove(&file->object);
    if (file->loaded != NULL) {
        file->sim->options.loader->close(file->loaded);
    }
    if (file->fd >= 0) {
        (void)close(file->fd); /* anonymous: nothing to lose */
    }
    free(file);
}

static int copy_to_memory(const struct sim_inode *inode, int *ret_fd)
{
    size_t done = 0;
    int fd = memfd_create("gearpump-plugin", MFD_CLOEXEC);

    if (fd < 0) {
        return GP_ENOMEM;
    }
    while (done < inode->size) {
        ssize_t n = write(fd, inode->bytes + done, inode->size - done);

        if (n <= 0) {
            (void)close(fd);
            return GP_ENOMEM;
        }
        done += (size_t)n;
    }
    *ret_fd = fd;
    return 0;
}

static int load_copy(struct plugin_file *file, const char *path, const struct gp_entry **ret_entry,
                     struct gp_error *err)
{
    const struct sim_plugin_loader *loader = file->sim->options.loader;
    char fd_path[64];
    int rc;

    (void)str_format(fd_path, sizeof(fd_path), "/proc/self/fd/%d", file->fd);
    rc = loader->open(fd_path, &file->loaded, ret_entry, err);
    if (rc < 0) {
        gp_error_prefix(err, "%s", path);
    }
    return rc;
}

int sim_plugin_open(void *world, const char *path, struct plugin_file **ret,
                    const struct gp_entry **ret_entry, struct gp_error *err)
{
    struct sim_proc *proc = world;
    struct plugin_file *file;
    struct sim_inode *inode;
    int rc;

    if (proc->sim->options.loader == NULL) {
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
    file->sim = proc->sim;
    file->fd = -1;
    sim_object_add(&proc->loop, &file->object, "plugin", plugin_dispose);
    rc = copy_to_memory(inode, &file->fd);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "cannot copy %s to memory", path);
    } else {
        rc = load_copy(file, path, ret_entry, err);
    }
    if (rc < 0) {
        plugin_dispose(&file->object);
        return rc;
    }
    *ret = file;
    return 0;
}

void sim_plugin_close(void *world, struct plugin_file *file)
{
    (void)world;
    plugin_dispose(&file->object);
}
