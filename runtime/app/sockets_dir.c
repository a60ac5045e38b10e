/* sockets_dir.c: see sockets_dir.h. */
#include "app/sockets_dir.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

struct cleaning {
    const struct port *port;
    const char *base;
};

static int on_entry(void *user, const char *name, int is_dir)
{
    const struct cleaning *c = user;
    char path[EDGE_PATH_MAX];
    int64_t pid;

    if (is_dir == 0 || str_to_i64(gp_str_of(name), &pid) < 0 || pid <= 0 || pid > INT32_MAX ||
        kill((pid_t)pid, 0) == 0 || errno != ESRCH) {
        return 0;
    }
    if (str_format(path, sizeof path, "%s/%s", c->base, name) > 0) {
        sockets_dir_remove(c->port, path);
    }
    return 0;
}

int sockets_dir_make(const struct port *port, char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    char base[EDGE_PATH_MAX];
    struct cleaning cleaning = {port, base};
    int rc = edge_runtime_dir(base, err);

    if (rc < 0) {
        return rc;
    }
    (void)port->fs->list(port->world, base, on_entry, &cleaning, NULL); /* else it stays */
    rc = str_format(ret_path, EDGE_PATH_MAX, "%s/%ld", base, (long)getpid());
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: the path is too long", base);
    }
    if (mkdir(ret_path, 0700) < 0 && errno != EEXIST) {
        return gp_error_set(err, error_from_errno(errno), "%s: %s", ret_path, strerror(errno));
    }
    return 0;
}

void sockets_dir_remove(const struct port *port, const char *path)
{
    if (*path) {
        (void)port->fs->remove_tree(port->world, path, NULL); /* the next process does it else */
    }
}
