/*
 * net_dial.c: resolving a name and connecting.
 *
 *     RESOLVING ──▶ CONNECTING ──▶ done: the stream is OPEN
 *         │            │   ▲
 *         │            ▼   │ the next address
 *         │         CLOSING ──▶ (no address left) ──▶ DEFERRED
 *         └──────────────────────────────────────────▶ DEFERRED ──▶ done: the stream is FAILED
 *
 * A uv handle that failed to connect is of no more use, so each further address needs it closed and
 * made again. Each state owes exactly one callback; cancelling cuts the dial from its stream and
 * lets that callback clean up. A name like "localhost" has several addresses and a server may
 * listen on only one of them.
 *
 * Failures reach the user's callback, from the loop: GP_EINVAL, GP_ENOENT (name), GP_EUNREACH,
 * GP_ETIMEOUT, ... of the last address tried.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/net.h"

enum dial_state { DIAL_RESOLVING, DIAL_CONNECTING, DIAL_CLOSING, DIAL_DEFERRED };

struct edge_dial {
    struct edge_task deferred; /* first */
    enum dial_state state;
    struct edge_stream *stream; /* NULL when cancelled */
    struct edge_loop *loop;
    net_connect_fn fn;
    void *user;
    int status; /* why the last address failed */
    union edge_sockaddr addresses[EDGE_DIAL_ADDRESSES_MAX];
    uint32_t address_count;
    uint32_t next;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
};

static void dial_next(struct edge_dial *d);

/* Ends the dial; the user may free the stream inside fn. */
static void dial_finish(struct edge_dial *d)
{
    struct edge_stream *s = d->stream;
    net_connect_fn fn = d->fn;
    void *user = d->user;
    int status = d->status;

    free(d);
    if (s == NULL) {
        return;
    }
    s->dial = NULL;
    if (status == 0) {
        edge_stream_opened(s);
    } else {
        s->state = STREAM_FAILED;
    }
    fn(user, status);
}

static void on_deferred(struct edge_task *task)
{
    dial_finish((struct edge_dial *)task);
}

static void dial_fail_later(struct edge_dial *d, int status)
{
    d->state = DIAL_DEFERRED;
    d->status = status;
    edge_loop_defer(d->loop, &d->deferred);
}

/*
 * On loopback the kernel may give a dialer the very port it dials, if nobody listens there: the
 * socket is then connected to itself.
 */
static bool is_connected_to_itself(struct edge_stream *s)
{
    union edge_sockaddr self;
    union edge_sockaddr peer;
    int self_len = sizeof(self);
    int peer_len = sizeof(peer);

    if (s->is_unix || uv_tcp_getsockname(&s->uv.tcp, &self.any, &self_len) < 0 ||
        uv_tcp_getpeername(&s->uv.tcp, &peer.any, &peer_len) < 0) {
        return false;
    }
    return self_len == peer_len && memcmp(&self, &peer, (size_t)self_len) == 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct edge_stream *s = handle->data;
    struct edge_dial *d = s->dial;

    edge_loop_enter(edge_loop_of(s->base.loop));
    s->handles_open--;
    if (d->stream == NULL) {
        free(d);
        free(s);
        return;
    }
    edge_stream_init_handle(s);
    dial_next(d);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct edge_dial *d = req->data;
    struct edge_stream *s = d->stream;

    edge_loop_enter(d->loop);
    if (s == NULL) {
        free(d);
        return;
    }
    if (status == 0 && is_connected_to_itself(s)) {
        status = UV_ECONNREFUSED;
    }
    d->status = status < 0 ? edge_error_of(status) : 0;
    if (status < 0 && d->next < d->address_count) {
        d->state = DIAL_CLOSING;
        uv_close(&s->uv.handle, on_handle_closed);
        return;
    }
    dial_finish(d);
}

/* Tries the next address, of which there is one. */
static void dial_next(struct edge_dial *d)
{
    const union edge_sockaddr *to = &d->addresses[d->next++];
    struct edge_stream *s = d->stream;
    int rc = 0;

    d->state = DIAL_CONNECTING;
    if (s->is_unix) {
        uv_pipe_connect(&d->connect, &s->uv.pipe, to->un.sun_path, on_connected);
    } else {
        rc = uv_tcp_connect(&d->connect, &s->uv.tcp, &to->any, on_connected);
    }
    if (rc < 0) {
        dial_fail_later(d, edge_error_of(rc));
    }
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct edge_dial *d = req->data;

    edge_loop_enter(d->loop);
    for (struct addrinfo *a = list; a != NULL && d->address_count < EDGE_DIAL_ADDRESSES_MAX;
         a = a->ai_next) {
        if (a->ai_family == AF_INET || a->ai_family == AF_INET6) {
            memcpy(&d->addresses[d->address_count++], a->ai_addr, a->ai_addrlen);
        }
    }
    uv_freeaddrinfo(list);
    if (d->stream == NULL) {
        free(d);
    } else if (d->address_count == 0) {
        d->status = status < 0 ? edge_error_of(status) : GP_ENOENT;
        dial_finish(d);
    } else {
        dial_next(d);
    }
}

static void dial_start(struct edge_dial *d, const struct edge_addr *addr)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    int rc;

    if (!addr->is_name) {
        d->addresses[d->address_count++] = addr->socket;
        dial_next(d);
        return;
    }
    d->state = DIAL_RESOLVING;
    rc = uv_getaddrinfo(&d->loop->uv, &d->resolve, on_resolved, addr->host, addr->port, &hints);
    if (rc < 0) {
        dial_fail_later(d, edge_error_of(rc));
    }
}

int edge_connect(struct loop *loop, const struct net_addr *addr, net_connect_fn fn, void *user,
                 struct stream **ret)
{
    struct edge_loop *l = edge_loop_of(loop);
    struct edge_addr parsed;
    struct edge_dial *d;
    int rc = edge_addr_parse(addr, &parsed, NULL);

    if (rc < 0) {
        return rc;
    }
    d = calloc(1, sizeof(*d));
    if (d == NULL) {
        return GP_ENOMEM;
    }
    d->stream = edge_stream_new(l, parsed.is_unix);
    if (d->stream == NULL) {
        free(d);
        return GP_ENOMEM;
    }
    list_node_init(&d->deferred.node);
    d->deferred.fn = on_deferred;
    d->loop = l;
    d->fn = fn;
    d->user = user;
    d->resolve.data = d;
    d->connect.data = d;
    d->stream->dial = d;
    d->stream->addr = *addr;
    *ret = &d->stream->base;
    dial_start(d, &parsed);
    return 0;
}

void edge_dial_cancel(struct edge_stream *s)
{
    struct edge_dial *d = s->dial;

    d->stream = NULL;
    switch (d->state) {
    case DIAL_CLOSING:
        return; /* on_handle_closed frees both */
    case DIAL_DEFERRED:
        list_remove(&d->deferred.node);
        free(d);
        break;
    case DIAL_RESOLVING:
        (void)uv_cancel((uv_req_t *)&d->resolve); /* refused when it runs: then it runs out */
        break;
    case DIAL_CONNECTING:
        break; /* closing the handle cancels it */
    default:
        UNREACHABLE();
    }
    s->dial = NULL;
    edge_stream_close(s);
}
