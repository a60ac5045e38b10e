/*
 * The web server over loopback. The client is this thread with plain sockets: it writes, and reads
 * whenever the loop has run.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/str.h"
#include "rig.h"

struct server {
    struct rig rig;
    struct http_server *http;
    uint16_t port;
    struct http_request *open; /* the latest, until its end */
    char target[256];
    char method[16];
    char header[64];
    size_t body_bytes;
    size_t take_max; /* of one piece of a body; 0: all */
    uint32_t pieces_cut;
    uint32_t ends;
    uint32_t requests;
    bool answers_later;
    bool answers_early;
    bool streams;
};

static void answer(struct http_request *request, uint32_t status, const char *text)
{
    static const struct http_header headers[] = {{"X-Kind", "test"}};
    const struct http_reply reply = {.status = status,
                                     .headers = headers,
                                     .header_count = 1,
                                     .body = gp_bytes_of(text, strlen(text))};

    GP_CHECK_EQ(http_answer(request, &reply), 0);
}

static void on_request(void *user, struct http_request *request)
{
    struct server *s = user;
    const char *header = http_header(request, "x-ask");

    s->requests++;
    s->open = request;
    s->body_bytes = 0;
    (void)str_format(s->target, sizeof s->target, "%s", request->target);
    (void)str_format(s->method, sizeof s->method, "%s", request->method);
    (void)str_format(s->header, sizeof s->header, "%s", header ? header : "");
    if (s->answers_early) {
        answer(request, 413, "too much\n");
    }
}

static size_t on_body(void *user, struct http_request *request, gp_bytes piece)
{
    struct server *s = user;
    size_t take = s->take_max > 0 && s->take_max < piece.len ? s->take_max : piece.len;

    GP_CHECK(request == s->open);
    s->body_bytes += take;
    s->pieces_cut += take < piece.len;
    return take;
}

static void on_body_end(void *user, struct http_request *request)
{
    struct server *s = user;
    const struct http_reply reply = {.status = 200, .body = gp_bytes_of("begin\n", 6)};

    if (s->streams) {
        GP_CHECK_EQ(http_stream_begin(request, &reply), 0);
    } else if (!s->answers_later) {
        answer(request, 200, "hello\n");
    }
}

static void on_end(void *user, struct http_request *request)
{
    struct server *s = user;

    GP_CHECK(request == s->open || s->requests > 1);
    s->open = NULL;
    s->ends++;
}

static const struct http_events events = {on_request, on_body, on_body_end, on_end};

static void server_begin(struct server *s, const struct http_spec *wanted)
{
    const struct net_addr any = {"127.0.0.1:0"};
    struct http_spec spec = wanted ? *wanted : (struct http_spec){0};
    struct net_addr addr;
    struct gp_error err = {0};
    uint64_t port = 0;
    gp_str host;
    gp_str text;

    memset(s, 0, sizeof *s);
    rig_begin(&s->rig, NULL);
    spec.addr = &any;
    spec.events = &events;
    spec.user = s;
    GP_REQUIRE_EQ(port_http_start(s->rig.port, &spec, &s->http, &err), 0);
    http_addr(s->http, &addr);
    GP_REQUIRE(str_cut_last(gp_str_of(addr.text), ':', &host, &text));
    GP_REQUIRE_EQ(str_to_u64(text, &port), 0);
    s->port = (uint16_t)port;
}

static void server_end(struct server *s)
{
    http_stop(s->http);
    GP_CHECK(s->open == NULL);
    GP_CHECK_EQ(s->ends, s->requests);
    rig_end(&s->rig);
}

static int client_open(const struct server *s)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(s->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(connect(fd, (const struct sockaddr *)(const void *)&to, sizeof to), 0);
    return fd;
}

