/*
 * The growing buffer.
 *
 *     ptr            head               tail                capacity
 *      |  consumed    |     content      |       free          |
 *
 * Invariants: head <= tail <= capacity <= size_max + 1 (the one byte is for a closing zero);
 * tail - head <= size_max. Growth doubles, so appending is linear in what is appended; content is
 * moved to the front only when at least half of the memory lies before it, for the same reason.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/error.h"

#define BUF_CAPACITY_MIN 64 /* bytes */

void buf_init(struct buf *b, size_t size_max)
{
    ASSERT(size_max < SIZE_MAX);
    *b = (struct buf){.size_max = size_max};
}

void buf_deinit(struct buf *b)
{
    if (b != NULL) {
        free(b->ptr);
        *b = (struct buf){.size_max = b->size_max};
    }
}

void buf_clear(struct buf *b)
{
    b->head = 0;
    b->tail = 0;
}

/* Moves the content to the front of the memory. */
static void buf_compact(struct buf *b)
{
    if (b->head > 0) {
        memmove(b->ptr, b->ptr + b->head, buf_len(b));
        b->tail -= b->head;
        b->head = 0;
    }
}

/* Doubles the memory until `need` bytes fit, capacity < need <= size_max + 1. */
static int buf_grow(struct buf *b, size_t need)
{
    size_t capacity_max = buf_size_max(b) + 1;
    size_t capacity = b->capacity > BUF_CAPACITY_MIN ? b->capacity : BUF_CAPACITY_MIN;
    unsigned char *ptr;

    while (capacity < need) {
        capacity = capacity > capacity_max / 2 ? capacity_max : capacity * 2;
    }
    buf_compact(b);
    ptr = (unsigned char *)realloc(b->ptr, capacity);
    if (ptr == NULL) {
        return GP_ENOMEM;
    }
    b->ptr = ptr;
    b->capacity = capacity;
    return 0;
}

/* Room for `len` bytes at tail; len and content together are within size_max + 1. */
static int buf_make_room(struct buf *b, size_t len)
{
    size_t need = buf_len(b) + len;
    bool can_grow = b->capacity <= buf_size_max(b);

    if (len <= b->capacity - b->tail) {
        return 0;
    }
    if (need <= b->capacity && (b->head >= b->capacity / 2 || !can_grow)) {
        buf_compact(b);
        return 0;
    }
    return buf_grow(b, need > b->capacity ? need : b->capacity + 1);
}

int buf_reserve(struct buf *b, size_t len, void **ret_space)
{
    int rc;

    if (len > buf_size_max(b) - buf_len(b)) {
        return GP_ETOOBIG;
    }
    rc = buf_make_room(b, len);
    if (rc < 0) {
        return rc;
    }
    *ret_space = b->ptr != NULL ? b->ptr + b->tail : NULL;
    return 0;
}

void buf_commit(struct buf *b, size_t len)
{
    ASSERT(len <= b->capacity - b->tail);
    ASSERT(len <= buf_size_max(b) - buf_len(b));
    b->tail += len;
}

int buf_append(struct buf *b, const void *ptr, size_t len)
{
    void *space;
    int rc;

    if (len == 0) {
        return 0;
    }
    rc = buf_reserve(b, len, &space);
    if (rc < 0) {
        return rc;
    }
    memcpy(space, ptr, len);
    b->tail += len;
    return 0;
}

int buf_append_bytes(struct buf *b, gp_bytes bytes)
{
    return buf_append(b, bytes.ptr, bytes.len);
}

int buf_append_str(struct buf *b, gp_str s)
{
    return buf_append(b, s.ptr, s.len);
}

int buf_append_c(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text));
}

int buf_append_vfmt(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    void *space;
    int len;
    int rc;

    va_copy(again, args);
    len = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (len < 0) {
        return GP_EINVAL;
    }
    if ((size_t)len > buf_size_max(b) - buf_len(b)) {
        return GP_ETOOBIG;
    }
    rc = buf_make_room(b, (size_t)len + 1);
    if (rc < 0) {
        return rc;
    }
    space = b->ptr + b->tail;
    (void)vsnprintf((char *)space, (size_t)len + 1, fmt, args); /* measured just now */
    b->tail += (size_t)len;
    return 0;
}

int buf_append_fmt(struct buf *b, const char *fmt, ...)
{
    va_list args;
    int rc;

    va_start(args, fmt);
    rc = buf_append_vfmt(b, fmt, args);
    va_end(args);
    return rc;
}

int buf_append_zero(struct buf *b, size_t len)
{
    void *space;
    int rc;

    if (len == 0) {
        return 0;
    }
    rc = buf_reserve(b, len, &space);
    if (rc < 0) {
        return rc;
    }
    memset(space, 0, len);
    b->tail += len;
    return 0;
}

int buf_append_u8(struct buf *b, uint8_t v)
{
    return buf_append(b, &v, sizeof(v));
}

int buf_append_u16(struct buf *b, uint16_t v)
{
    unsigned char bytes[sizeof(v)];

    put_u16_le(bytes, v);
    return buf_append(b, bytes, sizeof(bytes));
}

int buf_append_u32(struct buf *b, uint32_t v)
{
    unsigned char bytes[sizeof(v)];

    put_u32_le(bytes, v);
    return buf_append(b, bytes, sizeof(bytes));
}

int buf_append_u64(struct buf *b, uint64_t v)
{
    unsigned char bytes[sizeof(v)];

    put_u64_le(bytes, v);
    return buf_append(b, bytes, sizeof(bytes));
}

void buf_consume(struct buf *b, size_t len)
{
    ASSERT(len <= buf_len(b));
    b->head += len;
    if (b->head == b->tail) {
        buf_clear(b);
    }
}

void buf_truncate(struct buf *b, size_t len)
{
    ASSERT(len <= buf_len(b));
    b->tail = b->head + len;
}

const char *buf_c(struct buf *b)
{
    if (buf_make_room(b, 1) < 0) {
        return NULL;
    }
    b->ptr[b->tail] = '\0';
    return (const char *)b->ptr + b->head;
}

char *buf_steal(struct buf *b, size_t *ret_len)
{
    size_t len = buf_len(b);
    char *text;

    if (buf_c(b) == NULL) {
        return NULL;
    }
    buf_compact(b);
    b->ptr[len] = '\0';
    text = (char *)b->ptr;
    *b = (struct buf){.size_max = b->size_max};
    if (ret_len != NULL) {
        *ret_len = len;
    }
    return text;
}
