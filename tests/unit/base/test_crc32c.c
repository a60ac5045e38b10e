/* CRC32C: known vectors, and all ways that this processor has agreeing with one bit at a time. */
#include "base/crc32c.h"
#include "base/rng.h"
#include "gp_test.h"

/* By definition, one bit at a time: what the fast ones are measured against. */
static uint32_t reference(uint32_t crc, const unsigned char *bytes, size_t len)
{
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}

/* Whether every way says so. */
static bool all_agree(uint32_t crc, const unsigned char *bytes, size_t len, uint32_t expected)
{
    for (int way = 0; way < CRC32C_WAYS; way++) {
        crc32c_fn fn = crc32c_way((enum crc32c_way)way);

        if (fn && fn(crc, bytes, len) != expected) {
            return false;
        }
    }
    return crc32c(crc, bytes, len) == expected;
}

/* RFC 3720, appendix B.4, and the check value of the polynomial's catalogue entry. */
GP_TEST(crc32c, known_vectors_hold)
{
    unsigned char bytes[32];

    GP_CHECK(crc32c_way(CRC32C_TABLE) != NULL);
    GP_CHECK_EQ(crc32c(0, "", 0), 0);
    GP_CHECK(all_agree(0, (const unsigned char *)"123456789", 9, 0xe3069283));
    memset(bytes, 0, sizeof(bytes));
    GP_CHECK(all_agree(0, bytes, 32, 0x8a9136aa));
    memset(bytes, 0xff, sizeof(bytes));
    GP_CHECK(all_agree(0, bytes, 32, 0x62a8ab43));
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)i;
    }
    GP_CHECK(all_agree(0, bytes, 32, 0x46dd794e));
}

GP_TEST(crc32c, agrees_with_the_definition_at_every_alignment_and_length)
{
    static unsigned char bytes[4096];
    struct rng rng;

    rng_init(&rng, 1);
    rng_fill(&rng, bytes, sizeof(bytes));
    for (size_t offset = 0; offset < 8; offset++) {
        for (size_t len = 0; len <= 300; len++) {
            uint32_t expected = reference(7, bytes + offset, len);

            GP_REQUIRE(all_agree(7, bytes + offset, len, expected));
        }
        /* Around and over three short stripes, and two and more folded blocks. */
        for (size_t len = 480; len <= 3000; len += 31) {
            uint32_t expected = reference(7, bytes + offset, len);

            GP_REQUIRE(all_agree(7, bytes + offset, len, expected));
        }
    }
}

GP_TEST(crc32c, long_stripes_join_without_a_seam)
{
    static unsigned char bytes[132000];
    static const size_t lengths[] = {767,   768,   769,   1535,  1536,   12287,  12288,
                                     12289, 13055, 13056, 24576, 65279,  65280,  65281,
                                     65408, 65535, 65536, 69990, 130559, 130560, 131500};
    struct rng rng;

    rng_init(&rng, 2);
    rng_fill(&rng, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        for (size_t offset = 0; offset < 3; offset++) {
            uint32_t expected = reference(0, bytes + offset, lengths[i]);

            GP_REQUIRE(all_agree(0, bytes + offset, lengths[i], expected));
        }
    }
}

GP_TEST(crc32c, parts_continue_each_other)
{
    static unsigned char bytes[30000];
    struct rng rng;
    uint32_t whole;

    rng_init(&rng, 3);
    rng_fill(&rng, bytes, sizeof(bytes));
    whole = reference(0, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < sizeof(bytes); cut += 997) {
        uint32_t first = crc32c(0, bytes, cut);

        GP_REQUIRE(all_agree(first, bytes + cut, sizeof(bytes) - cut, whole));
    }
}

GP_TEST(crc32c, any_flipped_bit_shows)
{
    static unsigned char bytes[13000];
    uint32_t whole = crc32c(0, bytes, sizeof(bytes));

    for (size_t i = 0; i < sizeof(bytes); i += 11) {
        bytes[i] ^= 0x10;
        GP_REQUIRE(crc32c(0, bytes, sizeof(bytes)) != whole);
        bytes[i] ^= 0x10;
    }
}
