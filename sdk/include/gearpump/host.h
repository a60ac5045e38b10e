/*
 * host.h: what the host offers to a plugin: services, const tables asked for by id.
 *
 * A table never changes once its id is stable; a new revision gets a new id. Ids with ".draft." may
 * change with the ABI's minor number. Every table starts with its size.
 */
#ifndef GEARPUMP_HOST_H
#define GEARPUMP_HOST_H

#include <gearpump/message.h>
#include <gearpump/parameter.h>

/* Handed to gp_entry.init and reachable from every task. Valid as long as the plugin is loaded. */
struct gp_host {
    uint32_t size;
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t reserved;
    const char *version; /* of the runtime, for messages */
    /* The table of a service, or NULL when this host has none of that id. [any thread] */
    const void *(*service)(const struct gp_host *host, const char *id);
};

/* Parameters: what --set, the graph and the plugin's caller gave. Valid as long as its giver
 * says. */
struct gp_config {
    uint32_t size;
    uint32_t reserved;
    /* The value of key, or {NULL, 0}. Borrowed for the life of the config; NUL-terminated. */
    gp_str (*get)(const struct gp_config *config, const char *key);
    const void *host; /* the host's own */
};

/*
 * One task, as its own code sees it. Valid from open until close returns. [task thread only]
 * Fields are read-only for plugins.
 */
struct gp_task {
    uint32_t size;
    uint32_t index; /* 0 .. parallelism-1 within the processor */
    uint32_t parallelism;
    uint32_t inputs;  /* input ports in use */
    uint32_t outputs; /* output ports in use */
    uint32_t reserved;
    uint64_t app_id;
    const char *app_name;
    const char *processor; /* this processor's name in the graph */
    const struct gp_host *host;
    const struct gp_config *config;
    const struct gp_task_service *service;
    const struct gp_io_service *io;
};

#define GP_SERVICE_TASK  "gp.draft.task/1"
#define GP_SERVICE_IO    "gp.draft.io/1"
#define GP_SERVICE_GRAPH "gp.draft.graph/1"
#define GP_SERVICE_STATE "gp.draft.state/1"

/* Which clock a timer follows. */
#define GP_TIMER_PROCESSING 0u /* gp_now_ns() */
#define GP_TIMER_EVENT      1u /* the watermark; fires before on_watermark of the same time */

#define GP_TIMERS_MAX 65536u /* pending timers of one task */

struct gp_task_service {
    uint32_t size;
    uint32_t reserved;
    /* One line of log; level GP_LOG_... Rate-limited by the host. */
    void (*log)(const struct gp_task *task, int32_t level, gp_str text);
    /* Why the callback is about to answer GP_FAIL or GP_REJECT. Copied, cut at 512 bytes. */
    void (*fail)(const struct gp_task *task, gp_str text);
    /* Monotonic time as of this call of the plugin, nanoseconds. Cheap: no clock is read. */
    int64_t (*now_ns)(const struct gp_task *task);
    /* Wall clock as of this call, nanoseconds since 1970. */
    int64_t (*wall_ns)(const struct gp_task *task);
    /* The task's watermark: the smallest over its inputs. */
    int64_t (*watermark_ns)(const struct gp_task *task);
    /*
     * Calls on_timer(id) once time `at_ns` of clock GP_TIMER_... has come; setting an id again
     * moves it. GP_OK, or GP_FAIL beyond GP_TIMERS_MAX. At the end the watermark is GP_TIME_MAX,
     * and every event timer has come, one that is set then, too: do not repeat one for ever.
     */
    int32_t (*timer_set)(const struct gp_task *task, uint32_t clock, uint64_t id, int64_t at_ns);
    void (*timer_cancel)(const struct gp_task *task, uint32_t clock, uint64_t id);
    /*
     * A message to one task outside the stream ("unmanaged"): it arrives at on_message of task
     * `index` of the processor named. GP_OK; GP_AGAIN when that task has no credit left for it (try
     * later, nothing is queued); GP_FAIL when there is no such task. Value at most 16 KiB.
     */
    int32_t (*send)(const struct gp_task *task, gp_str processor, uint32_t index,
                    const struct gp_msg *msg);
    /* Adds to a counter that `gpctl describe` shows of this processor; a name as of graph.h. */
    void (*count)(const struct gp_task *task, gp_str name, int64_t delta);
};

