/*
 * Messages of masters as bytes. One table says which numbers a kind has, so that encoding and
 * decoding cannot differ; decoders read everything first and then ask whether it can be true.
 */
#include "wire/raft.h"

#include "base/assert.h"

#define ENTRY_HEADER_SIZE 16u
#define NUMBERS_MAX       4u

/* Offsets of the numbers in struct raft_frame, in their order on the wire. */
struct layout {
    uint16_t flags; /* that may be set */
    uint8_t count;
    size_t numbers[NUMBERS_MAX];
};

#define AT(field) offsetof(struct raft_frame, field)

static const struct layout layouts[] = {
    [RAFT_KIND_APPEND] = {0, 4, {AT(term), AT(index), AT(index_term), AT(committed)}},
    [RAFT_KIND_APPEND_RESULT] = {0, 3, {AT(term), AT(rejected), AT(index)}},
    [RAFT_KIND_VOTE] = {RAFT_FLAG_DISRUPT | RAFT_FLAG_PRE_VOTE,
                        3,
                        {AT(term), AT(index), AT(index_term)}},
    [RAFT_KIND_VOTE_RESULT] = {RAFT_FLAG_PRE_VOTE | RAFT_FLAG_GRANTED, 1, {AT(term)}},
    [RAFT_KIND_INSTALL] = {0, 4, {AT(term), AT(index), AT(index_term), AT(members_index)}},
    [RAFT_KIND_TIMEOUT_NOW] = {0, 3, {AT(term), AT(index), AT(index_term)}},
    [RAFT_KIND_FRAGMENT] = {0, 4, {AT(term), AT(parcel), AT(total), AT(offset)}},
    [RAFT_KIND_FRAGMENT_ACK] = {0, 3, {AT(term), AT(parcel), AT(offset)}},
};

/* The u32 of the header. */
static uint32_t count_of(const struct raft_frame *frame)
{
    return frame->kind == RAFT_KIND_INSTALL ? (uint32_t)frame->members.len : frame->entry_count;
}

int raft_frame_encode(const struct raft_frame *frame, struct buf *out)
{
    const size_t before = buf_len(out);
    const struct layout *layout;
    int rc;

    ASSERT(frame->kind >= RAFT_KIND_APPEND && frame->kind <= RAFT_KIND_FRAGMENT_ACK);
    layout = &layouts[frame->kind];
    rc = buf_append_u8(out, RAFT_FRAME_VERSION);
    rc = rc < 0 ? rc : buf_append_u8(out, frame->kind);
    rc = rc < 0 ? rc : buf_append_u16(out, frame->flags);
    rc = rc < 0 ? rc : buf_append_u32(out, count_of(frame));
    rc = rc < 0 ? rc : buf_append_u64(out, frame->group);
    rc = rc < 0 ? rc : buf_append_u64(out, frame->from);
    rc = rc < 0 ? rc : buf_append_u64(out, frame->to);
    for (uint8_t i = 0; i < layout->count; i++) {
        uint64_t number;

        memcpy(&number, (const char *)frame + layout->numbers[i], sizeof(number));
        rc = rc < 0 ? rc : buf_append_u64(out, number);
    }
    rc = rc < 0 ? rc : buf_append_bytes(out, frame->members);
    rc = rc < 0 ? rc : buf_append_bytes(out, frame->bytes);
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}

size_t raft_frame_entry_size(size_t len)
{
    return ENTRY_HEADER_SIZE + len;
}

int raft_frame_put_entry(const struct raft_frame_entry *entry, struct buf *out)
{
    const size_t before = buf_len(out);
    int rc = entry->bytes.len > RAFT_FRAME_ENTRY_MAX ? GP_ETOOBIG : 0;

    rc = rc < 0 ? rc : buf_append_u64(out, entry->term);
    rc = rc < 0 ? rc : buf_append_u32(out, (uint32_t)entry->bytes.len);
    rc = rc < 0 ? rc : buf_append_u16(out, entry->type);
    rc = rc < 0 ? rc : buf_append_u16(out, 0);
    rc = rc < 0 ? rc : buf_append_bytes(out, entry->bytes);
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}

struct raft_frame_entry raft_frame_entry_next(struct reader *r)
{
    struct raft_frame_entry entry = {.term = reader_u64(r)};
    const uint32_t size = reader_u32(r);

    entry.type = reader_u16(r);
    if (reader_u16(r) != 0) {
        reader_fail(r);
    }
    entry.bytes = reader_bytes(r, size);
    return entry;
}

/* ---- whether it can be true ---- */

static bool is_number(uint64_t n)
{
    return n <= RAFT_FRAME_NUMBER_MAX;
}

