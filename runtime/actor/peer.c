/*
 * Peers: their connections come and go. Those that we dial are dialled again by dial.c.
 *
 *     came to us:  connection ─▶ up ─▶ down, freed
 *     dialled:     trying ─▶ up ─▶ down ─▶ trying ...
 *
 * Happy path: a connection becomes READY (on_conn_ready), the owner hears on_up; it closes
 * (on_conn_closed), the owner hears on_down, and a dialled peer tries again.
 *
 * Invariants in endpoint_internal.h. Every callback of the owner may drop this peer, or free the
 * endpoint; so callers hold the peer, and look at is_gone afterwards. A second connection of an
 * actor that has one already replaces it: the first is what its earlier life, or a broken network,
 * left behind. (Clients, masters and lanes may have several.)
 */
#include <stdlib.h>
#include <string.h>

#include "actor/endpoint_internal.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

/* ---- memory ---- */

void peer_hold(struct peer *peer)
{
    peer->refs++;
}

void peer_release(struct peer *peer)
{
    struct endpoint *ep = peer->ep;

    ASSERT(peer->refs > 0);
    if (--peer->refs > 0) {
        return;
    }
    ASSERT(peer->is_gone && peer->conn == NULL && list_is_empty(&peer->asks));
    map_u64_deinit(&peer->asks_by_correlation);
    map_u64_deinit(&peer->asks_open);
    dial_free(peer->dial);
    free(peer);
    endpoint_release(ep);
}

/* In the endpoint's list, which holds the reference. NULL without memory. */
struct peer *peer_new(struct endpoint *ep)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL) {
        return NULL;
    }
    peer->ep = ep;
    peer->id = ep->next_id + 1;
    if (map_u64_add(&ep->by_id, peer->id, peer) < 0) {
        free(peer);
        return NULL;
    }
    ep->next_id++;
    peer->refs = 1;
    list_node_init(&peer->node);
    list_push_back(&ep->peers, &peer->node);
    list_init(&peer->asks);
    map_u64_init(&peer->asks_by_correlation, ep->limits.asks_out_max, rng_u64(&ep->rng));
    map_u64_init(&peer->asks_open, ep->limits.asks_in_max, rng_u64(&ep->rng));
    endpoint_hold(ep);
    return peer;
}

/* ---- connections come and go ---- */

/* The connection, if any, ends; nothing of the owner is called. */
static void disconnect(struct peer *peer, const struct gp_error *err)
{
    struct endpoint *ep = peer->ep;

    if (peer->conn == NULL) {
        return;
    }
    if (err != NULL) {
        conn_close(peer->conn, err);
    }
    ep->counts.bytes_in += conn_counts(peer->conn)->bytes_in;
    ep->counts.bytes_out += conn_counts(peer->conn)->bytes_out;
    conn_free(peer->conn);
    peer->conn = NULL;
    if (peer->dial == NULL) {
        ep->accepted--;
        ep->strangers -= peer->was_up ? 0 : 1;
        endpoint_host_left(ep, peer->host);
    }
    ep->counts.disconnected += peer->was_up ? 1 : 0;
    peer->is_up = false;
    peer->was_up = false;
    while (map_u64_pop(&peer->asks_open) != NULL) {
    }
}

void peer_remove(struct peer *peer, const struct gp_error *err)
{
    if (peer->is_gone) {
        return;
    }
    disconnect(peer, err);
    peer->is_gone = true;
    dial_stop(peer->dial);
    (void)map_u64_remove(&peer->ep->by_id, peer->id);
    list_remove(&peer->node);
    peer_release(peer);
}

static void log_down(const struct peer *peer, const struct gp_error *why)
{
    LOG_INFO(peer->ep->port->log, "actor.disconnected", KV_STR("peer", peer_label(peer)),
             KV_CODE("code", why->code), KV_STR("why", why->text));
}

/* It was up, and is not any more: asks and owner hear of it. The caller holds the peer. */
static void go_down(struct peer *peer, const struct gp_error *why)
{
    struct endpoint *ep = peer->ep;

    log_down(peer, why);
    peer->is_up = false; /* nothing can be sent from inside the callbacks */
    asks_lose(peer, why);
    if (!peer->is_gone) {
        ep->events->on_down(ep->user, peer, why);
    }
    if (peer->is_gone) {
        return;
    }
    disconnect(peer, why);
    if (peer->dial == NULL) {
        peer_remove(peer, NULL);
    }
}

