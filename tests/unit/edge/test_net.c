#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "edge/signals.h"
#include "rig.h"

#define INBOX_SIZE (1u << 20)

/* One end of a connection, reading into its inbox. */
struct end {
    struct stream *stream;
    int connected; /* calls of on_connected */
    int status;    /* of the last of them */
    int written;   /* completed writes */
    int write_status;
    char *inbox;
    size_t got;
    size_t limit; /* reading pauses when so much has come */
    int64_t over; /* the code that ended reading */
};

struct pair {
    struct rig *rig;
    struct listener *listener;
    struct end near;
    struct end far;
    int accepted;
};

static void *end_alloc(void *user, size_t *ret_len)
{
    struct end *e = user;

    if (e->got >= e->limit) {
        return NULL;
    }
    *ret_len = e->limit - e->got < 1000 ? e->limit - e->got : 1000;
    return e->inbox + e->got;
}

static void end_on_read(void *user, int64_t n)
{
    struct end *e = user;

    if (n > 0) {
        e->got += (size_t)n;
    } else {
        GP_CHECK_EQ(e->over, 0); /* the end is told once */
        e->over = n;
    }
}

static const struct stream_reader end_reader = {.alloc = end_alloc, .on_read = end_on_read};

static void end_init(struct end *e)
{
    *e = (struct end){.inbox = malloc(INBOX_SIZE), .limit = INBOX_SIZE};
    GP_REQUIRE(e->inbox != NULL);
}

static void end_deinit(struct end *e)
{
    stream_free(e->stream);
    free(e->inbox);
}

static void on_accepted(void *user, struct stream *stream)
{
    struct pair *p = user;

    p->accepted++;
    GP_CHECK(p->far.stream == NULL);
    p->far.stream = stream;
    GP_CHECK_EQ(stream_read_start(stream, &end_reader, &p->far), 0);
}

static void on_connected(void *user, int status)
{
    struct end *e = user;

    e->connected++;
    e->status = status;
}

static void on_written(void *user, int status)
{
    struct end *e = user;

    e->written++;
    e->write_status = status;
}

static struct net_addr addr_of(const char *text)
{
    struct net_addr addr = {0};

    (void)snprintf(addr.text, sizeof(addr.text), "%s", text);
    return addr;
}

static struct net_addr unix_addr(struct rig *rig, const char *name)
{
    struct net_addr addr = {0};

    (void)snprintf(addr.text, sizeof(addr.text), "unix:%s", rig_path(rig, name));
    return addr;
}

static void pair_listen(struct pair *p, struct rig *rig, const struct net_addr *addr)
{
    struct gp_error err = {0};

    memset(p, 0, sizeof(*p));
    p->rig = rig;
    end_init(&p->near);
    end_init(&p->far);
    GP_REQUIRE_EQ(net_listen(rig->loop, addr, on_accepted, p, &p->listener, &err), 0);
}

static void pair_begin(struct pair *p, struct rig *rig, const struct net_addr *addr)
{
    struct net_addr real;

    pair_listen(p, rig, addr);
    net_listener_addr(p->listener, &real);
    GP_REQUIRE_EQ(net_connect(rig->loop, &real, on_connected, &p->near, &p->near.stream), 0);
    GP_CHECK_EQ(p->near.connected, 0); /* not from inside the call */
    RIG_PUMP_UNTIL(rig, p->near.connected > 0 && p->far.stream != NULL);
    GP_REQUIRE_EQ(p->near.status, 0);
    GP_REQUIRE_EQ(stream_read_start(p->near.stream, &end_reader, &p->near), 0);
}

static void pair_end(struct pair *p)
{
    end_deinit(&p->near);
    end_deinit(&p->far);
    net_listener_free(p->listener);
}

static int write_text(struct end *e, const char *text)
{
    struct net_buf buf = {.ptr = text, .len = strlen(text)};

    return stream_write(e->stream, &buf, 1, on_written, e);
}

