/*
 * conn.h: a connection and its two ends. Private to net.c, stream.c and conn.c.
 *
 *         end[0] ── way[0] ──▶ end[1]        0 is who connected
 *         end[0] ◀── way[1] ── end[1]        1 is who listened; NULL before the SYN arrives
 *
 * An end is a stream of some process; when its owner frees it, it leaves the connection, and what
 * it had sent goes on to the other. The connection is freed with its last end. Everything between
 * the two is an event of a way: bytes and the regular end arrive, room is reported back, a reset
 * comes.
 */
#ifndef SIM_CONN_H
#define SIM_CONN_H

#include "sim/pipe.h"
#include "sim/world.h"

struct sim_conn;

struct sim_way {
    struct sim_conn *conn;
    unsigned from; /* the end that sends */
    struct sim_pipe pipe;
    int64_t sent_ns; /* when the last byte is on the wire */
    struct sim_event arrival;
    struct sim_event room;  /* the sender learns that bytes were read */
    struct sim_event reset; /* the receiver learns that the sender is gone */
};

struct sim_conn {
    struct list_node node; /* in sim->conns */
    struct sim *sim;
    uint32_t id;
    struct sim_host *host[2];
    struct sim_stream *end[2];
    struct sim_way way[2];
    int64_t latency_ns;
    int64_t bytes_per_us;
    int64_t pid[2]; /* of those who made the ends */
    bool is_unix;
};

enum sim_stream_state {
    SIM_STREAM_CONNECTING,
    SIM_STREAM_OPEN,
    SIM_STREAM_FAILED, /* to connect */
    SIM_STREAM_ENDING, /* by stream_end(), bytes still queued */
    SIM_STREAM_CLOSED, /* out of the connection; callbacks of writes are owed */
};

struct sim_stream {
    struct stream base; /* first: what users see */
    struct sim_object object;
    struct sim_conn *conn;
    unsigned side;
    enum sim_stream_state state;
    bool is_broken; /* a reset came: nothing can be sent any more */
    struct net_addr peer;
    /* reading */
    const struct stream_reader *reader;
    void *reader_user;
    bool is_reading; /* from read_start until the end was told */
    bool is_paused;
    struct sim_call read_call;
    /* writing */
    struct list writes;  /* struct sim_write, not yet taken by the connection */
    struct list written; /* to be told */
    size_t queued_bytes;
    struct sim_call written_call;
    struct sim_event linger;
    struct sim_call linger_call;
    /* connecting (net.c) */
    struct net_addr target;
    net_connect_fn on_connected;
    void *connect_user;
    struct sim_event syn;
    struct sim_event syn_answered;
    struct sim_call connected_call;
    int64_t syn_first_ns;
    int status;
    /* accepting (net.c) */
    struct list_node backlog_node;
};

/* ---- conn.c: between the ends ---- */

/* A connection with one end so far. NULL without memory. */
struct sim_conn *sim_conn_new(struct sim_stream *client);

/* The listener's side joins; latency, window and rate are drawn. */
void sim_conn_join(struct sim_conn *conn, struct sim_stream *server);

/* This end leaves; frees the connection if it was the last. */
void sim_conn_leave(struct sim_conn *conn, unsigned side);

/* Bytes put into way[side] set out. */
void sim_conn_send(struct sim_conn *conn, unsigned side, size_t size);

/* Bytes were taken from way[1 - side]: the other end will know. */
void sim_conn_took(struct sim_conn *conn, unsigned side);

/* Breaks it for both ends, as a firewall would. */
void sim_conn_break(struct sim_conn *conn);

/* ---- stream.c: what the connection tells an end ---- */

struct sim_stream *sim_stream_new(struct sim_loop *l, unsigned side);
/* From here on the user owns it. */
void sim_stream_hand_over(struct sim_stream *s);
void sim_stream_close(struct sim_stream *s);
void sim_stream_on_readable(struct sim_stream *s);
void sim_stream_on_room(struct sim_stream *s);
void sim_stream_on_reset(struct sim_stream *s);

static inline struct sim_loop *sim_stream_loop(const struct sim_stream *s)
{
    return sim_loop_of(s->base.loop);
}

int sim_stream_read_start(struct stream *stream, const struct stream_reader *reader, void *user);
void sim_stream_read_resume(struct stream *stream);
int sim_stream_write(struct stream *stream, const struct net_buf *bufs, uint32_t count,
                     net_written_fn fn, void *user);
size_t sim_stream_write_queue_bytes(const struct stream *stream);
void sim_stream_end(struct stream *stream);
void sim_stream_free(struct stream *stream);

/* ---- net.c ---- */

/* Stops connecting; called when the stream closes. */
void sim_net_give_up(struct sim_stream *s);

#endif
