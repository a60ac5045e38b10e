/*
 * http_request.c: requests and answers of the web server.
 *
 *     HEAD -> BODY -> ASKED -> ANSWERED -> over        libmicrohttpd calls http_request_access() for
 *                \-> suspended <-> /                    the head, each piece of the body, its end
 *
 * An answer may be handed over at the head or at the end of the body, nowhere between. So one that
 * comes early has the body read and thrown away, if that is short; else the answer goes at once
 * and the connection ends with it. One that comes late finds the connection suspended, and resumes
 * it. A stream is suspended whenever its buffer is empty.
 *
 * Failures: without memory, or when a body that nobody wants does not end, the connection is
 * closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/assert.h"
#include "base/str.h"
#include "edge/http.h"

#define DISCARD_MAX       (1u << 20) /* of a body after its answer was made */
#define STREAM_BLOCK      (16u << 10)
#define STREAM_SEND_BYTES (64 << 10) /* of a stream in the kernel */

static struct edge_request *request_of(const struct http_request *request)
{
    return (struct edge_request *)(uintptr_t)request;
}

static const struct mhd *lib_of(const struct edge_request *r)
{
    return &r->conn->server->lib;
}

static void suspend(struct edge_request *r)
{
    ASSERT(!r->is_suspended);
    r->is_suspended = true;
    lib_of(r)->suspend_connection(r->conn->mhd);
}

void http_request_resume(struct edge_request *r)
{
    if (r->is_suspended) {
        r->is_suspended = false;
        lib_of(r)->resume_connection(r->conn->mhd);
        http_turn_soon(r->conn->server);
    }
}

/* ---- what libmicrohttpd calls ---- */

