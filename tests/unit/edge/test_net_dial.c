#include "net_pair.h"

/* localhost may mean ::1 first, where nobody listens. */
GP_TEST(net_dial, every_address_of_a_name_is_tried)
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

GP_TEST(net_dial, nobody_there_is_told_from_the_loop)
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

GP_TEST(net_dial, an_unknown_name_is_told_from_the_loop)
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

GP_TEST(net_dial, a_dial_can_be_freed_in_any_state)
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
