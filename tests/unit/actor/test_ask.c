/* Asks and their one answer. */
#include "nodes.h"

GP_TEST(ask, is_answered_with_the_reply)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    GP_CHECK_EQ(h.count, 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(h.id, 7);
    GP_CHECK_STR_EQ(p.master.text, "seven");
    fake_advance(&p.f, 2 * SECOND); /* no deadline is left behind */
    GP_CHECK_EQ(h.count, 1);
    pair_deinit(&p);
}

GP_TEST(ask, is_answered_with_the_error_of_the_other_side)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.fail_with = GP_ENOENT;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ENOENT);
    GP_CHECK_STR_EQ(h.text, "because");
    pair_deinit(&p);
}

GP_TEST(ask, may_be_answered_later_and_only_once)
{
    const struct msg_app_summary summary = {.id = 8};
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, 5 * SECOND, 0, on_answer, &h), 0);
    fake_advance(&p.f, SECOND);
    GP_CHECK_EQ(h.count, 0);
    GP_CHECK_EQ(endpoint_reply(p.master.ep, p.master.token, &summary), 0);
    GP_CHECK_EQ(endpoint_reply(p.master.ep, p.master.token, &summary), GP_ENOENT);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.id, 8);
    pair_deinit(&p);
}

GP_TEST(ask, ends_at_its_deadline_and_drops_what_comes_later)
{
    const struct msg_app_summary summary = {.id = 8};
    struct pair p;
    struct heard late = {0};
    struct heard soon = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, 2 * SECOND, 0, on_answer, &late), 0);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &soon), 0);
    fake_advance(&p.f, SECOND + MS_NS);
    GP_CHECK_EQ(soon.count, 1);
    GP_CHECK_EQ(soon.code, GP_ETIMEOUT);
    GP_CHECK_EQ(late.count, 0);
    fake_advance(&p.f, SECOND);
    GP_CHECK_EQ(late.count, 1);
    GP_CHECK_EQ(late.code, GP_ETIMEOUT);
    GP_CHECK_EQ(endpoint_reply(p.master.ep, p.master.token, &summary), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(soon.count, 1);
    GP_CHECK(p.client.peer != NULL); /* a late answer is no offence */
    GP_CHECK_EQ(endpoint_counts(p.client.ep)->asks_timed_out, 2);
    GP_CHECK(fake_logged(&p.f, "actor.ask_timed_out"));
    pair_deinit(&p);
}

/* The answer may have come while we stood still: it is read before anybody is given up. */
GP_TEST(ask, does_not_time_out_by_its_own_pause)
{
    const struct msg_app_summary summary = {.id = 7, .name = (char *)"seven"};
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    p.f.now_ns += 60 * SECOND;
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 0);
    GP_CHECK_EQ(endpoint_reply(p.master.ep, p.master.token, &summary), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    p.f.now_ns += 60 * SECOND;
    fake_run(&p.f);
    fake_advance(&p.f, 3 * SECOND + MS_NS); /* but not for ever */
    GP_CHECK_EQ(h.count, 2);
    GP_CHECK_EQ(h.code, GP_ETIMEOUT);
    pair_deinit(&p);
}

GP_TEST(ask, ends_when_the_peer_is_lost)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, 5 * SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    fake_cut(&p.f);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_EIO);
    GP_CHECK_EQ(endpoint_reply(p.master.ep, p.master.token, NULL), GP_ECLOSED);
    GP_CHECK_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), GP_ECLOSED);
    GP_CHECK_EQ(h.count, 1);
    pair_deinit(&p);
}

GP_TEST(ask, is_sent_again_if_it_may)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, 5 * SECOND, ASK_RETRY, on_answer, &h), 0);
    fake_run(&p.f);
    fake_cut(&p.f);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 0);
    p.master.reply_at_once = true;
    fake_advance(&p.f, SECOND);
    GP_CHECK_EQ(p.client.ups, 2);
    GP_CHECK_EQ(p.master.messages, 2);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, 0);
    GP_CHECK_EQ(endpoint_counts(p.client.ep)->asks_retried, 1);
    GP_CHECK(fake_logged(&p.f, "actor.ask_retried"));
    pair_deinit(&p);
}

