/*
 * client.c: connections and asks; submitting is in submit.c.
 *
 * The masters are dialled in turn at the first ask, and the one that leads is kept; asks go out
 * with ASK_RETRY, so a connection that breaks is made again and they with it, to whoever leads
 * then, all within their time limits. But when every address was tried in vain and none ever
 * answered, the peer is dropped and its asks end with the reason, at once rather than at their time
 * limit: a person is waiting.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/client/internal.h"

#define TIMEOUT_DEFAULT_NS 10000000000

static int on_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    const struct client *c = user;

    (void)role;
    (void)name;
    if (!str_eq(key, GP_STR(HELLO_KEY_CLUSTER))) {
        return gp_error_set(err, GP_EACCES, "a client has no key '%.*s'", STR_ARG(key));
    }
    *ret = c->secret;
    return 0;
}

static void on_up(void *user, struct peer *peer)
{
    struct client *c = user;

    c->was_up = c->was_up || peer == c->master;
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    (void)user; /* what we dialled is dialled again, and nobody comes to us */
    (void)peer;
    (void)why;
}

/* One master: its error says it all. */
static void say_what_was_tried(struct client *c)
{
    char list[CLIENT_MASTERS_MAX * (NET_ADDR_MAX + 2)];
    size_t len = 0;

    for (uint32_t i = 0; i < c->master_count; i++) {
        int n =
            str_format(list + len, sizeof list - len, "%s%s", i ? ", " : "", c->masters[i].text);
        len += n > 0 ? (size_t)n : 0;
    }
    if (c->master_count > 1) {
        gp_error_prefix(&c->lost, "none of the %u masters answers (%s); the last", c->master_count,
                        list);
    }
}

static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct client *c = user;

    if (peer == c->master && c->was_up) {
        return; /* they will be back, or the time limit says that they are not */
    }
    for (uint32_t i = 0; i < CLIENT_DAEMONS_MAX; i++) {
        if (c->daemons[i].peer == peer) {
            c->daemons[i].peer = NULL;
        }
    }
    c->lost = *why;
    if (c->master == peer) {
        c->master = NULL;
        say_what_was_tried(c);
    }
    peer_drop(peer); /* its asks end from inside: on_answer() */
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    (void)user;
    (void)peer;
    (void)in;
    return gp_error_set(err, GP_EUNSUPPORTED, "clients are not asked");
}

static const struct endpoint_events events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = on_message,
    .on_unreachable = on_unreachable,
    .key_find = on_key_find,
};

int client_new(const struct client_options *options, struct client **ret, struct gp_error *err)
{
    struct client *c = calloc(1, sizeof *c);
    struct endpoint_config config = {
        .port = options->port, .role = ROLE_CLIENT, .name = "client", .events = &events, .user = c};
    int rc;

    if (!c) {
        return gp_error_set(err, GP_ENOMEM, "starting a client");
    }
    list_init(&c->acts);
    c->port = options->port;
    c->timeout_ns = options->timeout_ns ? options->timeout_ns : TIMEOUT_DEFAULT_NS;
    if (options->secret.len > sizeof c->secret.bytes || options->master_count == 0 ||
        options->master_count > CLIENT_MASTERS_MAX) {
        rc = gp_error_set(err, GP_EINVAL,
                          "1 to %u masters and a secret of at most %zu bytes are possible",
                          CLIENT_MASTERS_MAX, sizeof c->secret.bytes);
        goto cleanup;
    }
    memcpy(c->secret.bytes, options->secret.ptr, options->secret.len);
    c->secret.len = options->secret.len;
    for (uint32_t i = 0; i < options->master_count; i++) {
        if (str_format(c->masters[i].text, sizeof c->masters[i].text, "%s", options->masters[i]) <
            0) {
            rc = gp_error_set(err, GP_EINVAL, "'%s' is too long for an address",
                              options->masters[i]);
            goto cleanup;
        }
    }
    c->master_count = options->master_count;
    rc = endpoint_new(&config, &c->ep);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "starting a client: %s", error_sentence(rc));
    }
