/*
 * Long lists of numbers as one text: a row for each struct, ended by ';', its fields in the order
 * of the table, separated by ','. A field that is as in the row before (before the first all are 0)
 * is left out, and so are commas at the end:
 *
 *     {0, 0, 17, 1}, {0, 17, 17, 2}    ",,17,1;,17,,2;"
 *
 * A tenth of the same as objects. Only numbers without sign and flags. Failures: GP_EPROTO,
 * GP_ENOMEM.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "wire/fields_internal.h"

static uint64_t number_at(const struct field *field, const void *s)
{
    const void *at = field_at_const(field, s);

    switch (field->kind) {
    case FIELD_KIND_BOOL:
        return *(const bool *)at;
    case FIELD_KIND_U32:
        return *(const uint32_t *)at;
    case FIELD_KIND_U64:
        return *(const uint64_t *)at;
    default:
        UNREACHABLE();
    }
}

/* False: it does not fit. */
static bool set_number(const struct field *field, void *s, uint64_t n)
{
    void *at = field_at(field, s);
    uint64_t type_max = field->kind == FIELD_KIND_BOOL  ? 1
                        : field->kind == FIELD_KIND_U32 ? UINT32_MAX
                                                        : UINT64_MAX;

    if (n > (field->max != 0 ? field->max : type_max)) {
        return false;
    }
    switch (field->kind) {
    case FIELD_KIND_BOOL:
        *(bool *)at = n != 0;
        return true;
    case FIELD_KIND_U32:
        *(uint32_t *)at = (uint32_t)n;
        return true;
    case FIELD_KIND_U64:
        *(uint64_t *)at = n;
        return true;
    default:
        UNREACHABLE();
    }
}

static int print_row(const struct fields *table, const void *s, const void *before, struct buf *out)
{
    uint32_t commas = 0;
    int rc = 0;

    for (size_t i = 0; i < table->count && rc >= 0; i++) {
        const struct field *field = &table->items[i];
        uint64_t n = number_at(field, s);

        if (n != (before ? number_at(field, before) : 0)) {
            char text[32];

            for (; commas > 0 && rc >= 0; commas--) {
                rc = buf_append_c(out, ",");
            }
            (void)snprintf(text, sizeof text, "%" PRIu64, n);
            rc = rc < 0 ? rc : buf_append_c(out, text);
        }
        commas++;
    }
    return rc < 0 ? rc : buf_append_c(out, ";");
}

int fields_rows_print(const struct fields *table, const void *items, uint32_t count,
                      struct buf *out)
{
    const char *at = items;
    int rc = 0;

    for (uint32_t i = 0; i < count && rc >= 0; i++, at += table->size) {
        rc = print_row(table, at, i > 0 ? at - table->size : NULL, out);
    }
    return rc < 0 ? rc : 0;
}

size_t fields_rows_count(gp_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == ';';
    }
    return count;
}

static int read_row(const struct fields *table, gp_str row, void *s)
{
    gp_str cell;

    for (size_t i = 0; i < table->count && row.len > 0; i++) {
        uint64_t n;

        (void)str_cut(row, ',', &cell, &row);
        if (cell.len > 0 && (str_to_u64(cell, &n) < 0 || !set_number(&table->items[i], s, n))) {
            return GP_EPROTO;
        }
    }
    return 0; /* what follows is of a later version, as are unknown names */
}

int fields_rows_read(const struct fields *table, gp_str text, void *items)
{
    char *at = items;
    gp_str row;

    for (uint32_t i = 0; text.len > 0; i++, at += table->size) {
        if (!str_cut(text, ';', &row, &text)) {
            return GP_EPROTO; /* the last one is not ended */
        }
        if (i > 0) {
            memcpy(at, at - table->size, table->size);
        }
        if (read_row(table, row, at) < 0) {
            return GP_EPROTO;
        }
    }
    return 0;
}
