/*
 * net_stream.c: the life of a stream: reading, ending, closing.
 *
 * Happy path: opened by net_dial.c or net_listen.c; read into the reader's own memory; the peer
 * ends (GP_ECLOSED); stream_free(). Ending: stream_end() sends what is queued and a FIN, then reads
 * and drops what still comes until the peer's FIN or the loop's linger_ms: closing a socket with
 * unread bytes would reset the connection and take our last bytes with it.
 *
 * Failures: a broken read is told once, with its cause; after that nothing comes. The struct lives
 * until all its uv handles are closed, whatever the user does.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/net.h"

static struct edge_loop *loop_of(const struct edge_stream *s)
{
    return edge_loop_of(s->base.loop);
}

/* ---- opening and closing ---- */

void edge_stream_init_handle(struct edge_stream *s)
{
    uv_loop_t *uv = &loop_of(s)->uv;
    int rc = s->is_unix ? uv_pipe_init(uv, &s->uv.pipe, 1) : uv_tcp_init(uv, &s->uv.tcp);

    ASSERT(rc == 0); /* no descriptor is made yet */
    s->uv.handle.data = s;
    s->handles_open++;
}

struct edge_stream *edge_stream_new(struct edge_loop *l, bool is_unix)
{
    struct edge_stream *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->base.loop = &l->base;
    s->is_unix = is_unix;
    s->passed_fd = -1;
    edge_stream_init_handle(s);
    l->objects++;
    return s;
}

void edge_stream_opened(struct edge_stream *s)
{
    int bytes = EDGE_UNIX_SEND_BYTES;

    s->state = STREAM_OPEN;
    if (s->is_unix) { /* both a matter of speed only */
        (void)uv_send_buffer_size(&s->uv.handle, &bytes);
    } else {
        (void)uv_tcp_nodelay(&s->uv.tcp, 1);
    }
}

int edge_stream_adopt_take(struct edge_loop *l, int fd, bool is_unix, struct edge_stream **ret)
{
    struct edge_stream *s = edge_stream_new(l, is_unix);
    int rc = UV_ENOMEM;

    if (s != NULL) {
        rc = is_unix ? uv_pipe_open(&s->uv.pipe, fd) : uv_tcp_open(&s->uv.tcp, fd);
    }
    if (rc < 0) {
        (void)close(fd); /* the connection is lost either way */
        if (s != NULL) {
            stream_free(&s->base);
        }
        return edge_error_of(rc);
    }
    edge_stream_opened(s);
    *ret = s;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct edge_stream *s = handle->data;

    if (--s->handles_open == 0) {
        free(s);
    }
}

void edge_stream_close(struct edge_stream *s)
{
    ASSERT(s->state != STREAM_CLOSED);
    if (s->state == STREAM_ENDING) {
        uv_close((uv_handle_t *)&s->linger, on_handle_closed);
    }
    s->state = STREAM_CLOSED;
    edge_share_close(s);
    uv_close(&s->uv.handle, on_handle_closed);
}

static void free_stream(struct stream *stream)
{
    struct edge_stream *s = edge_stream_of(stream);

    loop_of(s)->objects--;
    if (s->state == STREAM_DIALING && s->dial != NULL) {
        edge_dial_cancel(s);
        return;
    }
    edge_stream_close(s);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct edge_stream *s = handle->data;
    size_t len = 0;

    (void)suggested;
    if (edge_share_reads(s)) { /* calls */
        buf->base = loop_of(s)->discard;
        buf->len = sizeof(loop_of(s)->discard);
        return;
    }
    edge_loop_enter(loop_of(s));
    buf->base = s->reader->alloc(s->reader_user, &len);
    buf->len = len;
    ASSERT(buf->base == NULL || len > 0);
}

static void on_read(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
    struct edge_stream *s = uv->data;

    (void)buf;
    if (n == 0) {
        return; /* nothing there after all */
    }
    if (n == UV_ENOBUFS) {
        (void)uv_read_stop(uv); /* paused by alloc */
        return;
    }
    edge_loop_enter(loop_of(s));
    loop_of(s)->reads++;
    if (s->is_unix && n > 0) {
        edge_share_collect(s);
    }
    if (n < 0) {
        (void)uv_read_stop(uv);
        n = edge_error_of((int)n);
    }
    if (edge_share_on_socket(s, n < 0 ? (int)n : 0)) {
        return;
    }
    s->over = n < 0;
    s->reader->on_read(s->reader_user, n); /* may free s */
}

