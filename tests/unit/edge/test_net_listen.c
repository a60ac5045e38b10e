#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "net_pair.h"

GP_TEST(net_listen, bad_addresses_are_refused_with_the_reason)
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

GP_TEST(net_listen, listening_twice_on_one_address_is_refused)
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

GP_TEST(net_listen, a_socket_file_of_a_dead_process_is_replaced)
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

GP_TEST(net_listen, another_kind_of_file_is_never_replaced)
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

GP_TEST(net_listen, a_socket_file_is_for_its_owner_alone)
{
    struct rig rig;
    struct net_addr addr;
    struct stat info;
    struct pair p;
    mode_t before = umask(0);

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    GP_REQUIRE_EQ(stat(rig_path(&rig, "s"), &info), 0);
    GP_CHECK_EQ(info.st_mode & 07777, 0600);
    pair_end(&p);
    (void)umask(before);
    rig_end(&rig);
}

/* Connects as a user who may do so by the rights of the file, which somebody else has changed. */
static int connect_as_nobody(struct rig *rig, const char *name)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", name);
    GP_REQUIRE_EQ(chmod(rig_path(rig, name), 0666), 0);
    GP_REQUIRE_EQ(chmod(rig->folder, 0755), 0);
    GP_REQUIRE_EQ(chdir(rig->folder), 0); /* the folders above are not asked */
    GP_REQUIRE_EQ(seteuid(65534), 0);
    GP_CHECK_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    GP_REQUIRE_EQ(seteuid(0), 0);
    GP_REQUIRE_EQ(fchdir(before), 0);
    (void)close(before);
    return fd;
}

GP_TEST(net_listen, a_socket_file_is_for_nobody_else_whatever_its_rights)
{
    struct rig rig;
    struct net_addr addr;
    struct pair p;
    char byte;
    int fd;

    if (geteuid() != 0) {
        GP_SKIP("only root can be somebody else");
        return;
    }
    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_listen(&p, &rig, &addr);
    fd = connect_as_nobody(&rig, "s");
    GP_REQUIRE_EQ(net_connect(rig.loop, &addr, on_connected, &p.near, &p.near.stream), 0);
    RIG_PUMP_UNTIL(&rig, p.accepted == 1); /* in order: the other one was looked at before */
    GP_CHECK_EQ(recv(fd, &byte, 1, MSG_DONTWAIT), 0); /* closed */
    (void)close(fd);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net_listen, peers_are_named)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");
    struct net_addr real;
    struct net_addr peer;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    net_listener_addr(p.listener, &real);
    stream_peer_addr(p.near.stream, &peer);
    GP_CHECK_STR_EQ(peer.text, real.text);
    stream_peer_addr(p.far.stream, &peer);
    GP_CHECK(strncmp(peer.text, "127.0.0.1:", 10) == 0);
    GP_CHECK(strcmp(peer.text, real.text) != 0);
    pair_end(&p);
    rig_end(&rig);
}

GP_TEST(net_listen, ipv6_addresses_are_written_in_brackets)
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

GP_TEST(net_listen, a_listener_can_be_freed_inside_its_callback)
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

GP_TEST(net_listen, without_descriptors_accepting_pauses_and_goes_on)
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

GP_TEST(net_listen, a_storm_of_connections_is_accepted)
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