static void check_both_ways(struct rig *rig, const struct net_addr *addr)
{
    struct net_buf parts[] = {{"one ", 4}, {"two ", 4}, {"", 0}, {"three", 5}};
    struct pair p;

    pair_begin(&p, rig, addr);
    GP_CHECK_EQ(stream_write(p.near.stream, parts, 4, on_written, &p.near), 0);
    GP_CHECK_EQ(p.near.written, 0); /* not from inside the call */
    GP_CHECK_EQ(write_text(&p.far, "back"), 0);
    RIG_PUMP_UNTIL(rig, p.far.got == 13 && p.near.got == 4);
    RIG_PUMP_UNTIL(rig, p.near.written == 1 && p.far.written == 1);
    GP_CHECK_EQ(p.near.write_status, 0);
    GP_CHECK_MEM_EQ(p.far.inbox, "one two three", 13);
    GP_CHECK_MEM_EQ(p.near.inbox, "back", 4);
    GP_CHECK_EQ(stream_write_queue_bytes(p.near.stream), 0);

    stream_free(p.near.stream);
    p.near.stream = NULL;
    RIG_PUMP_UNTIL(rig, p.far.over != 0);
    GP_CHECK_EQ(p.far.over, GP_ECLOSED);
    pair_end(&p);
}

GP_TEST(net, bytes_travel_both_ways_over_tcp)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");

    rig_begin(&rig, NULL);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net, bytes_travel_both_ways_over_unix_sockets)
{
    struct rig rig;
    struct net_addr addr;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net, a_host_name_is_resolved)
{
    struct rig rig;
    struct net_addr addr = addr_of("localhost:0");

    rig_begin(&rig, NULL);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

/* localhost may mean ::1 first, where nobody listens. */
GP_TEST(net, every_address_of_a_name_is_tried)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr real;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_listen(&p, &rig, &addr);
    net_listener_addr(p.listener, &real);
    (void)snprintf(addr.text, sizeof(addr.text), "localhost%s", strchr(real.text, ':'));
    GP_REQUIRE_EQ(net_connect(rig.loop, &addr, on_connected, &p.near, &p.near.stream), 0);
    RIG_PUMP_UNTIL(&rig, p.near.connected > 0 && p.accepted > 0);
    GP_CHECK_EQ(p.near.status, 0);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, bad_addresses_are_refused_with_the_reason)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "HOST:PORT"},
        {"host", "HOST:PORT"},
        {"host:", "port"},
        {"host:65536", "port"},
        {"host:-1", "port"},
        {"host:8x", "port"},
        {":80", "host is missing"},
        {"::1:80", "brackets"},
        {"[::1:80", "brackets"},
        {"[127.0.0.1]:80", "IPv6"},
        {"[]:80", "missing"},
        {"unix:", "absolute"},
        {"unix:here/s", "absolute"},
        {"unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
         "01234567890123456789012345678901234567",
         "107"},
    };
    struct rig rig;

    rig_begin(&rig, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_addr addr = addr_of(cases[i].text);
        struct gp_error err = {0};
        struct listener *listener = NULL;
        struct stream *stream = NULL;

        GP_CHECK_EQ(net_listen(rig.loop, &addr, NULL, NULL, &listener, &err), GP_EINVAL);
        GP_CHECK(strstr(err.text, cases[i].why) != NULL);
        GP_CHECK_EQ(net_connect(rig.loop, &addr, NULL, NULL, &stream), GP_EINVAL);
        GP_CHECK(listener == NULL && stream == NULL);
    }
    rig_end(&rig);
}

GP_TEST(net, listening_twice_on_one_address_is_refused)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr real;
    struct listener *second = NULL;
    struct gp_error err = {0};
    struct pair p;

    rig_begin(&rig, NULL);
    pair_listen(&p, &rig, &addr);
    net_listener_addr(p.listener, &real);
    GP_CHECK_EQ(net_listen(rig.loop, &real, on_accepted, &p, &second, &err), GP_EADDRINUSE);
    GP_CHECK(strstr(err.text, real.text) != NULL);
    pair_end(&p);

    addr = unix_addr(&rig, "s");
    pair_listen(&p, &rig, &addr);
    GP_CHECK_EQ(net_listen(rig.loop, &addr, on_accepted, &p, &second, &err), GP_EADDRINUSE);
    GP_CHECK(strstr(err.text, "/s") != NULL);
    pair_end(&p);
    GP_CHECK(access(rig_path(&rig, "s"), F_OK) < 0); /* removed with its listener */
    rig_end(&rig);
}

