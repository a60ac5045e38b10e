/*
 * Everything a listener may be sent. A server has one good client; somebody else sends the input,
 * as a stranger or, after a good handshake, as a client or lane. Whatever that does to its own
 * connection, the good client is answered before, meanwhile and after.
 *
 * input: byte 0: bit 0 inside (after the handshake), bit 1 as a lane, bit 2 make checksums right
 *        byte 1: how many bytes a read gives at most; 0: all
 *        then what is sent
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actor/endpoint.h"
#include "base/assert.h"
#include "fake_port.h"

#define INSIDE 1
#define LANE   2
#define SEAL   4

static void on_up(void *user, struct peer *peer)
{
    (void)user;
    (void)peer;
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    (void)user;
    (void)peer;
    ASSERT(why->code < 0 && why->text[0] != '\0');
}

/* Every third ask is answered, every third refused, every third forgotten. */
static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    const struct msg_app_summary summary = {.id = 7};
    struct endpoint **server = user;

    (void)peer;
    if (in->type == MSG_APP_KILL) {
        return endpoint_reply(*server, in->token, &summary);
    }
    return in->type % 3 == 0 ? gp_error_set(err, GP_EUNSUPPORTED, "no") : 0;
}

static void on_frame(void *user, struct peer *peer, const struct frame_header *header,
                     const void *payload, struct rbuf *buf)
{
    const void *kept = payload;
    struct rbuf *keeper = rbuf_keep(buf, &kept, header->length);

    (void)user;
    (void)peer;
    ASSERT((uintptr_t)kept % 8 == 0);
    ASSERT(keeper != NULL && memcmp(kept, payload, header->length) == 0);
    rbuf_unref(keeper);
}

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    (void)user;
    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = 3;
    memcpy(ret->bytes, "key", 3);
    return 0;
}

static const struct endpoint_events events = {.on_up = on_up,
                                              .on_down = on_down,
                                              .on_message = on_message,
                                              .on_frame = on_frame,
                                              .key_find = key_find};

static struct endpoint *endpoint_as(struct fake *f, enum role role, const char *name,
                                    struct endpoint **self)
{
    const struct endpoint_config config = {.port = &f->port,
                                           .role = role,
                                           .name = name,
                                           .events = &events,
                                           .user = self,
                                           .limits = {.read_size = 4096}};

    ASSERT(endpoint_new(&config, self) == 0);
    return *self;
}

static struct peer *dial(struct endpoint *ep, const struct net_addr *addr, const char *key)
{
    const struct dial_spec spec = {.addrs = addr, .addrs_count = 1, .key = key, .once = true};
    struct peer *peer;

    ASSERT(endpoint_dial(ep, &spec, &peer) == 0);
    return peer;
}

static void on_answer(void *user, struct peer *peer, const struct answer *answer)
{
    int *answered = user;

    (void)peer;
    *answered += answer->code == 0;
}

static void check_service(struct fake *f, struct peer *good)
{
    const struct msg_app_ref ref = {.app = (char *)"7"};
    int answered = 0;

    ASSERT(peer_ask(good, MSG_APP_KILL, &ref, 1000000000, 0, on_answer, &answered) == 0);
    fake_run(f);
    ASSERT(answered == 1);
}

/* Makes the checksum of each frame right, as long as they follow on each other. */
static void seal_all(uint8_t *bytes, size_t len)
{
    struct frame_header header;

    while (len >= FRAME_HEADER_SIZE && frame_header_decode(bytes, &header, NULL) == 0 &&
           header.length <= len - FRAME_HEADER_SIZE) {
        frame_seal(bytes, header.length);
        bytes += FRAME_HEADER_SIZE + header.length;
        len -= FRAME_HEADER_SIZE + header.length;
    }
}

static void on_sent(void *user, int status)
{
    (void)user;
    (void)status;
}

static void send_inside(struct fake *f, const struct net_addr *addr, bool lane,
                        const uint8_t *bytes, size_t len)
{
    struct endpoint *ep;
    struct peer *peer;

    endpoint_as(f, lane ? ROLE_LANE : ROLE_CLIENT, lane ? "app/7/executor/1/lane/0" : "client",
                &ep);
    peer = dial(ep, addr, lane ? "app/7" : "cluster");
    fake_run(f);
    ASSERT(peer_is_up(peer));
    if (len > 0) {
        ASSERT(conn_send_raw(peer_conn(peer), bytes, len, on_sent, NULL) == 0);
    }
    fake_run(f);
    endpoint_free(ep);
}

static void send_outside(struct fake *f, const struct net_addr *addr, const uint8_t *bytes,
                         size_t len)
{
    struct raw raw;

    raw_dial(&raw, f, addr);
    raw_send(&raw, bytes, len);
    raw_deinit(&raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct net_addr any = fake_addr("127.0.0.1:0");
    struct net_addr addr;
    struct endpoint *server;
    struct endpoint *client;
    struct peer *good;
    struct fake f;
    uint8_t *bytes;

    if (size < 2) {
        return 0;
    }
    bytes = malloc(size);
    ASSERT(bytes != NULL);
    memcpy(bytes, data + 2, size - 2);
    if ((data[0] & SEAL) != 0) {
        seal_all(bytes, size - 2);
    }
    fake_init(&f);
    endpoint_as(&f, ROLE_MASTER, "master", &server);
    ASSERT(endpoint_listen(server, &any, &addr, NULL) == 0);
    endpoint_as(&f, ROLE_CLIENT, "client", &client);
    good = dial(client, &addr, "cluster");
    fake_run(&f);
    f.read_max = data[1];
    if ((data[0] & INSIDE) != 0) {
        send_inside(&f, &addr, (data[0] & LANE) != 0, bytes, size - 2);
    } else {
        send_outside(&f, &addr, bytes, size - 2);
    }
    check_service(&f, good);
    fake_advance(&f, INT64_C(10000000000)); /* over every timeout */
    check_service(&f, good);
    endpoint_free(client);
    endpoint_free(server);
    fake_deinit(&f);
    free(bytes);
    return 0;
}
