/*
 * proc.c: children as processes, in a session of their own.
 *
 *     RUNNING ──exit──▶ DRAINING ──output over, or linger──▶ REPORTED ──▶ freed when the owner
 *        └─ proc_free: SIGKILL, no callbacks; the struct waits for the exit   has let go
 *
 * Invariants: an unreaped pid is ours, so signals reach no stranger: none is sent after the exit
 * was seen, except at once to the session it leaves behind. What a child is started with is in
 * proc_launch.c.
 *
 * Main loop only. Failures: spawning is told in words; a child that hands its output on to others
 * delays on_exit by EDGE_EXIT_LINGER_MS at most.
 */
#include "edge/proc.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/limits.h"
#include "edge/proc_launch.h"

enum child_state { CHILD_RUNNING, CHILD_DRAINING, CHILD_REPORTED };

struct child {
    struct proc base; /* first */
    struct edge_loop *loop;
    struct proc_spec spec;
    enum child_state state;
    bool is_freed; /* by its owner */
    bool output_over;
    struct proc_exit how;
    int lifeline;          /* our end, held open while the child may live */
    uint32_t handles_open; /* freed when all are closed and the owner let go */
    uv_process_t process;
    uv_pipe_t output;
    uv_timer_t linger;
    char piece[EDGE_OUTPUT_PIECE_BYTES];
};

static struct child *child_of(struct proc *proc)
{
    return (struct child *)proc;
}

/* ---- the end ---- */

static void free_when_done(struct child *c)
{
    if (c->is_freed && c->handles_open == 0) {
        free(c);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *c = handle->data;

    c->handles_open--;
    free_when_done(c);
}

static void close_handle(void *handle)
{
    if (uv_is_closing(handle) == 0) {
        uv_close(handle, on_handle_closed);
    }
}

static void close_all(struct child *c)
{
    close_handle(&c->process);
    close_handle(&c->output);
    close_handle(&c->linger);
    if (c->lifeline >= 0) {
        (void)close(c->lifeline);
        c->lifeline = -1;
    }
}

/* Exit and output are both over. */
static void report(struct child *c)
{
    ASSERT(c->state == CHILD_DRAINING);
    c->state = CHILD_REPORTED;
    close_all(c);
    if (!c->is_freed) {
        c->spec.on_exit(c->spec.user, &c->how); /* may free it */
    }
}

static void on_linger(uv_timer_t *timer)
{
    struct child *c = timer->data;

    edge_loop_enter(c->loop);
    report(c);
}

static void on_exit_seen(uv_process_t *process, int64_t status, int signal)
{
    struct child *c = process->data;

    edge_loop_enter(c->loop);
    c->state = CHILD_DRAINING;
    c->how.code = signal != 0 ? -1 : (int32_t)status;
    c->how.signal = signal;
    /* What user code left behind in the session; the kernel reuses a pid only after all others. */
    (void)kill(-process->pid, SIGKILL);
    if (c->output_over || c->is_freed) {
        report(c);
        return;
    }
    (void)uv_timer_start(&c->linger, on_linger, EDGE_EXIT_LINGER_MS, 0);
}

/* ---- output ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct child *c = handle->data;

    (void)suggested;
    buf->base = c->piece;
    buf->len = sizeof(c->piece);
}

static void on_output(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct child *c = stream->data;

    edge_loop_enter(c->loop);
    if (n > 0) {
        c->spec.on_output(c->spec.user, buf->base, (size_t)n); /* may free it */
        return;
    }
    if (n < 0) {
        c->output_over = true;
        close_handle(&c->output);
        if (c->state == CHILD_DRAINING) {
            report(c);
        }
    }
}

/* ---- starting ---- */

static void init_handles(struct child *c)
{
    uv_loop_t *uv = &c->loop->uv;

    (void)uv_pipe_init(uv, &c->output, 0); /* these two cannot fail */
    (void)uv_timer_init(uv, &c->linger);
    c->process.data = c;
    c->output.data = c;
    c->linger.data = c;
    c->handles_open = 3; /* uv_spawn() makes the third one, also when it fails */
}

