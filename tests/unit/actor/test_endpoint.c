/* Peers that come, go and come back; limits on who may. */
#include "nodes.h"
#include "wire/frame.h"

GP_TEST(endpoint, tells_both_sides_of_an_end)
{
    struct pair p;

    pair_init(&p, NULL);
    endpoint_free(p.client.ep);
    p.client.ep = NULL;
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.downs, 1);
    GP_CHECK_EQ(p.master.why.code, GP_ECLOSED);
    GP_CHECK_EQ(p.client.downs, 0); /* it knows */
    GP_CHECK(fake_logged(&p.f, "actor.disconnected"));
    pair_deinit(&p);
}

GP_TEST(endpoint, dials_again_after_a_loss)
{
    struct pair p;

    pair_init(&p, NULL);
    for (int i = 1; i <= 3; i++) {
        fake_cut(&p.f);
        fake_run(&p.f);
        GP_CHECK_EQ(p.client.downs, i);
        GP_CHECK(!peer_is_up(p.peer));
        fake_advance(&p.f, 20 * MS_NS);
        GP_CHECK_EQ(p.client.ups, i + 1);
        GP_CHECK(peer_is_up(p.peer));
    }
    GP_CHECK_EQ(p.master.ups, 4);
    GP_CHECK_EQ(p.master.downs, 3);
    pair_deinit(&p);
}

