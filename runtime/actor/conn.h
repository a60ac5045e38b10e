/*
 * conn.h: one connection: a stream that speaks in frames once both sides have proven who they are.
 *
 *     CONNECTING ─▶ HELLO ─▶ PROOF ─▶ READY ─▶ CLOSED        any may move to CLOSED
 *
 * Serves control and data plane alike. Receiving: frames are handed out in place, checked, in
 * order; payloads of the data plane are aligned to 8. Sending: conn_send() copies small frames and
 * puts those that wait into one write; conn_send_raw() passes a whole frame by reference.
 *
 * A connection ends once, with one reason, told once by on_closed: closed by either side, broken,
 * silent for longer than the failure timeout (or than its owner is patient), or because of what the
 * peer sent. In the last case the peer is told why in a CLOSE frame. Nothing that a peer sends has
 * an effect beyond its own connection.
 *
 * Loop thread only; silent: whoever owns the connection logs. conn_free() may be called anywhere,
 * inside callbacks too; the memory lives on until the writes under way have been told.
 */
#ifndef ACTOR_CONN_H
#define ACTOR_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor/rbuf.h"
#include "port/port.h"
#include "wire/frame.h"
#include "wire/hello.h"

#define CONN_SECRET_MAX 1024u

struct conn;

/* A key as it was looked up; wiped by the connection after use. */
struct conn_key {
    uint8_t bytes[CONN_SECRET_MAX];
    size_t len;
};

/* Who we are, to everybody. Borrowed texts. */
struct conn_identity {
    enum role role;
    const char *name;         /* "worker/3" */
    const char *cluster;      /* id; "" or NULL: not known yet */
    const char *masters_hash; /* "" or NULL: does not matter */
    const char *leader;       /* told with GP_ENOTLEADER; "" or NULL: nobody knows */
    uint64_t incarnation;
};

/* Shared memory beneath connections to others on this host; counted over all of one owner. */
struct conn_share {
    size_t ring_bytes; /* of each ring, one each way; a power of two from 4 KiB; 0: no memory now */
    size_t max_bytes;  /* of all memory; further connections stay on their sockets */
    size_t used_bytes; /* read-only */
};

/* What all connections of one owner share; outlives them. Zero in a limit: its default. */
struct conn_setup {
    const struct port *port; /* randomness and JSON */
    struct loop *loop;
    struct rbuf_pool *pool;
    const struct conn_identity *identity;

    int64_t handshake_timeout_ns; /* 5 s */
    int64_t failure_timeout_ns;   /* 3 s */
    int64_t patience_ns;          /* of silence that ends it; 0: that. See on_silence */
    uint32_t payload_max;         /* of any frame that is received; FRAME_CONTROL_MAX */
    size_t unsent_max;            /* bytes of copied frames that wait; 4 MiB */
    struct conn_share *share;     /* NULL: bytes stay on their sockets */

    /*
     * The key with this id, for a peer of this role and name: fills ret and returns 0, or GP_EACCES
     * and the like with a text that says what to do.
     */
    int (*key_find)(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err);
    /* A last look at a peer that has proven itself; negative refuses. May be NULL. */
    int (*admit)(void *user, const struct hello *peer, struct gp_error *err);
    void *user;
};

struct conn_events {
    /* READY. Whoever closes inside gets no more callbacks. */
    void (*on_ready)(void *user, struct conn *conn);
    /*
     * A frame of an actor or of the data plane (not of the connection itself). payload is borrowed
     * until return, or kept with rbuf_keep(buf, ...). Its checksum was right. A batch may lie in
     * memory that the peer can still write to: rbuf_is_lent(buf).
     */
    void (*on_frame)(void *user, struct conn *conn, const struct frame_header *header,
                     const void *payload, struct rbuf *buf);
    /* Once, unless conn_free() came first. why is borrowed. conn_free() is still to be called. */
    void (*on_closed)(void *user, struct conn *conn, const struct gp_error *why);
    /* May be NULL. From now on bytes go through shared memory (0), or will not, and why. */
    void (*on_shared)(void *user, struct conn *conn, int status);
    /*
     * May be NULL. With more patience than the failure timeout: nothing was heard for that long, or
     * something is heard again. See conn_is_silent(). Nothing is closed or freed inside.
     */
    void (*on_silence)(void *user, struct conn *conn);
};

/* What a dialled connection wants to find; texts are copied. */
struct conn_target {
    const char *name;     /* "" or NULL: whoever answers */
    uint64_t incarnation; /* 0: any */
    const char *key;      /* "cluster", "app/7" */
    int64_t timeout_ns;   /* for all of the handshake; 0: the setup's */
};

/* Begins to connect. 0, GP_EINVAL (address), GP_ENOMEM; then no callback comes. */
int conn_dial(const struct conn_setup *setup, const struct net_addr *addr,
              const struct conn_target *target, const struct conn_events *events, void *user,
              struct conn **ret);

/* Takes an accepted stream, on failure too. */
int conn_accept_take(const struct conn_setup *setup, struct stream *stream,
                     const struct conn_events *events, void *user, struct conn **ret);

/* Ends the connection: what was sent before still goes out. No callback comes any more. NULL is
 * fine. */
void conn_free(struct conn *conn);

/* Tells the peer why in a CLOSE frame, then is as closed; on_closed follows from the loop. */
void conn_close(struct conn *conn, const struct gp_error *why);

/*
 * Sends a frame with a checksum; header->length, crc and flag are filled in here. The payload is
 * copied. 0; GP_ECLOSED (not READY); GP_EAGAIN: unsent_max is reached, the frame was not taken;
 * GP_ETOOBIG; GP_ENOMEM.
 */
int conn_send(struct conn *conn, const struct frame_header *header, gp_bytes payload);

/*
 * Sends one whole frame, header in front, sealed by the caller if conn_wants_crc(). Borrowed until
 * done, which comes exactly once if 0 was returned, even after conn_free(), from the loop.
 * GP_ECLOSED, GP_ENOMEM. How much may wait is the caller's to bound (conn_unsent_bytes()).
 */
int conn_send_raw(struct conn *conn, const void *frame, size_t len, net_written_fn done,
                  void *user);

/* False on streams that stay on this host, where data frames go without. */
bool conn_wants_crc(const struct conn *conn);
/* Whether nothing was heard for the failure timeout, and that is not our own fault: false when this
 * loop stood still, by the time it really is. */
bool conn_is_silent(const struct conn *conn, int64_t now_ns);
/* Whether bytes go through shared memory, both ways. */
bool conn_is_shared(const struct conn *conn);
/* stream_is_cramped(): what is kept of lent buffers leaves the peer little room. */
bool conn_is_cramped(const struct conn *conn);
size_t conn_unsent_bytes(const struct conn *conn);
/* From the peer's HELLO, valid from on_ready to conn_free(). */
const struct hello *conn_peer(const struct conn *conn);
void conn_peer_addr(const struct conn *conn, struct net_addr *ret);
/* After the peer closed with GP_ENOTLEADER: who leads, as it says; "" if it does not know. */
struct net_addr conn_leader(const struct conn *conn);
/* Whether its end says nothing about the peer's: the peer closed because it had heard nothing from
 * here, or may have, for this loop stood still until a moment ago. */
bool conn_stood_still(const struct conn *conn);
/* Frames and bytes since the beginning, headers included. */
struct conn_counts {
    uint64_t frames_in;
    uint64_t frames_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
};
const struct conn_counts *conn_counts(const struct conn *conn);

#endif
