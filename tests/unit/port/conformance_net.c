/*
 * port/net.h in every world: two ends of a connection in one loop.
 */
#include "gp_test.h"
#include "port/conformance.h"

#define MS  INT64_C(1000000)
#define KiB ((size_t)1024)

/* One end of a connection, with all it has seen. */
struct end {
    struct stream *stream;
    bool is_connected;
    int connect_status;
    char *bytes; /* what was read */
    size_t len;
    size_t size;
    size_t piece; /* largest read it offers */
    bool is_pausing;
    uint32_t reads;
    int64_t closed; /* what on_read said last, if negative */
    uint32_t closed_count;
    uint32_t writes;
    uint32_t written; /* callbacks of writes */
    uint32_t written_ok;
    uint32_t written_canceled;
};

struct pair {
    struct listener *listener;
    struct net_addr addr;
    struct end client;
    struct end server;
    uint32_t accepted;
};

/* ---- reading ---- */

static void *end_alloc(void *user, size_t *ret_len)
{
    struct end *end = user;
    size_t room = end->size - end->len;

    if (end->is_pausing) {
        return NULL;
    }
    GP_CHECK(room > 0);
    *ret_len = room < end->piece ? room : end->piece;
    return end->bytes + end->len;
}

static void end_on_read(void *user, int64_t n)
{
    struct end *end = user;

    end->reads++;
    if (n < 0) {
        end->closed = n;
        end->closed_count++;
        return;
    }
    GP_CHECK(n > 0 && (size_t)n <= end->piece);
    GP_CHECK_EQ(end->closed_count, 0);
    end->len += (size_t)n;
}

static const struct stream_reader end_reader = {.alloc = end_alloc, .on_read = end_on_read};

/* size: what it will read at most, and one byte more, for the place that the end is told at. */
static void end_read(struct end *end, size_t size)
{
    end->bytes = malloc(size + 1);
    GP_REQUIRE(end->bytes != NULL);
    end->size = size + 1;
    end->piece = end->piece != 0 ? end->piece : 64 * KiB;
    GP_REQUIRE_EQ(stream_read_start(end->stream, &end_reader, end), 0);
}

static void end_done(struct end *end)
{
    stream_free(end->stream);
    end->stream = NULL;
    free(end->bytes);
    end->bytes = NULL;
}

/* ---- writing ---- */

static void end_on_written(void *user, int status)
{
    struct end *end = user;

    end->written++;
    end->written_ok += status == 0;
    end->written_canceled += status == GP_ECANCELED;
}

static int end_write(struct end *end, const void *ptr, size_t len)
{
    const struct net_buf bytes = {.ptr = ptr, .len = len};
    int rc = stream_write(end->stream, &bytes, 1, end_on_written, end);

    end->writes += rc == 0;
    return rc;
}

static char *pattern_new(size_t len)
{
    char *bytes = malloc(len);
    uint32_t v = 1;

    GP_REQUIRE(bytes != NULL);
    for (size_t i = 0; i < len; i++) {
        v = v * 1664525u + 1013904223u;
        bytes[i] = (char)(v >> 24);
    }
    return bytes;
}

/* ---- connecting ---- */

static void pair_on_accepted(void *user, struct stream *stream)
{
    struct pair *pair = user;

    pair->accepted++;
    GP_CHECK(pair->server.stream == NULL);
    pair->server.stream = stream;
}

static void end_on_connected(void *user, int status)
{
    struct end *end = user;

    GP_CHECK(!end->is_connected);
    end->is_connected = true;
    end->connect_status = status;
}

static void pair_listen(struct pair *pair, struct conf *c, const char *addr)
{
    struct net_addr text;
    struct gp_error err = {0};

    *pair = (struct pair){0};
    (void)snprintf(text.text, sizeof(text.text), "%s", addr);
    GP_REQUIRE_EQ(net_listen(c->loop, &text, pair_on_accepted, pair, &pair->listener, &err), 0);
    net_listener_addr(pair->listener, &pair->addr);
}

static void end_connect(struct end *end, struct conf *c, const struct net_addr *addr)
{
    GP_REQUIRE_EQ(net_connect(c->loop, addr, end_on_connected, end, &end->stream), 0);
    GP_CHECK(!end->is_connected);
}

static void pair_connect(struct pair *pair, struct conf *c)
{
    end_connect(&pair->client, c, &pair->addr);
    CONF_WAIT(c, pair->client.is_connected && pair->server.stream != NULL);
    GP_REQUIRE_EQ(pair->client.connect_status, 0);
}

static void pair_begin(struct pair *pair, struct conf *c)
{
    pair_listen(pair, c, "127.0.0.1:0");
    pair_connect(pair, c);
}

