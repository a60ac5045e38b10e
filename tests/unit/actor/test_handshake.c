/* Who gets in, and what the others are told. */
#include "nodes.h"
#include "wire/frame.h"

struct meeting {
    struct fake f;
    struct node server;
    struct node client;
};

static void meet_as(struct meeting *m, enum role server_role, const char *server_name,
                    enum role client_role, const char *client_name)
{
    fake_init(&m->f);
    node_init(&m->server, &m->f, server_role, server_name);
    node_init(&m->client, &m->f, client_role, client_name);
}

static void meet(struct meeting *m)
{
    meet_as(m, ROLE_MASTER, "master", ROLE_CLIENT, "client");
}

static void part(struct meeting *m)
{
    endpoint_free(m->client.ep);
    endpoint_free(m->server.ep);
    fake_deinit(&m->f);
}

/* Dials once and expects to be refused with this code and text. */
static void check_refused(struct meeting *m, const struct dial_spec *spec, int code,
                          const char *text)
{
    struct dial_spec copy = *spec;
    struct peer *peer;

    copy.addrs = &m->server.addr;
    copy.addrs_count = 1;
    copy.once = true;
    GP_REQUIRE_EQ(endpoint_dial(m->client.ep, &copy, &peer), 0);
    fake_run(&m->f);
    GP_CHECK_EQ(m->client.ups, 0);
    GP_CHECK_EQ(m->server.ups, 0);
    GP_CHECK_EQ(m->client.downs, 1);
    GP_CHECK_EQ(m->client.why.code, code);
    if (strstr(m->client.why.text, text) == NULL) {
        GP_TEST_FAIL("\"%s\" is not in \"%s\"", text, m->client.why.text);
    }
}

GP_TEST(handshake, lets_those_in_who_hold_the_key)
{
    struct meeting m;

    meet(&m);
    (void)node_dial(&m.client, &m.server.addr, "cluster", true);
    fake_run(&m.f);
    GP_CHECK_EQ(m.client.ups, 1);
    GP_CHECK_EQ(m.server.ups, 1);
    GP_CHECK_STR_EQ(peer_hello(m.server.peer)->name, "client");
    GP_CHECK_STR_EQ(peer_hello(m.client.peer)->name, "master");
    GP_CHECK_EQ(peer_hello(m.client.peer)->incarnation, endpoint_incarnation(m.server.ep));
    GP_CHECK(fake_logged(&m.f, "actor.connected"));
    part(&m);
}

GP_TEST(handshake, refuses_another_secret_and_says_what_to_do)
{
    struct meeting m;

    meet(&m);
    m.client.secret = "open barley";
    check_refused(&m, &(struct dial_spec){.key = "cluster"}, GP_EACCES, "same secret");
    GP_CHECK(strstr(m.client.why.hint, "secret_file") != NULL);
    GP_CHECK_EQ(endpoint_counts(m.server.ep)->handshakes_failed, 1);
    GP_CHECK(fake_logged(&m.f, "actor.handshake_failed"));
    part(&m);
}

/* The server proves itself too: a client does not talk to an impostor. */
GP_TEST(handshake, refuses_an_unknown_key)
{
    struct meeting m;

    meet(&m);
    m.server.secret = NULL;
    check_refused(&m, &(struct dial_spec){.key = "cluster"}, GP_EACCES, "no key cluster here");
    part(&m);
}

GP_TEST(handshake, keeps_an_application_key_to_its_application)
{
    struct meeting m;

    meet_as(&m, ROLE_MASTER, "master", ROLE_EXECUTOR, "app/71/executor/1");
    check_refused(&m, &(struct dial_spec){.key = "app/7"}, GP_EACCES, "does not speak for");
    part(&m);
    meet_as(&m, ROLE_MASTER, "master", ROLE_EXECUTOR, "app/7/executor/1");
    check_refused(&m, &(struct dial_spec){.key = "cluster"}, GP_EACCES, "does not speak for");
    part(&m);
    meet_as(&m, ROLE_MASTER, "master", ROLE_CLIENT, "client");
    check_refused(&m, &(struct dial_spec){.key = "app/7"}, GP_EACCES, "does not speak for");
    part(&m);
    meet_as(&m, ROLE_MASTER, "master", ROLE_EXECUTOR, "app/7/executor/1");
    (void)node_dial(&m.client, &m.server.addr, "app/7", true);
    fake_run(&m.f);
    GP_CHECK_EQ(m.client.ups, 1);
    part(&m);
}

