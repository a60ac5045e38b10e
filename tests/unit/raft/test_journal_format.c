/* The bytes of a journal's files, pinned: what one version wrote the next ones read. */
#include "base/crc32c.h"
#include "base/endian.h"
#include "gp_test.h"
#include "raft/journal_format.h"

static uint64_t u64_at(const unsigned char *bytes, size_t offset)
{
    return get_u64_le(bytes + offset);
}

GP_TEST(journal_format, a_state_file_is_this)
{
    const struct state_file state = {.serial = 2,
                                     .member = 3,
                                     .term = 4,
                                     .vote = 5,
                                     .snapshot = 6,
                                     .first = 7,
                                     .log_begin = 8,
                                     .log_end = 9,
                                     .log_bytes = 10,
                                     .group = "g"};
    struct state_file back;
    unsigned char bytes[STATE_BYTES];

    state_file_encode(&state, bytes);
    GP_CHECK_MEM_EQ(bytes, "GpSt\1\0\0\0", 8);
    for (size_t i = 0; i < 9; i++) {
        GP_CHECK_EQ(u64_at(bytes, 8 + 8 * i), 2 + i);
    }
    GP_CHECK_MEM_EQ(bytes + 80, "g\0\0\0", 4);
    GP_CHECK_EQ(get_u32_le(bytes + 252), crc32c(0, bytes, 252));
    GP_CHECK_EQ(get_u32_le(bytes + 252), 0xaa786946u);
    GP_CHECK_EQ(state_file_decode(gp_bytes_of(bytes, sizeof bytes), &back), 0);
    GP_CHECK_MEM_EQ(&back, &state, sizeof state);
}

GP_TEST(journal_format, a_log_file_is_this)
{
    const struct log_header header = {.member = 3, .number = 4, .next = 5, .before = 88};
    struct record entry = {.kind = RECORD_ENTRY,
                           .type = 2,
                           .index = 5,
                           .term = 6,
                           .synced = LOG_HEADER_BYTES,
                           .offset = LOG_HEADER_BYTES,
                           .data = {"abc", 3}};
    struct log_header back;
    struct record found;
    unsigned char bytes[LOG_HEADER_BYTES];
    const unsigned char *at;
    struct buf buf = {0};
    uint32_t seed;
    uint32_t seed_back;

    seed = log_header_encode(&header, bytes);
    GP_CHECK_MEM_EQ(bytes, "GpLg\1\0\0\0", 8);
    GP_CHECK_EQ(u64_at(bytes, 8), 3);
    GP_CHECK_EQ(u64_at(bytes, 16), 4);
    GP_CHECK_EQ(u64_at(bytes, 24), 5);
    GP_CHECK_EQ(u64_at(bytes, 32), 88);
    GP_CHECK_EQ(seed, 0xd2974b1fu);
    GP_CHECK_EQ(buf_append(&buf, bytes, sizeof bytes), 0);
    GP_CHECK_EQ(record_append(&buf, seed, &entry), 0);
    GP_CHECK_EQ(buf_len(&buf), LOG_HEADER_BYTES + 48);
    at = (const unsigned char *)buf_bytes(&buf).ptr + LOG_HEADER_BYTES;
    GP_CHECK_EQ(get_u32_le(at), 0xe9e2b72au);
    GP_CHECK_EQ(get_u32_le(at + 4), crc32c(0, "abc\0\0\0\0\0", 8));
    GP_CHECK_EQ(get_u32_le(at + 8), 3);
    GP_CHECK_EQ(get_u16_le(at + 12), 1);
    GP_CHECK_EQ(get_u16_le(at + 14), 2);
    GP_CHECK_EQ(u64_at(at, 16), 5);
    GP_CHECK_EQ(u64_at(at, 24), 6);
    GP_CHECK_EQ(u64_at(at, 32), 48);
    GP_CHECK_MEM_EQ(at + 40, "abc\0\0\0\0\0", 8);
    GP_CHECK_EQ(log_header_decode(buf_bytes(&buf), &back, &seed_back), 0);
    GP_CHECK_MEM_EQ(&back, &header, sizeof header);
    GP_CHECK_EQ(seed_back, seed);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), seed, LOG_HEADER_BYTES, &found), 0);
    GP_CHECK(found.index == 5 && found.term == 6 && found.type == 2 && found.data.len == 3);
    buf_deinit(&buf);
}

