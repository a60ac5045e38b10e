/*
 * tcp/source: the lines of connections, one message each, without their newline.
 *
 * mode=listen takes any number of connections up to `connections`; further ones wait in the
 * backlog. mode=connect keeps one, and dials again with growing pauses when it breaks.
 *
 * One epoll descriptor stands for all sockets; the host watches it. A connection is read until it
 * has nothing, its turn is over or the outputs are full; whoever was stopped with whole lines in
 * his buffer is `pending` and served first in the next poll. Sockets are not read meanwhile, so TCP
 * holds back the peers.
 *
 * What goes wrong with one connection ends that connection (logged, counted): a line longer than
 * line.max, a reset. Fails only when it cannot listen, or without memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <gearpump/lines.h>

#include "tcp.h"

#define EVENTS_MAX 64
#define READS_MAX  4   /* of a connection's turn */
#define READ_COST  16u /* of a poll's budget, in lines: bounds a poll that finds none */

struct connection {
    int fd;
    bool connecting;
    bool pending;
    struct connection *next_pending;
    struct connection *next;
    struct connection *previous;
    struct gp_lines lines;
};

struct source {
    const struct gp_task *task;
    const char *text; /* of the address */
    struct address address;
    bool listening;
    bool ends; /* when the last connection is closed */
    uint64_t line_max;
    uint64_t connections_max;
    int64_t retry_max_ns;
    int64_t retry_ns; /* the last pause */
    int64_t dial_ns;  /* when to dial; GP_TIME_MAX: not now */
    int epoll;
    int listener;
    bool accepting;
    uint64_t connection_count;
    uint64_t served; /* connections ever */
    int64_t time_ns;
    struct connection *connections;
    struct connection *pending; /* first in, first out */
    struct connection **pending_end;
};

static int watch(const struct source *s, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    return epoll_ctl(s->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void wait_for(struct source *s, int64_t pause_ns)
{
    /* The only timer of the task, so there is room for it. */
    (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, 0, gp_now_ns(s->task) + pause_ns);
}

static void start_accepting(struct source *s)
{
    if (s->listener >= 0 && !s->accepting && watch(s, s->listener, EPOLLIN, NULL) == 0) {
        s->accepting = true;
    }
}

static void stop_accepting(struct source *s)
{
    if (s->accepting) {
        (void)epoll_ctl(s->epoll, EPOLL_CTL_DEL, s->listener, NULL);
        s->accepting = false;
    }
}

static void dial_later(struct source *s)
{
    s->retry_ns = tcp_next_retry(s->retry_ns, s->retry_max_ns);
    s->dial_ns = gp_now_ns(s->task) + s->retry_ns;
    wait_for(s, s->retry_ns);
}

static void set_pending(struct source *s, struct connection *c)
{
    if (!c->pending) {
        c->pending = true;
        c->next_pending = NULL;
        *s->pending_end = c;
        s->pending_end = &c->next_pending;
    }
}

static struct connection *take_pending(struct source *s)
{
    struct connection *c = s->pending;

    if (c) {
        s->pending = c->next_pending;
        s->pending_end = s->pending ? s->pending_end : &s->pending;
        c->pending = false;
    }
    return c;
}

/* Takes fd. NULL without memory. */
static struct connection *connection_new(struct source *s, int fd, bool connecting)
{
    struct connection *c = calloc(1, sizeof *c);

    if (c) {
        c->fd = fd;
        c->connecting = connecting;
        gp_lines_init(&c->lines, s->line_max);
    }
    if (!c || watch(s, fd, connecting ? EPOLLOUT : EPOLLIN, c) != 0) {
        free(c);
        (void)close(fd);
        return NULL;
    }
    tcp_keep_alive(fd);
    c->next = s->connections;
    if (c->next) {
        c->next->previous = c;
    }
    s->connections = c;
    s->connection_count++;
    return c;
}

/* It is not pending: whoever ends one has just taken it. */
static void connection_end(struct source *s, struct connection *c)
{
    *(c->previous ? &c->previous->next : &s->connections) = c->next;
    if (c->next) {
        c->next->previous = c->previous;
    }
    (void)close(c->fd); /* epoll forgets it */
    gp_lines_deinit(&c->lines);
    free(c);
    s->connection_count--;
    start_accepting(s);
    if (!s->listening) {
        dial_later(s);
    }
}

static void source_close(void *self, uint32_t ended)
{
    struct source *s = self;

    (void)ended;
    s->listening = true; /* nobody dials any more */
    while (s->connections) {
        connection_end(s, s->connections);
    }
    tcp_unwatch(s->task, s->epoll, s->listener);
    free(s);
}

static int32_t begin(struct source *s)
{
    char name[TCP_ADDRESS_MAX_BYTES];

    s->epoll = tcp_watch(s->task);
    if (s->epoll < 0 || address_find(s->task, s->text, s->listening, &s->address) != GP_OK) {
        return GP_FAIL;
    }
    if (!s->listening) {
        s->dial_ns = GP_TIME_MIN;
        return GP_OK;
    }
    s->listener = tcp_listen(s->task, s->text, &s->address);
    if (s->listener < 0) {
        return GP_FAIL;
    }
    start_accepting(s);
    gp_logf(s->task, GP_LOG_INFO, "listening at %s", address_of(s->listener, false, name));
    return GP_OK;
}

static int32_t source_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct source *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->epoll = -1;
    s->listener = -1;
    s->time_ns = GP_TIME_MIN;
    s->dial_ns = GP_TIME_MAX;
    s->pending_end = &s->pending;
    s->text = gp_config_text(config, "address", "");
    s->listening = strcmp(gp_config_text(config, "mode", ""), "listen") == 0;
    s->ends = strcmp(gp_config_text(config, "end", ""), "closed") == 0;
    (void)gp_config_bytes(config, "line.max", 0, &s->line_max); /* the table has checked them */
    (void)gp_config_u64(config, "connections", 0, &s->connections_max);
    (void)gp_config_duration_ns(config, "retry.max", 0, &s->retry_max_ns);
    if (begin(s) != GP_OK) {
        source_close(s, 0);
        return GP_FAIL;
    }
    *ret_self = s;
    return GP_OK;
}

/* ---- connections that come ---- */

static void accept_some(struct source *s)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        int fd;
        if (s->connection_count >= s->connections_max) {
            stop_accepting(s);
            return;
        }
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN) {
            return;
        }
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            gp_logf(s->task, GP_LOG_WARN, "cannot accept, trying again in a second: %m");
            stop_accepting(s);
            wait_for(s, TCP_SECOND_NS);
            return;
        }
        if (fd >= 0 && connection_new(s, fd, false)) {
            s->served++;
            gp_count(s->task, "connections", 1);
        }
    }
}

