/*
 * port/fs.h over the disk of the process's host.
 *
 * Calls block: they cost virtual time of the loop they are made in, an fsync most. Asserted: never
 * in a lane. A process that is being killed changes nothing (GP_ECLOSED). Failures, drawn by the
 * faults of the options or brought about by sim_disk_fill() and sim_disk_break(): GP_EIO and
 * GP_ENOSPC of whatever changes the disk; a write_at() that fails may have written a part.
 *
 * Durable at once, as in the real world: whole files that write_file() wrote, names that it, open()
 * and rename() made. Durable after sync(): what write_at() and FS_TRUNCATE did. Durable once the
 * folder is, by sync_folder() or by one of the first: what remove() took, and make_dirs() made.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sim/disk.h"
#include "sim/world.h"

struct file {
    struct sim_object object;
    struct sim_inode *inode;
    uint32_t flags;
};

/* ---- what every call does ---- */

static struct sim_disk *disk_of(void *world)
{
    return ((struct sim_proc *)world)->host->disk;
}

/* Spends the time of a call on the disk. */
static void spend(void *world, size_t bytes, bool is_synced)
{
    struct sim_proc *proc = world;
    struct sim *sim = proc->sim;
    struct sim_loop *l = sim->current;

    ASSERT(l == NULL || l->runner == NULL || proc->is_mute);
    sim_trace_note(sim, &proc->loop, SIM_KIND_disk, (int64_t)bytes, is_synced);
    if (l != NULL) {
        int64_t ns = sim_between(sim, 0, SIM_DISK_MAX_NS) + (int64_t)(bytes / 1024) * 100;

        ns += is_synced ? sim_between(sim, SIM_FSYNC_MIN_NS, SIM_FSYNC_MAX_NS) : 0;
        l->now_ns += ns * (int64_t)proc->host->disk_slowness;
    }
}

/* Whether a change may be made now; `grows`: it needs room. */
static int may_change(void *world, bool grows)
{
    struct sim_proc *proc = world;
    struct sim *sim = proc->sim;

    if (proc->is_mute) {
        return GP_ECLOSED;
    }
    if (proc->host->is_disk_broken || (grows && proc->host->is_disk_full)) {
        sim_count(sim, SIM_COUNT_disk_refused);
        return proc->host->is_disk_broken ? GP_EIO : GP_ENOSPC;
    }
    if (sim_fault(sim, sim->options.faults.disk_write_failed)) {
        sim_count(sim, SIM_COUNT_disk_failed);
        return GP_EIO;
    }
    if (sim_fault(sim, sim->options.faults.disk_full)) {
        sim_count(sim, SIM_COUNT_disk_failed);
        return GP_ENOSPC;
    }
    return 0;
}

static int fail(struct gp_error *err, int rc, const char *doing, const char *path)
{
    return rc < 0 ? gp_error_set(err, rc, "%s %s: %s", doing, path, error_sentence(rc)) : rc;
}

/* ---- open files ---- */

static void file_dispose(struct sim_object *object)
{
    struct file *file = container_of(object, struct file, object);

    sim_object_remove(&file->object);
    sim_inode_unref(file->inode);
    free(file);
}

static int find_or_make(void *world, const char *path, uint32_t flags, uint32_t mode,
                        struct sim_inode **ret)
{
    int rc = sim_disk_find(disk_of(world), path, ret);

    if (rc == 0) {
        return (*ret)->kind != SIM_INODE_FILE ? GP_EINVAL
               : (flags & FS_EXCLUSIVE) != 0  ? GP_EEXIST
                                              : 0;
    }
    if (rc != GP_ENOENT || (flags & FS_WRITE) == 0) {
        return rc;
    }
    rc = may_change(world, true);
    return rc < 0 ? rc : sim_disk_make(disk_of(world), path, SIM_INODE_FILE, mode, ret);
}

static int fs_open(void *world, const char *path, uint32_t flags, uint32_t mode, struct file **ret,
                   struct gp_error *err)
{
    struct sim_proc *proc = world;
    struct sim_inode *inode;
    struct file *file;
    int rc;

    spend(world, 0, false);
    rc = find_or_make(world, path, flags, mode, &inode);
    if (rc < 0) {
        return fail(err, rc, "cannot open", path);
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return fail(err, GP_ENOMEM, "cannot open", path);
    }
    if ((flags & FS_TRUNCATE) != 0 && !proc->is_mute) {
        sim_inode_truncate(inode);
    }
    if ((flags & FS_WRITE) != 0 && !proc->is_mute) {
        sim_folder_sync(inode->parent);
    }
    file->inode = sim_inode_ref(inode);
    file->flags = flags;
    sim_object_add(&proc->loop, &file->object, "file", file_dispose);
    *ret = file;
    return 0;
}

