/* How often parts of an application may be restarted. */
#include "control/budget.h"
#include "gp_test.h"

#define S INT64_C(1000) /* in milliseconds */

GP_TEST(budget, is_spent_after_so_many_at_once)
{
    struct budget b;

    budget_init(&b, 3, 60 * S, NULL, 0, 5 * S);
    for (uint32_t i = 0; i < 3; i++) {
        GP_CHECK_EQ(budget_used(&b, 5 * S), i);
        GP_CHECK(budget_draw(&b, 5 * S));
    }
    GP_CHECK_EQ(budget_used(&b, 5 * S), 3);
    GP_CHECK(!budget_draw(&b, 5 * S));
    GP_CHECK_EQ(budget_used(&b, 5 * S), 3);
}

/* Never a counter for life: what was long ago does not count. */
GP_TEST(budget, forgets_with_time)
{
    struct budget b;

    budget_init(&b, 3, 60 * S, NULL, 0, 0);
    GP_CHECK(budget_draw(&b, 0));
    GP_CHECK(budget_draw(&b, 20 * S));
    GP_CHECK(budget_draw(&b, 40 * S));
    GP_CHECK(!budget_draw(&b, 60 * S - 1));
    GP_CHECK_EQ(budget_used(&b, 60 * S), 2);
    GP_CHECK(budget_draw(&b, 60 * S));
    GP_CHECK(!budget_draw(&b, 79 * S));
    GP_CHECK_EQ(budget_used(&b, 80 * S), 2);
    GP_CHECK_EQ(budget_used(&b, 1000 * S), 0);
}

/* What fails again and again waits ever longer in between, and is found out all the same. */
GP_TEST(budget, is_spent_by_what_always_fails)
{
    struct budget b;
    int64_t now_ms = 0;

    budget_init(&b, 0, 0, NULL, 0, 0);
    for (uint32_t i = 0; i < BUDGET_RESTARTS_DEFAULT; i++) {
        GP_REQUIRE(budget_draw(&b, now_ms));
        now_ms += budget_pause_ms(budget_used(&b, now_ms));
    }
    GP_CHECK(!budget_draw(&b, now_ms));
    GP_CHECK(now_ms < BUDGET_WINDOW_DEFAULT_MS);
}

/* One restart every few seconds, for ever, is no reason to fail. */
GP_TEST(budget, lasts_for_ever_at_its_own_pace)
{
    struct budget b;

    budget_init(&b, 0, 0, NULL, 0, 0);
    for (int64_t i = 0; i < 1000; i++) {
        GP_REQUIRE(budget_draw(&b, i * BUDGET_WINDOW_DEFAULT_MS / BUDGET_RESTARTS_DEFAULT));
    }
}

/* It goes from hand to hand: appmaster, registry, leader, appmaster. */
GP_TEST(budget, goes_on_where_others_left_it)
{
    struct budget one;
    struct budget other;

    budget_init(&one, 4, 60 * S, NULL, 0, 0);
    for (int64_t i = 0; i < 3; i++) {
        GP_REQUIRE(budget_draw(&one, i * 10 * S));
    }
    budget_init(&other, 4, 60 * S, one.drawn, one.count, 50 * S);
    GP_CHECK_EQ(budget_used(&other, 50 * S), 3);
    GP_CHECK(budget_draw(&other, 50 * S));
    GP_CHECK(!budget_draw(&other, 50 * S));
    GP_CHECK_EQ(budget_used(&other, 60 * S), 3);
    GP_CHECK_EQ(budget_used(&other, 80 * S), 1);
    budget_init(&one, 4, 60 * S, other.drawn, other.count, 200 * S);
    GP_CHECK_EQ(one.count, 0);
}

GP_TEST(budget, takes_the_latest_of_too_many)
{
    struct msg_restart drawn[MSG_RESTARTS_MAX + 10];
    struct budget b;

    for (uint32_t i = 0; i < MSG_RESTARTS_MAX + 10; i++) {
        drawn[i].time_ms = i;
    }
    budget_init(&b, 3, 60 * S, drawn, MSG_RESTARTS_MAX + 10, 300);
    GP_CHECK_EQ(b.count, MSG_RESTARTS_MAX);
    GP_CHECK_EQ(b.drawn[0].time_ms, 10);
    GP_CHECK(!budget_draw(&b, 300));
    budget_init(&b, UINT32_MAX, 60 * S, drawn, 0, 300);
    GP_CHECK_EQ(b.max, MSG_RESTARTS_MAX);
}

/* A clock that went back does not hold anything against it for longer than the window. */
GP_TEST(budget, survives_clocks_that_jump)
{
    struct budget b;

    budget_init(&b, 2, 60 * S, NULL, 0, 0);
    GP_CHECK(budget_draw(&b, 5000 * S));
    GP_CHECK(budget_draw(&b, 5000 * S));
    GP_CHECK(!budget_draw(&b, 100 * S));
    GP_CHECK_EQ(budget_used(&b, 160 * S), 0);
    GP_CHECK(budget_draw(&b, 160 * S));
    budget_init(&b, 2, 60 * S, &(struct msg_restart){INT64_MAX}, 1, 100 * S);
    GP_CHECK_EQ(budget_used(&b, 159 * S), 1);
    GP_CHECK_EQ(budget_used(&b, 160 * S), 0);
}

GP_TEST(budget, makes_one_wait_longer_each_time_up_to_a_bound)
{
    int64_t before_ms = budget_pause_ms(0);

    GP_CHECK_EQ(before_ms, 0);
    GP_CHECK_EQ(budget_pause_ms(1), 100);
    for (uint32_t used = 1; used <= 20; used++) {
        int64_t pause_ms = budget_pause_ms(used);

        GP_CHECK(pause_ms > before_ms || pause_ms == BUDGET_PAUSE_MAX_MS);
        before_ms = pause_ms;
    }
    GP_CHECK_EQ(budget_pause_ms(UINT32_MAX), BUDGET_PAUSE_MAX_MS);
}
