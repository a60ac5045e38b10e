/*
 * Connections that go over to shared memory, in the real world: no frame is lost or moved on the
 * way over, and who does not want it, or may not, stays on the socket.
 */
#include <stdlib.h>

#include "actor/conn.h"
#include "edge/rig.h"
#include "wire/messages.h"

#define KiB ((size_t)1024)

#define KEPT_MAX 16u

struct kept {
    struct rbuf *buf;
    const unsigned char *ptr;
    size_t len;
};

struct side {
    struct conn_share share;
    struct conn_setup setup;
    struct conn *conn;
    int shared; /* calls of on_shared */
    int status; /* of the last */
    bool ready;
    uint64_t sent;
    uint64_t written;
    uint64_t got;
    bool is_kept_wrong;
    uint32_t keep_max; /* batches, the oldest of which goes then */
    uint32_t kept_count;
    struct kept kept[KEPT_MAX];
    uint32_t lent; /* that came where they lay */
    struct gp_error why;
};

struct lanes {
    struct rig rig;
    struct rbuf_pool pool;
    struct conn_identity identity;
    struct listener *listener;
    struct side client;
    struct side server;
    unsigned char *frame;
};

static void on_ready(void *user, struct conn *conn)
{
    (void)conn;
    ((struct side *)user)->ready = true;
}

static bool is_right(const unsigned char *ptr, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (ptr[i] != 0x5a) {
            return false;
        }
    }
    return true;
}

static void drop_oldest(struct side *s)
{
    s->is_kept_wrong |= !is_right(s->kept[0].ptr, s->kept[0].len);
    rbuf_unref(s->kept[0].buf);
    memmove(&s->kept[0], &s->kept[1], --s->kept_count * sizeof(s->kept[0]));
}

static void keep(struct side *s, const void *payload, size_t len, struct rbuf *buf)
{
    struct rbuf *kept;

    if (s->kept_count == s->keep_max) {
        drop_oldest(s);
    }
    kept = rbuf_keep(buf, &payload, len);
    GP_REQUIRE(kept != NULL);
    s->kept[s->kept_count++] = (struct kept){kept, payload, len};
}

static void on_frame(void *user, struct conn *conn, const struct frame_header *header,
                     const void *payload, struct rbuf *buf)
{
    struct side *s = user;

    (void)conn;
    GP_CHECK_EQ(header->sequence, s->got);
    s->lent += rbuf_is_lent(buf);
    if (s->keep_max > 0 && header->type == MSG_BATCH) {
        keep(s, payload, header->length, buf);
    }
    s->is_kept_wrong |= ((const unsigned char *)payload)[header->length - 1] != 0x5a;
    s->got++;
}

static void on_shared(void *user, struct conn *conn, int status)
{
    struct side *s = user;

    GP_CHECK_EQ(conn_is_shared(conn), status == 0);
    s->shared++;
    s->status = status;
}

static void on_closed(void *user, struct conn *conn, const struct gp_error *why)
{
    (void)conn;
    ((struct side *)user)->why = *why;
}

static const struct conn_events events = {
    .on_ready = on_ready, .on_frame = on_frame, .on_shared = on_shared, .on_closed = on_closed};

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    (void)user, (void)key, (void)role, (void)name, (void)err;
    ret->len = 3;
    memcpy(ret->bytes, "key", 3);
    return 0;
}

static void on_accept(void *user, struct stream *stream)
{
    struct lanes *l = user;

    GP_REQUIRE_EQ(conn_accept_take(&l->server.setup, stream, &events, &l->server, &l->server.conn),
                  0);
}

static void set_up(struct lanes *l, struct side *s, size_t ring, size_t max)
{
    s->share = (struct conn_share){.ring_bytes = ring, .max_bytes = max};
    s->setup = (struct conn_setup){.port = l->rig.port,
                                   .loop = l->rig.loop,
                                   .pool = &l->pool,
                                   .identity = &l->identity,
                                   .payload_max = 1 << 16,
                                   .share = &s->share,
                                   .key_find = key_find};
}

static void begin(struct lanes *l)
{
    memset(l, 0, sizeof(*l));
    rig_begin(&l->rig, NULL);
    rbuf_pool_init(&l->pool, 64 * KiB, 4, 2);
    l->identity = (struct conn_identity){
        .role = ROLE_LANE, .name = "app/7/executor/1/lane/0", .incarnation = 9};
    l->frame = calloc(1, 64 * KiB);
    GP_REQUIRE(l->frame != NULL);
    set_up(l, &l->client, 16 * KiB, 1024 * KiB);
    set_up(l, &l->server, 16 * KiB, 1024 * KiB);
}

