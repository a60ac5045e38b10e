/*
 * port/loop.h: loops, their steps, and timers.
 *
 * A loop is at rest, or its step event is armed, or its step is running. A step runs one ready call
 * (which one of the first few is drawn) or one move of a runner, and takes a drawn time, during
 * which the loop is busy: what comes meanwhile waits. So the order in which a process sees its
 * events is not the order in which they happened, as in reality.
 *
 * Happy path: event fires → sim_loop_post → kick arms the step → step → run_one → callback.
 * Failures: none but memory. A paused or closed loop arms no step.
 */
#include <stdlib.h>

#include "sim/world.h"

/* ---- calls ---- */

void sim_call_init(struct sim_call *call, void (*run)(struct sim_call *call))
{
    list_node_init(&call->node);
    call->run = run;
}

void sim_loop_post(struct sim_loop *l, struct sim_call *call)
{
    if (list_is_linked(&call->node)) {
        return;
    }
    list_push_back(&l->ready, &call->node);
    l->ready_count++;
    sim_loop_kick(l);
}

void sim_loop_unpost(struct sim_loop *l, struct sim_call *call)
{
    if (list_is_linked(&call->node)) {
        list_remove(&call->node);
        l->ready_count--;
    }
}

void sim_loop_run_one(struct sim_loop *l)
{
    struct list_node *node = list_first(&l->ready);
    struct sim_call *call;

    ASSERT(node != NULL);
    if (l->ready_count > 1) {
        uint64_t skip =
            sim_draw(l->sim, l->ready_count < SIM_READY_WINDOW ? l->ready_count : SIM_READY_WINDOW);

        if (skip > 0) {
            sim_count(l->sim, SIM_COUNT_callback_reordered);
        }
        while (skip-- > 0) {
            node = node->next;
        }
    }
    call = LIST_ENTRY(node, struct sim_call, node);
    sim_loop_unpost(l, call);
    call->run(call);
}

/* ---- steps ---- */

static bool has_more(const struct sim_loop *l)
{
    return l->runner != NULL ? sim_runner_may_step(l->runner) : l->ready_count > 0;
}

void sim_loop_kick(struct sim_loop *l)
{
    int64_t at_ns;

    if (l->is_running || l->is_closed || l->proc->is_paused || sim_event_armed(&l->step) ||
        !has_more(l)) {
        return;
    }
    at_ns = sim_time(l->sim) + sim_between(l->sim, 0, SIM_WAKE_MAX_NS);
    if (at_ns < l->free_ns) {
        sim_count(l->sim, SIM_COUNT_callback_waited);
        at_ns = l->free_ns;
    }
    sim_events_arm(&l->sim->events, &l->step, at_ns);
}

struct sim_loop *sim_loop_enter(struct sim_loop *l)
{
    struct sim_loop *before = l->sim->current;
    int64_t now_ns = sim_time(l->sim);

    l->now_ns = l->now_ns > now_ns ? l->now_ns : now_ns;
    l->sim->current = l;
    return before;
}

void sim_loop_leave(struct sim_loop *l, struct sim_loop *before)
{
    ASSERT(l->sim->current == l);
    l->sim->current = before;
}

static void on_step(struct sim_event *event)
{
    struct sim_loop *l = container_of(event, struct sim_loop, step);
    struct sim *sim = l->sim;
    struct sim_loop *before = sim_loop_enter(l);
    bool more;

    l->is_running = true;
    if (l->runner != NULL) {
        more = sim_runner_step(l->runner); /* may have closed the loop */
    } else {
        sim_loop_run_one(l);
        more = l->ready_count > 0;
    }
    l->is_running = false;
    sim_loop_leave(l, before);
    l->free_ns = l->now_ns + SIM_COST_MIN_NS + (int64_t)sim_draw(sim, (uint64_t)l->cost_span_ns);
    if (more && !l->is_closed && !l->proc->is_paused) {
        sim_events_arm(&sim->events, &l->step, l->free_ns);
    }
    if (l->proc->state == SIM_PROC_LEAVING) {
        sim_proc_check_left(l->proc);
    }
}

/* ---- life ---- */

void sim_loop_init(struct sim_loop *l, struct sim_proc *proc, struct runner *runner)
{
    struct sim *sim = proc->sim;

    *l = (struct sim_loop){
        .base = {.ops = &sim_loop_ops, .net = &sim_net_ops},
        .sim = sim,
        .proc = proc,
        .runner = runner,
        .id = ++sim->loop_count,
        .step = {.fire = on_step},
        .now_ns = sim_time(sim),
        .cost_span_ns = sim_draw_log(sim, SIM_COST_SPAN_MIN_NS, SIM_COST_SPAN_MAX_NS),
    };
    list_init(&l->ready);
    list_init(&l->objects);
}

void sim_object_add(struct sim_loop *l, struct sim_object *object, const char *kind,
                    void (*dispose)(struct sim_object *object))
{
    list_node_init(&object->node);
    object->kind = kind;
    object->is_leaving = false;
    object->dispose = dispose;
    list_push_back(&l->objects, &object->node);
}

bool sim_loop_is_leaving(const struct sim_loop *l)
{
    LIST_FOREACH (node, &l->objects) {
        if (LIST_ENTRY(node, struct sim_object, node)->is_leaving) {
            return true;
        }
    }
    return false;
}

/* What a killed process without a program held, nobody was there to free. */
static bool is_leak(const struct sim_loop *l, const struct sim_object *object)
{
    bool has_program = l->sim->options.start != NULL;

    return !object->is_leaving && (has_program || !l->proc->is_killed);
}

static void dispose_all(struct sim_loop *l)
{
    struct list_node *node;

    while ((node = list_first(&l->objects)) != NULL) {
        struct sim_object *object = LIST_ENTRY(node, struct sim_object, node);

        if (is_leak(l, object)) {
            l->sim->leak_count++;
            sim_trace_note(l->sim, l, SIM_KIND_leaked, (int64_t)l->sim->leak_count, 0);
        }
        object->dispose(object);
        ASSERT(list_first(&l->objects) != node);
    }
}

void sim_loop_close(struct sim_loop *l)
{
    struct sim_loop *before;

    if (l->is_closed) {
        return;
    }
    before = sim_loop_enter(l);
    dispose_all(l);
    while (l->ready_count > 0) {
        sim_loop_run_one(l);
        dispose_all(l);
    }
    l->is_closed = true;
    sim_cancel(l->sim, &l->step);
    sim_loop_leave(l, before);
}

/* ---- loop_ops ---- */

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
