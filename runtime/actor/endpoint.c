/*
 * One actor's end of all its connections: life, listeners, limits on who may connect, logs.
 *
 * Happy path: endpoint_listen() opens a listener; a stream that comes in is counted against the
 * limits and becomes a peer (peer.c), whose messages go to the inbox (inbox.c).
 *
 * Life: the struct lives as long as its owner, its peers or a call under way refer to it, so that
 * endpoint_free() may be called from any callback; from then on nobody is called any more.
 *
 * Failures: too many connections, all in all, from one host, or of strangers: the newcomer is told
 * and closed, save that a flood of strangers pushes out its own oldest.
 */
#include "actor/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "actor/endpoint_internal.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

#define MS                  INT64_C(1000000)
#define TROUBLE_INTERVAL_NS (1000 * MS)
#define PEERS_MAX           65536

static void or_default_u32(uint32_t *limit, uint32_t otherwise)
{
    *limit = *limit != 0 ? *limit : otherwise;
}

static void or_default_ns(int64_t *limit, int64_t otherwise)
{
    *limit = *limit != 0 ? *limit : otherwise;
}

static void or_default_size(size_t *limit, size_t otherwise)
{
    *limit = *limit != 0 ? *limit : otherwise;
}

static void fill_limits(struct endpoint_limits *limits)
{
    or_default_u32(&limits->connections_max, 4096);
    or_default_u32(&limits->connections_per_host_max, 1024);
    or_default_u32(&limits->strangers_max, 128);
    or_default_u32(&limits->asks_in_max, 256);
    or_default_u32(&limits->asks_out_max, 4096);
    or_default_ns(&limits->handshake_timeout_ns, 5000 * MS);
    or_default_ns(&limits->failure_timeout_ns, 3000 * MS);
    or_default_ns(&limits->redial_min_ns, 10 * MS);
    or_default_ns(&limits->redial_max_ns, 1000 * MS);
    or_default_size(&limits->unsent_max, (size_t)4 << 20);
    or_default_size(&limits->read_size, (size_t)64 << 10);
    or_default_u32(&limits->read_kept_max, 64);
}

/* ---- life ---- */

void endpoint_hold(struct endpoint *ep)
{
    ep->refs++;
}

void endpoint_release(struct endpoint *ep)
{
    ASSERT(ep->refs > 0);
    if (--ep->refs > 0) {
        return;
    }
    map_u64_deinit(&ep->by_id);
    map_str_deinit(&ep->hosts);
    rbuf_pool_deinit(&ep->pool);
    free((char *)ep->identity.name);
    free((char *)ep->identity.cluster);
    free((char *)ep->identity.masters_hash);
    free((char *)ep->identity.leader);
    free(ep);
}

static int set_text(const char **text, const char *to)
{
    char *copy = str_dup(gp_str_of(to));

    if (copy == NULL) {
        return GP_ENOMEM;
    }
    free((char *)*text);
    *text = copy;
    return 0;
}

static void draw(struct endpoint *ep, void *ptr, size_t len)
{
    port_random(ep->port, ptr, len);
}

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    struct endpoint *ep = user;

    return ep->events->key_find(ep->user, key, role, name, ret, err);
}

static int admit(void *user, const struct hello *peer, struct gp_error *err)
{
    struct endpoint *ep = user;

    return ep->events->admit != NULL ? ep->events->admit(ep->user, peer, err) : 0;
}

static void set_up(struct endpoint *ep, const struct endpoint_config *config)
{
    uint64_t seeds[4];

    draw(ep, seeds, sizeof(seeds));
    ep->identity.role = config->role;
    ep->identity.incarnation = config->incarnation != 0 ? config->incarnation : seeds[0] | 1;
    rng_init(&ep->rng, seeds[1]);
    map_u64_init(&ep->by_id, PEERS_MAX, seeds[2]);
    map_str_init(&ep->hosts, ep->limits.connections_max, seeds[3], MAP_KEYS_OWNED);
    rbuf_pool_init(&ep->pool, ep->limits.read_size, ep->limits.read_kept_max, 4);
    list_init(&ep->peers);
    list_init(&ep->asks);
    for (size_t i = 0; i < ARRAY_LEN(ep->log_limits); i++) {
        ep->log_limits[i].interval_ns = TROUBLE_INTERVAL_NS;
    }
    ep->setup = (struct conn_setup){
        .port = ep->port,
        .loop = ep->loop,
        .pool = &ep->pool,
        .identity = &ep->identity,
        .handshake_timeout_ns = ep->limits.handshake_timeout_ns,
        .failure_timeout_ns = ep->limits.failure_timeout_ns,
        .unsent_max = ep->limits.unsent_max,
        .key_find = key_find,
        .admit = admit,
        .user = ep,
    };
}

