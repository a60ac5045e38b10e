/*
 * nodes.h: two actors that write down what happens to them, for tests of endpoints.
 */
#ifndef NODES_H
#define NODES_H

#include "actor/endpoint.h"
#include "fake_port.h"
#include "gp_test.h"

#define SECOND INT64_C(1000000000)
#define MS_NS  INT64_C(1000000)

struct node {
    struct endpoint *ep;
    struct net_addr addr;
    const char *secret; /* of every key; NULL: none is known */
    struct peer *peer;  /* the latest that came up */
    int ups;
    int downs;
    int unreachable;
    int messages;
    int frames;
    struct gp_error why;      /* of the latest down or unreachable */
    struct reply_token token; /* of the latest ask */
    char text[256];           /* app of the latest msg_app_ref */
    int fail_with;            /* on_message answers this */
    bool reply_at_once;
    bool free_on_message;
    bool drop_on_down;
    bool may_live; /* of the latest down */
};

static inline void node_on_up(void *user, struct peer *peer)
{
    struct node *n = user;

    n->ups++;
    n->peer = peer;
}

static inline void node_on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct node *n = user;

    n->downs++;
    n->why = *why;
    n->may_live = peer_may_live(peer);
    if (n->peer == peer) {
        n->peer = NULL;
    }
    if (n->drop_on_down) {
        peer_drop(peer);
    }
}

static inline void node_on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct node *n = user;

    (void)peer;
    n->unreachable++;
    n->why = *why;
}

static inline int node_on_message(void *user, struct peer *peer, struct incoming *in,
                                  struct gp_error *err)
{
    struct node *n = user;
    const struct msg_app_summary summary = {.id = 7, .name = (char *)"seven"};

    (void)peer;
    n->messages++;
    n->token = in->token;
    if (in->type == MSG_APP_KILL || in->type == MSG_APP_DESCRIBE) {
        const struct msg_app_ref *ref = in->msg;

        (void)snprintf(n->text, sizeof(n->text), "%s", ref->app);
    }
    if (n->free_on_message) {
        endpoint_free(n->ep);
        n->ep = NULL;
        return 0;
    }
    if (n->fail_with < 0) {
        return gp_error_set(err, n->fail_with, "because");
    }
    if (n->reply_at_once) {
        GP_CHECK_EQ(endpoint_reply(n->ep, in->token, &summary), 0);
    }
    return 0;
}

static inline void node_on_frame(void *user, struct peer *peer, const struct frame_header *header,
                                 const void *payload, struct rbuf *buf)
{
    struct node *n = user;

    (void)peer;
    (void)buf;
    GP_CHECK_EQ((uintptr_t)payload % 8, 0);
    GP_CHECK(header->type == MSG_BATCH || header->type == MSG_CREDIT);
    n->frames++;
}

static inline int node_key_find(void *user, gp_str key, uint32_t role, gp_str name,
                                struct conn_key *ret, struct gp_error *err)
{
    struct node *n = user;

    (void)role;
    (void)name;
    if (n->secret == NULL) {
        return gp_error_set(err, GP_EACCES, "no key %.*s here", (int)key.len, key.ptr);
    }
    ret->len = strlen(n->secret);
    memcpy(ret->bytes, n->secret, ret->len);
    return 0;
}

static const struct endpoint_events node_events = {
    .on_up = node_on_up,
    .on_down = node_on_down,
    .on_message = node_on_message,
    .on_unreachable = node_on_unreachable,
    .key_find = node_key_find,
};

static const struct endpoint_events lane_events = {
    .on_up = node_on_up,
    .on_down = node_on_down,
    .on_message = node_on_message,
    .on_frame = node_on_frame,
    .key_find = node_key_find,
};

static inline void node_init_as(struct node *n, struct fake *f, enum role role, const char *name,
                                const struct endpoint_events *events,
                                const struct endpoint_limits *limits)
{
    const struct net_addr any = fake_addr("127.0.0.1:0");
    struct endpoint_config config = {
        .port = &f->port, .role = role, .name = name, .events = events, .user = n};

    memset(n, 0, sizeof(*n));
    n->secret = "open sesame";
    n->reply_at_once = true;
    if (limits != NULL) {
        config.limits = *limits;
    }
    GP_REQUIRE_EQ(endpoint_new(&config, &n->ep), 0);
    if (role != ROLE_CLIENT) {
        GP_REQUIRE_EQ(endpoint_listen(n->ep, &any, &n->addr, NULL), 0);
    }
}

static inline void node_init(struct node *n, struct fake *f, enum role role, const char *name)
{
    node_init_as(n, f, role, name, &node_events, NULL);
}

static inline struct peer *node_dial(struct node *n, const struct net_addr *addr, const char *key,
                                     bool once)
{
    const struct dial_spec spec = {.addrs = addr, .addrs_count = 1, .key = key, .once = once};
    struct peer *peer = NULL;

    GP_REQUIRE_EQ(endpoint_dial(n->ep, &spec, &peer), 0);
    return peer;
}

/* An answer, written down. */
struct heard {
    int count;
    int code;
    char text[256];
    uint32_t id;
    size_t bytes_len;
};

static inline void on_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct heard *h = user;

    (void)peer;
    h->count++;
    h->code = answer->code;
    if (answer->code < 0) {
        (void)snprintf(h->text, sizeof(h->text), "%s", answer->err->text);
    } else if (answer->msg != NULL) {
        h->id = ((const struct msg_app_summary *)answer->msg)->id;
    }
    h->bytes_len = answer->bytes.len;
}

static const struct msg_app_ref seven = {.app = (char *)"seven"};

/* A master and a client that is connected to it. */
struct pair {
    struct fake f;
    struct node master;
    struct node client;
    struct peer *peer; /* the master, as the client sees it */
};

static inline void pair_init(struct pair *p, const struct endpoint_limits *limits)
{
    fake_init(&p->f);
    node_init_as(&p->master, &p->f, ROLE_MASTER, "master", &node_events, limits);
    node_init_as(&p->client, &p->f, ROLE_CLIENT, "client", &node_events, limits);
    p->peer = node_dial(&p->client, &p->master.addr, "cluster", false);
    fake_run(&p->f);
    GP_REQUIRE_EQ(p->client.ups, 1);
    GP_REQUIRE_EQ(p->master.ups, 1);
}

static inline void pair_deinit(struct pair *p)
{
    endpoint_free(p->client.ep);
    endpoint_free(p->master.ep);
    fake_deinit(&p->f);
}

#endif
