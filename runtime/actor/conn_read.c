/*
 * Bytes from the stream to frames for the owner.
 *
 * Happy path: the stream reads all it has behind tail; each whole frame between head and tail is
 * checked (header when its 32 bytes are there, checksum when all of it is) and handed out in place;
 * then the buffer, if it is empty, goes back to the pool. So an idle connection holds no buffer.
 *
 * Moving: only a partial frame is ever copied: to the front of the buffer, or of a fresh one when
 * somebody keeps a payload in it; into one of its own size when the frame is longer than a buffer
 * of the pool; and when a data frame does not begin at a multiple of 8 (a peer that pads
 * otherwise).
 *
 * Through shared memory the stream shows what came: whole batches are handed out where they lie, of
 * everything else just the bytes of the frame are copied, as if they had been read.
 *
 * Failures: a bad header or checksum means that the next frame cannot be found, so the connection
 * ends, and the peer is told. No memory: reading pauses until the next tick.
 */
#include <string.h>

#include "actor/conn_internal.h"
#include "actor/payload.h"
#include "base/assert.h"
#include "base/endian.h"
#include "base/str.h"
#include "wire/messages.h"

#define DATA_ALIGN 8

/* Bytes of the frame at head, as far as they are known to be needed. */
static size_t frame_need(const struct conn *conn)
{
    return FRAME_HEADER_SIZE + (conn->header_known ? conn->header.length : 0);
}

/* Puts [head, tail) at the start of a buffer with room for `need` bytes. */
static int move_to_front(struct conn *conn, size_t need)
{
    const size_t have = conn->tail - conn->head;
    struct rbuf *buf = conn->buf;

    if (buf != NULL && buf->refs == 1 && need <= buf->capacity) {
        memmove(buf->ptr, buf->ptr + conn->head, have);
    } else {
        buf = need <= conn->setup->pool->capacity ? rbuf_get(conn->setup->pool) : rbuf_new(need);
        if (buf == NULL) {
            return GP_ENOMEM;
        }
        if (have > 0) {
            memcpy(buf->ptr, conn->buf->ptr + conn->head, have);
        }
        rbuf_unref(conn->buf);
        conn->buf = buf;
    }
    conn->head = 0;
    conn->tail = have;
    return 0;
}

/* The frame at head must fit behind head, and a read is worth a system call only with some room. */
static int make_room(struct conn *conn)
{
    const size_t need = frame_need(conn);

    if (conn->buf != NULL && conn->buf->capacity - conn->head >= need &&
        (conn->head == 0 || conn->buf->capacity - conn->tail >= conn->buf->capacity / 2)) {
        return 0;
    }
    return move_to_front(conn, need);
}

static void *on_alloc(void *user, size_t *ret_len)
{
    struct conn *conn = user;

    if (make_room(conn) < 0) {
        conn->is_starved = true;
        return NULL;
    }
    *ret_len = conn->buf->capacity - conn->tail;
    ASSERT(*ret_len > 0);
    return conn->buf->ptr + conn->tail;
}

/* ---- frames of the connection itself ---- */

static void take_close(struct conn *conn, gp_bytes payload)
{
    struct wire_error what;
    struct gp_error err = {0};

    if (payload_decode(conn->setup->port, &wire_error_fields, payload, &what, &err) < 0) {
        conn_fail(conn, &err, true);
        return;
    }
    if (what.code == GP_ETIMEOUT && conn->state == CONN_READY) {
        conn->was_given_up = true; /* by one who lives: we stood still, perhaps */
        (void)gp_error_set(&err, GP_ECLOSED, "the peer gave us up: %s", what.text);
    } else if (what.code < 0 && what.code > INT32_MIN) {
        (void)gp_error_set(&err, (int)what.code, "%s", what.text);
        gp_error_hint(&err, "%s", what.hint);
        (void)str_format(conn->leader.text, sizeof(conn->leader.text), "%s", what.leader);
    } else {
        (void)gp_error_set(&err, GP_EPROTO, "the peer closed with code %lld", (long long)what.code);
    }
    fields_deinit(&wire_error_fields, &what);
    conn_fail(conn, &err, false);
}

static void answer_ping(struct conn *conn)
{
    const struct frame_header pong = {.type = MSG_PONG};
    const int rc = conn_send_frame(conn, &pong, (gp_bytes){NULL, 0});

    if (rc < 0 && rc != GP_EAGAIN) {
        conn_refuse(conn, rc, "sending failed: %s", error_sentence(rc));
    }
}

