/*
 * journal_log.c: adding to the log files.
 *
 * Invariants: the newest file is written by this journal only if it made it (j->log). Before
 * anything is written, memory for what follows is there, so that lack of memory leaves the disk as
 * it was.
 *
 * Append:   [new file] -> records, one write -> sync -> mark, not synced -> entries
 * Failures: of writes and syncs break the journal.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "raft/journal_internal.h"

#define SCRATCH_KEPT_MAX (1u << 20) /* bytes of memory kept between calls */
#define FILES_COUNT_MAX  (1u << 20)

/* ---- writing ---- */

static void scratch_release(struct journal *j)
{
    if (buf_len(&j->scratch) > SCRATCH_KEPT_MAX) {
        buf_deinit(&j->scratch);
    } else {
        buf_clear(&j->scratch);
    }
}

/* Appends records to scratch, as they will stand from offset on. */
static int encode(struct journal *j, uint32_t seed, uint64_t offset, uint64_t synced,
                  struct record *records, size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++) {
        records[i].offset = offset;
        records[i].synced = synced;
        rc = record_append(&j->scratch, seed, &records[i]);
        offset += record_bytes(records[i].data.len);
    }
    return rc;
}

/* scratch as a new file. 0 and *ret_file, or negative and none. */
static int write_new_file(struct journal *j, uint64_t number, struct file **ret_file,
                          struct gp_error *err)
{
    const struct port *port = j->port;
    struct file *file = NULL;
    char path[JOURNAL_PATH_MAX];
    int rc;

    journal_path(j, "log", number, path);
    rc = port->fs->open(port->world, path, FS_READ | FS_WRITE | FS_TRUNCATE, 0600, &file, err);
    if (rc == 0) {
        rc = journal_write(j, file, path, 0, buf_bytes(&j->scratch), err);
    }
    if (rc < 0) {
        journal_close_file(j, &file);
        return rc;
    }
    *ret_file = file;
    return 0;
}

int log_begin_file(struct journal *j, struct log_header *header, struct record *records,
                   size_t count, struct state_file *next, struct gp_error *err)
{
    unsigned char bytes[LOG_HEADER_BYTES];
    struct file *file = NULL;
    uint64_t end;
    uint32_t seed;
    int rc;

    header->member = j->state.member;
    header->number = j->state.log_end + 1;
    seed = log_header_encode(header, bytes);
    rc = buf_append(&j->scratch, bytes, sizeof bytes);
    if (rc == 0) {
        rc = encode(j, seed, LOG_HEADER_BYTES, 0, records, count);
    }
    end = buf_len(&j->scratch);
    if (rc < 0) {
        scratch_release(j);
        return gp_error_set(err, rc, "%s: beginning a log file: %s", j->folder, error_sentence(rc));
    }
    rc = write_new_file(j, header->number, &file, err);
    scratch_release(j);
    if (rc < 0) {
        return journal_break(j, rc, err);
    }
    next->log_end = header->number;
    next->log_bytes = end;
    rc = state_store(j, next, err);
    if (rc < 0) {
        journal_close_file(j, &file);
        return rc;
    }
    journal_close_file(j, &j->log);
    j->log = file;
    j->log_seed = seed;
    j->log_end = end;
    j->log_synced = end;
    return 0;
}

/* Sees to it that there is a file to append to. */
static int ensure_file(struct journal *j, struct gp_error *err)
{
    struct log_header header = {.next = log_next(j), .before = j->log_synced};
    struct state_file next = state_next(j);

    if (j->log != NULL && j->log_end < j->file_bytes) {
        return 0;
    }
    if (j->state.log_end + 1 - j->state.log_begin >= FILES_COUNT_MAX) {
        return gp_error_set(err, GP_EFULL, "%s: %u log files and no snapshot", j->folder,
                            FILES_COUNT_MAX);
    }
    return log_begin_file(j, &header, NULL, 0, &next, err);
}

/* Not synced: it saves a later life from doubt about what is synced already. The next index is as
 * the entries will be. */