GP_TEST(net, a_socket_file_of_a_dead_process_is_replaced)
{
    struct rig rig;
    struct net_addr addr;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct stat info;
    int fd;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    strcpy(un.sun_path, rig_path(&rig, "s"));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GP_REQUIRE_EQ(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
    (void)close(fd); /* the file stays, as after kill -9 */
    GP_REQUIRE_EQ(stat(un.sun_path, &info), 0);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net, another_kind_of_file_is_never_replaced)
{
    struct rig rig;
    struct net_addr addr;
    struct listener *listener = NULL;
    struct gp_error err = {0};
    int fd;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "file");
    fd = open(rig_path(&rig, "file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    (void)close(fd);
    GP_CHECK(net_listen(rig.loop, &addr, on_accepted, NULL, &listener, &err) < 0);
    GP_CHECK_EQ(access(rig_path(&rig, "file"), F_OK), 0);
    rig_end(&rig);
}

GP_TEST(net, a_socket_file_is_for_its_owner_alone)
{
    struct rig rig;
    struct net_addr addr;
    struct net_creds creds;
    struct stat info;
    struct pair p;
    mode_t before = umask(0);

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    GP_REQUIRE_EQ(stat(rig_path(&rig, "s"), &info), 0);
    GP_CHECK_EQ(info.st_mode & 07777, 0600);
    GP_REQUIRE_EQ(stream_peer_creds(p.far.stream, &creds), 0);
    GP_CHECK_EQ(creds.pid, getpid());
    GP_CHECK_EQ(creds.uid, getuid());
    GP_CHECK_EQ(creds.gid, getgid());
    pair_end(&p);
    (void)umask(before);
    rig_end(&rig);
}

GP_TEST(net, peers_are_named)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr real;
    struct net_addr peer;
    struct net_creds creds;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    net_listener_addr(p.listener, &real);
    stream_peer_addr(p.near.stream, &peer);
    GP_CHECK_STR_EQ(peer.text, real.text);
    stream_peer_addr(p.far.stream, &peer);
    GP_CHECK(strncmp(peer.text, "127.0.0.1:", 10) == 0);
    GP_CHECK(strcmp(peer.text, real.text) != 0);
    GP_CHECK_EQ(stream_peer_creds(p.far.stream, &creds), GP_EUNSUPPORTED);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, ipv6_addresses_are_written_in_brackets)
{
    struct rig rig;
    struct net_addr addr = addr_of("[::1]:0");
    struct net_addr real;
    struct listener *listener = NULL;
    struct gp_error err = {0};

    rig_begin(&rig, NULL);
    if (net_listen(rig.loop, &addr, on_accepted, NULL, &listener, &err) < 0) {
        rig_end(&rig);
        GP_SKIP("no IPv6 here");
    }
    net_listener_addr(listener, &real);
    GP_CHECK(strncmp(real.text, "[::1]:", 6) == 0);
    net_listener_free(listener);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

/* ---- connecting ---- */

GP_TEST(net, nobody_there_is_told_from_the_loop)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr dead;
    struct end e;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_listen(&p, &rig, &addr);
    net_listener_addr(p.listener, &dead);
    pair_end(&p);

    end_init(&e);
    GP_REQUIRE_EQ(net_connect(rig.loop, &dead, on_connected, &e, &e.stream), 0);
    RIG_PUMP_UNTIL(&rig, e.connected == 1);
    GP_CHECK_EQ(e.status, GP_EUNREACH);
    GP_CHECK_EQ(write_text(&e, "x"), GP_ESTATE);
    GP_CHECK_EQ(stream_read_start(e.stream, &end_reader, &e), GP_ESTATE);
    stream_free(e.stream);

    addr = unix_addr(&rig, "none");
    GP_REQUIRE_EQ(net_connect(rig.loop, &addr, on_connected, &e, &e.stream), 0);
    RIG_PUMP_UNTIL(&rig, e.connected == 2);
    GP_CHECK_EQ(e.status, GP_ENOENT);
    end_deinit(&e);
    rig_end(&rig);
}

GP_TEST(net, an_unknown_name_is_told_from_the_loop)
{
    struct rig rig;
    struct net_addr addr = addr_of("no-such-host.invalid:80");
    struct listener *listener = NULL;
    struct gp_error err = {0};
    struct end e;

    rig_begin(&rig, NULL);
    end_init(&e);
    GP_REQUIRE_EQ(net_connect(rig.loop, &addr, on_connected, &e, &e.stream), 0);
    RIG_PUMP_UNTIL(&rig, e.connected == 1);
    GP_CHECK(e.status == GP_ENOENT || e.status == GP_EAGAIN); /* the latter: no resolver at all */
    GP_CHECK_EQ(net_listen(rig.loop, &addr, on_accepted, NULL, &listener, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, "no-such-host.invalid") != NULL);
    end_deinit(&e);
    rig_end(&rig);
}

GP_TEST(net, a_dial_can_be_freed_in_any_state)
{
    static const char *const texts[] = {"127.0.0.1:1", "localhost:1", "no-such-host.invalid:1",
                                        "unix:/nowhere/s"};
    struct rig rig;
    struct end e;

    rig_begin(&rig, NULL);
    end_init(&e);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct net_addr addr = addr_of(texts[i]);

        for (int steps = 0; steps < 4; steps++) {
            int before = e.connected;

            GP_REQUIRE_EQ(net_connect(rig.loop, &addr, on_connected, &e, &e.stream), 0);
            for (int s = 0; s < steps && e.connected == before; s++) {
                edge_step(rig.world, true);
            }
            before = e.connected;
            stream_free(e.stream);
            e.stream = NULL;
            edge_step(rig.world, false);
            edge_step(rig.world, false);
            GP_CHECK_EQ(e.connected, before); /* silent after the free */
        }
    }
    end_deinit(&e);
    rig_end(&rig);
}