static void take_own_frame(struct conn *conn, const struct frame_header *header, gp_bytes payload)
{
    const uint16_t type = header->type;
    const bool is_ready = conn->state == CONN_READY;

    switch (type) {
    case MSG_CLOSE:
        take_close(conn, payload);
        break;
    case MSG_PING:
    case MSG_PONG:
        if (!is_ready) {
            conn_refuse(conn, GP_EPROTO, "%s before the handshake", message_type_name(type));
        } else if (type == MSG_PING) {
            answer_ping(conn);
        }
        break;
    case MSG_SHARE:
    case MSG_SHARED:
        if (!is_ready) {
            conn_refuse(conn, GP_EPROTO, "%s before the handshake", message_type_name(type));
        } else {
            conn_share_frame(conn, header, payload);
        }
        break;
    default: /* HELLO and PROOF; next_header() lets nothing else through */
        if (is_ready) {
            conn_refuse(conn, GP_EPROTO, "%s after the handshake", message_type_name(type));
        } else {
            conn_greeting_frame(conn, type, payload);
        }
        break;
    }
}

/* ---- from bytes to frames ---- */

static bool is_data(uint16_t type)
{
    return type >= MSG_DATA && type < MSG_CONTROL;
}

/* What holds for a header beyond its own bounds, by state and type. */
static int check_header(struct conn *conn, const struct frame_header *header, struct gp_error *err)
{
    const bool is_own = header->type < MSG_DATA;

    if (is_own && (header->type < MSG_HELLO || header->type > MSG_SHARED)) {
        return gp_error_set(err, GP_EPROTO, "unknown frame type %u", header->type);
    }
    if (is_own && header->kind != (header->type == MSG_CLOSE ? FRAME_ERROR : FRAME_TELL) &&
        !(header->type == MSG_SHARED && header->kind == FRAME_ERROR)) {
        return gp_error_set(err, GP_EPROTO, "%s frame of kind %u", message_type_name(header->type),
                            header->kind);
    }
    if (!header->has_crc && !(conn->is_local && is_data(header->type))) {
        return gp_error_set(err, GP_EPROTO, "frame without a checksum");
    }
    if (conn->state == CONN_READY) {
        const uint32_t max = conn->setup->payload_max;

        return max > 0 && header->length > max
                   ? gp_error_set(err, GP_ETOOBIG, "frame of %u bytes, at most %u are allowed",
                                  header->length, max)
                   : 0;
    }
    conn->greeting->bytes_in += FRAME_HEADER_SIZE + header->length;
    if (!is_own) {
        return gp_error_set(err, GP_EACCES, "%s before the handshake",
                            message_type_name(header->type));
    }
    if (conn->greeting->bytes_in > FRAME_GREETING_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "more than %u bytes before the handshake is over",
                            FRAME_GREETING_MAX);
    }
    return 0;
}

/* Reads the header of the frame at head. 1: known; 0: more bytes are needed; negative. */
static int next_header(struct conn *conn, struct gp_error *err)
{
    unsigned char bytes[FRAME_HEADER_SIZE] = {0};
    const size_t have = conn->tail - conn->head;
    int rc;

    if (conn->header_known) {
        return 1;
    }
    /* Four bytes are enough to know a stranger by, who may not send more before he is answered. */
    if (have < sizeof(uint32_t) ||
        (have < FRAME_HEADER_SIZE && get_u32_le(conn->buf->ptr + conn->head) == FRAME_MAGIC)) {
        return 0;
    }
    memcpy(bytes, conn->buf->ptr + conn->head, have < FRAME_HEADER_SIZE ? have : FRAME_HEADER_SIZE);
    rc = frame_header_decode(bytes, &conn->header, err);
    if (rc == 0) {
        rc = check_header(conn, &conn->header, err);
    }
    if (rc < 0) {
        return rc;
    }
    conn->header_known = true;
    return 1;
}

/* The whole frame at head is there. */
static int take_frame(struct conn *conn, struct gp_error *err)
{
    const struct frame_header header = conn->header;
    const size_t total = FRAME_HEADER_SIZE + header.length;
    const unsigned char *at;
    gp_bytes payload;

    if (conn->head % DATA_ALIGN != 0 && is_data(header.type) && move_to_front(conn, total) < 0) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    at = conn->buf->ptr + conn->head;
    payload = (gp_bytes){at + FRAME_HEADER_SIZE, header.length};
    if (frame_check(at, payload.ptr, payload.len) < 0) {
        return gp_error_set(err, GP_ECHECKSUM, "%s frame with a wrong checksum",
                            message_type_name(header.type));
    }
    conn->head += total;
    conn->header_known = false;
    conn->counts.frames_in++;
    if (header.type < MSG_DATA) {
        take_own_frame(conn, &header, payload);
    } else {
        conn->events->on_frame(conn->user, conn, &header, payload.ptr, conn->buf);
    }
    return 0;
}

/* Hands out all whole frames; stops when one of them ended the connection. */
static int take_frames(struct conn *conn, struct gp_error *err)
{
    int rc = 0;

    while (rc == 0 && conn->state != CONN_CLOSED) {
        rc = next_header(conn, err);
        if (rc <= 0) {
            return rc;
        }
        if (conn->tail - conn->head < frame_need(conn)) {
            return 0;
        }
        rc = take_frame(conn, err);
    }
    return rc;
}

