/*
 * What a connection sends: copied frames, gathered into one write while another is under way, and
 * whole frames by reference.
 *
 * Invariants: frames go out in the order in which they were sent, copied or not; at most one block
 * of copied frames is being filled; what waits is bounded. Blocks belong to the stream until
 * on_written, which may come after the connection ended and its owner, setup and all, has gone.
 * Failures: a write that fails ends the connection, since part of a frame may be on its way.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/conn_internal.h"
#include "actor/payload.h"

#define UNSENT_MAX ((size_t)4 << 20)
#define SPARE_MAX  ((size_t)64 << 10) /* larger blocks are not kept for the next write */

_Static_assert(FRAME_CONTROL_MAX + FRAME_HEADER_SIZE <= UNSENT_MAX, "a whole message can wait");

static size_t unsent_max(const struct conn *conn)
{
    return conn->setup->unsent_max > 0 ? conn->setup->unsent_max : UNSENT_MAX;
}

void conn_block_free(struct conn_block *block)
{
    if (block != NULL) {
        buf_deinit(&block->bytes);
        free(block);
    }
}

static void on_written(void *user, int status);

int conn_flush(struct conn *conn)
{
    struct conn_block *block = conn->pending;
    struct net_buf bytes;
    int rc;

    if (block == NULL || buf_len(&block->bytes) == 0) {
        return 0;
    }
    bytes = (struct net_buf){buf_bytes(&block->bytes).ptr, buf_len(&block->bytes)};
    rc = stream_write(conn->stream, &bytes, 1, on_written, block);
    if (rc < 0) {
        return rc;
    }
    conn->pending = NULL;
    conn->writes++;
    conn_hold(conn);
    return 0;
}

/* Nothing more can be written, so the peer is not told. */
static void fail_to_write(struct conn *conn, int code)
{
    struct gp_error err;

    (void)gp_error_set(&err, code, "writing failed: %s", error_sentence(code));
    conn_fail(conn, &err, false);
}

static int flush_or_fail(struct conn *conn)
{
    const int rc = conn_flush(conn);

    if (rc < 0) {
        fail_to_write(conn, rc);
    }
    return rc;
}

/* Also comes after the connection ended and after its owner, setup and all, has gone. */
static void on_written(void *user, int status)
{
    struct conn_block *block = user;
    struct conn *conn = block->conn;

    conn->writes--;
    if (conn->spare == NULL && conn->state != CONN_CLOSED && buf_len(&block->bytes) <= SPARE_MAX) {
        buf_clear(&block->bytes);
        conn->spare = block;
    } else {
        conn_block_free(block);
    }
    if (conn->state != CONN_CLOSED && status == 0 && conn->writes == 0) {
        status = conn_flush(conn);
    }
    if (conn->state != CONN_CLOSED && status < 0) {
        fail_to_write(conn, status);
    }
    conn_release(conn);
}

static int pending_block(struct conn *conn, struct buf **ret)
{
    if (conn->pending == NULL) {
        conn->pending = conn->spare;
        conn->spare = NULL;
    }
    if (conn->pending == NULL) {
        conn->pending = calloc(1, sizeof(*conn->pending));
        if (conn->pending == NULL) {
            return GP_ENOMEM;
        }
        conn->pending->conn = conn;
        buf_init(&conn->pending->bytes, unsent_max(conn));
    }
    *ret = &conn->pending->bytes;
    return 0;
}

static int append_frame(struct buf *out, const struct frame_header *given, gp_bytes payload)
{
    struct frame_header header = *given;
    void *space;
    int rc;

    rc = buf_reserve(out, FRAME_HEADER_SIZE + payload.len, &space);
    if (rc < 0) {
        return rc;
    }
    header.length = (uint32_t)payload.len;
    frame_header_encode(&header, space);
    if (payload.len > 0) {
        memcpy((char *)space + FRAME_HEADER_SIZE, payload.ptr, payload.len);
    }
    frame_seal(space, payload.len);
    buf_commit(out, FRAME_HEADER_SIZE + payload.len);
    return 0;
}

int conn_send_frame(struct conn *conn, const struct frame_header *header, gp_bytes payload)
{
    struct buf *out;
    int rc;

    if (conn->stream == NULL) {
        return GP_ECLOSED;
    }
    if (payload.len > frame_payload_max(header->type)) {
        return GP_ETOOBIG;
    }
    if (conn_unsent_bytes(conn) + FRAME_HEADER_SIZE + payload.len > unsent_max(conn)) {
        return GP_EAGAIN;
    }
    rc = pending_block(conn, &out);
    if (rc == 0) {
        rc = append_frame(out, header, payload);
    }
    if (rc < 0) {
        return rc;
    }
    conn->counts.frames_out++;
    conn->counts.bytes_out += FRAME_HEADER_SIZE + payload.len;
    /* While a write is under way, frames gather for the next. */
    return conn->writes == 0 ? flush_or_fail(conn) : 0;
}

int conn_send(struct conn *conn, const struct frame_header *header, gp_bytes payload)
{
    return conn->state == CONN_READY ? conn_send_frame(conn, header, payload) : GP_ECLOSED;
}

int conn_send_raw(struct conn *conn, const void *frame, size_t len, net_written_fn done, void *user)
{
    const struct net_buf bytes = {frame, len};
    int rc;

    if (conn->state != CONN_READY) {
        return GP_ECLOSED;
    }
    rc = flush_or_fail(conn);
    if (rc == 0) {
        rc = stream_write(conn->stream, &bytes, 1, done, user);
    }
    if (rc == 0) {
        conn->counts.frames_out++;
        conn->counts.bytes_out += len;
    }
    return rc;
}

void conn_send_struct(struct conn *conn, uint16_t type, enum frame_kind kind,
                      const struct fields *table, const void *s)
{
    const struct frame_header header = {.type = type, .kind = (uint8_t)kind};
    struct buf payload;
    int rc;

    buf_init(&payload, FRAME_GREETING_MAX);
    rc = payload_encode(table, s, &payload);
    if (rc == 0) {
        rc = conn_send_frame(conn, &header, buf_bytes(&payload));
    }
    buf_deinit(&payload);
    if (rc < 0) {
        conn_refuse(conn, rc, "sending failed: %s", error_sentence(rc));
    }
}

size_t conn_unsent_bytes(const struct conn *conn)
{
    const size_t pending = conn->pending != NULL ? buf_len(&conn->pending->bytes) : 0;

    return pending + (conn->stream != NULL ? stream_write_queue_bytes(conn->stream) : 0);
}
