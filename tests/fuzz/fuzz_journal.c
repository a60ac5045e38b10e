/*
 * A folder of a journal with files of any content: it is refused with a reason, or opens; then all
 * it says it has can be read, it takes new entries, and has both after the next opening.
 *
 * input: byte 0: bit 0: make the checksums right
 *        then files, each: which name (1), length (2), bytes
 */
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/reader.h"
#include "frail.h"
#include "raft/journal_format.h"

#define SEAL        1
#define FOLDER      "/data/raft"
#define FILE_LENGTH 65535u

static const char *const names[] = {
    FOLDER "/state-1", FOLDER "/state-2",    FOLDER "/log-1",      FOLDER "/log-2",
    FOLDER "/log-3",   FOLDER "/log-4",      FOLDER "/snapshot-5", FOLDER "/snapshot-9",
    FOLDER "/log-9",   FOLDER "/snapshot-1", FOLDER "/other",      FOLDER "/snapshot.new",
};

/* ---- checksums ---- */

static void seal_block(unsigned char *bytes, size_t block, size_t len)
{
    if (len >= block) {
        put_u32_le(bytes + block - 4, crc32c(0, bytes, block - 4));
    }
}

static void seal_log(unsigned char *bytes, size_t len)
{
    size_t at = LOG_HEADER_BYTES;
    uint32_t seed;

    seal_block(bytes, LOG_HEADER_BYTES, len);
    seed = len >= LOG_HEADER_BYTES ? get_u32_le(bytes + LOG_HEADER_BYTES - 4) : 0;
    while (at < len && len - at >= RECORD_HEADER_BYTES) {
        unsigned char *header = bytes + at;
        const uint64_t size = record_bytes(get_u32_le(header + 8));
        unsigned char place[8];

        if (size > len - at) {
            return;
        }
        put_u64_le(place, at);
        put_u32_le(header + 4, crc32c(0, header + RECORD_HEADER_BYTES, size - RECORD_HEADER_BYTES));
        put_u32_le(header, crc32c(crc32c(seed, place, 8), header + 4, RECORD_HEADER_BYTES - 4));
        at += size;
    }
}

static void seal(const char *name, unsigned char *bytes, size_t len)
{
    if (strstr(name, "state-") != NULL) {
        seal_block(bytes, STATE_BYTES, len);
    } else if (strstr(name, "log-") != NULL) {
        seal_log(bytes, len);
    } else if (len >= SNAPSHOT_HEADER_BYTES) {
        put_u32_le(bytes + 56,
                   crc32c(0, bytes + SNAPSHOT_HEADER_BYTES, len - SNAPSHOT_HEADER_BYTES));
        seal_block(bytes, SNAPSHOT_HEADER_BYTES, len);
    }
}

/* ---- the folder ---- */

static void put_files(struct frail *f, struct reader *r, bool sealed)
{
    static unsigned char copy[FILE_LENGTH];

    while (reader_left(r) >= 3) {
        const char *name = names[reader_u8(r) % (sizeof names / sizeof names[0])];
        size_t len = reader_u16(r);
        gp_bytes bytes;

        len = len < reader_left(r) ? len : reader_left(r);
        bytes = reader_bytes(r, len);
        memcpy(copy, bytes.ptr != NULL ? bytes.ptr : "", bytes.len);
        if (sealed) {
            seal(name, copy, bytes.len);
        }
        frail_put(f, name, gp_bytes_of(copy, bytes.len));
    }
}

static int open_journal(struct frail *f, struct journal **ret)
{
    const struct journal_options options = {.port = &f->port, .folder = FOLDER, .file_bytes = 400};
    struct gp_error err = {0};
    int rc = journal_open(&options, ret, &err);

    ASSERT(rc == 0 || (err.code == rc && strstr(err.text, FOLDER) != NULL));
    return rc;
}

static void read_all(struct journal *j)
{
    struct journal_snapshot snapshot;
    struct buf buf = {0};
    uint64_t term;
    uint16_t type;

    ASSERT(journal_first(j) <= journal_last(j) + 1);
    ASSERT(journal_first(j) <= journal_snapshot_index(j) + 1);
    for (uint64_t i = journal_first(j); i <= journal_last(j); i++) {
        buf_clear(&buf);
        ASSERT(journal_read(j, i, &term, &type, &buf, NULL) == 0);
    }
    if (journal_snapshot_index(j) != 0) {
        ASSERT(journal_snapshot_get(j, &snapshot, &buf, NULL) == 0);
        ASSERT(snapshot.index == journal_snapshot_index(j));
    }
    buf_deinit(&buf);
}

/* What an opened journal can do, it does. */
static void use(struct frail *f, struct journal *j)
{
    const struct journal_entry entry = {journal_term(j), 1, {"new", 3}};
    const uint64_t last = journal_last(j);
    const uint64_t term = journal_term(j);

    if (last >= NUMBER_MAX - 2) {
        journal_close(j);
        return;
    }
    ASSERT(journal_append(j, &entry, 1, NULL) == 0);
    ASSERT(journal_set_vote(j, term, journal_vote(j) ^ 1, NULL) == 0);
    journal_close(j);
    frail_restart(f, true);
    ASSERT(open_journal(f, &j) == 0);
    ASSERT(journal_last(j) == last + 1 && journal_term(j) == term);
    read_all(j);
    ASSERT(journal_truncate(j, last + 1, NULL) == 0);
    journal_close(j);
    frail_restart(f, true);
    ASSERT(open_journal(f, &j) == 0);
    ASSERT(journal_last(j) == last);
    journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(gp_bytes_of(data, size));
    const uint8_t flags = reader_u8(&r);
    struct journal *j = NULL;
    struct frail f;

    frail_init(&f, size);
    put_files(&f, &r, (flags & SEAL) != 0);
    if (open_journal(&f, &j) == 0) {
        read_all(j);
        if (journal_member(j) == 0) {
            ASSERT(journal_set_member(j, 7, "g", NULL) == 0);
        }
        use(&f, j);
    }
    frail_deinit(&f);
    return 0;
}