/* The connection that this one replaces; there is one at most. */
static struct peer *find_older(const struct peer *peer)
{
    const uint32_t unique =
        ROLE_BIT(ROLE_WORKER) | ROLE_BIT(ROLE_APPMASTER) | ROLE_BIT(ROLE_EXECUTOR);
    const struct address *a = &peer->address;

    if ((ROLE_BIT(a->role) & unique) == 0 || (a->role == ROLE_WORKER && a->id == 0)) {
        return NULL;
    }
    LIST_FOREACH (node, &peer->ep->peers) {
        struct peer *other = LIST_ENTRY(node, struct peer, node);

        if (other != peer && other->is_up && other->dial == NULL &&
            address_equal(&other->address, a)) {
            return other;
        }
    }
    return NULL;
}

static void replace_older(struct peer *peer)
{
    struct peer *older = find_older(peer);
    struct gp_error err;

    if (older == NULL) {
        return;
    }
    /* Not GP_ESTALE: which of the two is of the past their messages tell, and asks that end with
     * the connection must not look as if they had been answered so. */
    (void)gp_error_set(&err, GP_ECLOSED, "replaced by a newer connection of %s", peer_label(peer));
    peer_hold(older);
    older->is_back = true;
    go_down(older, &err);
    peer_release(older);
}

static void learn(struct peer *peer)
{
    struct endpoint *ep = peer->ep;
    const struct hello *hello = conn_peer(peer->conn);
    const int rc = address_parse(gp_str_of(hello->name), &peer->address);

    ASSERT(rc == 0); /* the handshake checked it */
    if (ep->identity.cluster[0] == '\0' && hello->cluster[0] != '\0') {
        /* Without memory it is learned from the next. */
        (void)endpoint_set_cluster(ep, hello->cluster);
    }
}

static void on_conn_ready(void *user, struct conn *conn)
{
    struct peer *peer = user;
    struct endpoint *ep = peer->ep;
    struct net_addr addr;

    peer_hold(peer);
    learn(peer);
    if (peer->dial == NULL) {
        ep->strangers--;
    } else {
        peer->dial->backoff_ns = 0;
        peer->dial->patience_ns = 0;
        peer->dial->was_slow = false;
    }
    peer->was_up = true;
    ep->counts.connected++;
    conn_peer_addr(conn, &addr);
    LOG_INFO(ep->port->log, "actor.connected", KV_STR("peer", peer_label(peer)),
             KV_STR("addr", addr.text), KV_BOOL("dialled", peer->dial != NULL));
    if (peer->dial == NULL) {
        replace_older(peer);
    }
    if (!peer->is_gone) {
        peer->is_up = true;
        ep->events->on_up(ep->user, peer);
    }
    if (peer->is_up) {
        asks_resend(peer);
    }
    peer_release(peer);
}

static void on_conn_frame(void *user, struct conn *conn, const struct frame_header *header,
                          const void *payload, struct rbuf *buf)
{
    struct peer *peer = user;

    (void)conn; /* the peer knows it */
    peer_hold(peer);
    inbox_take(peer, header, (gp_bytes){payload, header->length}, buf);
    peer_release(peer);
}

void peer_fail(struct peer *peer, const struct gp_error *err)
{
    if (peer->conn != NULL) {
        conn_close(peer->conn, err);
    }
}

/* A connection that never was up. */
static void handshake_failed(struct peer *peer, const struct gp_error *why)
{
    struct endpoint *ep = peer->ep;
    const bool nobody_there =
        why->code == GP_EUNREACH || why->code == GP_ENOENT || why->code == GP_ECLOSED;

    if (peer->dial == NULL || !nobody_there) {
        ep->counts.handshakes_failed++;
        endpoint_warn(ep, TROUBLE_HANDSHAKE, "actor.handshake_failed", peer,
                      peer->dial != NULL ? "dialled" : "accepted", why);
    }
    if (peer->dial != NULL) {
        follow_note_end(peer, why);
    }
    disconnect(peer, NULL);
    if (peer->dial == NULL) {
        peer_remove(peer, NULL);
    } else {
        dial_on(peer, why);
    }
}

