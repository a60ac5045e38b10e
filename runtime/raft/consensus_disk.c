/*
 * What the journal has, in memory of libraft's allocator, as libraft wants it at its beginning.
 *
 * libraft believes its disk: what it would read beyond, or stop at, is refused here, with a text.
 */
#include "raft/consensus_internal.h"

/* ---- the snapshot ---- */

static void snapshot_free(struct raft_snapshot *snapshot)
{
    if (snapshot != NULL) {
        raft_configuration_close(&snapshot->configuration);
        if (snapshot->bufs != NULL) {
            raft_free(snapshot->bufs[0].base);
            raft_free(snapshot->bufs);
        }
        raft_free(snapshot);
    }
}

/* The newest, in memory of libraft's allocator. Negative, GP_... */
int disk_snapshot(struct consensus *c, struct raft_snapshot **ret, struct gp_error *err)
{
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof(*snapshot));
    struct journal_snapshot stored;
    struct buf buf;
    int rc = GP_ENOMEM;

    buf_init(&buf, JOURNAL_SNAPSHOT_MAX + ((size_t)1 << 20));
    if (snapshot == NULL) {
        goto cleanup;
    }
    rc = journal_snapshot_get(c->journal, &stored, &buf, err);
    if (rc < 0) {
        goto cleanup;
    }
    rc = members_decode(stored.members, &snapshot->configuration);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "snapshot %" PRIu64 ": its list of members does not hold",
                           stored.index);
        goto cleanup;
    }
    snapshot->index = stored.index;
    snapshot->term = stored.term;
    snapshot->configuration_index = stored.members_index;
    snapshot->n_bufs = 1;
    snapshot->bufs = raft_calloc(1, sizeof(*snapshot->bufs));
    if (snapshot->bufs != NULL) {
        snapshot->bufs[0].len = stored.data.len;
        snapshot->bufs[0].base = raft_malloc(stored.data.len + 1);
    }
    if (snapshot->bufs == NULL || snapshot->bufs[0].base == NULL) {
        rc = GP_ENOMEM;
        goto cleanup;
    }
    if (stored.data.len > 0) {
        memcpy(snapshot->bufs[0].base, stored.data.ptr, stored.data.len);
    }
    *ret = snapshot;
    snapshot = NULL;
cleanup:
    snapshot_free(snapshot);
    buf_deinit(&buf);
    return rc;
}

/* ---- the log ---- */

static int read_entry(struct consensus *c, uint64_t index, struct buf *buf, struct raft_entry *ret,
                      struct gp_error *err)
{
    uint64_t term;
    uint16_t type;
    int rc;

    buf_clear(buf);
    rc = journal_read(c->journal, index, &term, &type, buf, err);
    if (rc < 0) {
        return rc;
    }
    if (term == 0 || type < RAFT_COMMAND || type > RAFT_CHANGE ||
        (type == RAFT_CHANGE && members_check(buf_bytes(buf)) < 0)) {
        return gp_error_set(err, GP_EPROTO, "entry %" PRIu64 " of the log does not hold", index);
    }
    if (type == RAFT_CHANGE && members_log_add(&c->members, index, buf_bytes(buf)) < 0) {
        return gp_error_set(err, GP_ENOMEM, "reading the log");
    }
    /* A batch of its own for each, so that compaction gives memory back entry by entry. */
    ret->batch = raft_malloc(buf_len(buf) + 1);
    if (ret->batch == NULL) {
        return gp_error_set(err, GP_ENOMEM, "reading the log");
    }
    if (buf_len(buf) > 0) {
        memcpy(ret->batch, buf_bytes(buf).ptr, buf_len(buf));
    }
    ret->term = term;
    ret->type = type;
    ret->buf = (struct raft_buffer){.base = ret->batch, .len = buf_len(buf)};
    return 0;
}

static int read_entries(struct consensus *c, uint64_t first, uint64_t count,
                        struct raft_entry **ret, struct gp_error *err)
{
    struct raft_entry *entries = NULL;
    struct buf buf;
    uint64_t done = 0;
    int rc = 0;

