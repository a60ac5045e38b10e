/*
 * row.h: one message as it lies in a batch, in memory and on the wire alike.
 *
 * Three little-endian 64-bit words, then key, value and padding up to a multiple of 8:
 *
 *   offset  size  field
 *        0     8  word 0: bits  0..19  size of the whole row in bytes, padding included
 *                         bits 20..35  length of the key
 *                         bits 36..43  flags: bit 0 keyed, bits 5..7 count of padding bytes
 *                         bits 44..63  receiving task, as index within its processor
 *        8     8  word 1: hash of the key (0 when not keyed)
 *       16     8  word 2: event time, signed nanoseconds
 *       24     n  key, value, then zeros
 *
 * The length of the value is what remains: size - 24 - key - padding. The header is written as
 * whole words because storing fields of different widths and reading them back as words stalls the
 * store buffer: measured at twice the cost of the row.
 *
 * Pure functions on bytes. Writers state sizes they have checked; row_check() is for bytes from
 * anywhere, memory included that its writer may still change: word 0 says all that bounds depend
 * on, is read once (row_word()), and the view of a row says later where the row ends.
 */
#ifndef WIRE_ROW_H
#define WIRE_ROW_H

#include <stdint.h>
#include <string.h>

#include <gearpump/message.h>

#include "base/assert.h"
#include "base/endian.h"

#define ROW_HEADER_SIZE 24u
#define ROW_SIZE_MASK   ((1u << 20) - 1)
#define ROW_KEY_SHIFT   20
#define ROW_FLAGS_SHIFT 36
#define ROW_DST_SHIFT   44
#define ROW_DST_MAX     ((1u << 20) - 1)

#define ROW_KEYED     1u
#define ROW_PAD_SHIFT 5 /* within the flags */

_Static_assert(GP_KEY_MAX_BYTES <= 0xffff, "the length of a key has 16 bits");
_Static_assert(GP_PARALLELISM_MAX <= ROW_DST_MAX, "a task index has 20 bits");
_Static_assert(ROW_KEYED == GP_ROW_KEYED, "the flag is passed on to views as it is");

/* The bytes a row takes. The sum must stay below 4 GiB, which message limits see to. */
static inline uint32_t row_size(uint32_t key_len, uint32_t value_len)
{
    return ALIGN_UP(ROW_HEADER_SIZE + key_len + value_len, 8u);
}

/*
 * memcpy for lengths that are mostly short: up to 32 bytes a call to the library costs more than
 * the copy, which is two moves that may overlap; above, its wide stores win. Touches exactly n
 * bytes on both sides.
 */
static inline void row_copy(uint8_t *to, const void *from, size_t n)
{
    const uint8_t *src = (const uint8_t *)from;

    if (n > 32) {
        memcpy(to, src, n);
    } else if (n >= 16) {
        memcpy(to, src, 16);
        memcpy(to + n - 16, src + n - 16, 16);
    } else if (n >= 8) {
        memcpy(to, src, 8);
        memcpy(to + n - 8, src + n - 8, 8);
    } else if (n >= 4) {
        memcpy(to, src, 4);
        memcpy(to + n - 4, src + n - 4, 4);
    } else if (n > 0) {
        to[0] = src[0];
        to[n / 2] = src[n / 2];
        to[n - 1] = src[n - 1];
    }
}

static inline uint64_t row_word0(uint32_t size, uint32_t key_len, uint32_t value_len,
                                 uint32_t flags, uint32_t dst)
{
    uint32_t pad = size - ROW_HEADER_SIZE - key_len - value_len;

    return (uint64_t)size | (uint64_t)key_len << ROW_KEY_SHIFT |
           (uint64_t)(flags | pad << ROW_PAD_SHIFT) << ROW_FLAGS_SHIFT |
           (uint64_t)dst << ROW_DST_SHIFT;
}

/* Writes the header of a row of row_size(key_len, value_len) bytes at `at`. */
static inline void row_put_words(uint8_t *at, uint32_t size, uint32_t key_len, uint32_t value_len,
                                 uint32_t flags, uint32_t dst, uint64_t hash, int64_t time_ns)
{
    put_u64_le(at, row_word0(size, key_len, value_len, flags, dst));
    put_u64_le(at + 8, hash);
    put_u64_le(at + 16, (uint64_t)time_ns);
}

