/*
 * The services of the host, as the task under test sees them: everything is kept for the test to
 * read, and nothing touches the world.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"

#define SEND_MAX_BYTES (16u << 10)

/* A task is the first thing its host knows of a call; the kit lies around it. */
static struct gp_kit *kit_of(const struct gp_task *task)
{
    return (struct gp_kit *)((uintptr_t)task - offsetof(struct gp_kit, task));
}

static int is_name(gp_str name)
{
    return name.ptr && name.len > 0 && name.len <= GP_NAME_MAX_BYTES;
}

static void on_log(const struct gp_task *task, int32_t level, gp_str text)
{
    struct gp_kit *kit = kit_of(task);
    struct kit_log *log;

    if (level < GP_LOG_DEBUG || level > GP_LOG_ERROR) {
        (void)kit_fail(kit, "log: there is no level %d", level);
        return;
    }
    if (kit->logs_count < GP_KIT_LOG_MAX) {
        log = &kit->logs[kit->logs_count++];
        log->level = level;
        (void)snprintf(log->text, sizeof log->text, "%.*s", KIT_TEXT(text));
    }
}

static void on_fail(const struct gp_task *task, gp_str text)
{
    struct gp_kit *kit = kit_of(task);

    (void)snprintf(kit->reason, sizeof kit->reason, "%.*s", KIT_TEXT(text));
}

static int64_t on_now_ns(const struct gp_task *task)
{
    return kit_of(task)->now_ns;
}

static int64_t on_wall_ns(const struct gp_task *task)
{
    return kit_of(task)->wall_ns;
}

static int64_t on_watermark_ns(const struct gp_task *task)
{
    return kit_of(task)->watermark_ns;
}

/* Timers: an array, searched; a test has few. */

struct kit_timer *kit_timer_find(const struct gp_kit *kit, uint32_t clock, uint64_t id)
{
    for (uint32_t i = 0; i < kit->timers_count; i++) {
        if (kit->timers[i].clock == clock && kit->timers[i].id == id) {
            return &kit->timers[i];
        }
    }
    return NULL;
}

struct kit_timer *kit_timer_first(const struct gp_kit *kit, uint32_t clock)
{
    struct kit_timer *first = NULL;

    for (uint32_t i = 0; i < kit->timers_count; i++) {
        struct kit_timer *t = &kit->timers[i];
        if (t->clock == clock && (!first || t->at_ns < first->at_ns ||
                                  (t->at_ns == first->at_ns && t->id < first->id))) {
            first = t;
        }
    }
    return first;
}

void kit_timer_remove(struct gp_kit *kit, struct kit_timer *timer)
{
    *timer = kit->timers[--kit->timers_count];
}

static int32_t on_timer_set(const struct gp_task *task, uint32_t clock, uint64_t id, int64_t at_ns)
{
    struct gp_kit *kit = kit_of(task);
    struct kit_timer *timer = kit_timer_find(kit, clock, id);

    if (clock > GP_TIMER_EVENT) {
        return kit_fail(kit, "timer_set: there is no clock %u", clock);
    }
    if (!timer) {
        if (kit->timers_count == GP_TIMERS_MAX) {
            return GP_FAIL;
        }
        if (kit->timers_count == kit->timers_size) {
            uint32_t size = kit->timers_size ? kit->timers_size * 2 : 16;
            struct kit_timer *timers = realloc(kit->timers, size * sizeof *timers);
            if (!timers) {
                return GP_FAIL;
            }
            kit->timers = timers;
            kit->timers_size = size;
        }
        timer = &kit->timers[kit->timers_count++];
    }
    *timer = (struct kit_timer){clock, id, at_ns};
    return GP_OK;
}

static void on_timer_cancel(const struct gp_task *task, uint32_t clock, uint64_t id)
{
    struct gp_kit *kit = kit_of(task);
    struct kit_timer *timer = kit_timer_find(kit, clock, id);

    if (timer) {
        kit_timer_remove(kit, timer);
    }
}