GP_TEST(handshake, refuses_yesterdays_process)
{
    struct meeting m;
    const uint64_t yesterday = 12345;

    meet_as(&m, ROLE_WORKER, "worker/3", ROLE_CLIENT, "client");
    check_refused(&m,
                  &(struct dial_spec){
                      .key = "cluster", .target = "worker/3", .target_incarnation = yesterday},
                  GP_ESTALE, "restarted");
    part(&m);
}

GP_TEST(handshake, refuses_to_be_taken_for_another)
{
    struct meeting m;

    meet_as(&m, ROLE_WORKER, "worker/3", ROLE_CLIENT, "client");
    check_refused(&m, &(struct dial_spec){.key = "cluster", .target = "worker/4"}, GP_ENOENT,
                  "worker/4 was looked for, worker/3 is here");
    part(&m);
}

GP_TEST(handshake, keeps_clusters_apart_and_learns_its_own)
{
    struct meeting m;

    meet(&m);
    GP_REQUIRE_EQ(endpoint_set_cluster(m.server.ep, "east"), 0);
    (void)node_dial(&m.client, &m.server.addr, "cluster", true);
    fake_run(&m.f);
    GP_CHECK_EQ(m.client.ups, 1);
    peer_drop(m.client.peer);
    fake_run(&m.f);
    GP_REQUIRE_EQ(endpoint_set_cluster(m.server.ep, "west"), 0);
    m.client.ups = m.server.ups = 0;
    check_refused(&m, &(struct dial_spec){.key = "cluster"}, GP_EACCES, "belongs to cluster west");
    part(&m);
}

static int admit_nobody(void *user, const struct hello *peer, struct gp_error *err)
{
    (void)user;
    return gp_error_set(err, GP_EACCES, "%s is not on the list", peer->name);
}

GP_TEST(handshake, leaves_the_last_word_to_the_owner)
{
    struct endpoint_events events = node_events;
    struct meeting m;

    events.admit = admit_nobody;
    fake_init(&m.f);
    node_init_as(&m.server, &m.f, ROLE_MASTER, "master", &events, NULL);
    node_init(&m.client, &m.f, ROLE_CLIENT, "client");
    check_refused(&m, &(struct dial_spec){.key = "cluster"}, GP_EACCES,
                  "client is not on the list");
    part(&m);
}

/* ---- those who do not even try ---- */

/* The code in the CLOSE frame at the end of what a raw peer got; 0: there is none. */
static int64_t close_code(struct raw *raw)
{
    gp_bytes bytes = buf_bytes(&raw->got);
    struct frame_header header;
    struct value *tree = NULL;
    struct wire_error what;
    int64_t code;

    if (bytes.len < FRAME_HEADER_SIZE || frame_header_decode(bytes.ptr, &header, NULL) < 0 ||
        header.type != MSG_CLOSE) {
        return 0;
    }
    GP_REQUIRE_EQ(bytes.len, FRAME_HEADER_SIZE + header.length);
    GP_REQUIRE_EQ(
        port_json_parse(&raw->f->port,
                        (gp_str){(const char *)bytes.ptr + FRAME_HEADER_SIZE, header.length}, &tree,
                        NULL),
        0);
    GP_REQUIRE_EQ(fields_decode(&wire_error_fields, tree, &what, NULL), 0);
    code = what.code;
    fields_deinit(&wire_error_fields, &what);
    value_free(tree);
    return code;
}

