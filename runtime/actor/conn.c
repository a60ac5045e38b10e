/*
 * One connection: its life and its silence. Reading is in conn_read.c, writing in conn_write.c, the
 * handshake in conn_greet.c; conn_internal.h states the invariants.
 *
 *     CONNECTING ─▶ HELLO ─▶ PROOF ─▶ READY          any ─▶ CLOSED
 *
 * Happy path: conn_dial() connects, on_connected greets, the handshake makes it READY, frames go
 * both ways, conn_free() lets it go when what was queued is out. An accepted one begins in HELLO.
 * One timer serves in turn as deadline of the handshake, as tick, and to tell on_closed from the
 * loop, so that no callback comes from inside a call of the owner.
 *
 * Failures: whatever goes wrong ends in conn_fail(), which keeps the first reason. A peer is silent
 * when nothing was heard for the failure timeout although it was asked (PING) since two thirds of
 * it or earlier. Ticks come at thirds of it, on the beat (port/beat.h), so both sides tick
 * together: who dialled asks, and who was dialled only if that does not come, or both would always
 * ask at once. But a timer that comes late shows that we ourselves stood still (stopped, a paused
 * machine, a clock that jumped), and the peer may have stood still with us: such time is no silence
 * of the peer, and when it is half the timeout, the peer has a fresh period to be heard in, as has
 * a handshake under way. Nor is it silence of the peer's when it tells us of ours: who closes with
 * GP_ETIMEOUT lives.
 *
 * An owner may be patient, where a peer can be well and say nothing (a lane in user code). It
 * learns of the silence all the same, by a flag that each tick sets anew. Then nothing is asked any
 * more: a way that swallows bytes in one direction falls silent in both, and both sides know. What
 * was asked before is answered by whoever lives, however late, so it cannot stay so by itself.
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
#include "port/beat.h"
#include "wire/messages.h"

#define HANDSHAKE_TIMEOUT_NS INT64_C(5000000000)
#define FAILURE_TIMEOUT_NS   INT64_C(3000000000)
#define TICKS_PER_TIMEOUT    3

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

static int64_t patience_ns(const struct conn *conn)
{
    const int64_t ns = conn->setup->patience_ns;

    return ns > failure_timeout_ns(conn) ? ns : failure_timeout_ns(conn);
}

static int64_t handshake_timeout_ns(const struct conn *conn)
{
    const int64_t own_ns = conn->greeting->timeout_ns;
    const int64_t ns = own_ns > 0 ? own_ns : conn->setup->handshake_timeout_ns;

    return ns > 0 ? ns : HANDSHAKE_TIMEOUT_NS;
}

/* ---- memory ---- */

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
    conn_block_free(conn->pending);
    conn_block_free(conn->spare);
    fields_deinit(&hello_fields, &conn->peer);
    free(conn);
}

/* ---- the end ---- */

