/*
 * net.h: byte streams over TCP and Unix sockets.
 *
 * Order within a stream is kept, bytes are not lost while it lives, nothing else is promised: reads
 * come in any sizes, a peer may be gone at any moment. All callbacks come from the loop the object
 * was made on.
 */
#ifndef PORT_NET_H
#define PORT_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"
#include "port/loop.h"

/* "127.0.0.1:3000", "host:3000", "[::1]:3000" or "unix:/run/user/0/gearpump/x.sock",
 * NUL-terminated. */
#define NET_ADDR_MAX 136

struct net_addr {
    char text[NET_ADDR_MAX];
};

struct net_buf {
    const void *ptr;
    size_t len;
};

struct listener;
struct stream;

/* Takes ownership of stream. */
typedef void (*net_accept_fn)(void *user, struct stream *stream);
/* status 0, or negative (GP_EUNREACH, GP_ENOENT: nobody there; GP_ETIMEOUT, ...); the stream stays
 * the caller's, to be freed. */
typedef void (*net_connect_fn)(void *user, int status);
typedef void (*net_written_fn)(void *user, int status);

/* Bytes that a reader keeps where they lie, in shared memory. */
struct stream_loan {
    /* Gives them back; once, on the loop of the stream, which may be gone by then. */
    void (*end)(struct stream_loan *loan);
};

struct stream_reader {
    /* Where to put the next bytes: sets *ret_len > 0 and returns the place, valid until on_read.
     * NULL pauses reading until stream_read_resume(). May be asked and then asked again with no
     * on_read between, and is asked before the end is told too. */
    void *(*alloc)(void *user, size_t *ret_len);
    /* n > 0: bytes placed; n < 0: GP_ECLOSED at the regular end, else what broke. After n < 0
     * nothing comes. The stream may be freed inside. */
    void (*on_read)(void *user, int64_t n);
    /* Of who shares memory, else NULL. Bytes where they lie there, instead of alloc and on_read
     * (but for the end): who writes them may change them at any time, also while they are looked
     * at. Answers how many were used, from the first on; the rest comes again. They are over at
     * return, unless stream_lend() keeps them. 0 pauses reading. The stream may be freed inside. */
    size_t (*on_lent)(void *user, const void *ptr, size_t len);
};

struct net_ops {
    int (*listen)(struct loop *loop, const struct net_addr *addr, net_accept_fn fn, void *user,
                  struct listener **ret, struct gp_error *err);
    void (*listener_addr)(struct listener *listener, struct net_addr *ret_addr);
    void (*listener_free)(struct listener *listener);
    int (*connect)(struct loop *loop, const struct net_addr *addr, net_connect_fn fn, void *user,
                   struct stream **ret);
    int (*read_start)(struct stream *stream, const struct stream_reader *reader, void *user);
    void (*read_resume)(struct stream *stream);
    int (*write)(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                 net_written_fn fn, void *user);
    size_t (*write_queue_bytes)(const struct stream *stream);
    void (*peer_addr)(struct stream *stream, struct net_addr *ret_addr);
    void (*stream_end)(struct stream *stream);
    void (*stream_free)(struct stream *stream);
    /* NULL in a world without shared memory, all six. */
    int (*share_offer)(struct stream *stream, size_t ring_bytes, gp_bytes word);
    int (*share_take)(struct stream *stream, size_t bytes_max, size_t *ret_bytes);
    void (*share_writes)(struct stream *stream);
    void (*share_reads)(struct stream *stream);
    struct stream_loan *(*lend)(struct stream *stream, size_t end);
    bool (*is_cramped)(const struct stream *stream);
};

struct listener {
    struct loop *loop;
};

struct stream {
    struct loop *loop;
};

/*
 * Listens; port 0 takes a free one (ask net_listener_addr()). Unix socket files are made with mode
 * 0600, a stale file of a dead process is replaced, and the file is removed by net_listener_free().
 * GP_EADDRINUSE; GP_EACCES; GP_EINVAL: not an address; GP_ENOENT: host name unknown.
 * err says it in words.
 */
static inline int net_listen(struct loop *loop, const struct net_addr *addr, net_accept_fn fn,
                             void *user, struct listener **ret, struct gp_error *err)
{
    return loop->net->listen(loop, addr, fn, user, ret, err);
}

/* The address with its real port. */
static inline void net_listener_addr(struct listener *listener, struct net_addr *ret_addr)
{
    listener->loop->net->listener_addr(listener, ret_addr);
}

static inline void net_listener_free(struct listener *listener)
{
    if (listener) {
        listener->loop->net->listener_free(listener);
    }
}

