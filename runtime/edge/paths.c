/*
 * paths.c: see paths.h.
 *
 * The secret is written under a name of its own, synced, and only then linked to its path: link()
 * refuses a name that exists, so the first one wins and everybody reads a complete file.
 */
#include "edge/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "edge/fs.h"
#include "edge/fs_path.h"

#define SECRET_RANDOM_BYTES 32

static int format_path(char ret_path[EDGE_PATH_MAX], struct gp_error *err, const char *fmt,
                       const char *base)
{
    if (str_format(ret_path, EDGE_PATH_MAX, fmt, base) < 0) {
        return gp_error_set(err, GP_EINVAL, "%.64s...: the path is too long", base);
    }
    return 0;
}

/* An XDG variable; by their rule one that is not absolute counts as unset. */
static const char *xdg(const char *name)
{
    const char *path = getenv(name);

    return path != NULL && path[0] == '/' ? path : NULL;
}

static int home_dir(char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    const char *home = getenv("HOME");
    char buffer[4096];
    struct passwd entry;
    struct passwd *found = NULL;

    if (home == NULL || home[0] != '/') {
        if (getpwuid_r(geteuid(), &entry, buffer, sizeof(buffer), &found) != 0 || found == NULL) {
            return gp_error_set(err, GP_ENOENT, "no home directory: HOME is not set");
        }
        home = entry.pw_dir;
    }
    return format_path(ret_path, err, "%s", home);
}

/* $VARIABLE/under_variable, or ~/under_home. */
static int user_path(char ret_path[EDGE_PATH_MAX], const char *variable, const char *under_variable,
                     const char *under_home, struct gp_error *err)
{
    const char *base = xdg(variable);
    char home[EDGE_PATH_MAX];
    int rc;

    if (base != NULL) {
        return format_path(ret_path, err, under_variable, base);
    }
    rc = home_dir(home, err);
    return rc < 0 ? rc : format_path(ret_path, err, under_home, home);
}

int edge_data_dir(char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    return user_path(ret_path, "XDG_STATE_HOME", "%s/gearpump", "%s/.local/state/gearpump", err);
}

int edge_secret_path(char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    return user_path(ret_path, "XDG_CONFIG_HOME", "%s/gearpump/secret",
                     "%s/.config/gearpump/secret", err);
}

/* ---- the runtime folder ---- */

/* In /tmp anybody may have made a folder of our name first, to see who comes. */
static int check_private(const char *path, struct gp_error *err)
{
    struct stat info;

    if (lstat(path, &info) < 0) {
        return fs_failed(err, path, "cannot use", errno);
    }
    if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid()) {
        return gp_error_set(err, GP_EACCES, "%s: not a folder of this user", path);
    }
    if ((info.st_mode & 077) != 0) {
        gp_error_set(err, GP_EACCES, "%s: others can enter it (mode %03o)", path,
                     (unsigned)info.st_mode & 0777u);
        gp_error_hint(err, "chmod 700 %s", path);
        return GP_EACCES;
    }
    return 0;
}

int edge_runtime_dir(char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    const char *base = xdg("XDG_RUNTIME_DIR");
    struct stat info;
    int rc;

    if (base != NULL && stat(base, &info) == 0 && S_ISDIR(info.st_mode)) {
        rc = format_path(ret_path, err, "%s/gearpump", base);
    } else {
        rc = str_format(ret_path, EDGE_PATH_MAX, "/tmp/gearpump-%u", (unsigned)geteuid());
    }
    if (rc < 0) {
        return rc;
    }
    if (mkdir(ret_path, 0700) < 0 && errno != EEXIST) {
        return fs_failed(err, ret_path, "cannot make the folder", errno);
    }
    return check_private(ret_path, err);
}

/* ---- the secret ---- */

static int check_secret_file(int fd, const char *path, struct gp_error *err)
{
    struct stat info;

    if (fstat(fd, &info) < 0) {
        return fs_failed(err, path, "cannot read", errno);
    }
    if (!S_ISREG(info.st_mode)) {
        return gp_error_set(err, GP_EINVAL, "%s: not a file", path);
    }
    if (info.st_uid != geteuid() && info.st_uid != 0) {
        return gp_error_set(err, GP_EACCES, "%s: belongs to another user", path);
    }
    if ((info.st_mode & 077) != 0) {
        gp_error_set(err, GP_EACCES, "%s: others can read the secret (mode %03o)", path,
                     (unsigned)info.st_mode & 0777u);
        gp_error_hint(err, "chmod 600 %s", path);
        return GP_EACCES;
    }
    return 0;
}

static int parse_secret(const char *path, gp_str text, struct edge_secret *ret,
                        struct gp_error *err)
{
    text = str_trim(text);
    if (text.len < EDGE_SECRET_SIZE_MIN || text.len > EDGE_SECRET_SIZE_MAX) {
        return gp_error_set(err, GP_EINVAL, "%s: a secret has %d to %d bytes, this one %zu", path,
                            EDGE_SECRET_SIZE_MIN, EDGE_SECRET_SIZE_MAX, text.len);
    }
    memcpy(ret->text, text.ptr, text.len);
    ret->len = text.len;
    return 0;
}

int edge_secret_read(const char *path, struct edge_secret *ret, struct gp_error *err)
{
    char text[EDGE_SECRET_SIZE_MAX + 64]; /* with some room for blanks */
    ssize_t len;
    int rc;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hold us */

    if (fd < 0) {
        return fs_failed(err, path, "cannot read", errno);
    }
    rc = check_secret_file(fd, path, err);
    if (rc == 0) {
        len = read(fd, text, sizeof(text));
        rc = len < 0 ? fs_failed(err, path, "cannot read", errno)
                     : parse_secret(path, (gp_str){text, (size_t)len}, ret, err);
    }
    (void)close(fd);
    return rc;
}

/* Makes the file complete or not at all; one that is there by now is as good. */
static int make_secret(const char *path, struct gp_error *err)
{
    unsigned char random[SECRET_RANDOM_BYTES];
    char text[2 * SECRET_RANDOM_BYTES + 2];
    size_t len = 0;

    fs_random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        text[len++] = "0123456789abcdef"[random[i] >> 4];
        text[len++] = "0123456789abcdef"[random[i] & 15];
    }
    text[len++] = '\n';
    return fs_write_new(path, gp_bytes_of(text, len), 0600, err);
}

static int make_folder_of(const char *path, struct gp_error *err)
{
    const char *slash = strrchr(path, '/');
    char folder[EDGE_PATH_MAX];

    if (slash == NULL || slash == path || (size_t)(slash - path) >= sizeof(folder)) {
        return gp_error_set(err, GP_EINVAL, "%s: not an absolute path of a file", path);
    }
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    return edge_fs_ops.make_dirs(NULL, folder, 0700, err);
}

int edge_secret_read_or_make(const char *path, struct edge_secret *ret, struct gp_error *err)
{
    int rc = edge_secret_read(path, ret, err);

    if (rc != GP_ENOENT) {
        return rc;
    }
    rc = make_folder_of(path, err);
    if (rc == 0) {
        rc = make_secret(path, err);
    }
    return rc < 0 && rc != GP_EEXIST ? rc : edge_secret_read(path, ret, err);
}
