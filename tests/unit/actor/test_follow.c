/* Masters of which one leads, or none: where asks go, how fast, and that it ends. */
#include "nodes.h"

#define MASTERS 3

struct group {
    struct fake f;
    struct node masters[MASTERS];
    struct node client;
    struct peer *peer;
};

/* No one leads; nothing is dialled. */
static void group_begin(struct group *g)
{
    fake_init(&g->f);
    for (int i = 0; i < MASTERS; i++) {
        node_init(&g->masters[i], &g->f, ROLE_MASTER, "master");
        g->masters[i].fail_with = GP_ENOTLEADER;
    }
    node_init(&g->client, &g->f, ROLE_CLIENT, "client");
}

/* The first `count` masters are the client's list. */
static void group_dial(struct group *g, uint32_t count)
{
    struct net_addr addrs[MASTERS];
    const struct dial_spec spec = {
        .addrs = addrs, .addrs_count = count, .target = "master", .key = "cluster"};

    for (uint32_t i = 0; i < count; i++) {
        addrs[i] = g->masters[i].addr;
    }
    GP_REQUIRE_EQ(endpoint_dial(g->client.ep, &spec, &g->peer), 0);
    fake_run(&g->f);
    GP_REQUIRE_EQ(g->client.ups, 1);
}

/* Everybody says that this one leads; -1: that nobody does. Only that one answers. */
static void group_elect(struct group *g, int leader)
{
    for (int i = 0; i < MASTERS; i++) {
        if (g->masters[i].ep != NULL) {
            GP_REQUIRE_EQ(endpoint_set_leader(g->masters[i].ep,
                                              leader < 0 ? "" : g->masters[leader].addr.text),
                          0);
        }
        g->masters[i].fail_with = i == leader ? 0 : GP_ENOTLEADER;
    }
}

static void group_kill(struct group *g, int i)
{
    endpoint_free(g->masters[i].ep);
    g->masters[i].ep = NULL;
}

static void group_end(struct group *g)
{
    endpoint_free(g->client.ep);
    for (int i = 0; i < MASTERS; i++) {
        endpoint_free(g->masters[i].ep);
    }
    fake_deinit(&g->f);
}

static void ask(struct group *g, uint32_t flags, struct heard *h)
{
    GP_REQUIRE_EQ(peer_ask(g->peer, MSG_APP_KILL, &seven, 10 * SECOND, flags, on_answer, h), 0);
}

GP_TEST(follow, goes_to_the_leader_at_once)
{
    struct group g;
    struct heard h[3] = {{0}};

    group_begin(&g);
    group_elect(&g, 2);
    group_dial(&g, 3);
    for (int i = 0; i < 3; i++) {
        ask(&g, ASK_RETRY, &h[i]);
    }
    fake_advance(&g.f, MS_NS);
    for (int i = 0; i < 3; i++) {
        GP_CHECK_EQ(h[i].count, 1);
        GP_CHECK_EQ(h[i].code, 0);
    }
    GP_CHECK_EQ(g.masters[2].messages, 3);
    GP_CHECK_EQ(g.client.ups, 2); /* whoever registers does so again */
    GP_CHECK_EQ(g.client.downs, 1);
    GP_CHECK_EQ(g.client.why.code, GP_ENOTLEADER);
    GP_CHECK_EQ(endpoint_counts(g.client.ep)->redirects, 1);
    GP_CHECK(fake_logged(&g.f, "actor.redirected"));
    group_end(&g);
}

/* A master that was added since is not in the list of those who came before it. */
GP_TEST(follow, goes_to_a_leader_it_did_not_know)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_elect(&g, 2);
    group_dial(&g, 1);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(g.masters[2].messages, 1);
    group_end(&g);
}

GP_TEST(follow, trusts_no_leader_without_the_key)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_elect(&g, 2);
    g.masters[2].secret = "another";
    group_dial(&g, 1);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, 11 * SECOND);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ENOTLEADER);
    GP_CHECK_EQ(g.masters[2].messages, 0);
    group_end(&g);
}

/* On the same connection, since the one that answers may well be the next leader. */
GP_TEST(follow, waits_where_it_is_for_an_election)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_dial(&g, 3);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, 300 * MS_NS);
    GP_CHECK_EQ(h.count, 0);
    group_elect(&g, 0);
    fake_advance(&g.f, 250 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(g.client.ups, 1);
    GP_CHECK(g.masters[0].messages > 3);
    GP_CHECK(g.masters[0].messages < 16);
    GP_CHECK_EQ(g.masters[1].messages + g.masters[2].messages, 0);
    group_end(&g);
}

