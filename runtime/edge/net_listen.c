/*
 * net_listen.c: listening and accepting.
 *
 * Sockets are made and accepted here and watched by uv_poll; an accepted one becomes a stream. That
 * gives control over three things: a Unix socket file is 0600 before anybody can connect, one
 * listener accepts only so many connections a turn, and without descriptors it pauses rather than
 * spins (or drops connections, as libuv would).
 *
 * A Unix socket file may be left by a process that died. It is replaced under a lock on the folder:
 * of two who find it at the same moment the second must not remove the socket of the first.
 *
 * Failures: all of net_listen() are told in words. A failed accept concerns one connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/net.h"

#define LOCK_TRIES    100
#define LOCK_PAUSE_US 5000

struct edge_listener {
    struct listener base;
    int fd;
    bool is_unix;
    bool closed;
    uint32_t handles_open; /* freed when the last is closed */
    struct net_addr addr;
    struct stat file; /* of a Unix socket: to remove ours and no other */
    net_accept_fn fn;
    void *user;
    uv_poll_t poll;
    uv_timer_t pause;
};

static struct edge_listener *listener_of(struct listener *listener)
{
    return (struct edge_listener *)listener;
}

/* ---- accepting ---- */

static void on_connection(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer)
{
    struct edge_listener *li = timer->data;

    (void)uv_poll_start(&li->poll, UV_READABLE, on_connection); /* it worked before */
}

/* Of a Unix socket, whatever became of the rights of its file: our user, or root. */
static bool is_one_of_us(int fd)
{
    struct ucred creds;
    socklen_t len = sizeof creds;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &len) == 0 &&
           (creds.uid == geteuid() || creds.uid == 0);
}

/* 0 to go on, negative when this turn is over. */
static int accept_one(struct edge_listener *li)
{
    struct edge_stream *s;
    int fd = accept4(li->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        switch (errno) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            (void)uv_poll_stop(&li->poll);
            (void)uv_timer_start(&li->pause, on_pause_over, EDGE_ACCEPT_PAUSE_MS, 0);
            return -1;
        case EAGAIN:
            return -1;
        default:
            return 0; /* that connection broke before we had it */
        }
    }
    if (li->is_unix && !is_one_of_us(fd)) {
        (void)close(fd);
        return 0;
    }
    if (edge_stream_adopt_take(edge_loop_of(li->base.loop), fd, li->is_unix, &s) == 0) {
        li->fn(li->user, &s->base); /* may free the listener */
    }
    return 0;
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct edge_listener *li = poll->data;

    (void)status; /* accept tells the cause */
    (void)events;
    edge_loop_enter(edge_loop_of(li->base.loop));
    for (int i = 0; i < EDGE_ACCEPTS_PER_TURN && !li->closed; i++) {
        if (accept_one(li) < 0) {
            break;
        }
    }
}

/* ---- binding ---- */

static int failed(struct gp_error *err, const struct net_addr *addr, const char *what)
{
    int cause = errno;

    return gp_error_set(err, error_from_errno(cause), "%s: %s: %s", addr->text, what,
                        strerror(cause));
}

/*
 * Whether some process has the socket of a file: 1, 0 (stale) or negative errno. Asked with a
 * socket of the wrong type, which a live one refuses by type (EPROTOTYPE) without seeing a
 * connection.
 */
static int has_owner(const union edge_sockaddr *to)
{
    struct stat file;
    int fd;
    int rc;

    if (lstat(to->un.sun_path, &file) < 0) {
        return -errno;
    }
    if (!S_ISSOCK(file.st_mode)) {
        return -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    rc = connect(fd, &to->any, edge_addr_len(to)) == 0 ? 0 : errno;
    (void)close(fd);
    if (rc == ECONNREFUSED) {
        return 0;
    }
    return rc == 0 || rc == EPROTOTYPE ? 1 : -rc;
}

/* Locks the folder of a socket file; returns the descriptor that holds the lock, or -errno. */
static int lock_folder(const union edge_sockaddr *to)
{
    char path[sizeof(to->un.sun_path) + 1] = {0};
    int fd;

    memcpy(path, to->un.sun_path, sizeof(to->un.sun_path));
    *(strrchr(path, '/') + 1) = '\0'; /* the path is absolute */
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            return fd;
        }
        (void)usleep(LOCK_PAUSE_US); /* at the start of a process only */
    }
    (void)close(fd);
    return -EAGAIN;
}

/* Binds to a name that is taken, if its owner is dead. 0 or negative errno. */
static int bind_over_stale(int fd, const union edge_sockaddr *to)
{
    int lock = lock_folder(to);
    int rc;

    if (lock < 0) {
        return lock;
    }
    rc = has_owner(to);
    if (rc > 0) {
        rc = -EADDRINUSE;
    } else if (rc == 0 &&
               (unlink(to->un.sun_path) < 0 || bind(fd, &to->any, edge_addr_len(to)) < 0)) {
        rc = -errno;
    }
    (void)close(lock);
    return rc;
}

