/*
 * Two actors meet, ask and part, with every allocation, then every call of the port, refused in
 * turn: nothing crashes or leaks (the address sanitizer looks), every ask that was taken is
 * answered once, and when there is memory again they talk as if nothing had been.
 */
#include "nodes.h"
#include "nomem.h"

static bool is_of_port(void)
{
    return fake_allocating > 0;
}

static int answer_seven(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct node *n = user;
    const struct msg_app_summary summary = {.id = 7, .name = (char *)"seven"};

    (void)peer;
    (void)err;
    return endpoint_reply(n->ep, in->token, &summary); /* a failure goes back as an error */
}

static struct endpoint *start(struct node *n, struct fake *f, enum role role, const char *name,
                              const struct endpoint_events *events)
{
    const struct endpoint_config config = {
        .port = &f->port, .role = role, .name = name, .events = events, .user = n};
    int rc;

    memset(n, 0, sizeof(*n));
    n->secret = "open sesame";
    rc = endpoint_new(&config, &n->ep);
    GP_CHECK(rc == 0 || rc == GP_ENOMEM);
    return n->ep;
}

/* One ask, answered once within its time. */
static void ask_once(struct fake *f, struct peer *peer, bool must_work)
{
    struct heard h = {0};
    const int rc = peer_ask(peer, MSG_APP_KILL, &seven, 5 * SECOND, ASK_RETRY, on_answer, &h);

    fake_advance(f, 6 * SECOND);
    GP_CHECK_EQ(h.count, rc == 0);
    if (must_work) {
        GP_CHECK_EQ(rc, 0);
        GP_CHECK_EQ(h.code, 0);
        GP_CHECK_EQ(h.id, 7);
    } else if (rc < 0) {
        GP_CHECK_EQ(rc, GP_ENOMEM);
    }
}

static void talk(struct fake *f, struct node *client, const struct net_addr *addr,
                 bool *ret_reached)
{
    const struct dial_spec spec = {.addrs = addr, .addrs_count = 1, .key = "cluster"};
    struct peer *peer = NULL;
    int rc = endpoint_dial(client->ep, &spec, &peer);

    GP_CHECK(rc == 0 || rc == GP_ENOMEM);
    if (rc < 0) {
        return;
    }
    ask_once(f, peer, false);
    fake_cut(f);
    ask_once(f, peer, false);
    (void)nomem_disarm();
    *ret_reached = f->fail_call < 0;
    f->fail_call = -1;
    ask_once(f, peer, true);
}

/* fail_call: of the port, -1 for none. Whether it was reached. */
static bool meet(long fail_call)
{
    const struct net_addr any = fake_addr("127.0.0.1:0");
    struct endpoint_events answering = node_events;
    struct net_addr addr;
    struct node master;
    struct node client;
    struct fake f;
    bool reached = true;

    answering.on_message = answer_seven;
    fake_init(&f);
    f.fail_call = fail_call;
    if (start(&master, &f, ROLE_MASTER, "master", &answering) != NULL &&
        start(&client, &f, ROLE_CLIENT, "client", &node_events) != NULL) {
        GP_REQUIRE_EQ(endpoint_listen(master.ep, &any, &addr, NULL), 0);
        talk(&f, &client, &addr, &reached);
        endpoint_free(client.ep);
    }
    endpoint_free(master.ep);
    fake_deinit(&f);
    return reached;
}

static void refuse_each(long in_a_row)
{
    long n = 0;
    bool refused = true;

    nomem_spare(is_of_port);
    for (; refused && n < 5000; n++) {
        nomem_arm(n, in_a_row);
        (void)meet(-1);
        refused = nomem_disarm();
    }
    nomem_spare(NULL);
    GP_CHECK(n > 200 && n < 5000); /* the whole talk was gone through */
}

GP_TEST(nomem, actors_survive_one_refusal)
{
    refuse_each(1);
}

GP_TEST(nomem, actors_survive_many_refusals_in_a_row)
{
    refuse_each(40);
}

GP_TEST(nomem, actors_survive_a_port_that_fails)
{
    long n = 0;

    while (meet(n) && n < 1000) {
        n++;
    }
    GP_CHECK(n > 15 && n < 1000);
}
