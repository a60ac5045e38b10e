#include "base/rng.h"
#include "control/master/scheduler.h"
#include "gp_test.h"

static uint32_t granted(const struct scheduler_worker *w, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += w[i].granted;
    }
    return sum;
}

GP_TEST(scheduler, spreads_evenly_over_the_emptiest)
{
    struct scheduler_worker w[] = {{1, 100, 0, 0}, {2, 40, 60, 0}, {3, 100, 0, 0}, {4, 90, 10, 0}};

    GP_REQUIRE_EQ(scheduler_spread(w, 4, 9, 3, NULL), 0);
    for (int i = 0; i < 4; i++) {
        GP_CHECK_EQ(w[i].granted, w[i].id == 2 ? 0 : 3);
    }
}

GP_TEST(scheduler, says_the_numbers_when_slots_are_short)
{
    struct scheduler_worker w[] = {{1, 3, 97, 0}, {2, 5, 95, 0}};
    struct gp_error err = {0};

    GP_REQUIRE_EQ(scheduler_spread(w, 2, 12, 2, &err), GP_EFULL);
    GP_CHECK_STR_EQ(err.text, "not enough slots: 12 needed, 8 free on 2 workers");
    GP_CHECK_EQ(granted(w, 2), 0);
}

/* One executor was asked for, but no single worker can hold it all. */
GP_TEST(scheduler, takes_more_workers_rather_than_refuse)
{
    struct scheduler_worker w[] = {{1, 6, 0, 0}, {2, 6, 0, 0}};

    GP_REQUIRE_EQ(scheduler_spread(w, 2, 10, 1, NULL), 0);
    GP_CHECK_EQ(granted(w, 2), 10);
}

GP_TEST(scheduler, never_grants_more_than_is_free_whatever_the_shape)
{
    struct rng rng;
    rng_init(&rng, 11);
    for (int round = 0; round < 2000; round++) {
        struct scheduler_worker w[8];
        uint32_t count = 1 + (uint32_t)rng_below(&rng, 8);
        uint32_t slots = 1 + (uint32_t)rng_below(&rng, 60);
        uint32_t executors = 1 + (uint32_t)rng_below(&rng, 10);
        uint64_t room = 0;
        uint32_t with_room = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t used = (uint32_t)rng_below(&rng, 20);
            w[i] = (struct scheduler_worker){i + 1, (uint32_t)rng_below(&rng, 20), used, 0};
            room += w[i].free;
            with_room += w[i].free > 0;
        }
        bool fits = room >= slots && (executors <= with_room || slots <= with_room);
        int rc = scheduler_spread(w, count, slots, executors, NULL);
        GP_REQUIRE_EQ(rc, fits ? 0 : GP_EFULL);
        GP_REQUIRE_EQ(granted(w, count), rc == 0 ? slots : 0);
        for (uint32_t i = 0; i < count; i++) {
            GP_REQUIRE(w[i].granted <= w[i].free);
        }
    }
}

/* Who asked for five processes must not get four without a word. */
GP_TEST(scheduler, says_when_workers_are_short)
{
    struct scheduler_worker w[] = {{1, 100, 0, 0}, {2, 0, 100, 0}, {3, 100, 0, 0}};
    struct gp_error err = {0};

    GP_REQUIRE_EQ(scheduler_spread(w, 3, 12, 3, &err), GP_EFULL);
    GP_CHECK_STR_EQ(err.text,
                    "not enough workers: 3 executors need one each, 2 of 3 have a free slot");
    GP_CHECK_EQ(granted(w, 3), 0);
    GP_CHECK_EQ(scheduler_spread(w, 3, 2, 3, &err), 0); /* two tasks need no third */
}

GP_TEST(scheduler, default_is_every_worker_with_room_but_not_more_than_tasks)
{
    struct scheduler_worker w[] = {{1, 5, 0, 0}, {2, 0, 100, 0}, {3, 5, 0, 0}};
    GP_CHECK_EQ(scheduler_executors_default(w, 3, 9), 2);
    GP_CHECK_EQ(scheduler_executors_default(w, 3, 1), 1);
    GP_CHECK_EQ(scheduler_executors_default(w, 0, 1), 0);
}

GP_TEST(scheduler, picks_the_emptiest_for_one)
{
    struct scheduler_worker w[] = {{1, 5, 3, 0}, {2, 0, 0, 0}, {3, 5, 2, 0}};
    GP_CHECK_EQ(scheduler_pick(w, 3)->id, 3);
    GP_CHECK(scheduler_pick(w + 1, 1) == NULL);
}