cleanup:
    if (rc < 0) {
        client_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void client_free(struct client *c)
{
    struct list_node *node;

    if (!c) {
        return;
    }
    endpoint_free(c->ep);
    upload_free(c->upload);
    while ((node = list_pop_front(&c->acts)) != NULL) {
        free(container_of(node, struct client_act, link));
    }
    secret_wipe(&c->secret, sizeof c->secret);
    free(c);
}

static void on_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct client_act *act = user;
    struct client *c = act->client;
    const struct gp_error *err = answer->err;
    int code = answer->code;
    client_fn fn = act->fn;
    void *fn_user = act->user;

    (void)peer;
    list_remove(&act->link);
    free(act);
    if (code == GP_ECANCELED && c->lost.code < 0) {
        err = &c->lost;
        code = c->lost.code;
    }
    fn(fn_user, code, code < 0 ? NULL : answer->msg, err);
}

static int act_new(struct client *c, client_fn fn, void *user, struct client_act **ret)
{
    struct client_act *act = calloc(1, sizeof *act);

    if (!act) {
        return GP_ENOMEM;
    }
    *act = (struct client_act){.client = c, .fn = fn, .user = user};
    list_node_init(&act->link);
    list_push_back(&c->acts, &act->link);
    *ret = act;
    return 0;
}

static int act_started(struct client_act *act, int rc)
{
    if (rc < 0) {
        list_remove(&act->link);
        free(act);
    }
    return rc;
}

static int reach_master(struct client *c)
{
    struct dial_spec spec = {.addrs = c->masters,
                             .addrs_count = c->master_count,
                             .key = HELLO_KEY_CLUSTER,
                             .target = "master"};

    return c->master ? 0 : endpoint_dial(c->ep, &spec, &c->master);
}

int client_ask_for(struct client *c, uint16_t type, const void *msg, int64_t timeout_ns,
                   client_fn fn, void *user)
{
    struct client_act *act;
    int rc = reach_master(c);

    if (rc >= 0) {
        rc = act_new(c, fn, user, &act);
    }
    if (rc < 0) {
        return rc;
    }
    return act_started(act, peer_ask(c->master, type, msg, timeout_ns, ASK_RETRY, on_answer, act));
}

int client_ask(struct client *c, uint16_t type, const void *msg, client_fn fn, void *user)
{
    return client_ask_for(c, type, msg, c->timeout_ns, fn, user);
}

int client_ask_bytes(struct client *c, uint16_t type, gp_bytes bytes, client_fn fn, void *user)
{
    struct client_act *act;
    int rc = reach_master(c);

    if (rc >= 0) {
        rc = act_new(c, fn, user, &act);
    }
    if (rc < 0) {
        return rc;
    }
    /* Not sent again: what it belongs to is lost with the connection. */
    return act_started(act,
                       peer_ask_bytes(c->master, type, bytes, c->timeout_ns, 0, on_answer, act));
}

static int reach_daemon(struct client *c, const char *address, struct peer **ret)
{
    struct client_daemon *free_place = NULL;
    struct net_addr addr;
    struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .key = HELLO_KEY_CLUSTER};
    int rc;

    for (uint32_t i = 0; i < CLIENT_DAEMONS_MAX; i++) {
        if (!c->daemons[i].peer) {
            free_place = &c->daemons[i];
        } else if (strcmp(c->daemons[i].address, address) == 0) {
            *ret = c->daemons[i].peer;
            return 0;
        }
    }
    if (!free_place) {
        return GP_EFULL;
    }
    if (str_format(addr.text, sizeof addr.text, "%s", address) < 0) {
        return GP_EINVAL;
    }
    rc = endpoint_dial(c->ep, &spec, &free_place->peer);
    if (rc >= 0) {
        (void)str_format(free_place->address, sizeof free_place->address, "%s", address);
        *ret = free_place->peer;
    }
    return rc;
}

int client_ask_at(struct client *c, const char *address, uint16_t type, const void *msg,
                  int64_t timeout_ns, client_fn fn, void *user)
{
    struct client_act *act;
    struct peer *peer;
    int rc = reach_daemon(c, address, &peer);

    if (rc >= 0) {
        rc = act_new(c, fn, user, &act);
    }
    if (rc < 0) {
        return rc;
    }
    return act_started(act,
                       peer_ask(peer, type, msg, timeout_ns, ASK_RETRY | ASK_HERE, on_answer, act));
}
