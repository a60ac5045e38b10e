#include "journal_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define GROUP "group/1"

/* ---- contents ---- */

static gp_bytes content(const struct model_entry *e, struct buf *buf)
{
    struct rng rng;
    void *space;

    rng_init(&rng, e->salt);
    buf_clear(buf);
    ASSERT(buf_reserve(buf, e->len, &space) == 0);
    if (e->len > 0) {
        rng_fill(&rng, space, e->len);
    }
    buf_commit(buf, e->len);
    return buf_bytes(buf);
}

static bool is_content(const struct model_entry *e, gp_bytes bytes)
{
    struct buf buf = {0};
    gp_bytes expected = content(e, &buf);
    bool same = expected.len == bytes.len &&
                (bytes.len == 0 || memcmp(expected.ptr, bytes.ptr, bytes.len) == 0);

    buf_deinit(&buf);
    return same;
}

static gp_bytes members_of(uint64_t index)
{
    static const char names[] = "the members, as of then";

    return gp_bytes_of(names, (size_t)(index % sizeof names));
}

/* ---- the model ---- */

void model_init(struct model *m)
{
    memset(m, 0, sizeof(*m));
    m->first = 1;
}

static uint64_t next_of(const struct model *m)
{
    return m->first + m->count;
}

static void draw_entry(const struct model *m, struct rng *rng, struct model_entry *ret)
{
    const uint64_t sort = rng_below(rng, 8);

    *ret = (struct model_entry){
        .term = m->term + 1, .salt = rng_u64(rng), .type = (uint16_t)rng_below(rng, 4)};
    ret->len = sort == 0 ? 0 : (uint32_t)rng_below(rng, sort == 1 ? 700 : 60);
}

static enum act_kind draw_kind(const struct model *m, struct rng *rng)
{
    const uint64_t at = rng_below(rng, 20);
    const bool has_new = m->count > 0 && next_of(m) - 1 > m->snapshot;

    if (m->member == 0) {
        return ACT_MEMBER;
    }
    if (m->count > MODEL_ENTRIES_MAX - 2 * MODEL_BATCH_MAX) {
        return ACT_INSTALL;
    }
    if (at < 2 && has_new) {
        return ACT_TRUNCATE;
    }
    if (at < 4 && has_new) {
        return ACT_SNAPSHOT;
    }
    return at == 5 ? ACT_INSTALL : at < 8 ? ACT_VOTE : at < 10 ? ACT_REOPEN : ACT_APPEND;
}

struct act model_draw(const struct model *m, struct rng *rng)
{
    struct act act = {.kind = draw_kind(m, rng)};
    const uint64_t low = m->snapshot + 1 > m->first ? m->snapshot + 1 : m->first;

    switch (act.kind) {
    case ACT_APPEND:
        act.count = 1 + (uint32_t)rng_below(rng, MODEL_BATCH_MAX);
        for (uint32_t i = 0; i < act.count; i++) {
            draw_entry(m, rng, &act.entries[i]);
        }
        break;
    case ACT_VOTE:
        act.term = m->term + rng_below(rng, 3);
        act.vote = rng_below(rng, 4);
        break;
    case ACT_TRUNCATE:
    case ACT_SNAPSHOT:
        act.index = low + rng_below(rng, next_of(m) - low);
        act.trailing = rng_below(rng, 6);
        draw_entry(m, rng, &act.entries[0]);
        break;
    case ACT_INSTALL:
        act.index = m->snapshot + 1 + rng_below(rng, m->count + 10);
        act.term = m->term;
        draw_entry(m, rng, &act.entries[0]);
        break;
    case ACT_MEMBER:
    case ACT_REOPEN:
    case ACT_KINDS:
        break;
    }
    return act;
}

static void drop_before(struct model *m, uint64_t index)
{
    const uint32_t dropped = index > m->first ? (uint32_t)(index - m->first) : 0;

    memmove(m->entries, m->entries + dropped, (m->count - dropped) * sizeof m->entries[0]);
    m->count -= dropped;
    m->first += dropped;
}

void model_apply(struct model *m, const struct act *act)
{
    switch (act->kind) {
    case ACT_MEMBER:
        m->member = 7;
        break;
    case ACT_VOTE:
        m->term = act->term;
        m->vote = act->vote;
        break;
    case ACT_APPEND:
        memcpy(m->entries + m->count, act->entries, act->count * sizeof act->entries[0]);
        m->count += act->count;
        break;
    case ACT_TRUNCATE:
        m->count = (uint32_t)(act->index - m->first);
        break;
    case ACT_SNAPSHOT:
        m->snapshot = act->index;
        m->snapshot_data = act->entries[0];
        m->snapshot_data.term = m->entries[act->index - m->first].term;
        drop_before(m, act->index > act->trailing ? act->index - act->trailing + 1 : 1);
        break;
    case ACT_INSTALL:
        m->snapshot = act->index;
        m->snapshot_data = act->entries[0];
        m->snapshot_data.term = act->term;
        m->first = act->index + 1;
        m->count = 0;
        break;
    case ACT_REOPEN:
    case ACT_KINDS:
        break;
    }
}

/* ---- acts on a journal ---- */