static void dial(struct source *s)
{
    int fd = tcp_dial(&s->address);

    s->dial_ns = GP_TIME_MAX;
    if (fd < 0 || !connection_new(s, fd, true)) {
        gp_logf(s->task, GP_LOG_WARN, "cannot connect to %s: %m", s->text);
        dial_later(s);
    }
}

static void finish_dial(struct source *s, struct connection *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int reason = tcp_dialled(c->fd);

    if (reason != 0) {
        gp_logf(s->task, GP_LOG_WARN, "cannot connect to %s: %s", s->text, strerror(reason));
        connection_end(s, c);
        return;
    }
    c->connecting = false;
    s->retry_ns = 0;
    s->served++;
    (void)epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event);
    gp_logf(s->task, GP_LOG_INFO, "connected to %s", s->text);
    gp_count(s->task, "connections", 1);
}

/* ---- lines ---- */

static void end_for(struct source *s, struct connection *c, const char *counter, const char *why)
{
    char name[TCP_ADDRESS_MAX_BYTES];

    gp_logf(s->task, GP_LOG_WARN, "connection of %s ended: %s", address_of(c->fd, true, name), why);
    gp_count(s->task, counter, 1);
    connection_end(s, c);
}

/* The peer is done: what is behind its last newline is a line, too. */
static int32_t end_of_stream(struct source *s, struct connection *c, struct gp_out *out)
{
    gp_str rest = gp_lines_rest(&c->lines);
    int32_t rc = rest.len > 0 ? gp_emit(out, s->time_ns, rest.ptr, rest.len) : GP_OK;

    connection_end(s, c);
    return rc;
}

enum took { TOOK_SOME, TOOK_NOTHING, TOOK_END };

