/*
 * lines.h: lines out of a stream of bytes, in bounded memory. A help for plugins that read sockets,
 * pipes or files; nothing here crosses the border, and gearpump.h does not include it.
 *
 *     gp_lines_room(&l, &to, &room)   where the next bytes may be read to
 *     gp_lines_add(&l, count)         so many came
 *     gp_lines_next(&l, &line)        each whole line in turn, without its newline
 *     gp_lines_rest(&l)               what is behind the last newline, once nothing more will come
 *
 * Invariant: bytes[head, tail) came and were not taken; the first `scanned` of them hold no
 * newline. Lines are borrowed until the next gp_lines_room().
 */
#ifndef GEARPUMP_LINES_H
#define GEARPUMP_LINES_H

#include <stdlib.h>

#include <gearpump/types.h>

#define GP_LINES_FIRST_BYTES 4096u /* of the buffer at first; it doubles up to what a line needs */

struct gp_lines {
    char *bytes;
    size_t size;
    size_t head;
    size_t tail;
    size_t scanned;
    size_t line_max; /* bytes, without the newline */
};

/* No memory is taken before the first gp_lines_room(). */
static inline void gp_lines_init(struct gp_lines *l, size_t line_max)
{
    memset(l, 0, sizeof *l);
    l->line_max = line_max;
}

static inline void gp_lines_deinit(struct gp_lines *l)
{
    free(l->bytes);
    gp_lines_init(l, l->line_max);
}

/* Forgets what came. */
static inline void gp_lines_clear(struct gp_lines *l)
{
    l->head = 0;
    l->tail = 0;
    l->scanned = 0;
}

static inline size_t gp_lines_len(const struct gp_lines *l)
{
    return l->tail - l->head;
}

/* At least one byte of room behind what came: GP_OK, or GP_FAIL without memory. */
static inline int32_t gp_lines_room(struct gp_lines *l, char **ret, size_t *ret_len)
{
    size_t len = l->tail - l->head;
    if (l->head > 0 && (l->head >= len || l->tail == l->size)) {
        memmove(l->bytes, l->bytes + l->head, len);
        l->head = 0;
        l->tail = len;
    }
    if (l->tail == l->size) {
        size_t size = l->size ? l->size * 2 : GP_LINES_FIRST_BYTES;
        char *grown = (char *)realloc(l->bytes, size);
        if (!grown) {
            return GP_FAIL;
        }
        l->bytes = grown;
        l->size = size;
    }
    *ret = l->bytes + l->tail;
    *ret_len = l->size - l->tail;
    return GP_OK;
}

static inline void gp_lines_add(struct gp_lines *l, size_t count)
{
    l->tail += count;
}

/* GP_MORE: *ret is a line. GP_IDLE: no whole line is there. GP_REJECT: the first one is longer than
 * line_max; it stays, and so no more than twice line_max is ever held. */
static inline int32_t gp_lines_next(struct gp_lines *l, gp_str *ret)
{
    size_t len = l->tail - l->head;
    const char *begin;
    const char *newline = NULL;
    if (len == 0) {
        return GP_IDLE;
    }
    begin = l->bytes + l->head;
    if (len > l->scanned) {
        newline = (const char *)memchr(begin + l->scanned, '\n', len - l->scanned);
    }
    if (!newline) {
        l->scanned = len;
        return len > l->line_max ? GP_REJECT : GP_IDLE;
    }
    if ((size_t)(newline - begin) > l->line_max) {
        return GP_REJECT;
    }
    ret->ptr = begin;
    ret->len = (size_t)(newline - begin);
    l->head += ret->len + 1;
    l->scanned = 0;
    return GP_MORE;
}

/* Takes all that is there: the last line, which has no newline. Empty: there is none. */
static inline gp_str gp_lines_rest(struct gp_lines *l)
{
    gp_str rest;
    rest.ptr = l->bytes + l->head;
    rest.len = l->tail - l->head;
    if (rest.len == 0) {
        rest.ptr = "";
    }
    gp_lines_clear(l);
    return rest;
}

#endif
