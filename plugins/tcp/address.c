/*
 * Addresses and sockets: see tcp.h. All sockets are non-blocking; only the name look-up of open may
 * take time.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tcp.h"

#define BACKLOG         128
#define KEEP_IDLE_S     60
#define KEEP_INTERVAL_S 10
#define DIAL_TIMEOUT_MS 20000u

static bool split(const char *text, char host[TCP_ADDRESS_MAX_BYTES], const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    bool bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (!colon || colon[1] == '\0' || len >= TCP_ADDRESS_MAX_BYTES ||
        (!bracketed && memchr(text, ':', len))) {
        return false;
    }
    len -= bracketed ? 2 : 0;
    memcpy(host, text + bracketed, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

int32_t address_find(const struct gp_task *task, const char *text, bool listening,
                     struct address *ret)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0)};
    char host[TCP_ADDRESS_MAX_BYTES];
    struct addrinfo *found = NULL;
    const char *port;
    bool any;
    int rc;

    if (!split(text, host, &port)) {
        return gp_failf(task, "address '%s' is not HOST:PORT, as 127.0.0.1:7000", text);
    }
    any = host[0] == '\0' || strcmp(host, "*") == 0;
    if (any && !listening) {
        return gp_failf(task, "address '%s' has no host to connect to", text);
    }
    rc = getaddrinfo(any ? NULL : host, port, &hints, &found);
    if (rc != 0) {
        return gp_failf(task, "cannot find address '%s': %s", text,
                        rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
    }
    memcpy(&ret->bytes, found->ai_addr, found->ai_addrlen);
    ret->size = found->ai_addrlen;
    freeaddrinfo(found);
    return GP_OK;
}

const char *address_of(int fd, bool peer, char text[TCP_ADDRESS_MAX_BYTES])
{
    struct address a = {.size = sizeof a.bytes};
    char host[TCP_ADDRESS_MAX_BYTES / 2];
    char port[16];
    int rc = peer ? getpeername(fd, (struct sockaddr *)&a.bytes, &a.size)
                  : getsockname(fd, (struct sockaddr *)&a.bytes, &a.size);

    if (rc != 0 || getnameinfo((struct sockaddr *)&a.bytes, a.size, host, sizeof host, port,
                               sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        (void)snprintf(text, TCP_ADDRESS_MAX_BYTES, "somebody");
    } else {
        (void)snprintf(text, TCP_ADDRESS_MAX_BYTES, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
                       port);
    }
    return text;
}

int tcp_listen(const struct gp_task *task, const char *text, const struct address *address)
{
    const int one = 1;
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        (void)gp_failf(task, "cannot listen at '%s': %m", text);
        return -1;
    }
    /* These cannot fail on a socket; without REUSEADDR a restart would wait a minute for the port.
     * One task alone does not share its port: a port in use is to be heard of. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (task->parallelism > 1) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    }
    if (bind(fd, (const struct sockaddr *)&address->bytes, address->size) != 0 ||
        listen(fd, BACKLOG) != 0) {
        (void)gp_failf(task, "cannot listen at '%s': %m", text);
        (void)close(fd);
        return -1;
    }
    return fd;
}

int tcp_dial(const struct address *address)
{
    const unsigned timeout_ms = DIAL_TIMEOUT_MS;
    int fd = socket(address->bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    /* Also bounds the wait for an answer to the first packet; the default is two minutes. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    if (connect(fd, (const struct sockaddr *)&address->bytes, address->size) != 0 &&
        errno != EINPROGRESS) {
        int reason = errno;
        (void)close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}

int tcp_dialled(int fd)
{
    const unsigned forever_ms = 0;
    socklen_t size = sizeof(int);
    int reason = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &reason, &size) != 0) {
        return errno;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &forever_ms, sizeof forever_ms);
    return reason;
}

void tcp_keep_alive(int fd)
{
    const int on = 1;
    const int idle_s = KEEP_IDLE_S;
    const int interval_s = KEEP_INTERVAL_S;

    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
}

int64_t tcp_next_retry(int64_t last_ns, int64_t max_ns)
{
    int64_t next_ns = last_ns == 0 ? TCP_RETRY_FIRST_NS : last_ns * 2;

    return next_ns < max_ns ? next_ns : max_ns;
}

int tcp_watch(const struct gp_task *task)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    if (epoll < 0 || task->io->watch_fd(task, epoll, GP_READABLE) != GP_OK) {
        (void)gp_failf(task, "cannot watch connections: %m");
        if (epoll >= 0) {
            (void)close(epoll);
        }
        return -1;
    }
    return epoll;
}

void tcp_unwatch(const struct gp_task *task, int epoll, int listener)
{
    if (epoll >= 0) {
        (void)task->io->watch_fd(task, epoll, 0);
        (void)close(epoll);
    }
    if (listener >= 0) {
        (void)close(listener);
    }
}