static int64_t fs_read_at(void *world, struct file *file, uint64_t offset, void *ptr, size_t len)
{
    size_t count;

    if ((file->flags & FS_READ) == 0) {
        return GP_EINVAL;
    }
    count = sim_inode_read(file->inode, offset, ptr, len);
    spend(world, count, false);
    return (int64_t)count;
}

static int fs_write_at(void *world, struct file *file, uint64_t offset, const void *ptr, size_t len)
{
    struct sim_proc *proc = world;
    int rc;

    if ((file->flags & FS_WRITE) == 0) {
        return GP_EINVAL;
    }
    offset = (file->flags & FS_APPEND) != 0 ? file->inode->size : offset;
    rc = may_change(world, offset + len > file->inode->size);
    spend(world, len, false);
    if (rc == GP_ECLOSED || (rc < 0 && (len == 0 || sim_one_in(proc->sim, 2)))) {
        return rc;
    }
    if (rc < 0) {
        sim_count(proc->sim, SIM_COUNT_disk_written_partly);
        (void)sim_inode_write(file->inode, offset, ptr, (size_t)sim_draw(proc->sim, len));
        return rc;
    }
    return sim_inode_write(file->inode, offset, ptr, len);
}

static int fs_sync(void *world, struct file *file)
{
    int rc = may_change(world, false);

    spend(world, 0, true);
    if (rc == 0) {
        sim_inode_sync(file->inode);
    }
    return rc;
}

static int64_t fs_size(void *world, struct file *file)
{
    spend(world, 0, false);
    return (int64_t)file->inode->size;
}

static void fs_close(void *world, struct file *file)
{
    (void)world;
    if (file != NULL) {
        file_dispose(&file->object);
    }
}

/* ---- whole files ---- */

static int fs_read_file(void *world, const char *path, size_t max, struct buf *buf,
                        struct gp_error *err)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(disk_of(world), path, &inode);

    if (rc == 0 && inode->kind != SIM_INODE_FILE) {
        rc = GP_EINVAL;
    }
    spend(world, rc == 0 ? inode->size : 0, false);
    if (rc == 0 && inode->size > max) {
        rc = GP_ETOOBIG;
    }
    if (rc == 0) {
        rc = buf_append(buf, inode->bytes, inode->size);
    }
    return fail(err, rc, "cannot read", path);
}

/* Made aside and then put in its place, so that a failure changes nothing. */
static int replace_file(struct sim_disk *disk, const char *path, gp_bytes bytes, uint32_t mode)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(disk, path, &inode);

    if (rc == 0 && inode->kind == SIM_INODE_FOLDER) {
        return GP_EINVAL;
    }
    if (rc == 0) {
        (void)sim_disk_unlink(disk, inode); /* no folder, so it has no children */
    } else if (rc != GP_ENOENT) {
        return rc;
    }
    rc = sim_disk_make(disk, path, SIM_INODE_FILE, mode, &inode);
    if (rc == 0) {
        rc = sim_inode_write(inode, 0, bytes.ptr, bytes.len);
        sim_inode_sync(inode);
        sim_folder_sync(inode->parent);
    }
    return rc;
}

static int fs_write_file(void *world, const char *path, gp_bytes bytes, uint32_t mode,
                         struct gp_error *err)
{
    int rc = may_change(world, true);

    spend(world, bytes.len, true);
    if (rc == 0) {
        rc = replace_file(disk_of(world), path, bytes, mode);
    }
    return fail(err, rc, "cannot write", path);
}

/* ---- names ---- */

static int fs_rename(void *world, const char *from, const char *to, struct gp_error *err)
{
    int rc = may_change(world, false);

    spend(world, 0, true);
    if (rc == 0) {
        rc = sim_disk_rename(disk_of(world), from, to);
    }
    return rc < 0
               ? gp_error_set(err, rc, "cannot rename %s to %s: %s", from, to, error_sentence(rc))
               : 0;
}

static int fs_remove(void *world, const char *path, struct gp_error *err)
{
    struct sim_inode *inode;
    int rc = may_change(world, false);

    spend(world, 0, false);
    if (rc == 0) {
        rc = sim_disk_find(disk_of(world), path, &inode);
    }
    if (rc == 0 && inode->kind == SIM_INODE_FOLDER) {
        rc = GP_EINVAL;
    }
    if (rc == 0) {
        sim_disk_unlink_unsynced(inode);
    }
    return fail(err, rc, "cannot remove", path);
}

