/*
 * tcp/sink: the value of each message as a line to one peer (mode=connect), or to all that have
 * connected (mode=listen).
 *
 * Each peer has a buffer of lines, bytes[sent, len), sent as far as the socket takes them. When one
 * of them holds `buffer` bytes or more (mode=listen: or nobody is there), the sink answers GP_AGAIN
 * and so holds the job back, until epoll says that there is room. A peer of mode=listen that takes
 * nothing for stall.timeout is let go; the peer of mode=connect is waited for, dialled again with
 * growing pauses.
 *
 * At the end everything is sent, the connections are closed for writing, and the sink waits for the
 * peers to close, at most LINGER_NS: only then is what they were sent theirs.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "peers.h"

#define LINGER_NS   (5 * TCP_SECOND_NS)
#define TIMER_STALL 1u
#define TIMER_END   2u

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
        peer_dial(s);
        return GP_OK;
    }
    s->listener = tcp_listen(s->task, s->text, &s->address);
    if (s->listener < 0) {
        return GP_FAIL;
    }
    gp_logf(s->task, GP_LOG_INFO, "listening at %s", address_of(s->listener, false, name));
    return peers_watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, NULL);
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

static int32_t sink_on_ready(void *self, struct gp_out *out)
{
    (void)out;
    peers_turn(self);
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
            peers_flush(s);
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
    peers_flush(s);
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
        (void)peers_watch(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, NULL);
    } else if (s->peers && s->peers->fd < 0) {
        peer_dial(s);
    }
    return GP_OK;
}

static int32_t sink_on_end(void *self, struct gp_out *out)
{
    struct sink *s = self;

    (void)out;
    peers_turn(s);
    peers_flush(s);
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
        peers_turn(s);
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
