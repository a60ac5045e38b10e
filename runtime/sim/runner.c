/*
 * port/runner.h: lanes without threads. A step of the runner's loop is one call of its functions.
 *
 *     STARTING ─init─▶ TURNING ◀──────────────────────────┐
 *                       │ ▲  MORE, a few times            │ no
 *                       ▼ │                               │
 *                      POLLING ─ IDLE, nothing ready ─▶ may_sleep ─ yes ─▶ SLEEPING ─ event or
 *                       ▲                                                   wake ─┐
 *                       └─────────────────────────────────────────────────────────┘
 *     TURNING ─ DONE, fini ─▶ LINGERING ─ nothing ends any more ─▶ ENDED ─▶ on_exit at the starter
 *
 * Every arrow is a step of its own, so that others run between a turn that found nothing and the
 * last look before sleeping: there wake-ups get lost. A wake that meets a runner which is up is
 * kept until it polls, as the real one is (an eventfd).
 */
#include <stdlib.h>

#include "base/str.h"
#include "sim/world.h"

enum runner_phase {
    PHASE_STARTING,
    PHASE_TURNING,
    PHASE_POLLING,
    PHASE_SLEEPING,
    PHASE_LINGERING,
    PHASE_ENDED,
};

static const char *const phase_names[] = {"starting", "turning",   "polling",
                                          "sleeping", "lingering", "ended"};

struct runner {
    struct sim_loop loop;
    struct list_node node; /* in proc->runners */
    struct sim_object object;
    struct runner_spec spec;
    struct sim_loop *starter;
    enum runner_phase phase;
    bool is_idle;        /* the last turn found nothing */
    bool is_woken;       /* not yet seen by a poll */
    bool is_told;        /* on_exit was called */
    uint32_t turns_left; /* before it polls */
    struct sim_event exit_due;
    struct sim_call exit_call;
    char name[16];
};

const char *sim_runner_name(const struct runner *runner)
{
    return runner->name;
}

const struct crash_note *sim_runner_note(const struct runner *runner)
{
    return runner->spec.crash_note;
}

const char *sim_runner_state(const struct runner *runner)
{
    return phase_names[runner->phase];
}

/* ---- the end ---- */

static void tell_exit(struct sim_call *call)
{
    struct runner *r = container_of(call, struct runner, exit_call);

    r->is_told = true;
    r->spec.on_exit(r->spec.user); /* may free r */
}

static void on_exit_due(struct sim_event *event)
{
    struct runner *r = container_of(event, struct runner, exit_due);

    sim_loop_post(r->starter, &r->exit_call);
}

static void end(struct runner *r)
{
    struct sim *sim = r->loop.sim;

    sim_trace_note(sim, &r->loop, SIM_KIND_runner_ended, 0, 0);
    r->phase = PHASE_ENDED;
    sim_loop_close(&r->loop);
    sim_arm_in(sim, &r->exit_due, sim_between(sim, 0, SIM_THREAD_EXIT_MAX_NS));
}

int sim_runners_report(const struct sim_proc *proc, struct buf *out)
{
    int rc = 0;

    LIST_FOREACH (node, &proc->runners) {
        if (rc == 0) {
            rc = sim_loop_report(&LIST_ENTRY(node, struct runner, node)->loop, out);
        }
    }
    return rc;
}

/* ---- steps ---- */

static bool step_start(struct runner *r)
{
    int rc = r->spec.init != NULL ? r->spec.init(r->spec.user, &r->loop.base) : 0;

    sim_trace_note(r->loop.sim, &r->loop, SIM_KIND_runner_inited, rc, 0);
    if (rc < 0) {
        end(r);
        return false;
    }
    r->phase = PHASE_TURNING;
    return true;
}

static bool step_linger(struct runner *r)
{
    if (r->loop.ready_count > 0) {
        sim_loop_run_one(&r->loop);
    }
    if (!sim_loop_is_leaving(&r->loop)) {
        end(r);
        return false;
    }
    return r->loop.ready_count > 0;
}

static bool step_turn(struct runner *r)
{
    enum runner_state state = r->spec.turn(r->spec.user);

    sim_trace_note(r->loop.sim, &r->loop, SIM_KIND_runner_turned, state, 0);
    switch (state) {
    case RUNNER_MORE:
    case RUNNER_POLL:
        r->is_idle = false;
        if (r->turns_left-- > 0) {
            return true;
        }
        r->phase = PHASE_POLLING;
        return true;
    case RUNNER_IDLE:
        r->is_idle = true;
        r->phase = PHASE_POLLING;
        return true;
    case RUNNER_DONE:
        r->phase = PHASE_LINGERING;
        if (r->spec.fini != NULL) {
            r->spec.fini(r->spec.user);
        }
        return step_linger(r);
    }
    UNREACHABLE();
}

static bool step_sleep(struct runner *r)
{
    struct sim *sim = r->loop.sim;

    if (r->spec.may_sleep != NULL && !r->spec.may_sleep(r->spec.user)) {
        sim_count(sim, SIM_COUNT_runner_stayed_up);
        r->phase = PHASE_TURNING;
        return true;
    }
    sim_count(sim, SIM_COUNT_runner_slept);
    sim_trace_note(sim, &r->loop, SIM_KIND_runner_slept, 0, 0);
    r->phase = PHASE_SLEEPING;
    return false;
}

