/* tcp: one connection or many, half lines, bounds, and a peer that goes and comes again. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gearpump/testkit.h>

#include "gp_test.h"

#define PATIENCE_MS 60000

extern const struct gp_processor tcp_sink;
extern const struct gp_processor tcp_source;

static struct gp_kit *kit_new(const struct gp_processor *table, const char *mode,
                              const char *address)
{
    struct gp_kit *kit = gp_kit_new(table, 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_CHECK_EQ(gp_kit_set(kit, "mode", mode), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "address", address), GP_OK);
    return kit;
}

/* Where it said that it listens. */
static uint16_t port_of(const struct gp_kit *kit)
{
    const char *text = gp_kit_log(kit, 0, NULL);
    unsigned port = 0;

    GP_REQUIRE(text != NULL);
    GP_REQUIRE_EQ(sscanf(text, "listening at 127.0.0.1:%u", &port), 1);
    return (uint16_t)port;
}

static int dial(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static int listen_at(char address[64])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    GP_REQUIRE_EQ(listen(fd, 8), 0);
    GP_REQUIRE_EQ(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(address, 64, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static void say(int fd, const char *text)
{
    GP_REQUIRE_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What the host does: waits for the descriptor, then tells. */
static void wait_ready(struct gp_kit *kit)
{
    struct pollfd watched = {.fd = gp_kit_watched(kit, NULL), .events = POLLIN};

    GP_REQUIRE_EQ(poll(&watched, 1, PATIENCE_MS), 1);
    gp_kit_ready(kit);
}

/* Polls until so many rows are there, or the source ends. */
static void poll_rows(struct gp_kit *kit, uint32_t rows)
{
    while (gp_kit_count(kit, 0) < rows) {
        int32_t rc = gp_kit_poll(kit, 100);
        if (rc == GP_END || rc == GP_FAIL) {
            return;
        }
        if (rc == GP_IDLE) {
            wait_ready(kit);
        }
    }
}

static void poll_to_end(struct gp_kit *kit)
{
    poll_rows(kit, UINT32_MAX);
    GP_CHECK(gp_kit_ended(kit));
}

GP_TEST(tcp_source, takes_lines_of_many_connections_and_half_ones_at_their_end)
{
    struct gp_kit *kit = kit_new(&tcp_source, "listen", "127.0.0.1:0");
    int a;
    int b;

    GP_CHECK_EQ(gp_kit_set(kit, "end", "closed"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    a = dial(port_of(kit));
    b = dial(port_of(kit));
    say(a, "a1\na2\nhalf");
    poll_rows(kit, 2);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "a1"));
    say(b, "b1\n");
    poll_rows(kit, 3);
    GP_CHECK(gp_kit_row_is(kit, 0, 2, NULL, "b1"));
    (void)close(a);
    poll_rows(kit, 4);
    GP_CHECK(gp_kit_row_is(kit, 0, 3, NULL, "half"));
    (void)close(b);
    poll_to_end(kit);
    GP_CHECK_EQ(gp_kit_counter(kit, "connections"), 2);
    gp_kit_free(kit);
}

/* With outputs full after each row, what is buffered comes before what is read. */
GP_TEST(tcp_source, waits_when_outputs_are_full)
{
    struct gp_kit *kit = kit_new(&tcp_source, "listen", "127.0.0.1:0");
    int fd;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_set_credit(kit, 1);
    fd = dial(port_of(kit));
    say(fd, "1\n2\n3\n");
    for (char c = '1'; c <= '3'; c++) {
        const char text[] = {c, '\0'};
        poll_rows(kit, 1);
        GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
        GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, text));
        gp_kit_clear(kit);
    }
    (void)close(fd);
    gp_kit_free(kit);
}

GP_TEST(tcp_source, ends_a_connection_whose_line_is_too_long)
{
    struct gp_kit *kit = kit_new(&tcp_source, "listen", "127.0.0.1:0");
    int bad;
    int good;

    GP_CHECK_EQ(gp_kit_set(kit, "line.max", "4"), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "end", "closed"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    good = dial(port_of(kit));
    bad = dial(port_of(kit));
    say(good, "1234\n");
    poll_rows(kit, 1);
    say(bad, "12345");
    while (gp_kit_counter(kit, "too_long") == 0) {
        GP_REQUIRE(gp_kit_poll(kit, 100) != GP_FAIL);
        gp_kit_ready(kit);
    }
    say(good, "last\n");
    (void)close(good);
    poll_to_end(kit);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    (void)close(bad);
    gp_kit_free(kit);
}

GP_TEST(tcp_source, dials_again_with_pauses)
{
    char address[64];
    int listener = listen_at(address);
    struct gp_kit *kit = kit_new(&tcp_source, "connect", address);
    int64_t next_ns;
    int fd;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK(gp_kit_poll(kit, 100) != GP_FAIL);
    fd = accept(listener, NULL, NULL);
    say(fd, "one\n");
    poll_rows(kit, 1);
    (void)close(fd);
    while (gp_kit_timers(kit, GP_TIMER_PROCESSING, &next_ns) == 0) {
        GP_REQUIRE(gp_kit_poll(kit, 100) != GP_FAIL);
    }
    GP_CHECK_EQ(next_ns - gp_kit_now_ns(kit), 100000000);
    gp_kit_advance(kit, 100000000);
    GP_CHECK(gp_kit_poll(kit, 100) != GP_FAIL);
    fd = accept(listener, NULL, NULL);
    say(fd, "two\n");
    poll_rows(kit, 2);
    GP_CHECK(gp_kit_row_is(kit, 0, 1, NULL, "two"));
    (void)close(fd);
    (void)close(listener);
    gp_kit_free(kit);
}

static void expect_failure(struct gp_kit *kit, const char *text)
{
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
}

GP_TEST(tcp_source, says_what_is_wrong_with_an_address)
{
    char address[64];
    char text[160];
    int listener = listen_at(address);

    expect_failure(kit_new(&tcp_source, "listen", "nowhere"),
                   "address 'nowhere' is not HOST:PORT, as 127.0.0.1:7000");
    expect_failure(kit_new(&tcp_source, "connect", ":7"), "address ':7' has no host to connect to");
    expect_failure(kit_new(&tcp_source, "both", ":7"),
                   "parameter mode is 'both', not one of listen|connect");
    (void)snprintf(text, sizeof text, "cannot listen at '%s': Address already in use", address);
    expect_failure(kit_new(&tcp_source, "listen", address), text);
    (void)close(listener);
}

static void expect_bytes(int fd, const char *text)
{
    char got[256] = "";
    size_t len = 0;

    while (len < strlen(text)) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t count;
        GP_REQUIRE_EQ(poll(&readable, 1, PATIENCE_MS), 1);
        count = recv(fd, got + len, strlen(text) - len, 0);
        GP_REQUIRE(count > 0);
        len += (size_t)count;
    }
    GP_CHECK_STR_EQ(got, text);
}

/* Until the sink has done what it was given. */
static void run_all(struct gp_kit *kit)
{
    while (gp_kit_run(kit) == GP_AGAIN) {
        wait_ready(kit);
    }
}

GP_TEST(tcp_sink, sends_to_one_and_waits_for_its_close)
{
    char address[64];
    int listener = listen_at(address);
    struct gp_kit *kit = kit_new(&tcp_sink, "connect", address);
    int fd;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "one", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "", 0), GP_OK);
    run_all(kit);
    fd = accept(listener, NULL, NULL);
    wait_ready(kit); /* it is connected */
    run_all(kit);
    expect_bytes(fd, "one\n\n");
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    (void)close(fd);
    run_all(kit);
    GP_CHECK(gp_kit_ended(kit));
    (void)close(listener);
    gp_kit_free(kit);
}

