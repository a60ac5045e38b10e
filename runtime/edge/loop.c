/*
 * loop.c: see loop.h.
 *
 * Time: the clock is read once per burst of callbacks, not per callback. `before_sleep` marks the
 * cached time stale just before the kernel is asked, so the first callback after it reads anew.
 * That it is not stale there means that somebody was called in this step already.
 * Timers never fire early: uv counts whole milliseconds, so deadlines are rounded up.
 *
 * Threads: that of the loop, save edge_loop_post() and wake. Failures: making handles may lack
 * memory or descriptors; after that only fd_watch_set() can fail.
 */
#include "edge/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "edge/net.h"

#define NS_PER_MS INT64_C(1000000)

int edge_error_of(int uv_status)
{
    switch (uv_status) {
    case UV_EOF:
        return GP_ECLOSED;
    case UV_EAI_MEMORY:
        return GP_ENOMEM;
    case UV_EAI_AGAIN:
        return GP_EAGAIN;
    case UV_EAI_CANCELED:
        return GP_ECANCELED;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_FAIL:
    case UV_EAI_ADDRFAMILY:
        return GP_ENOENT;
    default:
        return error_from_errno(-uv_status);
    }
}

/* ---- time ---- */

static int64_t now_ns(struct loop *loop)
{
    return edge_loop_of(loop)->now_ns;
}

static int64_t peek_ns(struct loop *loop)
{
    (void)loop;
    return (int64_t)uv_hrtime();
}

static int64_t fresh_now_ns(struct loop *loop)
{
    struct edge_loop *l = edge_loop_of(loop);

    l->now_ns = (int64_t)uv_hrtime();
    l->now_stale = false;
    return l->now_ns;
}

