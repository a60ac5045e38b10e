/*
 * loop_objects.c: timers, watched descriptors, doorbells.
 *
 * A uv handle may be closed only later than its user lets go of it; so each lives in a struct of
 * its own, which its close callback frees. Thread: that of the loop, save edge_doorbell_ring().
 * Failures: no memory or descriptors; a descriptor that cannot be watched.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "edge/loop.h"

#define NS_PER_MS INT64_C(1000000)

struct edge_timer {
    struct timer base;
    uv_timer_t uv;
    struct edge_task soon; /* with no delay: no timer of uv, whose shortest wait is up to 1 ms */
    loop_fn fn;
    void *user;
};

struct edge_watch {
    struct fd_watch base;
    uv_poll_t uv;
    fd_watch_fn fn;
    void *user;
};

/* ---- timers ---- */

static struct edge_timer *timer_of(struct timer *timer)
{
    return (struct edge_timer *)timer;
}

/*
 * Earlier calls of this step may have taken so long that the timer has come due by uv's time and
 * not by the cached one. Its owner would then wait for what is left, uv would count that as nothing
 * and call him at once, for ever.
 */
static void on_timer(uv_timer_t *uv)
{
    struct edge_timer *t = uv->data;
    struct edge_loop *l = edge_loop_of(t->base.loop);

    edge_loop_enter(l);
    if (l->now_ns / NS_PER_MS < (int64_t)uv_now(&l->uv)) {
        (void)loop_fresh_now_ns(&l->base);
    }
    t->fn(t->user);
}

static void on_soon(struct edge_task *task)
{
    struct edge_timer *t = LIST_ENTRY(task, struct edge_timer, soon);

    t->fn(t->user);
}

int edge_timer_new(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer)
{
    struct edge_loop *l = edge_loop_of(loop);
    struct edge_timer *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return GP_ENOMEM;
    }
    *t = (struct edge_timer){.base.loop = loop, .soon.fn = on_soon, .fn = fn, .user = user};
    list_node_init(&t->soon.node);
    (void)uv_timer_init(&l->uv, &t->uv); /* cannot fail */
    t->uv.data = t;
    l->objects++;
    *ret_timer = &t->base;
    return 0;
}

void edge_timer_start(struct timer *timer, int64_t delay_ns)
{
    struct edge_timer *t = timer_of(timer);
    struct edge_loop *l = edge_loop_of(timer->loop);
    int rc;

    edge_timer_stop(timer);
    if (delay_ns == 0) {
        edge_loop_defer(l, &t->soon);
        return;
    }
    rc = uv_timer_start(&t->uv, on_timer, edge_loop_timeout_ms(l, delay_ns), 0);
    ASSERT(rc == 0);
}

void edge_timer_stop(struct timer *timer)
{
    struct edge_timer *t = timer_of(timer);

    list_remove(&t->soon.node);
    (void)uv_timer_stop(&t->uv); /* cannot fail */
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_timer_free(struct timer *timer)
{
    edge_timer_stop(timer);
    edge_loop_of(timer->loop)->objects--;
    uv_close((uv_handle_t *)&timer_of(timer)->uv, on_timer_closed);
}

/* ---- descriptors ---- */

static struct edge_watch *watch_of(struct fd_watch *watch)
{
    return (struct edge_watch *)watch;
}

static void on_watch(uv_poll_t *uv, int status, int events)
{
    struct edge_watch *w = uv->data;
    int seen = 0;

    edge_loop_enter(edge_loop_of(w->base.loop));
    if (status < 0) {
        /* uv reports an error condition of the descriptor as EBADF. */
        seen = status == UV_EBADF ? GP_EIO : edge_error_of(status);
    } else {
        seen |= (events & UV_READABLE) != 0 ? LOOP_READABLE : 0;
        seen |= (events & UV_WRITABLE) != 0 ? LOOP_WRITABLE : 0;
    }
    if (seen != 0) {
        w->fn(w->user, seen);
    }
}

int edge_fd_watch_new(struct loop *loop, int fd, fd_watch_fn fn, void *user,
                      struct fd_watch **ret_watch)
{
    struct edge_loop *l = edge_loop_of(loop);
    struct edge_watch *w = calloc(1, sizeof(*w));
    int rc;

    if (w == NULL) {
        return GP_ENOMEM;
    }
    *w = (struct edge_watch){.base.loop = loop, .fn = fn, .user = user};
    rc = uv_poll_init(&l->uv, &w->uv, fd);
    if (rc < 0) {
        free(w);
        /* EPERM: a regular file, which is always ready and so never watched. */
        return rc == UV_EPERM || rc == UV_EBADF ? GP_EINVAL : edge_error_of(rc);
    }
    w->uv.data = w;
    l->objects++;
    *ret_watch = &w->base;
    return 0;
}

int edge_fd_watch_set(struct fd_watch *watch, int events)
{
    struct edge_watch *w = watch_of(watch);
    int wanted = 0;
    int rc;

    ASSERT((events & ~(LOOP_READABLE | LOOP_WRITABLE)) == 0);
    wanted |= (events & LOOP_READABLE) != 0 ? UV_READABLE : 0;
    wanted |= (events & LOOP_WRITABLE) != 0 ? UV_WRITABLE : 0;
    rc = wanted == 0 ? uv_poll_stop(&w->uv) : uv_poll_start(&w->uv, wanted, on_watch);
    return rc < 0 ? edge_error_of(rc) : 0;
}

static void on_watch_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_fd_watch_free(struct fd_watch *watch)
{
    edge_loop_of(watch->loop)->objects--;
    uv_close((uv_handle_t *)&watch_of(watch)->uv, on_watch_closed);
}

/* ---- doorbells ---- */

struct edge_bell {
    struct doorbell base;
    uv_async_t uv;
    /* Orders what ringers did before what fn sees, also for rings that became one. */
    atomic_uint rings;
    loop_fn fn;
    void *user;
};

static void on_ring(uv_async_t *async)
{
    struct edge_bell *b = async->data;

    edge_loop_enter(edge_loop_of(b->base.loop));
    (void)atomic_load_explicit(&b->rings, memory_order_acquire);
    b->fn(b->user);
}

int edge_doorbell_new(struct loop *loop, loop_fn fn, void *user, struct doorbell **ret_bell)
{
    struct edge_loop *l = edge_loop_of(loop);
    struct edge_bell *b = calloc(1, sizeof(*b));
    int rc;

    if (b == NULL) {
        return GP_ENOMEM;
    }
    *b = (struct edge_bell){.base.loop = loop, .fn = fn, .user = user};
    rc = uv_async_init(&l->uv, &b->uv, on_ring);
    if (rc < 0) {
        free(b);
        return edge_error_of(rc);
    }
    b->uv.data = b;
    l->objects++;
    *ret_bell = &b->base;
    return 0;
}

void edge_doorbell_ring(struct doorbell *bell)
{
    struct edge_bell *b = (struct edge_bell *)bell;
    int rc;

    (void)atomic_fetch_add_explicit(&b->rings, 1, memory_order_release);
    rc = uv_async_send(&b->uv);
    ASSERT(rc == 0);
}

static void on_bell_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void edge_doorbell_free(struct doorbell *bell)
{
    edge_loop_of(bell->loop)->objects--;
    uv_close((uv_handle_t *)&((struct edge_bell *)bell)->uv, on_bell_closed);
}
