/*
 * inproc.c: see inproc.h.
 *
 *     RUNNING ──exited──▶ ENDING ──(next step of the loop)──▶ ENDED ──proc_free──▶ gone
 *
 * proc_free() may come in any state; the child is freed when the host, the loop and the owner have
 * all let go. While the host has it, it counts as an object of the loop, so a host that forgets to
 * report is found at the end of the world.
 */
#include "edge/inproc.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/proc.h"

enum inproc_state { INPROC_RUNNING, INPROC_ENDING, INPROC_ENDED };

struct edge_inproc {
    struct proc base;        /* first */
    struct edge_task ending; /* owed to the owner: on_exit */
    struct edge_loop *loop;
    const struct edge_inproc_ops *ops;
    void *host;
    void *node;
    struct proc_spec spec;
    struct proc_exit how;
    enum inproc_state state;
    bool is_freed; /* by its owner */
};

static struct edge_inproc *inproc_of(struct proc *proc)
{
    return (struct edge_inproc *)proc;
}

static int64_t inproc_pid(const struct proc *proc)
{
    (void)proc;
    return getpid();
}

static void inproc_kill(struct proc *proc, int32_t signal)
{
    struct edge_inproc *child = inproc_of(proc);

    if (child->state == INPROC_RUNNING) {
        child->ops->kill(child->host, child->node, signal);
    }
}

static void inproc_free(struct proc *proc)
{
    struct edge_inproc *child = inproc_of(proc);

    ASSERT(!child->is_freed);
    child->is_freed = true;
    if (child->state == INPROC_ENDED) {
        free(child);
        return;
    }
    inproc_kill(proc, SIGKILL);
}

static void on_ending(struct edge_task *task)
{
    struct edge_inproc *child = LIST_ENTRY(task, struct edge_inproc, ending);
    const struct proc_exit how = child->how; /* its reader may free the child first */

    child->state = INPROC_ENDED;
    child->loop->objects--;
    if (child->is_freed) {
        free(child);
        return;
    }
    child->spec.on_exit(child->spec.user, &how); /* may free it */
}

void edge_inproc_exited(struct edge_inproc *child, const struct proc_exit *how)
{
    ASSERT(child->state == INPROC_RUNNING);
    child->state = INPROC_ENDING;
    child->how = *how;
    edge_loop_defer(child->loop, &child->ending);
}

static const struct proc_kind inproc_kind = {
    .pid = inproc_pid,
    .kill = inproc_kill,
    .free = inproc_free,
};

int edge_inproc_spawn(struct edge_loop *l, const struct edge_inproc_ops *ops, void *host,
                      const struct proc_spec *spec, struct proc **ret, struct gp_error *err)
{
    struct edge_inproc *child = calloc(1, sizeof(*child));
    int rc;

    if (child == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot start %s: out of memory", spec->args[0]);
    }
    list_node_init(&child->ending.node);
    child->base.kind = &inproc_kind;
    child->ending.fn = on_ending;
    child->loop = l;
    child->ops = ops;
    child->host = host;
    child->spec = *spec;
    child->spec.args = NULL; /* these are borrowed until return */
    child->spec.env = NULL;
    l->objects++;
    rc = ops->start(host, spec, child, &child->node, err);
    if (rc < 0) {
        l->objects--;
        free(child);
        return rc;
    }
    *ret = &child->base;
    return 0;
}