static void connect_lanes(struct lanes *l)
{
    const struct conn_target target = {.key = "app/7"};
    struct gp_error err = {0};
    struct net_addr addr = {0};

    (void)snprintf(addr.text, sizeof(addr.text), "unix:%s", rig_path(&l->rig, "s"));
    GP_REQUIRE_EQ(net_listen(l->rig.loop, &addr, on_accept, l, &l->listener, &err), 0);
    GP_REQUIRE_EQ(conn_dial(&l->client.setup, &addr, &target, &events, &l->client, &l->client.conn),
                  0);
    RIG_PUMP_UNTIL(&l->rig, l->client.ready && l->server.ready);
}

static void end(struct lanes *l)
{
    conn_free(l->client.conn);
    conn_free(l->server.conn);
    GP_CHECK_EQ(l->client.share.used_bytes, 0);
    GP_CHECK_EQ(l->server.share.used_bytes, 0);
    net_listener_free(l->listener);
    rig_end(&l->rig);
    rbuf_pool_deinit(&l->pool);
    free(l->frame);
}

static void on_written(void *user, int status)
{
    GP_CHECK_EQ(status, 0);
    ((struct side *)user)->written++;
}

/* A batch by reference or a credit by copy, numbered; sizes of all kinds. One batch is under
 * way. */
static void send_next(struct lanes *l, struct side *s)
{
    const uint32_t length = 8 + (uint32_t)(s->sent * 5000 % 40000) / 8 * 8;
    struct frame_header header = {
        .type = MSG_CREDIT, .kind = FRAME_TELL, .sequence = s->sent, .length = 24};
    unsigned char *frame = l->frame;

    if (s->sent % 3 == 0 && l->client.written == (l->client.sent + 2) / 3 &&
        l->server.written == (l->server.sent + 2) / 3) {
        header.type = MSG_BATCH;
        header.length = length;
        memset(frame, 0x5a, FRAME_HEADER_SIZE + length);
        frame_header_encode(&header, frame);
        GP_REQUIRE_EQ(conn_send_raw(s->conn, frame, FRAME_HEADER_SIZE + length, on_written, s), 0);
        s->sent++;
    } else if (s->sent % 3 != 0) {
        const uint64_t payload[3] = {1, 2, UINT64_C(0x5a5a5a5a5a5a5a5a)};

        GP_REQUIRE_EQ(conn_send(s->conn, &header, gp_bytes_of(payload, sizeof(payload))), 0);
        s->sent++;
    }
}

/* Both send all the while. */
static void talk(struct lanes *l, uint64_t frames)
{
    while (l->client.got < frames || l->server.got < frames) {
        for (int i = 0; i < 3; i++) {
            if (l->client.sent < frames) {
                send_next(l, &l->client);
            }
            if (l->server.sent < frames) {
                send_next(l, &l->server);
            }
        }
        timer_start(l->rig.watchdog, RIG_PATIENCE_NS);
        edge_step(l->rig.world, false);
        GP_REQUIRE(!l->rig.expired && l->client.why.code == 0 && l->server.why.code == 0);
    }
    timer_stop(l->rig.watchdog);
    GP_CHECK(!l->client.is_kept_wrong && !l->server.is_kept_wrong);
}

GP_TEST(share, no_frame_is_lost_or_moved_on_the_way_over)
{
    struct lanes l;

    begin(&l);
    connect_lanes(&l);
    talk(&l, 600);
    GP_CHECK(conn_is_shared(l.client.conn) && conn_is_shared(l.server.conn));
    GP_CHECK_EQ(l.client.shared, 1);
    GP_CHECK_EQ(l.server.shared, 1);
    GP_CHECK_EQ(l.server.share.used_bytes, 36 * KiB);
    GP_CHECK_EQ(conn_counts(l.server.conn)->frames_in, conn_counts(l.client.conn)->frames_out);
    end(&l);
}

/* In a ring with room for half a dozen of them. */
GP_TEST(share, batches_may_be_kept_where_they_lie)
{
    struct lanes l;

    begin(&l);
    l.client.share.ring_bytes = 128 * KiB;
    l.server.keep_max = 2;
    connect_lanes(&l);
    talk(&l, 600);
    GP_CHECK(l.server.lent > 50);
    conn_free(l.server.conn);
    l.server.conn = NULL;
    while (l.server.kept_count > 0) {
        drop_oldest(&l.server);
    }
    GP_CHECK(!l.server.is_kept_wrong);
    end(&l);
}

