/*
 * fs_tree.c: folders: making, listing, removing with all below.
 *
 * Removing goes down by descriptors and never follows a symbolic link, so that a link put into the
 * tree meanwhile cannot lead out of it. Failures: the first one ends the act and is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/fs_path.h"
#include "edge/limits.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

int fs_failed(struct gp_error *err, const char *path, const char *what, int cause)
{
    return gp_error_set(err, error_from_errno(cause), "%s: %s: %s", path, what, strerror(cause));
}

int fs_open_folder(const char *path, const char **ret_name)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    size_t len;
    int fd;

    if (slash == NULL || path[0] != '/' || slash[1] == '\0') {
        return -EINVAL;
    }
    len = slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof(folder)) {
        return -ENAMETOOLONG;
    }
    memcpy(folder, path, len);
    folder[len] = '\0';
    fd = open(folder, FOLDER_FLAGS);
    *ret_name = slash + 1;
    return fd < 0 ? -errno : fd;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool is_folder(int parent, const struct dirent *entry)
{
    struct stat info;

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    return fstatat(parent, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

/* ---- removing ---- */

static int remove_below(int parent, const char *name, int depth);

/* 0 or -errno. */
static int remove_entry(int parent, const struct dirent *entry, int depth)
{
    int rc = 0;

    if (is_folder(parent, entry)) {
        rc = remove_below(parent, entry->d_name, depth);
        if (rc == 0 && unlinkat(parent, entry->d_name, AT_REMOVEDIR) < 0) {
            rc = -errno;
        }
    } else if (unlinkat(parent, entry->d_name, 0) < 0) {
        rc = -errno;
    }
    return rc == -ENOENT ? 0 : rc; /* somebody else was faster */
}

/* Everything in the folder; its recursion is bounded. 0 or -errno. */
static int remove_below(int parent, const char *name, int depth)
{
    struct dirent *entry;
    int rc = 0;
    int fd = openat(parent, name, FOLDER_FLAGS | O_NOFOLLOW);
    DIR *dir;

    if (fd < 0) {
        return -errno;
    }
    dir = fdopendir(fd);
    if (dir == NULL || depth == EDGE_TREE_DEPTH_MAX) {
        rc = dir == NULL ? -errno : -ELOOP;
        (void)(dir == NULL ? close(fd) : closedir(dir));
        return rc;
    }
    while (rc == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        if (!is_dots(entry->d_name)) {
            rc = remove_entry(fd, entry, depth + 1);
        }
    }
    if (rc == 0 && errno != 0) {
        rc = -errno;
    }
    (void)closedir(dir); /* closes fd */
    return rc;
}

int fs_remove_tree(void *world, const char *path, struct gp_error *err)
{
    struct stat info;
    int rc = 0;

    (void)world;
    if (lstat(path, &info) < 0) {
        return errno == ENOENT ? 0 : fs_failed(err, path, "cannot remove", errno);
    }
    if (S_ISDIR(info.st_mode)) {
        rc = remove_below(AT_FDCWD, path, 0);
        if (rc == 0 && rmdir(path) < 0) {
            rc = -errno;
        }
    } else if (unlink(path) < 0) {
        rc = -errno;
    }
    return rc < 0 && rc != -ENOENT ? fs_failed(err, path, "cannot remove", -rc) : 0;
}

/* ---- making and listing ---- */

/* One folder, which may exist. 0 or -errno. */
static int make_dir(const char *path, mode_t mode)
{
    struct stat info;

    if (mkdir(path, mode) == 0) {
        return 0;
    }
    if (errno != EEXIST || stat(path, &info) < 0) {
        return -errno;
    }
    return S_ISDIR(info.st_mode) ? 0 : -ENOTDIR;
}

int fs_make_dirs(void *world, const char *path, uint32_t mode, struct gp_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    int rc = 0;

    (void)world;
    if (path[0] != '/' || len >= sizeof(part)) {
        return fs_failed(err, path, "cannot make the folder", EINVAL);
    }
    for (size_t i = 1; rc == 0 && i <= len; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            rc = make_dir(part, (mode_t)mode);
        }
    }
    return rc < 0 ? fs_failed(err, part, "cannot make the folder", -rc) : 0;
}

int fs_sync_folder(void *world, const char *path, struct gp_error *err)
{
    int fd = open(path, FOLDER_FLAGS);
    int rc = fd < 0 || fsync(fd) < 0 ? -errno : 0;

    (void)world;
    if (fd >= 0) {
        (void)close(fd);
    }
    return rc < 0 ? fs_failed(err, path, "cannot sync the folder", -rc) : 0;
}

int fs_list(void *world, const char *path, fs_list_fn fn, void *user, struct gp_error *err)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int rc = 0;

    (void)world;
    if (dir == NULL) {
        return fs_failed(err, path, "cannot list", errno);
    }
    while (rc >= 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        if (!is_dots(entry->d_name)) {
            rc = fn(user, entry->d_name, is_folder(dirfd(dir), entry));
        }
    }
    if (rc >= 0 && errno != 0) {
        rc = fs_failed(err, path, "cannot list", errno);
    }
    (void)closedir(dir);
    return rc < 0 ? rc : 0;
}
