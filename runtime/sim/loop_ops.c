/*
 * port/loop.h: clocks, timers, doorbells.
 *
 * A timer is an event, a doorbell a ring; both post a call to their loop, so that none is called
 * from inside the act that arms it, and none after it was freed. Hosts' clocks differ by a drawn
 * offset; within a callback time passes only by reading the clock. Failures: no memory; descriptors
 * belong to the real world.
 */
#include <stdlib.h>

#include "sim/world.h"

/* ---- clocks ---- */

static int64_t loop_now(struct loop *loop)
{
    struct sim_loop *l = sim_loop_of(loop);

    return l->now_ns + l->proc->host->clock_offset_ns;
}

static int64_t loop_fresh_now(struct loop *loop)
{
    struct sim_loop *l = sim_loop_of(loop);

    sim_loop_check(l);
    if (l->sim->current == l) {
        l->now_ns += SIM_CLOCK_READ_NS;
    } else if (l->now_ns < l->sim->now_ns) {
        l->now_ns = l->sim->now_ns;
    }
    return loop_now(loop);
}

static int64_t loop_wall(struct loop *loop)
{
    struct sim_loop *l = sim_loop_of(loop);

    return l->now_ns - l->sim->start_ns + SIM_WALL_START_NS + l->proc->host->wall_offset_ns;
}

static void loop_wake_up(struct loop *loop)
{
    struct sim_loop *l = sim_loop_of(loop);

    if (l->runner != NULL && !l->proc->is_mute) {
        sim_runner_wake(l->runner);
    }
}

/* ---- timers ---- */

struct sim_timer {
    struct timer base;
    struct sim_object object;
    struct sim_event due;
    struct sim_call call;
    loop_fn fn;
    void *user;
    bool is_held; /* with its host's clock */
    int64_t left_ns;
};

static struct sim_timer *timer_of(struct timer *timer)
{
    return container_of(timer, struct sim_timer, base);
}

static void timer_on_due(struct sim_event *event)
{
    struct sim_timer *t = container_of(event, struct sim_timer, due);

    sim_loop_post(sim_loop_of(t->base.loop), &t->call);
}

static void timer_run(struct sim_call *call)
{
    struct sim_timer *t = container_of(call, struct sim_timer, call);
    struct sim_loop *l = sim_loop_of(t->base.loop);

    sim_trace_note(l->sim, l, SIM_KIND_timer_fired, 0, 0);
    t->fn(t->user); /* may free the timer */
}

static void sim_timer_stop(struct timer *timer)
{
    struct sim_timer *t = timer_of(timer);
    struct sim_loop *l = sim_loop_of(timer->loop);

    sim_loop_check(l);
    t->is_held = false;
    sim_cancel(l->sim, &t->due);
    sim_loop_unpost(l, &t->call);
}

static void sim_timer_start(struct timer *timer, int64_t delay_ns)
{
    struct sim_timer *t = timer_of(timer);
    struct sim_loop *l = sim_loop_of(timer->loop);
    int64_t now_ns = sim_time(l->sim);

    ASSERT(delay_ns >= 0);
    if (sim_event_armed(&t->due)) {
        sim_count(l->sim, SIM_COUNT_timer_restarted);
    }
    sim_timer_stop(timer);
    if (l->proc->is_mute) {
        return;
    }
    /* Between steps the loop's time stands still, and a timer does not fire in the past. */
    delay_ns = delay_ns < INT64_MAX / 4 ? delay_ns : INT64_MAX / 4;
    sim_events_arm(&l->sim->events, &t->due,
                   l->now_ns + delay_ns > now_ns ? l->now_ns + delay_ns : now_ns);
}

static void sim_timer_free(struct timer *timer)
{
    struct sim_timer *t = timer_of(timer);

    sim_timer_stop(timer);
    sim_object_remove(&t->object);
    free(t);
}

static void timer_dispose(struct sim_object *object)
{
    sim_timer_free(&container_of(object, struct sim_timer, object)->base);
}

static int sim_timer_new(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer)
{
    struct sim_timer *t = calloc(1, sizeof(*t));

    sim_loop_check(sim_loop_of(loop));
    if (t == NULL) {
        return GP_ENOMEM;
    }
    t->base.loop = loop;
    t->fn = fn;
    t->user = user;
    t->due.fire = timer_on_due;
    sim_call_init(&t->call, timer_run);
    sim_object_add(sim_loop_of(loop), &t->object, "timer", timer_dispose);
    *ret_timer = &t->base;
    return 0;
}

