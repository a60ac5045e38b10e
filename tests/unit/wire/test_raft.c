/* Messages of masters: they come back as they were, and what cannot be true is refused. */
#include "gp_test.h"
#include "wire/raft.h"

static const struct raft_frame samples[] = {
    {.kind = RAFT_KIND_APPEND, .term = 7, .index = 4, .index_term = 3, .committed = 2},
    {.kind = RAFT_KIND_APPEND, .term = 1},
    {.kind = RAFT_KIND_APPEND_RESULT, .term = 7, .rejected = 9, .index = 5},
    {.kind = RAFT_KIND_VOTE, .flags = RAFT_FLAG_PRE_VOTE, .term = 8, .index = 5, .index_term = 7},
    {.kind = RAFT_KIND_VOTE_RESULT, .flags = RAFT_FLAG_GRANTED, .term = 8},
    {.kind = RAFT_KIND_INSTALL,
     .term = 9,
     .index = 100,
     .index_term = 8,
     .members_index = 40,
     .members = {"mmm", 3},
     .bytes = {"snapshot", 8}},
    {.kind = RAFT_KIND_TIMEOUT_NOW, .term = 9, .index = 100, .index_term = 8},
    {.kind = RAFT_KIND_FRAGMENT,
     .term = 9,
     .parcel = 77,
     .total = 10,
     .offset = 7,
     .bytes = {"xyz", 3}},
    {.kind = RAFT_KIND_FRAGMENT_ACK, .term = 9, .parcel = 77, .offset = 10},
};

static struct raft_frame sample(size_t i)
{
    struct raft_frame frame = samples[i];

    frame.group = 0x1122334455667788;
    frame.from = 11;
    frame.to = UINT64_MAX;
    return frame;
}

static void check_bytes(gp_bytes got, gp_bytes want)
{
    GP_REQUIRE_EQ(got.len, want.len);
    GP_CHECK(want.len == 0 || memcmp(got.ptr, want.ptr, want.len) == 0);
}

static void check_frames(const struct raft_frame *got, const struct raft_frame *want)
{
    GP_CHECK_EQ(got->kind, want->kind);
    GP_CHECK_EQ(got->flags, want->flags);
    GP_CHECK(got->group == want->group && got->from == want->from && got->to == want->to);
    GP_CHECK(got->term == want->term && got->index == want->index);
    GP_CHECK(got->index_term == want->index_term && got->committed == want->committed);
    GP_CHECK(got->rejected == want->rejected && got->members_index == want->members_index);
    GP_CHECK(got->parcel == want->parcel && got->total == want->total);
    GP_CHECK_EQ(got->offset, want->offset);
    GP_CHECK_EQ(got->entry_count, want->entry_count);
    check_bytes(got->members, want->members);
    check_bytes(got->bytes, want->bytes);
}

/* Whether this frame, encoded as it is, is taken. */
static int decode_code(const struct raft_frame *frame)
{
    struct raft_frame back;
    struct buf out = {0};
    int rc;

    GP_REQUIRE_EQ(raft_frame_encode(frame, &out), 0);
    rc = raft_frame_decode(buf_bytes(&out), &back);
    buf_deinit(&out);
    return rc;
}

GP_TEST(raft_frame, comes_back_as_it_was)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const struct raft_frame frame = sample(i);
        struct raft_frame back;
        struct buf out = {0};

        GP_REQUIRE_EQ(raft_frame_encode(&frame, &out), 0);
        GP_REQUIRE_EQ(raft_frame_decode(buf_bytes(&out), &back), 0);
        check_frames(&back, &frame);
        /* Cut anywhere in its fixed part, it is refused. */
        for (size_t len = 0; len < RAFT_FRAME_HEADER_SIZE + 8; len++) {
            GP_CHECK_EQ(raft_frame_decode(gp_bytes_of(buf_bytes(&out).ptr, len), &back), GP_EPROTO);
        }
        buf_deinit(&out);
    }
}

GP_TEST(raft_frame, has_the_layout_it_documents)
{
    static const unsigned char layout[] = {
        1,   RAFT_KIND_APPEND,
        0,   0,
        1,   0,
        0,   0,
        2,   1,
        0,   0,
        0,   0,
        0,   0, /* group 0x102 */
        3,   0,
        0,   0,
        0,   0,
        0,   0,
        4,   0,
        0,   0,
        0,   0,
        0,   0, /* from, to */
        9,   0,
        0,   0,
        0,   0,
        0,   0,
        7,   0,
        0,   0,
        0,   0,
        0,   0, /* term, previous */
        8,   0,
        0,   0,
        0,   0,
        0,   0,
        6,   0,
        0,   0,
        0,   0,
        0,   0, /* its term, committed */
        9,   0,
        0,   0,
        0,   0,
        0,   0,
        2,   0,
        0,   0,
        3,   0,
        0,   0,
        'h', 'i', /* an entry */
    };
    const struct raft_frame frame = {.kind = RAFT_KIND_APPEND,
                                     .group = 0x102,
                                     .from = 3,
                                     .to = 4,
                                     .term = 9,
                                     .index = 7,
                                     .index_term = 8,
                                     .committed = 6,
                                     .entry_count = 1};
    const struct raft_frame_entry entry = {9, RAFT_ENTRY_CHANGE, {"hi", 2}};
    struct raft_frame_entry got;
    struct raft_frame back;
    struct reader r;
    struct buf out = {0};

    GP_REQUIRE_EQ(raft_frame_encode(&frame, &out), 0);
    GP_REQUIRE_EQ(raft_frame_put_entry(&entry, &out), 0);
    GP_REQUIRE_EQ(buf_len(&out), sizeof(layout));
    GP_CHECK_MEM_EQ(buf_bytes(&out).ptr, layout, sizeof(layout));
    GP_REQUIRE_EQ(raft_frame_decode(buf_bytes(&out), &back), 0);
    GP_CHECK_EQ(back.entry_count, 1);
    r = reader_of(back.entries);
    got = raft_frame_entry_next(&r);
    GP_CHECK_EQ(got.term, 9);
    GP_CHECK_EQ(got.type, RAFT_ENTRY_CHANGE);
    check_bytes(got.bytes, entry.bytes);
    buf_deinit(&out);
}