/* A record of another file, or of another place, is not one. */
GP_TEST(journal_format, a_record_holds_in_its_place_only)
{
    struct record mark = {.kind = RECORD_MARK, .index = 1};
    struct record found;
    struct buf buf = {0};
    char copy[RECORD_HEADER_BYTES];

    GP_CHECK_EQ(record_append(&buf, 1, &mark), 0);
    memcpy(copy, buf_bytes(&buf).ptr, sizeof copy);
    GP_CHECK_EQ(buf_append(&buf, copy, sizeof copy), 0);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), 1, 0, &found), 0);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), 2, 0, &found), GP_ECHECKSUM);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), 1, 40, &found), GP_ECHECKSUM);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), 1, 80, &found), GP_EPROTO);
    GP_CHECK_EQ(record_read(buf_bytes(&buf), 1, UINT64_MAX, &found), GP_EPROTO);
    buf_deinit(&buf);
}

GP_TEST(journal_format, tells_what_was_synced_behind_a_gap)
{
    struct record records[] = {
        {.kind = RECORD_MARK, .index = 1, .offset = 80, .synced = 80},
        {.kind = RECORD_MARK, .index = 1, .offset = 200, .synced = 120},
    };
    struct buf buf = {0};

    for (size_t i = 0; i < 2; i++) {
        GP_CHECK_EQ(buf_append_zero(&buf, (size_t)records[i].offset - buf_len(&buf)), 0);
        GP_CHECK_EQ(record_append(&buf, 9, &records[i]), 0);
    }
    GP_CHECK_EQ(record_synced_behind(buf_bytes(&buf), 9, 0), 120);
    GP_CHECK_EQ(record_synced_behind(buf_bytes(&buf), 9, 208), 0);
    GP_CHECK_EQ(record_synced_behind(buf_bytes(&buf), 8, 0), 0);
    GP_CHECK_EQ(record_synced_behind(buf_bytes(&buf), 9, 1000), 0);
    buf_deinit(&buf);
}

GP_TEST(journal_format, a_snapshot_is_this)
{
    const struct journal_snapshot snapshot = {
        .index = 4, .term = 5, .members_index = 6, .members = {"abc", 3}, .data = {"data!", 5}};
    struct journal_snapshot back;
    uint64_t member = 0;
    unsigned char bytes[SNAPSHOT_HEADER_BYTES + 8];

    snapshot_encode_header(3, &snapshot, bytes);
    memcpy(bytes + SNAPSHOT_HEADER_BYTES, "abcdata!", 8);
    GP_CHECK_MEM_EQ(bytes, "GpSn\1\0\0\0", 8);
    for (size_t i = 0; i < 4; i++) {
        GP_CHECK_EQ(u64_at(bytes, 8 + 8 * i), 3 + i);
    }
    GP_CHECK_EQ(u64_at(bytes, 40), 3);
    GP_CHECK_EQ(u64_at(bytes, 48), 5);
    GP_CHECK_EQ(get_u32_le(bytes + 56), crc32c(0, "abcdata!", 8));
    GP_CHECK_EQ(get_u32_le(bytes + 60), crc32c(0, bytes, 60));
    GP_CHECK_EQ(snapshot_decode(gp_bytes_of(bytes, sizeof bytes), &member, &back), 0);
    GP_CHECK(member == 3 && back.index == 4 && back.term == 5 && back.members_index == 6);
    GP_CHECK_EQ(snapshot_decode(gp_bytes_of(bytes, sizeof bytes - 1), &member, &back), GP_EPROTO);
    bytes[SNAPSHOT_HEADER_BYTES] ^= 1;
    GP_CHECK_EQ(snapshot_decode(gp_bytes_of(bytes, sizeof bytes), &member, &back), GP_ECHECKSUM);
}