/* Waits double from 10 ms to 1 s, and half of each is drawn. */
GP_TEST(endpoint, waits_longer_each_time_nobody_answers)
{
    const struct net_addr nobody = fake_addr("127.0.0.1:1");
    struct fake f;
    struct node client;
    int in_first_second;

    fake_init(&f);
    node_init(&client, &f, ROLE_CLIENT, "client");
    (void)node_dial(&client, &nobody, "cluster", false);
    fake_advance(&f, SECOND);
    in_first_second = client.unreachable;
    GP_CHECK(in_first_second >= 6 && in_first_second <= 9);
    GP_CHECK_EQ(client.why.code, GP_EUNREACH);
    fake_advance(&f, 100 * SECOND);
    GP_CHECK(client.unreachable - in_first_second >= 95);
    GP_CHECK(client.unreachable - in_first_second <= 210);
    GP_CHECK_EQ(client.downs, 0);
    endpoint_free(client.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, tries_every_address_in_turn)
{
    struct fake f;
    struct node client;
    struct node master;
    struct net_addr addrs[3] = {fake_addr("127.0.0.1:1"), fake_addr("127.0.0.1:2")};
    struct dial_spec spec = {.addrs = addrs, .addrs_count = 3, .key = "cluster", .once = true};
    struct peer *peer;

    fake_init(&f);
    node_init(&client, &f, ROLE_CLIENT, "client");
    node_init(&master, &f, ROLE_MASTER, "master");
    addrs[2] = master.addr;
    GP_REQUIRE_EQ(endpoint_dial(client.ep, &spec, &peer), 0);
    fake_run(&f);
    GP_CHECK_EQ(client.ups, 1);
    endpoint_free(master.ep);
    fake_run(&f);
    GP_CHECK_EQ(client.downs, 1);
    fake_advance(&f, 10 * SECOND); /* once means once */
    GP_CHECK_EQ(client.downs, 1);
    GP_CHECK_EQ(client.ups, 1);
    endpoint_free(client.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, gives_up_at_once_if_asked_to)
{
    const struct net_addr nobody = fake_addr("127.0.0.1:1");
    struct fake f;
    struct node client;
    struct heard h = {0};
    struct peer *peer;

    fake_init(&f);
    node_init(&client, &f, ROLE_CLIENT, "client");
    client.drop_on_down = true;
    peer = node_dial(&client, &nobody, "cluster", true);
    GP_REQUIRE_EQ(peer_ask(peer, MSG_APP_KILL, &seven, 9 * SECOND, ASK_RETRY, on_answer, &h), 0);
    fake_run(&f);
    GP_CHECK_EQ(client.downs, 1);
    GP_CHECK_EQ(client.why.code, GP_EUNREACH);
    GP_CHECK_EQ(h.code, GP_EUNREACH);
    endpoint_free(client.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, finds_a_silent_peer_out)
{
    struct fake f;
    struct node server;
    struct node client;
    struct peer *peer;

    fake_init(&f);
    node_init(&server, &f, ROLE_MASTER, "master");
    node_init(&client, &f, ROLE_CLIENT, "client");
    peer = node_dial(&client, &server.addr, "cluster", true);
    fake_run(&f);
    fake_advance(&f, 60 * SECOND); /* pings keep it */
    GP_CHECK(peer_is_up(peer));
    GP_CHECK_EQ(server.downs, 0);
    endpoint_free(server.ep);
    fake_run(&f);
    GP_CHECK_EQ(client.downs, 1);
    endpoint_free(client.ep);
    fake_deinit(&f);
}

/* A process that was stopped for a minute must not take its peers for dead. */
GP_TEST(endpoint, judges_nobody_by_its_own_pause)
{
    struct pair p;

    pair_init(&p, NULL);
    fake_advance(&p.f, SECOND);
    p.f.now_ns += 60 * SECOND; /* the clock jumps over all timers */
    fake_run(&p.f);
    GP_CHECK_EQ(p.client.downs, 0);
    GP_CHECK_EQ(p.master.downs, 0);
    fake_advance(&p.f, 10 * SECOND);
    GP_CHECK_EQ(p.client.downs, 0);
    GP_CHECK_EQ(p.master.downs, 0);
    pair_deinit(&p);
}

/* After a pause everybody has a whole period to be heard in; those who are not, are lost. */
GP_TEST(endpoint, finds_out_who_stays_silent_after_its_own_pause)
{
    struct pair p;

    pair_init(&p, NULL);
    fake_advance(&p.f, SECOND);
    fake_stall(&p.f, true); /* nothing arrives any more, either way */
    p.f.now_ns += 60 * SECOND;
    fake_run(&p.f);
    fake_advance(&p.f, 2900 * MS_NS);
    GP_CHECK_EQ(p.client.downs, 0);
    GP_CHECK_EQ(p.master.downs, 0);
    fake_advance(&p.f, 1100 * MS_NS);
    GP_CHECK_EQ(p.client.downs, 1);
    GP_CHECK_EQ(p.client.why.code, GP_ETIMEOUT);
    GP_CHECK_EQ(p.master.downs, 1);
    pair_deinit(&p);
}

/* Many small stalls, each too short to count, must not keep a dead peer alive. */
GP_TEST(endpoint, finds_a_silent_peer_out_though_it_is_slow_itself)
{
    struct pair p;

    pair_init(&p, NULL);
    fake_advance(&p.f, SECOND);
    fake_stall(&p.f, true);
    for (int i = 0; i < 6; i++) {
        p.f.now_ns += 1400 * MS_NS;
        fake_run(&p.f);
    }
    GP_CHECK_EQ(p.client.downs, 1);
    GP_CHECK_EQ(p.master.downs, 1);
    pair_deinit(&p);
}

GP_TEST(endpoint, takes_the_failure_timeout_it_was_given)
{
    const struct endpoint_limits limits = {.failure_timeout_ns = 600 * MS_NS};
    struct pair p;

    pair_init(&p, &limits);
    fake_stall(&p.f, true);
    fake_advance(&p.f, 590 * MS_NS);
    GP_CHECK_EQ(p.client.downs + p.master.downs, 0);
    fake_advance(&p.f, 220 * MS_NS);
    GP_CHECK_EQ(p.client.downs, 1);
    GP_CHECK_EQ(p.master.downs, 1);
    pair_deinit(&p);
}

GP_TEST(endpoint, ends_a_peer_that_does_not_read)
{
    const struct endpoint_limits limits = {.unsent_max = 1100000};
    struct pair p;
    int rc = 0;

    pair_init(&p, &limits);
    fake_stall(&p.f, true);
    for (int i = 0; i < 100000 && rc == 0; i++) {
        rc = peer_tell(p.peer, MSG_EXECUTOR_DONE, NULL);
    }
    GP_CHECK_EQ(rc, GP_EAGAIN);
    fake_stall(&p.f, false);
    fake_run(&p.f);
    GP_CHECK_EQ(p.client.downs, 1);
    GP_CHECK_EQ(p.client.why.code, GP_EAGAIN);
    pair_deinit(&p);
}

/* ---- limits on connections ---- */

GP_TEST(endpoint, refuses_more_connections_than_it_may_have)
{
    const struct endpoint_limits limits = {.connections_max = 2};
    struct fake f;
    struct node server;
    struct node client;

    fake_init(&f);
    node_init_as(&server, &f, ROLE_MASTER, "master", &node_events, &limits);
    node_init(&client, &f, ROLE_CLIENT, "client");
    for (int i = 0; i < 3; i++) {
        (void)node_dial(&client, &server.addr, "cluster", true);
        fake_run(&f);
    }
    GP_CHECK_EQ(client.ups, 2);
    GP_CHECK_EQ(client.downs, 1);
    GP_CHECK_EQ(client.why.code, GP_EFULL);
    GP_CHECK_EQ(endpoint_counts(server.ep)->refused, 1);
    peer_drop(client.peer); /* one leaves, one may come */
    fake_run(&f);
    (void)node_dial(&client, &server.addr, "cluster", true);
    fake_run(&f);
    GP_CHECK_EQ(client.ups, 3);
    endpoint_free(client.ep);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, refuses_more_connections_from_one_host)
{
    const struct endpoint_limits limits = {.connections_per_host_max = 1};
    struct fake f;
    struct node server;
    struct node client;

    fake_init(&f);
    node_init_as(&server, &f, ROLE_MASTER, "master", &node_events, &limits);
    node_init(&client, &f, ROLE_CLIENT, "client");
    (void)node_dial(&client, &server.addr, "cluster", true);
    (void)node_dial(&client, &server.addr, "cluster", true);
    fake_run(&f);
    GP_CHECK_EQ(client.ups, 1);
    GP_CHECK_EQ(client.why.code, GP_EFULL);
    f.client_host = "127.0.0.2";
    (void)node_dial(&client, &server.addr, "cluster", true);
    fake_run(&f);
    GP_CHECK_EQ(client.ups, 2);
    endpoint_free(client.ep);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, lets_a_flood_of_strangers_push_out_its_own)
{
    const struct endpoint_limits limits = {.strangers_max = 2};
    struct fake f;
    struct node server;
    struct node client;
    struct raw raw[3];

    fake_init(&f);
    node_init_as(&server, &f, ROLE_MASTER, "master", &node_events, &limits);
    node_init(&client, &f, ROLE_CLIENT, "client");
    (void)node_dial(&client, &server.addr, "cluster", true);
    fake_run(&f);
    for (int i = 0; i < 3; i++) {
        raw_dial(&raw[i], &f, &server.addr);
    }
    GP_CHECK(raw[0].ended);
    GP_CHECK(!raw[1].ended);
    GP_CHECK(!raw[2].ended);
    (void)node_dial(&client, &server.addr, "cluster", true); /* still gets in */
    fake_run(&f);
    GP_CHECK_EQ(client.ups, 2);
    GP_CHECK_EQ(server.downs, 0);
    for (int i = 0; i < 3; i++) {
        raw_deinit(&raw[i]);
    }
    endpoint_free(client.ep);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

GP_TEST(endpoint, lets_a_new_life_replace_the_old)
{
    struct fake f;
    struct node server;
    struct node old;
    struct node young;

    fake_init(&f);
    node_init(&server, &f, ROLE_MASTER, "master");
    node_init(&old, &f, ROLE_WORKER, "worker/3");
    node_init(&young, &f, ROLE_WORKER, "worker/3");
    (void)node_dial(&old, &server.addr, "cluster", true);
    fake_run(&f);
    (void)node_dial(&young, &server.addr, "cluster", true);
    fake_run(&f);
    GP_CHECK_EQ(server.ups, 2);
    GP_CHECK_EQ(server.downs, 1);
    GP_CHECK(server.peer != NULL); /* the end of the old was told before the new came up */
    GP_CHECK_EQ(old.downs, 1);
    GP_CHECK_EQ(old.why.code, GP_ECLOSED);
    GP_CHECK_EQ(young.downs, 0);
    endpoint_free(old.ep);
    endpoint_free(young.ep);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

/* ---- from inside callbacks ---- */

GP_TEST(endpoint, may_be_freed_from_a_message)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.free_on_message = true;
    for (int i = 0; i < 3; i++) { /* frames of one read */
        GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    }
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.messages, 1);
    GP_CHECK_EQ(h.count, 3);
    GP_CHECK(h.code < 0);
    pair_deinit(&p);
}

GP_TEST(endpoint, survives_a_drop_from_on_down)
{
    struct pair p;

    pair_init(&p, NULL);
    p.master.drop_on_down = true;
    p.client.drop_on_down = true;
    fake_cut(&p.f);
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.downs, 1);
    GP_CHECK_EQ(p.client.downs, 1);
    fake_advance(&p.f, 5 * SECOND);
    GP_CHECK_EQ(p.client.ups, 1);
    pair_deinit(&p);
}

/* ---- offences of those who are in ---- */

static void send_as_client(struct pair *p, const struct frame_header *header, const char *payload)
{
    GP_REQUIRE_EQ(conn_send(peer_conn(p->peer), header, gp_bytes_of(payload, strlen(payload))), 0);
    fake_run(&p->f);
}

GP_TEST(endpoint, answers_unknown_types_and_goes_on)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    send_as_client(&p, &(struct frame_header){.type = 9999, .kind = FRAME_ASK, .correlation = 1},
                   "{}");
    send_as_client(&p, &(struct frame_header){.type = 9999, .kind = FRAME_TELL}, "{}");
    GP_CHECK_EQ(endpoint_counts(p.master.ep)->messages_refused, 2);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.code, 0);
    pair_deinit(&p);
}

