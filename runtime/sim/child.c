/*
 * port/proc.h: a parent's view of a simulated child.
 *
 * Invariants: while child and handle both live they point at each other; the handle belongs to the
 * parent's main loop, and freeing it kills the child, so no child outlives its parent by more than
 * a signal's way. on_exit comes once, after all output.
 *
 * Happy path: spawn → output... → the child dies → sim_child_ended → rest of the output → on_exit →
 * proc_free. Failures: a child that cannot start exits with code 1; output beyond SIM_OUTPUT_MAX
 * that the parent does not take is dropped.
 */
#include <stdlib.h>

#include "base/buf.h"
#include "sim/world.h"

struct proc {
    struct sim_object object;
    struct sim_loop *loop;
    struct sim_proc *child; /* NULL once dead */
    int64_t pid;
    struct proc_spec spec;
    struct buf output;
    struct sim_event output_due;
    struct sim_call output_call;
    struct sim_event exit_due;
    struct sim_call exit_call;
    bool is_exit_due;
    struct proc_exit how;
};

/* ---- output and exit ---- */

static void on_output_due(struct sim_event *event)
{
    struct proc *proc = container_of(event, struct proc, output_due);

    sim_loop_post(proc->loop, &proc->output_call);
}

static void tell_output(struct sim_call *call)
{
    struct proc *proc = container_of(call, struct proc, output_call);
    gp_bytes bytes = buf_bytes(&proc->output);
    size_t len = (size_t)sim_draw_log(proc->loop->sim, 1, SIM_PIECE_MAX);
    char piece[256];

    /* Copied out, because on_output may free proc. */
    len = len < bytes.len ? len : bytes.len;
    len = len < sizeof(piece) ? len : sizeof(piece);
    memcpy(piece, bytes.ptr, len);
    buf_consume(&proc->output, len);
    if (buf_len(&proc->output) > 0) {
        sim_loop_post(proc->loop, &proc->output_call);
    } else if (proc->is_exit_due) {
        sim_loop_post(proc->loop, &proc->exit_call);
    }
    sim_trace_note(proc->loop->sim, proc->loop, SIM_KIND_proc_output, proc->pid, (int64_t)len);
    proc->spec.on_output(proc->spec.user, piece, len);
}

static void on_exit_due(struct sim_event *event)
{
    struct proc *proc = container_of(event, struct proc, exit_due);

    proc->is_exit_due = true;
    sim_cancel(proc->loop->sim, &proc->output_due);
    sim_loop_post(proc->loop, buf_len(&proc->output) > 0 ? &proc->output_call : &proc->exit_call);
}

static void tell_exit(struct sim_call *call)
{
    struct proc *proc = container_of(call, struct proc, exit_call);

    sim_trace_note(proc->loop->sim, proc->loop, SIM_KIND_proc_exit_told, proc->pid, 0);
    if (proc->spec.on_exit != NULL) {
        struct proc_exit how = proc->how;

        proc->spec.on_exit(proc->spec.user, &how); /* may free proc */
    }
}

void sim_child_ended(struct proc *proc, const struct proc_exit *how)
{
    struct sim *sim = proc->loop->sim;

    proc->child = NULL;
    proc->how = *how;
    sim_arm_in(sim, &proc->exit_due, sim_between(sim, SIM_PROC_EXIT_MIN_NS, SIM_PROC_EXIT_MAX_NS));
}

void sim_child_wrote(struct proc *proc, const char *ptr, size_t len)
{
    struct sim *sim = proc->loop->sim;

    if (proc->spec.on_output == NULL || buf_append(&proc->output, ptr, len) < 0) {
        return;
    }
    if (!sim_event_armed(&proc->output_due)) {
        sim_arm_in(sim, &proc->output_due, sim_between(sim, 0, SIM_PROC_EXIT_MAX_NS));
    }
}

/* ---- life ---- */

static void child_dispose(struct sim_object *object)
{
    sim_child_free(container_of(object, struct proc, object));
}

int sim_child_spawn(void *world, struct loop *loop, const struct proc_spec *spec, struct proc **ret,
                    struct gp_error *err)
{
    struct sim_proc *parent = world;
    struct proc *proc;
    int rc;

    sim_loop_check(sim_loop_of(loop));
    if (parent->is_mute) {
        return gp_error_set(err, GP_ECLOSED, "the process is being killed");
    }
    proc = calloc(1, sizeof(*proc));
    if (proc == NULL) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a process");
    }
    rc = sim_proc_new(parent->host, spec->args, spec->env, &proc->child);
    if (rc < 0) {
        free(proc);
        return gp_error_set(err, rc, "cannot start a process: %s", error_sentence(rc));
    }
    proc->child->handle = proc;
    proc->pid = proc->child->pid;
    proc->loop = sim_loop_of(loop);
    proc->spec = *spec;
    proc->output_due.fire = on_output_due;
    proc->exit_due.fire = on_exit_due;
    buf_init(&proc->output, SIM_OUTPUT_MAX);
    sim_call_init(&proc->output_call, tell_output);
    sim_call_init(&proc->exit_call, tell_exit);
    sim_object_add(proc->loop, &proc->object, "process", child_dispose);
    *ret = proc;
    return 0;
}

int64_t sim_child_pid(const struct proc *proc)
{
    return proc->pid;
}

void sim_child_kill(struct proc *proc, int32_t signal)
{
    if (proc->child != NULL) {
        sim_signal(proc->child, signal);
    }
}

void sim_child_free(struct proc *proc)
{
    struct sim *sim = proc->loop->sim;

    sim_loop_check(proc->loop);
    if (proc->child != NULL) {
        sim_child_kill(proc, 9);
        proc->child->handle = NULL;
    }
    sim_cancel(sim, &proc->output_due);
    sim_cancel(sim, &proc->exit_due);
    sim_loop_unpost(proc->loop, &proc->output_call);
    sim_loop_unpost(proc->loop, &proc->exit_call);
    sim_object_remove(&proc->object);
    buf_deinit(&proc->output);
    free(proc);
}
