/*
 * net_share.c: streams over Unix sockets whose bytes go through memory shared with the peer.
 *
 *     (nothing) ──offer or take──▶ mapped ──begin_writes──▶ ─┐
 *                                         ──begin_reads───▶ ─┴▶ both ways   each way for itself
 *
 * Happy path: a write is copied into our ring at once and told to the peer; what has no room waits
 * in the queue. A stream whose peer is at it stands in loop.shares and is looked at in every turn;
 * one that is quiet, and every one before the loop sleeps, rests: then the peer calls by a byte over
 * the socket when he has done something. So a busy pair makes no system call, and a quiet one costs
 * no look.
 *
 * A call cannot get lost: it is not made only when the socket is full of calls, or of bytes from
 * before the memory, and reading either is as good.
 *
 * Failures: a position that cannot be ends the stream with GP_EPROTO, as if reading had failed. When
 * the peer dies the socket ends; what he had told in memory is read first, no more than stood there
 * then. Descriptors that nobody asked for are closed, save one for each stream.
 *
 * Invariants: share.queue is empty or its first write lacks room; a stream with something to do is
 * in loop.shares, or rests.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/net.h"
#include "edge/share.h"

struct edge_share {
    struct list_node node; /* in loop.shares, or not linked: it rests */
    struct edge_stream *stream;
    struct share_memory memory;
    bool writes;
    bool reads;
    bool paused;       /* the reader has no place */
    bool broken;       /* the peer's positions cannot be */
    int over;          /* why the socket has ended; 0: it has not */
    int64_t left;      /* when it has: bytes to be read before that is told */
    uint32_t quiet;    /* looks in vain */
    uint64_t slept_at; /* bytes written when the loop was to sleep */
    struct list queue; /* writes that wait for room */
    size_t queued_bytes;
};

bool edge_share_writes(const struct edge_stream *s)
{
    return s->share != NULL && s->share->writes;
}

bool edge_share_reads(const struct edge_stream *s)
{
    return s->share != NULL && s->share->reads;
}

size_t edge_share_queued_bytes(const struct edge_stream *s)
{
    return s->share != NULL ? s->share->queued_bytes : 0;
}

/* ---- calling, resting ---- */

/* The peer rests and has something to do. */
static void call(struct edge_stream *s)
{
    const uv_buf_t byte = {.base = (char[]){0}, .len = 1};

    (void)uv_try_write(&s->uv.stream, &byte, 1); /* no room: see above; gone: reading tells */
}

static void heat(struct edge_share *sh)
{
    sh->quiet = 0;
    if (!list_is_linked(&sh->node)) {
        atomic_store_explicit(&sh->memory.in.lines->reader_rests, 0, memory_order_relaxed);
        atomic_store_explicit(&sh->memory.out.lines->writer_rests, 0, memory_order_relaxed);
        list_push_back(&edge_loop_of(sh->stream->base.loop)->shares, &sh->node);
    }
}

static uint64_t rest_bytes(const struct edge_write *w)
{
    uint64_t bytes = 0;

    for (uint32_t i = w->u.rest.next; i < w->u.rest.count; i++) {
        bytes += w->u.rest.bufs[i].len;
    }
    return bytes;
}

/* The room that is worth waiting for: that of the whole write if there can be so much. So frames
 * arrive whole, and the peer need not move the pieces together. */
static uint64_t room_wanted(const struct edge_share *sh, const struct edge_write *w)
{
    const uint64_t bytes = rest_bytes(w);
    const uint64_t most = sh->memory.out.size / 2;

    return bytes < most ? bytes : most;
}

static struct edge_write *first_write(const struct edge_share *sh)
{
    return LIST_ENTRY(list_first(&sh->queue), struct edge_write, done.node);
}

/* Leaves it to the peer to call, if there is nothing to do. */
static bool rest(struct edge_share *sh)
{
    if (sh->broken || (sh->over != 0 && !sh->paused)) {
        return false;
    }
    if (sh->reads && !sh->paused && !share_reader_rest(&sh->memory.in)) {
        return false;
    }
    if (!list_is_empty(&sh->queue) &&
        !share_writer_rest(&sh->memory.out, room_wanted(sh, first_write(sh)))) {
        atomic_store(&sh->memory.in.lines->reader_rests, 0); /* we do not rest after all */
        return false;
    }
    list_remove(&sh->node);
    return true;
}

/* ---- writing ---- */