static int32_t on_send(const struct gp_task *task, gp_str processor, uint32_t index,
                       const struct gp_msg *msg)
{
    struct gp_kit *kit = kit_of(task);
    const char *wrong = kit_msg_wrong(msg, msg->value_len);
    struct gp_row *row;
    struct kit_send *to;

    if (wrong || msg->value_len > SEND_MAX_BYTES || !is_name(processor)) {
        return kit_fail(kit, "send: %s", wrong ? wrong : "the value or the name is too long");
    }
    if (kit->send_answer != GP_OK) {
        return kit->send_answer;
    }
    row = kit_row_new(msg, msg->value_len);
    if (!row || kit_rows_add_take(&kit->sends, row, KIT_SENDS_MAX) != GP_OK) {
        return GP_AGAIN;
    }
    to = &kit->sends_to[kit->sends.count - 1];
    row->source = kit->task.index;
    (void)snprintf(to->processor, sizeof to->processor, "%.*s", KIT_TEXT(processor));
    to->index = index;
    return GP_OK;
}

static struct kit_counter *find_counter(const struct gp_kit *kit, gp_str name)
{
    for (uint32_t i = 0; i < kit->counters_count; i++) {
        const struct kit_counter *c = &kit->counters[i];
        if (strlen(c->name) == name.len && memcmp(c->name, name.ptr, name.len) == 0) {
            return (struct kit_counter *)(uintptr_t)c;
        }
    }
    return NULL;
}

static void on_count(const struct gp_task *task, gp_str name, int64_t delta)
{
    struct gp_kit *kit = kit_of(task);
    struct kit_counter *counter = is_name(name) ? find_counter(kit, name) : NULL;

    if (!is_name(name) || (!counter && kit->counters_count == KIT_COUNTERS_MAX)) {
        (void)kit_fail(kit, "count: a bad name, or too many counters");
        return;
    }
    if (!counter) {
        counter = &kit->counters[kit->counters_count++];
        memcpy(counter->name, name.ptr, name.len);
    }
    counter->value += delta;
}

static int32_t on_watch_fd(const struct gp_task *task, int32_t fd, uint32_t events)
{
    struct gp_kit *kit = kit_of(task);

    if (fd < 0 || events > (GP_READABLE | GP_WRITABLE)) {
        return GP_FAIL;
    }
    kit->watched_fd = events ? fd : -1;
    kit->watched_events = events;
    return GP_OK;
}

static struct gp_waker *on_waker(const struct gp_task *task)
{
    return &kit_of(task)->waker;
}

static void on_wake(struct gp_waker *waker)
{
    atomic_fetch_add(&waker->wakes, 1);
}

static const struct gp_task_service task_service = {.size = sizeof task_service,
                                                    .log = on_log,
                                                    .fail = on_fail,
                                                    .now_ns = on_now_ns,
                                                    .wall_ns = on_wall_ns,
                                                    .watermark_ns = on_watermark_ns,
                                                    .timer_set = on_timer_set,
                                                    .timer_cancel = on_timer_cancel,
                                                    .send = on_send,
                                                    .count = on_count};

static const struct gp_io_service io_service = {
    .size = sizeof io_service, .watch_fd = on_watch_fd, .waker = on_waker, .wake = on_wake};

static const void *on_service(const struct gp_host *host, const char *id)
{
    (void)host;
    if (strcmp(id, GP_SERVICE_TASK) == 0) {
        return &task_service;
    }
    if (strcmp(id, GP_SERVICE_CURSOR) == 0) {
        return &kit_cursor_service;
    }
    return strcmp(id, GP_SERVICE_IO) == 0 ? &io_service : NULL;
}

static gp_str on_get(const struct gp_config *config, const char *key)
{
    const struct gp_kit *kit = config->host;

    for (uint32_t i = 0; i < kit->pairs_count; i++) {
        if (strcmp(kit->pairs[i].key, key) == 0) {
            return gp_str_of(kit->pairs[i].value);
        }
    }
    for (uint32_t i = 0; i < gp_processor_parameter_count(&kit->table); i++) {
        const struct gp_parameter *p = gp_processor_parameter(&kit->table, i);
        if (strcmp(p->name, key) == 0) {
            return gp_str_of(p->fallback);
        }
    }
    return (gp_str){NULL, 0};
}

void kit_services_init(struct gp_kit *kit)
{
    kit->host = (struct gp_host){.size = sizeof kit->host,
                                 .abi_major = GP_ABI_MAJOR,
                                 .abi_minor = GP_ABI_MINOR,
                                 .version = "testkit",
                                 .service = on_service};
    kit->config = (struct gp_config){.size = sizeof kit->config, .get = on_get, .host = kit};
    kit->task.host = &kit->host;
    kit->task.config = &kit->config;
    kit->task.service = &task_service;
    kit->task.io = &io_service;
}