static int64_t wall_ns(struct loop *loop)
{
    struct timespec t;

    (void)loop;
    ASSERT(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

uint64_t edge_loop_timeout_ms(const struct edge_loop *l, int64_t delay_ns)
{
    uint64_t now_ms = uv_now(&l->uv);
    int64_t deadline_ns;
    uint64_t deadline_ms;

    ASSERT(delay_ns >= 0);
    if (__builtin_add_overflow(l->now_ns, delay_ns, &deadline_ns)) {
        deadline_ns = INT64_MAX - NS_PER_MS;
    }
    deadline_ms = (uint64_t)((deadline_ns + NS_PER_MS - 1) / NS_PER_MS);
    return deadline_ms > now_ms ? deadline_ms - now_ms : 0;
}

/* ---- waking and owed callbacks ---- */

/*
 * Not uv_async_t: until libuv 1.45 its receiver spins while the sender is still in write(2), which
 * with a sleeper on another virtual CPU lasts longer than all that the wake-up is for.
 */
static void ring(struct edge_loop *l)
{
    const uint64_t one = 1;

    if (!atomic_exchange(&l->woken, true)) {
        ssize_t n = write(l->wake_fd, &one, sizeof one);

        ASSERT(n == sizeof one);
    }
}

static void wake(struct loop *loop)
{
    ring(edge_loop_of(loop));
}

static void on_woken(uv_poll_t *poll, int status, int events)
{
    struct edge_loop *l = poll->data;
    uint64_t count;
    ssize_t n;

    (void)status, (void)events; /* an eventfd only ever becomes readable */
    edge_loop_enter(l);
    n = read(l->wake_fd, &count, sizeof count);
    ASSERT(n == sizeof count);
    /* Only now: who finds it set before has told what it woke for, and that is looked at below. */
    (void)atomic_exchange(&l->woken, false);
    pthread_mutex_lock(&l->posted_lock);
    list_append_all(&l->ready, &l->posted);
    pthread_mutex_unlock(&l->posted_lock);
}

void edge_loop_defer(struct edge_loop *l, struct edge_task *task)
{
    list_push_back(&l->ready, &task->node);
}

void edge_loop_post(struct edge_loop *l, struct edge_task *task)
{
    /* Rung under the lock: the loop may be gone as soon as it has seen its last task. */
    pthread_mutex_lock(&l->posted_lock);
    list_push_back(&l->posted, &task->node);
    ring(l);
    pthread_mutex_unlock(&l->posted_lock);
}

/*
 * Just before the kernel is asked. If a timer of this very step has called somebody, there may be
 * something to do now that no event will tell of: uv_stop() makes it look without waiting.
 */
static void before_sleep(uv_prepare_t *prepare)
{
    struct edge_loop *l = prepare->data;

    if (!l->now_stale) {
        uv_stop(&l->uv);
    }
    l->now_stale = true;
}

void edge_loop_run_ready(struct edge_loop *l)
{
    struct list now;
    struct list_node *node;

    edge_shares_look(l);
    if (list_is_empty(&l->ready)) {
        return;
    }
    edge_loop_enter(l);
    list_init(&now);
    list_append_all(&now, &l->ready);
    while ((node = list_pop_front(&now)) != NULL) {
        struct edge_task *task = LIST_ENTRY(node, struct edge_task, node);

        task->fn(task);
    }
}

void edge_loop_step(struct edge_loop *l, bool wait)
{
    wait = wait && list_is_empty(&l->ready) && edge_shares_may_sleep(l);
    l->now_stale = true;
    (void)uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    edge_loop_run_ready(l);
}

/* ---- life ---- */

static const struct loop_ops loop_ops = {
    .now_ns = now_ns,
    .fresh_now_ns = fresh_now_ns,
    .peek_ns = peek_ns,
    .wall_ns = wall_ns,
    .wake = wake,
    .timer_new = edge_timer_new,
    .timer_start = edge_timer_start,
    .timer_stop = edge_timer_stop,
    .timer_free = edge_timer_free,
    .fd_watch_new = edge_fd_watch_new,
    .fd_watch_set = edge_fd_watch_set,
    .fd_watch_free = edge_fd_watch_free,
    .doorbell_new = edge_doorbell_new,
    .doorbell_ring = edge_doorbell_ring,
    .doorbell_free = edge_doorbell_free,
};

int edge_loop_init(struct edge_loop *l)
{
    int rc;

    *l = (struct edge_loop){.base = {.ops = &loop_ops, .net = &edge_net_ops},
                            .linger_ms = EDGE_STREAM_LINGER_MS};
    list_init(&l->ready);
    list_init(&l->writes_kept);
    list_init(&l->shares);
    list_init(&l->posted);
    rc = uv_loop_init(&l->uv);
    if (rc < 0) {
        return edge_error_of(rc);
    }
    l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake_fd < 0) {
        rc = error_from_errno(errno);
        (void)uv_loop_close(&l->uv); /* nothing is in it */
        return rc;
    }
    rc = uv_poll_init(&l->uv, &l->wake, l->wake_fd);
    if (rc < 0) {
        (void)close(l->wake_fd);
        (void)uv_loop_close(&l->uv);
        return edge_error_of(rc);
    }
    l->wake.data = l;
    rc = uv_poll_start(&l->wake, UV_READABLE, on_woken);
    ASSERT(rc == 0);                                 /* the kernel is asked later */
    (void)uv_prepare_init(&l->uv, &l->before_sleep); /* these two cannot fail */
    (void)uv_prepare_start(&l->before_sleep, before_sleep);
    l->before_sleep.data = l;
    uv_unref((uv_handle_t *)&l->before_sleep);
    rc = pthread_mutex_init(&l->posted_lock, NULL);
    ASSERT(rc == 0);
    l->now_ns = (int64_t)uv_hrtime();
    return 0;
}

void edge_loop_drain(struct edge_loop *l)
{
    edge_loop_run_ready(l);  /* an end that is owed gives its object back */
    ASSERT(l->objects == 0); /* somebody did not free what it made on this loop */
    uv_close((uv_handle_t *)&l->before_sleep, NULL);
    /* Alive are now only things that end by themselves: a stream that sends its last bytes, a
     * killed child, a name being resolved. */
    uv_unref((uv_handle_t *)&l->wake);
    while (uv_loop_alive(&l->uv) != 0 || edge_loop_is_ready(l)) {
        edge_loop_step(l, true);
    }
}

void edge_loop_deinit(struct edge_loop *l)
{
    int rc;

    uv_close((uv_handle_t *)&l->wake, NULL);
    edge_loop_step(l, false);
    rc = uv_loop_close(&l->uv);
    ASSERT(rc == 0);
    (void)close(l->wake_fd);
    edge_net_free_writes(l);
    (void)pthread_mutex_destroy(&l->posted_lock);
}