static int decode_entries(struct raft_frame frame, const struct raft_frame_entry *entries,
                          uint32_t count, uint32_t said)
{
    struct raft_frame back;
    struct buf out = {0};
    int rc;

    frame.entry_count = said;
    GP_REQUIRE_EQ(raft_frame_encode(&frame, &out), 0);
    for (uint32_t i = 0; i < count; i++) {
        GP_REQUIRE_EQ(raft_frame_put_entry(&entries[i], &out), 0);
    }
    rc = raft_frame_decode(buf_bytes(&out), &back);
    buf_deinit(&out);
    return rc;
}

/* What libraft would assert on, index with, or believe. */
GP_TEST(raft_frame, refuses_entries_that_cannot_be)
{
    const struct raft_frame frame = sample(0); /* term 7, previous entry of term 3 */
    struct raft_frame_entry e[] = {{3, RAFT_ENTRY_COMMAND, {"a", 1}},
                                   {7, RAFT_ENTRY_BARRIER, {"b", 1}}};

    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), 0);
    GP_CHECK_EQ(decode_entries(frame, e, 2, 1), GP_EPROTO);
    GP_CHECK_EQ(decode_entries(frame, e, 2, 3), GP_EPROTO);
    GP_CHECK_EQ(decode_entries(frame, e, 2, UINT32_MAX), GP_EPROTO);
    e[1].term = 8; /* of a later term than its leader */
    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), GP_EPROTO);
    e[1].term = 2; /* terms fall */
    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), GP_EPROTO);
    e[1] = (struct raft_frame_entry){7, 4, {"b", 1}};
    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), GP_EPROTO);
    e[1] = (struct raft_frame_entry){7, 0, {"b", 1}};
    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), GP_EPROTO);
    e[1] = (struct raft_frame_entry){7, RAFT_ENTRY_COMMAND, {NULL, 0}};
    GP_CHECK_EQ(decode_entries(frame, e, 2, 2), GP_EPROTO);
    e[0].term = 0;
    GP_CHECK_EQ(decode_entries(frame, e, 1, 1), GP_EPROTO);
}

GP_TEST(raft_frame, refuses_numbers_that_cannot_be)
{
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        struct raft_frame frame = sample(i);

        GP_CHECK_EQ(decode_code(&frame), 0);
        frame.from = 0;
        GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        frame = sample(i);
        frame.to = 0;
        GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        frame = sample(i);
        frame.term = 0;
        GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        frame.term = RAFT_FRAME_NUMBER_MAX + 1;
        GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        frame = sample(i);
        frame.flags = 8;
        GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        if (frame.kind <= RAFT_KIND_TIMEOUT_NOW && frame.kind != RAFT_KIND_VOTE_RESULT) {
            frame = sample(i);
            frame.index = UINT64_MAX;
            GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
        }
    }
}

GP_TEST(raft_frame, refuses_previous_entries_that_cannot_be)
{
    struct raft_frame frame = sample(0);

    frame.index_term = 0; /* an entry without a term */
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame.index = 0;
    GP_CHECK_EQ(decode_code(&frame), 0);
    frame.index_term = 3; /* a term without an entry */
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame = sample(0);
    frame.index_term = frame.term + 1;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame = sample(0);
    frame.committed = UINT64_MAX;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
}

GP_TEST(raft_frame, refuses_fragments_beyond_their_parcel)
{
    struct raft_frame frame = sample(7);

    frame.offset = 8;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame.offset = UINT64_MAX - 1;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame = sample(7);
    frame.bytes.len = 0;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame = sample(7);
    frame.total = RAFT_FRAME_PARCEL_MAX + 1;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
}

GP_TEST(raft_frame, refuses_snapshots_without_place)
{
    struct raft_frame frame = sample(5);

    frame.members_index = 101;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame.members_index = 0;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
    frame = sample(5);
    frame.index = frame.index_term = 0;
    GP_CHECK_EQ(decode_code(&frame), GP_EPROTO);
}

GP_TEST(raft_frame, refuses_entries_beyond_their_limit)
{
    static char big[RAFT_FRAME_ENTRY_MAX + 1];
    const struct raft_frame_entry entry = {1, RAFT_ENTRY_COMMAND, {big, sizeof(big)}};
    struct buf out = {0};

    GP_CHECK_EQ(raft_frame_put_entry(&entry, &out), GP_ETOOBIG);
    GP_CHECK_EQ(buf_len(&out), 0);
    buf_deinit(&out);
}
