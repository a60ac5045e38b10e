/* The budget of restarts: spent at once, given back over time. */
#include "control/master/restarts.h"
#include "gp_test.h"

static const struct restarts budget = {.max = 10, .window_ms = 60000};

GP_TEST(restarts, are_spent_and_come_back)
{
    uint32_t left = 0;

    for (uint32_t i = 0; i < budget.max; i++) {
        GP_CHECK(restarts_may(&budget, left));
        left += RESTARTS_ONE;
    }
    GP_CHECK(!restarts_may(&budget, left));
    GP_CHECK(!restarts_may(&budget, restarts_left(&budget, left, 5999)));
    GP_CHECK(restarts_may(&budget, restarts_left(&budget, left, 6000)));
    GP_CHECK_EQ(restarts_left(&budget, left, 60000), 0);
    GP_CHECK_EQ(restarts_left(&budget, left, INT64_MAX), 0);
    GP_CHECK_EQ(restarts_left(&budget, left, -1), left); /* a clock that went back */
}

GP_TEST(restarts, wait_longer_each_time)
{
    int64_t before_ms = restarts_pause_ms(0);

    GP_CHECK_EQ(before_ms, 0);
    for (uint32_t left = RESTARTS_ONE; left <= 20 * RESTARTS_ONE; left += RESTARTS_ONE) {
        int64_t pause_ms = restarts_pause_ms(left);

        GP_CHECK(pause_ms > before_ms || pause_ms == RESTARTS_PAUSE_MAX_MS);
        before_ms = pause_ms;
    }
    GP_CHECK_EQ(restarts_pause_ms(UINT32_MAX), RESTARTS_PAUSE_MAX_MS);
}