/* gp_io_service.watch_fd events */
#define GP_READABLE 1u
#define GP_WRITABLE 2u

struct gp_waker; /* the host's */

struct gp_io_service {
    uint32_t size;
    uint32_t reserved;
    /*
     * Polls the task again (after GP_IDLE or GP_AGAIN) when fd is ready; one fd at a time per task,
     * events 0 ends it. The fd stays the plugin's and must be unwatched before it is closed. GP_OK,
     * or GP_FAIL (not pollable, as a regular file).
     */
    int32_t (*watch_fd)(const struct gp_task *task, int32_t fd, uint32_t events);
    /* A handle by which other threads wake this task; valid until close returns. Or NULL. */
    struct gp_waker *(*waker)(const struct gp_task *task);
    /* Polls the waker's task again. [any thread, until close returns: join yours there] */
    void (*wake)(struct gp_waker *waker);
};

/* Sugar over the services. */
static inline void gp_log(const struct gp_task *task, int32_t level, gp_str text)
{
    task->service->log(task, level, text);
}

/* Answers GP_FAIL with a reason: `return gp_fail(task, "cannot open the file");` */
static inline int32_t gp_fail(const struct gp_task *task, const char *text)
{
    task->service->fail(task, gp_str_of(text));
    return GP_FAIL;
}

/* Answers GP_REJECT with a reason. */
static inline int32_t gp_reject(const struct gp_task *task, const char *text)
{
    task->service->fail(task, gp_str_of(text));
    return GP_REJECT;
}

static inline int64_t gp_now_ns(const struct gp_task *task)
{
    return task->service->now_ns(task);
}

static inline int64_t gp_wall_ns(const struct gp_task *task)
{
    return task->service->wall_ns(task);
}

static inline int32_t gp_timer_set(const struct gp_task *task, uint32_t clock, uint64_t id,
                                   int64_t at_ns)
{
    return task->service->timer_set(task, clock, id, at_ns);
}

static inline void gp_timer_cancel(const struct gp_task *task, uint32_t clock, uint64_t id)
{
    task->service->timer_cancel(task, clock, id);
}

static inline int32_t gp_send(const struct gp_task *task, gp_str processor, uint32_t index,
                              const struct gp_msg *msg)
{
    return task->service->send(task, processor, index, msg);
}

static inline void gp_count(const struct gp_task *task, const char *name, int64_t delta)
{
    task->service->count(task, gp_str_of(name), delta);
}

/* A parameter, or `fallback` (may be NULL) when it is not set. NUL-terminated. */
static inline const char *gp_config_text(const struct gp_config *config, const char *key,
                                         const char *fallback)
{
    gp_str value = config->get(config, key);
    return value.ptr ? value.ptr : fallback;
}

/*
 * The same as a number, a duration or whatever: GP_OK and *ret, which is the fallback when it is
 * not set; GP_FAIL when it is none, which cannot be if the processor's table of parameters has it.
 */
static inline int32_t gp_config_u64(const struct gp_config *config, const char *key,
                                    uint64_t fallback, uint64_t *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback;
    return value.ptr ? gp_parse_u64(value, ret) : GP_OK;
}

static inline int32_t gp_config_i64(const struct gp_config *config, const char *key,
                                    int64_t fallback, int64_t *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback;
    return value.ptr ? gp_parse_i64(value, ret) : GP_OK;
}

static inline int32_t gp_config_f64(const struct gp_config *config, const char *key,
                                    double fallback, double *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback;
    return value.ptr ? gp_parse_f64(value, ret) : GP_OK;
}

/* 0 or 1. */
static inline int32_t gp_config_bool(const struct gp_config *config, const char *key,
                                     uint32_t fallback, uint32_t *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback;
    return value.ptr ? gp_parse_bool(value, ret) : GP_OK;
}

/* Nanoseconds. */
static inline int32_t gp_config_duration_ns(const struct gp_config *config, const char *key,
                                            int64_t fallback_ns, int64_t *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback_ns;
    return value.ptr ? gp_parse_duration_ns(value, ret) : GP_OK;
}

static inline int32_t gp_config_bytes(const struct gp_config *config, const char *key,
                                      uint64_t fallback, uint64_t *ret)
{
    gp_str value = config->get(config, key);
    *ret = fallback;
    return value.ptr ? gp_parse_bytes(value, ret) : GP_OK;
}

#endif
