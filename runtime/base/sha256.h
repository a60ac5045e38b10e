/*
 * SHA-256, HMAC-SHA256, and what belongs to them: hexadecimal text and comparing secrets.
 * Names of artefacts and proofs of knowing a secret are made of these. Any thread; a context has
 * one owner.
 */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#define SHA256_SIZE     32                    /* bytes of a digest */
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* bytes of its text, with the zero */

struct sha256 {
    uint64_t state[28]; /* private: room for the library's context */
};

struct sha256_hmac {
    struct sha256 inner;
    struct sha256 outer;
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *ptr, size_t len);

/* Writes the digest and wipes the context; init again before another use. */
void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]);

/* All at once. */
void sha256(gp_bytes bytes, uint8_t ret_digest[SHA256_SIZE]);

/* RFC 2104; any key length. */
void sha256_hmac_init(struct sha256_hmac *hmac, gp_bytes key);
void sha256_hmac_update(struct sha256_hmac *hmac, const void *ptr, size_t len);
void sha256_hmac_final(struct sha256_hmac *hmac, uint8_t ret_mac[SHA256_SIZE]);

/* All at once. */
void sha256_hmac(gp_bytes key, gp_bytes bytes, uint8_t ret_mac[SHA256_SIZE]);

/* Equality in a time that depends on len only, for secrets and proofs. */
bool secret_equal(const void *a, const void *b, size_t len);

/* Overwrites memory in a way the compiler keeps. */
void secret_wipe(void *ptr, size_t len);

/* Lower-case hexadecimal with a terminating zero; out holds 2 * len + 1 bytes. */
void hex_encode(const void *ptr, size_t len, char *out);

/* Exactly 2 * len digits, either case. Returns 0 or GP_EINVAL (out is then undefined). */
int hex_decode(gp_str text, void *out, size_t len);

#endif
