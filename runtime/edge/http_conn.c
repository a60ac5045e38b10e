/*
 * http_conn.c: connections of the web server: how many there are, whose, and for how long.
 *
 * A connection waits for a head, or has a request. Those that wait stand in front, the longest
 * first: they make room when there are too many, of all or of one address, so that a flood of
 * silent ones locks nobody out. Only when all are busy is the new one refused.
 *
 * A head must come whole within its time, however many bytes trickle in; so must a body. Silence
 * ends a connection by itself (libmicrohttpd). Shutting the socket down is how one is ended: the
 * rest happens as if the other side had gone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "edge/http.h"

#define BODY_TIMEOUT_NS INT64_C(600000000000)

static void read_address(struct http_conn *conn)
{
    const union MHD_ConnectionInfo *info =
        conn->server->lib.get_connection_info(conn->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info ? info->client_addr : NULL;

    if (from && from->sa_family == AF_INET6) {
        memcpy(&conn->address, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr,
               sizeof conn->address);
    } else if (from && from->sa_family == AF_INET) {
        conn->address.s6_addr[10] = 0xff;
        conn->address.s6_addr[11] = 0xff;
        memcpy(&conn->address.s6_addr[12],
               &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    }
}

void http_conn_cut(struct http_conn *conn)
{
    if (!conn->is_shut) {
        conn->is_shut = true;
        (void)shutdown(conn->fd, SHUT_RDWR); /* it may be gone already */
    }
    if (conn->request) {
        http_request_resume(conn->request);
    }
    http_turn_soon(conn->server);
}

/* One more is too many, of those with this address or of all (NULL): the idlest goes. */
static void make_room(struct edge_http *h, struct http_conn *fresh, bool same_address, uint32_t max)
{
    struct http_conn *idlest = NULL;
    uint32_t count = 0;

    LIST_FOREACH (node, &h->conns) {
        struct http_conn *conn = LIST_ENTRY(node, struct http_conn, node);

        if (conn->is_shut ||
            (same_address && memcmp(&conn->address, &fresh->address, sizeof conn->address) != 0)) {
            continue;
        }
        count++;
        if (!idlest && conn != fresh && !conn->request) {
            idlest = conn;
        }
    }
    if (count <= max) {
        return;
    }
    if (idlest) {
        h->stats.evicted++;
        http_conn_cut(idlest);
    } else {
        h->stats.refused++;
        http_conn_cut(fresh);
    }
}

static void started(struct edge_http *h, struct MHD_Connection *mhd, void **context)
{
    const union MHD_ConnectionInfo *info =
        h->lib.get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct http_conn *conn = calloc(1, sizeof *conn);

    if (!conn) {
        (void)shutdown(info->connect_fd, SHUT_RDWR);
        return;
    }
    *conn = (struct http_conn){.server = h, .mhd = mhd, .fd = info->connect_fd};
    list_node_init(&conn->node);
    read_address(conn);
    *context = conn;
    h->stats.connections++;
    h->stats.accepted++;
    http_conn_wait(conn);
    make_room(h, conn, true, h->per_address_max);
    make_room(h, conn, false, h->connections_max);
}

void http_conn_notify(void *user, struct MHD_Connection *mhd, void **context,
                      enum MHD_ConnectionNotificationCode code)
{
    struct edge_http *h = user;
    struct http_conn *conn = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        started(h, mhd, context);
    } else if (conn) {
        ASSERT(!conn->request);
        list_remove(&conn->node);
        h->stats.connections--;
        free(conn->target);
        free(conn);
        *context = NULL;
    }
}

void *http_conn_target(void *user, const char *target, struct MHD_Connection *mhd)
{
    const struct edge_http *h = user;
    const union MHD_ConnectionInfo *info =
        h->lib.get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_conn *conn = info ? info->socket_context : NULL;

    if (conn) {
        free(conn->target);
        conn->target = strdup(target);
    }
    return NULL;
}

void http_conn_wait(struct http_conn *conn)
{
    struct edge_http *h = conn->server;

    conn->since_ns = loop_fresh_now_ns(&h->loop->base);
    list_remove(&conn->node);
    list_push_back(&h->conns, &conn->node);
}

/* libmicrohttpd takes a short read for the last one there is, and may so miss the end of a
 * connection that came with it. */
static bool has_gone(const struct http_conn *conn)
{
    char byte;

    return recv(conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void http_conns_sweep(struct edge_http *h)
{
    int64_t now_ns = loop_now_ns(&h->loop->base);

    LIST_FOREACH (node, &h->conns) {
        struct http_conn *conn = LIST_ENTRY(node, struct http_conn, node);
        const struct edge_request *r = conn->request;
        const bool is_waiting = !r || !r->is_body_over;

        /* Of a stream nothing may be written for long. */
        if (!conn->is_shut && (is_waiting || r->is_stream) && has_gone(conn)) {
            http_conn_cut(conn);
        } else if (!conn->is_shut && is_waiting &&
                   now_ns - conn->since_ns >= (r ? BODY_TIMEOUT_NS : h->head_timeout_ns)) {
            h->stats.slow++;
            http_conn_cut(conn);
        }
    }
}
