/* How often parts of an application may be restarted. */
#include "control/appmaster/budget.h"
#include "gp_test.h"

#define S INT64_C(1000000000)

GP_TEST(budget, is_spent_after_so_many_at_once)
{
    struct budget b;

    budget_init(&b, 3, 60 * S, 0, 5 * S);
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

    budget_init(&b, 3, 60 * S, 0, 0);
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
    int64_t now_ns = 0;

    budget_init(&b, 0, 0, 0, 0);
    for (uint32_t i = 0; i < BUDGET_RESTARTS_DEFAULT; i++) {
        GP_REQUIRE(budget_draw(&b, now_ns));
        now_ns += budget_wait_ns(&b, now_ns);
    }
    GP_CHECK(!budget_draw(&b, now_ns));
    GP_CHECK(now_ns < BUDGET_WINDOW_DEFAULT_NS);
}

/* One restart every few seconds, for ever, is no reason to fail. */
GP_TEST(budget, lasts_for_ever_at_its_own_pace)
{
    struct budget b;

    budget_init(&b, 0, 0, 0, 0);
    for (int64_t i = 0; i < 1000; i++) {
        GP_REQUIRE(budget_draw(&b, i * BUDGET_WINDOW_DEFAULT_NS / BUDGET_RESTARTS_DEFAULT));
    }
}

GP_TEST(budget, begins_with_what_an_earlier_life_used)
{
    struct budget b;

    budget_init(&b, 4, 60 * S, 3, 100 * S);
    GP_CHECK_EQ(budget_used(&b, 100 * S), 3);
    GP_CHECK(budget_draw(&b, 100 * S));
    GP_CHECK(!budget_draw(&b, 100 * S));
    budget_init(&b, 4, 60 * S, 99, 100 * S);
    GP_CHECK_EQ(budget_used(&b, 100 * S), 4);
    GP_CHECK_EQ(budget_used(&b, 116 * S), 3); /* which came one after the other */
    GP_CHECK_EQ(budget_used(&b, 159 * S), 1);
    GP_CHECK_EQ(budget_used(&b, 160 * S), 0);
}

GP_TEST(budget, makes_one_wait_longer_each_time_up_to_a_bound)
{
    struct budget b;

    budget_init(&b, 20, 60 * S, 0, 0);
    GP_REQUIRE(budget_draw(&b, 0));
    GP_CHECK_EQ(budget_wait_ns(&b, 0), S / 10);
    GP_REQUIRE(budget_draw(&b, 0));
    GP_CHECK_EQ(budget_wait_ns(&b, 0), S / 5);
    GP_REQUIRE(budget_draw(&b, 0));
    GP_CHECK_EQ(budget_wait_ns(&b, 0), 2 * S / 5);
    while (budget_draw(&b, 0)) {
    }
    GP_CHECK_EQ(budget_wait_ns(&b, 0), 10 * S);
}