/* Who dials knows the job. */
GP_TEST(share, the_client_says_how_much)
{
    struct lanes l;

    begin(&l);
    l.server.share.ring_bytes = 4 * KiB;
    connect_lanes(&l);
    talk(&l, 100);
    GP_CHECK(conn_is_shared(l.client.conn) && conn_is_shared(l.server.conn));
    GP_CHECK_EQ(l.client.share.used_bytes, 36 * KiB);
    GP_CHECK_EQ(l.server.share.used_bytes, 36 * KiB);
    end(&l);
}

/* The reason for a close is the last thing that goes through the memory. */
GP_TEST(share, a_close_says_why)
{
    struct gp_error why = {0};
    struct lanes l;

    begin(&l);
    connect_lanes(&l);
    talk(&l, 50);
    (void)gp_error_set(&why, GP_EJOB, "enough");
    conn_close(l.client.conn, &why);
    RIG_PUMP_UNTIL(&l.rig, l.server.why.code != 0);
    GP_CHECK_EQ(l.server.why.code, GP_EJOB);
    GP_CHECK_STR_EQ(l.server.why.text, "enough");
    end(&l);
}

static void check_socket(struct lanes *l, int client_status, int server_status)
{
    connect_lanes(l);
    talk(l, 100);
    GP_CHECK(!conn_is_shared(l->client.conn) && !conn_is_shared(l->server.conn));
    GP_CHECK_EQ(l->client.status, client_status);
    GP_CHECK_EQ(l->server.status, server_status);
    end(l);
}

GP_TEST(share, who_has_no_memory_left_stays_on_the_socket)
{
    struct lanes l;

    begin(&l);
    l.client.share.max_bytes = 35 * KiB;
    check_socket(&l, GP_EFULL, 0);
    begin(&l);
    l.server.share.max_bytes = 35 * KiB;
    check_socket(&l, GP_EFULL, GP_EFULL);
    begin(&l);
    l.client.share.ring_bytes = 512 * KiB; /* and a page more than the server has */
    l.client.share.max_bytes = 2048 * KiB;
    check_socket(&l, GP_EFULL, GP_EFULL);
}

GP_TEST(share, who_does_not_want_it_is_not_asked)
{
    struct lanes l;

    begin(&l);
    l.client.setup.share = NULL;
    check_socket(&l, 0, 0);
    begin(&l);
    l.server.setup.share = NULL;
    check_socket(&l, 0, 0);
    begin(&l);
    l.server.share.ring_bytes = 0;
    check_socket(&l, 0, 0);
}

/* A client that does not offer by itself sends this. */
static void check_out_of_turn(uint16_t type, uint8_t kind, bool after)
{
    struct frame_header header = {.type = type, .kind = kind};
    struct lanes l;

    begin(&l);
    if (!after) {
        l.client.share.max_bytes = 0;
    }
    connect_lanes(&l);
    if (after) {
        talk(&l, 30);
    }
    GP_REQUIRE_EQ(conn_send(l.client.conn, &header, (gp_bytes){NULL, 0}), 0);
    RIG_PUMP_UNTIL(&l.rig, l.server.why.code != 0);
    GP_CHECK_EQ(l.server.why.code, GP_EPROTO);
    end(&l);
}

GP_TEST(share, frames_out_of_turn_end_the_connection)
{
    check_out_of_turn(MSG_SHARED, FRAME_TELL, false);
    check_out_of_turn(MSG_SHARED, FRAME_ERROR, false);
    check_out_of_turn(MSG_SHARED, FRAME_ASK, false);
    check_out_of_turn(MSG_SHARE, FRAME_ERROR, false);
    check_out_of_turn(MSG_SHARE, FRAME_TELL, true);
    check_out_of_turn(MSG_SHARED, FRAME_TELL, true);
}

GP_TEST(share, a_share_without_memory_is_refused_and_all_goes_on)
{
    const struct frame_header header = {.type = MSG_SHARE, .kind = FRAME_TELL};
    struct lanes l;

    begin(&l);
    l.client.setup.share = NULL;
    connect_lanes(&l);
    GP_REQUIRE_EQ(conn_send(l.client.conn, &header, (gp_bytes){NULL, 0}), 0);
    RIG_PUMP_UNTIL(&l.rig, l.server.shared == 1);
    GP_CHECK_EQ(l.server.status, GP_ENOENT);
    GP_CHECK_EQ(l.server.why.code, 0);
    /* The client did not ask, and says so to whom answers. */
    RIG_PUMP_UNTIL(&l.rig, l.client.why.code != 0);
    end(&l);
}
