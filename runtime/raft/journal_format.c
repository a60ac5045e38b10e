/*
 * journal_format.c: see journal_format.h. Tables of offsets turned into code; nothing here knows of
 * files, order or meaning.
 */
#include "raft/journal_format.h"

#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/reader.h"

#define MAGIC_STATE      0x74537047u /* "GpSt" */
#define MAGIC_LOG        0x674c7047u /* "GpLg" */
#define MAGIC_SNAPSHOT   0x6e537047u /* "GpSn" */
#define FORMAT_VERSION   1u
#define STATE_ZEROS      44u
#define RECORD_ALIGN     8u
#define RECORD_DATA_SIZE (RECORD_HEADER_BYTES - 4) /* bytes under the header's checksum */

_Static_assert(80 + JOURNAL_GROUP_MAX + STATE_ZEROS + 4 == STATE_BYTES, "a state file");
_Static_assert(LOG_HEADER_BYTES % RECORD_ALIGN == 0, "the first record is aligned");
_Static_assert(RECORD_HEADER_BYTES % RECORD_ALIGN == 0, "data is aligned");

/* ---- fixed blocks ---- */

static unsigned char *put_u32(unsigned char *at, uint32_t v)
{
    put_u32_le(at, v);
    return at + 4;
}

static unsigned char *put_u64(unsigned char *at, uint64_t v)
{
    put_u64_le(at, v);
    return at + 8;
}

/* Ends a block of len bytes, of which the last four are the checksum of the others. */
static uint32_t seal(unsigned char *block, size_t len)
{
    uint32_t crc = crc32c(0, block, len - 4);

    put_u32_le(block + len - 4, crc);
    return crc;
}

/* Whether a block is sealed and begins with this magic and version; the reader then stands behind
 * them. */
static int unseal(gp_bytes block, size_t len, uint32_t magic, struct reader *ret)
{
    const unsigned char *ptr = block.ptr;
    uint32_t version;

    if (block.len < len) {
        return GP_EPROTO;
    }
    if (crc32c(0, ptr, len - 4) != get_u32_le(ptr + len - 4)) {
        return GP_ECHECKSUM;
    }
    *ret = reader_of(gp_bytes_of(ptr, len - 4));
    if (reader_u32(ret) != magic) {
        return GP_EPROTO;
    }
    version = reader_u32(ret);
    return version == FORMAT_VERSION ? 0 : version > FORMAT_VERSION ? GP_EUNSUPPORTED : GP_EPROTO;
}

/* ---- state ---- */

void state_file_encode(const struct state_file *state, unsigned char ret[STATE_BYTES])
{
    unsigned char *at = ret;

    ASSERT(memchr(state->group, 0, sizeof state->group) != NULL);
    memset(ret, 0, STATE_BYTES);
    at = put_u32(at, MAGIC_STATE);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, state->serial);
    at = put_u64(at, state->member);
    at = put_u64(at, state->term);
    at = put_u64(at, state->vote);
    at = put_u64(at, state->snapshot);
    at = put_u64(at, state->first);
    at = put_u64(at, state->log_begin);
    at = put_u64(at, state->log_end);
    at = put_u64(at, state->log_bytes);
    memcpy(at, state->group, strlen(state->group));
    (void)seal(ret, STATE_BYTES);
}

static bool is_state_possible(const struct state_file *s)
{
    return s->member != 0 && s->serial < NUMBER_MAX && s->snapshot < NUMBER_MAX && s->first > 0 &&
           s->first < NUMBER_MAX && s->log_begin > 0 && s->log_begin <= NUMBER_MAX &&
           s->log_end >= s->log_begin - 1 && s->log_end < NUMBER_MAX;
}