/* Begins to connect (resolving the name too); fn is called once unless the stream is freed before.
 * TCP_NODELAY is on. GP_EINVAL: not an address. Until fn said 0 the stream can only be freed. */
static inline int net_connect(struct loop *loop, const struct net_addr *addr, net_connect_fn fn,
                              void *user, struct stream **ret)
{
    return loop->net->connect(loop, addr, fn, user, ret);
}

/* Begins reading into buffers of the reader; once per stream. reader and user live as long as the
 * stream. */
static inline int stream_read_start(struct stream *stream, const struct stream_reader *reader,
                                    void *user)
{
    return stream->loop->net->read_start(stream, reader, user);
}

/* After alloc answered NULL: ask it again. */
static inline void stream_read_resume(struct stream *stream)
{
    stream->loop->net->read_resume(stream);
}

/*
 * Queues bytes, in order. The bytes are borrowed until fn, which is called exactly once if 0 was
 * returned, with 0 or a negative status - also after stream_free(), from the loop, with
 * GP_ECANCELED: what fn needs must live until then. fn may be NULL only if the bytes live for ever.
 * count at most 8.
 */
static inline int stream_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                               net_written_fn fn, void *user)
{
    return stream->loop->net->write(stream, bufs, count, fn, user);
}

/* Bytes queued and not yet taken by the kernel. */
static inline size_t stream_write_queue_bytes(const struct stream *stream)
{
    return stream->loop->net->write_queue_bytes(stream);
}

static inline void stream_peer_addr(struct stream *stream, struct net_addr *ret_addr)
{
    stream->loop->net->peer_addr(stream, ret_addr);
}

/* Frees the stream after what is queued was written (or 1 s has passed). No read callback comes any
 * more. */
static inline void stream_end(struct stream *stream)
{
    if (stream) {
        stream->loop->net->stream_end(stream);
    }
}

/*
 * Shared memory beneath a stream over a Unix socket: two rings of bytes, one each way, that take
 * the place of the socket; the socket then wakes who sleeps and shows who is gone. To the users
 * nothing changes: bytes in order, nothing believed of who writes them. What both do:
 *
 *   - one side offers it with some bytes of its own (`word`), the other takes it on reading these;
 *   - each says by its own bytes when it goes over, as the last of them on the socket, then calls
 *     stream_share_writes(); and on reading that of the other stream_share_reads(), after which
 *     bytes that were read behind it are of no meaning.
 *
 * The memory is the stream's until its end, and that of the last loan.
 */
static inline bool stream_can_share(const struct stream *stream)
{
    return stream->loop->net->share_offer != NULL;
}

/* Makes rings of ring_bytes (a power of two from 4 KiB to 64 MiB) and sends them with word, at once
 * and whole. On failure nothing was sent: GP_EUNSUPPORTED: no Unix socket; GP_EAGAIN: earlier bytes
 * still wait to be written; GP_ENOMEM, GP_EACCES, ...: the system refuses. */
static inline int stream_share_offer(struct stream *stream, size_t ring_bytes, gp_bytes word)
{
    return stream->loop->net->share_offer(stream, ring_bytes, word);
}

/* Takes the memory that came with bytes read before, at most bytes_max of it (both rings and a
 * page), and says how much it is. GP_ENOENT: none came; GP_EPROTO: it is not what is offered above;
 * GP_ETOOBIG; GP_ENOMEM. */
static inline int stream_share_take(struct stream *stream, size_t bytes_max, size_t *ret_bytes)
{
    return stream->loop->net->share_take(stream, bytes_max, ret_bytes);
}

/* What is written from now on goes through the memory. */
static inline void stream_share_writes(struct stream *stream)
{
    stream->loop->net->share_writes(stream);
}

/* What is read from now on comes through the memory, to on_lent. */
static inline void stream_share_reads(struct stream *stream)
{
    stream->loop->net->share_reads(stream);
}

/* Inside on_lent: keeps the bytes that it is shown before offset `end`, and behind what was kept of
 * them before. NULL: as much is kept as may be. */
static inline struct stream_loan *stream_lend(struct stream *stream, size_t end)
{
    return stream->loop->net->lend(stream, end);
}

/* Whether what is kept holds back more than half of the memory that the peer writes to: room comes
 * back in order, so the oldest loan counts. */
static inline bool stream_is_cramped(const struct stream *stream)
{
    return stream->loop->net->is_cramped != NULL && stream->loop->net->is_cramped(stream);
}

/* Closes now; NULL is fine. */
static inline void stream_free(struct stream *stream)
{
    if (stream) {
        stream->loop->net->stream_free(stream);
    }
}

#endif
