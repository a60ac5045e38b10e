/*
 * http.c: the server: its socket, its turns, its end; see http.h.
 *
 * A turn is one MHD_run(). It follows an event of its descriptor, a time that libmicrohttpd asked
 * for, or http_turn_soon(); while there are connections, one comes every second to see who is slow.
 * Without connections nothing runs.
 *
 * Failures: all of start are told in words. Later ones concern one connection.
 */
#include "edge/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/net.h"

#define CONNECTIONS_DEFAULT  256u
#define PER_ADDRESS_DEFAULT  64u
#define CONNECTIONS_ENDING   64u         /* beyond the bound, while those that make room end */
#define CONNECTION_BYTES     (16u << 10) /* a head, and a piece of a body */
#define HEAD_TIMEOUT_NS      INT64_C(10000000000)
#define IDLE_TIMEOUT_NS      INT64_C(30000000000)
#define STREAM_BYTES_DEFAULT (256u << 10)
#define SWEEP_MS             1000
#define NS_PER_MS            INT64_C(1000000)
#define NS_PER_S             INT64_C(1000000000)

static void turn(struct edge_http *h);

static void on_timer(uv_timer_t *timer)
{
    struct edge_http *h = timer->data;

    edge_loop_enter(h->loop);
    turn(h);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct edge_http *h = poll->data;

    (void)status; /* of an epoll descriptor there is no bad news */
    (void)events;
    edge_loop_enter(h->loop);
    turn(h);
}

static void on_turn_due(struct edge_task *task)
{
    struct edge_http *h = container_of(task, struct edge_http, turn);

    h->is_turn_due = false;
    turn(h);
}

void http_turn_soon(struct edge_http *h)
{
    if (!h->is_turn_due && !h->is_stopping) {
        h->is_turn_due = true;
        edge_loop_defer(h->loop, &h->turn);
    }
}

static void turn(struct edge_http *h)
{
    const int64_t now_ns = loop_now_ns(&h->loop->base);
    MHD_UNSIGNED_LONG_LONG wait_ms = 0;
    bool waits;

    ASSERT(!h->is_in_turn);
    if (now_ns - h->swept_ns >= SWEEP_MS * NS_PER_MS) { /* turns may be many or few */
        h->swept_ns = now_ns;
        http_conns_sweep(h);
    }
    h->is_in_turn = true;
    (void)h->lib.run(h->mhd); /* no way to fail with these flags */
    h->is_in_turn = false;
    waits = h->lib.get_timeout(h->mhd, &wait_ms) == MHD_YES;
    if (waits && wait_ms == 0) {
        http_turn_soon(h);
    }
    if (h->stats.connections > 0 && (!waits || wait_ms > SWEEP_MS)) {
        wait_ms = SWEEP_MS;
        waits = true;
    }
    if (waits && wait_ms > 0) {
        (void)uv_timer_start(&h->timer, on_timer, wait_ms, 0);
    } else {
        (void)uv_timer_stop(&h->timer);
    }
}

/* ---- life ---- */

static int failed(struct gp_error *err, const char *where, const char *what)
{
    int cause = errno;

    return gp_error_set(err, edge_error_of(-cause), "%s: %s: %s", where, what, strerror(cause));
}

/* A listening socket; h->addr is where. */
static int open_socket(struct edge_http *h, const struct net_addr *addr, int *ret,
                       struct gp_error *err)
{
    struct edge_addr parsed;
    union edge_sockaddr bound;
    socklen_t len = sizeof bound;
    int on = 1;
    int fd;
    int rc = edge_addr_parse(addr, &parsed, err);

    rc = rc < 0 ? rc : edge_addr_resolve(&parsed, err);
    if (rc < 0) {
        return rc;
    }
    if (parsed.is_unix) {
        return gp_error_set(err, GP_EINVAL, "%s: the web server needs host:port", addr->text);
    }
    fd = socket(parsed.socket.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return failed(err, addr->text, "cannot make a socket");
    }
    /* As for any listener of ours; Linux still refuses a live one. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, &parsed.socket.any, edge_addr_len(&parsed.socket)) < 0 ||
        listen(fd, EDGE_LISTEN_BACKLOG) < 0 || getsockname(fd, &bound.any, &len) < 0) {
        rc = failed(err, addr->text, "cannot listen");
        (void)close(fd);
        return rc;
    }
    edge_addr_print(&bound, &h->addr);
    *ret = fd;
    return 0;
}

/* The daemon owns the socket from here on. */
static int start_mhd(struct edge_http *h, const struct http_spec *spec, int fd,
                     struct gp_error *err)
{
    int64_t idle_ns = spec->idle_timeout_ns ? spec->idle_timeout_ns : IDLE_TIMEOUT_NS;