int endpoint_new(const struct endpoint_config *config, struct endpoint **ret)
{
    struct endpoint *ep = calloc(1, sizeof(*ep));

    if (ep == NULL) {
        return GP_ENOMEM;
    }
    ep->port = config->port;
    ep->loop = config->loop != NULL ? config->loop : config->port->loop;
    ep->events = config->events;
    ep->user = config->user;
    ep->limits = config->limits;
    ep->refs = 1;
    fill_limits(&ep->limits);
    set_up(ep, config);
    if (set_text(&ep->identity.name, config->name) < 0 ||
        set_text(&ep->identity.cluster, config->cluster) < 0 ||
        set_text(&ep->identity.masters_hash, config->masters_hash) < 0 ||
        set_text(&ep->identity.leader, "") < 0 ||
        timer_new(ep->loop, asks_on_timer, ep, &ep->ask_timer) < 0) {
        endpoint_release(ep);
        return GP_ENOMEM;
    }
    *ret = ep;
    return 0;
}

void endpoint_free(struct endpoint *ep)
{
    if (ep == NULL || ep->is_freed) {
        return;
    }
    ep->is_freed = true;
    for (uint32_t i = 0; i < ep->listeners_count; i++) {
        net_listener_free(ep->listeners[i]);
    }
    while (!list_is_empty(&ep->peers)) {
        struct peer *peer = LIST_ENTRY(list_first(&ep->peers), struct peer, node);

        asks_drop(peer);
        peer_remove(peer, NULL);
    }
    timer_free(ep->ask_timer);
    ep->ask_timer = NULL;
    endpoint_release(ep);
}

int endpoint_set_name(struct endpoint *ep, const char *name)
{
    return set_text(&ep->identity.name, name);
}

int endpoint_set_cluster(struct endpoint *ep, const char *cluster)
{
    return set_text(&ep->identity.cluster, cluster);
}

int endpoint_set_leader(struct endpoint *ep, const char *leader)
{
    return set_text(&ep->identity.leader, leader);
}

/* ---- logs ---- */

void endpoint_warn(struct endpoint *ep, enum endpoint_trouble trouble, const char *event,
                   const struct peer *peer, const char *what, const struct gp_error *why)
{
    struct net_addr addr = {{0}};
    uint64_t held_back = 0;

    if (!log_limit_pass(&ep->log_limits[trouble], loop_now_ns(ep->loop), &held_back)) {
        return;
    }
    peer_net_addr(peer, &addr);
    LOG_WARN(ep->port->log, event, KV_STR("peer", peer_label(peer)), KV_STR("addr", addr.text),
             KV_STR("what", what), KV_CODE("code", why->code), KV_STR("why", why->text),
             KV_U64("held_back", held_back));
}

/* ---- who may connect ---- */

/* "127.0.0.1" of "127.0.0.1:40312"; everybody on a Unix socket is one host. */
static void host_of(struct stream *stream, char ret_host[NET_ADDR_MAX])
{
    struct net_addr addr = {{0}};
    gp_str host;
    gp_str port;

    stream_peer_addr(stream, &addr);
    (void)str_cut_last(gp_str_of(addr.text), ':', &host, &port);
    if (str_starts_with(host, GP_STR("unix"))) {
        host = GP_STR("unix");
    }
    memcpy(ret_host, host.ptr, host.len);
    ret_host[host.len] = '\0';
}