/* A master that is cut off from the others will never know who leads. */
GP_TEST(follow, does_not_wait_for_ever_at_one_that_knows_nothing)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_elect(&g, 2);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[0].ep, ""), 0);
    group_dial(&g, 3);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, 900 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(g.masters[1].messages, 1);
    GP_CHECK_EQ(g.masters[2].messages, 1);
    GP_CHECK_EQ(g.client.ups, 3);
    group_end(&g);
}

/* Two that each take the other for the leader, for as long as the ask lives. */
GP_TEST(follow, is_not_sent_round_in_circles)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[0].ep, g.masters[1].addr.text), 0);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[1].ep, g.masters[0].addr.text), 0);
    group_dial(&g, 2);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, 11 * SECOND);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ENOTLEADER);
    GP_CHECK(endpoint_counts(g.client.ep)->redirects > 30);
    GP_CHECK(endpoint_counts(g.client.ep)->redirects < 250);
    group_end(&g);
}

/* The leader is dead, and its followers have not noticed. */
GP_TEST(follow, finds_the_next_leader)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_elect(&g, 2);
    group_dial(&g, 3);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, MS_NS);
    GP_REQUIRE_EQ(h.count, 1);
    g.masters[2].reply_at_once = false;
    ask(&g, ASK_RETRY, &h);
    fake_run(&g.f);
    group_kill(&g, 2);
    fake_advance(&g.f, 500 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    group_elect(&g, -1);
    fake_advance(&g.f, 300 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    group_elect(&g, 1);
    fake_advance(&g.f, 600 * MS_NS);
    GP_CHECK_EQ(h.count, 2);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK(g.client.downs <= 5); /* no running about meanwhile */
    group_end(&g);
}

/* Nothing is asked: the leader that steps down says where to go. */
GP_TEST(follow, goes_where_it_is_sent)
{
    struct group g;
    struct gp_error why;

    group_begin(&g);
    group_dial(&g, 3);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[0].ep, g.masters[2].addr.text), 0);
    (void)gp_error_set(&why, GP_ENOTLEADER, "it leads no more");
    peer_dismiss(g.masters[0].peer, &why);
    fake_advance(&g.f, 2 * MS_NS);
    GP_CHECK_EQ(g.masters[0].downs, 0); /* it knows */
    GP_CHECK_EQ(g.client.downs, 1);
    GP_CHECK_EQ(g.client.why.code, GP_ENOTLEADER);
    GP_CHECK_STR_EQ(g.client.why.text, "it leads no more");
    GP_CHECK_EQ(g.client.ups, 2);
    GP_CHECK_EQ(g.masters[2].ups, 1);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[2].ep, ""), 0);
    peer_dismiss(g.masters[2].peer, &why); /* to whoever there is */
    fake_advance(&g.f, 20 * MS_NS);
    GP_CHECK_EQ(g.client.ups, 3);
    group_end(&g);
}

/* For those that register on each connection. */
GP_TEST(follow, ends_what_belongs_to_a_connection_with_it)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_dial(&g, 3);
    ask(&g, ASK_FOLLOW, &h);
    fake_advance(&g.f, 300 * MS_NS);
    GP_CHECK_EQ(h.count, 0); /* it is sent again while nobody leads */
    group_elect(&g, 1);
    fake_advance(&g.f, 300 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ENOTLEADER);
    GP_CHECK_EQ(g.client.ups, 2);
    GP_CHECK_EQ(g.masters[1].messages, 0);
    ask(&g, ASK_FOLLOW, &h);
    fake_run(&g.f);
    GP_CHECK_EQ(h.count, 2);
    GP_CHECK_EQ(h.code, 0);
    group_end(&g);
}

GP_TEST(follow, is_for_those_who_asked_for_it)
{
    struct group g;
    struct heard h = {0};

    group_begin(&g);
    group_elect(&g, 1);
    group_dial(&g, 3);
    ask(&g, 0, &h);
    fake_advance(&g.f, MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ENOTLEADER);
    GP_CHECK_EQ(g.client.ups, 1);
    group_end(&g);
}

static void node_swallow(void *user, struct stream *stream)
{
    struct raw *raw = user;

    raw_listen_take(raw, raw->f, stream);
}

