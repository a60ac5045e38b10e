/*
 * tcp/sink: the value of each message as a line to one peer (mode=connect), or to all that have
 * connected (mode=listen).
 *
 * Each peer has a buffer of lines, bytes[sent, len), sent as far as the socket takes them. When one of
 * them holds `buffer` bytes or more (mode=listen: or nobody is there), the sink answers GP_AGAIN and so
 * holds the job back, until epoll says that there is room. A peer of mode=listen that takes nothing for
 * stall.timeout is let go; the peer of mode=connect is waited for, dialled again with growing pauses.
 *
 * At the end everything is sent, the connections are closed for writing, and the sink waits for the
 * peers to close, at most LINGER_NS: only then is what they were sent theirs.
 *
 * Invariants: line_begin <= sent is where the first line begins that is not wholly sent, so that a new
 * connection begins with a whole line; a peer with fd -1 is only there in mode=connect.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tcp.h"

#define EVENTS_MAX  64
#define READS_MAX   16 /* of a peer, at once */
#define LINGER_NS   (5 * TCP_SECOND_NS)
#define TIMER_DIAL  0u
#define TIMER_STALL 1u
#define TIMER_END   2u

struct peer {
    int fd;
    bool connecting;
    bool wants_room; /* epoll also tells when it may write */
    char *bytes;
    size_t size;
    size_t line_begin;
    size_t sent;
    size_t len;
    int64_t moved_ns; /* when it last took something */
    struct peer *next;
};

struct sink {
    const struct gp_task *task;
    const char *text;
    struct address address;
    bool listening;
    bool ending;
    bool lingered;
    uint64_t buffer_max;
    uint64_t connections_max;
    int64_t retry_max_ns;
    int64_t retry_ns;
    int64_t stall_ns;
    int epoll;
    int listener;
    uint64_t peer_count;
    struct peer *peers; /* mode=connect: always one */
};

static int32_t on_epoll(const struct sink *s, int how, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    return epoll_ctl(s->epoll, how, fd, &event) == 0 ? GP_OK : GP_FAIL;
}

static void dial_later(struct sink *s)
{
    s->retry_ns = tcp_next_retry(s->retry_ns, s->retry_max_ns);
    /* One of three timers of the task, so there is room for it. */
    (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, TIMER_DIAL, gp_now_ns(s->task) + s->retry_ns);
}

static void dial(struct sink *s)
{
    struct peer *p = s->peers;

    p->fd = tcp_dial(&s->address);
    if (p->fd >= 0 && on_epoll(s, EPOLL_CTL_ADD, p->fd, EPOLLOUT, p) == GP_OK) {
        p->connecting = true;
        return;
    }
    gp_logf(s->task, GP_LOG_WARN, "cannot connect to %s: %m", s->text);
    if (p->fd >= 0) {
        (void)close(p->fd);
        p->fd = -1;
    }
    dial_later(s);
}

/* NULL without memory. */
static struct peer *peer_add(struct sink *s, int fd)
{
    struct peer *p = calloc(1, sizeof *p);

    if (p) {
        p->fd = fd;
        p->moved_ns = gp_now_ns(s->task);
        p->next = s->peers;
        s->peers = p;
        s->peer_count++;
    }
    return p;
}

static void peer_remove(struct sink *s, struct peer *p)
{
    struct peer **at = &s->peers;

    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    if (p->fd >= 0) {
        (void)close(p->fd);
    }
    free(p->bytes);
    free(p);
    if (s->peer_count-- == s->connections_max && s->listener >= 0) {
        (void)on_epoll(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, NULL);
    }
}

static void sink_close(void *self, uint32_t ended)
{
    struct sink *s = self;

    (void)ended;
    while (s->peers) {
        peer_remove(s, s->peers);
    }
    tcp_unwatch(s->task, s->epoll, s->listener);
    free(s);
}