static void take_end(struct conn *conn, int code)
{
    const bool is_partial = conn->tail > conn->head;
    struct gp_error err;

    if (code == GP_ECLOSED) {
        (void)gp_error_set(&err, code,
                           is_partial ? "closed in the middle of a frame"
                                      : "the peer closed the connection");
    } else {
        (void)gp_error_set(&err, code, "reading failed: %s", error_sentence(code));
    }
    conn_fail(conn, &err, false);
}

static void on_read(void *user, int64_t n)
{
    struct conn *conn = user;
    struct gp_error err = {0};

    if (n < 0) {
        take_end(conn, (int)n);
        return;
    }
    ASSERT(conn->buf != NULL && (uint64_t)n <= conn->buf->capacity - conn->tail);
    conn_hold(conn);
    conn->tail += (size_t)n;
    conn->counts.bytes_in += (uint64_t)n;
    conn_hear(conn);
    if (take_frames(conn, &err) < 0) {
        conn_fail(conn, &err, true);
    }
    if (conn->state != CONN_CLOSED && conn->head == conn->tail) {
        rbuf_unref(conn->buf);
        conn->buf = NULL;
        conn->head = 0;
        conn->tail = 0;
    }
    conn_release(conn);
}

/* ---- where they lie, in shared memory ---- */

/* Of a few rows not even the copy is worth a loan. */
#define LENT_MIN 4096u

/* Whether a whole frame begins at `at`. What is wrong is found by reading it as usual. */
static bool is_whole(const struct conn *conn, const uint8_t *at, size_t len,
                     struct frame_header *ret)
{
    uint64_t head[FRAME_HEADER_SIZE / 8];
    struct gp_error err = {0};

    if (conn->tail > conn->head || len < FRAME_HEADER_SIZE || (uintptr_t)at % DATA_ALIGN != 0) {
        return false;
    }
    for (size_t i = 0; i < FRAME_HEADER_SIZE / 8; i++) {
        put_u64_le(&head[i], get_u64_le_once(at + 8 * i));
    }
    return frame_header_decode(head, ret, &err) == 0 && ret->length <= len - FRAME_HEADER_SIZE;
}

/* Whether it may stay where it is. */
static bool is_lendable(struct conn *conn, const struct frame_header *header)
{
    struct gp_error err = {0};

    return conn->state == CONN_READY && header->type == MSG_BATCH && !header->has_crc &&
           header->length >= LENT_MIN && check_header(conn, header, &err) == 0;
}

/* Hands out the frame at offset `from` of what is shown. False: it could not be lent. */
static bool take_lent(struct conn *conn, const uint8_t *shown, size_t from,
                      const struct frame_header *header)
{
    const size_t total = FRAME_HEADER_SIZE + header->length;
    struct stream_loan *loan = stream_lend(conn->stream, from + total);
    struct rbuf *buf = loan != NULL ? rbuf_new_lent_take(shown + from, total, loan) : NULL;

    if (buf == NULL) {
        return false;
    }
    conn->counts.bytes_in += total;
    conn->counts.frames_in++;
    conn_hear(conn);
    conn->events->on_frame(conn->user, conn, header, buf->ptr + FRAME_HEADER_SIZE, buf);
    rbuf_unref(buf);
    return true;
}

/* Copies what is missing of the frame under way, no more: the next may stay. 0: no memory. */
static size_t take_copy(struct conn *conn, const uint8_t *at, size_t len)
{
    const size_t need = frame_need(conn) - (conn->tail - conn->head);
    size_t room;
    void *to = on_alloc(conn, &room);

    if (to == NULL) {
        return 0;
    }
    len = len < need ? len : need;
    len = len < room ? len : room;
    memcpy(to, at, len);
    on_read(conn, (int64_t)len);
    return len;
}

/* A frame that is not all there at the end is left for the next time, when it may stay, too. */
static size_t on_lent(void *user, const void *ptr, size_t len)
{
    const uint8_t *shown = ptr;
    struct conn *conn = user;
    struct frame_header header;
    size_t used = 0;
    size_t n = 1;

    conn_hold(conn);
    while (n > 0 && used < len && conn->state != CONN_CLOSED) {
        const bool whole = is_whole(conn, shown + used, len - used, &header);

        if (!whole && used > 0 && conn->tail == conn->head) {
            break;
        }
        if (whole && is_lendable(conn, &header) && take_lent(conn, shown, used, &header)) {
            n = FRAME_HEADER_SIZE + header.length;
        } else {
            n = take_copy(conn, shown + used, len - used);
        }
        used += n;
    }
    conn_release(conn);
    return used;
}

const struct stream_reader conn_reader = {
    .alloc = on_alloc, .on_read = on_read, .on_lent = on_lent};
