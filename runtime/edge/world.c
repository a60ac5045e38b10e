/*
 * world.c: the tables of port/port.h put together.
 *
 * The world owns the main loop and little else. Failures: no memory or descriptors at the start.
 */
#include "edge/world.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "edge/crash.h"
#include "edge/fs.h"
#include "edge/fs_path.h"
#include "edge/http.h"
#include "edge/json.h"
#include "edge/loop.h"
#include "edge/plugin.h"
#include "edge/proc.h"
#include "edge/runner.h"
#include "edge/usage.h"

struct edge_world {
    struct port port;
    struct edge_options options;
    struct edge_loop loop;
    struct crash_note note;
    atomic_bool stopped;
};

static struct edge_world *world_of(void *world)
{
    return world;
}

static int runner_start(void *world, struct loop *starter, const struct runner_spec *spec,
                        struct runner **ret, struct gp_error *err)
{
    (void)world;
    return edge_runner_start(edge_loop_of(starter), spec, ret, err);
}

static int proc_start(void *world, struct loop *loop, const struct proc_spec *spec,
                      struct proc **ret, struct gp_error *err)
{
    const struct edge_options *options = &world_of(world)->options;

    return edge_proc_spawn(edge_loop_of(loop), options, spec, ret, err);
}

static int plugin_open(void *world, const char *path, struct plugin_file **ret,
                       const struct gp_entry **ret_entry, struct gp_error *err)
{
    (void)world;
    return edge_plugin_open(path, ret, ret_entry, err);
}

static void plugin_close(void *world, struct plugin_file *file)
{
    (void)world;
    edge_plugin_close(file);
}

static void fill_random(void *world, void *ptr, size_t len)
{
    (void)world;
    fs_random(ptr, len);
}

static int json_parse(void *world, gp_str text, struct value **ret, struct gp_error *err)
{
    (void)world;
    return edge_json_parse(text, ret, err);
}

/* Those this process may use, which a container may have cut down. */
static uint32_t cpu_count(void *world)
{
    cpu_set_t cpus;
    long online;

    (void)world;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
        return (uint32_t)CPU_COUNT(&cpus);
    }
    online = sysconf(_SC_NPROCESSORS_ONLN); /* more than cpu_set_t holds */
    return online > 0 ? (uint32_t)online : 1;
}

static void host_name(void *world, char *ptr, size_t cap)
{
    (void)world;
    ASSERT(cap > 0);
    if (gethostname(ptr, cap) < 0) {
        ptr[0] = '\0';
    }
    ptr[cap - 1] = '\0';
}

static int64_t self_pid(void *world)
{
    (void)world;
    return getpid();
}

static void usage(void *world, struct port_usage *ret)
{
    (void)world;
    edge_usage(ret);
}

static void host_usage(void *world, struct port_host_usage *ret)
{
    (void)world;
    edge_host_usage(ret);
}

static const struct world_ops world_ops = {
    .runner_start = runner_start,
    .runner_free = edge_runner_free,
    .proc_spawn = proc_start,
    .proc_pid = edge_proc_pid,
    .proc_kill = edge_proc_kill,
    .proc_free = edge_proc_free,
    .plugin_open = plugin_open,
    .plugin_close = plugin_close,
    .random = fill_random,
    .json_parse = json_parse,
    .cpu_count = cpu_count,
    .host_name = host_name,
    .self_pid = self_pid,
    .usage = usage,
    .host_usage = host_usage,
};

int edge_world_new(const struct edge_options *options, struct edge_world **ret,
                   struct gp_error *err)
{
    struct edge_world *w = calloc(1, sizeof(*w));
    int rc = w != NULL ? edge_loop_init(&w->loop) : GP_ENOMEM;

    if (rc < 0) {
        free(w);
        return gp_error_set(err, rc, "cannot make the event loop: %s", error_sentence(rc));
    }
    if (options != NULL) {
        w->options = *options;
    }
    if (w->options.linger_ms > 0) {
        w->loop.linger_ms = w->options.linger_ms;
    }
    w->port = (struct port){
        .world = w,
        .ops = &world_ops,
        .fs = &edge_fs_ops,
        .http = &edge_http_ops,
        .loop = &w->loop.base,
        .log = w->options.log,
        .env = w->options.env,
        .crash_note = &w->note,
    };
    edge_crash_thread_note(&w->note);
    *ret = w;
    return 0;
}

void edge_world_free(struct edge_world *world)
{
    if (world == NULL) {
        return;
    }
    edge_loop_drain(&world->loop);
    edge_loop_deinit(&world->loop);
    edge_crash_thread_note(NULL);
    free(world);
}

const struct port *edge_port(struct edge_world *world)
{
    return &world->port;
}

void edge_run(struct edge_world *world)
{
    while (!atomic_exchange(&world->stopped, false)) {
        edge_loop_step(&world->loop, true);
    }
}

void edge_stop(struct edge_world *world)
{
    atomic_store(&world->stopped, true);
    loop_wake(&world->loop.base);
}

void edge_step(struct edge_world *world, bool wait)
{
    edge_loop_step(&world->loop, wait);
}