int state_file_decode(gp_bytes bytes, struct state_file *ret)
{
    struct state_file state;
    const unsigned char *group;
    struct reader r;
    int rc = bytes.len == STATE_BYTES ? unseal(bytes, STATE_BYTES, MAGIC_STATE, &r) : GP_EPROTO;

    if (rc < 0) {
        return rc;
    }
    state.serial = reader_u64(&r);
    state.member = reader_u64(&r);
    state.term = reader_u64(&r);
    state.vote = reader_u64(&r);
    state.snapshot = reader_u64(&r);
    state.first = reader_u64(&r);
    state.log_begin = reader_u64(&r);
    state.log_end = reader_u64(&r);
    state.log_bytes = reader_u64(&r);
    group = reader_take(&r, sizeof state.group);
    reader_skip(&r, STATE_ZEROS);
    ASSERT(reader_finish(&r) == 0);
    if (!is_state_possible(&state) || group[sizeof state.group - 1] != 0) {
        return GP_EPROTO;
    }
    memcpy(state.group, group, sizeof state.group);
    *ret = state;
    return 0;
}

/* ---- log ---- */

uint32_t log_header_encode(const struct log_header *header, unsigned char ret[LOG_HEADER_BYTES])
{
    unsigned char *at = ret;

    at = put_u32(at, MAGIC_LOG);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, header->member);
    at = put_u64(at, header->number);
    at = put_u64(at, header->next);
    at = put_u64(at, header->before);
    (void)put_u32(at, 0);
    return seal(ret, LOG_HEADER_BYTES);
}

int log_header_decode(gp_bytes file, struct log_header *ret, uint32_t *ret_seed)
{
    struct log_header header;
    struct reader r;
    int rc = unseal(file, LOG_HEADER_BYTES, MAGIC_LOG, &r);

    if (rc < 0) {
        return rc;
    }
    header.member = reader_u64(&r);
    header.number = reader_u64(&r);
    header.next = reader_u64(&r);
    header.before = reader_u64(&r);
    if (header.next == 0 || header.next >= NUMBER_MAX ||
        (header.before != 0 && header.before < LOG_HEADER_BYTES)) {
        return GP_EPROTO;
    }
    *ret = header;
    *ret_seed = get_u32_le((const unsigned char *)file.ptr + LOG_HEADER_BYTES - 4);
    return 0;
}

/* ---- records ---- */

static uint32_t record_header_crc(uint32_t seed, uint64_t offset, const unsigned char *header)
{
    unsigned char place[8];

    put_u64_le(place, offset);
    return crc32c(crc32c(seed, place, sizeof place), header + 4, RECORD_DATA_SIZE);
}

int record_append(struct buf *buf, uint32_t seed, struct record *record)
{
    const uint64_t size = record_bytes(record->data.len);
    const size_t padding = (size_t)(size - RECORD_HEADER_BYTES - record->data.len);
    unsigned char *header;
    void *space;
    int rc = buf_reserve(buf, (size_t)size, &space);

    if (rc < 0) {
        return rc;
    }
    ASSERT(record->data.len <= JOURNAL_ENTRY_MAX && record->offset % RECORD_ALIGN == 0);
    header = space;
    if (record->data.len > 0) {
        memcpy(header + RECORD_HEADER_BYTES, record->data.ptr, record->data.len);
    }
    memset(header + RECORD_HEADER_BYTES + record->data.len, 0, padding);
    record->data_crc = crc32c(0, header + RECORD_HEADER_BYTES, record->data.len + padding);
    put_u32_le(header + 4, record->data_crc);
    put_u32_le(header + 8, (uint32_t)record->data.len);
    put_u16_le(header + 12, (uint16_t)record->kind);
    put_u16_le(header + 14, record->type);
    put_u64_le(header + 16, record->index);
    put_u64_le(header + 24, record->term);
    put_u64_le(header + 32, record->synced);
    put_u32_le(header, record_header_crc(seed, record->offset, header));
    buf_commit(buf, (size_t)size);
    return 0;
}

/* The header at offset, which stands within the file; data is only its length yet. */
static int header_decode(gp_bytes file, uint32_t seed, uint64_t offset, struct record *ret)
{
    const unsigned char *header = (const unsigned char *)file.ptr + offset;
    uint32_t length = get_u32_le(header + 8);
    uint16_t kind = get_u16_le(header + 12);

    if (get_u32_le(header) != record_header_crc(seed, offset, header)) {
        return GP_ECHECKSUM;
    }
    if (length > JOURNAL_ENTRY_MAX || kind < RECORD_ENTRY || kind > RECORD_MARK) {
        return GP_EPROTO;
    }
    *ret = (struct record){.kind = (enum record_kind)kind,
                           .type = get_u16_le(header + 14),
                           .data_crc = get_u32_le(header + 4),
                           .offset = offset,
                           .index = get_u64_le(header + 16),
                           .term = get_u64_le(header + 24),
                           .synced = get_u64_le(header + 32),
                           .data = {.len = length}};
    return ret->synced <= offset ? 0 : GP_EPROTO;
}

