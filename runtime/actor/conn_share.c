/*
 * From a Unix socket to shared memory (port/net.h), for connections of owners that want it.
 *
 *     client                          server
 *       share (with the memory) ──▶             ready: both have proven themselves, and shares in hello
 *                               ◀──  shared     its last bytes on the socket: from here it writes to memory
 *       shared                  ──▶             the client's last bytes on the socket
 *
 *     client: NONE ─▶ OFFERED ─▶ SHARED         server: NONE ─▶ ANSWERED ─▶ SHARED
 *                       └─▶ REFUSED                       └─▶ REFUSED
 *
 * Frames go on all the while, for each way is one sequence of bytes: until shared over the socket,
 * then through memory. What the socket holds behind a shared are calls to wake up, and no frames.
 *
 * Failures: whoever cannot or may not take memory says so, by a shared of kind error or by not
 * offering; the connection stays on the socket and its owner is told. A frame out of turn ends the
 * connection.
 */
#include <string.h>

#include "actor/conn_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "wire/messages.h"

static size_t memory_bytes(const struct conn_share *share)
{
    return 2 * share->ring_bytes + CONN_SHARE_HEAD;
}

bool conn_wants_share(const struct conn *conn)
{
    const struct conn_share *share = conn->setup->share;

    return share != NULL && share->ring_bytes > 0 && conn->is_local &&
           stream_can_share(conn->stream);
}

bool conn_is_shared(const struct conn *conn)
{
    return conn->share_state == CONN_SHARE_DONE;
}

bool conn_is_cramped(const struct conn *conn)
{
    return conn->stream != NULL && stream_is_cramped(conn->stream);
}

static size_t left_bytes(const struct conn_share *share)
{
    return share->max_bytes > share->used_bytes ? share->max_bytes - share->used_bytes : 0;
}

/* Memory is counted from here to the end of the connection. */
static void count(struct conn *conn, size_t bytes)
{
    conn->shared_bytes = bytes;
    conn->setup->share->used_bytes += bytes;
}

void conn_share_release(struct conn *conn)
{
    if (conn->shared_bytes > 0) {
        conn->setup->share->used_bytes -= conn->shared_bytes;
        conn->shared_bytes = 0;
    }
    conn->share_state = CONN_SHARE_NONE;
}

static void tell_owner(struct conn *conn, int status)
{
    if (conn->events->on_shared != NULL && conn->state == CONN_READY) {
        conn->events->on_shared(conn->user, conn, status);
    }
}

static void stay(struct conn *conn, int why)
{
    conn_share_release(conn);
    conn->share_state = CONN_SHARE_REFUSED;
    tell_owner(conn, why);
}

static int offer(struct conn *conn)
{
    const struct frame_header header = {.type = MSG_SHARE, .kind = FRAME_TELL};
    uint8_t frame[FRAME_HEADER_SIZE];
    const struct conn_share *share = conn->setup->share;
    int rc;

    if (memory_bytes(share) > left_bytes(share)) {
        return GP_EFULL;
    }
    count(conn, memory_bytes(share));
    rc = conn_flush(conn);
    if (rc == 0) {
        frame_header_encode(&header, frame);
        frame_seal(frame, 0);
        rc = stream_share_offer(conn->stream, share->ring_bytes, gp_bytes_of(frame, sizeof(frame)));
    }
    if (rc == 0) {
        conn->counts.frames_out++;
        conn->counts.bytes_out += sizeof(frame);
    }
    return rc;
}

void conn_share_begin(struct conn *conn)
{
    int rc;

    if (conn->state != CONN_READY || conn->side != HELLO_CLIENT || !conn_wants_share(conn) ||
        !conn->peer.shares) {
        return;
    }
    rc = offer(conn);
    if (rc < 0) {
        stay(conn, rc);
        return;
    }
    conn->share_state = CONN_SHARE_OFFERED;
}

/* The last frame on the socket. */
static void go_over(struct conn *conn)
{
    const struct frame_header header = {.type = MSG_SHARED, .kind = FRAME_TELL};
    int rc = conn_send_frame(conn, &header, (gp_bytes){NULL, 0});

    if (rc == 0) {
        rc = conn_flush(conn);
    }
    if (rc < 0) {
        conn_refuse(conn, rc, "sending failed: %s", error_sentence(rc));
    } else if (conn->state != CONN_CLOSED) {
        stream_share_writes(conn->stream);
    }
}

static void refuse(struct conn *conn, int code)
{
    const struct wire_error what = {.code = code, .text = (char *)error_sentence(code)};

    conn_send_struct(conn, MSG_SHARED, FRAME_ERROR, &wire_error_fields, &what);
    if (conn->state == CONN_READY) {
        stay(conn, code);
    }
}

/* Of the size that the other side chose, who knows the job already. */
static int take(struct conn *conn)
{
    const size_t left = left_bytes(conn->setup->share);
    size_t bytes;
    int rc;

    if (left < CONN_SHARE_HEAD) {
        return GP_EFULL;
    }
    rc = stream_share_take(conn->stream, left, &bytes);
    if (rc < 0) {
        return rc == GP_ETOOBIG ? GP_EFULL : rc;
    }
    count(conn, bytes);
    return 0;
}

static void take_share(struct conn *conn)
{
    int rc;

    if (conn->side != HELLO_SERVER || conn->share_state != CONN_SHARE_NONE ||
        !conn_wants_share(conn)) {
        conn_refuse(conn, GP_EPROTO, "share out of turn");
        return;
    }
    rc = take(conn);
    if (rc < 0) {
        refuse(conn, rc);
        return;
    }
    conn->share_state = CONN_SHARE_ANSWERED;
    go_over(conn);
}

static void take_refusal(struct conn *conn, gp_bytes payload)
{
    struct wire_error what;
    struct gp_error err = {0};
    int code;

    if (conn->share_state != CONN_SHARE_OFFERED) {
        conn_refuse(conn, GP_EPROTO, "shared out of turn");
        return;
    }
    if (payload_decode(conn->setup->port, &wire_error_fields, payload, &what, &err) < 0) {
        conn_fail(conn, &err, true);
        return;
    }
    code = what.code < 0 && what.code > INT32_MIN ? (int)what.code : GP_EPROTO;
    fields_deinit(&wire_error_fields, &what);
    conn->share_state = CONN_SHARE_REFUSED; /* our memory stays, and is counted */
    tell_owner(conn, code);
}

static void take_shared(struct conn *conn)
{
    if (conn->share_state != CONN_SHARE_OFFERED && conn->share_state != CONN_SHARE_ANSWERED) {
        conn_refuse(conn, GP_EPROTO, "shared out of turn");
        return;
    }
    if (conn->share_state == CONN_SHARE_OFFERED) {
        go_over(conn);
    }
    if (conn->state != CONN_READY) {
        return;
    }
    conn->share_state = CONN_SHARE_DONE;
    conn->tail = conn->head; /* calls */
    stream_share_reads(conn->stream);
    tell_owner(conn, 0);
}

void conn_share_frame(struct conn *conn, const struct frame_header *header, gp_bytes payload)
{
    if (header->type == MSG_SHARE) {
        take_share(conn);
    } else if (header->kind == FRAME_ERROR) {
        take_refusal(conn, payload);
    } else {
        take_shared(conn);
    }
}