/* An entry and its term: both or neither exist, and it is not of the future. */
static bool is_entry(uint64_t index, uint64_t index_term, uint64_t term)
{
    return is_number(index) && index_term <= term && (index == 0) == (index_term == 0);
}

static bool are_entries(const struct raft_frame *frame)
{
    struct reader r = reader_of(frame->entries);
    uint64_t term = frame->index_term;

    if (frame->entry_count > RAFT_FRAME_ENTRIES_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const struct raft_frame_entry entry = raft_frame_entry_next(&r);

        if (reader_status(&r) < 0 || entry.term < term || entry.term == 0 ||
            entry.term > frame->term || entry.type < RAFT_ENTRY_COMMAND ||
            entry.type > RAFT_ENTRY_CHANGE || entry.bytes.len == 0 ||
            entry.bytes.len > RAFT_FRAME_ENTRY_MAX) {
            return false;
        }
        term = entry.term;
    }
    return reader_finish(&r) == 0;
}

static bool is_fragment(const struct raft_frame *frame)
{
    return frame->total <= RAFT_FRAME_PARCEL_MAX && frame->offset < frame->total &&
           frame->bytes.len >= 1 && frame->bytes.len <= RAFT_FRAME_FRAGMENT_MAX &&
           frame->bytes.len <= frame->total - frame->offset;
}

static bool is_possible(const struct raft_frame *frame)
{
    if (frame->from == 0 || frame->to == 0 || frame->term == 0 || !is_number(frame->term)) {
        return false;
    }
    switch (frame->kind) {
    case RAFT_KIND_APPEND:
        return is_entry(frame->index, frame->index_term, frame->term) &&
               is_number(frame->committed) && are_entries(frame);
    case RAFT_KIND_APPEND_RESULT:
        return is_number(frame->index) && is_number(frame->rejected);
    case RAFT_KIND_VOTE:
    case RAFT_KIND_TIMEOUT_NOW:
        return is_entry(frame->index, frame->index_term, frame->term);
    case RAFT_KIND_INSTALL:
        return frame->index > 0 && is_entry(frame->index, frame->index_term, frame->term) &&
               frame->members_index > 0 && frame->members_index <= frame->index &&
               frame->members.len <= RAFT_FRAME_MEMBERS_MAX &&
               frame->bytes.len <= RAFT_FRAME_DATA_MAX;
    case RAFT_KIND_FRAGMENT:
        return is_fragment(frame);
    case RAFT_KIND_FRAGMENT_ACK:
        return frame->offset <= RAFT_FRAME_PARCEL_MAX;
    default:
        return true;
    }
}

/* ---- reading ---- */

static void read_tail(struct reader *r, uint32_t count, struct raft_frame *frame)
{
    switch (frame->kind) {
    case RAFT_KIND_APPEND:
        frame->entry_count = count;
        frame->entries = reader_bytes(r, reader_left(r));
        break;
    case RAFT_KIND_INSTALL:
        frame->members = reader_bytes(r, count);
        frame->bytes = reader_bytes(r, reader_left(r));
        break;
    case RAFT_KIND_FRAGMENT:
        frame->bytes = reader_bytes(r, reader_left(r));
        break;
    default:
        break;
    }
    if (count != 0 && frame->kind != RAFT_KIND_APPEND && frame->kind != RAFT_KIND_INSTALL) {
        reader_fail(r);
    }
}

int raft_frame_decode(gp_bytes payload, struct raft_frame *ret)
{
    struct reader r = reader_of(payload);
    struct raft_frame frame = {0};
    const struct layout *layout;
    const uint8_t version = reader_u8(&r);
    uint32_t count;

    frame.kind = reader_u8(&r);
    frame.flags = reader_u16(&r);
    count = reader_u32(&r);
    frame.group = reader_u64(&r);
    frame.from = reader_u64(&r);
    frame.to = reader_u64(&r);
    if (reader_status(&r) < 0 || version != RAFT_FRAME_VERSION || frame.kind < RAFT_KIND_APPEND ||
        frame.kind > RAFT_KIND_FRAGMENT_ACK) {
        return GP_EPROTO;
    }
    layout = &layouts[frame.kind];
    for (uint8_t i = 0; i < layout->count; i++) {
        const uint64_t number = reader_u64(&r);

        memcpy((char *)&frame + layout->numbers[i], &number, sizeof(number));
    }
    read_tail(&r, count, &frame);
    if (reader_finish(&r) < 0 || (frame.flags & ~layout->flags) != 0 || !is_possible(&frame)) {
        return GP_EPROTO;
    }
    *ret = frame;
    return 0;
}