static void check_stranger(const void *bytes, size_t len, int code)
{
    struct fake f;
    struct node server;
    struct raw raw;

    fake_init(&f);
    node_init(&server, &f, ROLE_MASTER, "master");
    raw_dial(&raw, &f, &server.addr);
    raw_send(&raw, bytes, len);
    GP_CHECK_EQ(close_code(&raw), code);
    GP_CHECK(raw.ended);
    GP_CHECK_EQ(endpoint_counts(server.ep)->handshakes_failed, 1);
    GP_CHECK_EQ(server.ups, 0);
    raw_deinit(&raw);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

GP_TEST(handshake, answers_other_protocols_at_once)
{
    static const char http[] = "GET / HTTP/1.0\r\n\r\n";
    static const char tls[] = {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, (char)0xfc};
    static const char zeros[64];

    check_stranger(http, sizeof(http) - 1, GP_EPROTO);
    check_stranger(tls, sizeof(tls), GP_EPROTO);
    check_stranger(zeros, sizeof(zeros), GP_EPROTO);
}

static void make_frame(struct frame_header header, const void *payload, size_t len, bool seal,
                       unsigned char *ret)
{
    header.length = (uint32_t)len;
    frame_header_encode(&header, ret);
    if (len > 0) {
        memcpy(ret + FRAME_HEADER_SIZE, payload, len);
    }
    if (seal) {
        frame_seal(ret, len);
    }
}

GP_TEST(handshake, refuses_bad_frames_from_strangers)
{
    static unsigned char frame[2 * FRAME_GREETING_MAX];
    static char big[FRAME_GREETING_MAX];
    const struct frame_header hello = {.type = MSG_HELLO};

    memset(big, ' ', sizeof(big));
    make_frame(hello, "{", 1, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE + 1, GP_EPROTO);
    make_frame(hello, "{}", 2, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE + 2, GP_EPROTO);
    make_frame(hello, "{}", 2, false, frame); /* no checksum */
    check_stranger(frame, FRAME_HEADER_SIZE + 2, GP_EPROTO);
    make_frame(hello, "{}\0", 3, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE + 3, GP_EPROTO);
    make_frame(hello, "{}", 2, true, frame);
    frame[FRAME_HEADER_SIZE] ^= 1;
    check_stranger(frame, FRAME_HEADER_SIZE + 2, GP_ECHECKSUM);
    make_frame(hello, big, sizeof(big), true, frame); /* with its header too long */
    check_stranger(frame, FRAME_HEADER_SIZE, GP_ETOOBIG);
    make_frame((struct frame_header){.type = MSG_PROOF}, "{\"mac\":\"00\"}", 12, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE + 12, GP_EPROTO);
    make_frame((struct frame_header){.type = MSG_PING}, NULL, 0, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE, GP_EPROTO);
    make_frame((struct frame_header){.type = MSG_APP_KILL, .kind = FRAME_ASK, .correlation = 1},
               "{\"app\":\"7\"}", 11, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE + 11, GP_EACCES);
    make_frame((struct frame_header){.type = MSG_BATCH}, NULL, 0, true, frame);
    check_stranger(frame, FRAME_HEADER_SIZE, GP_EACCES);
}

GP_TEST(handshake, does_not_wait_for_ever)
{
    struct fake f;
    struct node server;
    struct raw raw;

    fake_init(&f);
    node_init(&server, &f, ROLE_MASTER, "master");
    raw_dial(&raw, &f, &server.addr);
    raw_send(&raw, "GPF1", 4); /* and no more: slow, or a slow loris */
    fake_advance(&f, 4 * SECOND);
    GP_CHECK(!raw.ended);
    fake_advance(&f, 2 * SECOND);
    GP_CHECK(raw.ended);
    GP_CHECK_EQ(close_code(&raw), GP_ETIMEOUT);
    raw_deinit(&raw);
    endpoint_free(server.ep);
    fake_deinit(&f);
}

/* What a peer proved once is of no use on another connection: nonces differ. */
GP_TEST(handshake, cannot_be_replayed)
{
    struct meeting m;
    struct raw first;
    gp_bytes got;

    meet(&m);
    (void)node_dial(&m.client, &m.server.addr, "cluster", true);
    fake_run(&m.f);
    GP_REQUIRE_EQ(m.server.ups, 1);
    raw_dial(&first, &m.f, &m.server.addr);
    {
        /* A HELLO as the client would send it, then a proof made for other nonces. */
        static unsigned char frame[FRAME_GREETING_MAX];
        static const char hello[] =
            "{\"proto_min\":1,\"proto_max\":1,\"role\":\"client\",\"name\":\"client\","
            "\"incarnation\":\"5\",\"key\":\"cluster\",\"nonce\":\"00000000000000000000000000000000"
            "00000000000000000000000000000000\"}";
        struct proof proof;
        char mac[SHA256_HEX_SIZE];
        char text[128];

        make_frame((struct frame_header){.type = MSG_HELLO}, hello, sizeof(hello) - 1, true, frame);
        raw_send(&first, frame, FRAME_HEADER_SIZE + sizeof(hello) - 1);
        got = buf_bytes(&first.got);
        GP_REQUIRE(got.len > FRAME_HEADER_SIZE); /* the server's HELLO */
        GP_CHECK(!first.ended);
        hello_prove(gp_bytes_of("open sesame", 11), HELLO_CLIENT,
                    gp_bytes_of(hello, sizeof(hello) - 1), gp_bytes_of("{}", 2), mac);
        proof.mac = mac;
        (void)snprintf(text, sizeof(text), "{\"mac\":\"%s\"}", proof.mac);
        buf_clear(&first.got);
        make_frame((struct frame_header){.type = MSG_PROOF}, text, strlen(text), true, frame);
        raw_send(&first, frame, FRAME_HEADER_SIZE + strlen(text));
    }
    GP_CHECK_EQ(close_code(&first), GP_EACCES);
    GP_CHECK(first.ended);
    GP_CHECK_EQ(m.server.ups, 1);
    raw_deinit(&first);
    part(&m);
}

/* A stranger's client, made from PROTOCOL.md alone, gets in. */
GP_TEST(handshake, is_what_the_protocol_says)
{
    static unsigned char frame[FRAME_GREETING_MAX];
    static const char hello[] =
        "{\"proto_min\":1,\"proto_max\":1,\"role\":\"client\",\"name\":\"client\","
        "\"incarnation\":5,\"key\":\"cluster\",\"nonce\":\"00000000000000000000000000000000"
        "00000000000000000000000000000000\",\"something_new\":[1,2,3]}";
    struct meeting m;
    struct raw raw;
    char mac[SHA256_HEX_SIZE];
    char text[128];
    gp_bytes got;

    meet(&m);
    raw_dial(&raw, &m.f, &m.server.addr);
    make_frame((struct frame_header){.type = MSG_HELLO}, hello, sizeof(hello) - 1, true, frame);
    raw_send(&raw, frame, FRAME_HEADER_SIZE + sizeof(hello) - 1);
    got = buf_bytes(&raw.got);
    GP_REQUIRE(got.len > FRAME_HEADER_SIZE);
    hello_prove(gp_bytes_of("open sesame", 11), HELLO_CLIENT, gp_bytes_of(hello, sizeof(hello) - 1),
                gp_bytes_of((const char *)got.ptr + FRAME_HEADER_SIZE, got.len - FRAME_HEADER_SIZE),
                mac);
    (void)snprintf(text, sizeof(text), "{\"mac\":\"%s\"}", mac);
    make_frame((struct frame_header){.type = MSG_PROOF}, text, strlen(text), true, frame);
    raw_send(&raw, frame, FRAME_HEADER_SIZE + strlen(text));
    GP_CHECK_EQ(m.server.ups, 1);
    raw_deinit(&raw);
    fake_run(&m.f);
    GP_CHECK_EQ(m.server.downs, 1);
    part(&m);
}
