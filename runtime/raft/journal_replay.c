/*
 * journal_replay.c: from the log files to the entries, at open.
 *
 *     each file:  header -> how much counts (the next file's header says it; of the newest: S and E of
 *                 journal_internal.h) -> records up to there, in order
 *     the newest: what lies between S and E is copied into a new file
 *
 * Invariant: nothing is taken that does not hold under its checksum and follow on what is before,
 * and nothing that was acknowledged is left out, but for what journal.h says cannot be known.
 * Failures: a file that does not hold is named and refused; nothing was changed then.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/log.h"
#include "raft/journal_internal.h"

/* One log file in memory. */
struct log_file {
    uint64_t number;
    char path[JOURNAL_PATH_MAX];
    struct buf buf;
    struct log_header header;
    uint32_t seed;
    uint64_t end;    /* E: where records that hold end */
    uint64_t synced; /* S: bytes that count */
};

/* ---- a file ---- */

static int refuse(const struct log_file *f, int rc, struct gp_error *err)
{
    return gp_error_set(err, rc, "%s: damaged at offset %" PRIu64 ": %s", f->path, f->end,
                        error_sentence(rc));
}

static int read_header(const struct journal *j, struct log_file *f, gp_bytes bytes,
                       struct gp_error *err)
{
    int rc = log_header_decode(bytes, &f->header, &f->seed);

    f->end = 0;
    if (rc < 0) {
        return refuse(f, rc, err);
    }
    if (f->header.member != j->state.member || f->header.number != f->number) {
        return gp_error_set(err, GP_ESTATE,
                            "%s: is log-%" PRIu64 " of member %" PRIu64 ", not of %" PRIu64,
                            f->path, f->header.number, f->header.member, j->state.member);
    }
    return 0;
}

static int missing(const struct log_file *f, int rc, struct gp_error *err)
{
    return rc == GP_ENOENT ? gp_error_set(err, GP_ESTATE, "%s: is missing", f->path) : rc;
}

static int read_whole(const struct journal *j, struct log_file *f, struct gp_error *err)
{
    const struct port *port = j->port;
    int rc;

    journal_path(j, "log", f->number, f->path);
    buf_clear(&f->buf);
    rc = port->fs->read_file(port->world, f->path, LOG_FILE_MAX, &f->buf, err);
    return rc < 0 ? missing(f, rc, err) : read_header(j, f, buf_bytes(&f->buf), err);
}

/* How many bytes of `number` count, as the header of the next file says. */
static int read_before(const struct journal *j, uint64_t number, uint64_t *ret_before,
                       struct gp_error *err)
{
    const struct port *port = j->port;
    struct log_file f = {.number = number + 1};
    unsigned char bytes[LOG_HEADER_BYTES];
    struct file *file = NULL;
    int64_t n;
    int rc;

    journal_path(j, "log", f.number, f.path);
    rc = port->fs->open(port->world, f.path, FS_READ, 0, &file, err);
    if (rc < 0) {
        return missing(&f, rc, err);
    }
    n = port->fs->read_at(port->world, file, 0, bytes, sizeof bytes);
    journal_close_file(j, &file);
    if (n < 0) {
        return gp_error_set(err, (int)n, "%s: cannot read: %s", f.path, error_sentence((int)n));
    }
    rc = read_header(j, &f, gp_bytes_of(bytes, (size_t)n), err);
    if (rc == 0) {
        *ret_before = f.header.before;
    }
    return rc;
}

/* ---- its records ---- */

/* Finds E, and the largest `synced` of the records before it. Returns why there are no more; 0 at
 * the end of the file. */
static int find_end(struct log_file *f)
{
    const gp_bytes bytes = buf_bytes(&f->buf);
    struct record record;

    f->end = LOG_HEADER_BYTES;
    while (f->end < bytes.len) {
        int rc = record_read(bytes, f->seed, f->end, &record);

        if (rc < 0) {
            return rc;
        }
        f->end += record_bytes(record.data.len);
        f->synced = record.synced > f->synced ? record.synced : f->synced;
    }
    return 0;
}

static int does_not_follow(const struct log_file *f, uint64_t offset, int rc, struct gp_error *err)
{
    return gp_error_set(err, rc, "%s: the record at %" PRIu64 " does not follow: %s", f->path,
                        offset, error_sentence(rc));
}

/* Takes the records up to `end`, before E. */
static int apply(struct journal *j, const struct log_file *f, uint64_t end, struct gp_error *err)
{
    uint64_t at = LOG_HEADER_BYTES;
    struct record record;

    while (at < end) {
        int rc = record_read(buf_bytes(&f->buf), f->seed, at, &record);

        if (rc == 0) {
            rc = log_apply(j, f->number, &record);
        }
        if (rc < 0) {
            return does_not_follow(f, at, rc, err);
        }
        at += record_bytes(record.data.len);
    }
    return at == end ? 0 : does_not_follow(f, end, GP_EPROTO, err);
}

static int replay_older(struct journal *j, struct log_file *f, struct gp_error *err)
{
    uint64_t before;
    int why;
    int rc = read_before(j, f->number, &before, err);

    if (rc < 0) {
        return rc;
    }
    why = find_end(f);
    if (before < LOG_HEADER_BYTES || f->end < before) {
        return refuse(f, why < 0 ? why : GP_EPROTO, err);
    }
    return apply(j, f, before, err);
}

