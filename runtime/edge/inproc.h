/*
 * inproc.h: children that are hosted in this process, for `gpctl run` and debuggers.
 *
 * Whoever makes the world may give it these operations; port_spawn() then asks them instead of
 * starting a process, and the worker above cannot tell the difference. The host runs the role that
 * spec->args names on the same main loop and reports its end; what it prints is printed by this
 * process. All on the main loop's thread.
 */
#ifndef EDGE_INPROC_H
#define EDGE_INPROC_H

#include "base/error.h"
#include "port/proc.h"

/* The world's side of one hosted child: what the host reports to. */
struct edge_inproc;

struct edge_inproc_ops {
    /*
     * Starts a child; spec is borrowed until return, its args and env are for the host. The host
     * keeps `child` until it has called edge_inproc_exited(), and reports nothing before it
     * returns. 0 and a node of its own, or negative, and then nothing was started.
     */
    int (*start)(void *host, const struct proc_spec *spec, struct edge_inproc *child,
                 void **ret_node, struct gp_error *err);
    /* Asks it to end (SIGTERM) or makes it end (SIGKILL); it must report its end in both cases,
     * also when it is asked twice. Never after edge_inproc_exited(). */
    void (*kill)(void *host, void *node, int32_t signal);
};

/* It ended; once. on_exit is called from the loop, later. child is not to be used any more. */
void edge_inproc_exited(struct edge_inproc *child, const struct proc_exit *how);

#endif
