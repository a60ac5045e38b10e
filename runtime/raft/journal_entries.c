/*
 * journal_entries.c: where each entry lies, and reading one.
 *
 * Invariant: places tells for entries first .. first + count - 1 the record that holds each; file
 * numbers do not go down along it, as an entry is written after those before it. What holds an
 * entry is checked again at each read.
 *
 * Failures: of reading are told with the file, and break nothing.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "raft/journal_internal.h"

#define PLACES_MIN 256u

/* ---- where entries lie ---- */

uint64_t journal_first(const struct journal *j)
{
    return j->first;
}

uint64_t journal_last(const struct journal *j)
{
    return log_next(j) - 1;
}

int log_reserve(struct journal *j, size_t count)
{
    size_t capacity = j->capacity > 0 ? j->capacity : PLACES_MIN;
    struct entry_place *places;

    if (count <= j->capacity - j->count) {
        return 0;
    }
    while (capacity - j->count < count) {
        if (capacity > SIZE_MAX / 2 / sizeof(*places)) {
            return GP_ENOMEM;
        }
        capacity *= 2;
    }
    places = realloc(j->places, capacity * sizeof(*places));
    if (places == NULL) {
        return GP_ENOMEM;
    }
    j->places = places;
    j->capacity = capacity;
    return 0;
}

void log_forget_from(struct journal *j, uint64_t index)
{
    if (index < j->first) {
        j->first = index; /* what went before is in files that are gone */
        j->count = 0;
    }
    ASSERT(index <= log_next(j));
    j->count = (size_t)(index - j->first);
}

static int add_entry(struct journal *j, uint64_t file, const struct record *record)
{
    int rc = log_reserve(j, 1);

    if (rc < 0) {
        return rc;
    }
    j->places[j->count++] = (struct entry_place){.file = file,
                                                 .offset = record->offset,
                                                 .term = record->term,
                                                 .length = (uint32_t)record->data.len,
                                                 .data_crc = record->data_crc,
                                                 .type = record->type};
    return 0;
}

int log_follow(const struct record *record, uint64_t *next)
{
    switch (record->kind) {
    case RECORD_ENTRY:
        if (record->index != *next || *next >= NUMBER_MAX) {
            return GP_EPROTO;
        }
        *next += 1;
        return 0;
    case RECORD_TRUNCATION:
        if (record->index > *next || record->index == 0) {
            return GP_EPROTO;
        }
        *next = record->index;
        return 0;
    case RECORD_MARK:
        return record->index == *next ? 0 : GP_EPROTO;
    }
    return GP_EPROTO;
}

int log_apply(struct journal *j, uint64_t file, const struct record *record)
{
    uint64_t next = log_next(j);
    int rc = log_follow(record, &next);

    if (rc == 0 && record->kind == RECORD_ENTRY) {
        rc = add_entry(j, file, record);
    } else if (rc == 0 && record->kind == RECORD_TRUNCATION) {
        log_forget_from(j, next);
    }
    return rc;
}

void log_drop_before(struct journal *j, uint64_t index)
{
    size_t dropped;

    ASSERT(index <= log_next(j));
    if (index <= j->first) {
        return;
    }
    dropped = (size_t)(index - j->first);
    j->count -= dropped;
    memmove(j->places, j->places + dropped, j->count * sizeof(*j->places));
    j->first = index;
}

/* ---- reading ---- */

static int open_for_read(struct journal *j, uint64_t number, const char *path, struct file **ret,
                         struct gp_error *err)
{
    const struct port *port = j->port;
    int rc;

    if (number == j->state.log_end && j->log != NULL) {
        *ret = j->log;
        return 0;
    }
    if (j->reading == NULL || j->reading_number != number) {
        journal_close_file(j, &j->reading);
        rc = port->fs->open(port->world, path, FS_READ, 0, &j->reading, err);
        if (rc < 0) {
            return rc;
        }
        j->reading_number = number;
    }
    *ret = j->reading;
    return 0;
}

/* The data of an entry, appended to buf. */
static int read_data(struct journal *j, const struct entry_place *place, struct file *file,
                     struct buf *buf)
{
    const size_t padded = (size_t)(record_bytes(place->length) - RECORD_HEADER_BYTES);
    void *space;
    int64_t n;
    int rc = buf_reserve(buf, padded, &space);

    if (rc < 0 || padded == 0) {
        return rc;
    }
    n = j->port->fs->read_at(j->port->world, file, place->offset + RECORD_HEADER_BYTES, space,
                             padded);
    if (n < 0) {
        return (int)n;
    }
    if ((size_t)n != padded || crc32c(0, space, padded) != place->data_crc) {
        return GP_ECHECKSUM;
    }
    buf_commit(buf, place->length);
    return 0;
}

int journal_read(struct journal *j, uint64_t index, uint64_t *ret_term, uint16_t *ret_type,
                 struct buf *buf, struct gp_error *err)
{
    const struct entry_place *place;
    struct file *file = NULL;
    char path[JOURNAL_PATH_MAX];
    int rc = journal_ready(j, err);

    if (rc < 0) {
        return rc;
    }
    if (index < j->first || index >= log_next(j)) {
        return gp_error_set(err, GP_ENOENT, "%s: no entry %" PRIu64, j->folder, index);
    }
    place = &j->places[index - j->first];
    journal_path(j, "log", place->file, path);
    rc = open_for_read(j, place->file, path, &file, err);
    if (rc < 0) {
        return rc;
    }
    rc = read_data(j, place, file, buf);
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: reading entry %" PRIu64 ": %s", path, index,
                            error_sentence(rc));
    }
    *ret_term = place->term;
    *ret_type = place->type;
    return 0;
}