    h->mhd = h->lib.start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, http_request_access, h,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(h->connections_max + CONNECTIONS_ENDING), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((idle_ns + NS_PER_S - 1) / NS_PER_S), MHD_OPTION_NOTIFY_CONNECTION,
        http_conn_notify, h, MHD_OPTION_NOTIFY_COMPLETED, http_request_over, h,
        MHD_OPTION_URI_LOG_CALLBACK, http_conn_target, h, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    return h->mhd
               ? 0
               : gp_error_set(err, GP_ENOMEM, "%s: the web server cannot be started", h->addr.text);
}

static int watch(struct edge_http *h, struct gp_error *err)
{
    const union MHD_DaemonInfo *info = h->lib.get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    int rc = info ? uv_poll_init(&h->loop->uv, &h->poll, info->epoll_fd) : UV_EINVAL;

    if (rc < 0) {
        return gp_error_set(err, edge_error_of(rc), "%s: cannot watch: %s", h->addr.text,
                            uv_strerror(rc));
    }
    (void)uv_timer_init(&h->loop->uv, &h->timer); /* cannot fail */
    h->handles_open = 2;
    h->poll.data = h;
    h->timer.data = h;
    rc = uv_poll_start(&h->poll, UV_READABLE, on_readable);
    ASSERT(rc == 0);
    return 0;
}

static int http_start(void *world, struct loop *loop, const struct http_spec *spec,
                      struct http_server **ret, struct gp_error *err)
{
    struct edge_http *h = calloc(1, sizeof *h);
    int fd = -1;
    int rc;

    (void)world;
    if (!h) {
        return gp_error_set(err, GP_ENOMEM, "starting the web server");
    }
    h->base.ops = &edge_http_ops;
    h->loop = edge_loop_of(loop);
    h->events = spec->events;
    h->user = spec->user;
    h->connections_max = spec->connections_max ? spec->connections_max : CONNECTIONS_DEFAULT;
    h->per_address_max = spec->per_address_max ? spec->per_address_max : PER_ADDRESS_DEFAULT;
    h->head_timeout_ns = spec->head_timeout_ns ? spec->head_timeout_ns : HEAD_TIMEOUT_NS;
    h->stream_bytes_max = spec->stream_bytes_max ? spec->stream_bytes_max : STREAM_BYTES_DEFAULT;
    list_init(&h->conns);
    list_node_init(&h->turn.node);
    h->turn.fn = on_turn_due;
    rc = mhd_load(&h->lib, err);
    rc = rc < 0 ? rc : open_socket(h, spec->addr, &fd, err);
    rc = rc < 0 ? rc : start_mhd(h, spec, fd, err);
    rc = rc < 0 ? rc : watch(h, err);
    if (rc < 0) {
        if (h->mhd) {
            h->lib.stop_daemon(h->mhd);
        }
        free(h);
        return rc;
    }
    h->loop->objects++;
    *ret = &h->base;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct edge_http *h = handle->data;

    if (--h->handles_open == 0) {
        free(h);
    }
}

static void http_end(struct http_server *server)
{
    struct edge_http *h = http_of(server);

    ASSERT(!h->is_in_turn && !h->is_stopping);
    h->is_stopping = true;
    h->loop->objects--;
    uv_close((uv_handle_t *)&h->poll, on_closed);
    uv_close((uv_handle_t *)&h->timer, on_closed);
    if (h->is_turn_due) {
        list_remove(&h->turn.node);
    }
    LIST_FOREACH (node, &h->conns) { /* it insists that none is suspended */
        struct http_conn *conn = LIST_ENTRY(node, struct http_conn, node);

        if (conn->request) {
            http_request_resume(conn->request);
        }
    }
    h->lib.stop_daemon(h->mhd);
    ASSERT(list_is_empty(&h->conns));
}

static void http_where(const struct http_server *server, struct net_addr *ret)
{
    *ret = http_of(server)->addr;
}

static void http_count(const struct http_server *server, struct http_stats *ret)
{
    *ret = http_of(server)->stats;
}

const struct http_ops edge_http_ops = {
    .start = http_start,
    .stop = http_end,
    .addr = http_where,
    .stats = http_count,
    .header = http_request_header,
    .answer = http_request_answer,
    .more = http_request_more,
    .stream_begin = http_request_stream_begin,
    .stream_write = http_request_stream_write,
    .stream_end = http_request_stream_end,
};
