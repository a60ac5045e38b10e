/* data_dir.c: see data_dir.h. */
#include "app/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define NUMBERED_MAX 256

/* All folders of an absolute path. */
static int make_dirs(char *path, struct gp_error *err)
{
    for (char *at = path + 1;; at++) {
        char was = *at;

        if (was != '/' && was != '\0') {
            continue;
        }
        *at = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST) {
            return gp_error_set(err, error_from_errno(errno), "%s: cannot make the folder: %s",
                                path, strerror(errno));
        }
        *at = was;
        if (was == '\0') {
            return 0;
        }
    }
}

static int full_path(char out[EDGE_PATH_MAX], const char *base, const char *name,
                     struct gp_error *err)
{
    char folder[EDGE_PATH_MAX] = "";
    const char *slash = *name ? "/" : "";
    int rc = 0;

    if (!*base) {
        rc = edge_data_dir(folder, err);
        if (rc < 0) {
            return rc;
        }
        base = folder;
    } else if (base[0] != '/') {
        if (!getcwd(folder, sizeof folder)) {
            return gp_error_set(err, error_from_errno(errno), "the current folder: %s",
                                strerror(errno));
        }
        rc = str_format(out, EDGE_PATH_MAX, "%s/%s%s%s", folder, base, slash, name);
        return rc < 0 ? gp_error_set(err, rc, "%s: the path is too long", base) : 0;
    }
    rc = str_format(out, EDGE_PATH_MAX, "%s%s%s", base, slash, name);
    return rc < 0 ? gp_error_set(err, rc, "%s: the path is too long", base) : 0;
}

/* Who holds it, as the lock file says; for people. */
static int held_by_another(int fd, const char *path, struct gp_error *err)
{
    char pid[24] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    (void)gp_error_set(err, GP_EEXIST, "%s: locked, in use by another gpd%s%s", path,
                       *pid ? ", pid " : "", pid);
    gp_error_hint(err, "--data another folder, or stop that one");
    return GP_EEXIST;
}

static int lock(struct data_dir *dir, struct gp_error *err)
{
    char path[EDGE_PATH_MAX + 8];
    char pid[24];
    int len = str_format(pid, sizeof pid, "%ld\n", (long)getpid());
    int rc = 0;
    int fd;

    (void)str_format(path, sizeof path, "%s/lock", dir->path);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        rc = errno == EWOULDBLOCK
                 ? held_by_another(fd, dir->path, err)
                 : gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
    } else if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        rc = gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
    }
    if (rc < 0) {
        (void)close(fd);
        return rc;
    }
    dir->lock_fd = fd;
    return 0;
}

int data_dir_take(struct data_dir *dir, const char *base, const char *name, struct gp_error *err)
{
    int rc;

    *dir = (struct data_dir){.lock_fd = -1};
    rc = full_path(dir->path, base, name, err);
    if (rc == 0) {
        rc = make_dirs(dir->path, err);
    }
    if (rc == 0) {
        rc = lock(dir, err);
    }
    if (rc < 0) {
        *dir = (struct data_dir){.lock_fd = -1};
        if (err && err->hint[0] == '\0') {
            gp_error_hint(err, "--data a folder on a disk with room, where this user may write");
        }
    }
    return rc;
}

int data_dir_take_free(struct data_dir *dir, const char *base, const char *name,
                       struct gp_error *err)
{
    int rc = GP_EEXIST;

    for (int i = 1; rc == GP_EEXIST && i <= NUMBERED_MAX; i++) {
        char numbered[128];

        (void)str_format(numbered, sizeof numbered, "%s-%d", name, i);
        rc = data_dir_take(dir, base, numbered, err);
    }
    return rc;
}

void data_dir_release(struct data_dir *dir)
{
    if (dir->path[0] != '\0') {
        (void)close(dir->lock_fd); /* and with it goes the lock */
    }
    *dir = (struct data_dir){.lock_fd = -1};
}
