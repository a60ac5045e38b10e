/*
 * port.h: the outside world of one process, as tables.
 *
 * Everything above this room reaches clock, timers, network, disk, threads, processes, plugins and
 * randomness through here and in no other way. `edge` implements it for the real world, `sim` for a
 * simulated one. A `struct port` is owned by whoever made the world and outlives all that uses it.
 */
#ifndef PORT_PORT_H
#define PORT_PORT_H

#include <gearpump/plugin.h>

#include "base/error.h"
#include "base/value.h"
#include "port/fs.h"
#include "port/http.h"
#include "port/loop.h"
#include "port/net.h"
#include "port/proc.h"
#include "port/runner.h"

struct plugin_file; /* a loaded shared object */
struct log;

struct world_ops {
    int (*runner_start)(void *world, struct loop *starter, const struct runner_spec *spec,
                        struct runner **ret, struct gp_error *err);
    void (*runner_free)(struct runner *runner); /* after on_exit */
    int (*proc_spawn)(void *world, struct loop *loop, const struct proc_spec *spec,
                      struct proc **ret, struct gp_error *err);
    int64_t (*proc_pid)(const struct proc *proc);
    void (*proc_kill)(struct proc *proc, int32_t signal);
    void (*proc_free)(struct proc *proc); /* kills what still runs; no callback comes any more */
    int (*plugin_open)(void *world, const char *path, struct plugin_file **ret,
                       const struct gp_entry **ret_entry, struct gp_error *err);
    void (*plugin_close)(void *world, struct plugin_file *file);
    void (*random)(void *world, void *ptr, size_t len);
    /* Text to tree; depth, size and count of values are bounded by the arguments of value.h. err
     * carries line and column. */
    int (*json_parse)(void *world, gp_str text, struct value **ret, struct gp_error *err);
    /* Facts about the host, for placement and describe. */
    uint32_t (*cpu_count)(void *world);
    void (*host_name)(void *world, char *ptr, size_t cap);
    int64_t (*self_pid)(void *world);
    void (*usage)(void *world, struct port_usage *ret);
    void (*host_usage)(void *world, struct port_host_usage *ret);
};

struct port {
    void *world;
    const struct world_ops *ops;
    const struct fs_ops *fs;
    const struct http_ops *http; /* NULL: this world has no web server */
    struct loop *loop;           /* of the process's main thread */
    struct log *log;
    /* What the parent gave in proc_spec.env, NULL-terminated; NULL: nothing. The real world takes
     * it out of the environment at start, so that grandchildren and /proc do not show it. */
    const char *const *env;
    /* What user code the main thread is inside of; NULL: nobody asks. See port_enter(). */
    struct crash_note *crash_note;
};

/* The main thread is about to call this function of a plugin; NULL: it is out again. For the crash
 * handler, which names it. The texts live until then. Lanes have notes of their own. */
static inline void port_enter(const struct port *port, const char *plugin, const char *function)
{
    if (port->crash_note != NULL) {
        CRASH_NOTE_SET(port->crash_note, plugin, plugin);
        CRASH_NOTE_SET(port->crash_note, function, function);
    }
}

/* The value of NAME in port->env, or NULL. Borrowed as long as the port. */
static inline const char *port_env(const struct port *port, const char *name)
{
    size_t len = strlen(name);
    for (const char *const *at = port->env; at && *at; at++) {
        if (strncmp(*at, name, len) == 0 && (*at)[len] == '=') {
            return *at + len + 1;
        }
    }
    return NULL;
}

/* Starts a runner; its on_exit comes on `starter`. GP_ENOMEM, GP_EAGAIN (no more threads). */
static inline int port_runner_start(const struct port *port, const struct runner_spec *spec,
                                    struct runner **ret, struct gp_error *err)
{
    return port->ops->runner_start(port->world, port->loop, spec, ret, err);
}

static inline void port_runner_free(const struct port *port, struct runner *runner)
{
    if (runner) {
        port->ops->runner_free(runner);
    }
}

/* Starts `gpd ROLE ARGS...` as a child that dies with this process. */
static inline int port_spawn(const struct port *port, const struct proc_spec *spec,
                             struct proc **ret, struct gp_error *err)
{
    return port->ops->proc_spawn(port->world, port->loop, spec, ret, err);
}

static inline int64_t proc_pid(const struct port *port, const struct proc *proc)
{
    return port->ops->proc_pid(proc);
}

static inline void proc_kill(const struct port *port, struct proc *proc, int32_t signal)
{
    port->ops->proc_kill(proc, signal);
}

static inline void proc_free(const struct port *port, struct proc *proc)
{
    if (proc) {
        port->ops->proc_free(proc);
    }
}

/* Loads a shared object and finds gp_entry: only in appmaster and executor processes. GP_EABI with
 * the reason in err. */
static inline int port_plugin_open(const struct port *port, const char *path,
                                   struct plugin_file **ret, const struct gp_entry **ret_entry,
                                   struct gp_error *err)
{
    return port->ops->plugin_open(port->world, path, ret, ret_entry, err);
}

static inline void port_plugin_close(const struct port *port, struct plugin_file *file)
{
    if (file) {
        port->ops->plugin_close(port->world, file);
    }
}

/* GP_EADDRINUSE, GP_EACCES, GP_ENOMEM ...; GP_EUNSUPPORTED: not in this world. */
static inline int port_http_start(const struct port *port, const struct http_spec *spec,
                                  struct http_server **ret, struct gp_error *err)
{
    if (!port->http) {
        return gp_error_set(err, GP_EUNSUPPORTED, "this world has no web server");
    }
    return port->http->start(port->world, port->loop, spec, ret, err);
}

static inline void port_random(const struct port *port, void *ptr, size_t len)
{
    port->ops->random(port->world, ptr, len);
}

static inline int port_json_parse(const struct port *port, gp_str text, struct value **ret,
                                  struct gp_error *err)
{
    return port->ops->json_parse(port->world, text, ret, err);
}

/* Some system calls: now and then. Simulated processes need nothing. */
static inline void port_usage(const struct port *port, struct port_usage *ret)
{
    port->ops->usage(port->world, ret);
}

static inline void port_host_usage(const struct port *port, struct port_host_usage *ret)
{
    port->ops->host_usage(port->world, ret);
}

#endif
