/*
 * stream_hub.c: see stream_hub.h.
 *
 * Happy path of a dialled neighbour: hub_attach → hub_dial → on_ready → neighbour_stream_up. Of one
 * that dials: hub_accept_take → on_ready → (lane known?) bind → neighbour_stream_up. Failures: a
 * stranger is refused in the handshake; one that has no place here is closed with the reason.
 */
#include "data/stream_hub.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/lane.h"
#include "data/neighbour_stream.h"
#include "wire/messages.h"

#define READ_SIZE       (256u << 10) /* of one read: several frames */
#define READ_KEPT_MAX   256u         /* buffers that rows may be kept in */
#define READ_FREE_MAX   4u
#define UNSENT_MAX      ((size_t)64 << 20) /* credit that waits; bounded by the count of accounts */
#define RING_SHARED_MIN ((size_t)4096)

/*
 * A lane in a long call of user code answers no ping and is well all the same. Dead processes and
 * hosts are found out by the executor's control connections, whose thread runs no user code; a path
 * between two lanes that swallows what is sent is found out by what both sides say of its silence
 * (reach.h). The connection outlives that, and the rows on it, as long as this.
 */
#define LANE_PATIENCE_NS INT64_C(10000000000)

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    const struct stream_hub *hub = (const struct stream_hub *)user;

    if (role != ROLE_LANE || !str_eq(key, gp_str_of(hub->who.key))) {
        return gp_error_set(err, GP_EACCES, "%.*s is no lane of %s", STR_ARG(name), hub->who.key);
    }
    memcpy(ret->bytes, hub->who.token, hub->who.token_len);
    ret->len = hub->who.token_len;
    return 0;
}

/*
 * Two rings for each pair. Who dials decides, who is dialled may not know the job yet. A ring that
 * is full is a sleep for its writer, so a few neighbours have large ones.
 */
static void set_share(struct stream_hub *hub, const struct data_options *options, uint32_t pairs)
{
    const bool wanted = options->edge_mode == EDGE_MODE_AUTO || options->edge_mode == EDGE_MODE_SHM;
    const uint32_t even = options->shm_bytes / (pairs > 0 ? pairs : 1);
    uint32_t bytes = even > SHARED_LEAST_BYTES ? even : SHARED_LEAST_BYTES;
    size_t ring = RING_SHARED_MIN;

    bytes = bytes < options->shm_bytes ? bytes : options->shm_bytes;
    while (2 * ring <= bytes / 2) {
        ring *= 2;
    }
    hub->share.ring_bytes = wanted ? ring : 0;
    hub->share.max_bytes = options->shm_lane_bytes;
}

void hub_init(struct stream_hub *hub, const struct port *port, const struct stream_identity *who,
              uint32_t lane, const struct log *log)
{
    const struct address address = {
        .role = ROLE_LANE, .app = who->app, .id = who->executor, .lane = lane};
    const struct data_options options = data_options_default();

    *hub = (struct stream_hub){.port = port, .who = *who, .log = log};
    (void)address_format(&address, hub->name);
    hub->identity = (struct conn_identity){
        .role = ROLE_LANE, .name = hub->name, .cluster = "", .incarnation = who->incarnation};
    list_init(&hub->conns);
    set_share(hub, &options, 1);
    rbuf_pool_init(&hub->pool, READ_SIZE, READ_KEPT_MAX, READ_FREE_MAX);
}

void hub_deinit(struct stream_hub *hub)
{
    rbuf_pool_deinit(&hub->pool);
}

void hub_start(struct stream_hub *hub, struct loop *loop)
{
    hub->setup = (struct conn_setup){.port = hub->port,
                                     .loop = loop,
                                     .pool = &hub->pool,
                                     .identity = &hub->identity,
                                     .failure_timeout_ns = hub->who.failure_timeout_ns,
                                     .patience_ns = LANE_PATIENCE_NS,
                                     .payload_max = BATCH_BODY_SIZE,
                                     .unsent_max = UNSENT_MAX,
                                     .share = &hub->share,
                                     .key_find = key_find,
                                     .user = hub};
}

void stream_conn_free(struct stream_conn *sc)
{
    if (sc) {
        list_remove(&sc->node);
        conn_free(sc->conn);
        free(sc);
    }
}

static void refuse(struct stream_conn *sc, const char *why)
{
    struct gp_error err = {0};

    (void)gp_error_set(&err, GP_ESTATE, "%s", why);
    conn_close(sc->conn, &err); /* on_closed follows */
}

/* Gives a proven connection that came to us to the neighbour it is from. */
static void bind(struct stream_conn *sc)
{
    struct lane *lane = sc->hub->lane;
    const struct hello *peer = conn_peer(sc->conn);
    struct address address;
    int index;

    if (address_parse(gp_str_of(peer->name), &address) < 0 || address.role != ROLE_LANE ||
        address.app != sc->hub->who.app) {
        refuse(sc, "not a lane of this application");
        return;
    }
    index = topology_find_lane(lane->topology, address.id, address.lane);
    if (index < 0 || !lane->neighbours[index] ||
        lane->neighbours[index]->kind != NEIGHBOUR_STREAM) {
        refuse(sc, "no such neighbour");
        return;
    }
    if (!neighbour_stream_bind(lane->neighbours[index], sc, peer->incarnation)) {
        refuse(sc, "not awaited");
        return;
    }
    sc->neighbour = lane->neighbours[index];
    neighbour_stream_up(sc->neighbour);
}

