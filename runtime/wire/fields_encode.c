/*
 * Structs to trees and to JSON text.
 *
 * Every field of the table appears, in its order, so that the output of programs has a stable
 * schema; a tree that is not there is null. Nothing is checked against bounds: what we send is
 * ours, and the receiver checks. Failures: GP_ENOMEM, GP_ETOOBIG.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/fields.h"
#include "wire/fields_internal.h"

/* Numbers beyond this are not exact in the doubles that JSON readers use. */
#define EXACT_MAX (INT64_C(1) << 53)

static struct value *text_of(const char *text)
{
    return value_new_str(gp_str_of(text));
}

static struct value *i64_of(int64_t n)
{
    char text[32];

    if (n >= -EXACT_MAX && n <= EXACT_MAX) {
        return value_new_i64(n);
    }
    (void)snprintf(text, sizeof(text), "%" PRId64, n);
    return text_of(text);
}

static struct value *u64_of(uint64_t n)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "%" PRIu64, n);
    return text_of(text);
}

static struct value *duration_of(int64_t ns)
{
    char text[32];

    field_print_duration(ns, text, sizeof(text));
    return text_of(text);
}

static struct value *size_of(uint64_t bytes)
{
    char text[32];

    field_print_size(bytes, text, sizeof(text));
    return text_of(text);
}

/* Our own struct: an index beyond the names would be our mistake, and shows as null. */
static struct value *enum_of(const struct field *field, uint32_t index)
{
    for (uint32_t i = 0; field->names[i] != NULL; i++) {
        if (i == index) {
            return text_of(field->names[i]);
        }
    }
    return value_new_null();
}

static struct value *object_of(const struct fields *table, const void *s)
{
    struct value *object = NULL;

    return fields_encode(table, s, &object) < 0 ? NULL : object;
}

static struct value *rows_of(const struct field *field, const void *s)
{
    const char *items = *(const char *const *)field_at_const(field, s);
    const uint32_t count = items != NULL ? field_count(field, s) : 0;
    struct buf text = {0};
    struct value *v = NULL;

    if (fields_rows_print(field->sub, items, count, &text) == 0) {
        v = value_new_str((gp_str){(const char *)buf_bytes(&text).ptr, buf_bytes(&text).len});
    }
    buf_deinit(&text);
    return v;
}

static struct value *list_of(const struct field *field, const void *s)
{
    const char *items = *(const char *const *)field_at_const(field, s);
    const uint32_t count = items != NULL ? field_count(field, s) : 0;
    struct value *list = value_new_list();

    for (uint32_t i = 0; list != NULL && i < count; i++) {
        if (value_append_take(list, object_of(field->sub, items + i * field->sub->size)) < 0) {
            value_free(list);
            return NULL;
        }
    }
    return list;
}

static struct value *texts_of(const struct field *field, const void *s)
{
    char *const *texts = *(char *const *const *)field_at_const(field, s);
    const uint32_t count = texts != NULL ? field_count(field, s) : 0;
    struct value *list = value_new_list();

    for (uint32_t i = 0; list != NULL && i < count; i++) {
        if (value_append_take(list, text_of(texts[i])) < 0) {
            value_free(list);
            return NULL;
        }
    }
    return list;
}

/* NULL without memory. */
static struct value *value_of(const struct field *field, const void *s)
{
    const void *at = field_at_const(field, s);

    switch (field->kind) {
    case FIELD_KIND_BOOL:
        return value_new_bool(*(const bool *)at);
    case FIELD_KIND_U32:
        return value_new_i64(*(const uint32_t *)at);
    case FIELD_KIND_U64:
        return u64_of(*(const uint64_t *)at);
    case FIELD_KIND_I64:
        return i64_of(*(const int64_t *)at);
    case FIELD_KIND_DOUBLE:
        return value_new_double(*(const double *)at);
    case FIELD_KIND_TEXT:
        return text_of(*(char *const *)at);
    case FIELD_KIND_ENUM:
        return enum_of(field, *(const uint32_t *)at);
    case FIELD_KIND_DURATION:
        return duration_of(*(const int64_t *)at);
    case FIELD_KIND_SIZE:
        return size_of(*(const uint64_t *)at);
    case FIELD_KIND_TREE:
        return *(struct value *const *)at != NULL ? value_dup(*(struct value *const *)at)
                                                  : value_new_null();
    case FIELD_KIND_OBJECT:
        return object_of(field->sub, at);
    case FIELD_KIND_LIST:
        return (field->flags & FIELD_ROWS) != 0 ? rows_of(field, s) : list_of(field, s);
    case FIELD_KIND_TEXTS:
        return texts_of(field, s);
    }
    return NULL;
}

int fields_encode(const struct fields *table, const void *from, struct value **ret)
{
    struct value *object = value_new_object();

    if (object == NULL) {
        return GP_ENOMEM;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];
        const int rc = value_add_take(object, gp_str_of(field->name), value_of(field, from));

        if (rc < 0) {
            value_free(object);
            return rc;
        }
    }
    *ret = object;
    return 0;
}

int fields_print_json(const struct fields *table, const void *from, struct buf *out)
{
    struct value *tree = NULL;
    int rc = fields_encode(table, from, &tree);

    if (rc == 0) {
        rc = value_print_json(tree, out, VALUE_COMPACT);
    }
    value_free(tree);
    return rc;
}