void sim_timers_hold(struct sim_loop *l)
{
    LIST_FOREACH (node, &l->objects) {
        struct sim_object *object = LIST_ENTRY(node, struct sim_object, node);
        struct sim_timer *t = container_of(object, struct sim_timer, object);

        if (object->dispose == timer_dispose && sim_event_armed(&t->due)) {
            t->left_ns = t->due.at_ns - l->sim->now_ns;
            t->is_held = true;
            sim_cancel(l->sim, &t->due);
        }
    }
}

void sim_timers_release(struct sim_loop *l)
{
    LIST_FOREACH (node, &l->objects) {
        struct sim_object *object = LIST_ENTRY(node, struct sim_object, node);
        struct sim_timer *t = container_of(object, struct sim_timer, object);

        if (object->dispose == timer_dispose && t->is_held) {
            t->is_held = false;
            sim_arm_in(l->sim, &t->due, t->left_ns);
        }
    }
}

/* ---- descriptors belong to the real world ---- */

static int sim_fd_watch_new(struct loop *loop, int fd, fd_watch_fn fn, void *user,
                            struct fd_watch **ret_watch)
{
    (void)loop;
    (void)fd;
    (void)fn;
    (void)user;
    (void)ret_watch;
    return GP_EUNSUPPORTED;
}

static int sim_fd_watch_set(struct fd_watch *watch, int events)
{
    (void)watch;
    (void)events;
    UNREACHABLE();
}

static void sim_fd_watch_free(struct fd_watch *watch)
{
    (void)watch;
    UNREACHABLE();
}

/* ---- doorbells: rung from any loop of the process ---- */

struct sim_bell {
    struct doorbell base;
    struct sim_object object;
    struct sim_call call;
    loop_fn fn;
    void *user;
};

static void bell_run(struct sim_call *call)
{
    struct sim_bell *b = container_of(call, struct sim_bell, call);
    struct sim_loop *l = sim_loop_of(b->base.loop);

    sim_trace_note(l->sim, l, SIM_KIND_bell_rung, 0, 0);
    b->fn(b->user); /* may free the bell */
}

static void sim_bell_ring(struct doorbell *bell)
{
    struct sim_bell *b = container_of(bell, struct sim_bell, base);
    struct sim_loop *l = sim_loop_of(bell->loop);

    if (!l->proc->is_mute) {
        sim_loop_post(l, &b->call);
    }
}

static void sim_bell_free(struct doorbell *bell)
{
    struct sim_bell *b = container_of(bell, struct sim_bell, base);
    struct sim_loop *l = sim_loop_of(bell->loop);

    sim_loop_check(l);
    sim_loop_unpost(l, &b->call);
    sim_object_remove(&b->object);
    free(b);
}

static void bell_dispose(struct sim_object *object)
{
    sim_bell_free(&container_of(object, struct sim_bell, object)->base);
}

static int sim_bell_new(struct loop *loop, loop_fn fn, void *user, struct doorbell **ret_bell)
{
    struct sim_bell *b = calloc(1, sizeof(*b));

    sim_loop_check(sim_loop_of(loop));
    if (b == NULL) {
        return GP_ENOMEM;
    }
    *b = (struct sim_bell){.base.loop = loop, .fn = fn, .user = user};
    sim_call_init(&b->call, bell_run);
    sim_object_add(sim_loop_of(loop), &b->object, "doorbell", bell_dispose);
    *ret_bell = &b->base;
    return 0;
}

const struct loop_ops sim_loop_ops = {
    .now_ns = loop_now,
    .fresh_now_ns = loop_fresh_now,
    .peek_ns = loop_now,
    .wall_ns = loop_wall,
    .wake = loop_wake_up,
    .timer_new = sim_timer_new,
    .timer_start = sim_timer_start,
    .timer_stop = sim_timer_stop,
    .timer_free = sim_timer_free,
    .fd_watch_new = sim_fd_watch_new,
    .fd_watch_set = sim_fd_watch_set,
    .fd_watch_free = sim_fd_watch_free,
    .doorbell_new = sim_bell_new,
    .doorbell_ring = sim_bell_ring,
    .doorbell_free = sim_bell_free,
};
