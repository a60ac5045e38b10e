/*
 * One connection: its life, its writes, its silence. Reading is in conn_read.c, the handshake in
 * conn_greet.c; conn_internal.h states the invariants.
 *
 *     CONNECTING ─▶ HELLO ─▶ PROOF ─▶ READY          any ─▶ CLOSED
 *
 * Happy path: conn_dial() connects, on_connected greets, the handshake makes it READY, frames go
 * both ways, conn_free() lets it go when what was queued is out. An accepted one begins in HELLO.
 * One timer serves in turn as deadline of the handshake, as tick, and to tell on_closed from the
 * loop, so that no callback comes from inside a call of the owner.
 *
 * Failures: whatever goes wrong ends in conn_fail(), which keeps the first reason. A peer is silent
 * when nothing was heard for the failure timeout although it was asked (PING) since a third of it;
 * a tick that comes late shows that we ourselves stood still, and then nobody is judged by it.
 */
#include "actor/conn.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/conn_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "base/str.h"
#include "wire/messages.h"

#define HANDSHAKE_TIMEOUT_NS INT64_C(5000000000)
#define FAILURE_TIMEOUT_NS   INT64_C(3000000000)
#define UNSENT_MAX           ((size_t)4 << 20)
#define SPARE_MAX            ((size_t)64 << 10) /* larger blocks are not kept for the next write */
#define TICKS_PER_TIMEOUT    3

_Static_assert(FRAME_CONTROL_MAX + FRAME_HEADER_SIZE <= UNSENT_MAX, "a whole message can wait");

static const uint32_t moves[] = {
    [CONN_CONNECTING] = 1u << CONN_HELLO | 1u << CONN_CLOSED,
    [CONN_HELLO] = 1u << CONN_PROOF | 1u << CONN_CLOSED,
    [CONN_PROOF] = 1u << CONN_READY | 1u << CONN_CLOSED,
    [CONN_READY] = 1u << CONN_CLOSED,
    [CONN_CLOSED] = 0,
};

void conn_move(struct conn *conn, enum conn_state state)
{
    ASSERT((moves[conn->state] & 1u << state) != 0);
    conn->state = state;
}

/* ---- limits: what the setup leaves at zero ---- */

static int64_t failure_timeout_ns(const struct conn *conn)
{
    const int64_t ns = conn->setup->failure_timeout_ns;

    return ns > 0 ? ns : FAILURE_TIMEOUT_NS;
}

static int64_t handshake_timeout_ns(const struct conn *conn)
{
    const int64_t ns = conn->setup->handshake_timeout_ns;

    return ns > 0 ? ns : HANDSHAKE_TIMEOUT_NS;
}

static size_t unsent_max(const struct conn *conn)
{
    return conn->setup->unsent_max > 0 ? conn->setup->unsent_max : UNSENT_MAX;
}

/* ---- memory ---- */

static void block_free(struct conn_block *block)
{
    if (block != NULL) {
        buf_deinit(&block->bytes);
        free(block);
    }
}

void conn_hold(struct conn *conn)
{
    conn->refs++;
}

void conn_release(struct conn *conn)
{
    ASSERT(conn->refs > 0);
    if (--conn->refs > 0) {
        return;
    }
    ASSERT(conn->is_freed && conn->stream == NULL && conn->writes == 0);
    block_free(conn->pending);
    block_free(conn->spare);
    fields_deinit(&hello_fields, &conn->peer);
    free(conn);
}

/* ---- writing ---- */

static void on_written(void *user, int status);

