/*
 * The queue of events: by time, then by order of arming, whatever is moved or cancelled.
 */
#include "base/rng.h"
#include "gp_test.h"
#include "sim/events.h"

#define COUNT 1000

GP_TEST(events, come_by_time_and_then_by_order)
{
    struct sim_events q = {0};
    struct sim_event e[6] = {{0}};

    sim_events_arm(&q, &e[0], 5);
    sim_events_arm(&q, &e[1], 3);
    sim_events_arm(&q, &e[2], 5);
    sim_events_arm(&q, &e[3], 9);
    sim_events_arm(&q, &e[4], 1);
    sim_events_arm(&q, &e[5], 7);
    sim_events_arm(&q, &e[3], 3); /* moved */
    sim_events_cancel(&q, &e[5]);
    sim_events_cancel(&q, &e[5]);
    GP_CHECK(!sim_event_armed(&e[5]));
    GP_CHECK(sim_events_pop(&q) == &e[4]);
    GP_CHECK(sim_events_pop(&q) == &e[1]);
    GP_CHECK(sim_events_pop(&q) == &e[3]);
    GP_CHECK(sim_events_pop(&q) == &e[0]);
    GP_CHECK(sim_events_pop(&q) == &e[2]);
    GP_CHECK(sim_events_pop(&q) == NULL);
    sim_events_deinit(&q);
}

/* Against the slowest right answer: the smallest of all. */
GP_TEST(events, agree_with_a_plain_search)
{
    static struct sim_event e[COUNT];
    struct sim_events q = {0};
    struct rng rng;

    rng_init(&rng, 1);
    for (int round = 0; round < 20000; round++) {
        struct sim_event *event = &e[rng_below(&rng, COUNT)];

        switch (rng_below(&rng, 4)) {
        case 0:
            sim_events_cancel(&q, event);
            break;
        case 1: {
            int64_t least_ns = INT64_MAX;

            for (int i = 0; i < COUNT; i++) {
                if (sim_event_armed(&e[i]) && e[i].at_ns < least_ns) {
                    least_ns = e[i].at_ns;
                }
            }
            event = sim_events_pop(&q);
            GP_REQUIRE_EQ(event != NULL ? event->at_ns : INT64_MAX, least_ns);
            break;
        }
        default:
            sim_events_arm(&q, event, (int64_t)rng_below(&rng, 500));
        }
    }
    sim_events_deinit(&q);
}
