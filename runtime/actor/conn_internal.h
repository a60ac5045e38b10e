/*
 * conn_internal.h: one connection from inside: what conn.c (life, silence), conn_read.c (bytes to
 * frames), conn_write.c (frames to bytes), conn_greet.c (the handshake) and conn_share.c (to shared
 * memory) have in common. Nobody else includes it.
 */
#ifndef ACTOR_CONN_INTERNAL_H
#define ACTOR_CONN_INTERNAL_H

#include "actor/conn.h"
#include "base/buf.h"

enum conn_state {
    CONN_CONNECTING, /* dialled: on_connected is owed */
    CONN_HELLO,      /* the peer's HELLO is awaited */
    CONN_PROOF,      /* the peer's PROOF is awaited */
    CONN_READY,
    CONN_CLOSED, /* on_closed is owed, or was told */
};

enum conn_share_state {
    CONN_SHARE_NONE,
    CONN_SHARE_OFFERED,  /* the client waits for the server's word */
    CONN_SHARE_ANSWERED, /* the server writes to memory and waits for the client */
    CONN_SHARE_DONE,
    CONN_SHARE_REFUSED,
};

#define CONN_SHARE_HEAD 4096u /* beside the rings */

/* Copied frames, going out in one write. */
struct conn_block {
    struct conn *conn;
    struct buf bytes;
};

/* What only the handshake needs. */
struct conn_greeting {
    char *target;
    char *key_id;
    uint64_t target_incarnation;
    int64_t timeout_ns;
    struct buf own; /* payloads of the two hellos, as they travelled */
    struct buf peer;
    struct conn_key key;
    size_t bytes_in; /* of frames before READY */
};

/*
 * Invariants: stream is NULL exactly in CLOSED; greeting is NULL from READY or CLOSED on; of buf,
 * [head, tail) is received and not yet handed out, and buf is NULL when that is empty; writes
 * counts blocks given to the stream, each of which holds a reference.
 */
struct conn {
    const struct conn_setup *setup;
    const struct conn_events *events;
    void *user;
    enum conn_state state;
    enum hello_side side;
    bool is_local; /* the bytes never leave this host */
    bool is_freed; /* the owner let go: no more callbacks */
    bool is_told;  /* on_closed was called */
    bool is_silent;
    bool was_given_up; /* by the peer, who heard nothing from here */
    uint32_t refs;     /* the owner, blocks being written, calls under way */
    struct stream *stream;
    struct timer *timer; /* end of the handshake, then ticks, then telling on_closed */
    struct gp_error why;
    struct hello peer;
    struct net_addr addr;
    struct net_addr leader; /* of a CLOSE with GP_ENOTLEADER */
    struct conn_greeting *greeting;

    enum conn_share_state share_state;
    size_t shared_bytes; /* counted in setup->share */

    struct rbuf *buf;
    size_t head;
    size_t tail;
    struct frame_header header;
    bool header_known; /* header is that of the frame at head */
    bool is_starved;   /* there was no memory to read into; the next tick tries again */

    struct conn_block *pending; /* being filled */
    struct conn_block *spare;
    uint32_t writes;
    int64_t heard_ns;
    int64_t awake_ns; /* since when we listen without a break of half the failure timeout */
    int64_t due_ns;   /* when the timer was to fire */
    struct conn_counts counts;
};

/* ---- conn.c ---- */

/* Asserts that the move is allowed. */
void conn_move(struct conn *conn, enum conn_state state);

/* Something was heard. */
void conn_hear(struct conn *conn);

/* Ends the connection because of err; tell: in a CLOSE frame too. Only the first call counts. */
void conn_fail(struct conn *conn, const struct gp_error *err, bool tell);
/* The same, made from a code and printf-style text. */
void conn_refuse(struct conn *conn, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void conn_hold(struct conn *conn);
void conn_release(struct conn *conn);

/* From HELLO or PROOF to READY: the keys are wiped, ticks begin, the owner is told. */
void conn_become_ready(struct conn *conn);

/* ---- conn_write.c ---- */

/* As conn_send(), in any state that has a stream. */
int conn_send_frame(struct conn *conn, const struct frame_header *header, gp_bytes payload);
/* A struct as JSON in a frame; on failure the connection ends. */
void conn_send_struct(struct conn *conn, uint16_t type, enum frame_kind kind,
                      const struct fields *table, const void *s);

/* Gives the frames that wait to the stream, in one write. When it fails they still wait. */
int conn_flush(struct conn *conn);
void conn_block_free(struct conn_block *block); /* NULL is fine */

/* ---- conn_read.c ---- */

extern const struct stream_reader conn_reader;

/* ---- conn_share.c ---- */

/* Whether this side would go over to shared memory. */
bool conn_wants_share(const struct conn *conn);
/* READY: offers it, if that is for us to do. */
void conn_share_begin(struct conn *conn);
/* A SHARE or SHARED frame of a connection that is READY. */
void conn_share_frame(struct conn *conn, const struct frame_header *header, gp_bytes payload);
/* The stream is gone. */
void conn_share_release(struct conn *conn);

/* ---- conn_greet.c ---- */

/* Sends our HELLO. */
void conn_greet(struct conn *conn);
/* A HELLO or PROOF that arrived before READY. */
void conn_greeting_frame(struct conn *conn, uint16_t type, gp_bytes payload);
/* Wipes the key. NULL is fine. */
void conn_greeting_free(struct conn_greeting *greeting);

#endif
