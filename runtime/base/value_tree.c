/*
 * What concerns a whole tree of values: copying and comparing it, by asking value.c alone.
 * Recursion is as deep as the tree, which value.c bounds.
 */
#include "base/assert.h"
#include "base/str.h"
#include "base/value.h"

/* A copy of a leaf, or an empty container of the same kind. */
static struct value *dup_shallow(const struct value *v)
{
    switch (value_kind(v)) {
    case VALUE_NULL:
        return value_new_null();
    case VALUE_BOOL:
        return value_new_bool(value_as_bool(v));
    case VALUE_I64:
        return value_new_i64(value_as_i64(v));
    case VALUE_DOUBLE:
        return value_new_double(value_as_double(v));
    case VALUE_STR:
        return value_new_str(value_as_str(v));
    case VALUE_LIST:
        return value_new_list();
    case VALUE_OBJECT:
        return value_new_object();
    }
    UNREACHABLE();
}

struct value *value_dup(const struct value *v)
{
    struct value *copy = dup_shallow(v);

    if (copy == NULL) {
        return NULL;
    }
    value_set_position(copy, value_line(v), value_column(v));
    for (size_t i = 0; i < value_count(v); i++) {
        struct value *child = value_dup(value_at(v, i));
        int rc = value_kind(v) == VALUE_LIST ? value_append_take(copy, child)
                                             : value_set_take(copy, value_name_at(v, i), child);

        if (rc < 0) {
            value_free(copy);
            return NULL;
        }
    }
    return copy;
}

static bool children_equal(const struct value *a, const struct value *b)
{
    if (value_count(a) != value_count(b)) {
        return false;
    }
    for (size_t i = 0; i < value_count(a); i++) {
        if (value_kind(a) == VALUE_OBJECT && !str_eq(value_name_at(a, i), value_name_at(b, i))) {
            return false;
        }
        if (!value_equal(value_at(a, i), value_at(b, i))) {
            return false;
        }
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (value_kind(a) != value_kind(b)) {
        return false;
    }
    switch (value_kind(a)) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOL:
        return value_as_bool(a) == value_as_bool(b);
    case VALUE_I64:
        return value_as_i64(a) == value_as_i64(b);
    case VALUE_DOUBLE:
        return value_as_double(a) == value_as_double(b);
    case VALUE_STR:
        return str_eq(value_as_str(a), value_as_str(b));
    case VALUE_LIST:
    case VALUE_OBJECT:
        return children_equal(a, b);
    }
    UNREACHABLE();
}