GP_TEST(endpoint, ends_those_who_break_the_rules_of_framing)
{
    static const struct frame_header offences[] = {
        {.type = MSG_APP_KILL, .kind = FRAME_ASK, .correlation = 0},
        {.type = MSG_BATCH},
        {.type = MSG_RAFT},
        {.type = 200},
        {.type = MSG_HELLO},
        {.type = MSG_PROOF},
        {.type = 7},
        {.type = MSG_PING, .kind = FRAME_ASK},
    };

    for (size_t i = 0; i < sizeof(offences) / sizeof(offences[0]); i++) {
        struct pair p;

        pair_init(&p, NULL);
        send_as_client(&p, &offences[i], "{}");
        GP_CHECK_EQ(p.master.downs, 1);
        GP_CHECK(p.master.why.code == GP_EPROTO);
        GP_CHECK_EQ(p.client.why.code, GP_EPROTO); /* it was told */
        GP_CHECK_EQ(p.master.messages, 0);
        GP_CHECK(fake_logged(&p.f, "actor.frame_refused"));
        pair_deinit(&p);
    }
}

GP_TEST(endpoint, ends_those_who_use_an_id_twice)
{
    struct pair p;
    const struct frame_header ask = {.type = MSG_APP_KILL, .kind = FRAME_ASK, .correlation = 77};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    send_as_client(&p, &ask, "{\"app\":\"7\"}");
    GP_CHECK_EQ(p.master.downs, 0);
    send_as_client(&p, &ask, "{\"app\":\"7\"}");
    GP_CHECK_EQ(p.master.downs, 1);
    pair_deinit(&p);
}

GP_TEST(endpoint, ignores_answers_that_nobody_waits_for)
{
    struct pair p;

    pair_init(&p, NULL);
    send_as_client(
        &p, &(struct frame_header){.type = MSG_APP_KILL, .kind = FRAME_REPLY, .correlation = 5},
        "{}");
    send_as_client(
        &p, &(struct frame_header){.type = MSG_APP_KILL, .kind = FRAME_ERROR, .correlation = 5},
        "garbage");
    GP_CHECK_EQ(p.master.downs, 0);
    pair_deinit(&p);
}

GP_TEST(endpoint, does_not_trust_answers)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    GP_REQUIRE_EQ(endpoint_reply_bytes(p.master.ep, p.master.token, gp_bytes_of("[]", 2)), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.code, GP_EPROTO);
    GP_CHECK(strstr(h.text, "answer to app.kill") != NULL);
    pair_deinit(&p);
}
