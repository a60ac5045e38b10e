/*
 * proc.h: child processes of the worker.
 */
#ifndef PORT_PROC_H
#define PORT_PROC_H

#include <stddef.h>
#include <stdint.h>

struct proc;

#define PROC_ARGS_MAX 64

/* How a child ended: exit code, or the signal (then code is -1). */
struct proc_exit {
    int32_t code;
    int32_t signal;
};

struct proc_spec {
    const char *const *args; /* NULL-terminated; args[0] is the role ("appmaster", "executor"): the
                                world finds the program */
    /* NULL-terminated "NAME=value", names beginning with GEARPUMP_, that the child finds in its
     * port->env; NULL: none. For secrets, which must not stand in args where everybody can read
     * them. Borrowed until return. */
    const char *const *env;
    /* What the child writes to stdout and stderr, in pieces; ptr is borrowed. */
    void (*on_output)(void *user, const char *ptr, size_t len);
    /* Once, after the last output; how is borrowed until return, also after proc_free(). */
    void (*on_exit)(void *user, const struct proc_exit *how);
    void *user;
};

/* What this process needs. What is not known is 0. */
struct port_usage {
    uint64_t cpu_ns; /* user and system, since it began */
    uint64_t rss_bytes;
    uint32_t fds;
};

/* The same of its host. */
struct port_host_usage {
    double load_1m; /* runnable threads, over the last minute */
    uint64_t memory_total;
    uint64_t memory_free; /* that could be had without swapping */
};

#endif