/* ---- reading and writing ---- */

GP_TEST(net, many_writes_arrive_in_order_and_complete_once)
{
    enum { COUNT = 5000 };
    static uint32_t numbers[COUNT];
    struct rig rig;
    struct net_addr addr;
    struct pair p;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    /* Far more than the socket takes at once, while nobody reads yet. */
    for (uint32_t i = 0; i < COUNT; i++) {
        struct net_buf bufs[] = {{&numbers[i], 4}, {p.near.inbox, 180}};

        numbers[i] = i;
        GP_REQUIRE_EQ(stream_write(p.near.stream, bufs, 2, on_written, &p.near), 0);
    }
    GP_CHECK(stream_write_queue_bytes(p.near.stream) > 0);
    RIG_PUMP_UNTIL(&rig, p.far.got == COUNT * 184 && p.near.written == COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        GP_CHECK_MEM_EQ(p.far.inbox + (size_t)i * 184, &i, 4);
    }
    GP_CHECK_EQ(p.near.write_status, 0);
    pair_end(&p);
    rig_end(&rig);
}

static void on_freed_written(void *user, int status)
{
    struct end *e = user;

    e->written++;
    e->write_status = status < e->write_status ? status : e->write_status;
}

GP_TEST(net, writes_of_a_freed_stream_are_canceled_from_the_loop)
{
    struct rig rig;
    struct net_addr addr;
    struct pair p;
    int queued = 0;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    p.far.limit = 0; /* never reads */
    while (stream_write_queue_bytes(p.near.stream) == 0) {
        struct net_buf buf = {p.near.inbox, INBOX_SIZE};

        GP_REQUIRE_EQ(stream_write(p.near.stream, &buf, 1, on_freed_written, &p.near), 0);
        queued++;
    }
    stream_free(p.near.stream);
    p.near.stream = NULL;
    GP_CHECK_EQ(p.near.written, 0); /* not from inside the call */
    RIG_PUMP_UNTIL(&rig, p.near.written == queued);
    GP_CHECK_EQ(p.near.write_status, GP_ECANCELED);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, writing_to_a_dead_peer_is_an_error_and_no_signal)
{
    struct rig rig;
    struct net_addr addr;
    struct pair p;

    edge_process_begin();
    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    stream_free(p.far.stream);
    p.far.stream = NULL;
    RIG_PUMP_UNTIL(&rig, p.near.over != 0);
    GP_CHECK_EQ(write_text(&p.near, "x"), 0);
    RIG_PUMP_UNTIL(&rig, p.near.written == 1);
    GP_CHECK_EQ(p.near.write_status, GP_ECLOSED);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, reading_pauses_and_resumes)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    p.far.limit = 4;
    GP_CHECK_EQ(write_text(&p.near, "0123456789"), 0);
    RIG_PUMP_UNTIL(&rig, p.far.got == 4);
    GP_CHECK_EQ(write_text(&p.far, "probe"), 0);
    RIG_PUMP_UNTIL(&rig, p.near.got == 5);
    GP_CHECK_EQ(p.far.got, 4);
    stream_read_resume(p.far.stream); /* still full: pauses again */
    edge_step(rig.world, false);
    GP_CHECK_EQ(p.far.got, 4);
    p.far.limit = INBOX_SIZE;
    stream_read_resume(p.far.stream);
    stream_read_resume(p.far.stream); /* more than once does no harm */
    RIG_PUMP_UNTIL(&rig, p.far.got == 10);
    GP_CHECK_MEM_EQ(p.far.inbox, "0123456789", 10);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, the_end_comes_after_a_pause_and_only_once)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    p.far.limit = 2;
    GP_CHECK_EQ(write_text(&p.near, "abc"), 0);
    RIG_PUMP_UNTIL(&rig, p.far.got == 2);
    stream_end(p.near.stream);
    p.near.stream = NULL;
    p.far.limit = INBOX_SIZE;
    stream_read_resume(p.far.stream);
    RIG_PUMP_UNTIL(&rig, p.far.over != 0);
    GP_CHECK_EQ(p.far.got, 3);
    GP_CHECK_EQ(p.far.over, GP_ECLOSED);
    stream_read_resume(p.far.stream);
    edge_step(rig.world, false);
    pair_end(&p);
    rig_end(&rig);
}

