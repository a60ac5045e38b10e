/* Frames through a connection: in any pieces, of any size, kept and not. */
#include "actor/conn.h"
#include "nodes.h"
#include "wire/frame.h"

#define FRAMES_MAX 64

/* Both ends of one connection of lanes, below the endpoint. */
struct link {
    struct fake f;
    struct rbuf_pool pool;
    struct conn_identity identity;
    struct conn_setup setup;
    struct listener *listener;
    struct net_addr addr;
    struct conn *client;
    struct conn *server;
    int ready;
    int closed;
    struct gp_error why; /* of the server */
    struct rbuf *kept[FRAMES_MAX];
    const void *payloads[FRAMES_MAX];
    struct frame_header headers[FRAMES_MAX];
    int frames;
    bool keep;
    int silences;    /* and their ends */
    int freed_after; /* frames; 0: never */
};

static void link_on_ready(void *user, struct conn *conn)
{
    (void)conn;
    ((struct link *)user)->ready++;
}

static void link_on_frame(void *user, struct conn *conn, const struct frame_header *header,
                          const void *payload, struct rbuf *buf)
{
    struct link *l = user;

    GP_REQUIRE(l->frames < FRAMES_MAX);
    GP_CHECK_EQ((uintptr_t)payload % 8, 0);
    if (header->length > 0) { /* as check_frames() sends them */
        GP_CHECK_EQ(((const unsigned char *)payload)[0], (unsigned char)header->sequence);
        GP_CHECK_EQ(((const unsigned char *)payload)[header->length - 1],
                    (unsigned char)header->sequence);
    }
    l->headers[l->frames] = *header;
    if (l->keep) {
        l->payloads[l->frames] = payload;
        l->kept[l->frames] = rbuf_keep(buf, &l->payloads[l->frames], header->length);
    }
    l->frames++;
    if (l->frames == l->freed_after) {
        conn_free(conn);
        l->server = NULL;
    }
}

static void link_on_closed(void *user, struct conn *conn, const struct gp_error *why)
{
    struct link *l = user;

    l->closed++;
    if (conn == l->server) {
        l->why = *why;
    }
}

static void link_on_silence(void *user, struct conn *conn)
{
    struct link *l = user;

    (void)conn;
    l->silences++;
}

static const struct conn_events link_events = {.on_ready = link_on_ready,
                                               .on_frame = link_on_frame,
                                               .on_silence = link_on_silence,
                                               .on_closed = link_on_closed};

