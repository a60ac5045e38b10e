/*
 * endpoint_internal.h: what endpoint.c (life, listeners), peer.c (connections of peers), dial.c
 * (dialling them), follow.c (finding the leader), ask.c (asks we sent), inbox.c and outbox.c
 * (messages) share. Nobody else includes it.
 */
#ifndef ACTOR_ENDPOINT_INTERNAL_H
#define ACTOR_ENDPOINT_INTERNAL_H

#include "actor/endpoint.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/rng.h"

struct ask {
    struct list_node by_deadline; /* in endpoint.asks, earliest first */
    struct list_node by_order;    /* in peer.asks, oldest first */
    struct peer *peer;
    uint64_t correlation;
    int64_t deadline_ns;
    uint16_t type;
    bool is_sent;
    bool was_lost; /* sent, and then the connection broke */
    int refused;   /* the last answer: GP_ENOTLEADER, GP_ENOMEM; 0: none was */
    bool may_retry;
    bool may_follow;
    answer_fn fn;
    void *user;
    struct buf payload; /* kept while it may be sent again */
};

/* Where and how a dialled peer is to be found. */
struct dial {
    struct net_addr *addrs;
    uint32_t addrs_count;
    uint32_t next;  /* address to try */
    uint32_t tried; /* of this round */
    char *target;
    char *key;
    uint64_t target_incarnation;
    bool once;
    bool is_over; /* once, and it ended */
    int64_t backoff_ns;
    int64_t patience_ns; /* with the next address; 0: the first of a round */
    bool was_slow;       /* one of this pass might have answered to more patience */
    struct timer *timer; /* until the next round; while up and is_held: until asks go out again */

    struct net_addr leader; /* to be tried before the list; "": nobody */
    struct net_addr lost;   /* where nobody was, lately: who names it as leader does not know */
    char refused[128];      /* the latest words of one that does not lead */
    bool is_moving;         /* the connection ends for another master */
    bool is_held;           /* there is no leader: what was refused is sent again, here */
    int64_t follow_ns;      /* the latest wait for a leader; 0: none since an answer */
    int64_t leaderless_ns;  /* since when; 0: there was one */
};

/*
 * Invariants: a peer is in endpoint.peers until it is gone; conn is NULL between connections; is_up
 * from before on_up until before on_down; asks_open holds the correlations of what it asked and we
 * have not answered. refs: the list, and calls under way.
 */
struct peer {
    struct endpoint *ep;
    struct list_node node;
    uint64_t id;
    uint32_t refs;
    bool is_up;
    bool was_up;  /* on this connection */
    bool is_back; /* it has another one */
    bool is_gone; /* no callback comes any more */
    struct conn *conn;
    struct address address;
    char host[NET_ADDR_MAX]; /* accepted: for the limit per host */
    struct dial *dial;       /* NULL: it came to us */
    struct list asks;        /* ours, not answered yet */
    struct map_u64 asks_by_correlation;
    struct map_u64 asks_open;
};

/* refs: the owner, peers, calls under way. */
struct endpoint {
    const struct endpoint_events *events;
    void *user;
    const struct port *port;
    struct loop *loop;
    struct endpoint_limits limits; /* no zeros */
    struct conn_identity identity; /* its texts are owned */
    struct conn_setup setup;
    struct rbuf_pool pool;
    struct rng rng;
    struct listener *listeners[ENDPOINT_LISTENERS_MAX];
    uint32_t listeners_count;
    struct list peers; /* in the order they came */
    struct map_u64 by_id;
    struct map_str hosts; /* host -> number of accepted connections, as a pointer */
    uint32_t accepted;    /* accepted peers now */
    uint32_t strangers;   /* of these, not up yet */
    struct list asks;     /* of all peers, by deadline */
    struct timer *ask_timer;
    uint64_t next_id; /* of peers */
    uint64_t next_correlation;
    uint32_t refs;
    bool is_freed;
    struct log_limit log_limits[4]; /* by enum endpoint_trouble */
    struct endpoint_counts counts;
};

enum endpoint_trouble { TROUBLE_HANDSHAKE, TROUBLE_FRAME, TROUBLE_MESSAGE, TROUBLE_ASK };

/* ---- endpoint.c ---- */

void endpoint_hold(struct endpoint *ep);
void endpoint_release(struct endpoint *ep);

/* A survived trouble with a peer: logged at most once a second. */
void endpoint_warn(struct endpoint *ep, enum endpoint_trouble trouble, const char *event,
                   const struct peer *peer, const char *what, const struct gp_error *why);

/* An accepted connection left. */
void endpoint_host_left(struct endpoint *ep, const char *host);

/* ---- peer.c ---- */

struct peer *peer_new(struct endpoint *ep);
void peer_hold(struct peer *peer);
void peer_release(struct peer *peer);

/* A stream that came to us, from this host. Takes it. GP_ENOMEM. */
int peer_accept_take(struct endpoint *ep, struct stream *stream, const char *host,
                     struct peer **ret);

/* Ends without a callback, tells the other side why if err is not NULL. */
void peer_remove(struct peer *peer, const struct gp_error *err);

/* The connection ends because of what the peer did (or did not); on_down follows. */
void peer_fail(struct peer *peer, const struct gp_error *err);

/* What to call it in logs: its name, or its target. */
const char *peer_label(const struct peer *peer);

/* Makes a connection of a dialled peer. As conn_dial(). */
int peer_connect(struct peer *peer, const struct net_addr *addr, const struct conn_target *target);

/* ---- dial.c ---- */

/* Tries addresses until a connection is under way or the round is over. why: the last failure. */
void dial_on(struct peer *peer, const struct gp_error *why);
/* Waits, then begins the next round. */
void dial_wait(struct peer *peer);
/* No timer fires any more. NULL is fine, here and below. */
void dial_stop(struct dial *dial);
void dial_free(struct dial *dial);

/* ---- follow.c ---- */

/* An ask was answered with GP_ENOTLEADER: goes to `leader` ("": nobody knows), or asks again. */
void follow_refused(struct peer *peer, const char *leader);
/* The connection of a dialled peer, which it still has, ended or never came up. */
void follow_note_end(struct peer *peer, const struct gp_error *why);
/* It is down: dials the leader, or the next, if it was sent away; false: it was not. */
bool follow_on(struct peer *peer);
/* Somebody answered otherwise: this is the place to be. */
void follow_settled(struct peer *peer);

/* ---- ask.c ---- */

/* The reply or error frame to one of our asks. */
void asks_take_answer(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                      struct rbuf *buf);
/* The connection is there, or there may be a leader by now: sends what waits for it. */
void asks_resend(struct peer *peer);
/* The connection is lost: those that may retry wait, the others end with err. */
void asks_lose(struct peer *peer, const struct gp_error *err);
/* All end with err; no new one can come (the peer is gone, or its dialling is over). */
void asks_end(struct peer *peer, const struct gp_error *err);
/* All end, and nobody is told. */
void asks_drop(struct peer *peer);
void asks_on_timer(void *user);

/* ---- inbox.c ---- */

void inbox_take(struct peer *peer, const struct frame_header *header, gp_bytes payload,
                struct rbuf *buf);

/* ---- outbox.c ---- */

/* Encodes by the payload or reply table of a type. GP_ENOMEM, GP_ETOOBIG. */
int outbox_encode(const struct fields *table, const void *msg, struct buf *ret);

/* One control frame; a peer that does not read is ended. As peer_tell(). */
int outbox_send(struct peer *peer, uint16_t type, enum frame_kind kind, uint64_t correlation,
                gp_bytes payload);

#endif