static uint64_t announced_size(const struct http_conn *conn, bool *ret_has_body)
{
    const struct mhd *lib = &conn->server->lib;
    const char *length =
        lib->lookup_connection_value(conn->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding =
        lib->lookup_connection_value(conn->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    uint64_t size = 0;

    if (coding || (length && str_to_u64(gp_str_of(length), &size) < 0)) {
        size = UINT64_MAX;
    }
    *ret_has_body = size > 0;
    return size;
}

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    uint32_t *counts = user;

    (void)kind;
    (void)value;
    counts[0] += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    counts[1] += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    counts[1] += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    return MHD_YES;
}

static bool is_ambiguous(const struct http_conn *conn)
{
    uint32_t counts[2] = {0};

    (void)conn->server->lib.get_connection_values(conn->mhd, MHD_HEADER_KIND, count_header, counts);
    return counts[0] > 1 || counts[1] > 1;
}

static struct edge_request *request_new(struct edge_http *h, struct http_conn *conn,
                                        const char *method)
{
    struct edge_request *r = calloc(1, sizeof *r);

    if (r) {
        r->base.server = &h->base;
        r->base.method = method;
        r->base.target = conn->target;
        r->base.is_ambiguous = is_ambiguous(conn);
        r->base.body_size = announced_size(conn, &r->base.has_body);
        r->conn = conn;
        buf_init(&r->stream, h->stream_bytes_max);
        http_conn_wait(conn); /* now it is the body's time that runs */
        conn->request = r;
        h->stats.requests++;
    }
    return r;
}

static enum MHD_Result hand_over(struct edge_request *r)
{
    struct MHD_Response *response = r->response;
    enum MHD_Result result;

    if (!response) {
        return MHD_NO; /* it could not be made */
    }
    r->response = NULL;
    r->is_body_over = true;
    result = lib_of(r)->queue_response(r->conn->mhd, r->status, response);
    lib_of(r)->destroy_response(response);
    return result;
}

/* Whether the other side is not about to send much that we would have to read. */
static bool ends_soon(const struct edge_request *r)
{
    return r->base.body_size <= DISCARD_MAX && !http_header(&r->base, MHD_HTTP_HEADER_EXPECT);
}

static enum MHD_Result take_head(struct edge_http *h, struct MHD_Connection *mhd,
                                 const char *method, void **context)
{
    const union MHD_ConnectionInfo *info =
        h->lib.get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_conn *conn = info ? info->socket_context : NULL;
    struct edge_request *r = conn && conn->target ? request_new(h, conn, method) : NULL;

    if (!r) {
        return MHD_NO;
    }
    *context = r;
    h->events->on_request(h->user, &r->base);
    if (r->is_answered && r->base.has_body && !ends_soon(r)) {
        return hand_over(r);
    }
    return MHD_YES; /* an answer at the head would end the connection */
}

/* Returns how much of a piece is left. */
static enum MHD_Result take_piece(struct edge_http *h, struct edge_request *r, gp_bytes piece,
                                  size_t *ret_left)
{
    size_t taken;

    if (r->is_answered) {
        *ret_left = 0;
        r->discarded += piece.len;
        return r->discarded > DISCARD_MAX && r->base.body_size > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    taken = h->events->on_body(h->user, &r->base, piece);
    ASSERT(taken <= piece.len);
    *ret_left = piece.len - taken;
    if (r->is_answered) {
        *ret_left = 0;
    } else if (*ret_left > 0) {
        suspend(r);
    }
    return MHD_YES;
}

static enum MHD_Result take_end(struct edge_http *h, struct edge_request *r)
{
    if (!r->is_body_over) {
        r->is_body_over = true;
        if (!r->is_answered) {
            h->events->on_body_end(h->user, &r->base);
        }
    }
    if (r->is_answered) {
        return hand_over(r);
    }
    suspend(r);
    return MHD_YES;
}

enum MHD_Result http_request_access(void *user, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *piece,
                                    size_t *piece_len, void **context)
{
    struct edge_http *h = user;
    struct edge_request *r = *context;

    (void)url;
    (void)version;
    if (h->is_stopping || (r && r->conn->is_shut)) {
        return MHD_NO;
    }
    if (!r) {
        return take_head(h, mhd, method, context);
    }
    if (*piece_len > 0) {
        return take_piece(h, r, gp_bytes_of(piece, *piece_len), piece_len);
    }
    return take_end(h, r);
}

void http_request_over(void *user, struct MHD_Connection *mhd, void **context,
                       enum MHD_RequestTerminationCode why)
{
    struct edge_http *h = user;
    struct edge_request *r = *context;

    (void)mhd;
    (void)why;
    if (!r) {
        return;
    }
    *context = NULL;
    h->events->on_end(h->user, &r->base);
    r->conn->request = NULL;
    http_conn_wait(r->conn);
    if (r->response) {
        h->lib.destroy_response(r->response);
    }
    buf_deinit(&r->stream);
    free(r);
}

/* ---- what handlers call ---- */

const char *http_request_header(const struct http_request *request, const char *name)
{
    const struct edge_request *r = request_of(request);

    return lib_of(r)->lookup_connection_value(r->conn->mhd, MHD_HEADER_KIND, name);
}

/* Takes the response; NULL: no memory. */
static int answer_take(struct edge_request *r, const struct http_reply *reply,
                       struct MHD_Response *response)
{
    bool is_whole = response != NULL;

    ASSERT(!r->is_answered);
    for (uint32_t i = 0; is_whole && i < reply->header_count; i++) {
        is_whole = lib_of(r)->add_response_header(response, reply->headers[i].name,
                                                  reply->headers[i].value) == MHD_YES;
    }
    if (!is_whole && response) {
        lib_of(r)->destroy_response(response);
        response = NULL;
    }
    r->is_answered = true;
    r->status = reply->status;
    r->response = response;
    http_request_resume(r);
    return is_whole ? 0 : GP_ENOMEM;
}

int http_request_answer(struct http_request *request, const struct http_reply *reply)
{
    struct edge_request *r = request_of(request);
    enum MHD_ResponseMemoryMode mode =
        reply->is_static || reply->body.len == 0 ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY;

    return answer_take(r, reply,
                       lib_of(r)->create_response_from_buffer(
                           reply->body.len, (void *)(uintptr_t)reply->body.ptr, mode));
}

void http_request_more(struct http_request *request)
{
    http_request_resume(request_of(request));
}

/* ---- streams ---- */

static size_t waiting(const struct edge_request *r)
{
    return buf_len(&r->stream) - r->stream_read;
}

static ssize_t on_stream_read(void *user, uint64_t position, char *to, size_t max)
{
    struct edge_request *r = user;
    size_t len = waiting(r) < max ? waiting(r) : max;

    (void)position;
    if (r->conn->is_shut || r->conn->server->is_stopping) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (len == 0 && r->is_stream_over) {
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (len == 0) {
        suspend(r);
        return 0;
    }
    memcpy(to, (const char *)buf_bytes(&r->stream).ptr + r->stream_read, len);
    r->stream_read += len;
    if (waiting(r) == 0) {
        buf_clear(&r->stream);
        r->stream_read = 0;
    }
    return (ssize_t)len;
}

int http_request_stream_begin(struct http_request *request, const struct http_reply *reply)
{
    struct edge_request *r = request_of(request);
    int send_bytes = STREAM_SEND_BYTES;

    /* What is beyond the buffer here is to be in none elsewhere. It is only a wish. */
    (void)setsockopt(r->conn->fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    r->is_stream = true;
    if (strcmp(r->base.method, MHD_HTTP_METHOD_HEAD) == 0) { /* else the end of a body is sent */
        return answer_take(r, reply,
                           lib_of(r)->create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT));
    }
    if (buf_append(&r->stream, reply->body.ptr, reply->body.len) < 0) {
        return answer_take(r, reply, NULL);
    }
    return answer_take(r, reply,
                       lib_of(r)->create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
                                                                on_stream_read, r, NULL));
}

int http_request_stream_write(struct http_request *request, gp_bytes bytes)
{
    struct edge_request *r = request_of(request);
    int rc;

    ASSERT(r->is_stream);
    if (r->conn->is_shut) {
        return GP_EFULL;
    }
    if (r->stream_read > 0) {
        buf_consume(&r->stream, r->stream_read);
        r->stream_read = 0;
    }
    rc = buf_append(&r->stream, bytes.ptr, bytes.len);
    if (rc < 0) {
        r->conn->server->stats.cut++;
        http_conn_cut(r->conn);
        return rc == GP_ETOOBIG ? GP_EFULL : rc;
    }
    http_request_resume(r);
    return 0;
}

void http_request_stream_end(struct http_request *request)
{
    struct edge_request *r = request_of(request);

    r->is_stream_over = true;
    http_request_resume(r);
}