/* Gives the frames that wait to the stream, in one write. When it fails they still wait. */
static int flush(struct conn *conn)
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
    const int rc = flush(conn);

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
        block_free(block);
    }
    if (conn->state != CONN_CLOSED && status == 0 && conn->writes == 0) {
        status = flush(conn);
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

/* ---- the end ---- */

static void tell_peer(struct conn *conn, const struct gp_error *err)
{
    struct gp_error copy = *err;
    const struct wire_error what = {.code = copy.code, .text = copy.text, .hint = copy.hint};
    const struct frame_header header = {.type = MSG_CLOSE, .kind = FRAME_ERROR};
    struct buf payload;

    buf_init(&payload, FRAME_GREETING_MAX);
    if (payload_encode(&wire_error_fields, &what, &payload) == 0) {
        /* If it cannot be told, it is just closed. */
        (void)conn_send_frame(conn, &header, buf_bytes(&payload));
    }
    buf_deinit(&payload);
}

/* Lets the stream go; gracefully: what was queued goes out first. */
static void end_stream(struct conn *conn, bool gracefully)
{
    if (gracefully && conn->state != CONN_CONNECTING && flush(conn) == 0) {
        stream_end(conn->stream);
    } else {
        stream_free(conn->stream);
    }
    conn->stream = NULL;
    rbuf_unref(conn->buf);
    conn->buf = NULL;
    conn_greeting_free(conn->greeting);
    conn->greeting = NULL;
    conn_move(conn, CONN_CLOSED);
}

void conn_fail(struct conn *conn, const struct gp_error *err, bool tell)
{
    if (conn->state == CONN_CLOSED) {
        return;
    }
    ASSERT(err->code < 0);
    if (tell && conn->state != CONN_CONNECTING) {
        tell_peer(conn, err); /* which may find that writing fails, and close by itself */
    }
    conn->why = *err;
    if (conn->state != CONN_CLOSED) {
        end_stream(conn, tell);
        timer_start(conn->timer, 0);
    }
}

void conn_refuse(struct conn *conn, int code, const char *fmt, ...)
{
    struct gp_error err;
    char text[ERROR_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args); /* cutting is wanted */
    va_end(args);
    (void)gp_error_set(&err, code, "%s", text);
    conn_fail(conn, &err, true);
}

void conn_close(struct conn *conn, const struct gp_error *why)
{
    conn_fail(conn, why, true);
}

void conn_free(struct conn *conn)
{
    if (conn == NULL || conn->is_freed) {
        return;
    }
    conn->is_freed = true;
    if (conn->state != CONN_CLOSED) {
        end_stream(conn, true);
    }
    timer_free(conn->timer);
    conn->timer = NULL;
    conn_release(conn);
}

/* ---- time ---- */

static void tick(struct conn *conn)
{
    const struct frame_header ping = {.type = MSG_PING};
    const int64_t timeout_ns = failure_timeout_ns(conn);
    const int64_t period_ns = timeout_ns / TICKS_PER_TIMEOUT;
    const int64_t now_ns = loop_now_ns(conn->setup->loop);
    const bool we_stood_still = now_ns - conn->ticked_ns > 2 * period_ns;
    const int64_t silence_ns = now_ns - conn->heard_ns;
    int rc = 0;

    conn->ticked_ns = now_ns;
    if (conn->is_starved) {
        conn->is_starved = false;
        stream_read_resume(conn->stream);
    }
    if (silence_ns >= timeout_ns && !we_stood_still) {
        conn_refuse(conn, GP_ETIMEOUT, "nothing was heard for %lld ms",
                    (long long)(silence_ns / 1000000));
        return;
    }
    if (silence_ns >= period_ns) {
        rc = conn_send_frame(conn, &ping, (gp_bytes){NULL, 0});
    }
    if (rc < 0 && rc != GP_EAGAIN) {
        conn_refuse(conn, rc, "sending failed: %s", error_sentence(rc));
        return;
    }
    timer_start(conn->timer, period_ns);
}

static void on_timer(void *user)
{
    struct conn *conn = user;

    switch (conn->state) {
    case CONN_CLOSED:
        if (!conn->is_told) {
            conn->is_told = true;
            conn->events->on_closed(conn->user, conn, &conn->why);
        }
        break;
    case CONN_READY:
        tick(conn);
        break;
    default:
        conn_refuse(conn, GP_ETIMEOUT, "%s took longer than %lld ms",
                    conn->state == CONN_CONNECTING ? "connecting" : "the handshake",
                    (long long)(handshake_timeout_ns(conn) / 1000000));
        break;
    }
}

void conn_become_ready(struct conn *conn)
{
    conn_move(conn, CONN_READY);
    conn_greeting_free(conn->greeting);
    conn->greeting = NULL;
    conn->ticked_ns = conn->heard_ns;
    timer_start(conn->timer, failure_timeout_ns(conn) / TICKS_PER_TIMEOUT);
    conn->events->on_ready(conn->user, conn);
}

/* ---- the beginning ---- */

static char *dup_or_empty(const char *text)
{
    return str_dup(gp_str_of(text));
}

static struct conn *conn_new(const struct conn_setup *setup, const struct conn_target *target,
                             const struct conn_events *events, void *user)
{
    struct conn *conn = calloc(1, sizeof(*conn));
    struct conn_greeting *greeting = calloc(1, sizeof(*greeting));

    if (conn == NULL || greeting == NULL) {
        goto failed;
    }
    conn->setup = setup;
    conn->events = events;
    conn->user = user;
    conn->refs = 1;
    conn->greeting = greeting;
    conn->heard_ns = loop_now_ns(setup->loop);
    greeting->target = dup_or_empty(target->name);
    greeting->key_id = dup_or_empty(target->key);
    greeting->target_incarnation = target->incarnation;
    if (greeting->target == NULL || greeting->key_id == NULL ||
        timer_new(setup->loop, on_timer, conn, &conn->timer) < 0) {
        goto failed;
    }
    return conn;
failed:
    conn_greeting_free(greeting);
    free(conn);
    return NULL;
}

/* For one that never was: without callbacks. */
static void discard(struct conn *conn)
{
    timer_free(conn->timer);
    conn_greeting_free(conn->greeting);
    free(conn);
}

static bool addr_is_local(const struct net_addr *addr)
{
    return str_starts_with(gp_str_of(addr->text), GP_STR("unix:"));
}

static void on_connected(void *user, int status)
{
    struct conn *conn = user;
    int rc = status;

    if (rc == 0) {
        rc = stream_read_start(conn->stream, &conn_reader, conn);
    }
    if (rc < 0) {
        struct gp_error err;

        (void)gp_error_set(&err, rc, "%s: %s", conn->addr.text, error_sentence(rc));
        conn_fail(conn, &err, false);
        return;
    }
    conn_move(conn, CONN_HELLO);
    conn_greet(conn);
}

int conn_dial(const struct conn_setup *setup, const struct net_addr *addr,
              const struct conn_target *target, const struct conn_events *events, void *user,
              struct conn **ret)
{
    struct conn *conn = conn_new(setup, target, events, user);
    int rc;

    if (conn == NULL) {
        return GP_ENOMEM;
    }
    conn->side = HELLO_CLIENT;
    conn->state = CONN_CONNECTING;
    conn->addr = *addr;
    conn->is_local = addr_is_local(addr);
    rc = net_connect(setup->loop, addr, on_connected, conn, &conn->stream);
    if (rc < 0) {
        discard(conn);
        return rc;
    }
    timer_start(conn->timer, handshake_timeout_ns(conn));
    *ret = conn;
    return 0;
}

int conn_accept_take(const struct conn_setup *setup, struct stream *stream,
                     const struct conn_events *events, void *user, struct conn **ret)
{
    const struct conn_target nobody = {.name = "", .key = ""};
    struct conn *conn = conn_new(setup, &nobody, events, user);
    int rc;

    if (conn == NULL) {
        stream_free(stream);
        return GP_ENOMEM;
    }
    conn->side = HELLO_SERVER;
    conn->state = CONN_HELLO;
    stream_peer_addr(stream, &conn->addr);
    conn->is_local = addr_is_local(&conn->addr);
    rc = stream_read_start(stream, &conn_reader, conn);
    if (rc < 0) {
        stream_free(stream);
        discard(conn);
        return rc;
    }
    conn->stream = stream;
    timer_start(conn->timer, handshake_timeout_ns(conn));
    *ret = conn;
    return 0;
}

/* ---- questions ---- */

bool conn_is_ready(const struct conn *conn)
{
    return conn->state == CONN_READY;
}

bool conn_wants_crc(const struct conn *conn)
{
    return !conn->is_local;
}

size_t conn_unsent_bytes(const struct conn *conn)
{
    const size_t pending = conn->pending != NULL ? buf_len(&conn->pending->bytes) : 0;

    return pending + (conn->stream != NULL ? stream_write_queue_bytes(conn->stream) : 0);
}

const struct hello *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

void conn_peer_addr(const struct conn *conn, struct net_addr *ret)
{
    *ret = conn->addr;
}

const struct conn_counts *conn_counts(const struct conn *conn)
{
    return &conn->counts;
}