static void pair_end(struct pair *pair, struct conf *c)
{
    end_done(&pair->client);
    end_done(&pair->server);
    net_listener_free(pair->listener);
    /* Callbacks of writes are owed even now, and pair must live until they came. */
    CONF_WAIT(c, pair->client.written == pair->client.writes &&
                     pair->server.written == pair->server.writes);
}

/* ---- listening and connecting ---- */

void conformance_listen_on_port_0_tells_the_port(struct conf *c)
{
    struct pair pair;
    struct net_addr peer;
    unsigned port = 0;

    pair_listen(&pair, c, "127.0.0.1:0");
    GP_CHECK_EQ(sscanf(pair.addr.text, "127.0.0.1:%u", &port), 1);
    GP_CHECK(port > 0 && port < 65536);
    pair_connect(&pair, c);
    stream_peer_addr(pair.client.stream, &peer);
    GP_CHECK_STR_EQ(peer.text, pair.addr.text);
    stream_peer_addr(pair.server.stream, &peer);
    GP_CHECK_EQ(sscanf(peer.text, "127.0.0.1:%u", &port), 1);
    GP_CHECK_EQ(pair.accepted, 1);
    pair_end(&pair, c);
}

static int listen_on(struct conf *c, const char *addr, struct gp_error *err)
{
    struct listener *listener = NULL;
    struct net_addr text;
    int rc;

    (void)snprintf(text.text, sizeof(text.text), "%s", addr);
    *err = (struct gp_error){0};
    rc = net_listen(c->loop, &text, pair_on_accepted, NULL, &listener, err);
    net_listener_free(listener);
    return rc;
}

void conformance_listen_says_what_is_wrong(struct conf *c)
{
    struct gp_error err;
    struct pair pair;
    char path[160];
    char addr[200];

    pair_listen(&pair, c, "127.0.0.1:0");
    GP_CHECK_EQ(listen_on(c, pair.addr.text, &err), GP_EADDRINUSE);
    GP_CHECK(strstr(err.text, pair.addr.text) != NULL);
    GP_CHECK_EQ(listen_on(c, "nonsense", &err), GP_EINVAL);
    GP_CHECK(err.text[0] != '\0');
    GP_CHECK_EQ(listen_on(c, "127.0.0.1:70000", &err), GP_EINVAL);
    (void)snprintf(addr, sizeof(addr), "unix:%s",
                   conf_path(c, "no/such/folder", path, sizeof(path)));
    GP_CHECK_EQ(listen_on(c, addr, &err), GP_ENOENT);
    net_listener_free(pair.listener);
    net_listener_free(NULL);
}

void conformance_connect_to_nobody_is_refused(struct conf *c)
{
    struct pair pair;
    struct end end = {0};
    struct end none = {0};
    struct net_addr addr;
    char path[160];
    char text[160];

    pair_listen(&pair, c, "127.0.0.1:0");
    addr = pair.addr;
    net_listener_free(pair.listener);
    end_connect(&end, c, &addr);
    CONF_WAIT(c, end.is_connected);
    GP_CHECK_EQ(end.connect_status, GP_EUNREACH);
    end_done(&end);

    (void)snprintf(text, sizeof(text), "unix:%s", conf_path(c, "none.sock", path, sizeof(path)));
    (void)snprintf(addr.text, sizeof(addr.text), "%.*s", NET_ADDR_MAX - 1, text);
    end_connect(&none, c, &addr);
    CONF_WAIT(c, none.is_connected);
    GP_CHECK_EQ(none.connect_status, GP_ENOENT);
    end_done(&none);
}

void conformance_connect_freed_early_is_silent(struct conf *c)
{
    struct pair pair;

    pair_listen(&pair, c, "127.0.0.1:0");
    end_connect(&pair.client, c, &pair.addr);
    stream_free(pair.client.stream);
    conf_pass(c, 20 * MS);
    GP_CHECK(!pair.client.is_connected);
    stream_free(pair.server.stream); /* it may have been accepted */
    net_listener_free(pair.listener);
}

void conformance_unix_socket_is_a_file(struct conf *c)
{
    struct gp_error err;
    struct pair pair;
    char path[160];
    char addr[200];

    (void)conf_path(c, "x.sock", path, sizeof(path));
    (void)snprintf(addr, sizeof(addr), "unix:%s", path);
    pair_listen(&pair, c, addr);
    GP_CHECK_STR_EQ(pair.addr.text, addr);
    GP_CHECK_EQ(c->port->fs->exists(c->port->world, path), 1);
    GP_CHECK_EQ(listen_on(c, addr, &err), GP_EADDRINUSE);
    GP_CHECK_EQ(c->port->fs->exists(c->port->world, path), 1);
    pair_connect(&pair, c);
    end_read(&pair.server, 4);
    GP_CHECK_EQ(end_write(&pair.client, "ping", 4), 0);
    CONF_WAIT(c, pair.server.len == 4);
    pair_end(&pair, c);
    GP_CHECK_EQ(c->port->fs->exists(c->port->world, path), 0);
}

