/*
 * loop.h: port/loop.h over one libuv loop. Private to edge.
 *
 * Everything is driven by edge_loop_step(); nobody else runs the uv loop. Callbacks that are owed
 * but did not come from the kernel (a write that succeeded at once, a dial that failed at once)
 * wait as `struct edge_task` and run at the end of the step, so that no callback ever comes from
 * inside the call that caused it.
 *
 * Invariants: a uv handle lives in a heap object that is freed in its close callback and nowhere
 * else; `objects` counts what users made and have not freed; while a task is ready the loop does
 * not sleep. Only edge_loop_post() and loop_wake() may be called from other threads.
 */
#ifndef EDGE_LOOP_H
#define EDGE_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "base/list.h"
#include "edge/limits.h"
#include "port/loop.h"

/* A callback owed. Embedded in its owner; fn may free the owner. */
struct edge_task {
    struct list_node node;
    void (*fn)(struct edge_task *task);
};

struct edge_loop {
    struct loop base; /* first: what users see */
    uv_loop_t uv;
    int wake_fd;        /* an eventfd, readable once somebody woke the loop */
    _Atomic bool woken; /* it is written, or about to be */
    uv_poll_t wake;
    uv_prepare_t before_sleep;
    int64_t now_ns;
    bool now_stale; /* the clock is read again at the next callback */
    struct list ready;
    struct list shares;      /* streams over memory that are looked at each turn (net_share.c) */
    uint32_t shares_vain;    /* times in a row that it waited a little for them, in vain */
    struct list writes_kept; /* requests for the next writes (net_write.c) */
    uint32_t writes_kept_count;
    uint32_t objects;
    uint32_t linger_ms; /* of stream_end() */
    uint64_t reads;     /* of streams, ends of theirs included */
    pthread_mutex_t posted_lock;
    struct list posted;                    /* tasks from other threads, under posted_lock */
    char discard[EDGE_DISCARD_SIZE_BYTES]; /* where unwanted bytes are read to */
};

/* In any thread; from then on one thread uses the loop. 0, GP_ENOMEM, GP_EFULL (descriptors). */
int edge_loop_init(struct edge_loop *l);

/*
 * Asserts that users have freed all they made, and waits for what ends by itself: owed callbacks,
 * streams that are ending, killed children. From then on the loop can only be woken.
 */
void edge_loop_drain(struct edge_loop *l);

/* After edge_loop_drain() and the last loop_wake(), in any one thread. */
void edge_loop_deinit(struct edge_loop *l);

/* One pass: timers, events, owed callbacks. wait: sleeps until there is something. */
void edge_loop_step(struct edge_loop *l, bool wait);

/* The owed callbacks alone, without asking the kernel; what they owe in turn waits for the next
 * time. */
void edge_loop_run_ready(struct edge_loop *l);

/* Whether the next step has something to do for certain. */
static inline bool edge_loop_is_ready(const struct edge_loop *l)
{
    return !list_is_empty(&l->ready);
}

/* Runs task->fn at the end of this or the next step. */
void edge_loop_defer(struct edge_loop *l, struct edge_task *task);

/* The same from any thread. */
void edge_loop_post(struct edge_loop *l, struct edge_task *task);

/* First thing in every callback from uv. */
static inline void edge_loop_enter(struct edge_loop *l)
{
    if (l->now_stale) {
        l->now_ns = (int64_t)uv_hrtime();
        l->now_stale = false;
    }
}

static inline struct edge_loop *edge_loop_of(struct loop *loop)
{
    return (struct edge_loop *)loop;
}

/* Absolute ms of uv_now() at or after now + delay_ns, minus uv_now(): what uv_timer_start()
 * takes. */
uint64_t edge_loop_timeout_ms(const struct edge_loop *l, int64_t delay_ns);

/* The error code nearest to a negative result of libuv. */
int edge_error_of(int uv_status);

/* ---- entries of loop_ops (loop_objects.c) ---- */

int edge_timer_new(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer);
void edge_timer_start(struct timer *timer, int64_t delay_ns);
void edge_timer_stop(struct timer *timer);
void edge_timer_free(struct timer *timer);
int edge_fd_watch_new(struct loop *loop, int fd, fd_watch_fn fn, void *user,
                      struct fd_watch **ret_watch);
int edge_fd_watch_set(struct fd_watch *watch, int events);
void edge_fd_watch_free(struct fd_watch *watch);
int edge_doorbell_new(struct loop *loop, loop_fn fn, void *user, struct doorbell **ret_bell);
void edge_doorbell_ring(struct doorbell *bell);
void edge_doorbell_free(struct doorbell *bell);

#endif