static void client_say(int fd, const char *text)
{
    GP_CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

struct reading {
    int fd;
    char text[4096];
    size_t len;
    bool is_closed;
};

/* One look; whether the answer holds `wanted`, or the other side has closed. */
static bool client_has(struct reading *r, const char *wanted)
{
    ssize_t n = recv(r->fd, r->text + r->len, sizeof r->text - 1 - r->len, MSG_DONTWAIT);

    r->len += n > 0 ? (size_t)n : 0;
    r->text[r->len] = '\0';
    r->is_closed = r->is_closed || n == 0 || (n < 0 && errno == ECONNRESET);
    return wanted ? strstr(r->text, wanted) != NULL : r->is_closed;
}

GP_TEST(http, answers_a_request_and_the_next_on_the_same_connection)
{
    struct server s;
    struct reading r = {0};

    server_begin(&s, NULL);
    r.fd = client_open(&s);
    client_say(r.fd, "GET /a%20b?c=d%00&e HTTP/1.1\r\nHost: x\r\nX-Ask: why\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "hello\n"));
    GP_CHECK(strstr(r.text, "HTTP/1.1 200") == r.text);
    GP_CHECK(strstr(r.text, "X-Kind: test") != NULL);
    GP_CHECK_STR_EQ(s.target, "/a%20b?c=d%00&e");
    GP_CHECK_STR_EQ(s.method, "GET");
    GP_CHECK_STR_EQ(s.header, "why");
    r.len = 0;
    client_say(r.fd, "DELETE /x HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "hello\n"));
    GP_CHECK_STR_EQ(s.target, "/x");
    GP_CHECK_EQ(s.requests, 2);
    (void)close(r.fd);
    server_end(&s);
}

GP_TEST(http, answers_later)
{
    struct server s;
    struct reading r = {0};

    server_begin(&s, NULL);
    s.answers_later = true;
    r.fd = client_open(&s);
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, s.open != NULL);
    for (int i = 0; i < 10; i++) {
        edge_step(s.rig.world, false);
    }
    answer(s.open, 202, "at last\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "at last\n"));
    GP_CHECK(strstr(r.text, "202") != NULL);
    (void)close(r.fd);
    server_end(&s);
}

/* A reader of the body that takes little at a time gets all of it. */
GP_TEST(http, hands_a_body_on_as_it_is_taken)
{
    static char body[100000];
    struct server s;
    struct reading r = {0};
    size_t sent = 0;

    server_begin(&s, NULL);
    s.take_max = 1000;
    r.fd = client_open(&s);
    client_say(r.fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
    timer_start(s.rig.watchdog, RIG_PATIENCE_NS);
    while (!client_has(&r, "hello\n") && !s.rig.expired) {
        ssize_t n = send(r.fd, body + sent, sizeof body - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        edge_step(s.rig.world, false);
        if (s.open) {
            http_more(s.open);
        }
    }
    GP_CHECK(!s.rig.expired);
    GP_CHECK_EQ(s.body_bytes, sizeof body);
    GP_CHECK(s.pieces_cut > 10);
    (void)close(r.fd);
    server_end(&s);
}

/* Announced as more than would be read in vain, the answer is there before the body. */
GP_TEST(http, refuses_a_large_body_at_its_head)
{
    struct server s;
    struct reading r = {0};

    server_begin(&s, NULL);
    s.answers_early = true;
    r.fd = client_open(&s);
    client_say(r.fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "too much\n"));
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, NULL));
    GP_CHECK_EQ(s.body_bytes, 0);
    (void)close(r.fd);
    server_end(&s);
}

GP_TEST(http, says_when_a_body_breaks_off)
{
    struct server s;
    int fd;

    server_begin(&s, NULL);
    fd = client_open(&s);
    client_say(fd, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf");
    RIG_PUMP_UNTIL(&s.rig, s.body_bytes == 4);
    (void)close(fd);
    RIG_PUMP_UNTIL(&s.rig, s.ends == 1);
    server_end(&s);
}

GP_TEST(http, streams_as_it_is_written)
{
    struct server s;
    struct reading r = {0};

    server_begin(&s, NULL);
    s.streams = true;
    r.fd = client_open(&s);
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "begin\n"));
    GP_CHECK_EQ(http_stream_write(s.open, gp_bytes_of("first\n", 6)), 0);
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "first\n"));
    GP_CHECK_EQ(http_stream_write(s.open, gp_bytes_of("second\n", 7)), 0);
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "second\n"));
    http_stream_end(s.open);
    RIG_PUMP_UNTIL(&s.rig, s.ends == 1);
    (void)close(r.fd);
    server_end(&s);
}

/* Who does not read is cut off, and what was kept for him is bounded. */
/* Whatever followed the head would be taken for the begin of the next answer. */
GP_TEST(http, sends_the_head_of_a_stream_alone)
{
    struct server s;
    struct reading r = {0};
    const char *end;

    server_begin(&s, NULL);
    s.streams = true;
    r.fd = client_open(&s);
    client_say(r.fd, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, s.ends == 1);
    s.streams = false;
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "hello\n"));
    end = strstr(r.text, "\r\n\r\n");
    GP_REQUIRE(end);
    GP_CHECK(strncmp(end + 4, "HTTP/1.1 200", 12) == 0);
    (void)close(r.fd);
    server_end(&s);
}

