/*
 * CRC32C (Castagnoli), the checksum of frames and files.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * Continues a checksum: crc is 0 to begin, or the result for the bytes before.
 * crc32c(crc32c(0, a, n), b, m) is the checksum of a followed by b. Any thread.
 * crc32c(0, "123456789", 9) is 0xe3069283.
 */
uint32_t crc32c(uint32_t crc, const void *ptr, size_t len);

/* The ways to compute it, slowest first. */
enum crc32c_way {
    CRC32C_TABLE,
    CRC32C_CHAINS,
    CRC32C_FOLDING,
    CRC32C_WAYS,
};

typedef uint32_t (*crc32c_fn)(uint32_t crc, const void *ptr, size_t len);

/* One of the ways, NULL if this processor lacks what it needs: for tests. */
crc32c_fn crc32c_way(enum crc32c_way way);

#endif
