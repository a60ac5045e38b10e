/*
 * http.h: an HTTP/1.1 server of one process, as a table.
 *
 *     on_request -> (body pieces -> body end) -> http_answer(), now or later -> on_end
 *                                             -> http_stream_begin(), http_stream_write() ... -> on_end
 *
 * All of it happens on the thread of the loop. A request belongs to the server: it is valid from
 * on_request until on_end returns, and on_end comes once for each, answered or not. What is parsed
 * here is HTTP itself; target and headers are handed on as they came, bounded, and never trusted.
 *
 * Bounds: connections, connections of one address (the one that has been idle longest makes room),
 * bytes of the head, time for a head, time without a byte, bytes of a body, bytes that a stream may
 * be ahead of its reader. Who breaks one is answered, if that is possible, and cut off, and
 * counted.
 */
#ifndef PORT_HTTP_H
#define PORT_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"
#include "port/loop.h"
#include "port/net.h"

struct http_server;

/* Read-only; the world has one of these as first member of its own. */
struct http_request {
    struct http_server *server;
    const char *method; /* "GET": as it came */
    const char *target; /* "/a%20b?c=d": as it came */
    uint64_t body_size; /* as announced; UINT64_MAX: it does not say */
    bool has_body;
    bool
        is_ambiguous; /* Host or Content-Length more than once: who else reads it may take another */
    void *user;       /* free for the handler */
};

struct http_events {
    /* The head is here. With http_answer() from inside, the body is not wanted. */
    void (*on_request)(void *user, struct http_request *request);
    /* A piece of the body; returns how much of it was taken. What is left comes again after
     * http_more(). */
    size_t (*on_body)(void *user, struct http_request *request, gp_bytes piece);
    /* All of the body is here; also for requests that have none. */
    void (*on_body_end)(void *user, struct http_request *request);
    /* Nobody waits any more: the answer was sent, or cannot be. */
    void (*on_end)(void *user, struct http_request *request);
};

struct http_header {
    const char *name;
    const char *value;
};

/* Borrowed until return. */
struct http_reply {
    uint32_t status;
    const struct http_header *headers;
    uint32_t header_count;
    gp_bytes body;
    bool is_static; /* the body outlives the server: it is not copied */
};

/* 0 in any number: the default of the room that implements it. */
struct http_spec {
    const struct net_addr *addr; /* host:port; port 0: a free one */
    const struct http_events *events;
    void *user;
    uint32_t connections_max;
    uint32_t per_address_max;
    int64_t
        head_timeout_ns; /* from connecting, or the end of the request before, to a whole head */
    int64_t idle_timeout_ns; /* without a byte in either direction */
    size_t stream_bytes_max; /* that a reader of a stream may be behind */
};

struct http_stats {
    uint32_t connections; /* now */
    uint64_t accepted;
    uint64_t requests;
    uint64_t refused; /* connections beyond a bound */
    uint64_t evicted; /* idle ones that made room */
    uint64_t slow;    /* heads and bodies that did not come in time */
    uint64_t cut;     /* streams whose reader was too slow */
};

struct http_ops {
    int (*start)(void *world, struct loop *loop, const struct http_spec *spec,
                 struct http_server **ret, struct gp_error *err);
    void (*stop)(struct http_server *server);
    void (*addr)(const struct http_server *server, struct net_addr *ret);
    void (*stats)(const struct http_server *server, struct http_stats *ret);
    const char *(*header)(const struct http_request *request, const char *name);
    int (*answer)(struct http_request *request, const struct http_reply *reply);
    void (*more)(struct http_request *request);
    int (*stream_begin)(struct http_request *request, const struct http_reply *reply);
    int (*stream_write)(struct http_request *request, gp_bytes bytes);
    void (*stream_end)(struct http_request *request);
};

struct http_server {
    const struct http_ops *ops;
};

/* Ends every request (on_end comes from inside) and every connection. NULL is fine. */
static inline void http_stop(struct http_server *server)
{
    if (server) {
        server->ops->stop(server);
    }
}

/* Where it listens, with the real port. */
static inline void http_addr(const struct http_server *server, struct net_addr *ret)
{
    server->ops->addr(server, ret);
}

static inline void http_stats(const struct http_server *server, struct http_stats *ret)
{
    server->ops->stats(server, ret);
}

/* The value of a header, whatever the case of its name; NULL: there is none. More than one: the
 * first. Valid as long as the request. */
static inline const char *http_header(const struct http_request *request, const char *name)
{
    return request->server->ops->header(request, name);
}

/*
 * Answers, once, from on_request until on_end. 0; GP_ENOMEM: the request ends unanswered.
 * Content-Length is added; a body for HEAD is not sent.
 */
static inline int http_answer(struct http_request *request, const struct http_reply *reply)
{
    return request->server->ops->answer(request, reply);
}

/* on_body, which did not take all, may take more. */
static inline void http_more(struct http_request *request)
{
    request->server->ops->more(request);
}

/* Answers with a body of unknown length, the begin of which is the one of reply. As
 * http_answer(). */
static inline int http_stream_begin(struct http_request *request, const struct http_reply *reply)
{
    return request->server->ops->stream_begin(request, reply);
}

/* Appends to it; copied. GP_EFULL, GP_ENOMEM: the reader is too far behind and was cut off. on_end
 * never comes from inside. */
static inline int http_stream_write(struct http_request *request, gp_bytes bytes)
{
    return request->server->ops->stream_write(request, bytes);
}

/* All that was written is still sent. */
static inline void http_stream_end(struct http_request *request)
{
    request->server->ops->stream_end(request);
}

#endif
