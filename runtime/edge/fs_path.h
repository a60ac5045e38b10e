/*
 * fs_path.h: what fs.c and fs_tree.c share. Private to edge.
 */
#ifndef EDGE_FS_PATH_H
#define EDGE_FS_PATH_H

#include "base/error.h"
#include "port/fs.h"

#define FS_TEMPORARY_PREFIX   ".gp-tmp-"
#define FS_TEMPORARY_NAME_MAX 32

/* "path: what: why"; returns the code for an errno. */
int fs_failed(struct gp_error *err, const char *path, const char *what, int cause);

/* Opens the folder that a path is in and points *ret_name at its last part. -errno. */
int fs_open_folder(const char *path, const char **ret_name);

/*
 * Makes a file that must not exist yet, complete and durable before its name appears. GP_EEXIST:
 * there is one, and it stays as it is.
 */
int fs_write_new(const char *path, gp_bytes bytes, uint32_t mode, struct gp_error *err);

/* Good randomness, any amount. */
void fs_random(void *ptr, size_t len);

/* Entries of edge_fs_ops. */
int fs_remove_tree(void *world, const char *path, struct gp_error *err);
int fs_make_dirs(void *world, const char *path, uint32_t mode, struct gp_error *err);
int fs_sync_folder(void *world, const char *path, struct gp_error *err);
int fs_list(void *world, const char *path, fs_list_fn fn, void *user, struct gp_error *err);

#endif