static int32_t begin(struct sink *s)
{
    char name[TCP_ADDRESS_MAX_BYTES];

    s->epoll = tcp_watch(s->task);
    if (s->epoll < 0 || address_find(s->task, s->text, s->listening, &s->address) != GP_OK) {
        return GP_FAIL;
    }
    if (!s->listening) {
        if (!peer_add(s, -1)) {
            return gp_fail(s->task, "no memory");
        }
        dial(s);
        return GP_OK;
    }
    s->listener = tcp_listen(s->task, s->text, &s->address);
    if (s->listener < 0) {
        return GP_FAIL;
    }
    gp_logf(s->task, GP_LOG_INFO, "listening at %s", address_of(s->listener, false, name));
    return on_epoll(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, NULL);
}

static int32_t sink_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct sink *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->epoll = -1;
    s->listener = -1;
    s->text = gp_config_text(config, "address", "");
    s->listening = strcmp(gp_config_text(config, "mode", ""), "listen") == 0;
    (void)gp_config_bytes(config, "buffer", 0, &s->buffer_max); /* the table has checked them */
    (void)gp_config_u64(config, "connections", 0, &s->connections_max);
    (void)gp_config_duration_ns(config, "retry.max", 0, &s->retry_max_ns);
    (void)gp_config_duration_ns(config, "stall.timeout", 0, &s->stall_ns);
    if (begin(s) != GP_OK) {
        sink_close(s, 0);
        return GP_FAIL;
    }
    *ret_self = s;
    return GP_OK;
}

/* ---- what a peer is owed ---- */

static int32_t peer_put(struct peer *p, const void *line, size_t line_len)
{
    if (p->len + line_len + 1 > p->size && p->line_begin > 0) {
        memmove(p->bytes, p->bytes + p->line_begin, p->len - p->line_begin);
        p->len -= p->line_begin;
        p->sent -= p->line_begin;
        p->line_begin = 0;
    }
    if (p->len + line_len + 1 > p->size) {
        size_t size = 2 * (p->len + line_len + 1);
        char *grown = realloc(p->bytes, size);
        if (!grown) {
            return GP_FAIL;
        }
        p->bytes = grown;
        p->size = size;
    }
    if (line_len > 0) {
        memcpy(p->bytes + p->len, line, line_len);
    }
    p->bytes[p->len + line_len] = '\n';
    p->len += line_len + 1;
    return GP_OK;
}

static void note_sent(struct peer *p, size_t count, int64_t now_ns)
{
    const char *newline = memrchr(p->bytes + p->sent, '\n', count);

    p->sent += count;
    p->moved_ns = now_ns;
    if (newline) {
        p->line_begin = (size_t)(newline - p->bytes) + 1;
    }
    if (p->sent == p->len) {
        p->line_begin = 0;
        p->sent = 0;
        p->len = 0;
    }
}

/* The connection is no more: a guest is forgotten, the host of mode=connect is dialled again. */
static void peer_lost(struct sink *s, struct peer *p, const char *why)
{
    char name[TCP_ADDRESS_MAX_BYTES];
    bool expected = s->ending && p->len == 0;

    if (!expected) {
        gp_logf(s->task, GP_LOG_WARN, "connection to %s ended: %s",
                s->listening ? address_of(p->fd, true, name) : s->text, why);
        gp_count(s->task, "lost", 1);
    }
    if (s->listening || expected) {
        peer_remove(s, p);
        return;
    }
    (void)close(p->fd);
    p->fd = -1;
    p->connecting = false;
    p->wants_room = false;
    p->sent = p->line_begin;
    dial_later(s);
}

