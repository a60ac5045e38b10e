/*
 * service.c: what user code may ask of its host while it runs.
 *
 * Threads: the task's lane, save wake(), which any thread may call. A waker that rings is pushed
 * onto lane.woken unless it is there already; the lane takes the whole list at once. A waker is
 * freed with its task, after the lane has ended.
 */
#include "data/service.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/timers.h"
#include "data/unmanaged.h"

struct gp_waker {
    struct gp_waker *next; /* in lane.woken */
    struct task *task;
    _Atomic uint32_t rung; /* 1: in the list */
};

static struct task *self_of(const struct gp_task *api)
{
    return task_of_api((struct gp_task *)(uintptr_t)api);
}

static void service_log(const struct gp_task *api, int32_t level, gp_str text)
{
    static const enum log_level levels[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
                                            LOG_LEVEL_ERROR};
    struct task *t = self_of(api);
    struct stage *s = t->stage;
    enum log_level at = level >= 0 && level < 4 ? levels[level] : LOG_LEVEL_INFO;
    uint64_t held_back;

    if (!log_enabled(s->lane->env->log, at) ||
        !log_limit_pass(&s->log_limit, s->lane->now_ns, &held_back)) {
        return;
    }
    if (held_back > 0) {
        LOG_WARN(s->lane->env->log, "task.log_held_back", KV_STR("processor", s->name),
                 KV_U64("lines", held_back));
    }
    LOG_AT(s->lane->env->log, at, "task.logged", KV_STR("processor", s->name),
           KV_U64("task", api->index), KV_STR("text", text), LOG_KV_END);
}

static void service_fail(const struct gp_task *api, gp_str text)
{
    struct task *t = self_of(api);
    size_t len = text.len < FAIL_TEXT_MAX - 1 ? text.len : FAIL_TEXT_MAX - 1;

    if (!t->fail_text) {
        t->fail_text = (char *)malloc(FAIL_TEXT_MAX);
    }
    if (t->fail_text) {
        memcpy(t->fail_text, text.ptr, len);
        t->fail_text[len] = '\0';
    }
}

static int64_t service_now_ns(const struct gp_task *api)
{
    return self_of(api)->stage->lane->now_ns;
}

static int64_t service_wall_ns(const struct gp_task *api)
{
    return loop_wall_ns(self_of(api)->stage->lane->loop);
}

static int64_t service_watermark_ns(const struct gp_task *api)
{
    return self_of(api)->watermark_ns;
}

static int32_t service_timer_set(const struct gp_task *api, uint32_t clock, uint64_t id,
                                 int64_t at_ns)
{
    if (clock > GP_TIMER_EVENT) {
        return GP_FAIL;
    }
    return timers_set(self_of(api), clock, id, at_ns) == 0 ? GP_OK : GP_FAIL;
}

static void service_timer_cancel(const struct gp_task *api, uint32_t clock, uint64_t id)
{
    if (clock <= GP_TIMER_EVENT) {
        timers_cancel(self_of(api), clock, id);
    }
}

static int32_t service_send(const struct gp_task *api, gp_str processor, uint32_t index,
                            const struct gp_msg *msg)
{
    return unmanaged_send(self_of(api), processor, index, msg);
}

static struct user_counter *find_counter(struct stage *s, gp_str name)
{
    uint32_t count = atomic_load_explicit(&s->counter_count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++) {
        if (str_eq(gp_str_of(s->counters[i].name), name)) {
            return &s->counters[i];
        }
    }
    if (count == COUNTERS_MAX || name.len == 0 || name.len > GP_NAME_MAX_BYTES) {
        return NULL;
    }
    memcpy(s->counters[count].name, name.ptr, name.len);
    atomic_store_explicit(&s->counter_count, count + 1, memory_order_release);
    return &s->counters[count];
}