/* The same and the padding; key and value are to be written afterwards. */
static inline void row_put_header(uint8_t *at, uint32_t size, uint32_t key_len, uint32_t value_len,
                                  uint32_t flags, uint32_t dst, uint64_t hash, int64_t time_ns)
{
    /* The last word first: what the payload then leaves of it is the padding. In a row without
     * payload it is word 2, written below. */
    put_u64_le(at + size - 8, 0);
    row_put_words(at, size, key_len, value_len, flags, dst, hash, time_ns);
}

/* Writes the up to 7 bytes of padding before `end`, where the payload stands already. */
static inline void row_put_padding(uint8_t *end, uint32_t pad)
{
    if (pad & 4u) {
        end -= 4;
        memset(end, 0, 4);
    }
    if (pad & 2u) {
        end -= 2;
        memset(end, 0, 2);
    }
    if (pad & 1u) {
        end[-1] = 0;
    }
}

static inline uint32_t row_word_size(uint64_t word0)
{
    return (uint32_t)word0 & ROW_SIZE_MASK;
}

static inline uint32_t row_word_key_len(uint64_t word0)
{
    return (uint32_t)(word0 >> ROW_KEY_SHIFT) & 0xffffu;
}

static inline uint32_t row_word_flags(uint64_t word0)
{
    return (uint32_t)(word0 >> ROW_FLAGS_SHIFT) & 0x1fu;
}

static inline uint32_t row_word_pad(uint64_t word0)
{
    return (uint32_t)(word0 >> (ROW_FLAGS_SHIFT + ROW_PAD_SHIFT)) & 7u;
}

static inline uint32_t row_word_dst(uint64_t word0)
{
    return (uint32_t)(word0 >> ROW_DST_SHIFT);
}

/* Bytes of the value of a row; above INT32_MAX when key and padding do not fit its size. */
static inline uint32_t row_word_value_len(uint64_t word0)
{
    return row_word_size(word0) - ROW_HEADER_SIZE - row_word_key_len(word0) - row_word_pad(word0);
}

/* Word 0 of a row. */
static inline uint64_t row_word(const uint8_t *at)
{
    return get_u64_le_once(at);
}

/* Bytes of a row, or 0 when no whole and consistent row with that word 0 stands in the next `left`
 * bytes. left is a multiple of 8, and not 0. */
static inline uint32_t row_check(uint64_t word0, size_t left)
{
    uint32_t size = row_word_size(word0);

    /* A value that is not negative means at least a whole header, too. */
    if (UNLIKELY(size > left || (size & 7u) != 0 || row_word_value_len(word0) > INT32_MAX)) {
        return 0;
    }
    return size;
}

/* A view of the row at `at`, whose word 0 row_check() has passed. */
static inline void row_view(const uint8_t *at, uint64_t word0, uint32_t source,
                            struct gp_row *ret_row)
{
    uint32_t key_len = row_word_key_len(word0);

    ret_row->time_ns = (int64_t)get_u64_le(at + 16);
    ret_row->key_hash = get_u64_le(at + 8);
    ret_row->key = at + ROW_HEADER_SIZE;
    ret_row->value = at + ROW_HEADER_SIZE + key_len;
    ret_row->key_len = key_len;
    ret_row->value_len = row_word_value_len(word0);
    ret_row->flags = row_word_flags(word0) & ROW_KEYED;
    ret_row->source = source;
}

/* Where the row of a view begins, and where it ends. */
static inline const uint8_t *row_of_view(const struct gp_row *row)
{
    return (const uint8_t *)row->key - ROW_HEADER_SIZE;
}

static inline const uint8_t *row_end_of_view(const struct gp_row *row)
{
    return row_of_view(row) + row_size(row->key_len, row->value_len);
}

/* Bytes of the rows of n views. */
static inline uint32_t row_size_of_views(const struct gp_row *views, uint32_t n)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; i < n; i++) {
        bytes += row_size(views[i].key_len, views[i].value_len);
    }
    return bytes;
}

#endif
