/*
 * Little-endian integers at any address: what travels in frames and stands in files.
 * The copies are single moves on the machines we run on. Bounds are the caller's care; a decoder of
 * foreign bytes uses base/reader.h instead.
 */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ENDIAN_LE16(v) __builtin_bswap16(v)
#define ENDIAN_LE32(v) __builtin_bswap32(v)
#define ENDIAN_LE64(v) __builtin_bswap64(v)
#else
#define ENDIAN_LE16(v) (v)
#define ENDIAN_LE32(v) (v)
#define ENDIAN_LE64(v) (v)
#endif

static inline uint16_t get_u16_le(const void *from)
{
    uint16_t v;
    memcpy(&v, from, sizeof(v));
    return ENDIAN_LE16(v);
}

static inline uint32_t get_u32_le(const void *from)
{
    uint32_t v;
    memcpy(&v, from, sizeof(v));
    return ENDIAN_LE32(v);
}

static inline uint64_t get_u64_le(const void *from)
{
    uint64_t v;
    memcpy(&v, from, sizeof(v));
    return ENDIAN_LE64(v);
}

/* Read exactly once, in memory that others may write to: what was checked is what is used. */
static inline uint64_t get_u64_le_once(const void *from)
{
    struct __attribute__((packed, may_alias)) word {
        uint64_t v;
    };

    return ENDIAN_LE64(((const volatile struct word *)from)->v);
}

static inline void put_u16_le(void *to, uint16_t v)
{
    v = ENDIAN_LE16(v);
    memcpy(to, &v, sizeof(v));
}

static inline void put_u32_le(void *to, uint32_t v)
{
    v = ENDIAN_LE32(v);
    memcpy(to, &v, sizeof(v));
}

static inline void put_u64_le(void *to, uint64_t v)
{
    v = ENDIAN_LE64(v);
    memcpy(to, &v, sizeof(v));
}

#endif
