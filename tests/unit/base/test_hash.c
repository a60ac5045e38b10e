/* The hash is part of what a plan means: these values must hold for ever, everywhere. */
#include "base/hash.h"
#include "base/hash_key.h"
#include "gp_test.h"

GP_TEST(hash, known_values_hold)
{
    unsigned char bytes[1000];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 7);
    }
    GP_CHECK(hash_bytes(NULL, 0, 0) == UINT64_C(0x2d06800538d394c2));
    GP_CHECK(hash_bytes("a", 1, 0) == UINT64_C(0xe6c632b61e964e1f));
    GP_CHECK(hash_bytes("gearpump", 8, 42) == UINT64_C(0x0ae0d528077e04ed));
    GP_CHECK(hash_bytes(bytes, 100, 42) == UINT64_C(0x618671bc27428ac8));
    GP_CHECK(hash_bytes(bytes, 1000, 42) == UINT64_C(0x715c5bbc12530d92));
}

GP_TEST(hash, inline_and_called_agree_at_every_length)
{
    unsigned char bytes[600];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (unsigned char)(i * 31 + 5);
    }
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        GP_REQUIRE(hash_key(bytes, len, len) == hash_bytes(bytes, len, len));
    }
}

GP_TEST(hash, seed_and_content_matter)
{
    GP_CHECK(hash_bytes("abc", 3, 1) != hash_bytes("abc", 3, 2));
    GP_CHECK(hash_bytes("abc", 3, 1) != hash_bytes("abd", 3, 1));
    GP_CHECK(hash_u64(1, 1) != hash_u64(1, 2));
    GP_CHECK(hash_u64(1, 1) != hash_u64(2, 1));
}

/* Ids count up; their low bits, which choose a slot, must not collide more than chance does. */
GP_TEST(hash, consecutive_numbers_spread)
{
    unsigned char used[1024] = {0};
    int slots = 0;

    for (uint64_t id = 0; id < 1024; id++) {
        used[hash_u64(id, 7) % 1024] = 1;
    }
    for (size_t i = 0; i < 1024; i++) {
        slots += used[i];
    }
    GP_CHECK(slots > 580 && slots < 720); /* chance fills 1024 * (1 - 1/e) = 647 */
}