/* Sends what the socket takes. False: the peer is lost, perhaps freed. */
static bool peer_flush(struct sink *s, struct peer *p)
{
    bool wants_room;

    while (p->fd >= 0 && !p->connecting && p->sent < p->len) {
        ssize_t count = send(p->fd, p->bytes + p->sent, p->len - p->sent, MSG_NOSIGNAL);
        if (count > 0) {
            note_sent(p, (size_t)count, gp_now_ns(s->task));
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            peer_lost(s, p, strerror(errno));
            return false;
        }
    }
    wants_room = p->sent < p->len;
    if (p->fd >= 0 && !p->connecting && wants_room != p->wants_room) {
        /* A descriptor that is watched already can be told otherwise. */
        (void)on_epoll(s, EPOLL_CTL_MOD, p->fd, EPOLLIN | (wants_room ? EPOLLOUT : 0u), p);
        p->wants_room = wants_room;
    }
    return true;
}

static void flush_all(struct sink *s)
{
    struct peer *next;

    for (struct peer *p = s->peers; p; p = next) {
        next = p->next;
        (void)peer_flush(s, p); /* who is lost is taken care of */
    }
}

/* What it sends is not for us; only that it closes. One that sends without end is read on later. */
static void peer_listen(struct sink *s, struct peer *p)
{
    char nothing[4096];
    ssize_t count = 1;

    for (int i = 0; i < READS_MAX && count > 0; i++) {
        do {
            count = recv(p->fd, nothing, sizeof nothing, 0);
        } while (count < 0 && errno == EINTR);
    }
    if (count == 0) {
        peer_lost(s, p, "closed by the other side");
    } else if (count < 0 && errno != EAGAIN) {
        peer_lost(s, p, strerror(errno));
    }
}

/* ---- connections ---- */

static void accept_some(struct sink *s)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        struct peer *p;
        int fd;
        if (s->peer_count == s->connections_max) {
            (void)on_epoll(s, EPOLL_CTL_MOD, s->listener, 0, NULL); /* until one leaves */
            return;
        }
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
                gp_logf(s->task, GP_LOG_WARN, "cannot accept, trying again in a second: %m");
                (void)on_epoll(s, EPOLL_CTL_MOD, s->listener, 0, NULL);
                (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, TIMER_DIAL,
                                   gp_now_ns(s->task) + TCP_SECOND_NS);
            }
            return;
        }
        p = peer_add(s, fd);
        if (!p) {
            (void)close(fd);
            return;
        }
        tcp_keep_alive(fd);
        gp_count(s->task, "connections", 1);
        if (on_epoll(s, EPOLL_CTL_ADD, fd, EPOLLIN, p) != GP_OK) {
            peer_remove(s, p);
        }
    }
}

static void finish_dial(struct sink *s, struct peer *p)
{
    int reason = tcp_dialled(p->fd);

    p->connecting = false;
    if (reason != 0) {
        gp_logf(s->task, GP_LOG_WARN, "cannot connect to %s: %s", s->text, strerror(reason));
        (void)close(p->fd);
        p->fd = -1;
        dial_later(s);
        return;
    }
    s->retry_ns = 0;
    tcp_keep_alive(p->fd);
    p->moved_ns = gp_now_ns(s->task);
    p->wants_room = false;
    (void)on_epoll(s, EPOLL_CTL_MOD, p->fd, EPOLLIN, p);
    gp_count(s->task, "connections", 1);
    gp_logf(s->task, GP_LOG_INFO, "connected to %s", s->text);
    (void)peer_flush(s, p);
}

static void take_events(struct sink *s)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(s->epoll, events, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++) {
        struct peer *p = events[i].data.ptr;
        if (!p) {
            accept_some(s);
        } else if (p->connecting) {
            finish_dial(s, p);
        } else if (peer_flush(s, p) && p->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT)) {
            peer_listen(s, p);
        }
    }
}

static int32_t sink_on_ready(void *self, struct gp_out *out)
{
    (void)out;
    take_events(self);
    return GP_OK;
}

/* ---- rows ---- */

static bool may_take(const struct sink *s)
{
    for (const struct peer *p = s->peers; p; p = p->next) {
        if (p->len - p->line_begin >= s->buffer_max) {
            return false;
        }
    }
    return s->peers != NULL;
}

static bool owes(const struct sink *s)
{
    for (const struct peer *p = s->peers; p; p = p->next) {
        if (p->len > 0) {
            return true;
        }
    }
    return false;
}

