/*
 * Checkpoints of the task under test: entries, and the calls that write, read and finish them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "kit.h"

#define STATE_ENTRIES_MAX (1u << 20)

struct entry {
    uint32_t group;
    char name[GP_NAME_MAX_BYTES + 1];
    void *bytes;
    size_t len;
};

struct gp_kit_state {
    struct entry *entries;
    uint32_t count;
    uint32_t size;
};

struct gp_kit_state *gp_kit_state_new(void)
{
    return calloc(1, sizeof(struct gp_kit_state));
}

void gp_kit_state_free(struct gp_kit_state *state)
{
    if (!state) {
        return;
    }
    for (uint32_t i = 0; i < state->count; i++) {
        free(state->entries[i].bytes);
    }
    free(state->entries);
    free(state);
}

uint32_t gp_kit_state_count(const struct gp_kit_state *state)
{
    return state->count;
}

int32_t gp_kit_state_entry(const struct gp_kit_state *state, uint32_t i, struct gp_entry_view *ret)
{
    const struct entry *entry;

    if (i >= state->count) {
        return GP_FAIL;
    }
    entry = &state->entries[i];
    *ret = (struct gp_entry_view){.size = sizeof *ret,
                                  .group = entry->group,
                                  .name = gp_str_of(entry->name),
                                  .bytes = gp_bytes_of(entry->bytes, entry->len)};
    return GP_OK;
}

static int32_t add(struct gp_kit_state *state, uint32_t group, gp_str name, gp_bytes bytes)
{
    struct entry *entry;
    void *copy;

    if (state->count == state->size) {
        uint32_t size = state->size ? state->size * 2 : 16;
        struct entry *entries = realloc(state->entries, size * sizeof *entries);
        if (!entries || size > STATE_ENTRIES_MAX) {
            state->entries = entries ? entries : state->entries;
            return GP_FAIL;
        }
        state->entries = entries;
        state->size = size;
    }
    copy = malloc(bytes.len > 0 ? bytes.len : 1);
    if (!copy) {
        return GP_FAIL;
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    entry = &state->entries[state->count++];
    *entry = (struct entry){.group = group, .bytes = copy, .len = bytes.len};
    memcpy(entry->name, name.ptr, name.len);
    return GP_OK;
}

int32_t gp_kit_state_add(struct gp_kit_state *state, uint32_t group, const char *name,
                         gp_bytes bytes)
{
    return strlen(name) > GP_NAME_MAX_BYTES ? GP_FAIL : add(state, group, gp_str_of(name), bytes);
}

/* snapshot */

struct writer {
    struct gp_kit *kit;
    struct gp_kit_state *state;
    uint32_t first; /* entry of this task */
};

static int is_taken(const struct writer *w, uint32_t group, gp_str name)
{
    for (uint32_t i = w->first; i < w->state->count; i++) {
        const struct entry *e = &w->state->entries[i];
        if (e->group == group && strlen(e->name) == name.len &&
            memcmp(e->name, name.ptr, name.len) == 0) {
            return 1;
        }
    }
    return 0;
}

static int32_t on_put(struct gp_snapshot *snapshot, uint32_t group, gp_str name, gp_bytes bytes)
{
    struct writer *w = snapshot->host;

    if (group >= GP_KEY_GROUPS && group != GP_GROUP_NONE) {
        return kit_fail(w->kit, "snapshot: there is no key group %u", group);
    }
    if (name.len == 0 || name.len > GP_NAME_MAX_BYTES || memchr(name.ptr, '\0', name.len)) {
        return kit_fail(w->kit, "snapshot: a name must have 1 to %u bytes", GP_NAME_MAX_BYTES);
    }
    if (is_taken(w, group, name)) {
        return kit_fail(w->kit, "snapshot: entry '%.*s' of group %u is there already",
                        KIT_TEXT(name), group);
    }
    return add(w->state, group, name, bytes);
}

int32_t gp_kit_snapshot(struct gp_kit *kit, struct gp_kit_state *state)
{
    struct writer w = {kit, state, state->count};
    struct gp_snapshot snapshot = {.size = sizeof snapshot, .put = on_put, .host = &w};

    if (kit->failed || !kit->opened || !kit->table.snapshot) {
        return GP_FAIL;
    }
    kit_before(kit);
    return kit_after(kit, "snapshot", kit->table.snapshot(kit->self, &snapshot), KIT_MAY(GP_OK));
}

/* restore */

struct reader {
    const struct gp_kit_state *state;
    uint32_t next;
    uint32_t first;
    uint32_t last;
    uint32_t with_task;
    void *lent; /* the entry handed out, gone with the next */
};

static int is_wanted(const struct reader *r, uint32_t group)
{
    return group == GP_GROUP_NONE ? r->with_task != 0 : group >= r->first && group <= r->last;
}

static int32_t on_next(struct gp_restore *restore, struct gp_entry_view *ret)
{
    struct reader *r = restore->host;

    free(r->lent);
    r->lent = NULL;
    while (r->next < r->state->count) {
        const struct entry *entry = &r->state->entries[r->next++];
        if (!is_wanted(r, entry->group)) {
            continue;
        }
        r->lent = malloc(entry->len + 1);
        if (!r->lent) {
            return -1;
        }
        memcpy(r->lent, entry->bytes, entry->len);
        (void)gp_kit_state_entry(r->state, r->next - 1, ret);
        ret->bytes.ptr = r->lent;
        return 1;
    }
    return 0;
}

int32_t gp_kit_restore(struct gp_kit *kit, const struct gp_kit_state *state, uint32_t first,
                       uint32_t last, uint32_t with_task)
{
    struct reader r = {.state = state, .first = first, .last = last, .with_task = with_task};
    struct gp_restore restore = {.size = sizeof restore, .next = on_next, .host = &r};
    int32_t rc;

    if (kit->failed || !kit->opened || !kit->table.restore) {
        return GP_FAIL;
    }
    kit_before(kit);
    rc = kit->table.restore(kit->self, &restore);
    free(r.lent);
    return kit_after(kit, "restore", rc, KIT_MAY(GP_OK));
}

/* Sinks: a table without these functions has nothing to prepare. */

typedef int32_t act_fn(void *self, uint64_t checkpoint);

static int32_t act(struct gp_kit *kit, const char *name, act_fn *function, uint64_t checkpoint)
{
    if (kit->failed || !kit->opened) {
        return GP_FAIL;
    }
    kit_before(kit);
    return kit_after(kit, name, function ? function(kit->self, checkpoint) : GP_OK, KIT_MAY(GP_OK));
}

int32_t gp_kit_prepare(struct gp_kit *kit, uint64_t checkpoint)
{
    return act(kit, "prepare", kit->table.prepare, checkpoint);
}

int32_t gp_kit_commit(struct gp_kit *kit, uint64_t checkpoint)
{
    return act(kit, "commit", kit->table.commit, checkpoint);
}

int32_t gp_kit_abort(struct gp_kit *kit, uint64_t checkpoint)
{
    return act(kit, "abort", kit->table.abort, checkpoint);
}