/* One that swallows what it gets delays those who have others to try by little. */
GP_TEST(follow, tries_the_next_when_one_is_silent)
{
    struct fake f;
    struct raw silent = {0};
    struct node master;
    struct node client;
    struct listener *listener = NULL;
    struct net_addr addrs[2] = {fake_addr("127.0.0.1:0"), {{0}}};
    const struct dial_spec spec = {.addrs = addrs, .addrs_count = 2, .key = "cluster"};
    struct peer *peer;
    struct gp_error err;

    fake_init(&f);
    node_init(&master, &f, ROLE_MASTER, "master");
    addrs[1] = master.addr;
    node_init(&client, &f, ROLE_CLIENT, "client");
    GP_REQUIRE_EQ(net_listen(&f.loop, &addrs[0], node_swallow, &silent, &listener, &err), 0);
    net_listener_addr(listener, &addrs[0]);
    silent.f = &f;
    GP_REQUIRE_EQ(endpoint_dial(client.ep, &spec, &peer), 0);
    fake_advance(&f, 150 * MS_NS);
    GP_CHECK_EQ(client.ups, 0);
    fake_advance(&f, 100 * MS_NS);
    GP_CHECK_EQ(client.ups, 1);
    net_listener_free(listener);
    endpoint_free(client.ep);
    endpoint_free(master.ep);
    fake_run(&f);
    raw_deinit(&silent);
    fake_deinit(&f);
}

struct crowd {
    struct fake *f;
    struct raw raws[10];
    uint32_t count;
};

static void crowd_swallow(void *user, struct stream *stream)
{
    struct crowd *crowd = user;

    GP_REQUIRE(crowd->count < 10);
    raw_listen_take(&crowd->raws[crowd->count++], crowd->f, stream);
}

/* They may only be slow: each is given 200, 400, 800 and 1500 ms before all was in vain. */
GP_TEST(follow, gives_all_more_time_when_all_are_silent)
{
    struct fake f;
    struct crowd crowd = {.f = &f};
    struct node client;
    struct listener *listeners[2];
    struct net_addr addrs[2];
    const struct dial_spec spec = {.addrs = addrs, .addrs_count = 2, .key = "cluster"};
    struct peer *peer;
    struct gp_error err;

    fake_init(&f);
    node_init(&client, &f, ROLE_CLIENT, "client");
    for (uint32_t i = 0; i < 2; i++) {
        addrs[i] = fake_addr("127.0.0.1:0");
        GP_REQUIRE_EQ(net_listen(&f.loop, &addrs[i], crowd_swallow, &crowd, &listeners[i], &err),
                      0);
        net_listener_addr(listeners[i], &addrs[i]);
    }
    GP_REQUIRE_EQ(endpoint_dial(client.ep, &spec, &peer), 0);
    fake_advance(&f, 5700 * MS_NS);
    GP_CHECK_EQ(client.unreachable, 0);
    fake_advance(&f, 200 * MS_NS);
    GP_CHECK_EQ(client.unreachable, 1);
    net_listener_free(listeners[0]);
    net_listener_free(listeners[1]);
    endpoint_free(client.ep);
    fake_run(&f);
    for (uint32_t i = 0; i < crowd.count; i++) {
        raw_deinit(&crowd.raws[i]);
    }
    fake_deinit(&f);
}

/* It was named as leader, and stands in the list too: one wait is enough. */
GP_TEST(follow, waits_once_for_a_leader_that_is_silent)
{
    struct group g;
    struct raw silent = {0};
    struct listener *listener = NULL;
    struct net_addr addr = fake_addr("127.0.0.1:0");
    struct heard h = {0};
    struct gp_error err;

    group_begin(&g);
    group_elect(&g, 2);
    silent.f = &g.f;
    GP_REQUIRE_EQ(net_listen(&g.f.loop, &addr, node_swallow, &silent, &listener, &err), 0);
    net_listener_addr(listener, &addr);
    GP_REQUIRE_EQ(endpoint_set_leader(g.masters[0].ep, addr.text), 0);
    group_kill(&g, 1);
    g.masters[1].addr = addr;
    group_dial(&g, 3);
    ask(&g, ASK_RETRY, &h);
    fake_advance(&g.f, 1600 * MS_NS);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(g.masters[2].messages, 1);
    net_listener_free(listener);
    raw_deinit(&silent);
    group_end(&g);
}
