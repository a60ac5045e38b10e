/*
 * What hangs from a struct, and how a field is described to people. Decoding and encoding are in
 * fields_decode.c and fields_encode.c. Nothing here can fail.
 */
#include "wire/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/fields_internal.h"

void *field_at(const struct field *field, void *s)
{
    return (char *)s + field->offset;
}

const void *field_at_const(const struct field *field, const void *s)
{
    return (const char *)s + field->offset;
}

uint32_t field_count(const struct field *field, const void *s)
{
    return *(const uint32_t *)(const void *)((const char *)s + field->count_offset);
}

void field_set_count(const struct field *field, void *s, uint32_t count)
{
    *(uint32_t *)(void *)((char *)s + field->count_offset) = count;
}

static void deinit_list(const struct field *field, void *s)
{
    void **items = field_at(field, s);
    const uint32_t count = field_count(field, s);

    for (uint32_t i = 0; *items != NULL && i < count; i++) {
        fields_deinit(field->sub, (char *)*items + i * field->sub->size);
    }
    free(*items);
}

static void deinit_texts(const struct field *field, void *s)
{
    char ***texts = field_at(field, s);
    const uint32_t count = field_count(field, s);

    for (uint32_t i = 0; *texts != NULL && i < count; i++) {
        free((*texts)[i]);
    }
    free(*texts);
}

void fields_deinit(const struct fields *table, void *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->items[i];

        switch (field->kind) {
        case FIELD_KIND_TEXT:
            free(*(char **)field_at(field, s));
            break;
        case FIELD_KIND_TREE:
            value_free(*(struct value **)field_at(field, s));
            break;
        case FIELD_KIND_OBJECT:
            fields_deinit(field->sub, field_at(field, s));
            break;
        case FIELD_KIND_LIST:
            deinit_list(field, s);
            break;
        case FIELD_KIND_TEXTS:
            deinit_texts(field, s);
            break;
        default: /* owns nothing */
            break;
        }
    }
    memset(s, 0, table->size);
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* In the largest unit that says it exactly: 1500000000 ns is "1500ms". */
static void print_in_units(uint64_t n, const struct unit *units, char *out, size_t out_size)
{
    while (n % units->factor != 0 || (n == 0 && units->factor > 1)) {
        units++;
    }
    (void)snprintf(out, out_size, "%" PRIu64 "%s", n / units->factor, units->name);
}

void field_print_duration(int64_t ns, char *out, size_t out_size)
{
    static const struct unit units[] = {
        {"h", UINT64_C(3600000000000)}, {"m", UINT64_C(60000000000)}, {"s", UINT64_C(1000000000)},
        {"ms", UINT64_C(1000000)},      {"us", UINT64_C(1000)},       {"ns", 1},
    };

    print_in_units(ns < 0 ? 0 : (uint64_t)ns, units, out, out_size);
}

void field_print_size(uint64_t bytes, char *out, size_t out_size)
{
    static const struct unit units[] = {
        {"TiB", UINT64_C(1) << 40},
        {"GiB", UINT64_C(1) << 30},
        {"MiB", UINT64_C(1) << 20},
        {"KiB", UINT64_C(1) << 10},
        {"B", 1},
    };

    print_in_units(bytes, units, out, out_size);
}

static void describe_enum(const struct field *field, char *out, size_t out_size)
{
    size_t used = (size_t)snprintf(out, out_size, "one of");

    for (size_t i = 0; field->names[i] != NULL && used < out_size; i++) {
        used += (size_t)snprintf(out + used, out_size - used, "%s %s", i > 0 ? "," : "",
                                 field->names[i]);
    }
}

/* ", from 1ms to 10m": bounds are printed as the field itself is written. */
static void describe_bounds(const struct field *field, const char *what, char *out, size_t out_size)
{
    char low[32];
    char high[32];

    switch (field->kind) {
    case FIELD_KIND_DURATION:
        field_print_duration(field->min, low, sizeof(low));
        field_print_duration((int64_t)field->max, high, sizeof(high));
        break;
    case FIELD_KIND_SIZE:
        field_print_size((uint64_t)field->min, low, sizeof(low));
        field_print_size(field->max, high, sizeof(high));
        break;
    default:
        (void)snprintf(low, sizeof(low), "%" PRId64, field->min);
        (void)snprintf(high, sizeof(high), "%" PRIu64, field->max);
        break;
    }
    if (field->max != 0) {
        (void)snprintf(out, out_size, "%s from %s to %s", what, low, high);
    } else if (field->min != 0) {
        (void)snprintf(out, out_size, "%s of at least %s", what, low);
    } else {
        (void)snprintf(out, out_size, "%s", what);
    }
}

static void describe_many(const struct field *field, const char *what, const char *unit,
                          uint64_t otherwise, char *out, size_t out_size)
{
    (void)snprintf(out, out_size, "%s of %s%" PRIu64 " %s", what,
                   (field->flags & FIELD_NONEMPTY) != 0 ? "1 to " : "at most ",
                   field->max != 0 ? field->max : otherwise, unit);
}

const char *field_describe(const struct field *field, char *out, size_t out_size)
{
    switch (field->kind) {
    case FIELD_KIND_BOOL:
        (void)snprintf(out, out_size, "true or false");
        break;
    case FIELD_KIND_U32:
    case FIELD_KIND_U64:
    case FIELD_KIND_I64:
        describe_bounds(field, "a whole number", out, out_size);
        break;
    case FIELD_KIND_DOUBLE:
        describe_bounds(field, "a number", out, out_size);
        break;
    case FIELD_KIND_DURATION:
        describe_bounds(field, "a duration such as 3s", out, out_size);
        break;
    case FIELD_KIND_SIZE:
        describe_bounds(field, "a size such as 16MiB", out, out_size);
        break;
    case FIELD_KIND_TEXT:
        describe_many(field, "text", "bytes", FIELD_TEXT_MAX_DEFAULT, out, out_size);
        break;
    case FIELD_KIND_ENUM:
        describe_enum(field, out, out_size);
        break;
    case FIELD_KIND_TREE:
        (void)snprintf(out, out_size, "anything");
        break;
    case FIELD_KIND_OBJECT:
        (void)snprintf(out, out_size, "an object");
        break;
    case FIELD_KIND_LIST:
        describe_many(field, "a list",
                      (field->flags & FIELD_ROWS) != 0 ? "rows of numbers" : "objects",
                      FIELD_LIST_MAX_DEFAULT, out, out_size);
        break;
    case FIELD_KIND_TEXTS:
        describe_many(field, "a list", "texts", FIELD_LIST_MAX_DEFAULT, out, out_size);
        break;
    }
    return out;
}