static int fs_remove_tree(void *world, const char *path, struct gp_error *err)
{
    struct sim_inode *inode;
    int rc = may_change(world, false);

    spend(world, 0, false);
    if (rc == 0) {
        rc = sim_disk_find(disk_of(world), path, &inode);
    }
    if (rc == 0) {
        sim_disk_unlink_tree(disk_of(world), inode);
    }
    return fail(err, rc == GP_ENOENT ? 0 : rc, "cannot remove", path);
}

static int fs_make_dirs(void *world, const char *path, uint32_t mode, struct gp_error *err)
{
    struct sim_inode *inode;
    int rc = may_change(world, sim_disk_find(disk_of(world), path, &inode) < 0);

    spend(world, 0, false);
    if (rc == 0) {
        rc = sim_disk_make_folders(disk_of(world), path, mode);
    }
    return fail(err, rc, "cannot make folder", path);
}

static int fs_sync_folder(void *world, const char *path, struct gp_error *err)
{
    struct sim_inode *folder;
    int rc = sim_disk_find(disk_of(world), path, &folder);

    spend(world, 0, true);
    if (rc == 0) {
        rc = folder->kind == SIM_INODE_FOLDER ? may_change(world, false) : GP_EINVAL;
    }
    if (rc == 0) {
        sim_folder_sync(folder);
    }
    return fail(err, rc, "cannot sync", path);
}

/* The order of names in a folder means nothing, so each listing starts somewhere else. Names are
 * taken first: fn may change the folder. */
static int fs_list(void *world, const char *path, fs_list_fn fn, void *user, struct gp_error *err)
{
    struct sim *sim = ((struct sim_proc *)world)->sim;
    struct sim_inode *folder;
    struct sim_inode **found;
    uint32_t count = 0;
    uint32_t first;
    int rc = sim_disk_find(disk_of(world), path, &folder);

    spend(world, 0, false);
    if (rc == 0 && folder->kind != SIM_INODE_FOLDER) {
        rc = GP_EINVAL;
    }
    if (rc < 0) {
        return fail(err, rc, "cannot list", path);
    }
    found = calloc(folder->child_count + 1, sizeof(struct sim_inode *));
    if (found == NULL) {
        return fail(err, GP_ENOMEM, "cannot list", path);
    }
    LIST_FOREACH (node, &folder->children) {
        found[count++] = sim_inode_ref(LIST_ENTRY(node, struct sim_inode, node));
    }
    first = count > 0 ? (uint32_t)sim_draw(sim, count) : 0;
    for (uint32_t i = 0; i < count && rc >= 0; i++) {
        const struct sim_inode *inode = found[(first + i) % count];

        rc = fn(user, inode->name, inode->kind == SIM_INODE_FOLDER);
    }
    while (count-- > 0) {
        sim_inode_unref(found[count]);
    }
    free(found);
    return rc < 0 ? rc : 0;
}

static int fs_exists(void *world, const char *path)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(disk_of(world), path, &inode);

    spend(world, 0, false);
    if (rc < 0) {
        return rc == GP_ENOENT ? 0 : rc;
    }
    return inode->kind == SIM_INODE_FOLDER ? 2 : 1;
}

const struct fs_ops sim_fs_ops = {
    .read_file = fs_read_file,
    .write_file = fs_write_file,
    .open = fs_open,
    .read_at = fs_read_at,
    .write_at = fs_write_at,
    .sync = fs_sync,
    .size = fs_size,
    .close = fs_close,
    .rename = fs_rename,
    .remove = fs_remove,
    .remove_tree = fs_remove_tree,
    .make_dirs = fs_make_dirs,
    .sync_folder = fs_sync_folder,
    .list = fs_list,
    .exists = fs_exists,
};

/* ---- from outside ---- */

int sim_disk_put(struct sim_host *host, const char *path, gp_bytes bytes)
{
    char *folder = str_dup(gp_str_of(path));
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    struct sim_inode *inode;
    int rc = folder == NULL ? GP_ENOMEM : slash == NULL ? GP_EINVAL : 0;

    if (rc == 0 && slash != folder) {
        *slash = '\0';
        rc = sim_disk_make_folders(host->disk, folder, 0755);
    }
    free(folder);
    rc = rc < 0 ? rc : replace_file(host->disk, path, bytes, 0644);
    if (rc == 0 && sim_disk_find(host->disk, path, &inode) == 0) {
        for (inode = inode->parent; inode != NULL; inode = inode->parent) {
            sim_folder_sync(inode);
        }
    }
    return rc;
}

int sim_disk_get(struct sim_host *host, const char *path, struct buf *buf)
{
    struct sim_inode *inode;
    int rc = sim_disk_find(host->disk, path, &inode);

    if (rc < 0 || inode->kind != SIM_INODE_FILE) {
        return rc < 0 ? rc : GP_ENOENT;
    }
    return buf_append(buf, inode->bytes, inode->size);
}
