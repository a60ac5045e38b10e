/*
 * beat.h: what is done periodically, done at the same moments.
 *
 * Waking a thread costs a tenth of a millisecond, far more than what most timers have to do, and
 * takes that from whatever else runs on its CPU. So periodic work is not counted from when it
 * began, but from the zero of the monotonic clock: all of a process with one period comes at once,
 * and as processes of a host share the clock, what they say to each other meets a peer that is
 * awake. Work that needs the answers of others has a phase of its own.
 *
 * Nothing may rely on the first distance: it is between half of a period and one and a half.
 */
#ifndef PORT_BEAT_H
#define PORT_BEAT_H

#include "port/loop.h"

/* From now_ns to the next beat: period/2 to 3/2 period. No argument is negative; period_ns > 1. */
static inline int64_t beat_delay_ns(int64_t now_ns, int64_t period_ns, int64_t phase_ns)
{
    const int64_t left_ns = period_ns - (now_ns + period_ns - phase_ns % period_ns) % period_ns;

    return left_ns >= period_ns / 2 ? left_ns : left_ns + period_ns;
}

/* Starts a timer for the next beat. Returns the delay. */
static inline int64_t timer_start_beat(struct timer *timer, int64_t period_ns, int64_t phase_ns)
{
    const int64_t delay_ns = beat_delay_ns(loop_now_ns(timer->loop), period_ns, phase_ns);

    timer_start(timer, delay_ns);
    return delay_ns;
}

#endif