int model_open(struct frail *f, struct journal **ret, struct gp_error *err)
{
    const struct journal_options options = {
        .port = &f->port, .folder = MODEL_FOLDER, .file_bytes = MODEL_FILE_BYTES};

    return journal_open(&options, ret, err);
}

static int append(const struct act *act, struct journal *j, struct gp_error *err)
{
    struct journal_entry entries[MODEL_BATCH_MAX];
    struct buf bufs[MODEL_BATCH_MAX] = {0};
    int rc;

    for (uint32_t i = 0; i < act->count; i++) {
        const struct model_entry *e = &act->entries[i];

        entries[i] = (struct journal_entry){e->term, e->type, content(e, &bufs[i])};
    }
    rc = journal_append(j, entries, act->count, err);
    for (uint32_t i = 0; i < act->count; i++) {
        buf_deinit(&bufs[i]);
    }
    return rc;
}

static int put(const struct act *act, const struct model *before, struct journal *j,
               struct gp_error *err)
{
    const bool install = act->kind == ACT_INSTALL;
    struct buf buf = {0};
    const struct journal_snapshot snapshot = {
        .index = act->index,
        .term = install ? act->term : before->entries[act->index - before->first].term,
        .members_index = act->index / 2,
        .members = members_of(act->index),
        .data = content(&act->entries[0], &buf)};
    int rc = journal_snapshot_put(j, &snapshot, act->trailing, install, err);

    buf_deinit(&buf);
    return rc;
}

int act_run(const struct act *act, const struct model *before, struct frail *f, struct journal **j,
            struct gp_error *err)
{
    switch (act->kind) {
    case ACT_MEMBER:
        return journal_set_member(*j, 7, GROUP, err);
    case ACT_VOTE:
        return journal_set_vote(*j, act->term, act->vote, err);
    case ACT_APPEND:
        return append(act, *j, err);
    case ACT_TRUNCATE:
        return journal_truncate(*j, act->index, err);
    case ACT_SNAPSHOT:
    case ACT_INSTALL:
        return put(act, before, *j, err);
    case ACT_REOPEN:
        journal_close(*j);
        *j = NULL;
        return model_open(f, j, err);
    case ACT_KINDS:
        break;
    }
    return 0;
}

/* ---- comparing ---- */

static const char *entries_differ(const struct model *m, struct journal *j)
{
    struct buf buf = {0};
    const char *how = NULL;

    for (uint32_t i = 0; how == NULL && i < m->count; i++) {
        const struct model_entry *e = &m->entries[i];
        uint64_t term;
        uint16_t type;

        buf_clear(&buf);
        if (journal_read(j, m->first + i, &term, &type, &buf, NULL) < 0) {
            how = "an entry cannot be read";
        } else if (term != e->term || type != e->type || !is_content(e, buf_bytes(&buf))) {
            how = "an entry is another";
        }
    }
    buf_deinit(&buf);
    return how;
}

static const char *snapshot_differs(const struct model *m, struct journal *j)
{
    struct journal_snapshot snapshot;
    struct buf buf = {0};
    const char *how = NULL;
    int rc;

    if (journal_snapshot_index(j) != m->snapshot) {
        return "another snapshot";
    }
    rc = journal_snapshot_get(j, &snapshot, &buf, NULL);
    if (m->snapshot == 0 || rc < 0) {
        how = rc == GP_ENOENT && m->snapshot == 0 ? NULL : "the snapshot cannot be read";
    } else if (snapshot.index != m->snapshot || snapshot.term != m->snapshot_data.term ||
               snapshot.members_index != m->snapshot / 2 ||
               !is_content(&m->snapshot_data, snapshot.data) ||
               snapshot.members.len != members_of(m->snapshot).len ||
               memcmp(snapshot.members.ptr, members_of(m->snapshot).ptr, snapshot.members.len) !=
                   0) {
        how = "the snapshot is another";
    }
    buf_deinit(&buf);
    return how;
}

const char *model_differs(const struct model *m, struct journal *j)
{
    if (journal_member(j) != m->member ||
        strcmp(journal_group(j), m->member != 0 ? GROUP : "") != 0) {
        return "another member";
    }
    if (m->member == 0) {
        return NULL;
    }
    if (journal_term(j) != m->term || journal_vote(j) != m->vote) {
        return "another term or vote";
    }
    if (journal_first(j) != m->first || journal_last(j) != next_of(m) - 1) {
        return "other entries";
    }
    return journal_broken(j) < 0            ? "broken"
           : snapshot_differs(m, j) != NULL ? snapshot_differs(m, j)
                                            : entries_differ(m, j);
}

const char *model_settle(struct model *m, const struct act *act, struct journal *j)
{
    const uint32_t count = m->count;
    struct act part = *act;
    const char *before = model_differs(m, j);
    struct model *after;
    const char *how;

    if (before == NULL) {
        return NULL;
    }
    after = malloc(sizeof(*after));
    ASSERT(after != NULL);
    *after = *m;
    if (act->kind == ACT_APPEND && journal_last(j) + 1 >= next_of(m) &&
        journal_last(j) + 1 - next_of(m) < part.count) {
        part.count = (uint32_t)(journal_last(j) + 1 - next_of(m));
    }
    model_apply(after, &part);
    how = model_differs(after, j);
    if (how == NULL) {
        *m = *after;
    }
    ASSERT(how == NULL || m->count == count);
    free(after);
    return how;
}
