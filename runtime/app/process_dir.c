/* process_dir.c: see process_dir.h. */
#include "app/process_dir.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/str.h"

#define MEMORY_DIR       "/dev/shm"
#define MEMORY_MIN_BYTES (UINT64_C(1) << 30) /* free: several of the largest uploads */

struct cleaning {
    const struct port *port;
    const char *base;
    const char *prefix;
};

/* Whether the name is of a process that is gone. */
static bool is_left(gp_str name, const char *prefix)
{
    size_t skip = strlen(prefix);
    gp_str digits;
    gp_str rest;
    uint64_t pid;

    if (!str_starts_with(name, gp_str_of(prefix)) ||
        !str_cut((gp_str){name.ptr + skip, name.len - skip}, '-', &digits, &rest) ||
        str_to_u64(digits, &pid) < 0 || pid == 0 || pid > INT32_MAX) {
        return false;
    }
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static int on_entry(void *user, const char *name, int is_dir)
{
    const struct cleaning *c = user;
    char path[EDGE_PATH_MAX];
    struct stat info;

    if (is_dir != 0 && is_left(gp_str_of(name), c->prefix) &&
        str_format(path, sizeof path, "%s/%s", c->base, name) > 0 && lstat(path, &info) == 0 &&
        S_ISDIR(info.st_mode) && info.st_uid == geteuid()) {
        process_dir_remove(c->port, path);
    }
    return 0;
}

static bool memory_will_do(void)
{
    struct statvfs fs;

    return statvfs(MEMORY_DIR, &fs) == 0 && (fs.f_flag & (ST_NOEXEC | ST_RDONLY)) == 0 &&
           (uint64_t)fs.f_bavail * fs.f_frsize >= MEMORY_MIN_BYTES &&
           access(MEMORY_DIR, W_OK | X_OK) == 0;
}

const char *process_dir_base(void)
{
    const char *wanted = getenv("TMPDIR");

    if (wanted && wanted[0] == '/') {
        return wanted;
    }
    return memory_will_do() ? MEMORY_DIR : "/tmp";
}

int process_dir_make(const struct port *port, const char *base, const char *prefix,
                     char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    struct cleaning cleaning = {port, base, prefix};
    char path[EDGE_PATH_MAX];

    (void)port->fs->list(port->world, base, on_entry, &cleaning, NULL); /* else it stays */
    if (str_format(path, sizeof path, "%s/%s%ld-XXXXXX", base, prefix, (long)getpid()) < 0) {
        return gp_error_set(err, GP_EINVAL, "%s: the path is too long", base);
    }
    if (!mkdtemp(path)) {
        return gp_error_set(err, error_from_errno(errno), "%s: cannot make a folder in it: %s",
                            base, strerror(errno));
    }
    memcpy(ret_path, path, sizeof path);
    return 0;
}

void process_dir_remove(const struct port *port, const char *path)
{
    if (*path) {
        (void)port->fs->remove_tree(port->world, path, NULL); /* the next process does it else */
    }
}
