/*
 * A row as it lies in a batch: what is written is read, and nothing else passes for a row.
 */
#include "gp_test.h"
#include "wire/row.h"

static uint32_t put(uint8_t *at, const char *key, uint32_t value_len, uint32_t dst)
{
    uint32_t key_len = key ? (uint32_t)strlen(key) : 0;
    uint32_t size = row_size(key_len, value_len);

    row_put_header(at, size, key_len, value_len, key ? ROW_KEYED : 0, dst, 99, -7);
    for (uint32_t i = 0; i < key_len; i++) {
        at[ROW_HEADER_SIZE + i] = (uint8_t)key[i];
    }
    for (uint32_t i = 0; i < value_len; i++) {
        at[ROW_HEADER_SIZE + key_len + i] = (uint8_t)(i + 1);
    }
    return size;
}

GP_TEST(row, reads_what_was_written)
{
    _Alignas(8) uint8_t bytes[512];

    for (uint32_t len = 0; len < 300; len++) {
        const char *key = len % 3 == 0 ? NULL : len % 3 == 1 ? "" : "the key";
        struct gp_row row;
        uint32_t size;

        memset(bytes, 0xee, sizeof bytes);
        size = put(bytes, key, len, GP_PARALLELISM_MAX - 1);
        GP_CHECK_EQ(row_check(row_word(bytes), size), size);
        GP_CHECK_EQ(row_word_dst(get_u64_le(bytes)), GP_PARALLELISM_MAX - 1);
        row_view(bytes, row_word(bytes), 5, &row);
        GP_CHECK_EQ(row.value_len, len);
        GP_CHECK_EQ(row.key_len, key ? strlen(key) : 0);
        GP_CHECK_EQ(row.flags, key ? GP_ROW_KEYED : 0);
        GP_CHECK_EQ(row.time_ns, -7);
        GP_CHECK_EQ(row.key_hash, 99);
        GP_CHECK_EQ(row.source, 5);
        GP_CHECK(row_of_view(&row) == bytes);
        GP_CHECK(row_end_of_view(&row) == bytes + size);
        for (uint32_t i = 0; i < len; i++) {
            GP_REQUIRE_EQ(((const uint8_t *)row.value)[i], (uint8_t)(i + 1));
        }
    }
}

/* No byte of what lay in memory before may leave this process. */
GP_TEST(row, pads_with_zeros)
{
    for (uint32_t len = 1; len < 40; len++) {
        uint8_t bytes[128];
        uint32_t size;

        memset(bytes, 0xee, sizeof bytes);
        size = put(bytes, NULL, len, 0);
        for (uint32_t i = ROW_HEADER_SIZE + len; i < size; i++) {
            GP_CHECK_EQ(bytes[i], 0);
        }
        GP_CHECK_EQ(bytes[size], 0xee);
    }
}

GP_TEST(row, copies_exactly_what_it_is_told)
{
    uint8_t from[400];
    uint8_t to[400];

    for (uint32_t i = 0; i < sizeof from; i++) {
        from[i] = (uint8_t)(i * 11);
    }
    for (uint32_t n = 0; n < 390; n++) {
        memset(to, 0, sizeof to);
        row_copy(to, from, n);
        GP_CHECK_MEM_EQ(to, from, n);
        GP_CHECK_EQ(to[n], 0);
    }
}

GP_TEST(row, refuses_what_is_none)
{
    _Alignas(8) uint8_t bytes[64] = {0};
    uint32_t size = put(bytes, "key", 5, 0);

    GP_CHECK_EQ(row_check(row_word(bytes), size - 8), 0); /* longer than what is there */
    put_u64_le(bytes, get_u64_le(bytes) + 1);             /* no multiple of 8 */
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 0);
    put_u64_le(bytes, 0);
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 0);
    put_u64_le(bytes, 16); /* shorter than its header */
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 0);
    put_u64_le(bytes, 32 | UINT64_C(9) << ROW_KEY_SHIFT); /* a key longer than the row */
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 0);
    put_u64_le(bytes, 32 | UINT64_C(8) << ROW_KEY_SHIFT);
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 32);
    put_u64_le(bytes, get_u64_le(bytes) | UINT64_C(1) << (ROW_FLAGS_SHIFT + ROW_PAD_SHIFT));
    GP_CHECK_EQ(row_check(row_word(bytes), sizeof bytes), 0); /* and padding besides */
}
