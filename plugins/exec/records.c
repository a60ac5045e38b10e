/*
 * records.c: rows as the child reads them, and what it writes as rows: lines, or records with their
 * length (u32, little-endian) before them; with a key, that and a tab before the value.
 */
#include <stdlib.h>

#include "exec.h"

#define LENGTH_BYTES 4u

static int32_t make_room(struct worker *w, size_t len)
{
    if (w->to_head == w->to_tail) {
        w->to_head = 0;
        w->to_tail = 0;
    }
    if (w->to_tail + len > w->to_size && w->to_head > 0) {
        memmove(w->to_child, w->to_child + w->to_head, waiting(w));
        w->to_tail -= w->to_head;
        w->to_head = 0;
    }
    if (w->to_tail + len > w->to_size) {
        size_t size = 2 * (w->to_tail + len);
        char *grown = realloc(w->to_child, size);
        if (!grown) {
            return gp_fail(w->task, "no memory for a row");
        }
        w->to_child = grown;
        w->to_size = size;
    }
    return GP_OK;
}

static void put(struct worker *w, const void *bytes, size_t len)
{
    if (len > 0) {
        memcpy(w->to_child + w->to_tail, bytes, len);
        w->to_tail += len;
    }
}

int32_t records_put(struct worker *w, const struct gp_row *row)
{
    const bool keyed = w->keyed && (row->flags & GP_ROW_KEYED);
    const size_t len = (keyed ? (size_t)row->key_len + 1 : 0) + row->value_len;
    const unsigned char length[LENGTH_BYTES] = {(unsigned char)len, (unsigned char)(len >> 8),
                                                (unsigned char)(len >> 16),
                                                (unsigned char)(len >> 24)};

    if (!w->by_length && ((row->value_len > 0 && memchr(row->value, '\n', row->value_len)) ||
                          (keyed && row->key_len > 0 && memchr(row->key, '\n', row->key_len)))) {
        return gp_reject(w->task, "a newline within the row: format=length takes those");
    }
    if (make_room(w, len + LENGTH_BYTES) != GP_OK) {
        return GP_FAIL;
    }
    if (w->by_length) {
        put(w, length, LENGTH_BYTES);
    }
    if (keyed) {
        put(w, row->key, row->key_len);
        put(w, "\t", 1);
    }
    put(w, row->value, row->value_len);
    if (!w->by_length) {
        put(w, "\n", 1);
    }
    w->time_ns = row->time_ns > w->time_ns ? row->time_ns : w->time_ns;
    return GP_OK;
}

static int32_t emit(struct worker *w, struct gp_out *out, gp_str what)
{
    const int64_t mark_ns = w->task->service->watermark_ns(w->task);
    const char *tab = w->keyed ? memchr(what.ptr, '\t', what.len) : NULL;
    const size_t key_len = tab ? (size_t)(tab - what.ptr) : 0;

    /* At the very end the watermark is GP_TIME_MAX, which no row has. */
    if (mark_ns > w->time_ns && mark_ns < GP_TIME_MAX) {
        w->time_ns = mark_ns;
    }
    if (!tab || key_len > GP_KEY_MAX_BYTES) {
        return gp_emit(out, w->time_ns, what.ptr, what.len);
    }
    return gp_emit_keyed(out, w->time_ns, what.ptr, key_len, tab + 1, what.len - key_len - 1);
}

/* The next record of what is there: GP_MORE, GP_IDLE, GP_REJECT as gp_lines_next(). */
static int32_t next_record(struct worker *w, gp_str *ret)
{
    struct gp_lines *l = &w->from_child;
    const unsigned char *at;
    size_t len;

    if (!w->by_length) {
        return gp_lines_next(l, ret);
    }
    if (gp_lines_len(l) < LENGTH_BYTES) {
        return GP_IDLE;
    }
    at = (const unsigned char *)l->bytes + l->head;
    len = at[0] | (size_t)at[1] << 8 | (size_t)at[2] << 16 | (size_t)at[3] << 24;
    if (len > w->line_max) {
        return GP_REJECT;
    }
    if (gp_lines_len(l) < LENGTH_BYTES + len) {
        return GP_IDLE;
    }
    *ret = (gp_str){(const char *)at + LENGTH_BYTES, len};
    l->head += LENGTH_BYTES + len;
    return GP_MORE;
}

int32_t records_emit(struct worker *w, struct gp_out *out)
{
    gp_str record;

    while (!gp_out_full(out)) {
        switch (next_record(w, &record)) {
        case GP_IDLE:
            return GP_OK;
        case GP_REJECT:
            return gp_failf(w->task, "'%.100s' wrote more than line.max, %llu bytes, at once",
                            w->command, (unsigned long long)w->line_max);
        default:
            if (emit(w, out, record) != GP_OK) {
                return GP_FAIL;
            }
        }
    }
    return GP_OK;
}

int32_t records_emit_rest(struct worker *w, struct gp_out *out)
{
    if (gp_lines_len(&w->from_child) == 0) {
        return GP_OK;
    }
    if (w->by_length) {
        return gp_failf(w->task, "'%.100s' ended within a record", w->command);
    }
    return emit(w, out, gp_lines_rest(&w->from_child));
}
