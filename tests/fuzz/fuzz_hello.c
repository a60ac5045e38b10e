/*
 * The handshake, from both sides, against somebody who knows the key of application 7 and not the
 * cluster's. Whatever it says and proves, it is let in as what that key allows and as nothing else;
 * and whom we dialled is whom we looked for.
 *
 * input: byte 0: bit 0 it answers (we dial), bit 1 it proves with the key it knows, bit 2 it has
 * the
 *        application's connection dialled (else the cluster's)
 *        then the payload of its HELLO, and behind a zero that of a PROOF, sent if it proves nothing
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actor/address.h"
#include "actor/endpoint.h"
#include "base/assert.h"
#include "base/str.h"
#include "fake_port.h"
#include "wire/messages.h"

#define ANSWERS 1
#define PROVES  2
#define OF_APP  4

static const char app_key[] = "key of the application";
static const char cluster_key[] = "key of the cluster";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node {
    struct endpoint *ep;
    const char *target; /* whom it dialled; NULL: it listens */
    uint32_t ups;
};

static void check_guest(const struct hello *guest)
{
    struct address address;

    ASSERT(strcmp(guest->key, "app/7") == 0);
    ASSERT(address_parse(gp_str_of(guest->name), &address) == 0 && address.role == guest->role);
    ASSERT(address.app == 7);
}

static void on_up(void *user, struct peer *peer)
{
    struct node *node = user;
    const struct hello *other = peer_hello(peer);

    node->ups++;
    if (node->target == NULL) {
        check_guest(other);
    } else {
        ASSERT(strcmp(other->name, node->target) == 0);
    }
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    (void)user;
    (void)peer;
    ASSERT(why->code < 0 && why->text[0] != '\0');
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    (void)user;
    (void)peer;
    (void)in;
    return gp_error_set(err, GP_EUNSUPPORTED, "no");
}

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    bool of_cluster = str_eq(key, GP_STR(HELLO_KEY_CLUSTER));
    const char *secret = of_cluster ? cluster_key : app_key;

    (void)user;
    (void)role;
    (void)name;
    if (!of_cluster && !str_eq(key, GP_STR("app/7"))) {
        return gp_error_set(err, GP_EACCES, "no such key");
    }
    ret->len = (uint32_t)strlen(secret);
    memcpy(ret->bytes, secret, ret->len);
    return 0;
}

static const struct endpoint_events events = {
    .on_up = on_up, .on_down = on_down, .on_message = on_message, .key_find = key_find};

/* ---- the other one ---- */

struct other {
    struct raw raw;
    bool met;
    gp_bytes hello;
    gp_bytes proof;
    unsigned flags;
};

static void send_frame(struct other *o, uint16_t type, gp_bytes payload)
{
    const struct frame_header header = {.type = type, .length = (uint32_t)payload.len};
    uint8_t *frame = malloc(FRAME_HEADER_SIZE + payload.len);

    ASSERT(frame != NULL);
    frame_header_encode(&header, frame);
    memcpy(frame + FRAME_HEADER_SIZE, payload.ptr, payload.len);
    frame_seal(frame, payload.len);
    if (!o->raw.ended) {
        raw_send(&o->raw, frame, FRAME_HEADER_SIZE + payload.len);
    }
    free(frame);
}

/* The first frame that came, if it is a HELLO. */
static gp_bytes hello_that_came(const struct other *o)
{
    gp_bytes got = buf_bytes(&o->raw.got);
    struct frame_header header;

    if (got.len < FRAME_HEADER_SIZE || frame_header_decode(got.ptr, &header, NULL) < 0 ||
        header.type != MSG_HELLO || header.length > got.len - FRAME_HEADER_SIZE) {
        return (gp_bytes){0};
    }
    return gp_bytes_of((const uint8_t *)got.ptr + FRAME_HEADER_SIZE, header.length);
}

