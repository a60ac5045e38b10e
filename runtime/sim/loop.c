/*
 * Loops and their steps. What port/loop.h offers on a loop is in loop_ops.c.
 *
 * A loop is at rest, or its step event is armed, or its step is running. A step runs one ready call
 * (which one of the first few is drawn) or one move of a runner, and takes a drawn time, during
 * which the loop is busy: what comes meanwhile waits. So the order in which a process sees its
 * events is not the order in which they happened, as in reality.
 *
 * Happy path: event fires → sim_loop_post → kick arms the step → step → run_one → callback.
 * Failures: none but memory. A paused or closed loop arms no step.
 */
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

    if (l->is_running || l->is_closed || sim_proc_is_still(l->proc) || sim_event_armed(&l->step) ||
        !has_more(l)) {
        return;
    }
    at_ns = sim_time(l->sim) +
            sim_between(l->sim, 0, SIM_WAKE_MAX_NS) * (int64_t)l->proc->host->slowness;
    if (at_ns < l->free_ns) {
        sim_count(l->sim, SIM_COUNT_callback_waited);
        at_ns = l->free_ns;
    }
    sim_events_arm(&l->sim->events, &l->step, at_ns);
}

/* Says whose user code runs from now on. */
static void tell_note(struct sim *sim)
{
    const struct sim_loop *l = sim->current;

    if (sim->options.on_note != NULL) {
        sim->options.on_note(l == NULL           ? NULL
                             : l->runner != NULL ? sim_runner_note(l->runner)
                                                 : &l->proc->note);
    }
}

struct sim_loop *sim_loop_enter(struct sim_loop *l)
{
    struct sim_loop *before = l->sim->current;
    int64_t now_ns = sim_time(l->sim);

    l->now_ns = l->now_ns > now_ns ? l->now_ns : now_ns;
    l->sim->current = l;
    tell_note(l->sim);
    return before;
}

void sim_loop_leave(struct sim_loop *l, struct sim_loop *before)
{
    ASSERT(l->sim->current == l);
    l->sim->current = before;
    tell_note(l->sim);
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
    l->free_ns = l->now_ns + (SIM_COST_MIN_NS + (int64_t)sim_draw(sim, (uint64_t)l->cost_span_ns)) *
                                 (int64_t)l->proc->host->slowness;
    if (more && !l->is_closed && !sim_proc_is_still(l->proc)) {
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