/* ---- bytes ---- */

/* Slices of every size, a write of nothing among them, read in pieces smaller than either. */
void conformance_bytes_arrive_whole_and_in_order(struct conf *c)
{
    const size_t total = 300 * KiB;
    char *bytes = pattern_new(total);
    struct pair pair;
    size_t at = 0;

    pair_begin(&pair, c);
    pair.server.piece = 777;
    end_read(&pair.server, total);
    for (size_t size = 1; at < total; size = size * 3 + 1) {
        size_t first = size < total - at ? size : total - at;
        size_t second = (total - at - first) / 7;
        const struct net_buf bufs[3] = {{.ptr = bytes + at, .len = first},
                                        {.ptr = NULL, .len = 0},
                                        {.ptr = bytes + at + first, .len = second}};

        GP_REQUIRE_EQ(stream_write(pair.client.stream, bufs, 3, end_on_written, &pair.client), 0);
        at += first + second;
        pair.client.writes++;
    }
    GP_CHECK_EQ(end_write(&pair.client, NULL, 0), 0);
    GP_CHECK_EQ(pair.client.written, 0); /* never from inside the call */
    CONF_WAIT(c, pair.server.len == total && pair.client.written == pair.client.writes);
    GP_CHECK_EQ(pair.client.written_ok, pair.client.writes);
    GP_CHECK_EQ(stream_write_queue_bytes(pair.client.stream), 0);
    GP_CHECK_MEM_EQ(pair.server.bytes, bytes, total);
    GP_CHECK_EQ(pair.server.closed_count, 0);
    pair_end(&pair, c);
    free(bytes);
}

void conformance_bytes_go_both_ways(struct conf *c)
{
    const size_t total = 1500 * KiB;
    char *bytes = pattern_new(total);
    struct pair pair;

    pair_begin(&pair, c);
    end_read(&pair.server, total);
    end_read(&pair.client, total);
    GP_CHECK_EQ(end_write(&pair.client, bytes, total), 0);
    GP_CHECK_EQ(end_write(&pair.server, bytes, total), 0);
    CONF_WAIT(c, pair.server.len == total && pair.client.len == total);
    GP_CHECK_MEM_EQ(pair.server.bytes, bytes, total);
    GP_CHECK_MEM_EQ(pair.client.bytes, bytes, total);
    pair_end(&pair, c);
    free(bytes);
}

/* ---- pausing ---- */

void conformance_reader_pauses_and_resumes(struct conf *c)
{
    struct pair pair;

    pair_begin(&pair, c);
    pair.server.is_pausing = true;
    end_read(&pair.server, 64);
    GP_CHECK_EQ(end_write(&pair.client, "first", 5), 0);
    conf_pass(c, 20 * MS);
    GP_CHECK_EQ(pair.server.reads, 0);
    pair.server.is_pausing = false;
    GP_CHECK_EQ(end_write(&pair.client, "then", 4), 0);
    conf_pass(c, 20 * MS);
    GP_CHECK_EQ(pair.server.reads, 0); /* not before it is told, whatever arrives */
    stream_read_resume(pair.server.stream);
    GP_CHECK_EQ(pair.server.reads, 0); /* nor from inside the call */
    CONF_WAIT(c, pair.server.len == 9);
    stream_read_resume(pair.server.stream); /* of one that is not paused: nothing */
    GP_CHECK_EQ(end_write(&pair.client, "second", 6), 0);
    CONF_WAIT(c, pair.server.len == 15);
    GP_CHECK_MEM_EQ(pair.server.bytes, "firstthensecond", 15);
    pair_end(&pair, c);
}

void conformance_paused_reader_hears_of_the_end_later(struct conf *c)
{
    struct pair pair;

    pair_begin(&pair, c);
    pair.server.is_pausing = true;
    end_read(&pair.server, 64);
    GP_CHECK_EQ(end_write(&pair.client, "last", 4), 0);
    CONF_WAIT(c, pair.client.written == 1);
    stream_free(pair.client.stream);
    pair.client.stream = NULL;
    conf_pass(c, 20 * MS);
    GP_CHECK_EQ(pair.server.reads, 0);
    pair.server.is_pausing = false;
    stream_read_resume(pair.server.stream);
    CONF_WAIT(c, pair.server.closed_count == 1);
    GP_CHECK_EQ(pair.server.len, 4);
    GP_CHECK_EQ(pair.server.closed, GP_ECLOSED);
    conf_pass(c, 5 * MS);
    GP_CHECK_EQ(pair.server.closed_count, 1);
    pair_end(&pair, c);
}