static void on_ready(void *user, struct conn *conn)
{
    struct stream_conn *sc = (struct stream_conn *)user;

    (void)conn;
    sc->ready = true;
    if (sc->neighbour) {
        neighbour_stream_up(sc->neighbour);
    } else if (sc->hub->lane) {
        bind(sc);
    }
}

static void on_frame(void *user, struct conn *conn, const struct frame_header *header,
                     const void *payload, struct rbuf *buf)
{
    struct stream_conn *sc = (struct stream_conn *)user;

    (void)conn;
    if (!sc->neighbour) {
        refuse(sc, "data before its time");
        return;
    }
    neighbour_stream_frame(sc->neighbour, header, payload, buf);
}

static void on_shared(void *user, struct conn *conn, int status)
{
    struct stream_conn *sc = (struct stream_conn *)user;

    (void)conn;
    if (status < 0) {
        LOG_INFO(sc->hub->log, "link.not_shared", KV_STR("lane", sc->hub->name),
                 KV_CODE("code", status), KV_U64("lane_bytes", sc->hub->share.used_bytes));
        return;
    }
    LOG_DEBUG(sc->hub->log, "link.shared", KV_STR("lane", sc->hub->name),
              KV_U64("lane_bytes", sc->hub->share.used_bytes));
    if (sc->neighbour) {
        neighbour_stream_shared(sc->neighbour);
    }
}

static void on_silence(void *user, struct conn *conn)
{
    const struct stream_conn *sc = (const struct stream_conn *)user;

    if (sc->neighbour) {
        neighbour_stream_silent(sc->neighbour,
                                conn_is_silent(conn, loop_now_ns(sc->hub->setup.loop)));
        lane_ask_news(sc->hub->lane, LANE_ASK_ENDS); /* the appmaster waits for it */
    }
}

static void on_closed(void *user, struct conn *conn, const struct gp_error *why)
{
    struct stream_conn *sc = (struct stream_conn *)user;
    struct neighbour *p = sc->neighbour;

    (void)conn;
    if (!p) {
        LOG_WARN(sc->hub->log, "lane.stranger_left", KV_STR("lane", sc->hub->name),
                 KV_CODE("code", why->code), KV_STR("text", why->text));
        stream_conn_free(sc);
        return;
    }
    neighbour_stream_down(p, why); /* frees sc */
}

static const struct conn_events events = {
    .on_ready = on_ready,
    .on_frame = on_frame,
    .on_shared = on_shared,
    .on_silence = on_silence,
    .on_closed = on_closed,
};

static struct stream_conn *new_conn(struct stream_hub *hub)
{
    struct stream_conn *sc = (struct stream_conn *)calloc(1, sizeof(*sc));

    if (sc) {
        sc->hub = hub;
        list_node_init(&sc->node);
        list_push_back(&hub->conns, &sc->node);
    }
    return sc;
}

void hub_accept_take(struct stream_hub *hub, struct stream *stream)
{
    struct stream_conn *sc = new_conn(hub);

    if (!sc) {
        stream_free(stream);
        return;
    }
    if (conn_accept_take(&hub->setup, stream, &events, sc, &sc->conn) < 0) {
        stream_conn_free(sc);
    }
}

int hub_dial(struct stream_hub *hub, struct neighbour *p, const struct stream_place *place,
             bool by_tcp, struct stream_conn **ret)
{
    const struct address address = {
        .role = ROLE_LANE, .app = hub->who.app, .id = place->executor, .lane = place->lane};
    char name[ADDRESS_TEXT_MAX];
    const struct conn_target target = {.name = address_format(&address, name),
                                       .incarnation = place->incarnation,
                                       .key = hub->who.key};
    struct stream_conn *sc = new_conn(hub);
    int rc;

    if (!sc) {
        return GP_ENOMEM;
    }
    sc->neighbour = p;
    rc = conn_dial(&hub->setup,
                   place->unix_socket.text[0] && !by_tcp ? &place->unix_socket : &place->tcp,
                   &target, &events, sc, &sc->conn);
    if (rc < 0) {
        stream_conn_free(sc);
        return rc;
    }
    *ret = sc;
    return 0;
}

void hub_attach(struct stream_hub *hub, struct lane *lane)
{
    hub->lane = lane;
    LIST_FOREACH_SAFE(node, &hub->conns)
    {
        struct stream_conn *sc = LIST_ENTRY(node, struct stream_conn, node);

        if (sc->ready) {
            bind(sc);
        }
    }
    hub_begin(hub);
}

void hub_begin(struct stream_hub *hub)
{
    const struct lane *lane = hub->lane;
    uint32_t pairs = 0;

    for (uint32_t i = 0; i < lane->other_count; i++) {
        const struct neighbour *p = lane->others[i];

        pairs += p->kind == NEIGHBOUR_STREAM && p->edge_kind != EDGE_TCP;
    }
    set_share(hub, lane->options, pairs);
    for (uint32_t i = 0; i < lane->other_count; i++) {
        if (lane->others[i]->kind == NEIGHBOUR_STREAM) {
            neighbour_stream_begin(lane->others[i], hub);
        }
    }
}

void hub_close(struct stream_hub *hub)
{
    hub->closing = true;
    while (!list_is_empty(&hub->conns)) {
        struct stream_conn *sc = LIST_ENTRY(list_first(&hub->conns), struct stream_conn, node);

        if (sc->neighbour) {
            neighbour_stream_end(sc->neighbour);
        } else {
            stream_conn_free(sc);
        }
    }
}