/* Copies as much as there is room for. True: all of it. */
static bool put_some(struct edge_share *sh, struct edge_write *w)
{
    int64_t room = share_writer_room(&sh->memory.out);

    if (room < 0) {
        sh->broken = true;
        return false;
    }
    if ((uint64_t)room < room_wanted(sh, w)) {
        return false;
    }
    while (w->u.rest.next < w->u.rest.count) {
        uv_buf_t *buf = &w->u.rest.bufs[w->u.rest.next];
        const size_t n = buf->len < (size_t)room ? buf->len : (size_t)room;

        if (n > 0) {
            share_writer_put(&sh->memory.out, buf->base, n);
        }
        sh->queued_bytes -= n;
        room -= (int64_t)n;
        buf->base += n;
        buf->len -= n;
        if (buf->len > 0) {
            break;
        }
        w->u.rest.next++;
    }
    share_writer_tell(&sh->memory.out);
    return w->u.rest.next == w->u.rest.count;
}

/* True: something was written. */
static bool look_out(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    const uint64_t before = sh->memory.out.position;

    while (!list_is_empty(&sh->queue)) {
        struct edge_write *w = first_write(sh);

        if (!put_some(sh, w)) {
            break;
        }
        list_remove(&w->done.node);
        edge_write_done(w, 0);
    }
    if (sh->memory.out.position == before) {
        return false;
    }
    if (share_reader_called(&sh->memory.out)) {
        call(s);
    }
    return true;
}

void edge_share_write(struct edge_stream *s, struct edge_write *w, const uv_buf_t *bufs,
                      uint32_t count)
{
    struct edge_share *sh = s->share;
    const bool waits = !list_is_empty(&sh->queue);

    if (count > 0) {
        memcpy(w->u.rest.bufs, bufs, count * sizeof(*bufs));
    }
    w->u.rest.next = 0;
    w->u.rest.count = count;
    sh->queued_bytes += rest_bytes(w);
    list_push_back(&sh->queue, &w->done.node);
    if (!waits) {
        (void)look_out(s);
    }
    if (!list_is_empty(&sh->queue)) {
        heat(sh);
    }
}

/* ---- reading ---- */

/* Tells the reader that it is over; he may free the stream. */
static void end(struct edge_stream *s, int code)
{
    list_remove(&s->share->node);
    s->share->broken = false;
    s->share->paused = true; /* nothing more is read */
    (void)uv_read_stop(&s->uv.stream);
    s->over = true;
    if (s->state == STREAM_OPEN) {
        s->reader->on_read(s->reader_user, code);
    } else {
        edge_stream_close(s);
    }
}

/*
 * One piece of what came, into the reader's own memory. What there was: 0, or negative when it
 * cannot be. The stream may be gone then. More than the next turn can use waits better in the ring:
 * copied out now, it has left the second cache when it is used.
 */
static int64_t read_piece(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    int64_t n = share_reader_news(&sh->memory.in);
    size_t len = 0;
    void *to;

    if (sh->over != 0 && n > sh->left) {
        n = sh->left;
    }
    if (n <= 0) {
        return n;
    }
    to = s->reader->alloc(s->reader_user, &len);
    if (to == NULL) {
        sh->paused = true;
        return 0;
    }
    n = n < (int64_t)len ? n : (int64_t)len;
    n = n < EDGE_SHARE_PIECE_BYTES ? n : EDGE_SHARE_PIECE_BYTES;
    share_reader_get(&sh->memory.in, to, (size_t)n);
    if (sh->over != 0) {
        sh->left -= n;
    }
    if (share_writer_called(&sh->memory.in)) {
        call(s);
    }
    edge_loop_of(s->base.loop)->reads++;
    s->reader->on_read(s->reader_user, n);
    return n;
}

static bool is_reading(const struct edge_stream *s)
{
    return s->state == STREAM_OPEN && !s->over && edge_share_reads(s) && !s->share->paused;
}

/* True: something was read. */
static bool look_in(struct edge_stream *s)
{
    int64_t n = is_reading(s) ? read_piece(s) : 0;

    if (n < 0) {
        end(s, GP_EPROTO);
    } else if (n == 0 && is_reading(s) && s->share->over != 0) {
        end(s, s->share->over);
    }
    return n != 0;
}

/* ---- looking ---- */