int record_read(gp_bytes file, uint32_t seed, uint64_t offset, struct record *ret)
{
    const unsigned char *data;
    struct record record;
    uint64_t size;
    int rc;

    if (offset > file.len || file.len - offset < RECORD_HEADER_BYTES) {
        return GP_EPROTO;
    }
    rc = header_decode(file, seed, offset, &record);
    if (rc < 0) {
        return rc;
    }
    size = record_bytes(record.data.len);
    if (file.len - offset < size) {
        return GP_EPROTO;
    }
    data = (const unsigned char *)file.ptr + offset + RECORD_HEADER_BYTES;
    if (crc32c(0, data, (size_t)(size - RECORD_HEADER_BYTES)) != record.data_crc) {
        return GP_ECHECKSUM;
    }
    record.data.ptr = data;
    *ret = record;
    return 0;
}

uint64_t record_synced_behind(gp_bytes file, uint32_t seed, uint64_t offset)
{
    uint64_t synced = 0;
    struct record record;

    for (; offset <= file.len && file.len - offset >= RECORD_HEADER_BYTES; offset += RECORD_ALIGN) {
        if (header_decode(file, seed, offset, &record) == 0 && record.synced > synced) {
            synced = record.synced;
        }
    }
    return synced;
}

/* ---- snapshot ---- */

static uint32_t crc_of(uint32_t crc, gp_bytes bytes)
{
    return bytes.len > 0 ? crc32c(crc, bytes.ptr, bytes.len) : crc;
}

void snapshot_encode_header(uint64_t member, const struct journal_snapshot *snapshot,
                            unsigned char ret[SNAPSHOT_HEADER_BYTES])
{
    unsigned char *at = ret;

    at = put_u32(at, MAGIC_SNAPSHOT);
    at = put_u32(at, FORMAT_VERSION);
    at = put_u64(at, member);
    at = put_u64(at, snapshot->index);
    at = put_u64(at, snapshot->term);
    at = put_u64(at, snapshot->members_index);
    at = put_u64(at, snapshot->members.len);
    at = put_u64(at, snapshot->data.len);
    (void)put_u32(at, crc_of(crc_of(0, snapshot->members), snapshot->data));
    (void)seal(ret, SNAPSHOT_HEADER_BYTES);
}

int snapshot_decode(gp_bytes file, uint64_t *ret_member, struct journal_snapshot *ret)
{
    struct journal_snapshot snapshot;
    struct reader body;
    struct reader r;
    uint64_t members_len;
    uint64_t data_len;
    uint64_t member;
    int rc = unseal(file, SNAPSHOT_HEADER_BYTES, MAGIC_SNAPSHOT, &r);

    if (rc < 0) {
        return rc;
    }
    member = reader_u64(&r);
    snapshot.index = reader_u64(&r);
    snapshot.term = reader_u64(&r);
    snapshot.members_index = reader_u64(&r);
    members_len = reader_u64(&r);
    data_len = reader_u64(&r);
    if (members_len > JOURNAL_MEMBERS_MAX || data_len > JOURNAL_SNAPSHOT_MAX) {
        return GP_EPROTO;
    }
    body = reader_of(file);
    reader_skip(&body, SNAPSHOT_HEADER_BYTES);
    snapshot.members = reader_bytes(&body, (size_t)members_len);
    snapshot.data = reader_bytes(&body, (size_t)data_len);
    if (reader_finish(&body) < 0) {
        return GP_EPROTO;
    }
    if (reader_u32(&r) != crc_of(crc_of(0, snapshot.members), snapshot.data)) {
        return GP_ECHECKSUM;
    }
    *ret_member = member;
    *ret = snapshot;
    return 0;
}