/* Unread bytes at our side must not turn our last words into a reset connection. */
GP_TEST(net, ending_a_stream_delivers_what_was_written)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_buf buf;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    p.near.limit = 0;
    GP_CHECK_EQ(write_text(&p.far, "nobody will read this"), 0);
    RIG_PUMP_UNTIL(&rig, p.far.written == 1);
    buf = (struct net_buf){p.near.inbox, INBOX_SIZE};
    GP_CHECK_EQ(stream_write(p.near.stream, &buf, 1, on_written, &p.near), 0);
    stream_end(p.near.stream);
    p.near.stream = NULL;
    p.far.limit = INBOX_SIZE;
    RIG_PUMP_UNTIL(&rig, p.far.got == INBOX_SIZE);
    p.far.limit = 0;
    GP_CHECK_EQ(p.near.written, 1);
    GP_CHECK_EQ(p.near.write_status, 0);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net, ending_a_stream_does_not_wait_for_ever)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_buf buf;
    struct pair p;
    int64_t start_ns;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    p.far.limit = 0; /* never reads */
    buf = (struct net_buf){p.near.inbox, INBOX_SIZE};
    for (int i = 0; i < 16; i++) {
        GP_CHECK_EQ(stream_write(p.near.stream, &buf, 1, on_written, &p.near), 0);
    }
    start_ns = loop_fresh_now_ns(rig.loop);
    stream_end(p.near.stream);
    p.near.stream = NULL;
    RIG_PUMP_UNTIL(&rig, p.near.written == 16);
    GP_CHECK_EQ(p.near.write_status, GP_ECANCELED);
    GP_CHECK(loop_fresh_now_ns(rig.loop) - start_ns >= 900000000);
    pair_end(&p);
    rig_end(&rig);
}