static void look(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    bool news = look_out(s);

    if (sh->broken) {
        end(s, GP_EPROTO);
        return;
    }
    if (s->state == STREAM_ENDING && news && list_is_empty(&sh->queue)) {
        list_remove(&sh->node);
        edge_stream_shutdown(s);
        return;
    }
    news = look_in(s) || news;
    if (s->share == NULL || !list_is_linked(&sh->node)) {
        return;
    }
    sh->quiet = news ? 0 : sh->quiet + 1;
    if (sh->quiet > EDGE_SHARE_QUIET_LOOKS) {
        (void)rest(sh);
    }
}

void edge_shares_look(struct edge_loop *l)
{
    struct list now;
    struct list_node *node;

    if (list_is_empty(&l->shares)) {
        return;
    }
    edge_loop_enter(l);
    list_init(&now);
    list_append_all(&now, &l->shares);
    while ((node = list_pop_front(&now)) != NULL) {
        list_push_back(&l->shares, node);
        look(LIST_ENTRY(node, struct edge_share, node)->stream);
    }
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether look() would find something. */
static bool has_news(const struct edge_share *sh)
{
    if (sh->reads && !sh->paused && share_reader_news(&sh->memory.in) != 0) {
        return true;
    }
    return !list_is_empty(&sh->queue) &&
           share_writer_room(&sh->memory.out) >= (int64_t)room_wanted(sh, first_write(sh));
}

/* Who has written so much since he last slept, and has nothing to do now, waits for its reader. */
static bool waits_for_reader(struct edge_loop *l)
{
    bool waits = false;

    LIST_FOREACH (node, &l->shares) {
        struct edge_share *sh = LIST_ENTRY(node, struct edge_share, node);

        waits = waits || sh->memory.out.position - sh->slept_at >= sh->memory.out.size / 4;
        sh->slept_at = sh->memory.out.position;
    }
    return waits;
}

static bool any_news(const struct edge_loop *l)
{
    LIST_FOREACH (node, &l->shares) {
        if (has_news(LIST_ENTRY(node, const struct edge_share, node))) {
            return true;
        }
    }
    return atomic_load_explicit(&l->woken, memory_order_relaxed);
}

/*
 * A writer that is faster than its reader sleeps each time that all is said that may be, for a few
 * microseconds, and to be woken from that costs the reader 7, who is the slower one anyway. So it
 * looks for as long instead, unless that came to nothing the last few times.
 */
static bool news_come_soon(struct edge_loop *l)
{
    const uint32_t vain = l->shares_vain;
    uint64_t until_ns;

    if (!waits_for_reader(l)) {
        return false;
    }
    l->shares_vain++;
    if (vain >= EDGE_LOOKS_VAIN_MAX && vain % EDGE_LOOKS_RETRY != 0) {
        return false;
    }
    until_ns = uv_hrtime() + EDGE_SHARE_WAIT_NS;
    do {
        for (uint32_t i = 0; i < EDGE_SHARE_LOOKS; i++) {
            if (any_news(l)) {
                l->shares_vain = 0;
                return true;
            }
            relax();
        }
    } while (uv_hrtime() < until_ns);
    return false;
}

bool edge_shares_may_sleep(struct edge_loop *l)
{
    struct list now;
    struct list_node *node;

    if (news_come_soon(l)) {
        return false;
    }
    list_init(&now);
    list_append_all(&now, &l->shares);
    while ((node = list_pop_front(&now)) != NULL) {
        list_push_back(&l->shares, node);
        (void)rest(LIST_ENTRY(node, struct edge_share, node));
    }
    return list_is_empty(&l->shares);
}

bool edge_share_on_socket(struct edge_stream *s, int code)
{
    struct edge_share *sh = s->share;

    if (sh == NULL) {
        return false;
    }
    if (sh->reads && code < 0 && sh->over == 0) {
        sh->over = code;
        sh->left = share_reader_news(&sh->memory.in);
    }
    heat(sh); /* looked at soon */
    return sh->reads;
}

void edge_share_resume(struct edge_stream *s)
{
    if (s->share->paused) {
        s->share->paused = false;
        heat(s->share);
    }
}

/* ---- life ---- */

/* Takes the memory over, on failure too. */
static int begin_take(struct edge_stream *s, struct share_memory *memory)
{
    struct edge_share *sh = calloc(1, sizeof(*sh));

    if (sh == NULL) {
        share_unmap(memory);
        return GP_ENOMEM;
    }
    list_node_init(&sh->node);
    list_init(&sh->queue);
    sh->stream = s;
    sh->memory = *memory;
    s->share = sh;
    return 0;
}

void edge_share_close(struct edge_stream *s)
{
    struct edge_share *sh = s->share;
    struct list_node *node;

    if (s->passed_fd >= 0) {
        (void)close(s->passed_fd);
        s->passed_fd = -1;
    }
    if (sh == NULL) {
        return;
    }
    s->share = NULL; /* callbacks come later */
    while ((node = list_pop_front(&sh->queue)) != NULL) {
        edge_write_done(LIST_ENTRY(node, struct edge_write, done.node), GP_ECANCELED);
    }
    list_remove(&sh->node);
    share_unmap(&sh->memory);
    free(sh);
}

static int send_fd(int to, int fd, gp_bytes word)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } space;
    struct iovec iov = {.iov_base = (void *)(uintptr_t)word.ptr, .iov_len = word.len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *cmsg;
    ssize_t n;

    memset(&space, 0, sizeof(space));
    msg.msg_control = space.bytes;
    msg.msg_controllen = sizeof(space.bytes);
    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
    do {
        n = sendmsg(to, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return error_from_errno(errno);
    }
    return (size_t)n == word.len ? 0 : GP_EIO; /* few bytes go whole or not at all */
}

int edge_share_offer(struct stream *stream, size_t ring_bytes, gp_bytes word)
{
    struct edge_stream *s = edge_stream_of(stream);
    struct share_memory memory;
    uv_os_fd_t socket;
    int fd;
    int rc;

    ASSERT(word.len > 0);
    if (!s->is_unix) {
        return GP_EUNSUPPORTED;
    }
    if (s->state != STREAM_OPEN || s->share != NULL || uv_fileno(&s->uv.handle, &socket) < 0) {
        return GP_ESTATE;
    }
    if (uv_stream_get_write_queue_size(&s->uv.stream) > 0) {
        return GP_EAGAIN;
    }
    rc = share_make(ring_bytes, &memory, &fd);
    if (rc < 0) {
        return rc;
    }
    rc = begin_take(s, &memory);
    if (rc == 0) {
        rc = send_fd(socket, fd, word);
        if (rc < 0) {
            edge_share_close(s);
        }
    }
    (void)close(fd);
    return rc;
}

int edge_share_take(struct stream *stream, size_t bytes_max, size_t *ret_bytes)
{
    struct edge_stream *s = edge_stream_of(stream);
    const int fd = s->passed_fd;
    struct share_memory memory;
    int rc;

    if (s->state != STREAM_OPEN || s->share != NULL) {
        return GP_ESTATE;
    }
    if (fd < 0) {
        return GP_ENOENT;
    }
    s->passed_fd = -1;
    rc = share_map(fd, bytes_max, &memory);
    (void)close(fd);
    if (rc == 0) {
        rc = begin_take(s, &memory);
    }
    if (rc == 0) {
        *ret_bytes = memory.len;
    }
    return rc;
}

void edge_share_begin_writes(struct stream *stream)
{
    ASSERT(edge_stream_of(stream)->share != NULL);
    edge_stream_of(stream)->share->writes = true;
}

void edge_share_begin_reads(struct stream *stream)
{
    struct edge_share *sh = edge_stream_of(stream)->share;

    ASSERT(sh != NULL);
    sh->reads = true;
    heat(sh); /* what was written before we listened for calls */
}

static void on_carrier_closed(uv_handle_t *handle)
{
    free(handle);
}

/* The next descriptor that came, or -1. uv gives it as a handle, of which it is taken out. */
static int next_passed(struct edge_stream *s)
{
    uv_pipe_t *carrier = malloc(sizeof(*carrier));
    uv_os_fd_t fd;
    int taken = -1;

    if (carrier == NULL) {
        return -1; /* they are closed with the stream */
    }
    (void)uv_pipe_init(&edge_loop_of(s->base.loop)->uv, carrier, 0); /* cannot fail */
    if (uv_accept(&s->uv.stream, (uv_stream_t *)carrier) == 0 &&
        uv_fileno((uv_handle_t *)carrier, &fd) == 0) {
        taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    uv_close((uv_handle_t *)carrier, on_carrier_closed);
    return taken;
}

void edge_share_collect(struct edge_stream *s)
{
    int count = uv_pipe_pending_count(&s->uv.pipe);

    for (; count > 0; count--) {
        const int fd = next_passed(s);

        if (s->passed_fd < 0) {
            s->passed_fd = fd;
        } else if (fd >= 0) {
            (void)close(fd);
        }
    }
}
