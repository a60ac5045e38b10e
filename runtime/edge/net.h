/*
 * net.h: port/net.h over libuv, TCP and Unix sockets alike. Private to edge.
 *
 *     net_addr.c    text <-> socket addresses
 *     net_listen.c  listening and accepting
 *     net_dial.c    resolving and connecting
 *     net_stream.c  reading, ending, closing
 *     net_write.c   writing
 *     net_share.c   both through memory shared with the peer; net_share_life.c: how it gets there
 */
#ifndef EDGE_NET_H
#define EDGE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "edge/loop.h"
#include "port/net.h"

extern const struct net_ops edge_net_ops;

/* ---- addresses ---- */

/* A socket address of one of the three families. */
union edge_sockaddr {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* What the text of a net_addr means. */
struct edge_addr {
    bool is_unix;
    bool is_name; /* host is a name to resolve; else `socket` is complete */
    union edge_sockaddr socket;
    char host[NET_ADDR_MAX];
    char port[6];
};

/* GP_EINVAL, and err says what is wrong; err may be NULL. */
int edge_addr_parse(const struct net_addr *addr, struct edge_addr *ret, struct gp_error *err);

/* Resolves a name at once, taking the first address. Blocks. GP_ENOENT. */
int edge_addr_resolve(struct edge_addr *addr, struct gp_error *err);

/* The text of a socket address; an unnamed Unix socket is "unix:". */
void edge_addr_print(const union edge_sockaddr *socket, struct net_addr *ret);

socklen_t edge_addr_len(const union edge_sockaddr *socket);

/* ---- streams ---- */

/* DIALING -> OPEN | FAILED; OPEN -> ENDING; any -> CLOSED. */
enum edge_stream_state {
    STREAM_DIALING, /* net_dial.c has the handle */
    STREAM_FAILED,  /* could not connect; waits for stream_free() */
    STREAM_OPEN,
    STREAM_ENDING, /* the user is gone; the last bytes leave */
    STREAM_CLOSED  /* waits for the close callbacks */
};

struct edge_dial;
struct edge_share;

/* A write under way. */
struct edge_write {
    struct edge_task done; /* first; also links the request among those kept or queued */
    struct edge_loop *loop;
    net_written_fn fn; /* may be NULL */
    void *user;
    int status;
    union {
        uv_write_t uv;
        struct {
            uv_buf_t bufs[EDGE_WRITE_BUFS_MAX]; /* what is left, from `next` on */
            uint32_t next;
            uint32_t count;
        } rest; /* in memory shared with the peer */
    } u;
};

struct edge_stream {
    struct stream base;
    enum edge_stream_state state;
    bool is_unix;
    bool over;             /* on_read was told the end */
    uint32_t handles_open; /* freed when the last is closed */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    const struct stream_reader *reader;
    void *reader_user;
    struct edge_dial *dial;   /* while DIALING */
    struct edge_share *share; /* NULL: the bytes go through the socket alone */
    int passed_fd;            /* came over the socket and was not taken; -1: none */
    struct net_addr addr;     /* the peer's, as dialed; empty when accepted */
    /* ENDING */
    uv_shutdown_t shutdown;
    uv_timer_t linger;
};

static inline struct edge_stream *edge_stream_of(struct stream *stream)
{
    return (struct edge_stream *)stream;
}

/* A stream in state DIALING with a fresh handle. NULL without memory. */
struct edge_stream *edge_stream_new(struct edge_loop *l, bool is_unix);

/* (Re)makes the uv handle: after it was closed. */
void edge_stream_init_handle(struct edge_stream *s);

/* Takes a connected, non-blocking descriptor, closing it on failure. */
int edge_stream_adopt_take(struct edge_loop *l, int fd, bool is_unix, struct edge_stream **ret);

/* The connection stands. */
void edge_stream_opened(struct edge_stream *s);

/* Closes the handles; frees the stream when they are closed. */
void edge_stream_close(struct edge_stream *s);

/* ENDING: what was queued is written. */
void edge_stream_shutdown(struct edge_stream *s);

/* ---- writes ---- */

/* Owes the callback. */
void edge_write_done(struct edge_write *w, int status);

/* ---- through memory (net_share.c) ---- */

/* The peer's call, or its end (code < 0), came over the socket. False: it is nothing of ours. */
bool edge_share_on_socket(struct edge_stream *s, int code);

/* Whether bytes are written, and read, through memory. */
bool edge_share_writes(const struct edge_stream *s);
bool edge_share_reads(const struct edge_stream *s);

/* Takes over the write. */
void edge_share_write(struct edge_stream *s, struct edge_write *w, const uv_buf_t *bufs,
                      uint32_t count);
size_t edge_share_queued_bytes(const struct edge_stream *s);

/* As stream_read_resume(). */
void edge_share_resume(struct edge_stream *s);

/* The stream closes. */
void edge_share_close(struct edge_stream *s);

/* Keeps a descriptor that came with what was just read. */
void edge_share_collect(struct edge_stream *s);

/* Each turn: reads what came, writes what has room. */
void edge_shares_look(struct edge_loop *l);

/* Before the loop sleeps: false when there is something to look at. The peers will call. */
bool edge_shares_may_sleep(struct edge_loop *l);

/* At the end of the loop. */
void edge_net_free_writes(struct edge_loop *l);

/* ---- entries of edge_net_ops ---- */

int edge_listen(struct loop *loop, const struct net_addr *addr, net_accept_fn fn, void *user,
                struct listener **ret, struct gp_error *err);
void edge_listener_addr(struct listener *listener, struct net_addr *ret_addr);
void edge_listener_free(struct listener *listener);
int edge_connect(struct loop *loop, const struct net_addr *addr, net_connect_fn fn, void *user,
                 struct stream **ret);
void edge_dial_cancel(struct edge_stream *s);
int edge_stream_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                      net_written_fn fn, void *user);
int edge_share_offer(struct stream *stream, size_t ring_bytes, gp_bytes word);
int edge_share_take(struct stream *stream, size_t bytes_max, size_t *ret_bytes);
void edge_share_begin_writes(struct stream *stream);
void edge_share_begin_reads(struct stream *stream);
struct stream_loan *edge_share_lend(struct stream *stream, size_t end);
bool edge_share_is_cramped(const struct stream *stream);

#endif
