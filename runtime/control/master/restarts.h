/*
 * restarts.h: how often an application may be started again: so many times in a window, after which
 * it is given up. A bucket that leaks: what was spent comes back evenly over the window.
 *
 * Counted in thousandths, so that it decays smoothly. Pure; the numbers stand in the registry.
 */
#ifndef CONTROL_MASTER_RESTARTS_H
#define CONTROL_MASTER_RESTARTS_H

#include <stdbool.h>
#include <stdint.h>

#define RESTARTS_ONE          1000u
#define RESTARTS_DEFAULT      10u
#define RESTARTS_WINDOW_MS    60000
#define RESTARTS_PAUSE_MS     100 /* before the second; each later one waits twice as long */
#define RESTARTS_PAUSE_MAX_MS 5000

struct restarts {
    uint32_t max; /* in a window */
    int64_t window_ms;
};

/* What is left of `spent` that was true elapsed_ms ago. A clock that went back gives nothing back. */
static inline uint32_t restarts_left(const struct restarts *r, uint32_t spent, int64_t elapsed_ms)
{
    if (elapsed_ms <= 0) {
        return spent;
    }
    if (elapsed_ms >= r->window_ms) {
        return 0;
    }
    uint64_t back = (uint64_t)elapsed_ms * RESTARTS_ONE * r->max / (uint64_t)r->window_ms;
    return back >= spent ? 0 : spent - (uint32_t)back;
}

/* Whether one more is possible on top of what is left. */
static inline bool restarts_may(const struct restarts *r, uint32_t left)
{
    return left + RESTARTS_ONE <= r->max * RESTARTS_ONE;
}

/* How long to wait before the next: not at all at first. */
static inline int64_t restarts_pause_ms(uint32_t left)
{
    uint32_t before = left / RESTARTS_ONE;
    int64_t pause_ms = before == 0 ? 0 : RESTARTS_PAUSE_MS;

    for (uint32_t i = 1; i < before && pause_ms < RESTARTS_PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    return pause_ms < RESTARTS_PAUSE_MAX_MS ? pause_ms : RESTARTS_PAUSE_MAX_MS;
}

#endif