static void mind_stalled(const struct sink *s)
{
    if (s->listening && s->stall_ns > 0) {
        (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, TIMER_STALL,
                           gp_now_ns(s->task) + s->stall_ns / 4 + 1);
    }
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct sink *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (!may_take(s)) {
            flush_all(s);
            if (!may_take(s)) {
                mind_stalled(s);
                return GP_AGAIN;
            }
        }
        for (struct peer *p = s->peers; p; p = p->next) {
            if (peer_put(p, row->value, row->value_len) != GP_OK) {
                return gp_fail(s->task, "no memory for a line");
            }
        }
    }
    flush_all(s);
    return GP_OK;
}

static void end_stalled(struct sink *s)
{
    const int64_t now_ns = gp_now_ns(s->task);
    struct peer *next;

    for (struct peer *p = s->peers; p; p = next) {
        next = p->next;
        if (p->len > 0 && now_ns - p->moved_ns >= s->stall_ns) {
            peer_lost(s, p, "it took nothing for stall.timeout");
        }
    }
    if (owes(s)) {
        mind_stalled(s);
    }
}

static int32_t sink_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                             struct gp_out *out)
{
    struct sink *s = self;

    (void)clock, (void)at_ns, (void)out;
    if (id == TIMER_STALL) {
        end_stalled(s);
    } else if (id == TIMER_END) {
        s->lingered = true;
    } else if (s->listening) {
        (void)on_epoll(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, NULL);
    } else if (s->peers && s->peers->fd < 0) {
        dial(s);
    }
    return GP_OK;
}

static int32_t sink_on_end(void *self, struct gp_out *out)
{
    struct sink *s = self;

    (void)out;
    take_events(s);
    flush_all(s);
    if (owes(s)) {
        mind_stalled(s);
        return GP_AGAIN;
    }
    if (!s->ending) {
        s->ending = true;
        for (struct peer *p = s->peers; p; p = p->next) {
            if (p->fd >= 0 && !p->connecting) {
                (void)shutdown(p->fd, SHUT_WR); /* one that is broken is heard of below */
            }
        }
        (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, TIMER_END, gp_now_ns(s->task) + LINGER_NS);
        take_events(s);
    }
    for (const struct peer *p = s->peers; p && !s->lingered; p = p->next) {
        if (p->fd >= 0 && !p->connecting) {
            return GP_AGAIN;
        }
    }
    return GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "address",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "HOST:PORT; :PORT listens at all addresses, port 0 at a free one"},
    {.name = "mode",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "connect",
     .choices = "connect|listen",
     .help = "make one connection, or send to all that come"},
    {.name = "buffer",
     .type = GP_PARAMETER_BYTES,
     .fallback = "256KiB",
     .min = "1",
     .max = "64MiB",
     .help = "of a connection; when it is full the job is held back"},
    {.name = "connections",
     .type = GP_PARAMETER_U64,
     .fallback = "100",
     .min = "1",
     .max = "10000",
     .help = "of each listening task; more wait to be accepted"},
    {.name = "retry.max",
     .type = GP_PARAMETER_DURATION,
     .fallback = "10s",
     .min = "100ms",
     .max = "1h",
     .help = "the longest pause before it connects again"},
    {.name = "stall.timeout",
     .type = GP_PARAMETER_DURATION,
     .fallback = "30s",
     .max = "1d",
     .help = "listen: who takes nothing for so long is let go; 0: never"},
};

const struct gp_processor tcp_sink = {.size = sizeof tcp_sink,
                                      .kind = GP_KIND_PROCESSOR,
                                      .type = "sink",
                                      .open = sink_open,
                                      .process = sink_process,
                                      .on_ready = sink_on_ready,
                                      .on_timer = sink_on_timer,
                                      .on_end = sink_on_end,
                                      .close = sink_close,
                                      GP_PARAMETERS(parameters)};
