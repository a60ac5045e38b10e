#include "edge/signals.h"
#include "net_pair.h"

GP_TEST(net_stream, bytes_travel_both_ways_over_tcp)
{
    struct rig rig;
    struct net_addr addr = addr_of("127.0.0.1:0");

    rig_begin(&rig, NULL);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net_stream, bytes_travel_both_ways_over_unix_sockets)
{
    struct rig rig;
    struct net_addr addr;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net_stream, a_host_name_is_resolved)
{
    struct rig rig;
    struct net_addr addr = addr_of("localhost:0");

    rig_begin(&rig, NULL);
    check_both_ways(&rig, &addr);
    rig_end(&rig);
}

GP_TEST(net_stream, many_writes_arrive_in_order_and_complete_once)
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

/* Who finds a Unix socket full sleeps until three quarters of it are read: it should hold several
 * batches. What a kernel grants at least, unless somebody has asked it for less. */
GP_TEST(net_stream, a_unix_socket_takes_several_batches)
{
    enum { PIECES = 6, PIECE = 64 << 10 };
    struct rig rig;
    struct net_addr addr;
    struct pair p;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    for (int i = 0; i < PIECES; i++) {
        struct net_buf buf = {p.far.inbox, PIECE};

        GP_REQUIRE_EQ(stream_write(p.near.stream, &buf, 1, on_written, &p.near), 0);
    }
    GP_CHECK_EQ(stream_write_queue_bytes(p.near.stream), 0);
    RIG_PUMP_UNTIL(&rig, p.far.got == PIECES * PIECE && p.near.written == PIECES);
    pair_end(&p);
    rig_end(&rig);
}

static void on_time_to_write(void *user)
{
    GP_CHECK_EQ(write_text(user, "now"), 0);
}

/* The loop must not fall asleep on what a timer has just caused. */
GP_TEST(net_stream, a_write_from_a_timer_completes_at_once)
{
    struct rig rig;
    struct net_addr addr;
    struct timer *timer = NULL;
    struct pair p;
    int64_t due_ns;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    stream_free(p.far.stream); /* nothing else happens */
    p.far.stream = NULL;
    RIG_PUMP_UNTIL(&rig, p.near.over != 0);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_time_to_write, &p.near, &timer), 0);
    timer_start(timer, 1);
    edge_process_begin();
    due_ns = loop_now_ns(rig.loop) + 3000000;
    while (loop_fresh_now_ns(rig.loop) < due_ns) {
        /* so that the timer is due before the step, and not only after its sleep */
    }
    timer_start(rig.watchdog, RIG_PATIENCE_NS);
    edge_step(rig.world, true);
    GP_CHECK(!rig.expired);
    GP_CHECK_EQ(p.near.written, 1);
    timer_free(timer);
    pair_end(&p);
    rig_end(&rig);
}

static void on_freed_written(void *user, int status)
{
    struct end *e = user;

    e->written++;
    e->write_status = status < e->write_status ? status : e->write_status;
}

GP_TEST(net_stream, writes_of_a_freed_stream_are_canceled_from_the_loop)
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

GP_TEST(net_stream, writing_to_a_dead_peer_is_an_error_and_no_signal)
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

GP_TEST(net_stream, reading_pauses_and_resumes)
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

GP_TEST(net_stream, the_end_comes_after_a_pause_and_only_once)
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
GP_TEST(net_stream, ending_a_stream_delivers_what_was_written)
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

GP_TEST(net_stream, ending_a_stream_does_not_wait_for_ever)
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

GP_TEST(net_stream, a_stream_can_be_freed_inside_its_callback)
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