GP_TEST(ask, waits_for_a_peer_that_is_not_there_yet)
{
    struct fake f;
    struct node client;
    struct node master;
    const struct net_addr addr = fake_addr("127.0.0.1:40000"); /* what the master will get */
    struct heard kept = {0};
    struct heard lost = {0};
    struct peer *peer;

    fake_init(&f);
    node_init(&client, &f, ROLE_CLIENT, "client");
    peer = node_dial(&client, &addr, "cluster", false);
    GP_REQUIRE_EQ(peer_ask(peer, MSG_APP_KILL, &seven, 9 * SECOND, ASK_RETRY, on_answer, &kept), 0);
    GP_REQUIRE_EQ(peer_ask(peer, MSG_APP_KILL, &seven, SECOND, ASK_RETRY, on_answer, &lost), 0);
    fake_advance(&f, 2 * SECOND);
    GP_CHECK_EQ(lost.code, GP_ETIMEOUT);
    GP_CHECK_EQ(kept.count, 0);
    GP_CHECK(client.unreachable > 2);
    node_init(&master, &f, ROLE_MASTER, "master");
    GP_REQUIRE_STR_EQ(master.addr.text, addr.text);
    fake_advance(&f, 2 * SECOND);
    GP_CHECK_EQ(kept.count, 1);
    GP_CHECK_EQ(kept.code, 0);
    GP_CHECK_EQ(endpoint_counts(client.ep)->asks_retried, 0); /* it was sent once */
    endpoint_free(client.ep);
    endpoint_free(master.ep);
    fake_deinit(&f);
}

GP_TEST(ask, ends_when_its_owner_lets_the_peer_go)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, ASK_RETRY, on_answer, &h), 0);
    peer_drop(p.peer);
    GP_CHECK_EQ(h.count, 1);
    GP_CHECK_EQ(h.code, GP_ECANCELED);
    GP_CHECK_EQ(p.client.downs, 0);
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.downs, 1);
    pair_deinit(&p);
}

static void ask_again(void *user, struct peer *peer, const struct answer *answer)
{
    struct heard *h = user;

    h->count++;
    h->code = answer->code;
    if (h->count < 10) {
        GP_CHECK_EQ(peer_ask(peer, MSG_APP_KILL, &seven, SECOND, ASK_RETRY, ask_again, h),
                    GP_ECLOSED);
    }
}

/* An answer that asks again must not keep a dying peer busy for ever. */
GP_TEST(ask, cannot_be_added_to_a_peer_that_goes)
{
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, ask_again, &h), 0);
    peer_drop(p.peer);
    GP_CHECK_EQ(h.count, 1);
    pair_deinit(&p);
}

static void free_client(void *user, struct peer *peer, const struct answer *answer)
{
    struct pair *p = user;

    (void)peer;
    (void)answer;
    endpoint_free(p->client.ep);
    p->client.ep = NULL;
}

GP_TEST(ask, may_free_its_endpoint_from_the_answer)
{
    for (int way = 0; way < 4; way++) {
        struct pair p;
        struct heard h = {0};

        pair_init(&p, NULL);
        p.master.reply_at_once = way == 0;
        p.master.fail_with = way == 1 ? GP_ENOENT : 0;
        GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, free_client, &p), 0);
        GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h), 0);
        fake_run(&p.f);
        if (way == 2) {
            fake_cut(&p.f);
        }
        fake_advance(&p.f, 2 * SECOND);
        GP_CHECK(p.client.ep == NULL);
        GP_CHECK_EQ(h.count, 0);
        pair_deinit(&p);
    }
}

GP_TEST(ask, is_refused_beyond_the_bound_of_either_side)
{
    const struct endpoint_limits limits = {.asks_in_max = 3, .asks_out_max = 5};
    struct pair p;
    struct heard h[6] = {{0}};

    pair_init(&p, &limits);
    p.master.reply_at_once = false;
    for (int i = 0; i < 5; i++) {
        GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h[i]), 0);
    }
    GP_CHECK_EQ(peer_ask(p.peer, MSG_APP_KILL, &seven, SECOND, 0, on_answer, &h[5]), GP_EFULL);
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.messages, 3);
    GP_CHECK_EQ(h[2].count, 0);
    GP_CHECK_EQ(h[3].code, GP_EFULL);
    GP_CHECK_EQ(h[4].code, GP_EFULL);
    GP_CHECK_EQ(h[5].count, 0);
    pair_deinit(&p);
}