static uintptr_t host_count(const struct endpoint *ep, const char *host)
{
    return (uintptr_t)map_str_get(&ep->hosts, gp_str_of(host));
}

static int host_came(struct endpoint *ep, const char *host)
{
    void *old;

    return map_str_set(&ep->hosts, gp_str_of(host), (void *)(host_count(ep, host) + 1), &old);
}

void endpoint_host_left(struct endpoint *ep, const char *host)
{
    const uintptr_t count = host_count(ep, host);
    void *old;

    ASSERT(count > 0);
    if (count == 1) {
        (void)map_str_remove(&ep->hosts, gp_str_of(host));
    } else {
        /* Replacing takes no memory and so cannot fail. */
        (void)map_str_set(&ep->hosts, gp_str_of(host), (void *)(count - 1), &old);
    }
}

/* Whoever has been in the handshake for longest makes room. */
static void drop_oldest_stranger(struct endpoint *ep)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_EFULL, "too many connections wait for their handshake");
    LIST_FOREACH (node, &ep->peers) {
        struct peer *peer = LIST_ENTRY(node, struct peer, node);

        if (peer->dial == NULL && !peer->is_up) {
            ep->counts.refused++;
            endpoint_warn(ep, TROUBLE_HANDSHAKE, "actor.connection_refused", peer, "stranger",
                          &err);
            peer_remove(peer, &err);
            return;
        }
    }
}

static int check_room(const struct endpoint *ep, const char *host, struct gp_error *err)
{
    if (ep->accepted >= ep->limits.connections_max) {
        return gp_error_set(err, GP_EFULL, "%s has all the %u connections it may have",
                            ep->identity.name, ep->limits.connections_max);
    }
    if (host_count(ep, host) >= ep->limits.connections_per_host_max) {
        return gp_error_set(err, GP_EFULL, "%s has all the %u connections it may have from %s",
                            ep->identity.name, ep->limits.connections_per_host_max, host);
    }
    return 0;
}

static void on_accepted(void *user, struct stream *stream)
{
    struct endpoint *ep = user;
    char host[NET_ADDR_MAX];
    struct gp_error err = {0};
    struct peer *peer;
    int refused;

    host_of(stream, host);
    refused = check_room(ep, host, &err);
    if (refused == 0 && ep->strangers >= ep->limits.strangers_max) {
        drop_oldest_stranger(ep);
    }
    if (host_came(ep, host) < 0) {
        stream_free(stream);
        return;
    }
    if (peer_accept_take(ep, stream, host, &peer) < 0) {
        endpoint_host_left(ep, host);
        return;
    }
    if (refused < 0) {
        ep->counts.refused++;
        endpoint_warn(ep, TROUBLE_HANDSHAKE, "actor.connection_refused", peer, "full", &err);
        peer_remove(peer, &err);
    } else {
        ep->counts.accepted++;
    }
}

int endpoint_listen(struct endpoint *ep, const struct net_addr *addr, struct net_addr *ret_addr,
                    struct gp_error *err)
{
    struct net_addr real;
    struct listener *listener;
    int rc;

    if (ep->listeners_count == ENDPOINT_LISTENERS_MAX) {
        return gp_error_set(err, GP_EFULL, "no more than %u listeners", ENDPOINT_LISTENERS_MAX);
    }
    rc = net_listen(ep->loop, addr, on_accepted, ep, &listener, err);
    if (rc < 0) {
        return rc;
    }
    ep->listeners[ep->listeners_count++] = listener;
    net_listener_addr(listener, &real);
    LOG_INFO(ep->port->log, "actor.listening", KV_STR("name", ep->identity.name),
             KV_STR("addr", real.text));
    if (ret_addr != NULL) {
        *ret_addr = real;
    }
    return 0;
}

/* ---- questions ---- */

uint64_t endpoint_incarnation(const struct endpoint *ep)
{
    return ep->identity.incarnation;
}

const struct endpoint_counts *endpoint_counts(const struct endpoint *ep)
{
    return &ep->counts;
}

struct peer *endpoint_peer(struct endpoint *ep, uint64_t id)
{
    return map_u64_get(&ep->by_id, id);
}
