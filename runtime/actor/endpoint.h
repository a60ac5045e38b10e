/*
 * endpoint.h: all that one actor says and hears: its listeners, its connections, its asks.
 *
 * A peer is the other end. One that we dialled is kept as long as we want it: when its connection
 * breaks it is dialled again, by turns at each of its addresses, with a jittered wait between 10 ms
 * and 1 s. One that came to us lives from on_up to the return of on_down. To watch a peer is to
 * wait for its on_down.
 *
 * Messages are structs with a field table (wire/messages.h): encoded, decoded and bounded here, and
 * refused unless the peer's role may send them. An ask is answered once: by a reply, an error, its
 * deadline or the loss of the peer. An ask may be marked to survive the loss of a dialled peer:
 * then it is sent again on the next connection, so it must be harmless twice.
 *
 * Of several masters one leads. Those that do not say so (GP_ENOTLEADER, with the leader's address
 * if they know it, see endpoint_set_leader()), in an answer or as they end a connection; then a
 * dialled peer goes there, and asks that follow (ASK_FOLLOW, ASK_RETRY) are sent there within their
 * deadlines: follow.c.
 *
 * A peer that sends what it must not loses its connection, is counted and, at most once a second,
 * logged; nobody else notices.
 *
 * Loop thread only. Everything may be called from inside callbacks, endpoint_free() too.
 * Events logged: actor.listening, actor.connected, actor.disconnected, actor.handshake_failed,
 * actor.connection_refused, actor.frame_refused, actor.message_refused, actor.ask_timed_out,
 * actor.ask_retried, actor.dial_failed, actor.redirected.
 */
#ifndef ACTOR_ENDPOINT_H
#define ACTOR_ENDPOINT_H

#include "actor/address.h"
#include "actor/conn.h"
#include "wire/messages.h"

#define ENDPOINT_LISTENERS_MAX 4u

struct endpoint;
struct peer;

/* Zero: the default that stands here. */
struct endpoint_limits {
    uint32_t connections_max;          /* 4096, accepted ones */
    uint32_t connections_per_host_max; /* 1024, from one address */
    uint32_t strangers_max;            /* 128 that have not proven themselves; the oldest goes */
    uint32_t asks_in_max;              /* 256 unanswered, of one peer */
    uint32_t asks_out_max;             /* 4096 unanswered, to one peer */
    int64_t handshake_timeout_ns;      /* 5 s */
    int64_t failure_timeout_ns;        /* 3 s */
    int64_t redial_min_ns;             /* 10 ms */
    int64_t redial_max_ns;             /* 1 s */
    size_t unsent_max;                 /* 4 MiB a connection */
    size_t read_size;                  /* 64 KiB: buffers connections read into */
    uint32_t read_kept_max;            /* 64: buffers that others may keep */
};