/* One event in a step; the turn comes when there is none left, or by the draw. */
static bool step_poll(struct runner *r)
{
    struct sim *sim = r->loop.sim;

    if (r->loop.ready_count > 0) {
        sim_loop_run_one(&r->loop);
        r->is_idle = false;
        if (r->loop.ready_count > 0 && !sim_one_in(sim, SIM_TURNS_PER_POLL)) {
            return true;
        }
    } else if (r->is_idle && !r->is_woken) {
        return step_sleep(r);
    }
    r->is_woken = false;
    r->turns_left = (uint32_t)sim_draw(sim, SIM_TURNS_PER_POLL);
    r->phase = PHASE_TURNING;
    return true;
}

bool sim_runner_step(struct runner *r)
{
    switch (r->phase) {
    case PHASE_STARTING:
        return step_start(r);
    case PHASE_TURNING:
        return step_turn(r);
    case PHASE_SLEEPING:
        r->phase = PHASE_POLLING;
        return step_poll(r);
    case PHASE_POLLING:
        return step_poll(r);
    case PHASE_LINGERING:
        return step_linger(r);
    case PHASE_ENDED:
        break;
    }
    UNREACHABLE();
}

bool sim_runner_may_step(struct runner *r)
{
    switch (r->phase) {
    case PHASE_SLEEPING:
        return r->loop.ready_count > 0 || r->is_woken;
    case PHASE_LINGERING:
        return r->loop.ready_count > 0;
    case PHASE_ENDED:
        return false;
    default:
        return true;
    }
}

void sim_runner_wake(struct runner *r)
{
    if (r->phase == PHASE_SLEEPING && !r->is_woken) {
        sim_count(r->loop.sim, SIM_COUNT_runner_woken);
    } else if (r->phase != PHASE_SLEEPING) {
        sim_count(r->loop.sim, SIM_COUNT_runner_woken_awake);
    }
    r->is_woken = true;
    sim_loop_kick(&r->loop);
}

/* ---- life ---- */

static void runner_dispose(struct sim_object *object)
{
    sim_runner_free(container_of(object, struct runner, object));
}

int sim_runner_start(void *world, struct loop *starter, const struct runner_spec *spec,
                     struct runner **ret, struct gp_error *err)
{
    struct sim_proc *proc = world;
    struct runner *r;

    sim_loop_check(sim_loop_of(starter));
    if (proc->is_mute) {
        return gp_error_set(err, GP_ECLOSED, "the process is being killed");
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a runner");
    }
    sim_loop_init(&r->loop, proc, r);
    r->spec = *spec;
    r->starter = sim_loop_of(starter);
    r->exit_due.fire = on_exit_due;
    sim_call_init(&r->exit_call, tell_exit);
    (void)str_format(r->name, sizeof(r->name), "%s", spec->name != NULL ? spec->name : "runner");
    list_node_init(&r->node);
    list_push_back(&proc->runners, &r->node);
    sim_object_add(r->starter, &r->object, "runner", runner_dispose);
    sim_arm_in(proc->sim, &r->loop.step, sim_between(proc->sim, 0, SIM_THREAD_START_MAX_NS));
    *ret = r;
    return 0;
}

void sim_runner_free(struct runner *r)
{
    sim_loop_check(r->starter);
    ASSERT(r->phase == PHASE_ENDED);
    sim_cancel(r->loop.sim, &r->exit_due);
    sim_loop_unpost(r->starter, &r->exit_call);
    sim_object_remove(&r->object);
    list_remove(&r->node);
    free(r);
}

void sim_runners_each(struct sim_proc *proc, void (*fn)(struct sim_loop *l, int64_t arg),
                      int64_t arg)
{
    LIST_FOREACH (node, &proc->runners) {
        fn(&LIST_ENTRY(node, struct runner, node)->loop, arg);
    }
}

void sim_runners_pause(struct sim_proc *proc)
{
    LIST_FOREACH (node, &proc->runners) {
        sim_cancel(proc->sim, &LIST_ENTRY(node, struct runner, node)->loop.step);
    }
}

void sim_runners_resume(struct sim_proc *proc)
{
    LIST_FOREACH (node, &proc->runners) {
        sim_loop_kick(&LIST_ENTRY(node, struct runner, node)->loop);
    }
}

/* ---- when the process ends ---- */

static void cut_off(struct runner *r)
{
    struct sim_loop *before;

    if (r->phase == PHASE_ENDED) {
        return;
    }
    before = sim_loop_enter(&r->loop);
    if (r->phase != PHASE_STARTING && r->phase != PHASE_LINGERING && r->spec.fini != NULL) {
        r->spec.fini(r->spec.user);
    }
    end(r);
    sim_loop_leave(&r->loop, before);
}

static struct runner *next_untold(struct sim_proc *proc)
{
    LIST_FOREACH (node, &proc->runners) {
        struct runner *r = LIST_ENTRY(node, struct runner, node);

        if (!r->is_told) {
            return r;
        }
    }
    return NULL;
}

uint32_t sim_runners_end(struct sim_proc *proc)
{
    uint32_t count = 0;
    struct runner *r;

    LIST_FOREACH (node, &proc->runners) {
        r = LIST_ENTRY(node, struct runner, node);
        count += r->phase != PHASE_ENDED;
        cut_off(r);
    }
    while ((r = next_untold(proc)) != NULL) {
        struct sim_loop *starter = r->starter;
        struct sim_loop *before = sim_loop_enter(starter);

        sim_cancel(proc->sim, &r->exit_due);
        sim_loop_unpost(starter, &r->exit_call);
        tell_exit(&r->exit_call);
        sim_loop_leave(starter, before);
    }
    return count;
}
