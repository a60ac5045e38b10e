/*
 * An owned byte buffer that grows up to a stated limit.
 *
 * Bytes are appended at the end and consumed from the front; consuming moves an offset, and the
 * space in front is reused before the buffer grows. A failed append changes nothing.
 * One owner, no locks. Appends answer 0, GP_ETOOBIG (the limit) or GP_ENOMEM.
 * Pointers into the buffer stay valid until the next call that may append, consume or steal.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

/* The limit of a buffer that was only zeroed: 16 MiB. */
#define BUF_SIZE_MAX_DEFAULT ((size_t)16 << 20)

struct buf {
    /* private */
    unsigned char *ptr;
    size_t head;     /* first unconsumed byte */
    size_t tail;     /* one past the last byte */
    size_t capacity; /* bytes allocated */
    size_t size_max; /* limit of bytes held at once; 0 stands for BUF_SIZE_MAX_DEFAULT */
};

/* Empty, holding at most size_max bytes. Allocates nothing. {0} is valid too. */
void buf_init(struct buf *b, size_t size_max);

/* Frees; the buffer is empty again, its limit kept. NULL and zeroed are fine. */
void buf_deinit(struct buf *b);

/* Drops the content, keeps the memory. */
void buf_clear(struct buf *b);

int buf_append(struct buf *b, const void *ptr, size_t len);
int buf_append_bytes(struct buf *b, gp_bytes bytes);
int buf_append_str(struct buf *b, gp_str s);
int buf_append_c(struct buf *b, const char *text);
int buf_append_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_append_vfmt(struct buf *b, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
int buf_append_zero(struct buf *b, size_t len);

/* Little-endian. */
int buf_append_u8(struct buf *b, uint8_t v);
int buf_append_u16(struct buf *b, uint16_t v);
int buf_append_u32(struct buf *b, uint32_t v);
int buf_append_u64(struct buf *b, uint64_t v);

/*
 * Makes room for len more bytes and points *ret_space at it, so that a producer (read, recv) writes
 * in place; then buf_commit says how many it wrote, at most len.
 */
int buf_reserve(struct buf *b, size_t len, void **ret_space);
void buf_commit(struct buf *b, size_t len);

/* Drops len bytes from the front; len is at most buf_len. */
void buf_consume(struct buf *b, size_t len);

/* Cuts the content to its first len bytes; len is at most buf_len. Undoes a partial append. */
void buf_truncate(struct buf *b, size_t len);

/*
 * Moves the content out: malloc'd, with a zero after the last byte that is not counted in
 * *ret_len (may be NULL). The caller frees. The buffer is empty afterwards. NULL without memory,
 * and then the buffer is unchanged.
 */
char *buf_steal(struct buf *b, size_t *ret_len);

/* The content as a zero-terminated C string, borrowed; NULL without memory. */
const char *buf_c(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

static inline size_t buf_size_max(const struct buf *b)
{
    return b->size_max != 0 ? b->size_max : BUF_SIZE_MAX_DEFAULT;
}

/* The content, borrowed. */
static inline gp_bytes buf_bytes(const struct buf *b)
{
    return (gp_bytes){.ptr = b->ptr != NULL ? b->ptr + b->head : NULL, .len = b->tail - b->head};
}

static inline gp_str buf_str(const struct buf *b)
{
    gp_bytes bytes = buf_bytes(b);
    return (gp_str){.ptr = (const char *)bytes.ptr, .len = bytes.len};
}

#endif
