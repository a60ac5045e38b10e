/*
 * One direction of a connection: nothing is lost, doubled, early or beyond the window.
 */
#include "base/rng.h"
#include "gp_test.h"
#include "sim/pipe.h"

GP_TEST(pipe, takes_no_more_than_its_window)
{
    struct sim_pipe p;
    char bytes[100] = {0};

    sim_pipe_init(&p, 60);
    GP_CHECK_EQ(sim_pipe_put(&p, bytes, 50), 50);
    GP_CHECK_EQ(sim_pipe_put(&p, bytes, 50), 10);
    GP_CHECK_EQ(sim_pipe_put(&p, bytes, 50), 0);
    GP_CHECK_EQ(sim_pipe_room(&p), 0);
    sim_pipe_send(&p, 60, 1);
    sim_pipe_arrive(&p, 1);
    sim_pipe_take(&p, bytes, 7);
    GP_CHECK_EQ(sim_pipe_room(&p), 7);
    sim_pipe_deinit(&p);
}

GP_TEST(pipe, lets_nothing_arrive_early_or_overtake)
{
    struct sim_pipe p;

    sim_pipe_init(&p, 100);
    (void)sim_pipe_put(&p, "abcdef", 6);
    sim_pipe_send(&p, 2, 10);
    sim_pipe_send(&p, 4, 5); /* rides no faster than what was sent before */
    sim_pipe_end(&p, 7);
    GP_CHECK_EQ(sim_pipe_next_ns(&p), 10);
    sim_pipe_arrive(&p, 9);
    GP_CHECK_EQ(p.arrived, 0);
    GP_CHECK(!p.end_arrived);
    sim_pipe_arrive(&p, 10);
    GP_CHECK_EQ(p.arrived, 6);
    GP_CHECK(p.end_arrived);
    GP_CHECK_EQ(sim_pipe_next_ns(&p), INT64_MAX);
    sim_pipe_deinit(&p);
}

GP_TEST(pipe, drops_what_is_under_way)
{
    struct sim_pipe p;
    char bytes[2];

    sim_pipe_init(&p, 100);
    (void)sim_pipe_put(&p, "abcdef", 6);
    sim_pipe_send(&p, 2, 1);
    sim_pipe_send(&p, 4, 2);
    sim_pipe_arrive(&p, 1);
    sim_pipe_drop(&p, false);
    GP_CHECK_EQ(p.arrived, 2);
    GP_CHECK_EQ(p.used, 2);
    GP_CHECK_EQ(sim_pipe_next_ns(&p), INT64_MAX);
    sim_pipe_take(&p, bytes, 2);
    GP_CHECK_MEM_EQ(bytes, "ab", 2);
    sim_pipe_deinit(&p);
}

GP_TEST(pipe, keeps_bytes_in_order_however_they_come_and_go)
{
    struct sim_pipe p;
    struct rng rng;
    unsigned char in[700];
    unsigned char out[700];
    uint32_t written = 0;
    uint32_t read = 0;
    int64_t now_ns = 0;

    rng_init(&rng, 2);
    sim_pipe_init(&p, 5000);
    while (read < 1000000) {
        size_t len = rng_below(&rng, sizeof(in));

        for (size_t i = 0; i < len; i++) {
            in[i] = (unsigned char)((written + i) * 31 >> 3);
        }
        len = sim_pipe_put(&p, in, len);
        if (len > 0) {
            sim_pipe_send(&p, len, now_ns + (int64_t)rng_below(&rng, 50));
            written += (uint32_t)len;
        }
        sim_pipe_arrive(&p, now_ns++);
        len = rng_below(&rng, sizeof(out));
        len = len < p.arrived ? len : p.arrived;
        sim_pipe_take(&p, out, len);
        for (size_t i = 0; i < len; i++) {
            GP_REQUIRE_EQ(out[i], (unsigned char)((read + i) * 31 >> 3));
        }
        read += (uint32_t)len;
    }
    GP_CHECK_EQ(written, read + p.used);
    sim_pipe_deinit(&p);
}
