/*
 * loop.h: time and events of one thread.
 *
 * A loop belongs to one thread (in the simulator: to one simulated process or lane) and every
 * object made on it is used there only; loop_wake() and doorbell_ring() alone may be called from
 * anywhere. Callbacks run from inside the loop, never from inside the call that arms them. After
 * x_free() no callback of x comes any more, save for the writes of a stream (see net.h).
 *
 * The world implements `struct loop_ops` and embeds `struct loop`, `struct timer`, ... as first
 * member of its own.
 */
#ifndef PORT_LOOP_H
#define PORT_LOOP_H

#include <stdint.h>

struct loop;
struct timer;
struct fd_watch;
struct doorbell;
struct net_ops;

typedef void (*loop_fn)(void *user);
/* events: LOOP_READABLE | LOOP_WRITABLE, or a negative GP_E... */
typedef void (*fd_watch_fn)(void *user, int events);

#define LOOP_READABLE 1
#define LOOP_WRITABLE 2

struct loop_ops {
    int64_t (*now_ns)(struct loop *loop);
    int64_t (*fresh_now_ns)(struct loop *loop);
    int64_t (*peek_ns)(struct loop *loop);
    int64_t (*wall_ns)(struct loop *loop);
    void (*wake)(struct loop *loop);
    int (*timer_new)(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer);
    void (*timer_start)(struct timer *timer, int64_t delay_ns);
    void (*timer_stop)(struct timer *timer);
    void (*timer_free)(struct timer *timer);
    int (*fd_watch_new)(struct loop *loop, int fd, fd_watch_fn fn, void *user,
                        struct fd_watch **ret_watch);
    int (*fd_watch_set)(struct fd_watch *watch, int events);
    void (*fd_watch_free)(struct fd_watch *watch);
    int (*doorbell_new)(struct loop *loop, loop_fn fn, void *user, struct doorbell **ret_bell);
    void (*doorbell_ring)(struct doorbell *bell);
    void (*doorbell_free)(struct doorbell *bell);
};

struct loop {
    const struct loop_ops *ops;
    const struct net_ops *net;
};

struct timer {
    struct loop *loop;
};

struct fd_watch {
    struct loop *loop;
};

struct doorbell {
    struct loop *loop;
};

/* Monotonic time as of the start of this turn of the loop, nanoseconds. Reads no clock. */
static inline int64_t loop_now_ns(struct loop *loop)
{
    return loop->ops->now_ns(loop);
}

/* Monotonic time now: reads the clock (25 ns), not for per-message paths. Also refreshes
 * loop_now_ns(). */
static inline int64_t loop_fresh_now_ns(struct loop *loop)
{
    return loop->ops->fresh_now_ns(loop);
}

/* The same, to measure by: loop_now_ns() stays as it is. In the simulator nothing takes time within
 * a turn. */
static inline int64_t loop_peek_ns(struct loop *loop)
{
    return loop->ops->peek_ns(loop);
}

/* Nanoseconds since 1970, for people and files; orders nothing. */
static inline int64_t loop_wall_ns(struct loop *loop)
{
    return loop->ops->wall_ns(loop);
}

/* Ends the sleep of the loop's thread, which then runs its turn. Many calls may become one. [any
 * thread] */
static inline void loop_wake(struct loop *loop)
{
    loop->ops->wake(loop);
}

/* A timer, stopped at first. fn is called once per start. GP_ENOMEM. */
static inline int timer_new(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer)
{
    return loop->ops->timer_new(loop, fn, user, ret_timer);
}

/* Fires once, delay_ns (>= 0) from loop_now_ns(), with a resolution of 1 ms at worst; starting
 * again moves it. */
static inline void timer_start(struct timer *timer, int64_t delay_ns)
{
    timer->loop->ops->timer_start(timer, delay_ns);
}

static inline void timer_stop(struct timer *timer)
{
    timer->loop->ops->timer_stop(timer);
}

/* NULL is fine. */
static inline void timer_free(struct timer *timer)
{
    if (timer) {
        timer->loop->ops->timer_free(timer);
    }
}

/* Watches a descriptor that somebody else owns; nothing is watched before fd_watch_set().
 * GP_EINVAL: not pollable. */
static inline int fd_watch_new(struct loop *loop, int fd, fd_watch_fn fn, void *user,
                               struct fd_watch **ret_watch)
{
    return loop->ops->fd_watch_new(loop, fd, fn, user, ret_watch);
}

/* LOOP_READABLE | LOOP_WRITABLE, level-triggered; 0 pauses. */
static inline int fd_watch_set(struct fd_watch *watch, int events)
{
    return watch->loop->ops->fd_watch_set(watch, events);
}

/* NULL is fine. The descriptor is not closed. */
static inline void fd_watch_free(struct fd_watch *watch)
{
    if (watch) {
        watch->loop->ops->fd_watch_free(watch);
    }
}

/* Lets other threads call for this loop's: fn runs here after each ring, once for many.
 * GP_ENOMEM. */
static inline int doorbell_new(struct loop *loop, loop_fn fn, void *user,
                               struct doorbell **ret_bell)
{
    return loop->ops->doorbell_new(loop, fn, user, ret_bell);
}

/* What was done before it is seen by fn. [any thread] */
static inline void doorbell_ring(struct doorbell *bell)
{
    bell->loop->ops->doorbell_ring(bell);
}

/* NULL is fine. Nobody may ring any more. */
static inline void doorbell_free(struct doorbell *bell)
{
    if (bell) {
        bell->loop->ops->doorbell_free(bell);
    }
}

#endif