struct endpoint_counts {
    uint64_t accepted;
    uint64_t refused;   /* too many connections */
    uint64_t connected; /* became READY, either way */
    uint64_t disconnected;
    uint64_t handshakes_failed;
    uint64_t frames_refused;
    uint64_t messages_refused; /* not decodable, or not for this role */
    uint64_t asks_timed_out;
    uint64_t asks_retried;
    uint64_t redirects; /* connections moved to another master */
    uint64_t messages_in;
    uint64_t messages_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* Where an answer goes. A small value: keep it and answer when you can. */
struct reply_token {
    uint64_t peer;        /* peer_id() */
    uint64_t correlation; /* 0: it was a tell, nobody waits */
    uint16_t type;
};

struct incoming {
    uint16_t type;
    struct reply_token token;
    void *msg;        /* struct of the type's payload table, freed after return: take what you keep
                         and leave NULL; NULL for a binary type */
    gp_bytes bytes;   /* of a binary type */
    struct rbuf *buf; /* holds bytes */
};

/* How an ask ended. */
struct answer {
    int code;                   /* 0, or negative */
    const struct gp_error *err; /* when negative */
    void *msg;                  /* as in incoming, by the reply table; NULL on error or if binary */
    gp_bytes bytes;
    struct rbuf *buf;
};
typedef void (*answer_fn)(void *user, struct peer *peer, const struct answer *answer);

struct endpoint_events {
    void (*on_up)(void *user, struct peer *peer);
    /* The connection is gone (or, of a peer that is not dialled again, never came). A peer that
     * came to us is freed after return. why is borrowed. */
    void (*on_down)(void *user, struct peer *peer, const struct gp_error *why);
    /*
     * A message. For an ask: answer now or later with endpoint_reply(); or return a negative code
     * (with text in err), which is sent as the answer. Of a tell the code is only logged.
     * GP_EUNSUPPORTED is the right one for a type that is not meant for this actor.
     */
    int (*on_message)(void *user, struct peer *peer, struct incoming *in, struct gp_error *err);
    /* Data plane and raft frames (types below MSG_CONTROL), as they came. NULL: refused. */
    void (*on_frame)(void *user, struct peer *peer, const struct frame_header *header,
                     const void *payload, struct rbuf *buf);
    /* All addresses of a peer that is dialled again were tried in vain. May be NULL. */
    void (*on_unreachable)(void *user, struct peer *peer, const struct gp_error *why);
    /* See struct conn_setup. */
    int (*key_find)(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err);
    int (*admit)(void *user, const struct hello *peer, struct gp_error *err); /* may be NULL */
};

struct endpoint_config {
    const struct port *port; /* borrowed, outlives the endpoint */
    struct loop *loop;       /* NULL: port->loop */
    enum role role;
    const char *name;    /* copied, as the texts below */
    const char *cluster; /* "" or NULL: learned from the first peer that knows */
    const char *masters_hash;
    uint64_t incarnation; /* 0: drawn here */
    struct endpoint_limits limits;
    const struct endpoint_events *events; /* borrowed, outlives the endpoint */
    void *user;
};

int endpoint_new(const struct endpoint_config *config, struct endpoint **ret);

/* Ends everything; what was sent goes out. No callback comes any more: open asks are dropped. NULL
 * is fine. */
void endpoint_free(struct endpoint *ep);

/* Opens a listener; *ret_addr (may be NULL) is the address with its real port. As net_listen(). */
int endpoint_listen(struct endpoint *ep, const struct net_addr *addr, struct net_addr *ret_addr,
                    struct gp_error *err);

/* For connections from now on: when a worker learns its id, a node its cluster. GP_ENOMEM. */
int endpoint_set_name(struct endpoint *ep, const char *name);
int endpoint_set_cluster(struct endpoint *ep, const char *cluster);

/* From now on each GP_ENOTLEADER that we answer says who leads: "host:port", or "" for nobody. */
int endpoint_set_leader(struct endpoint *ep, const char *leader);

uint64_t endpoint_incarnation(const struct endpoint *ep);
const struct endpoint_counts *endpoint_counts(const struct endpoint *ep);

struct dial_spec {
    const struct net_addr *addrs; /* tried in order; copied. Of masters: see follow.c */
    uint32_t addrs_count;         /* 1 .. 16 */
    const char *target;           /* name that must answer; NULL: anybody */
    uint64_t target_incarnation;  /* 0: any */
    const char *key;              /* "cluster", "app/7" */
    bool once; /* each address once; then, or when the connection is lost, on_down, and no more */
};

/* on_up or (once) on_down follows from the loop. 0, GP_EINVAL, GP_ENOMEM. */
int endpoint_dial(struct endpoint *ep, const struct dial_spec *spec, struct peer **ret);

/*
 * Lets a peer go: its connection ends (what was sent goes out), open asks end with GP_ECANCELED
 * from inside, no on_down comes. For dialled peers, and for those that came and are unwanted. The
 * pointer is dead after return.
 */
void peer_drop(struct peer *peer);

/* Ends the connection of a dialled peer, which is told why: on_down follows, and the next address
 * is tried. Nothing happens when it is not up. */
void peer_redial(struct peer *peer, const struct gp_error *why);

/* Where a dialled peer is looked for from now on, as in dial_spec; what is up stays. GP_EINVAL,
 * GP_ENOMEM. */
int peer_set_addrs(struct peer *peer, const struct net_addr *addrs, uint32_t count);

/* As peer_drop(), and the peer is told why: with GP_ENOTLEADER it goes to the leader. */
void peer_dismiss(struct peer *peer, const struct gp_error *why);

/* Sends the struct of this type's payload table (NULL: an empty one). 0, GP_ECLOSED (not up),
 * GP_EAGAIN (the peer does not read), GP_ETOOBIG, GP_ENOMEM. */
int peer_tell(struct peer *peer, uint16_t type, const void *msg);

/* Both of a dialled peer. */
#define ASK_RETRY 1u /* wait for it, and send again after a loss, or to the leader */
#define ASK_FOLLOW                                                                                 \
    2u              /* send again while there is no leader, or it has no memory for this; ends with
                         the connection */
#define ASK_HERE 4u /* with ASK_RETRY: ask this one, whoever leads */

/*
 * Asks; fn is called exactly once, from the loop, unless the endpoint is freed first. timeout_ns >
 * 0. Errors as in peer_tell(), GP_EFULL (asks_out_max); then fn is not called.
 */
int peer_ask(struct peer *peer, uint16_t type, const void *msg, int64_t timeout_ns, uint32_t flags,
             answer_fn fn, void *user);
int peer_ask_bytes(struct peer *peer, uint16_t type, gp_bytes bytes, int64_t timeout_ns,
                   uint32_t flags, answer_fn fn, void *user);

/*
 * Answers an ask, at any time, once. 0; GP_ECLOSED: the peer has gone, nobody waits; GP_ENOENT:
 * already answered; and as peer_tell(). After GP_ETOOBIG the ask is still open. A token of a tell
 * is answered by nothing, with 0.
 */
int endpoint_reply(struct endpoint *ep, struct reply_token token, const void *msg);
int endpoint_reply_bytes(struct endpoint *ep, struct reply_token token, gp_bytes bytes);
int endpoint_reply_error(struct endpoint *ep, struct reply_token token, const struct gp_error *err);

/* Whoever owns the connection of the data plane sends on it directly; NULL when not up. */
struct conn *peer_conn(struct peer *peer);
bool peer_is_up(const struct peer *peer);
/* In on_down: that its connection ended says nothing about its life, for it has another one
 * already, or it was us who stood still. It is to be expected again. */
bool peer_may_live(const struct peer *peer);
/* Never reused in the life of an endpoint. */
uint64_t peer_id(const struct peer *peer);
struct peer *endpoint_peer(struct endpoint *ep, uint64_t id); /* NULL: gone */
/* As it introduced itself on its present (in on_down: last) connection. */
const struct hello *peer_hello(const struct peer *peer);
const struct address *peer_address(const struct peer *peer);
/* Of its connection, for people: "127.0.0.1:40312". */
void peer_net_addr(const struct peer *peer, struct net_addr *ret);

#endif