/* ---- the newest ---- */

/* The records between S and E without marks. *ret is to be freed. */
static int collect_doubtful(const struct journal *j, const struct log_file *f, struct record **ret,
                            size_t *ret_count, struct gp_error *err)
{
    const size_t count_max = (size_t)((f->end - f->synced) / RECORD_HEADER_BYTES);
    struct record *records = calloc(count_max + 1, sizeof(*records));
    uint64_t next = log_next(j);
    uint64_t at = f->synced;
    size_t count = 0;
    int rc = 0;

    if (records == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", f->path);
    }
    while (at < f->end) {
        struct record *record = &records[count];

        rc = record_read(buf_bytes(&f->buf), f->seed, at, record);
        if (rc == 0) {
            rc = log_follow(record, &next);
        }
        if (rc < 0) {
            free(records);
            return does_not_follow(f, at, rc, err);
        }
        at += record_bytes(record->data.len);
        count += record->kind != RECORD_MARK;
    }
    *ret = records;
    *ret_count = count;
    return 0;
}

/* Copies them into a file of this life, from where they are taken. */
static int copy_doubtful(struct journal *j, const struct log_file *f, struct gp_error *err)
{
    struct log_header header = {.next = log_next(j), .before = f->synced};
    struct state_file state = state_next(j);
    struct record *records = NULL;
    size_t count = 0;
    int rc = collect_doubtful(j, f, &records, &count, err);

    if (rc < 0) {
        return rc;
    }
    if (count > 0) {
        rc = log_reserve(j, count);
        rc = rc < 0 ? gp_error_set(err, rc, "%s: out of memory", f->path)
                    : log_begin_file(j, &header, records, count, &state, err);
        for (size_t i = 0; rc == 0 && i < count; i++) {
            rc = log_apply(j, header.number, &records[i]);
        }
    }
    free(records);
    return rc;
}

static int replay_newest(struct journal *j, struct log_file *f, struct gp_error *err)
{
    const gp_bytes bytes = buf_bytes(&f->buf);
    uint64_t behind = 0;
    int why;
    int rc;

    f->synced = j->state.log_bytes;
    why = find_end(f);
    if (why < 0) {
        behind = record_synced_behind(bytes, f->seed, f->end + 8);
    }
    if (f->synced < LOG_HEADER_BYTES || f->end < f->synced || f->end < behind) {
        return refuse(f, why < 0 ? why : GP_EPROTO, err);
    }
    if (why < 0) {
        LOG_WARN(j->port->log, "journal.tail_cut", KV_STR("file", f->path),
                 KV_U64("offset", f->end), KV_U64("cut_bytes", bytes.len - f->end));
    }
    rc = apply(j, f, f->synced, err);
    if (rc < 0) {
        return rc;
    }
    j->log_synced = f->synced;
    return copy_doubtful(j, f, err);
}

/* ---- all ---- */

static int replay_file(struct journal *j, uint64_t number, struct log_file *f, struct gp_error *err)
{
    int rc;

    f->number = number;
    rc = read_whole(j, f, err);
    if (rc < 0) {
        return rc;
    }
    if (number == j->state.log_begin) {
        j->first = f->header.next;
    } else if (f->header.next != log_next(j)) {
        return gp_error_set(err, GP_EPROTO,
                            "%s: goes on with entry %" PRIu64 ", but %" PRIu64 " comes next",
                            f->path, f->header.next, log_next(j));
    }
    return number < j->state.log_end ? replay_older(j, f, err) : replay_newest(j, f, err);
}

/* Entries, snapshot and state speak of the same log. */
static int check_whole(const struct journal *j, struct gp_error *err)
{
    const struct state_file *state = &j->state;

    if (j->first > state->first || log_next(j) < state->first || log_next(j) <= state->snapshot ||
        state->first > state->snapshot + 1) {
        return gp_error_set(err, GP_ESTATE,
                            "%s: log-%" PRIu64 " to log-%" PRIu64 " hold entries %" PRIu64
                            " to %" PRIu64 "; they should begin at %" PRIu64
                            " and reach beyond %" PRIu64,
                            j->folder, state->log_begin, state->log_end, j->first, log_next(j) - 1,
                            state->first, state->snapshot);
    }
    return 0;
}

int log_replay(struct journal *j, struct gp_error *err)
{
    const uint64_t end = j->state.log_end; /* copying makes another */
    struct log_file *f = calloc(1, sizeof(*f));
    int rc = 0;

    if (f == NULL) {
        return gp_error_set(err, GP_ENOMEM, "%s: out of memory", j->folder);
    }
    buf_init(&f->buf, LOG_FILE_MAX);
    for (uint64_t number = j->state.log_begin; rc == 0 && number <= end; number++) {
        rc = replay_file(j, number, f, err);
    }
    buf_deinit(&f->buf);
    free(f);
    if (rc == 0) {
        rc = check_whole(j, err);
    }
    if (rc == 0) {
        log_drop_before(j, j->state.first);
    }
    return rc;
}