static void send_proof(struct other *o)
{
    const gp_bytes theirs = hello_that_came(o);
    const bool answers = (o->flags & ANSWERS) != 0;
    char mac[SHA256_HEX_SIZE];
    char text[128];
    int len;

    if ((o->flags & PROVES) == 0 || theirs.len == 0) {
        send_frame(o, MSG_PROOF, o->proof);
        return;
    }
    hello_prove(gp_bytes_of(app_key, strlen(app_key)), answers ? HELLO_SERVER : HELLO_CLIENT,
                answers ? theirs : o->hello, answers ? o->hello : theirs, mac);
    len = snprintf(text, sizeof(text), "{\"mac\":\"%s\"}", mac);
    send_frame(o, MSG_PROOF, gp_bytes_of(text, (size_t)len));
}

static void on_accepted(void *user, struct stream *stream)
{
    struct other *o = user;

    if (o->met) {
        stream_free(stream);
        return;
    }
    o->met = true;
    raw_listen_take(&o->raw, o->raw.f, stream);
}

static void make_node(struct fake *f, enum role role, const char *name, struct node *ret)
{
    const struct endpoint_config config = {.port = &f->port,
                                           .role = role,
                                           .name = name,
                                           .events = &events,
                                           .user = ret,
                                           .limits = {.read_size = 4096}};

    ASSERT(endpoint_new(&config, &ret->ep) == 0);
}

/* ---- */

static void knock(struct other *o, struct fake *f)
{
    const struct net_addr any = fake_addr("127.0.0.1:0");
    struct net_addr addr;
    struct node server = {0};

    make_node(f, ROLE_MASTER, "master", &server);
    ASSERT(endpoint_listen(server.ep, &any, &addr, NULL) == 0);
    raw_dial(&o->raw, f, &addr);
    send_frame(o, MSG_HELLO, o->hello);
    send_proof(o);
    ASSERT(server.ups == 0 || (o->flags & PROVES) != 0);
    fake_advance(f, INT64_C(10000000000));
    raw_deinit(&o->raw);
    fake_run(f);
    endpoint_free(server.ep);
}

static void answer(struct other *o, struct fake *f)
{
    const struct net_addr any = fake_addr("127.0.0.1:0");
    const bool of_app = (o->flags & OF_APP) != 0;
    struct listener *listener;
    struct net_addr addr;
    struct node client = {.target = of_app ? "app/7" : "master"};
    const struct dial_spec spec = {.addrs = &addr,
                                   .addrs_count = 1,
                                   .target = client.target,
                                   .key = of_app ? "app/7" : HELLO_KEY_CLUSTER,
                                   .once = true};
    struct peer *peer;

    o->raw.f = f;
    ASSERT(net_listen(&f->loop, &any, on_accepted, o, &listener, NULL) == 0);
    net_listener_addr(listener, &addr);
    make_node(f, of_app ? ROLE_EXECUTOR : ROLE_WORKER, of_app ? "app/7/executor/1" : "worker/1",
              &client);
    ASSERT(endpoint_dial(client.ep, &spec, &peer) == 0);
    fake_run(f);
    ASSERT(o->met);
    send_frame(o, MSG_HELLO, o->hello);
    send_proof(o);
    ASSERT(client.ups == 0 || (of_app && (o->flags & PROVES) != 0));
    fake_advance(f, INT64_C(10000000000));
    raw_deinit(&o->raw);
    fake_run(f);
    endpoint_free(client.ep);
    net_listener_free(listener);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct other other = {0};
    const uint8_t *zero;
    struct fake f;

    if (size < 1) {
        return 0;
    }
    other.flags = data[0];
    data++;
    size--;
    zero = size > 0 ? memchr(data, 0, size) : NULL;
    other.hello = gp_bytes_of(data, zero != NULL ? (size_t)(zero - data) : size);
    if (zero != NULL) {
        other.proof = gp_bytes_of(zero + 1, size - other.hello.len - 1);
    } else {
        other.proof = gp_bytes_of(data, 0);
    }
    fake_init(&f);
    if ((other.flags & ANSWERS) != 0) {
        answer(&other, &f);
    } else {
        knock(&other, &f);
    }
    fake_deinit(&f);
    return 0;
}
