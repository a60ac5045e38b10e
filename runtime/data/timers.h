/*
 * timers.h: the timers of tasks, by processing time and by event time.
 *
 * Each task has a heap per clock, made on first use; the lane keeps the tasks that have
 * processing-time timers in a heap of their earliest, and one timer of the loop for the earliest of
 * all. So a timer costs no system call, and ten thousand of them one.
 *
 * Thread: the lane's. Bound: GP_TIMERS_MAX per task.
 */
#ifndef DATA_TIMERS_H
#define DATA_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct lane;
struct task;
struct lane_timers;

/* A timer that came. */
struct timer_due {
    uint32_t clock;
    uint64_t id;
    int64_t at_ns;
};

int lane_timers_new(struct lane *lane, struct lane_timers **ret);
void lane_timers_free(struct lane_timers *timers);

/* Sets or moves a timer. 0, GP_EFULL, GP_ENOMEM. */
int timers_set(struct task *t, uint32_t clock, uint64_t id, int64_t at_ns);
void timers_cancel(struct task *t, uint32_t clock, uint64_t id);

/* Takes the earliest timer of a clock that is due at now_ns. */
bool timers_take_due(struct task *t, uint32_t clock, int64_t now_ns, struct timer_due *ret);

/* Whether a timer of the clock is due. */
bool timers_is_due(const struct task *t, uint32_t clock, int64_t now_ns);

/* Whether there is any event-time timer. */
bool timers_has_event(const struct task *t);

/* The host's own timer of a source: it falls idle when it is silent until then. 0 ends it. */
int timers_watch_silence(struct task *t, int64_t at_ns);

/* What is set, in no order. */
typedef void (*timers_fn)(void *user, const struct timer_due *timer);
uint32_t timers_count(const struct task *t);
void timers_for_each(const struct task *t, timers_fn fn, void *user);

void timers_free(struct task *t);

#endif
