/*
 * journal_snapshot.c: the newest snapshot.
 *
 * Put:      snapshot.new, synced -> renamed to snapshot-INDEX -> [install: a new log file] -> state
 *           names it -> sweep what it replaces
 * Failures: before the state names it, the journal is broken and a later open sweeps it away.
 * Sweeping
 *           may fail: it is tried again.
 */
#include <inttypes.h>

#include "base/assert.h"
#include "base/str.h"
#include "raft/journal_internal.h"

#define SNAPSHOT_FILE_MAX (SNAPSHOT_HEADER_BYTES + JOURNAL_MEMBERS_MAX + JOURNAL_SNAPSHOT_MAX)

uint64_t journal_snapshot_index(const struct journal *j)
{
    return j->state.snapshot;
}

/* ---- reading ---- */

static int read_snapshot(const struct journal *j, struct journal_snapshot *ret, struct buf *buf,
                         struct gp_error *err)
{
    const struct port *port = j->port;
    const size_t before = buf_len(buf);
    struct journal_snapshot snapshot;
    char path[JOURNAL_PATH_MAX];
    uint64_t member;
    gp_bytes bytes;
    int rc;

    journal_path(j, "snapshot", j->state.snapshot, path);
    rc = port->fs->read_file(port->world, path, SNAPSHOT_FILE_MAX, buf, err);
    if (rc < 0) {
        return rc == GP_ENOENT ? gp_error_set(err, GP_ESTATE, "%s: is missing", path) : rc;
    }
    bytes = buf_bytes(buf);
    if (bytes.len > before) {
        bytes = gp_bytes_of((const char *)bytes.ptr + before, bytes.len - before);
        rc = snapshot_decode(bytes, &member, &snapshot);
    } else {
        rc = GP_EPROTO;
    }
    if (rc == 0 && (member != j->state.member || snapshot.index != j->state.snapshot)) {
        rc = gp_error_set(err, GP_ESTATE,
                          "%s: is snapshot-%" PRIu64 " of member %" PRIu64 ", not of %" PRIu64,
                          path, snapshot.index, member, j->state.member);
    } else if (rc < 0) {
        rc = gp_error_set(err, rc, "%s: damaged: %s", path, error_sentence(rc));
    }
    if (rc < 0) {
        buf_truncate(buf, before);
        return rc;
    }
    *ret = snapshot;
    return 0;
}

int snapshot_check(struct journal *j, struct gp_error *err)
{
    struct journal_snapshot snapshot;
    struct buf buf;
    int rc;

    if (j->state.snapshot == 0) {
        return 0;
    }
    buf_init(&buf, SNAPSHOT_FILE_MAX);
    rc = read_snapshot(j, &snapshot, &buf, err);
    buf_deinit(&buf);
    return rc;
}

int journal_snapshot_get(struct journal *j, struct journal_snapshot *ret, struct buf *buf,
                         struct gp_error *err)
{
    int rc = journal_ready(j, err);

    if (rc < 0) {
        return rc;
    }
    if (j->state.snapshot == 0) {
        return gp_error_set(err, GP_ENOENT, "%s: no snapshot", j->folder);
    }
    return read_snapshot(j, ret, buf, err);
}

/* ---- writing ---- */

static int write_parts(const struct journal *j, const struct journal_snapshot *snapshot,
                       struct file *file)
{
    const struct port *port = j->port;
    unsigned char header[SNAPSHOT_HEADER_BYTES];
    const gp_bytes parts[] = {{header, sizeof header}, snapshot->members, snapshot->data};
    uint64_t offset = 0;
    int rc = 0;

    snapshot_encode_header(j->state.member, snapshot, header);
    for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].len > 0) {
            rc = port->fs->write_at(port->world, file, offset, parts[i].ptr, parts[i].len);
        }
        offset += parts[i].len;
    }
    return rc == 0 ? port->fs->sync(port->world, file) : rc;
}