static enum took read_some(struct source *s, struct connection *c, struct gp_out *out,
                           int32_t *ret_rc)
{
    char *to;
    size_t room;
    ssize_t count;

    *ret_rc = GP_OK;
    if (gp_lines_room(&c->lines, &to, &room) != GP_OK) {
        end_for(s, c, "lost", "no memory for its line");
        return TOOK_END;
    }
    do {
        count = recv(c->fd, to, room, 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        gp_lines_add(&c->lines, (size_t)count);
        return TOOK_SOME;
    }
    if (count < 0 && errno == EAGAIN) {
        return TOOK_NOTHING;
    }
    if (count == 0) {
        *ret_rc = end_of_stream(s, c, out);
    } else {
        end_for(s, c, "lost", strerror(errno)); /* its half line was never finished */
    }
    return TOOK_END;
}

/* Emits the whole lines that are there. GP_MORE: it wants more bytes; GP_YIELD: more than it may
 * now; GP_END: a line was too long, the connection is no more. */
static int32_t emit_lines(struct source *s, struct connection *c, struct gp_out *out,
                          uint32_t *budget)
{
    gp_str line;

    while (*budget > 0 && !gp_out_full(out)) {
        int32_t rc = gp_lines_next(&c->lines, &line);
        if (rc == GP_IDLE) {
            return GP_MORE;
        }
        if (rc == GP_REJECT) {
            end_for(s, c, "too_long", "a line is longer than line.max");
            return GP_END;
        }
        if (gp_emit(out, s->time_ns, line.ptr, line.len) != GP_OK) {
            return GP_FAIL;
        }
        --*budget;
    }
    return GP_YIELD;
}

static int32_t serve(struct source *s, struct connection *c, struct gp_out *out, uint32_t *budget)
{
    int32_t rc = GP_OK;

    for (int reads = 0; reads < READS_MAX; reads++) {
        rc = emit_lines(s, c, out, budget);
        if (rc != GP_MORE) {
            break;
        }
        *budget -= *budget < READ_COST ? *budget : READ_COST;
        switch (read_some(s, c, out, &rc)) {
        case TOOK_SOME:
            break;
        case TOOK_NOTHING:
        case TOOK_END:
            return rc;
        }
    }
    if (rc == GP_END || rc == GP_FAIL) {
        return rc == GP_FAIL ? GP_FAIL : GP_OK;
    }
    set_pending(s, c);
    return GP_OK;
}

static int32_t serve_pending(struct source *s, struct gp_out *out, uint32_t *budget)
{
    /* Each once: those that are pending again stand behind. */
    for (uint64_t i = s->connection_count; i > 0 && *budget > 0 && !gp_out_full(out); i--) {
        struct connection *c = take_pending(s);
        if (!c) {
            break;
        }
        if (serve(s, c, out, budget) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t serve_ready(struct source *s, struct gp_out *out, uint32_t *budget, int *ret_count)
{
    struct epoll_event events[EVENTS_MAX];
    int count = *budget > 0 && !gp_out_full(out) ? epoll_wait(s->epoll, events, EVENTS_MAX, 0) : 0;

    *ret_count = count > 0 ? count : 0;
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        if (!c) {
            accept_some(s);
        } else if (c->connecting) {
            finish_dial(s, c);
        } else if (!c->pending && !gp_out_full(out) && *budget > 0 &&
                   serve(s, c, out, budget) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;
    int64_t wall_ns = gp_wall_ns(s->task);
    int ready = 0;

    s->time_ns = wall_ns > s->time_ns ? wall_ns : s->time_ns;
    if (!s->listening && s->ends && s->served > 0 && s->connection_count == 0) {
        return GP_END;
    }
    if (s->dial_ns <= gp_now_ns(s->task)) {
        dial(s);
    }
    if (serve_pending(s, out, &budget) != GP_OK || serve_ready(s, out, &budget, &ready) != GP_OK) {
        return GP_FAIL;
    }
    if (s->ends && s->served > 0 && s->connection_count == 0) {
        return GP_END;
    }
    if (gp_emit_watermark(out, s->time_ns) != GP_OK) {
        return GP_FAIL;
    }
    return ready > 0 || s->pending || gp_out_full(out) ? GP_MORE : GP_IDLE;
}

/* Ends the wait; poll does the work, but for a listener that was out of descriptors. */
static int32_t source_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    (void)clock, (void)id, (void)at_ns, (void)out;
    start_accepting(self);
    return GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "address",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "HOST:PORT; :PORT listens at all addresses, port 0 at a free one"},
    {.name = "mode",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "listen",
     .choices = "listen|connect",
     .help = "take connections, or make one"},
    {.name = "end",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "never",
     .choices = "never|closed",
     .help = "closed: the source ends when its last connection is closed"},
    {.name = "line.max",
     .type = GP_PARAMETER_BYTES,
     .fallback = "64KiB",
     .min = "1",
     .max = "16MiB",
     .help = "a longer line ends its connection"},
    {.name = "connections",
     .type = GP_PARAMETER_U64,
     .fallback = "1000",
     .min = "1",
     .max = "100000",
     .help = "of each task; more wait to be accepted"},
    {.name = "retry.max",
     .type = GP_PARAMETER_DURATION,
     .fallback = "10s",
     .min = "100ms",
     .max = "1h",
     .help = "the longest pause before it connects again"},
};

const struct gp_processor tcp_source = {.size = sizeof tcp_source,
                                        .kind = GP_KIND_PROCESSOR,
                                        .type = "source",
                                        .open = source_open,
                                        .poll = source_poll,
                                        .on_timer = source_on_timer,
                                        .close = source_close,
                                        GP_PARAMETERS(parameters)};
