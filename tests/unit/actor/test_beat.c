/* Periodic work that comes at the same moments. */
#include "gp_test.h"
#include "port/beat.h"

/* Wherever it is started: on a beat, and neither at once nor after two periods. */
GP_TEST(beat, is_a_half_to_one_and_a_half_periods_away)
{
    for (int64_t now_ns = 0; now_ns < 4000; now_ns += 7) {
        const int64_t delay_ns = beat_delay_ns(now_ns, 1000, 0);

        GP_CHECK(delay_ns >= 500 && delay_ns < 1500);
        GP_CHECK_EQ((now_ns + delay_ns) % 1000, 0);
    }
}

/* A timer is always a little late, and must not lose a beat by that. */
GP_TEST(beat, comes_each_period_though_timers_are_late)
{
    int64_t now_ns = 123456;

    now_ns += beat_delay_ns(now_ns, 1000, 0);
    for (int64_t beat = now_ns / 1000; beat < 200; beat++) {
        GP_CHECK_EQ(now_ns / 1000, beat);
        now_ns += beat % 499; /* late */
        now_ns += beat_delay_ns(now_ns, 1000, 0);
    }
}

/* A phase longer than the period is its rest. */
GP_TEST(beat, has_a_phase)
{
    GP_CHECK_EQ(beat_delay_ns(2000, 1000, 0), 1000);
    GP_CHECK_EQ(beat_delay_ns(2000, 1000, 700), 700);
    GP_CHECK_EQ(beat_delay_ns(2000, 1000, 300), 1300);
    GP_CHECK_EQ(beat_delay_ns(0, 1000, 300), 1300);
    GP_CHECK_EQ(beat_delay_ns(2000, 500, 700), 700);
}
