/*
 * tcp.h: what source and sink of the tcp plugin share: addresses, sockets, when to dial again.
 */
#ifndef TCP_H
#define TCP_H

#include <stdbool.h>
#include <sys/socket.h>

#include <gearpump/gearpump.h>

#define TCP_ADDRESS_MAX_BYTES 300u
#define TCP_RETRY_FIRST_NS    INT64_C(100000000)
#define TCP_SECOND_NS         INT64_C(1000000000)

struct address {
    struct sockaddr_storage bytes;
    socklen_t size;
};

/* HOST:PORT, [HOST]:PORT; without HOST or with *: any, for listening. Names are looked up, which
 * may take a while. GP_OK, or GP_FAIL with the reason given to the task. */
int32_t address_find(const struct gp_task *task, const char *text, bool listening,
                     struct address *ret);

/* "127.0.0.1:7000" of the socket's own end, or of the other. */
const char *address_of(int fd, bool peer, char text[TCP_ADDRESS_MAX_BYTES]);

/* A listening socket, -1 with the reason given to the task. Several tasks of a host share the
 * port. */
int tcp_listen(const struct gp_task *task, const char *text, const struct address *address);

/* The epoll descriptor that stands for all sockets of a task and that the host watches; -1 with the
 * reason given to the task. */
int tcp_watch(const struct gp_task *task);

/* Closes it and the listening socket; either may be -1. */
void tcp_unwatch(const struct gp_task *task, int epoll, int listener);

/* A socket that is being connected: EPOLLOUT says that it is decided. -1 and errno when not even
 * that. */
int tcp_dial(const struct address *address);

/* What became of it: 0 or an errno. */
int tcp_dialled(int fd);

/* Notices, in minutes, that the other end is no more. */
void tcp_keep_alive(int fd);

/* How long to wait before dialling again: doubles up to max_ns, from TCP_RETRY_FIRST_NS. */
int64_t tcp_next_retry(int64_t last_ns, int64_t max_ns);

extern const struct gp_processor tcp_source;
extern const struct gp_processor tcp_sink;

#endif
