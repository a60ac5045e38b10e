/* SHA-256 (FIPS 180-4 examples), HMAC (RFC 4231), hexadecimal, and comparing secrets. */
#include "base/error.h"
#include "base/sha256.h"
#include "base/str.h"
#include "gp_test.h"

static const char *digest_hex(const uint8_t digest[SHA256_SIZE])
{
    static char hex[SHA256_HEX_SIZE];

    hex_encode(digest, SHA256_SIZE, hex);
    return hex;
}

static const char *sha_hex(gp_bytes bytes)
{
    uint8_t digest[SHA256_SIZE];

    sha256(bytes, digest);
    return digest_hex(digest);
}

static const char *hmac_hex(gp_bytes key, gp_bytes bytes)
{
    uint8_t mac[SHA256_SIZE];

    sha256_hmac(key, bytes, mac);
    return digest_hex(mac);
}

GP_TEST(sha256, known_digests_hold)
{
    GP_CHECK_STR_EQ(sha_hex((gp_bytes){0}),
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    GP_CHECK_STR_EQ(sha_hex(str_bytes(GP_STR("abc"))),
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    GP_CHECK_STR_EQ(
        sha_hex(str_bytes(GP_STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

GP_TEST(sha256, parts_continue_each_other)
{
    unsigned char bytes[300];
    uint8_t whole[SHA256_SIZE];

    memset(bytes, 0xa5, sizeof(bytes));
    sha256((gp_bytes){.ptr = bytes, .len = sizeof(bytes)}, whole);
    for (size_t cut = 0; cut <= sizeof(bytes); cut += 13) {
        struct sha256 sha;
        uint8_t digest[SHA256_SIZE];

        sha256_init(&sha);
        sha256_update(&sha, bytes, cut);
        sha256_update(&sha, NULL, 0);
        sha256_update(&sha, bytes + cut, sizeof(bytes) - cut);
        sha256_final(&sha, digest);
        GP_CHECK_MEM_EQ(digest, whole, SHA256_SIZE);
    }
}

GP_TEST(sha256, known_macs_hold)
{
    unsigned char long_key[131];
    unsigned char short_key[20];

    memset(long_key, 0xaa, sizeof(long_key));
    memset(short_key, 0x0b, sizeof(short_key));
    GP_CHECK_STR_EQ(hmac_hex((gp_bytes){.ptr = short_key, .len = sizeof(short_key)},
                             str_bytes(GP_STR("Hi There"))),
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    GP_CHECK_STR_EQ(
        hmac_hex(str_bytes(GP_STR("Jefe")), str_bytes(GP_STR("what do ya want for nothing?"))),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    GP_CHECK_STR_EQ(
        hmac_hex((gp_bytes){.ptr = long_key, .len = sizeof(long_key)},
                 str_bytes(GP_STR("Test Using Larger Than Block-Size Key - Hash Key First"))),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

GP_TEST(sha256, secrets_compare_to_the_last_byte)
{
    uint8_t a[SHA256_SIZE] = {0};
    uint8_t b[SHA256_SIZE] = {0};

    GP_CHECK(secret_equal(a, b, sizeof(a)));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 0x80;
        GP_CHECK(!secret_equal(a, b, sizeof(a)));
        b[i] = 0;
    }
    GP_CHECK(secret_equal(a, b, 0));
    memset(a, 1, sizeof(a));
    secret_wipe(a, sizeof(a));
    GP_CHECK_MEM_EQ(a, b, sizeof(a));
}

GP_TEST(sha256, hexadecimal_goes_there_and_back)
{
    static const unsigned char bytes[] = {0x00, 0x7f, 0x80, 0xff, 0xa5};
    unsigned char back[sizeof(bytes)];
    char hex[2 * sizeof(bytes) + 1];

    hex_encode(bytes, sizeof(bytes), hex);
    GP_CHECK_STR_EQ(hex, "007f80ffa5");
    GP_CHECK_EQ(hex_decode(GP_STR("007F80ffA5"), back, sizeof(back)), 0);
    GP_CHECK_MEM_EQ(back, bytes, sizeof(bytes));
    GP_CHECK_EQ(hex_decode(GP_STR("007f80ff"), back, sizeof(back)), GP_EINVAL);
    GP_CHECK_EQ(hex_decode(GP_STR("007f80ffa"), back, sizeof(back)), GP_EINVAL);
    GP_CHECK_EQ(hex_decode(GP_STR("007f80ffag"), back, sizeof(back)), GP_EINVAL);
    GP_CHECK_EQ(hex_decode(GP_STR("007f80ff5 "), back, sizeof(back)), GP_EINVAL);
    GP_CHECK_EQ(hex_decode((gp_str){0}, back, 0), 0);
}
