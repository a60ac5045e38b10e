/*
 * A plugin as it was compiled against 0.1: it passes rows on with "old " before their value, counts
 * them, and keeps the count as state. It includes none of today's headers.
 */
#include <stdlib.h>
#include <string.h>

#include "oldest.h"

struct self {
    const struct old_task *task;
    uint64_t count;
    uint64_t limit;
};

static struct old_text text_of(const char *text)
{
    return (struct old_text){text, strlen(text)};
}

static int32_t old_open(const struct old_task *task, void **ret_self)
{
    struct old_text limit = task->config->get(task->config, "limit");
    struct self *s = calloc(1, sizeof *s);

    if (!s) {
        return 4;
    }
    s->task = task;
    s->limit = limit.ptr ? strtoull(limit.ptr, NULL, 10) : UINT64_MAX;
    *ret_self = s;
    return task->service->timer_set(task, 0, 7, task->service->now_ns(task) + 10);
}

static int32_t emit(struct old_out *out, const struct old_row *row)
{
    struct old_msg msg = {.size = sizeof msg,
                          .flags = row->flags & 1 ? 3 : 0,
                          .time_ns = row->time_ns,
                          .key_hash = row->key_hash,
                          .key = row->key,
                          .key_len = row->key_len};
    char *value = out->reserve(out, 0, &msg, row->value_len + 100);

    if (!value) {
        return 4;
    }
    memcpy(value, "old ", 4);
    memcpy(value + 4, row->value, row->value_len);
    return out->commit(out, row->value_len + 4);
}

static int32_t old_process(void *self, uint32_t port, const struct old_batch *in,
                           uint32_t *consumed, struct old_out *out)
{
    struct self *s = self;

    (void)port;
    for (; *consumed < in->count && !out->full; ++*consumed) {
        const char *row = in->rows + (size_t)*consumed * in->stride;
        if (s->count == s->limit) {
            s->task->service->fail(s->task, text_of("the limit is reached"));
            return 4;
        }
        s->count++;
        if (emit(out, (const struct old_row *)(const void *)row) != 0) {
            return 4;
        }
    }
    return 0;
}

static int32_t old_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                            struct old_out *out)
{
    struct self *s = self;

    (void)clock, (void)at_ns, (void)out;
    s->task->service->count(s->task, text_of("timers"), (int64_t)id);
    s->task->service->log(s->task, 1, text_of("the timer came"));
    return 0;
}

static void old_close(void *self, uint32_t ended)
{
    (void)ended;
    free(self);
}

static int32_t old_snapshot(void *self, struct old_snapshot *snapshot)
{
    struct self *s = self;
    struct old_text bytes = {&s->count, sizeof s->count};

    return snapshot->put(snapshot, 0xffffffffu, text_of("count"), bytes);
}

static int32_t old_restore(void *self, struct old_restore *restore)
{
    struct self *s = self;
    struct old_entry_view entry = {.size = sizeof entry};

    while (restore->next(restore, &entry) > 0) {
        memcpy(&s->count, entry.bytes.ptr, sizeof s->count);
    }
    return 0;
}

static const struct old_processor table = {.size = sizeof table,
                                           .kind = 1,
                                           .type = "old",
                                           .flags = 1,
                                           .open = old_open,
                                           .process = old_process,
                                           .on_timer = old_on_timer,
                                           .close = old_close,
                                           .snapshot = old_snapshot,
                                           .restore = old_restore};

static const void *const tables[] = {&table};

static const struct old_catalog catalog = {sizeof catalog, 1, tables};

static const void *get_factory(const char *id)
{
    return strcmp(id, "gp.draft.catalog/1") == 0 ? &catalog : NULL;
}

__attribute__((section(".note.gearpump"), used, aligned(4))) static const struct old_note note = {
    9, 256, 1, "Gearpump", 0, 1, 0, 0, "old", "0.1.0", "gp.draft.task/1"};

extern __attribute__((visibility("default"))) const struct old_entry gp_entry;

const struct old_entry gp_entry = {sizeof gp_entry, 0x31505047u, 0,    1,          "old",
                                   "0.1.0",         NULL,        NULL, get_factory};