/* Of what the peer sent, against which the connection defends itself. */
static bool is_offence(int code)
{
    return code == GP_EPROTO || code == GP_ETOOBIG || code == GP_ECHECKSUM;
}

static void on_conn_closed(void *user, struct conn *conn, const struct gp_error *why)
{
    struct peer *peer = user;
    struct endpoint *ep = peer->ep;
    const struct gp_error copy = *why; /* conn, and with it why, is freed below */

    ASSERT(conn == peer->conn);
    peer_hold(peer);
    if (is_offence(copy.code)) {
        ep->counts.frames_refused++;
        endpoint_warn(ep, TROUBLE_FRAME, "actor.frame_refused", peer,
                      peer->is_up ? "up" : "handshake", &copy);
    }
    if (!peer->is_up) {
        handshake_failed(peer, &copy);
    } else if (peer->dial == NULL) {
        go_down(peer, &copy);
    } else {
        follow_note_end(peer, &copy);
        peer->dial->is_over = peer->dial->once;
        go_down(peer, &copy);
        if (!peer->is_gone && !peer->dial->once && !follow_on(peer)) {
            dial_wait(peer);
        }
    }
    peer_release(peer);
}

static const struct conn_events conn_events = {
    .on_ready = on_conn_ready, .on_frame = on_conn_frame, .on_closed = on_conn_closed};

/* ---- the beginning and the end ---- */

int peer_connect(struct peer *peer, const struct net_addr *addr, const struct conn_target *target)
{
    return conn_dial(&peer->ep->setup, addr, target, &conn_events, peer, &peer->conn);
}

int peer_accept_take(struct endpoint *ep, struct stream *stream, const char *host,
                     struct peer **ret)
{
    struct peer *peer = peer_new(ep);
    int rc;

    if (peer == NULL) {
        stream_free(stream);
        return GP_ENOMEM;
    }
    rc = conn_accept_take(&ep->setup, stream, &conn_events, peer, &peer->conn);
    if (rc < 0) {
        peer_remove(peer, NULL);
        return rc;
    }
    memcpy(peer->host, host, strlen(host) + 1);
    ep->accepted++;
    ep->strangers++;
    *ret = peer;
    return 0;
}

/* told: what the other side hears, or NULL. */
static void let_go(struct peer *peer, const struct gp_error *told)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_ECANCELED, "the peer was let go");
    peer_hold(peer);
    if (peer->is_up) {
        log_down(peer, told != NULL ? told : &err);
    }
    peer_remove(peer, told);
    asks_end(peer, &err);
    peer_release(peer);
}

void peer_drop(struct peer *peer)
{
    let_go(peer, NULL);
}

void peer_dismiss(struct peer *peer, const struct gp_error *why)
{
    let_go(peer, why);
}

void peer_redial(struct peer *peer, const struct gp_error *why)
{
    ASSERT(peer->dial != NULL);
    if (peer->is_up) {
        peer_fail(peer, why);
    }
}

/* ---- questions ---- */

struct conn *peer_conn(struct peer *peer)
{
    return peer->is_up ? peer->conn : NULL;
}

bool peer_is_up(const struct peer *peer)
{
    return peer->is_up;
}

bool peer_may_live(const struct peer *peer)
{
    return peer->is_back || (peer->conn != NULL && conn_stood_still(peer->conn));
}

uint64_t peer_id(const struct peer *peer)
{
    return peer->id;
}

const struct hello *peer_hello(const struct peer *peer)
{
    return peer->conn != NULL ? conn_peer(peer->conn) : NULL;
}

const struct address *peer_address(const struct peer *peer)
{
    return &peer->address;
}

const char *peer_label(const struct peer *peer)
{
    const struct hello *hello = peer_hello(peer);

    if (hello != NULL && hello->name != NULL) {
        return hello->name;
    }
    return peer->dial != NULL && peer->dial->target[0] != '\0' ? peer->dial->target : "unknown";
}

void peer_net_addr(const struct peer *peer, struct net_addr *ret)
{
    if (peer->conn != NULL) {
        conn_peer_addr(peer->conn, ret);
    } else {
        *ret = peer->dial != NULL ? peer->dial->addrs[peer->dial->next] : (struct net_addr){{0}};
    }
}
