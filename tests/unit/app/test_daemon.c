/* Settings as options of the control plane. */
#include "app/daemon.h"
#include "gp_test.h"

static void load(const struct config_override *overrides, uint32_t count, struct config *ret)
{
    struct buf mistakes = {0};

    GP_REQUIRE_EQ(
        config_load(&(struct config_sources){"", NULL, overrides, count}, ret, &mistakes, NULL), 0);
    buf_deinit(&mistakes);
}

static uint32_t port_for(const char *bind, const char *advertise, const char *masters)
{
    const struct config_override overrides[] = {{"bind", bind, ""},
                                                {"advertise", advertise, ""},
                                                {"cluster.masters", masters, ""},
                                                {"insecure", "true", ""}};
    struct config config;
    uint32_t port;

    load(overrides, 4, &config);
    port = daemon_master_port(&config);
    config_deinit(&config);
    return port;
}

GP_TEST(daemon, a_master_takes_the_port_that_the_cluster_knows_it_by)
{
    GP_CHECK_EQ(port_for("127.0.0.1", "", "127.0.0.1:3000"), 3000);
    GP_CHECK_EQ(port_for("127.0.0.2", "", "127.0.0.1:4000,127.0.0.2:5000"), 5000);
    GP_CHECK_EQ(port_for("0.0.0.0", "host-b", "host-a:4000,host-b:6000"), 6000);
    GP_CHECK_EQ(port_for("127.0.0.3", "", "127.0.0.1:4000"), CONFIG_PORT);
}

static int check_one(const char *bind, const char *advertise, uint32_t tcp_port,
                     const char *masters, struct gp_error *err)
{
    const struct config_override overrides[] = {{"bind", bind, ""},
                                                {"advertise", advertise, ""},
                                                {"cluster.masters", masters, ""},
                                                {"insecure", "true", ""}};
    struct config config;
    int rc;

    load(overrides, 4, &config);
    rc = daemon_check_master(&config, tcp_port, err);
    config_deinit(&config);
    return rc;
}

GP_TEST(daemon, a_master_is_one_of_those_that_are_listed)
{
    struct gp_error err = {0};

    GP_CHECK_EQ(check_one("127.0.0.2", "", 4000, "127.0.0.1:4000,127.0.0.2:4000,a:1", &err), 0);
    GP_CHECK_EQ(check_one("0.0.0.0", "host-b", 6000, "a:6000,host-b:6000,c:6000", &err), 0);
    GP_CHECK_EQ(check_one("::1", "", 6000, "a:6000,[::1]:6000,c:6000", &err), 0);
    GP_CHECK_EQ(check_one("127.0.0.9", "", 7, "127.0.0.1:4000", &err), 0); /* alone */
    GP_CHECK_EQ(check_one("127.0.0.2", "", 4001, "127.0.0.1:4001,127.0.0.2:4000,a:1", &err),
                GP_EINVAL);
    GP_CHECK_STR_EQ(err.text, "this would be 127.0.0.2:4001, which is not in cluster.masters: "
                              "127.0.0.1:4001, 127.0.0.2:4000, a:1");
}

GP_TEST(daemon, limits_are_those_of_the_configuration)
{
    const struct config_override overrides[] = {{"limits.connections", "77", ""},
                                                {"limits.connections_per_peer", "7", ""},
                                                {"limits.handshake_timeout", "700ms", ""},
                                                {"cluster.failure_timeout", "900ms", ""}};
    struct config config;
    struct endpoint_limits limits;

    load(overrides, 4, &config);
    limits = daemon_limits(&config);
    GP_CHECK_EQ(limits.connections_max, 77);
    GP_CHECK_EQ(limits.connections_per_host_max, 7);
    GP_CHECK_EQ(limits.handshake_timeout_ns, 700000000);
    GP_CHECK_EQ(limits.failure_timeout_ns, 900000000);
    config_deinit(&config);
}