/* ---- closing ---- */

void conformance_end_writes_what_is_queued(struct conf *c)
{
    const size_t total = 4096 * KiB;
    char *bytes = pattern_new(total);
    struct pair pair;

    pair_begin(&pair, c);
    GP_CHECK_EQ(end_write(&pair.client, bytes, total), 0);
    GP_CHECK(stream_write_queue_bytes(pair.client.stream) > 0);
    stream_end(pair.client.stream);
    pair.client.stream = NULL;
    end_read(&pair.server, total);
    CONF_WAIT(c, pair.server.closed_count == 1);
    GP_CHECK_EQ(pair.server.closed, GP_ECLOSED);
    GP_CHECK_EQ(pair.server.len, total);
    GP_CHECK_MEM_EQ(pair.server.bytes, bytes, total);
    CONF_WAIT(c, pair.client.written == 1);
    GP_CHECK_EQ(pair.client.written_ok, 1);
    stream_end(pair.server.stream); /* with nothing queued: at once */
    pair.server.stream = NULL;
    pair_end(&pair, c);
    free(bytes);
}

void conformance_end_gives_up_after_a_second(struct conf *c)
{
    const size_t total = 16384 * KiB;
    char *bytes = pattern_new(total);
    struct pair pair;
    int64_t start_ns;
    int64_t waited_ns;

    pair_begin(&pair, c);
    GP_CHECK_EQ(end_write(&pair.client, bytes, total), 0);
    start_ns = loop_fresh_now_ns(c->loop);
    stream_end(pair.client.stream);
    pair.client.stream = NULL;
    CONF_WAIT(c, pair.client.written == 1);
    waited_ns = loop_fresh_now_ns(c->loop) - start_ns;
    GP_CHECK(waited_ns >= 900 * MS && waited_ns < 5000 * MS);
    GP_CHECK_EQ(pair.client.written_canceled, 1);
    pair_end(&pair, c);
    free(bytes);
}

void conformance_free_cancels_each_write_once(struct conf *c)
{
    const size_t total = 16384 * KiB;
    char *bytes = pattern_new(total);
    struct pair pair;

    pair_begin(&pair, c);
    for (int i = 0; i < 10; i++) {
        GP_CHECK_EQ(end_write(&pair.client, bytes, total), 0);
    }
    GP_CHECK_EQ(pair.client.written, 0);
    stream_free(pair.client.stream);
    pair.client.stream = NULL;
    GP_CHECK_EQ(pair.client.written, 0); /* not from inside the call either */
    CONF_WAIT(c, pair.client.written == 10);
    GP_CHECK_EQ(pair.client.written_canceled, 10);
    conf_pass(c, 5 * MS);
    GP_CHECK_EQ(pair.client.written, 10);
    pair_end(&pair, c);
    free(bytes);
}

/* A sender that never reads still learns that nobody listens. */
void conformance_write_to_a_closed_peer_fails(struct conf *c)
{
    static const char bytes[1000];
    struct pair pair;
    int rc = 0;

    pair_begin(&pair, c);
    stream_free(pair.server.stream);
    pair.server.stream = NULL;
    while (rc == 0 && pair.client.written_ok == pair.client.written) {
        rc = end_write(&pair.client, bytes, sizeof(bytes));
        conf_pass(c, MS);
    }
    GP_CHECK(rc == 0 || rc == GP_ECLOSED);
    pair_end(&pair, c);
}

static void on_accepted_freeing(void *user, struct stream *stream)
{
    struct pair *pair = user;

    pair->accepted++;
    net_listener_free(pair->listener);
    pair->listener = NULL;
    stream_free(stream);
}

void conformance_listener_may_be_freed_while_accepting(struct conf *c)
{
    const struct net_addr any = {"127.0.0.1:0"};
    struct pair pair = {0};
    struct end ends[3] = {{0}};

    GP_REQUIRE_EQ(net_listen(c->loop, &any, on_accepted_freeing, &pair, &pair.listener, NULL), 0);
    net_listener_addr(pair.listener, &pair.addr);
    for (int i = 0; i < 3; i++) {
        end_connect(&ends[i], c, &pair.addr);
    }
    CONF_WAIT(c, ends[0].is_connected && ends[1].is_connected && ends[2].is_connected &&
                     pair.accepted > 0);
    conf_pass(c, 5 * MS);
    GP_CHECK_EQ(pair.accepted, 1);
    for (int i = 0; i < 3; i++) {
        end_done(&ends[i]);
    }
}