static void on_read_free(void *user, int64_t n)
{
    struct end *e = user;

    e->over = n;
    stream_free(e->stream);
    e->stream = NULL;
}

GP_TEST(net, a_stream_can_be_freed_inside_its_callback)
{
    static const struct stream_reader reader = {.alloc = end_alloc, .on_read = on_read_free};
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr real;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_listen(&p, &rig, &addr);
    net_listener_addr(p.listener, &real);
    GP_REQUIRE_EQ(net_connect(rig.loop, &real, on_connected, &p.near, &p.near.stream), 0);
    RIG_PUMP_UNTIL(&rig, p.near.connected > 0 && p.far.stream != NULL);
    GP_REQUIRE_EQ(stream_read_start(p.near.stream, &reader, &p.near), 0);
    GP_CHECK_EQ(write_text(&p.far, "x"), 0);
    RIG_PUMP_UNTIL(&rig, p.near.stream == NULL);
    GP_CHECK_EQ(p.near.over, 1);
    pair_end(&p);
    rig_end(&rig);
}

/* ---- accepting ---- */

struct crowd {
    struct listener *listener;
    int accepted;
    bool leave_at_once;
};

static void on_crowd(void *user, struct stream *stream)
{
    struct crowd *c = user;

    c->accepted++;
    stream_free(stream);
    if (c->leave_at_once) {
        net_listener_free(c->listener);
        c->listener = NULL;
    }
}

static int raw_connect(const struct net_addr *addr)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_port = htons((uint16_t)atoi(strchr(addr->text, ':') + 1));
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

GP_TEST(net, a_listener_can_be_freed_inside_its_callback)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct crowd c = {.leave_at_once = true};
    struct gp_error err = {0};
    int fds[3];

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(net_listen(rig.loop, &addr, on_crowd, &c, &c.listener, &err), 0);
    net_listener_addr(c.listener, &addr);
    for (int i = 0; i < 3; i++) {
        fds[i] = raw_connect(&addr);
    }
    RIG_PUMP_UNTIL(&rig, c.accepted > 0);
    edge_step(rig.world, false);
    GP_CHECK_EQ(c.accepted, 1);
    for (int i = 0; i < 3; i++) {
        (void)close(fds[i]);
    }
    rig_end(&rig);
}

GP_TEST(net, without_descriptors_accepting_pauses_and_goes_on)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct crowd c = {0};
    struct gp_error err = {0};
    struct rlimit before;
    struct rlimit few;
    struct count {
        int calls;
    };
    int64_t start_ns;
    int fd;
    int steps = 0;

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(net_listen(rig.loop, &addr, on_crowd, &c, &c.listener, &err), 0);
    net_listener_addr(c.listener, &addr);
    edge_step(rig.world, false);
    fd = raw_connect(&addr);
    GP_REQUIRE_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 3;
    GP_REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    start_ns = loop_fresh_now_ns(rig.loop);
    while (loop_fresh_now_ns(rig.loop) - start_ns < 150000000) {
        timer_start(rig.watchdog, 10000000);
        edge_step(rig.world, true);
        steps++;
    }
    rig.expired = false;
    GP_CHECK_EQ(c.accepted, 0);
    GP_CHECK(steps < 100); /* it slept */
    GP_REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    RIG_PUMP_UNTIL(&rig, c.accepted == 1);
    (void)close(fd);
    net_listener_free(c.listener);
    rig_end(&rig);
}

GP_TEST(net, a_storm_of_connections_is_accepted)
{
    enum { COUNT = 200 };
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct crowd c = {0};
    struct gp_error err = {0};
    int fds[COUNT];

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(net_listen(rig.loop, &addr, on_crowd, &c, &c.listener, &err), 0);
    net_listener_addr(c.listener, &addr);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = raw_connect(&addr);
    }
    RIG_PUMP_UNTIL(&rig, c.accepted == COUNT);
    for (int i = 0; i < COUNT; i++) {
        (void)close(fds[i]);
    }
    net_listener_free(c.listener);
    rig_end(&rig);
}
