/*
 * Two connected processes: a stream between them (TCP over loopback, or a Unix socket), each end
 * opened in a libuv loop, and an input buffer that keeps the unfinished tail of what was read.
 */
#ifndef BENCH_LIMIT_NET_H
#define BENCH_LIMIT_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include <uv.h>

#include "limit.h"

#define READ_BYTES (256 * 1024) /* asked of the kernel at once */

static inline void connect_over_tcp(int ret_fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(listener >= 0);
    CHECK(bind(listener, (struct sockaddr *)&address, length) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(ret_fds[0], (struct sockaddr *)&address, length) == 0);
    ret_fds[1] = accept(listener, NULL, NULL);
    CHECK(ret_fds[1] >= 0);
    (void)close(listener);
}

/* Makes a connected pair and a second process; returns which end this process has, 0 or 1. */
static inline unsigned fork_connected(bool tcp, int *ret_fd, pid_t *ret_child)
{
    int fds[2];
    pid_t child;
    unsigned end;

    if (tcp) {
        connect_over_tcp(fds);
    } else {
        CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    }
    child = fork();
    CHECK(child >= 0);
    end = child == 0 ? 1 : 0;
    (void)close(fds[!end]);
    pin_to_cpu((int)end);
    *ret_fd = fds[end];
    *ret_child = child;
    return end;
}

/* A stream in a loop of its own. */
struct stream {
    uv_loop_t loop;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
};

static inline void stream_open(struct stream *s, bool tcp, int fd)
{
    CHECK(uv_loop_init(&s->loop) == 0);
    if (tcp) {
        CHECK(uv_tcp_init(&s->loop, &s->tcp) == 0);
        CHECK(uv_tcp_open(&s->tcp, fd) == 0);
        CHECK(uv_tcp_nodelay(&s->tcp, 1) == 0);
    } else {
        CHECK(uv_pipe_init(&s->loop, &s->pipe, 0) == 0);
        CHECK(uv_pipe_open(&s->pipe, fd) == 0);
    }
}

static inline void stream_close(struct stream *s)
{
    uv_close(&s->handle, NULL);
    CHECK(uv_run(&s->loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&s->loop) == 0);
}

struct input {
    char *bytes;
    size_t length;
};

/* unit_bytes: the longest thing that can be left unfinished between two reads. */
static inline void input_init(struct input *in, size_t unit_bytes)
{
    in->bytes = pages_new(READ_BYTES + unit_bytes);
    in->length = 0;
}

static inline uv_buf_t input_space(const struct input *in)
{
    return uv_buf_init(in->bytes + in->length, READ_BYTES);
}

static inline void input_consume(struct input *in, size_t bytes)
{
    in->length -= bytes;
    memmove(in->bytes, in->bytes + bytes, in->length);
}

#endif
