/*
 * fs.h: files, as the control plane needs them. Calls block: never from a lane.
 * Paths are absolute, NUL-terminated. Errors say the path in err.
 */
#ifndef PORT_FS_H
#define PORT_FS_H

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"

struct file;

#define FS_READ      1u
#define FS_WRITE     2u /* created when missing */
#define FS_TRUNCATE  4u
#define FS_APPEND    8u
#define FS_EXCLUSIVE 16u /* GP_EEXIST when it exists */

typedef int (*fs_list_fn)(void *user, const char *name,
                          int is_dir); /* negative stops and is returned */

struct fs_ops {
    /* Whole file, at most max bytes (GP_ETOOBIG). Appends to buf. */
    int (*read_file)(void *world, const char *path, size_t max, struct buf *buf,
                     struct gp_error *err);
    /* All or nothing and durable: temporary file, fsync, rename, fsync of the folder. mode as 0600.
     */
    int (*write_file)(void *world, const char *path, gp_bytes bytes, uint32_t mode,
                      struct gp_error *err);
    /* A name that is made here is durable on return. */
    int (*open)(void *world, const char *path, uint32_t flags, uint32_t mode, struct file **ret,
                struct gp_error *err);
    /* At offset; returns the count read (0 at the end) or negative. */
    int64_t (*read_at)(void *world, struct file *file, uint64_t offset, void *ptr, size_t len);
    /* All of it or negative. offset is ignored with FS_APPEND. */
    int (*write_at)(void *world, struct file *file, uint64_t offset, const void *ptr, size_t len);
    int (*sync)(void *world, struct file *file);
    int64_t (*size)(void *world, struct file *file);
    void (*close)(void *world, struct file *file); /* NULL is fine */
    int (*rename)(void *world, const char *from, const char *to,
                  struct gp_error *err);                                /* durable */
    int (*remove)(void *world, const char *path, struct gp_error *err); /* file; GP_ENOENT */
    int (*remove_tree)(void *world, const char *path,
                       struct gp_error *err); /* everything below too; missing is fine */
    int (*make_dirs)(void *world, const char *path, uint32_t mode, struct gp_error *err);
    /* Makes durable which names the folder has: of folders made and of files removed in it, too. */
    int (*sync_folder)(void *world, const char *path, struct gp_error *err);
    int (*list)(void *world, const char *path, fs_list_fn fn, void *user, struct gp_error *err);
    /* 1 file, 2 folder, 0 not there, negative: cannot tell. */
    int (*exists)(void *world, const char *path);
};

#define FS_PATH_ABOVE_MAX 4096u

/*
 * Makes durable that the path is there, as far as we may: every folder above it is synced, from the
 * nearest on. For what make_dirs() made, which may be more than one. Those that we may not read are
 * somebody else's and have been there before us, so failing means nothing.
 */
static inline void fs_sync_above(const struct fs_ops *fs, void *world, const char *path)
{
    char folder[FS_PATH_ABOVE_MAX];
    size_t len = strlen(path);

    if (len >= sizeof folder) {
        return;
    }
    memcpy(folder, path, len + 1);
    while (len > 1) {
        while (len > 0 && folder[len - 1] != '/') {
            len--;
        }
        while (len > 1 && folder[len - 1] == '/') {
            len--;
        }
        folder[len] = '\0';
        if (len > 0) {
            (void)fs->sync_folder(world, folder, NULL);
        }
    }
}

#endif
