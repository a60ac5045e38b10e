/*
 * stranger_server SECRET: a master that knows one answer, on a real port, for stranger.sh. Prints
 * the port, and ends when its first client has gone.
 */
#include <stdio.h>
#include <string.h>

#include "actor/endpoint.h"
#include "base/assert.h"
#include "edge/world.h"

struct server {
    struct edge_world *world;
    struct endpoint *ep;
    const char *secret;
};

static void on_up(void *user, struct peer *peer)
{
    (void)user;
    (void)peer;
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct server *s = user;

    (void)peer;
    (void)why;
    edge_stop(s->world);
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct server *s = user;
    const struct msg_cluster_info info = {.cluster = (char *)"stranger's", .version = (char *)"1"};

    (void)peer;
    if (in->type != MSG_CLUSTER_INFO) {
        return gp_error_set(err, GP_EUNSUPPORTED, "only cluster.info");
    }
    return endpoint_reply(s->ep, in->token, &info);
}

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    const struct server *s = user;

    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = strlen(s->secret);
    ASSERT(ret->len <= sizeof(ret->bytes));
    memcpy(ret->bytes, s->secret, ret->len);
    return 0;
}

static const struct endpoint_events events = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message, .key_find = key_find};

int main(int argc, char **argv)
{
    const struct net_addr any = {"127.0.0.1:0"};
    struct server s = {.secret = argc == 2 ? argv[1] : ""};
    struct endpoint_config config = {
        .role = ROLE_MASTER, .name = "master", .events = &events, .user = &s};
    struct net_addr addr;
    struct gp_error err = {0};

    ASSERT(argc == 2);
    if (edge_world_new(NULL, &s.world, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    config.port = edge_port(s.world);
    ASSERT(endpoint_new(&config, &s.ep) == 0);
    if (endpoint_listen(s.ep, &any, &addr, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    (void)printf("%s\n", strchr(addr.text, ':') + 1);
    (void)fflush(stdout);
    edge_run(s.world);
    endpoint_free(s.ep);
    edge_world_free(s.world);
    return 0;
}
