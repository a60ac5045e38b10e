/*
 * fs.c: open files, whole files and names. Folders are in fs_tree.c.
 *
 * Durable means: the bytes are synced before the name appears, and the folder is synced after. A
 * temporary file is made beside its target, with a name that starts with FS_TEMPORARY_PREFIX; a
 * crash may leave one behind, a failure does not.
 *
 * Any thread; every call may block. Failures are told with the path and the system's words.
 */
#include "edge/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/fs_path.h"

#define READ_SIZE_BYTES ((size_t)64 << 10)

struct file {
    int fd;
    bool append;
};

/* ---- bytes ---- */

static int write_all(int fd, const void *ptr, size_t len, int64_t offset)
{
    const char *at = ptr;

    while (len > 0) {
        ssize_t n = offset < 0 ? write(fd, at, len) : pwrite(fd, at, len, offset);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        at += n;
        len -= (size_t)n;
        offset += offset < 0 ? 0 : n;
    }
    return 0;
}

/* A read that is not disturbed by signals. */
static ssize_t read_some(int fd, void *ptr, size_t len)
{
    ssize_t n;

    do {
        n = read(fd, ptr, len);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* Appends what fd has, at most max bytes, to buf. 0 or negative; *ret_cause: errno if that was
 * it. */
static int read_all(int fd, size_t max, struct buf *buf, int *ret_cause)
{
    size_t left = max;
    char beyond;
    ssize_t n;

    *ret_cause = 0;
    do {
        size_t piece = left < READ_SIZE_BYTES ? left : READ_SIZE_BYTES;
        void *space = &beyond;
        int rc = piece > 0 ? buf_reserve(buf, piece, &space) : 0;

        if (rc < 0) {
            return rc;
        }
        n = read_some(fd, space, piece > 0 ? piece : 1);
        if (n < 0) {
            *ret_cause = errno;
            return error_from_errno(errno);
        }
        if (n > 0 && piece == 0) {
            return GP_ETOOBIG;
        }
        if (n > 0) {
            buf_commit(buf, (size_t)n);
            left -= (size_t)n;
        }
    } while (n > 0);
    return 0;
}

static int read_file(void *world, const char *path, size_t max, struct buf *buf,
                     struct gp_error *err)
{
    size_t before = buf_len(buf);
    int cause;
    int rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    (void)world;
    if (fd < 0) {
        return fs_failed(err, path, "cannot read", errno);
    }
    rc = read_all(fd, max, buf, &cause);
    (void)close(fd);
    if (rc == 0) {
        return 0;
    }
    buf_truncate(buf, before);
    if (cause != 0) {
        return fs_failed(err, path, "cannot read", cause);
    }
    if (rc == GP_ETOOBIG) {
        return gp_error_set(err, rc, "%s: larger than %zu bytes", path, max);
    }
    return gp_error_set(err, rc, "%s: cannot read: %s", path, error_sentence(rc));
}

/* ---- whole files ---- */

void fs_random(void *ptr, size_t len)
{
    char *at = ptr;

    while (len > 0) {
        ssize_t n = getrandom(at, len, 0);

        ASSERT(n > 0 || errno == EINTR); /* it has no other way to fail */
        at += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

/* A name that nobody else uses. */
static void temporary_name(char ret[FS_TEMPORARY_NAME_MAX])
{
    uint64_t random;

    fs_random(&random, sizeof(random));
    (void)snprintf(ret, FS_TEMPORARY_NAME_MAX, FS_TEMPORARY_PREFIX "%016llx",
                   (unsigned long long)random);
}

/* Writes and syncs a new file. 0 or -errno; on failure there is none. */
static int write_new(int folder, const char *name, gp_bytes bytes, mode_t mode)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    int rc;

    if (fd < 0) {
        return -errno;
    }
    rc = write_all(fd, bytes.ptr, bytes.len, -1);
    if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0)) { /* umask does not matter */
        rc = -errno;
    }
    if (close(fd) < 0 && rc == 0) {
        rc = -errno;
    }
    if (rc < 0) {
        (void)unlinkat(folder, name, 0);
    }
    return rc;
}

/*
 * Writes a file under a temporary name, then gives it its own: replacing what has that name, or
 * failing with EEXIST. Either way no name is left behind on failure.
 */
static int write_whole(const char *path, gp_bytes bytes, mode_t mode, bool replace,
                       struct gp_error *err)
{
    char temporary[FS_TEMPORARY_NAME_MAX];
    const char *name;
    int folder = fs_open_folder(path, &name);
    int rc;

    if (folder < 0) {
        return fs_failed(err, path, "cannot write", -folder);
    }
    temporary_name(temporary);
    rc = write_new(folder, temporary, bytes, mode);
    if (rc == 0) {
        rc = replace ? renameat(folder, temporary, folder, name)
                     : linkat(folder, temporary, folder, name, 0);
        rc = rc < 0 ? -errno : 0;
        if (rc < 0 || !replace) {
            (void)unlinkat(folder, temporary, 0);
        }
    }
    if (rc == 0 && fsync(folder) < 0) {
        rc = -errno;
    }
    (void)close(folder);
    return rc < 0 ? fs_failed(err, path, "cannot write", -rc) : 0;
}

static int write_file(void *world, const char *path, gp_bytes bytes, uint32_t mode,
                      struct gp_error *err)
{
    (void)world;
    return write_whole(path, bytes, (mode_t)mode, true, err);
}

int fs_write_new(const char *path, gp_bytes bytes, uint32_t mode, struct gp_error *err)
{
    return write_whole(path, bytes, (mode_t)mode, false, err);
}

/* ---- open files ---- */

static int open_flags(uint32_t flags)
{
    int how = O_CLOEXEC | O_NOCTTY;

    if ((flags & FS_WRITE) == 0) {
        return how | O_RDONLY;
    }
    how |= (flags & FS_READ) != 0 ? O_RDWR : O_WRONLY;
    how |= O_CREAT;
    how |= (flags & FS_TRUNCATE) != 0 ? O_TRUNC : 0;
    how |= (flags & FS_APPEND) != 0 ? O_APPEND : 0;
    how |= (flags & FS_EXCLUSIVE) != 0 ? O_EXCL : 0;
    return how;
}

/* Makes the name of a file that may be new durable. 0 or -errno. */
static int sync_folder_of(const char *path)
{
    const char *name;
    int folder = fs_open_folder(path, &name);
    int rc;

    if (folder < 0) {
        return folder;
    }
    rc = fsync(folder) < 0 ? -errno : 0;
    (void)close(folder);
    return rc;
}

static int file_open(void *world, const char *path, uint32_t flags, uint32_t mode,
                     struct file **ret, struct gp_error *err)
{
    struct file *file = calloc(1, sizeof(*file));
    struct stat info = {0};
    int rc;

    (void)world;
    ASSERT((flags & (FS_READ | FS_WRITE)) != 0);
    if (file == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", path);
    }
    file->append = (flags & FS_APPEND) != 0;
    file->fd = open(path, open_flags(flags), (mode_t)mode);
    rc = file->fd < 0 || fstat(file->fd, &info) < 0 ? -errno : 0;
    if (rc == 0 && S_ISDIR(info.st_mode)) {
        rc = -EISDIR;
    }
    if (rc == 0 && (flags & FS_WRITE) != 0) {
        rc = sync_folder_of(path);
    }
    if (rc < 0) {
        if (file->fd >= 0) {
            (void)close(file->fd);
        }
        free(file);
        return fs_failed(err, path, "cannot open", -rc);
    }
    *ret = file;
    return 0;
}

static int64_t read_at(void *world, struct file *file, uint64_t offset, void *ptr, size_t len)
{
    size_t done = 0;

    (void)world;
    if (offset > INT64_MAX - len) {
        return GP_EINVAL;
    }
    while (done < len) {
        ssize_t n = pread(file->fd, (char *)ptr + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_from_errno(errno);
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int write_at(void *world, struct file *file, uint64_t offset, const void *ptr, size_t len)
{
    int rc;

    (void)world;
    if (!file->append && offset > INT64_MAX - len) {
        return GP_ETOOBIG;
    }
    rc = write_all(file->fd, ptr, len, file->append ? -1 : (int64_t)offset);
    return rc < 0 ? error_from_errno(-rc) : 0;
}

static int file_sync(void *world, struct file *file)
{
    (void)world;
    return fsync(file->fd) < 0 ? error_from_errno(errno) : 0;
}

static int64_t file_size(void *world, struct file *file)
{
    struct stat info;

    (void)world;
    return fstat(file->fd, &info) < 0 ? error_from_errno(errno) : (int64_t)info.st_size;
}

static void file_close(void *world, struct file *file)
{
    (void)world;
    if (file == NULL) {
        return;
    }
    (void)close(file->fd); /* what must last was synced */
    free(file);
}

/* ---- names ---- */

static int file_rename(void *world, const char *from, const char *to, struct gp_error *err)
{
    int rc;

    (void)world;
    rc = rename(from, to) < 0 ? -errno : sync_folder_of(to);
    if (rc == 0) {
        rc = sync_folder_of(from);
    }
    if (rc < 0) {
        return gp_error_set(err, error_from_errno(-rc), "%s: cannot rename to %s: %s", from, to,
                            strerror(-rc));
    }
    return 0;
}

static int file_remove(void *world, const char *path, struct gp_error *err)
{
    (void)world;
    return unlink(path) < 0 ? fs_failed(err, path, "cannot remove", errno) : 0;
}

static int exists(void *world, const char *path)
{
    struct stat info;

    (void)world;
    if (stat(path, &info) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : error_from_errno(errno);
    }
    return S_ISDIR(info.st_mode) ? 2 : 1;
}

const struct fs_ops edge_fs_ops = {
    .read_file = read_file,
    .write_file = write_file,
    .open = file_open,
    .read_at = read_at,
    .write_at = write_at,
    .sync = file_sync,
    .size = file_size,
    .close = file_close,
    .rename = file_rename,
    .remove = file_remove,
    .remove_tree = fs_remove_tree,
    .make_dirs = fs_make_dirs,
    .sync_folder = fs_sync_folder,
    .list = fs_list,
    .exists = exists,
};
