/*
 * A bounds-checked cursor over bytes from outside.
 *
 * The error is sticky: once a read goes past the end, that read and all later ones give zeros and
 * empty slices, and reader_status says GP_EPROTO. So a decoder reads all its fields in a row, like
 * a schema, and asks once at the end; it must not act on a value before it asked. Slices borrow
 * from the bytes given at init.
 */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/endian.h"
#include "base/error.h"

struct reader {
    /* private */
    const unsigned char *at;
    size_t left;
    int status; /* 0 or GP_EPROTO */
};

static inline struct reader reader_of(gp_bytes bytes)
{
    return (struct reader){.at = (const unsigned char *)bytes.ptr, .left = bytes.len, .status = 0};
}

/* 0 as long as every read so far stood within the bytes, else GP_EPROTO. */
static inline int reader_status(const struct reader *r)
{
    return r->status;
}

/* Bytes not read yet; 0 after an error. */
static inline size_t reader_left(const struct reader *r)
{
    return r->left;
}

/* 0 if no error and nothing is left over, else GP_EPROTO: the last question of a strict decoder. */
static inline int reader_finish(const struct reader *r)
{
    return r->status < 0 || r->left > 0 ? GP_EPROTO : 0;
}

/* Marks the input as malformed, for a decoder that found a bad value. */
static inline void reader_fail(struct reader *r)
{
    r->status = GP_EPROTO;
    r->left = 0;
}

/* The next len bytes, or NULL after an error (len 0 may give NULL too). */
static inline const unsigned char *reader_take(struct reader *r, size_t len)
{
    const unsigned char *at = r->at;

    if (len > r->left) {
        reader_fail(r);
        return NULL;
    }
    if (len > 0) {
        r->at += len;
        r->left -= len;
    }
    return at;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const unsigned char *p = reader_take(r, 1);
    return p != NULL ? *p : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    const unsigned char *p = reader_take(r, 2);
    return p != NULL ? get_u16_le(p) : 0;
}

static inline uint32_t reader_u32(struct reader *r)
{
    const unsigned char *p = reader_take(r, 4);
    return p != NULL ? get_u32_le(p) : 0;
}

static inline uint64_t reader_u64(struct reader *r)
{
    const unsigned char *p = reader_take(r, 8);
    return p != NULL ? get_u64_le(p) : 0;
}

/* len bytes, borrowed; empty after an error. */
static inline gp_bytes reader_bytes(struct reader *r, size_t len)
{
    const unsigned char *p = reader_take(r, len);
    return (gp_bytes){.ptr = p, .len = p != NULL ? len : 0};
}

static inline gp_str reader_str(struct reader *r, size_t len)
{
    const unsigned char *p = reader_take(r, len);
    return (gp_str){.ptr = (const char *)p, .len = p != NULL ? len : 0};
}

static inline void reader_skip(struct reader *r, size_t len)
{
    (void)reader_take(r, len); /* the error is kept in the reader */
}

#endif
