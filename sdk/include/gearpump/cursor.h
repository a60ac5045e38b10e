/*
 * cursor.h: a draft service: messages without key, built where they will be sent from, by code that
 * is inlined into the plugin.
 *
 *     s->cursor = gp_cursor_of(task, 0);                       in open
 *     ...
 *     value = gp_cursor_reserve(s->cursor, time_ns, 100);      in process, poll, ...
 *     if (!value) {
 *         return GP_FAIL;
 *     }
 *     ... write 100 bytes to value ...
 *     rc = gp_cursor_commit(s->cursor, value, 100);
 *
 * does what reserve and commit of gp_out do, for messages without key, on any edge. Where the edge
 * sends runs of rows to one task (shuffle, local, forward; one edge on the port), the host lends a
 * stretch of the send buffer to the cursor, no longer than credit and the run allow, and the
 * functions here write rows to it without a call, until it is full. In all other cases they call
 * the host. Where many messages of one length follow each other, gp_cursor_room(),
 * gp_cursor_begin() and gp_cursor_advance() write as many as fit in a loop of their own: half the
 * instructions of each.
 *
 * A row, in the byte order of x86 and at any address:
 *
 *   offset  size  field
 *        0     8  bytes of the whole row, a multiple of 8 (bits 0-19) | of padding (41-43) | head
 *        8     8  0
 *       16     8  time_ns
 *       24        value, then up to 7 zero bytes
 *
 * Rules: use a cursor only inside callbacks that got a gp_out, and write to nothing but the value
 * reserved last. When the callback returns, and whenever it calls the host to emit, the host takes
 * back what it lent and counts the rows; it fails a task whose cursor is not where it can be.
 * gp_out_full() holds as ever.
 */
#ifndef GEARPUMP_CURSOR_H
#define GEARPUMP_CURSOR_H

#include <gearpump/host.h>

#define GP_SERVICE_CURSOR "gp.draft.cursor/1"

#define GP_CURSOR_HEADER_BYTES 24u /* of a row, before its value */
#define GP_CURSOR_PAD_SHIFT    41u /* of the number of padding bytes in the first word */

/* Filled by the host. Only the functions below write to it: `at` and `rows`. */
struct gp_cursor {
    uint32_t size;
    uint32_t rows;        /* written since the host lent this stretch */
    unsigned char *at;    /* where the next row begins */
    unsigned char *limit; /* where rows must end; at == limit: nothing is lent */
    uint64_t head;        /* what the first words of all rows here have in common */
    uint32_t port;
    uint32_t reserved;
    /* When there is no room: lends anew, or builds aside. NULL on failure: return GP_FAIL. */
    void *(*reserve)(struct gp_cursor *cursor, int64_t time_ns, uint32_t value_len);
    /* For a message built aside, or one that is shorter than was reserved. */
    int32_t (*commit)(struct gp_cursor *cursor, const void *value, uint32_t value_len);
    void *host; /* the host's own */
};

struct gp_cursor_service {
    uint32_t size;
    uint32_t reserved;
    /*
     * The cursor of an output port, valid until close returns; never NULL. What goes to a port to
     * which the graph connects nothing is lost, as with emit. [task thread, from open on]
     */
    struct gp_cursor *(*of)(const struct gp_task *task, uint32_t port);
};

/* NULL when the host has no such service, which GP_REQUIRED_SERVICES can rule out. */
static inline struct gp_cursor *gp_cursor_of(const struct gp_task *task, uint32_t port)
{
    const struct gp_cursor_service *service =
        (const struct gp_cursor_service *)task->host->service(task->host, GP_SERVICE_CURSOR);
    return service ? service->of(task, port) : NULL;
}

static inline uint64_t gp_cursor_row_bytes(uint32_t value_len)
{
    return ((uint64_t)GP_CURSOR_HEADER_BYTES + value_len + 7u) & ~(uint64_t)7u;
}

/* The first word of a row. */
static inline uint64_t gp_cursor_word(const struct gp_cursor *cursor, uint32_t value_len)
{
    uint64_t bytes = gp_cursor_row_bytes(value_len);
    return cursor->head | bytes |
           (bytes - GP_CURSOR_HEADER_BYTES - value_len) << GP_CURSOR_PAD_SHIFT;
}

static inline void gp_cursor_put(unsigned char *at, uint64_t word)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    memcpy(at, &word, sizeof word);
}

static inline uint64_t gp_cursor_get(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Writes the header of a row at `at`, its first word as gp_cursor_word() says; returns its
 * value. */
static inline unsigned char *gp_cursor_begin(unsigned char *at, uint64_t word, uint64_t row_bytes,
                                             int64_t time_ns)
{
    gp_cursor_put(at + row_bytes - 8, 0); /* padding; what the value covers is written over */
    gp_cursor_put(at, word);
    gp_cursor_put(at + 8, 0);
    gp_cursor_put(at + 16, (uint64_t)time_ns);
    return at + GP_CURSOR_HEADER_BYTES;
}

/*
 * value_len writable bytes for the value of a message, valid until the commit or until anything
 * else is emitted; NULL on failure (then return GP_FAIL). Reserving again gives up what was not
 * committed, or fails the task.
 */
static inline void *gp_cursor_reserve(struct gp_cursor *cursor, int64_t time_ns, uint32_t value_len)
{
    uint64_t bytes = gp_cursor_row_bytes(value_len);
    unsigned char *at = cursor->at;
    if (__builtin_expect(bytes > (uint64_t)(cursor->limit - at), 0)) {
        return cursor->reserve(cursor, time_ns, value_len);
    }
    return gp_cursor_begin(at, gp_cursor_word(cursor, value_len), bytes, time_ns);
}

/* Sends what was reserved at `value`, cut to value_len bytes (at most what was reserved). */
static inline int32_t gp_cursor_commit(struct gp_cursor *cursor, const void *value,
                                       uint32_t value_len)
{
    unsigned char *at = cursor->at;
    if (__builtin_expect((uintptr_t)at + GP_CURSOR_HEADER_BYTES != (uintptr_t)value ||
                             gp_cursor_get(at) != gp_cursor_word(cursor, value_len),
                         0)) {
        return cursor->commit(cursor, value, value_len);
    }
    cursor->at = at + gp_cursor_row_bytes(value_len);
    cursor->rows++;
    return GP_OK;
}

/* A message without key, copied. */
static inline int32_t gp_cursor_emit(struct gp_cursor *cursor, int64_t time_ns, const void *value,
                                     uint32_t value_len)
{
    void *to = gp_cursor_reserve(cursor, time_ns, value_len);
    if (!to) {
        return GP_FAIL;
    }
    if (value_len > 0) {
        memcpy(to, value, value_len);
    }
    return gp_cursor_commit(cursor, to, value_len);
}

/*
 * For loops over messages of one length, with all they need in registers: how many of them have
 * room at the cursor now. 0 is no fault: reserve one, and there may be more.
 */
static inline uint32_t gp_cursor_room(const struct gp_cursor *cursor, uint32_t value_len)
{
    return (uint32_t)((uint64_t)(cursor->limit - cursor->at) / gp_cursor_row_bytes(value_len));
}

/* Sends `rows` messages, at most what there was room for, that were begun from cursor->at on, one
 * behind the other, with nothing else emitted meanwhile. */
static inline void gp_cursor_advance(struct gp_cursor *cursor, uint32_t rows, uint32_t value_len)
{
    cursor->at += rows * gp_cursor_row_bytes(value_len);
    cursor->rows += rows;
}

#endif