/* Aside, then under its name. */
static int write_snapshot(struct journal *j, const struct journal_snapshot *snapshot,
                          struct gp_error *err)
{
    const struct port *port = j->port;
    struct file *file = NULL;
    char aside[JOURNAL_PATH_MAX];
    char path[JOURNAL_PATH_MAX];
    int rc = str_format(aside, sizeof aside, "%s/snapshot.new", j->folder);

    ASSERT(rc >= 0);
    journal_path(j, "snapshot", snapshot->index, path);
    rc = port->fs->open(port->world, aside, FS_WRITE | FS_TRUNCATE, 0600, &file, err);
    if (rc < 0) {
        return rc;
    }
    rc = write_parts(j, snapshot, file);
    journal_close_file(j, &file);
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: cannot write: %s", aside, error_sentence(rc));
    }
    return port->fs->rename(port->world, aside, path, err);
}

static int check_put(const struct journal *j, const struct journal_snapshot *snapshot, bool install,
                     struct gp_error *err)
{
    const uint64_t index = snapshot->index;

    if (snapshot->members.len > JOURNAL_MEMBERS_MAX || snapshot->data.len > JOURNAL_SNAPSHOT_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "%s: a snapshot of %zu bytes", j->folder,
                            snapshot->members.len + snapshot->data.len);
    }
    if (index <= j->state.snapshot || index >= NUMBER_MAX - 1) {
        return gp_error_set(err, GP_EINVAL, "%s: snapshot %" PRIu64 " is not after %" PRIu64,
                            j->folder, index, j->state.snapshot);
    }
    if (!install && (index < j->first || index >= log_next(j) ||
                     j->places[index - j->first].term != snapshot->term)) {
        return gp_error_set(err, GP_EINVAL,
                            "%s: no entry %" PRIu64 " of term %" PRIu64 " for a snapshot",
                            j->folder, index, snapshot->term);
    }
    return 0;
}

/* The log goes on behind the snapshot, in a file that nothing comes before. */
static int install_log(struct journal *j, struct state_file *next, struct gp_error *err)
{
    struct log_header header = {.next = next->snapshot + 1};
    int rc;

    next->first = header.next;
    next->log_begin = j->state.log_end + 1;
    rc = log_begin_file(j, &header, NULL, 0, next, err);
    if (rc == 0) {
        j->first = header.next;
        j->count = 0;
    }
    return rc;
}

/* The log begins later. */
static int shorten_log(struct journal *j, struct state_file *next, uint64_t trailing,
                       struct gp_error *err)
{
    const uint64_t keep = next->snapshot > trailing ? next->snapshot - trailing + 1 : 1;
    int rc;

    next->first = keep > j->first ? keep : j->first;
    next->log_begin =
        next->first < log_next(j) ? j->places[next->first - j->first].file : j->state.log_end;
    rc = state_store(j, next, err);
    if (rc == 0) {
        log_drop_before(j, next->first);
    }
    return rc;
}

int journal_snapshot_put(struct journal *j, const struct journal_snapshot *snapshot,
                         uint64_t trailing, bool install, struct gp_error *err)
{
    struct state_file next = state_next(j);
    int rc;

    err = journal_err(j, err);
    rc = journal_ready(j, err);
    if (rc == 0) {
        rc = check_put(j, snapshot, install, err);
    }
    if (rc < 0) {
        return rc;
    }
    rc = write_snapshot(j, snapshot, err);
    if (rc < 0) {
        return journal_break(j, rc, err);
    }
    next.snapshot = snapshot->index;
    rc = install ? install_log(j, &next, err) : shorten_log(j, &next, trailing, err);
    if (rc < 0) {
        return rc;
    }
    if (j->reading != NULL && j->reading_number < j->state.log_begin) {
        journal_close_file(j, &j->reading);
    }
    journal_sweep(j);
    return 0;
}