GP_TEST(http, cuts_a_slow_reader_of_a_stream)
{
    static char piece[8192];
    const struct http_spec spec = {.stream_bytes_max = 64 << 10};
    struct http_stats stats;
    struct server s;
    struct reading r = {0};
    int rc = 0;
    uint32_t pieces = 0;

    memset(piece, 'x', sizeof piece);
    server_begin(&s, &spec);
    s.streams = true;
    r.fd = client_open(&s);
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "begin\n"));
    while (rc == 0 && pieces < 10000) {
        rc = http_stream_write(s.open, gp_bytes_of(piece, sizeof piece));
        pieces++;
        edge_step(s.rig.world, false);
    }
    GP_CHECK_EQ(rc, GP_EFULL);
    RIG_PUMP_UNTIL(&s.rig, s.ends == 1);
    http_stats(s.http, &stats);
    GP_CHECK_EQ(stats.cut, 1);
    (void)close(r.fd);
    server_end(&s);
}

/* Silent connections beyond the bound make room, the longest silent first: others are answered. */
GP_TEST(http, answers_beside_a_flood_of_silent_connections)
{
    enum { IDLE = 200 };
    const struct http_spec spec = {.connections_max = 32, .per_address_max = 16};
    struct http_stats stats;
    struct reading r = {0};
    struct server s;
    int idle[IDLE];

    server_begin(&s, &spec);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = client_open(&s);
        edge_step(s.rig.world, false);
    }
    r.fd = client_open(&s);
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "hello\n"));
    http_stats(s.http, &stats);
    GP_CHECK(stats.evicted >= IDLE - 16);
    GP_CHECK(stats.connections <= 16 + 64);
    for (int i = 0; i < IDLE; i++) {
        (void)close(idle[i]);
    }
    (void)close(r.fd);
    RIG_PUMP_UNTIL(&s.rig, (http_stats(s.http, &stats), stats.connections == 0));
    server_end(&s);
}

struct trickle {
    struct timer *timer;
    int fd;
};

static void on_trickle(void *user)
{
    struct trickle *t = user;

    (void)send(t->fd, "T", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    timer_start(t->timer, 20000000);
}

/* Byte after byte does not keep a connection: a head has a time limit as a whole. */
GP_TEST(http, ends_a_head_that_trickles)
{
    const struct http_spec spec = {.head_timeout_ns = 300000000};
    struct http_stats stats = {0};
    struct reading r = {0};
    struct trickle trickle = {0};
    struct server s;

    server_begin(&s, &spec);
    r.fd = trickle.fd = client_open(&s);
    client_say(r.fd, "GET / HT");
    GP_REQUIRE_EQ(timer_new(s.rig.loop, on_trickle, &trickle, &trickle.timer), 0);
    on_trickle(&trickle);
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, NULL));
    http_stats(s.http, &stats);
    GP_CHECK_EQ(stats.slow, 1);
    GP_CHECK_EQ(s.requests, 0);
    timer_free(trickle.timer);
    (void)close(r.fd);
    server_end(&s);
}

/* What is no HTTP, or too long, is refused and the next one answered. */
GP_TEST(http, survives_nonsense)
{
    static char head[70000];
    struct reading r = {0};
    struct server s;

    server_begin(&s, NULL);
    memset(head, 'a', sizeof head - 1);
    memcpy(head, "GET /", 5);
    r.fd = client_open(&s);
    (void)send(r.fd, head, sizeof head - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, NULL));
    (void)close(r.fd);
    r = (struct reading){.fd = client_open(&s)};
    client_say(r.fd, "\x16\x03\x01\r\n\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, NULL));
    (void)close(r.fd);
    r = (struct reading){.fd = client_open(&s)};
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, client_has(&r, "hello\n"));
    (void)close(r.fd);
    server_end(&s);
}

/* Stopping ends what waits for an answer, and streams. */
GP_TEST(http, stops_in_the_middle)
{
    struct reading r = {0};
    struct server s;

    server_begin(&s, NULL);
    s.answers_later = true;
    r.fd = client_open(&s);
    client_say(r.fd, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    RIG_PUMP_UNTIL(&s.rig, s.open != NULL);
    server_end(&s);
    (void)close(r.fd);
}

GP_TEST(http, says_that_a_port_is_taken)
{
    const struct http_spec spec = {.events = &events};
    struct http_spec again = spec;
    struct http_server *second = NULL;
    struct gp_error err = {0};
    struct net_addr addr;
    struct server s;

    server_begin(&s, NULL);
    http_addr(s.http, &addr);
    again.addr = &addr;
    GP_CHECK_EQ(port_http_start(s.rig.port, &again, &second, &err), GP_EADDRINUSE);
    GP_CHECK(strstr(err.text, addr.text) != NULL);
    server_end(&s);
}