static int write_mark(struct journal *j, uint64_t next, const char *path, struct gp_error *err)
{
    const struct port *port = j->port;
    struct record mark = {.kind = RECORD_MARK, .index = next};
    int rc;

    buf_clear(&j->scratch);
    rc = encode(j, j->log_seed, j->log_end, j->log_synced, &mark, 1);
    ASSERT(rc == 0); /* more than this has just been in there */
    rc = port->fs->write_at(port->world, j->log, j->log_end, buf_bytes(&j->scratch).ptr,
                            buf_len(&j->scratch));
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: cannot write: %s", path, error_sentence(rc));
    }
    j->log_end += buf_len(&j->scratch);
    return 0;
}

/* Writes records and syncs them; then they mean what they say. There is memory for entries. */
static int write_records(struct journal *j, struct record *records, size_t count, uint64_t next,
                         struct gp_error *err)
{
    char path[JOURNAL_PATH_MAX];
    int rc = ensure_file(j, err);

    if (rc < 0) {
        return rc;
    }
    rc = encode(j, j->log_seed, j->log_end, j->log_synced, records, count);
    if (rc < 0) {
        scratch_release(j);
        return gp_error_set(err, rc, "%s: appending: %s", j->folder, error_sentence(rc));
    }
    journal_path(j, "log", j->state.log_end, path);
    rc = journal_write(j, j->log, path, j->log_end, buf_bytes(&j->scratch), err);
    if (rc == 0) {
        j->log_end += buf_len(&j->scratch);
        j->log_synced = j->log_end;
        rc = write_mark(j, next, path, err);
    }
    scratch_release(j);
    return rc < 0 ? journal_break(j, rc, err) : 0;
}

/* ---- acts ---- */

/* Turns entries into records; GP_ETOOBIG, GP_ENOMEM. */
static int records_of(const struct journal *j, const struct journal_entry *entries, uint32_t count,
                      struct record **ret)
{
    struct record *records = calloc(count, sizeof(*records));
    uint64_t bytes = 0;

    if (records == NULL) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        bytes += record_bytes(entries[i].bytes.len);
        if (entries[i].bytes.len > JOURNAL_ENTRY_MAX || bytes > JOURNAL_APPEND_MAX) {
            free(records);
            return GP_ETOOBIG;
        }
        records[i] = (struct record){.kind = RECORD_ENTRY,
                                     .type = entries[i].type,
                                     .index = log_next(j) + i,
                                     .term = entries[i].term,
                                     .data = entries[i].bytes};
    }
    *ret = records;
    return 0;
}

int journal_append(struct journal *j, const struct journal_entry *entries, uint32_t count,
                   struct gp_error *err)
{
    struct record *records = NULL;
    int rc;

    err = journal_err(j, err);
    rc = journal_ready(j, err);
    if (rc < 0 || count == 0) {
        return rc;
    }
    rc = count < NUMBER_MAX - log_next(j) ? log_reserve(j, count) : GP_EFULL;
    if (rc == 0) {
        rc = records_of(j, entries, count, &records);
    }
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: appending %u entries: %s", j->folder, count,
                            error_sentence(rc));
    }
    rc = write_records(j, records, count, log_next(j) + count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = log_apply(j, j->state.log_end, &records[i]);
        ASSERT(rc == 0);
    }
    free(records);
    return rc;
}

int journal_truncate(struct journal *j, uint64_t index, struct gp_error *err)
{
    struct record record = {.kind = RECORD_TRUNCATION, .index = index};
    int rc;

    err = journal_err(j, err);
    rc = journal_ready(j, err);
    if (rc < 0) {
        return rc;
    }
    if (index <= j->state.snapshot || index == 0 || index > log_next(j)) {
        return gp_error_set(err, GP_EINVAL,
                            "%s: cannot forget entries from %" PRIu64 " on: they go to %" PRIu64
                            ", the snapshot to %" PRIu64,
                            j->folder, index, log_next(j) - 1, j->state.snapshot);
    }
    if (index == log_next(j)) {
        return 0;
    }
    rc = write_records(j, &record, 1, index, err);
    if (rc == 0) {
        log_forget_from(j, index);
    }
    return rc;
}