static const struct proc_kind child_kind;

/* The process runs: c keeps our ends of its pipes. */
static void keep_ends(struct child *c, struct edge_launch *la)
{
    int rc = uv_pipe_open(&c->output, la->output[0]);

    ASSERT(rc == 0); /* it is a pipe and ours */
    rc = uv_read_start((uv_stream_t *)&c->output, on_alloc, on_output);
    ASSERT(rc == 0);
    la->output[0] = -1;
    c->lifeline = la->lifeline[1];
    la->lifeline[1] = -1;
}

static int no_descriptors(const struct proc_spec *spec, struct gp_error *err)
{
    return gp_error_set(err, GP_EFULL,
                        "cannot start %s: too many open files; whoever starts it needs a higher "
                        "limit (ulimit -n)",
                        spec->args[0]);
}

/* Consumes nothing: la is the caller's. */
static int start(struct edge_loop *l, struct edge_launch *la, const struct proc_spec *spec,
                 struct proc **ret, struct gp_error *err)
{
    struct child *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot start %s: out of memory", spec->args[0]);
    }
    *c = (struct child){.base.kind = &child_kind, .loop = l, .spec = *spec, .lifeline = -1};
    c->spec.args = NULL; /* these are borrowed until return */
    c->spec.env = NULL;
    init_handles(c);
    rc = edge_launch_spawn(la, &l->uv, &c->process, on_exit_seen);
    if (rc < 0) {
        c->is_freed = true;
        close_all(c);
        return edge_error_of(rc) == GP_EFULL
                   ? no_descriptors(spec, err)
                   : gp_error_set(err, edge_error_of(rc), "cannot start %s: %s: %s", spec->args[0],
                                  la->program, uv_strerror(rc));
    }
    keep_ends(c, la);
    l->objects++;
    *ret = &c->base;
    return 0;
}

static int spawn(struct edge_loop *l, const char *program, const struct proc_spec *spec,
                 struct proc **ret, struct gp_error *err)
{
    struct edge_launch la;
    int rc = edge_launch_init(&la, program, spec);

    if (rc == GP_EFULL) {
        (void)no_descriptors(spec, err);
    } else if (rc < 0) {
        (void)gp_error_set(err, rc, "cannot start %s: %s", spec->args[0], error_sentence(rc));
    } else {
        rc = start(l, &la, spec, ret, err);
    }
    edge_launch_deinit(&la);
    return rc;
}

static int64_t child_pid(const struct proc *proc)
{
    return ((const struct child *)proc)->process.pid;
}

static void child_kill(struct proc *proc, int32_t signal)
{
    struct child *c = child_of(proc);

    if (c->state == CHILD_RUNNING) {
        (void)kill(c->process.pid, signal); /* unreaped, so it exists */
    }
}

static void child_free(struct proc *proc)
{
    struct child *c = child_of(proc);

    ASSERT(!c->is_freed);
    c->is_freed = true;
    c->loop->objects--;
    if (c->state == CHILD_RUNNING) {
        child_kill(proc, SIGKILL);
        close_handle(&c->output);
    } else if (c->state == CHILD_DRAINING) {
        report(c);
    } else {
        free_when_done(c);
    }
}

static const struct proc_kind child_kind = {
    .pid = child_pid,
    .kill = child_kill,
    .free = child_free,
};

/* ---- both kinds ---- */

int edge_proc_spawn(struct edge_loop *l, const struct edge_options *options,
                    const struct proc_spec *spec, struct proc **ret, struct gp_error *err)
{
    ASSERT(spec->args[0] != NULL);
    if (options->inproc != NULL) {
        return edge_inproc_spawn(l, options->inproc, options->inproc_host, spec, ret, err);
    }
    return spawn(l, options->program, spec, ret, err);
}

int64_t edge_proc_pid(const struct proc *proc)
{
    return proc->kind->pid(proc);
}

void edge_proc_kill(struct proc *proc, int32_t signal)
{
    proc->kind->kill(proc, signal);
}

void edge_proc_free(struct proc *proc)
{
    proc->kind->free(proc);
}
