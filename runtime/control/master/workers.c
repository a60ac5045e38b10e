/* workers.c: see workers.h. */
#include "control/master/workers.h"

#include <stdlib.h>

#include "base/assert.h"

void workers_init(struct workers *w)
{
    *w = (struct workers){0};
}

static void entry_free(struct worker_entry *entry)
{
    fields_deinit(&msg_worker_register_fields, &entry->info);
    free(entry);
}

void workers_deinit(struct workers *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        entry_free(w->entries[i]);
    }
    free(w->grants);
    *w = (struct workers){0};
}

int workers_add(struct workers *w, uint32_t id, uint64_t peer, struct msg_worker_register *info,
                int64_t now_ns, struct worker_entry **ret)
{
    struct worker_entry *entry;
    uint32_t at = w->count;

    if (w->count == WORKERS_MAX) {
        return GP_EFULL;
    }
    entry = calloc(1, sizeof *entry);
    if (!entry) {
        return GP_ENOMEM;
    }
    *entry = (struct worker_entry){.id = id, .peer = peer, .info = *info, .up_since_ns = now_ns};
    *info = (struct msg_worker_register){0};
    while (at > 0 && w->entries[at - 1]->id > id) {
        w->entries[at] = w->entries[at - 1];
        at--;
    }
    w->entries[at] = entry;
    w->count++;
    *ret = entry;
    return 0;
}

static void grant_remove(struct workers *w, uint32_t index)
{
    struct worker_entry *entry = workers_find(w, w->grants[index].worker);

    if (entry) {
        ASSERT(entry->used >= w->grants[index].slots);
        entry->used -= w->grants[index].slots;
    }
    w->grants[index] = w->grants[--w->grant_count];
}

void workers_remove(struct workers *w, struct worker_entry *entry)
{
    for (uint32_t i = w->grant_count; i > 0; i--) {
        if (w->grants[i - 1].worker == entry->id) {
            grant_remove(w, i - 1);
        }
    }
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->entries[i] == entry) {
            memmove(&w->entries[i], &w->entries[i + 1], (w->count - i - 1) * sizeof w->entries[0]);
            w->count--;
            break;
        }
    }
    entry_free(entry);
}

struct worker_entry *workers_find(const struct workers *w, uint32_t id)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->entries[i]->id == id) {
            return w->entries[i];
        }
    }
    return NULL;
}

struct worker_entry *workers_find_peer(const struct workers *w, uint64_t peer)
{
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->entries[i]->peer == peer) {
            return w->entries[i];
        }
    }
    return NULL;
}

uint32_t workers_offer(const struct workers *w, struct scheduler_worker *list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < w->count; i++) {
        const struct worker_entry *entry = w->entries[i];
        uint32_t slots = entry->info.slots;
        if (!entry->is_draining) {
            list[count++] =
                (struct scheduler_worker){.id = entry->id,
                                          .free = slots > entry->used ? slots - entry->used : 0,
                                          .used = entry->used};
        }
    }
    return count;
}

int workers_grant(struct workers *w, uint32_t app, uint32_t worker, uint32_t slots)
{
    struct worker_entry *entry = workers_find(w, worker);

    ASSERT(entry);
    for (uint32_t i = 0; i < w->grant_count; i++) {
        if (w->grants[i].app == app && w->grants[i].worker == worker) {
            w->grants[i].slots += slots;
            entry->used += slots;
            return 0;
        }
    }
    if (w->grant_count == w->grant_capacity) {
        uint32_t capacity = w->grant_capacity ? 2 * w->grant_capacity : 64;
        struct grant *grown = realloc(w->grants, capacity * sizeof *grown);
        if (!grown) {
            return GP_ENOMEM;
        }
        w->grants = grown;
        w->grant_capacity = capacity;
    }
    w->grants[w->grant_count++] = (struct grant){app, worker, slots};
    entry->used += slots;
    return 0;
}

void workers_release(struct workers *w, uint32_t app, uint32_t worker, uint32_t slots)
{
    for (uint32_t i = 0; i < w->grant_count; i++) {
        struct grant *grant = &w->grants[i];
        struct worker_entry *entry;
        if (grant->app != app || grant->worker != worker) {
            continue;
        }
        entry = workers_find(w, worker);
        if (slots >= grant->slots || !entry) {
            grant_remove(w, i);
        } else {
            grant->slots -= slots;
            entry->used -= slots;
        }
        return;
    }
}

void workers_release_app(struct workers *w, uint32_t app)
{
    for (uint32_t i = w->grant_count; i > 0; i--) {
        if (w->grants[i - 1].app == app) {
            grant_remove(w, i - 1);
        }
    }
}
