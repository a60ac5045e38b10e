/*
 * proc.h: port/proc.h: children as processes (proc.c) or hosted in this one (inproc.c). Private to
 * edge.
 */
#ifndef EDGE_PROC_H
#define EDGE_PROC_H

#include "base/error.h"
#include "edge/loop.h"
#include "edge/world.h"
#include "port/proc.h"

struct proc_kind {
    int64_t (*pid)(const struct proc *proc);
    void (*kill)(struct proc *proc, int32_t signal);
    void (*free)(struct proc *proc);
};

struct proc {
    const struct proc_kind *kind;
};

/* By options: a process or a hosted one. */
int edge_proc_spawn(struct edge_loop *l, const struct edge_options *options,
                    const struct proc_spec *spec, struct proc **ret, struct gp_error *err);
int64_t edge_proc_pid(const struct proc *proc);
void edge_proc_kill(struct proc *proc, int32_t signal);
void edge_proc_free(struct proc *proc);

/* inproc.c */
int edge_inproc_spawn(struct edge_loop *l, const struct edge_inproc_ops *ops, void *host,
                      const struct proc_spec *spec, struct proc **ret, struct gp_error *err);

#endif