static void service_count(const struct gp_task *api, gp_str name, int64_t delta)
{
    struct user_counter *c = find_counter(self_of(api)->stage, name);

    if (c) {
        atomic_store_explicit(&c->value,
                              atomic_load_explicit(&c->value, memory_order_relaxed) + delta,
                              memory_order_relaxed);
    }
}

const struct gp_task_service service_task = {
    .size = (uint32_t)sizeof(struct gp_task_service),
    .log = service_log,
    .fail = service_fail,
    .now_ns = service_now_ns,
    .wall_ns = service_wall_ns,
    .watermark_ns = service_watermark_ns,
    .timer_set = service_timer_set,
    .timer_cancel = service_timer_cancel,
    .send = service_send,
    .count = service_count,
};

static void on_fd(void *user, int events)
{
    struct task *t = (struct task *)user;

    /* Level-triggered: paused until the task asks again by falling idle. */
    (void)events;
    (void)fd_watch_set(t->watch, 0);
    t->watch_paused = true;
    task_token(t);
}

static int32_t io_watch_fd(const struct gp_task *api, int32_t fd, uint32_t events)
{
    struct task *t = self_of(api);
    int wanted =
        (events & GP_READABLE ? LOOP_READABLE : 0) | (events & GP_WRITABLE ? LOOP_WRITABLE : 0);

    fd_watch_free(t->watch);
    t->watch = NULL;
    t->watch_events = wanted;
    t->watch_paused = false;
    if (wanted == 0) {
        return GP_OK;
    }
    if (fd_watch_new(t->stage->lane->loop, fd, on_fd, t, &t->watch) < 0) {
        return GP_FAIL;
    }
    return fd_watch_set(t->watch, wanted) == 0 ? GP_OK : GP_FAIL;
}

static struct gp_waker *io_waker(const struct gp_task *api)
{
    struct task *t = self_of(api);

    if (!t->waker) {
        t->waker = (struct gp_waker *)calloc(1, sizeof(*t->waker));
        if (t->waker) {
            t->waker->task = t;
        }
    }
    return t->waker;
}

static void io_wake(struct gp_waker *waker)
{
    struct lane *lane = waker->task->stage->lane;
    struct gp_waker *first;

    if (atomic_exchange(&waker->rung, 1) != 0) {
        return;
    }
    first = atomic_load(&lane->woken);
    do {
        waker->next = first;
    } while (!atomic_compare_exchange_weak(&lane->woken, &first, waker));
    lane_wake(lane, SLEEP_DATA);
}

const struct gp_io_service service_io = {
    .size = (uint32_t)sizeof(struct gp_io_service),
    .watch_fd = io_watch_fd,
    .waker = io_waker,
    .wake = io_wake,
};

const void *service_find(const struct gp_host *host, const char *id)
{
    (void)host;
    if (strcmp(id, GP_SERVICE_TASK) == 0) {
        return &service_task;
    }
    if (strcmp(id, GP_SERVICE_CURSOR) == 0) {
        return &service_cursor;
    }
    return strcmp(id, GP_SERVICE_IO) == 0 ? &service_io : NULL;
}

void service_take_wakes(struct lane *lane)
{
    struct gp_waker *waker;

    if (LIKELY(!atomic_load_explicit(&lane->woken, memory_order_relaxed))) {
        return;
    }
    waker = atomic_exchange(&lane->woken, NULL);
    while (waker) {
        struct gp_waker *next = waker->next;

        /* An exchange, not a store: it sees what the thread did before it rang. */
        (void)atomic_exchange(&waker->rung, 0);
        task_token(waker->task);
        waker = next;
    }
}

void service_rearm(struct task *t)
{
    if (t->watch && t->watch_paused) {
        t->watch_paused = false;
        (void)fd_watch_set(t->watch, t->watch_events); /* worked for the same events before */
    }
}

void service_release(struct task *t)
{
    fd_watch_free(t->watch);
    t->watch = NULL;
}

void service_free(struct task *t)
{
    free(t->waker);
    t->waker = NULL;
}
