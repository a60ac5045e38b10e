/*
 * proc.c: children as processes, in a session of their own.
 *
 *     RUNNING ──exit──▶ DRAINING ──output over, or linger──▶ REPORTED ──▶ freed when the owner
 *        └─ proc_free: SIGKILL, no callbacks; the struct waits for the exit   has let go
 *
 * Invariants: an unreaped pid is ours, so signals reach no stranger: none is sent after the exit was
 * seen, except at once to the session it leaves behind. Every descriptor is close-on-exec; the
 * child gets 0 (null), 1 and 2 (the output pipe) and 3 (the lifeline, child.h), nothing else.
 *
 * Main loop only. Failures: spawning is told in words; a child that hands its output on to others
 * delays on_exit by EDGE_EXIT_LINGER_MS at most.
 */
#include "edge/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/child.h"
#include "edge/limits.h"

#define SELF_PATH "/proc/self/exe"

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

struct pipes {
    int output[2];
    int lifeline[2];
};

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

static void pipes_close(struct pipes *p)
{
    close_fd(&p->output[0]);
    close_fd(&p->output[1]);
    close_fd(&p->lifeline[0]);
    close_fd(&p->lifeline[1]);
}

/* The environment with our pid in it. NULL without memory; free() it. */
static char **make_env(char entry[64])
{
    size_t count = 0;
    size_t kept = 0;
    char **env;

    (void)snprintf(entry, 64, EDGE_CHILD_PARENT_ENV "=%ld", (long)getpid());
    while (environ[count] != NULL) {
        count++;
    }
    env = calloc(count + 2, sizeof(*env));
    for (size_t i = 0; env != NULL && i < count; i++) {
        if (strncmp(environ[i], EDGE_CHILD_PARENT_ENV "=", sizeof(EDGE_CHILD_PARENT_ENV)) != 0) {
            env[kept++] = environ[i];
        }
    }
    if (env != NULL) {
        env[kept] = entry;
    }
    return env;
}

static uv_stdio_container_t inherit(int fd)
{
    return (uv_stdio_container_t){.flags = UV_INHERIT_FD, .data.fd = fd};
}

/* 0 or a negative uv status. */
static int start_process(struct child *c, const char *program, const struct pipes *p)
{
    const char *args[PROC_ARGS_MAX + 2];
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        inherit(p->output[1]),
        inherit(p->output[1]),
        inherit(p->lifeline[0]),
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_seen,
        .file = program != NULL ? program : SELF_PATH, /* survives an upgrade of the file */
        .args = (char **)(uintptr_t)args,              /* uv only reads them */
        .flags = UV_PROCESS_DETACHED,                  /* Ctrl-C is for the parent */
        .stdio_count = ARRAY_LEN(stdio),
        .stdio = stdio,
    };
    char self[PATH_MAX] = "gpd";
    char parent[64];
    size_t count = 0;
    int rc;

    if (program == NULL) {
        ssize_t len = readlink(SELF_PATH, self, sizeof(self) - 1);

        self[len > 0 ? len : 3] = '\0';
    }
    args[count++] = program != NULL ? program : self;
    for (size_t i = 0; c->spec.args[i] != NULL; i++) {
        ASSERT(i < PROC_ARGS_MAX);
        args[count++] = c->spec.args[i];
    }
    args[count] = NULL;
    options.env = make_env(parent);
    if (options.env == NULL) {
        return UV_ENOMEM;
    }
    rc = uv_spawn(&c->loop->uv, &c->process, &options);
    free(options.env);
    return rc;
}

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

static int spawn(struct edge_loop *l, const char *program, const struct proc_spec *spec,
                 struct proc **ret, struct gp_error *err)
{
    struct pipes p = {{-1, -1}, {-1, -1}};
    struct child *c = calloc(1, sizeof(*c));
    int rc = 0;

    if (c == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot start %s: out of memory", spec->args[0]);
    }
    if (pipe2(p.output, O_CLOEXEC) < 0 || pipe2(p.lifeline, O_CLOEXEC) < 0) {
        rc = gp_error_set(err, error_from_errno(errno), "cannot start %s: no pipe: %s",
                          spec->args[0], strerror(errno));
        pipes_close(&p);
        free(c);
        return rc;
    }
    *c = (struct child){.base.kind = &child_kind, .loop = l, .spec = *spec, .lifeline = -1};
    init_handles(c);
    rc = start_process(c, program, &p);
    c->spec.args = NULL; /* borrowed until return */
    if (rc == 0) {
        rc = uv_pipe_open(&c->output, p.output[0]);
        ASSERT(rc == 0); /* it is a pipe and ours */
        rc = uv_read_start((uv_stream_t *)&c->output, on_alloc, on_output);
        ASSERT(rc == 0);
        p.output[0] = -1; /* is c->output's */
        c->lifeline = p.lifeline[1];
        p.lifeline[1] = -1;
        l->objects++;
        *ret = &c->base;
    } else {
        rc = gp_error_set(err, edge_error_of(rc), "cannot start %s: %s: %s", spec->args[0],
                          program != NULL ? program : SELF_PATH, uv_strerror(rc));
        c->is_freed = true;
        close_all(c);
    }
    pipes_close(&p);
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
