/*
 * The value tree as JSON text (RFC 8259). Recursion is as deep as the tree, which value.c bounds.
 *
 * Failures: those of the buffer, GP_ETOOBIG and GP_ENOMEM; the public functions then cut it back to
 * what it was.
 */
#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/str.h"
#include "base/value.h"

#define INDENT_WIDTH 2

/* Where the text goes, and the error that stops all further writing. */
struct printer {
    struct buf *out;
    enum value_style style;
    int status;
};

static void print_c(struct printer *p, const char *text)
{
    if (p->status == 0) {
        p->status = buf_append_c(p->out, text);
    }
}

static void print_str(struct printer *p, gp_str s)
{
    print_c(p, "\"");
    while (s.len > 0 && p->status == 0) {
        char shown[STR_SHOWN_MAX];
        size_t len = str_json_next(&s, shown);

        p->status = buf_append(p->out, shown, len);
    }
    print_c(p, "\"");
}

static void print_double(struct printer *p, double d)
{
    char text[STR_DOUBLE_MAX];

    print_c(p, isfinite(d) ? str_put_double(d, text) : "null");
}

static void print_i64(struct printer *p, int64_t i)
{
    if (p->status == 0) {
        p->status = buf_append_fmt(p->out, "%" PRId64, i);
    }
}

static void print_break(struct printer *p, unsigned level)
{
    if (p->style == VALUE_COMPACT) {
        return;
    }
    print_c(p, "\n");
    for (unsigned i = 0; i < level * INDENT_WIDTH; i++) {
        print_c(p, " ");
    }
}

static void print_value(struct printer *p, const struct value *v, unsigned level);

static void print_children(struct printer *p, const struct value *v, unsigned level)
{
    bool is_object = value_kind(v) == VALUE_OBJECT;

    print_c(p, is_object ? "{" : "[");
    for (size_t i = 0; i < value_count(v); i++) {
        print_c(p, i > 0 ? "," : "");
        print_break(p, level + 1);
        if (is_object) {
            print_str(p, value_name_at(v, i));
            print_c(p, p->style == VALUE_COMPACT ? ":" : ": ");
        }
        print_value(p, value_at(v, i), level + 1);
    }
    if (value_count(v) > 0) {
        print_break(p, level);
    }
    print_c(p, is_object ? "}" : "]");
}

static void print_value(struct printer *p, const struct value *v, unsigned level)
{
    ASSERT(level < VALUE_DEPTH_MAX);
    switch (value_kind(v)) {
    case VALUE_NULL:
        print_c(p, "null");
        return;
    case VALUE_BOOL:
        print_c(p, value_as_bool(v) ? "true" : "false");
        return;
    case VALUE_I64:
        print_i64(p, value_as_i64(v));
        return;
    case VALUE_DOUBLE:
        print_double(p, value_as_double(v));
        return;
    case VALUE_STR:
        print_str(p, value_as_str(v));
        return;
    case VALUE_LIST:
    case VALUE_OBJECT:
        print_children(p, v, level);
        return;
    }
    UNREACHABLE();
}

/* Undoes what was written if writing failed. */
static int finish(const struct printer *p, size_t len_before)
{
    if (p->status < 0) {
        buf_truncate(p->out, len_before);
    }
    return p->status;
}

int value_print_json(const struct value *v, struct buf *out, enum value_style style)
{
    struct printer p = {.out = out, .style = style};
    size_t len_before = buf_len(out);

    print_value(&p, v, 0);
    return finish(&p, len_before);
}
