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

/* The same by table, whatever the processor can do; for tests. */
uint32_t crc32c_portable(uint32_t crc, const void *ptr, size_t len);

#endif