GP_TEST(ask, of_a_type_the_role_may_not_send_is_refused)
{
    struct pair p;
    struct heard h = {0};
    const struct msg_process_ref ref = {.app = 1};

    pair_init(&p, NULL);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_PROCESS_STOP, &ref, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.code, GP_EACCES);
    GP_CHECK_EQ(p.master.messages, 0);
    GP_CHECK_EQ(endpoint_counts(p.master.ep)->messages_refused, 1);
    GP_CHECK(fake_logged(&p.f, "actor.message_refused"));
    GP_CHECK(p.client.peer != NULL);
    pair_deinit(&p);
}

/* The key of an application is known to its user code. */
GP_TEST(ask, of_one_application_cannot_concern_another)
{
    struct fake f;
    struct node master;
    struct node appmaster;
    struct heard own = {0};
    struct heard other = {0};
    struct peer *peer;

    fake_init(&f);
    node_init(&master, &f, ROLE_MASTER, "master");
    node_init(&appmaster, &f, ROLE_APPMASTER, "app/7");
    master.fail_with = GP_ESTATE; /* whoever hears this was let through */
    peer = node_dial(&appmaster, &master.addr, "app/7", true);
    fake_run(&f);
    GP_REQUIRE_EQ(peer_ask(peer, MSG_SLOTS_REQUEST, &(struct msg_slots_request){.app = 7}, SECOND,
                           0, on_answer, &own),
                  0);
    GP_REQUIRE_EQ(peer_ask(peer, MSG_SLOTS_REQUEST, &(struct msg_slots_request){.app = 8}, SECOND,
                           0, on_answer, &other),
                  0);
    fake_run(&f);
    GP_CHECK_EQ(own.code, GP_ESTATE);
    GP_CHECK_EQ(other.code, GP_EACCES);
    GP_CHECK_EQ(master.messages, 1);
    endpoint_free(appmaster.ep);
    endpoint_free(master.ep);
    fake_deinit(&f);
}

GP_TEST(ask, with_a_bad_field_is_answered_with_its_path)
{
    const struct msg_app_ref empty = {.app = (char *)""};
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_APP_KILL, &empty, SECOND, 0, on_answer, &h), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.code, GP_EPROTO);
    GP_CHECK(strstr(h.text, "app.kill: app: ") != NULL);
    pair_deinit(&p);
}

GP_TEST(ask, carries_bytes_both_ways)
{
    static char chunk[100000];
    struct pair p;
    struct heard h = {0};

    pair_init(&p, NULL);
    p.master.reply_at_once = false;
    GP_REQUIRE_EQ(peer_ask_bytes(p.peer, MSG_ARTEFACT_CHUNK, gp_bytes_of(chunk, sizeof(chunk)),
                                 SECOND, 0, on_answer, &h),
                  0);
    fake_run(&p.f);
    GP_CHECK_EQ(p.master.messages, 1);
    GP_CHECK_EQ(p.master.token.type, MSG_ARTEFACT_CHUNK);
    GP_CHECK_EQ(
        endpoint_reply(p.master.ep, p.master.token, &(struct msg_artefact_received){.received = 5}),
        0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 1);
    GP_REQUIRE_EQ(peer_ask(p.peer, MSG_ARTEFACT_GET,
                           &(struct msg_artefact_get){.sha256 = (char *)"00"}, SECOND, 0, on_answer,
                           &h),
                  0);
    fake_run(&p.f);
    GP_CHECK_EQ(endpoint_reply_bytes(p.master.ep, p.master.token, gp_bytes_of(chunk, 777)), 0);
    fake_run(&p.f);
    GP_CHECK_EQ(h.count, 2);
    GP_CHECK_EQ(h.bytes_len, 777);
    pair_deinit(&p);
}