static void tell_peer(struct conn *conn, const struct gp_error *err)
{
    struct gp_error copy = *err;
    const struct wire_error what = {
        .code = copy.code,
        .text = copy.text,
        .hint = copy.hint,
        .leader = copy.code == GP_ENOTLEADER ? (char *)conn->setup->identity->leader : NULL};
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
    if (gracefully && conn->state != CONN_CONNECTING && conn_flush(conn) == 0) {
        stream_end(conn->stream);
    } else {
        stream_free(conn->stream);
    }
    conn->stream = NULL;
    conn_share_release(conn);
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

static void set_timer(struct conn *conn, int64_t delay_ns)
{
    conn->due_ns = loop_now_ns(conn->setup->loop) + delay_ns;
    timer_start(conn->timer, delay_ns);
}

static int64_t tick_ns(const struct conn *conn)
{
    return failure_timeout_ns(conn) / TICKS_PER_TIMEOUT;
}

static void set_tick(struct conn *conn)
{
    set_timer(conn, beat_delay_ns(loop_now_ns(conn->setup->loop), tick_ns(conn), 0));
}

/* After what silence it asks. The answer to the tick before came right after it. */
static int64_t ask_after_ns(const struct conn *conn)
{
    return conn->side == HELLO_CLIENT ? tick_ns(conn) / 2 : tick_ns(conn) / 2 * 3;
}

static void set_silent(struct conn *conn, bool is_silent)
{
    if (conn->is_silent != is_silent) {
        conn->is_silent = is_silent;
        if (conn->events->on_silence != NULL && !conn->is_freed) {
            conn->events->on_silence(conn->user, conn);
        }
    }
}

void conn_hear(struct conn *conn)
{
    conn->heard_ns = loop_now_ns(conn->setup->loop);
    if (conn->is_silent) {
        set_silent(conn, false);
    }
}

/* The timer comes so late that it was us who stood still. */
static bool is_late(const struct conn *conn, int64_t now_ns)
{
    return now_ns - conn->due_ns > failure_timeout_ns(conn) / 2;
}

bool conn_is_silent(const struct conn *conn, int64_t now_ns)
{
    return conn->is_silent && !is_late(conn, now_ns);
}

/* It may have spoken while we did not listen. */
static void forgive_our_own(struct conn *conn, int64_t now_ns)
{
    const int64_t late_ns = now_ns - conn->due_ns;

    if (late_ns > 0) {
        conn->heard_ns = late_ns < now_ns - conn->heard_ns ? conn->heard_ns + late_ns : now_ns;
    }
    if (is_late(conn, now_ns) || conn->is_starved) {
        conn->awake_ns = now_ns;
    }
    if (late_ns > patience_ns(conn) / 2 || conn->is_starved) {
        conn->heard_ns = now_ns;
    }
    if (conn->is_starved) {
        conn->is_starved = false;
        stream_read_resume(conn->stream);
    }
}

static void tick(struct conn *conn)
{
    const struct frame_header ping = {.type = MSG_PING};
    const int64_t now_ns = loop_now_ns(conn->setup->loop);
    const int64_t silence_ns = now_ns - conn->heard_ns;
    int64_t since_ns;
    int rc = 0;

    forgive_our_own(conn, now_ns);
    if (now_ns - conn->heard_ns >= patience_ns(conn)) {
        conn_refuse(conn, GP_ETIMEOUT, "nothing was heard for %lld ms",
                    (long long)(silence_ns / 1000000));
        return;
    }
    since_ns = conn->heard_ns > conn->awake_ns ? conn->heard_ns : conn->awake_ns;
    set_silent(conn, now_ns - since_ns >= failure_timeout_ns(conn));
    if (silence_ns >= ask_after_ns(conn) && !conn->is_silent) {
        rc = conn_send_frame(conn, &ping, (gp_bytes){NULL, 0});
    }
    if (rc < 0 && rc != GP_EAGAIN) {
        conn_refuse(conn, rc, "sending failed: %s", error_sentence(rc));
        return;
    }
    set_tick(conn);
}

static void greeting_over(struct conn *conn)
{
    const int64_t period_ns = handshake_timeout_ns(conn);

    if (is_late(conn, loop_now_ns(conn->setup->loop))) {
        set_timer(conn, period_ns);
        return;
    }
    conn_refuse(conn, GP_ETIMEOUT, "%s took longer than %lld ms",
                conn->state == CONN_CONNECTING ? "connecting" : "the handshake",
                (long long)(period_ns / 1000000));
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
        greeting_over(conn);
        break;
    }
}

void conn_become_ready(struct conn *conn)
{
    conn_move(conn, CONN_READY);
    conn_greeting_free(conn->greeting);
    conn->greeting = NULL;
    set_tick(conn);
    conn_hold(conn);
    conn->events->on_ready(conn->user, conn);
    conn_share_begin(conn);
    conn_release(conn);
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
    greeting->timeout_ns = target->timeout_ns;
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
    set_timer(conn, handshake_timeout_ns(conn));
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
    set_timer(conn, handshake_timeout_ns(conn));
    *ret = conn;
    return 0;
}

/* ---- questions ---- */

bool conn_wants_crc(const struct conn *conn)
{
    return !conn->is_local;
}

const struct hello *conn_peer(const struct conn *conn)
{
    return &conn->peer;
}

void conn_peer_addr(const struct conn *conn, struct net_addr *ret)
{
    *ret = conn->addr;
}

struct net_addr conn_leader(const struct conn *conn)
{
    return conn->leader;
}

bool conn_stood_still(const struct conn *conn)
{
    const int64_t now_ns = loop_now_ns(conn->setup->loop);

    return conn->was_given_up || is_late(conn, now_ns) ||
           (conn->awake_ns != 0 && now_ns - conn->awake_ns < failure_timeout_ns(conn));
}

const struct conn_counts *conn_counts(const struct conn *conn)
{
    return &conn->counts;
}