static int link_key(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
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

static void link_on_accept(void *user, struct stream *stream)
{
    struct link *l = user;

    GP_REQUIRE_EQ(conn_accept_take(&l->setup, stream, &link_events, l, &l->server), 0);
}

static void link_init(struct link *l, const char *addr, size_t read_size)
{
    const struct conn_target target = {.key = "app/7"};
    struct net_addr listen_addr = fake_addr(addr);

    memset(l, 0, sizeof(*l));
    fake_init(&l->f);
    rbuf_pool_init(&l->pool, read_size, 4, 2);
    l->identity = (struct conn_identity){
        .role = ROLE_LANE, .name = "app/7/executor/1/lane/0", .incarnation = 9};
    l->setup = (struct conn_setup){.port = &l->f.port,
                                   .loop = &l->f.loop,
                                   .pool = &l->pool,
                                   .identity = &l->identity,
                                   .key_find = link_key};
    GP_REQUIRE_EQ(net_listen(&l->f.loop, &listen_addr, link_on_accept, l, &l->listener, NULL), 0);
    net_listener_addr(l->listener, &l->addr);
    GP_REQUIRE_EQ(conn_dial(&l->setup, &l->addr, &target, &link_events, l, &l->client), 0);
    fake_run(&l->f);
    GP_REQUIRE_EQ(l->ready, 2);
}

static void link_deinit(struct link *l)
{
    for (int i = 0; i < l->frames; i++) {
        rbuf_unref(l->kept[i]);
    }
    conn_free(l->client);
    conn_free(l->server);
    net_listener_free(l->listener);
    rbuf_pool_deinit(&l->pool);
    fake_deinit(&l->f);
}

/* A batch, whole, filled with its number. */
static unsigned char *batch_new(uint64_t sequence, uint32_t length, bool seal)
{
    const struct frame_header header = {.type = MSG_BATCH, .length = length, .sequence = sequence};
    unsigned char *frame = malloc(FRAME_HEADER_SIZE + length);

    GP_REQUIRE(frame != NULL);
    frame_header_encode(&header, frame);
    memset(frame + FRAME_HEADER_SIZE, (int)(sequence & 0xff), length);
    if (seal) {
        frame_seal(frame, length);
    }
    return frame;
}

static void on_sent(void *user, int status)
{
    (void)status;
    free(user);
}

static void send_batch(struct link *l, uint64_t sequence, uint32_t length)
{
    unsigned char *frame = batch_new(sequence, length, conn_wants_crc(l->client));

    GP_REQUIRE_EQ(conn_send_raw(l->client, frame, FRAME_HEADER_SIZE + length, on_sent, frame), 0);
}

static void check_frames(struct link *l, const uint32_t *lengths, int count)
{
    for (int i = 0; i < count; i++) {
        send_batch(l, (uint64_t)i, lengths[i]);
    }
    fake_run(&l->f);
    GP_REQUIRE_EQ(l->frames, count);
    for (int i = 0; i < count; i++) {
        GP_CHECK_EQ(l->headers[i].length, lengths[i]);
        GP_CHECK_EQ(l->headers[i].sequence, i);
        if (l->keep) {
            const unsigned char *p = l->payloads[i];

            GP_REQUIRE(l->kept[i] != NULL);
            for (uint32_t j = 0; j < lengths[i]; j++) {
                GP_REQUIRE_EQ(p[j], i);
            }
        }
    }
}

GP_TEST(conn, takes_frames_in_any_pieces)
{
    static const uint32_t lengths[] = {0, 8, 512, 4064, 16, 1024, 0, 2048};

    for (size_t piece = 1; piece < 120; piece++) {
        struct link l;

        link_init(&l, "127.0.0.1:0", 4096);
        l.f.read_max = piece;
        check_frames(&l, lengths, 8);
        link_deinit(&l);
    }
}

/* Odd lengths put the next frame at odd places; its payload is moved to where it can be read. */
GP_TEST(conn, aligns_payloads_of_peers_that_do_not_pad)
{
    static const uint32_t lengths[] = {1, 3, 7, 513, 4063, 2, 9, 100, 8, 5};

    for (size_t piece = 0; piece < 300; piece += 37) {
        struct link l;

        link_init(&l, "127.0.0.1:0", 4096);
        l.f.read_max = piece;
        l.keep = true;
        check_frames(&l, lengths, 10);
        link_deinit(&l);
    }
}

GP_TEST(conn, keeps_payloads_while_it_reads_on)
{
    static const uint32_t lengths[] = {65376, 65376, 65376, 65376, 65376, 65376, 65376,
                                       65376, 65376, 65376, 65376, 65376, 256,   65376};

    for (size_t piece = 0; piece <= 100000; piece += 33333) {
        struct link l;

        link_init(&l, "127.0.0.1:0", (size_t)256 << 10);
        l.f.read_max = piece;
        l.keep = true;
        check_frames(&l, lengths, 14);
        link_deinit(&l);
    }
}

GP_TEST(conn, takes_frames_longer_than_its_buffers)
{
    static const uint32_t lengths[] = {64, FRAME_DATA_MAX, 64, 200000, 64};

    for (int keep = 0; keep < 2; keep++) {
        struct link l;

        link_init(&l, "127.0.0.1:0", 4096);
        l.keep = keep == 1;
        check_frames(&l, lengths, 5);
        link_deinit(&l);
    }
}

/* Same-host links go without checksums; others must have them. */
GP_TEST(conn, wants_checksums_where_bytes_leave_the_host)
{
    static const uint32_t lengths[] = {64, 64};
    struct link l;

    link_init(&l, "unix:/run/x.sock", 4096);
    GP_CHECK(!conn_wants_crc(l.client));
    check_frames(&l, lengths, 2);
    GP_CHECK(!l.headers[0].has_crc);
    link_deinit(&l);
    link_init(&l, "127.0.0.1:0", 4096);
    GP_CHECK(conn_wants_crc(l.client));
    {
        unsigned char *frame = batch_new(0, 64, false);

        GP_REQUIRE_EQ(conn_send_raw(l.client, frame, FRAME_HEADER_SIZE + 64, on_sent, frame), 0);
    }
    fake_run(&l.f);
    GP_CHECK_EQ(l.frames, 0);
    GP_CHECK_EQ(l.why.code, GP_EPROTO);
    link_deinit(&l);
}

static void check_corrupt(uint32_t at, unsigned char bits, int code)
{
    struct link l;
    unsigned char *frame = batch_new(3, 64, true);

    frame[at] ^= bits;
    link_init(&l, "127.0.0.1:0", 4096);
    send_batch(&l, 3, 64);
    GP_REQUIRE_EQ(conn_send_raw(l.client, frame, FRAME_HEADER_SIZE + 64, on_sent, frame), 0);
    send_batch(&l, 4, 64);
    fake_run(&l.f);
    GP_CHECK_EQ(l.frames, 1); /* what came before is good, what comes after is lost */
    GP_CHECK_EQ(l.closed, 2); /* the other side was told */
    GP_CHECK_EQ(l.why.code, code);
    link_deinit(&l);
}

GP_TEST(conn, ends_at_the_first_damaged_byte)
{
    check_corrupt(0, 1, GP_EPROTO);                         /* magic */
    check_corrupt(4, 8, GP_ECHECKSUM);                      /* length: 64 + 8 */
    check_corrupt(7, 1, GP_ETOOBIG);                        /* length: + 16 MiB */
    check_corrupt(8, 1, GP_ECHECKSUM);                      /* type: credit */
    check_corrupt(9, 1, GP_ECHECKSUM);                      /* type: control */
    check_corrupt(10, 3, GP_EPROTO);                        /* version */
    check_corrupt(11, 0x80, GP_EPROTO);                     /* flags */
    check_corrupt(11, 1, GP_EPROTO);                        /* no checksum, and there is one */
    check_corrupt(12, 1, GP_ECHECKSUM);                     /* checksum */
    check_corrupt(24, 1, GP_ECHECKSUM);                     /* sequence */
    check_corrupt(FRAME_HEADER_SIZE, 1, GP_ECHECKSUM);      /* payload, first byte */
    check_corrupt(FRAME_HEADER_SIZE + 63, 1, GP_ECHECKSUM); /* and last */
}

GP_TEST(conn, may_be_freed_by_its_own_frame)
{
    static const uint32_t lengths[] = {64, 64, 64, 64};
    struct link l;

    link_init(&l, "127.0.0.1:0", 4096);
    l.freed_after = 2;
    for (int i = 0; i < 4; i++) {
        send_batch(&l, (uint64_t)i, lengths[i]);
    }
    fake_run(&l.f);
    GP_CHECK_EQ(l.frames, 2);
    GP_CHECK_EQ(l.closed, 1); /* only the other side hears of it */
    link_deinit(&l);
}

GP_TEST(conn, says_where_it_was_cut)
{
    struct link l;
    unsigned char *frame;

    link_init(&l, "127.0.0.1:0", 4096);
    frame = batch_new(0, 64, true);
    GP_REQUIRE_EQ(conn_send_raw(l.client, frame, 50, on_sent, frame), 0); /* our mistake */
    conn_free(l.client);
    l.client = NULL;
    fake_run(&l.f);
    GP_CHECK_EQ(l.why.code, GP_ECLOSED);
    GP_CHECK_STR_EQ(l.why.text, "closed in the middle of a frame");
    link_deinit(&l);
}

/* Writes are told exactly once, also when the connection is freed before they are done. */
static void count_sent(void *user, int status)
{
    int *counts = user;

    counts[status < 0 ? 1 : 0]++;
}

GP_TEST(conn, tells_of_every_raw_write)
{
    static unsigned char frame[FRAME_HEADER_SIZE];
    const struct frame_header header = {.type = MSG_CREDIT};
    int counts[2] = {0, 0};
    struct link l;

    frame_header_encode(&header, frame);
    frame_seal(frame, 0);
    link_init(&l, "127.0.0.1:0", 4096);
    for (int i = 0; i < 5; i++) {
        GP_REQUIRE_EQ(conn_send_raw(l.client, frame, sizeof(frame), count_sent, counts), 0);
    }
    fake_run(&l.f);
    GP_CHECK_EQ(counts[0], 5);
    GP_CHECK_EQ(l.frames, 5);
    GP_REQUIRE_EQ(conn_send_raw(l.client, frame, sizeof(frame), count_sent, counts), 0);
    conn_free(l.client);
    l.client = NULL;
    fake_run(&l.f);
    GP_CHECK_EQ(counts[0] + counts[1], 6);
    link_deinit(&l);
}

/* Copied and raw frames keep their order, also while a write is under way. */
GP_TEST(conn, keeps_the_order_of_all_frames)
{
    struct link l;

    link_init(&l, "127.0.0.1:0", 4096);
    for (uint64_t i = 0; i < 30; i++) {
        const struct frame_header header = {.type = MSG_CREDIT, .sequence = i};
        const unsigned char payload[8] = {(unsigned char)i, 0, 0, 0, 0, 0, 0, (unsigned char)i};

        if (i % 3 == 2) {
            send_batch(&l, i, 64);
        } else {
            GP_REQUIRE_EQ(conn_send(l.client, &header, gp_bytes_of(payload, 8)), 0);
        }
    }
    fake_run(&l.f);
    GP_REQUIRE_EQ(l.frames, 30);
    for (int i = 0; i < 30; i++) {
        GP_CHECK_EQ(l.headers[i].sequence, i);
    }
    GP_CHECK_EQ(conn_counts(l.client)->bytes_out, conn_counts(l.server)->bytes_in);
    link_deinit(&l);
}

GP_TEST(conn, bounds_what_waits_to_be_sent)
{
    static char payload[1000];
    const struct frame_header header = {.type = MSG_EXECUTOR_REPORT};
    struct link l;
    int rc = 0;
    int sent = 0;

    link_init(&l, "127.0.0.1:0", 4096);
    l.setup.unsent_max = 100000;
    fake_stall(&l.f, true);
    while (rc == 0 && sent < 1000) {
        rc = conn_send(l.client, &header, gp_bytes_of(payload, sizeof(payload)));
        sent += rc == 0;
    }
    GP_CHECK_EQ(rc, GP_EAGAIN);
    GP_CHECK(sent >= 90 && sent <= 98);
    GP_CHECK_EQ(conn_send(l.client, &(struct frame_header){.type = MSG_BATCH},
                          gp_bytes_of(payload, 300 << 10)),
                GP_ETOOBIG);
    conn_free(l.server);
    l.server = NULL;
    fake_stall(&l.f, false);
    fake_run(&l.f);
    GP_CHECK_EQ(conn_send(l.client, &header, gp_bytes_of(payload, 1)), GP_ECLOSED);
    link_deinit(&l);
}

static bool are_silent(const struct link *l)
{
    return conn_is_silent(l->client, l->f.now_ns) && conn_is_silent(l->server, l->f.now_ns);
}

GP_TEST(conn, outlives_silence_if_its_owner_is_patient)
{
    struct link l;

    link_init(&l, "127.0.0.1:0", 4096);
    l.setup.patience_ns = 10 * SECOND;
    fake_advance(&l.f, 60 * SECOND); /* pings keep it */
    GP_CHECK_EQ(l.silences, 0);
    fake_stall(&l.f, true); /* nothing arrives any more, either way */
    fake_advance(&l.f, 2900 * MS_NS);
    GP_CHECK_EQ(l.silences, 0);
    fake_advance(&l.f, 1100 * MS_NS);
    GP_CHECK_EQ(l.silences, 2);
    GP_CHECK(are_silent(&l));
    fake_stall(&l.f, false);
    fake_run(&l.f);
    GP_CHECK_EQ(l.silences, 4);
    GP_CHECK(!conn_is_silent(l.client, l.f.now_ns) && !conn_is_silent(l.server, l.f.now_ns));
    fake_stall(&l.f, true);
    fake_advance(&l.f, 9900 * MS_NS);
    GP_CHECK(are_silent(&l));
    GP_CHECK_EQ(l.closed, 0);
    fake_advance(&l.f, 1100 * MS_NS);
    GP_CHECK_EQ(l.closed, 2);
    GP_CHECK_EQ(l.why.code, GP_ECLOSED); /* the client was first, and says so: it lives */
    GP_CHECK(conn_stood_still(l.server) && !conn_stood_still(l.client));
    link_deinit(&l);
}

/* User code has held the loop up: whoever looks now sees what was before, and forgets it at the
 * tick. */
GP_TEST(conn, blames_no_peer_for_its_own_pause)
{
    struct link l;

    link_init(&l, "127.0.0.1:0", 4096);
    l.setup.patience_ns = 10 * SECOND;
    fake_stall(&l.f, true);
    fake_advance(&l.f, 4 * SECOND);
    GP_CHECK(are_silent(&l));
    l.f.now_ns += 3 * SECOND;
    GP_CHECK(!are_silent(&l));
    fake_run(&l.f);
    GP_CHECK_EQ(l.silences, 4);
    fake_advance(&l.f, 2900 * MS_NS); /* a fresh period */
    GP_CHECK_EQ(l.silences, 4);
    fake_stall(&l.f, false);
    fake_advance(&l.f, 60 * SECOND);
    GP_CHECK_EQ(l.closed, 0);
    link_deinit(&l);
}