static int listen_unix(struct edge_listener *li, const union edge_sockaddr *to,
                       struct gp_error *err)
{
    const char *path = to->un.sun_path;
    int rc = bind(li->fd, &to->any, edge_addr_len(to)) < 0 ? -errno : 0;

    if (rc == -EADDRINUSE) {
        rc = bind_over_stale(li->fd, to);
    }
    /* Nobody can connect before listen(), so the mode is never wider than it says. */
    if (rc == 0 && (chmod(path, 0600) < 0 || lstat(path, &li->file) < 0 ||
                    listen(li->fd, EDGE_LISTEN_BACKLOG) < 0)) {
        rc = -errno;
    }
    if (rc < 0) {
        errno = -rc;
        return failed(err, &li->addr, "cannot listen");
    }
    return 0;
}

static int listen_tcp(struct edge_listener *li, const union edge_sockaddr *to, struct gp_error *err)
{
    union edge_sockaddr bound;
    socklen_t len = sizeof(bound);
    int on = 1;

    /* Not to wait out the connections of an earlier life; Linux still refuses a live listener. */
    if (setsockopt(li->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(li->fd, &to->any, edge_addr_len(to)) < 0 || listen(li->fd, EDGE_LISTEN_BACKLOG) < 0 ||
        getsockname(li->fd, &bound.any, &len) < 0) {
        return failed(err, &li->addr, "cannot listen");
    }
    edge_addr_print(&bound, &li->addr);
    return 0;
}

/* ---- life ---- */

static void on_handle_closed(uv_handle_t *handle)
{
    struct edge_listener *li = handle->data;

    if (--li->handles_open == 0) {
        free(li);
    }
}

static int watch(struct edge_listener *li, struct gp_error *err)
{
    struct edge_loop *l = edge_loop_of(li->base.loop);
    int rc = uv_poll_init(&l->uv, &li->poll, li->fd);

    if (rc < 0) {
        return gp_error_set(err, edge_error_of(rc), "%s: cannot watch: %s", li->addr.text,
                            uv_strerror(rc));
    }
    (void)uv_timer_init(&l->uv, &li->pause); /* cannot fail */
    li->handles_open = 2;
    li->poll.data = li;
    li->pause.data = li;
    l->objects++;
    rc = uv_poll_start(&li->poll, UV_READABLE, on_connection);
    ASSERT(rc == 0);
    return 0;
}

int edge_listen(struct loop *loop, const struct net_addr *addr, net_accept_fn fn, void *user,
                struct listener **ret, struct gp_error *err)
{
    struct edge_listener *li;
    struct edge_addr parsed;
    int rc = edge_addr_parse(addr, &parsed, err);

    if (rc == 0) {
        rc = edge_addr_resolve(&parsed, err);
    }
    if (rc < 0) {
        return rc;
    }
    li = calloc(1, sizeof(*li));
    if (li == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", addr->text);
    }
    li->base.loop = loop;
    li->is_unix = parsed.is_unix;
    li->addr = *addr;
    li->fn = fn;
    li->user = user;
    li->fd = socket(parsed.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (li->fd < 0) {
        rc = failed(err, addr, "cannot make a socket");
    } else if (parsed.is_unix) {
        rc = listen_unix(li, &parsed.socket, err);
    } else {
        rc = listen_tcp(li, &parsed.socket, err);
    }
    if (rc == 0) {
        rc = watch(li, err);
    }
    if (rc < 0) {
        if (li->fd >= 0) {
            (void)close(li->fd);
        }
        free(li);
        return rc;
    }
    *ret = &li->base;
    return 0;
}

void edge_listener_addr(struct listener *listener, struct net_addr *ret_addr)
{
    *ret_addr = listener_of(listener)->addr;
}

static void remove_file(struct edge_listener *li)
{
    const char *path = li->addr.text + strlen("unix:");
    struct stat now;

    if (lstat(path, &now) == 0 && now.st_ino == li->file.st_ino && now.st_dev == li->file.st_dev) {
        (void)unlink(path); /* a stale one is replaced next time */
    }
}

void edge_listener_free(struct listener *listener)
{
    struct edge_listener *li = listener_of(listener);

    ASSERT(!li->closed);
    li->closed = true;
    edge_loop_of(listener->loop)->objects--;
    if (li->is_unix) {
        remove_file(li);
    }
    uv_close((uv_handle_t *)&li->poll, on_handle_closed);
    uv_close((uv_handle_t *)&li->pause, on_handle_closed);
    (void)close(li->fd); /* uv has stopped watching it by now */
}