GP_TEST(tcp_sink, holds_the_job_back_until_somebody_comes)
{
    struct gp_kit *kit = kit_new(&tcp_sink, "listen", "127.0.0.1:0");
    int a;
    int b;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "one", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_AGAIN);
    GP_CHECK_EQ(gp_kit_waiting(kit), 1);
    a = dial(port_of(kit));
    run_all(kit);
    b = dial(port_of(kit));
    while (gp_kit_counter(kit, "connections") < 2) {
        wait_ready(kit);
        GP_REQUIRE(gp_kit_run(kit) != GP_FAIL);
    }
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "two", 0), GP_OK);
    run_all(kit);
    expect_bytes(a, "one\ntwo\n");
    expect_bytes(b, "two\n");
    (void)close(a);
    (void)close(b);
    gp_kit_free(kit);
}

/* A line of which the last connection got a part goes out whole on the next. */
GP_TEST(tcp_sink, begins_a_new_connection_with_a_whole_line)
{
    char address[64];
    int listener = listen_at(address);
    struct gp_kit *kit = kit_new(&tcp_sink, "connect", address);
    int fd;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    fd = accept(listener, NULL, NULL);
    wait_ready(kit);
    run_all(kit);
    (void)close(fd);
    wait_ready(kit);
    run_all(kit);
    GP_CHECK_EQ(gp_kit_counter(kit, "lost"), 1);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "again", 0), GP_OK);
    run_all(kit);
    gp_kit_advance(kit, 100000000);
    run_all(kit);
    fd = accept(listener, NULL, NULL);
    wait_ready(kit);
    run_all(kit);
    expect_bytes(fd, "again\n");
    (void)close(fd);
    (void)close(listener);
    gp_kit_free(kit);
}
