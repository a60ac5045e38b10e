/*
 * http.h: port/http.h by libmicrohttpd, on the loop of its owner. Private to edge but for the
 * table.
 *
 *   http.c          the server: its socket, its turns, its clock
 *   http_conn.c     connections: how many, whose, how long without a word
 *   http_request.c  requests and answers
 *
 * libmicrohttpd waits with an epoll descriptor of its own, which is readable when a turn (MHD_run)
 * has something to do; uv watches it. It wants to be called again at a time that it says, or at
 * once when a connection was resumed: see http_turn_soon(). Everything is called from inside a
 * turn, but answers that come later.
 */
#ifndef EDGE_HTTP_H
#define EDGE_HTTP_H

#include <netinet/in.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/list.h"
#include "edge/loop.h"
#include "edge/mhd.h"
#include "port/http.h"

extern const struct http_ops edge_http_ops;

struct edge_http {
    struct http_server base; /* first */
    struct edge_loop *loop;
    struct mhd lib;
    struct MHD_Daemon *mhd;
    struct net_addr addr;
    const struct http_events *events;
    void *user;
    uint32_t connections_max;
    uint32_t per_address_max;
    int64_t head_timeout_ns;
    size_t stream_bytes_max;
    struct list conns; /* the one that has waited longest for a head comes first */
    struct http_stats stats;
    int64_t swept_ns;
    uv_poll_t poll;
    uv_timer_t timer;
    uint32_t handles_open; /* freed when the last is closed */
    struct edge_task turn;
    bool is_turn_due;
    bool is_in_turn;
    bool is_stopping;
};

struct http_conn {
    struct list_node node;
    struct edge_http *server;
    struct MHD_Connection *mhd;
    int fd;
    struct in6_addr address; /* IPv4: mapped */
    int64_t since_ns;        /* it has waited for a head since, or the request began */
    bool is_shut;            /* its end is only a question of time */
    char *target;            /* of the request that is being read, or is here */
    struct edge_request *request;
};

struct edge_request {
    struct http_request base; /* first */
    struct http_conn *conn;
    struct MHD_Response *response; /* made and not yet handed over */
    uint32_t status;
    uint64_t discarded; /* of a body that nobody wants */
    bool is_answered;
    bool is_suspended;
    bool is_body_over;
    bool is_stream;
    bool is_stream_over;
    struct buf stream;  /* what its reader has not got yet, ... */
    size_t stream_read; /* ... but for so much at its front */
};

static inline struct edge_http *http_of(const struct http_server *server)
{
    return (struct edge_http *)(uintptr_t)server;
}

/* ---- http.c ---- */

/* A connection was resumed, or ended by us: libmicrohttpd must run soon. */
void http_turn_soon(struct edge_http *h);

/* ---- http_conn.c ---- */

/* MHD_OPTION_NOTIFY_CONNECTION and MHD_OPTION_URI_LOG_CALLBACK. */
void http_conn_notify(void *user, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode code);
void *http_conn_target(void *user, const char *target, struct MHD_Connection *mhd);
/* The connection waits for a head again, or no more. */
void http_conn_wait(struct http_conn *conn);
/* Has it end. Its request learns of it from libmicrohttpd. */
void http_conn_cut(struct http_conn *conn);
/* Ends those that take too long. */
void http_conns_sweep(struct edge_http *h);

/* ---- http_request.c ---- */

/* MHD_AccessHandlerCallback and MHD_OPTION_NOTIFY_COMPLETED. */
enum MHD_Result http_request_access(void *user, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *piece,
                                    size_t *piece_len, void **context);
void http_request_over(void *user, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode why);
/* Has libmicrohttpd look at it again. */
void http_request_resume(struct edge_request *r);

const char *http_request_header(const struct http_request *request, const char *name);
int http_request_answer(struct http_request *request, const struct http_reply *reply);
void http_request_more(struct http_request *request);
int http_request_stream_begin(struct http_request *request, const struct http_reply *reply);
int http_request_stream_write(struct http_request *request, gp_bytes bytes);
void http_request_stream_end(struct http_request *request);

#endif
