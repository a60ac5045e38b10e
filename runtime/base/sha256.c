/*
 * SHA-256 by libmd, HMAC on top of it (RFC 2104), and comparing without telling where it differs.
 * The only file that knows libmd.
 */
#include "base/sha256.h"

#include <string.h>

#include <sha2.h>

#include "base/error.h"

#define SHA256_BLOCK 64 /* bytes that the hash takes at once; the width of an HMAC key */

_Static_assert(sizeof(SHA2_CTX) <= sizeof(struct sha256), "room for the library's context");
_Static_assert(_Alignof(SHA2_CTX) <= _Alignof(struct sha256), "and aligned for it");
_Static_assert(SHA256_DIGEST_LENGTH == SHA256_SIZE, "the same digest");

static SHA2_CTX *context(struct sha256 *sha)
{
    return (SHA2_CTX *)(void *)sha;
}

void sha256_init(struct sha256 *sha)
{
    SHA256Init(context(sha));
}

void sha256_update(struct sha256 *sha, const void *ptr, size_t len)
{
    if (len > 0) {
        SHA256Update(context(sha), (const uint8_t *)ptr, len);
    }
}

void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE])
{
    SHA256Final(ret_digest, context(sha));
    secret_wipe(sha, sizeof(*sha));
}

void sha256(gp_bytes bytes, uint8_t ret_digest[SHA256_SIZE])
{
    struct sha256 sha;

    sha256_init(&sha);
    sha256_update(&sha, bytes.ptr, bytes.len);
    sha256_final(&sha, ret_digest);
}

/* Begins a hash with the key, each byte xored with pad. */
static void start_padded(struct sha256 *sha, const uint8_t key[SHA256_BLOCK], uint8_t pad)
{
    uint8_t block[SHA256_BLOCK];

    for (size_t i = 0; i < SHA256_BLOCK; i++) {
        block[i] = key[i] ^ pad;
    }
    sha256_init(sha);
    sha256_update(sha, block, sizeof(block));
    secret_wipe(block, sizeof(block));
}

void sha256_hmac_init(struct sha256_hmac *hmac, gp_bytes key)
{
    uint8_t block[SHA256_BLOCK] = {0};

    if (key.len > sizeof(block)) {
        sha256(key, block);
    } else if (key.len > 0) {
        memcpy(block, key.ptr, key.len);
    }
    start_padded(&hmac->inner, block, 0x36);
    start_padded(&hmac->outer, block, 0x5c);
    secret_wipe(block, sizeof(block));
}

void sha256_hmac_update(struct sha256_hmac *hmac, const void *ptr, size_t len)
{
    sha256_update(&hmac->inner, ptr, len);
}

void sha256_hmac_final(struct sha256_hmac *hmac, uint8_t ret_mac[SHA256_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256_final(&hmac->inner, digest);
    sha256_update(&hmac->outer, digest, sizeof(digest));
    sha256_final(&hmac->outer, ret_mac);
    secret_wipe(digest, sizeof(digest));
}

void sha256_hmac(gp_bytes key, gp_bytes bytes, uint8_t ret_mac[SHA256_SIZE])
{
    struct sha256_hmac hmac;

    sha256_hmac_init(&hmac, key);
    sha256_hmac_update(&hmac, bytes.ptr, bytes.len);
    sha256_hmac_final(&hmac, ret_mac);
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = (const volatile uint8_t *)a;
    const volatile uint8_t *right = (const volatile uint8_t *)b;
    uint8_t difference = 0;

    for (size_t i = 0; i < len; i++) {
        difference |= (uint8_t)(left[i] ^ right[i]);
    }
    return difference == 0;
}

void secret_wipe(void *ptr, size_t len)
{
    explicit_bzero(ptr, len);
}

void hex_encode(const void *ptr, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = (const uint8_t *)ptr;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

/* Value of a hexadecimal digit, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hex_decode(gp_str text, void *out, size_t len)
{
    uint8_t *bytes = (uint8_t *)out;

    if (text.len % 2 != 0 || text.len / 2 != len) {
        return GP_EINVAL;
    }
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text.ptr[2 * i]);
        int low = hex_value(text.ptr[2 * i + 1]);

        if (high < 0 || low < 0) {
            return GP_EINVAL;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