static int read_start(struct stream *stream, const struct stream_reader *reader, void *user)
{
    struct edge_stream *s = edge_stream_of(stream);
    int rc;

    ASSERT(s->reader == NULL);
    if (s->state != STREAM_OPEN) {
        return GP_ESTATE;
    }
    rc = uv_read_start(&s->uv.stream, on_alloc, on_read);
    if (rc < 0) {
        return edge_error_of(rc);
    }
    s->reader = reader;
    s->reader_user = user;
    return 0;
}

static void read_resume(struct stream *stream)
{
    struct edge_stream *s = edge_stream_of(stream);

    if (s->state != STREAM_OPEN || s->reader == NULL || s->over) {
        return;
    }
    if (edge_share_reads(s)) {
        edge_share_resume(s);
        return;
    }
    /* Only EALREADY can come of this: it was not paused. */
    (void)uv_read_start(&s->uv.stream, on_alloc, on_read);
}

/* ---- ending ---- */

static void on_discard_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct edge_stream *s = handle->data;

    (void)suggested;
    buf->base = loop_of(s)->discard;
    buf->len = sizeof(loop_of(s)->discard);
}

static void on_discard(uv_stream_t *uv, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) {
        edge_stream_close(uv->data);
    } else if (n > 0) {
        (void)edge_share_on_socket(uv->data, 0);
    }
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    struct edge_stream *s = req->data;

    if (s->state != STREAM_ENDING) {
        return; /* closed meanwhile: this is the cancellation */
    }
    if (status < 0 || s->over || uv_read_start(&s->uv.stream, on_discard_alloc, on_discard) < 0) {
        edge_stream_close(s);
    }
}

static void on_linger(uv_timer_t *timer)
{
    edge_stream_close(timer->data);
}

void edge_stream_shutdown(struct edge_stream *s)
{
    (void)uv_read_stop(&s->uv.stream); /* always 0 */
    s->shutdown.data = s;
    if (uv_shutdown(&s->shutdown, &s->uv.stream, on_shutdown) < 0) {
        edge_stream_close(s); /* the peer is gone already */
    }
}

static void end_stream(struct stream *stream)
{
    struct edge_stream *s = edge_stream_of(stream);
    struct edge_loop *l = loop_of(s);

    if (s->state != STREAM_OPEN) {
        free_stream(stream);
        return;
    }
    l->objects--;
    (void)uv_read_stop(&s->uv.stream); /* always 0 */
    s->state = STREAM_ENDING;
    (void)uv_timer_init(&l->uv, &s->linger); /* these cannot fail */
    s->linger.data = s;
    s->handles_open++;
    (void)uv_timer_start(&s->linger, on_linger, l->linger_ms, 0);
    if (edge_share_queued_bytes(s) == 0) {
        edge_stream_shutdown(s);
    } else if (s->over || uv_read_start(&s->uv.stream, on_discard_alloc, on_discard) < 0) {
        edge_stream_close(s);
    }
}

/* ---- asking ---- */

static size_t write_queue_bytes(const struct stream *stream)
{
    const struct edge_stream *s = (const struct edge_stream *)stream;

    return uv_stream_get_write_queue_size(&s->uv.stream) + edge_share_queued_bytes(s);
}

static void peer_addr(struct stream *stream, struct net_addr *ret_addr)
{
    struct edge_stream *s = edge_stream_of(stream);
    union edge_sockaddr peer;
    int len = sizeof(peer);

    if (s->addr.text[0] != '\0') {
        *ret_addr = s->addr;
        return;
    }
    memset(&peer, 0, sizeof(peer));
    if (!s->is_unix && uv_tcp_getpeername(&s->uv.tcp, &peer.any, &len) == 0) {
        edge_addr_print(&peer, ret_addr);
        return;
    }
    *ret_addr = (struct net_addr){.text = "unix:"};
}

const struct net_ops edge_net_ops = {
    .listen = edge_listen,
    .listener_addr = edge_listener_addr,
    .listener_free = edge_listener_free,
    .connect = edge_connect,
    .read_start = read_start,
    .read_resume = read_resume,
    .write = edge_stream_write,
    .write_queue_bytes = write_queue_bytes,
    .peer_addr = peer_addr,
    .stream_end = end_stream,
    .stream_free = free_stream,
    .share_offer = edge_share_offer,
    .share_take = edge_share_take,
    .share_writes = edge_share_begin_writes,
    .share_reads = edge_share_begin_reads,
    .lend = edge_share_lend,
    .is_cramped = edge_share_is_cramped,
};
