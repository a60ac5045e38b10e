/* peers.c: see peers.h. */
#include "peers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define READS_MAX  16 /* of a peer, at once */

int32_t peers_watch(const struct sink *s, int how, int fd, uint32_t events, void *what)
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

void peer_dial(struct sink *s)
{
    struct peer *p = s->peers;

    p->fd = tcp_dial(&s->address);
    if (p->fd >= 0 && peers_watch(s, EPOLL_CTL_ADD, p->fd, EPOLLOUT, p) == GP_OK) {
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

struct peer *peer_add(struct sink *s, int fd)
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

void peer_remove(struct sink *s, struct peer *p)
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
        (void)peers_watch(s, EPOLL_CTL_MOD, s->listener, EPOLLIN, NULL);
    }
}

/* ---- what a peer is owed ---- */

int32_t peer_put(struct peer *p, const void *line, size_t line_len)
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

void peer_lost(struct sink *s, struct peer *p, const char *why)
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
        (void)peers_watch(s, EPOLL_CTL_MOD, p->fd, EPOLLIN | (wants_room ? EPOLLOUT : 0u), p);
        p->wants_room = wants_room;
    }
    return true;
}

void peers_flush(struct sink *s)
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
            (void)peers_watch(s, EPOLL_CTL_MOD, s->listener, 0, NULL); /* until one leaves */
            return;
        }
        fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
                gp_logf(s->task, GP_LOG_WARN, "cannot accept, trying again in a second: %m");
                (void)peers_watch(s, EPOLL_CTL_MOD, s->listener, 0, NULL);
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
        if (peers_watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, p) != GP_OK) {
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
    (void)peers_watch(s, EPOLL_CTL_MOD, p->fd, EPOLLIN, p);
    gp_count(s->task, "connections", 1);
    gp_logf(s->task, GP_LOG_INFO, "connected to %s", s->text);
    (void)peer_flush(s, p);
}

void peers_turn(struct sink *s)
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