    buf_init(&buf, JOURNAL_ENTRY_MAX);
    if (count > 0) {
        entries = raft_calloc((size_t)count, sizeof(*entries));
        rc = entries == NULL ? gp_error_set(err, GP_ENOMEM, "reading the log") : 0;
    }
    for (; rc == 0 && done < count; done++) {
        rc = read_entry(c, first + done, &buf, &entries[done], err);
        if (rc < 0) {
            break;
        }
    }
    if (rc == 0 && first == 1 && count > 0 && entries[0].type != RAFT_CHANGE &&
        journal_snapshot_index(c->journal) == 0) {
        rc = gp_error_set(err, GP_EPROTO, "the log does not begin with the list of members");
    }
    if (rc < 0) {
        for (uint64_t i = 0; i < done; i++) {
            raft_free(entries[i].batch);
        }
        raft_free(entries);
        entries = NULL;
    }
    buf_deinit(&buf);
    *ret = entries;
    return rc;
}

/*
 * Whoever votes alone is leader at once, and libraft does not begin a term for it. Its log must not
 * get other entries in the term of an earlier life: some of those may be on their way to a member
 * that is catching up.
 */
static int begin_term_alone(struct consensus *c, struct gp_error *err)
{
    const struct members_entry *last = members_log_at(&c->members, UINT64_MAX);
    struct raft_configuration members;
    const struct raft_server *self;
    int rc = 0;

    if (last == NULL) {
        return 0;
    }
    rc = members_decode(buf_bytes(&last->bytes), &members);
    self = rc < 0 ? NULL : members_find(&members, c->id);
    if (self != NULL && self->role == RAFT_VOTER && members_voters(&members) == 1) {
        rc = journal_set_vote(c->journal, journal_term(c->journal) + 1, c->id, err);
    }
    raft_configuration_close(&members);
    return rc;
}

int disk_load(struct consensus *c, struct raft_snapshot **ret_snapshot, raft_index *ret_first,
              struct raft_entry **ret_entries, size_t *ret_count, struct gp_error *err)
{
    const uint64_t snapshot_index = journal_snapshot_index(c->journal);
    uint64_t first = journal_first(c->journal);
    const uint64_t last = journal_last(c->journal);
    uint64_t count = first <= last ? last - first + 1 : 0;
    struct raft_snapshot *snapshot = NULL;
    struct raft_entry *entries = NULL;
    struct buf members = {0};
    int rc = 0;

    members_log_clear(&c->members);
    if (count == 0) {
        first = snapshot_index + 1;
    }
    if (first > snapshot_index + 1 || first + count < snapshot_index + 1) {
        return gp_error_set(err, GP_ESTATE,
                            "the log has %" PRIu64 " to %" PRIu64 ", the snapshot is of %" PRIu64,
                            first, last, snapshot_index);
    }
    if (snapshot_index > 0) {
        rc = disk_snapshot(c, &snapshot, err);
        rc = rc < 0 ? rc : members_encode(&snapshot->configuration, &members);
        /* Its list of members may stand in the log too, and then comes from there. */
        if (rc == 0 && (count == 0 || snapshot->configuration_index < first)) {
            rc = members_log_add(&c->members, snapshot->configuration_index, buf_bytes(&members));
        }
    }
    rc = rc < 0 ? rc : read_entries(c, first, count, &entries, err);
    rc = rc < 0 ? rc : begin_term_alone(c, err);
    buf_deinit(&members);
    if (rc < 0) {
        snapshot_free(snapshot);
        for (uint64_t i = 0; entries != NULL && i < count; i++) {
            raft_free(entries[i].batch);
        }
        raft_free(entries);
        return rc;
    }
    for (uint64_t i = 0; i < count; i++) {
        c->bytes_since_snapshot += first + i > snapshot_index ? entries[i].buf.len : 0;
    }
    c->snapshot_bytes = snapshot != NULL ? snapshot->bufs[0].len : 0;
    *ret_snapshot = snapshot;
    *ret_first = first;
    *ret_entries = entries;
    *ret_count = (size_t)count;
    return 0;
}
