/*
 * Numbers, flags, names, durations and sizes: one value of a tree into one member of a struct.
 *
 * Each answers whether the value is of its kind and within the bounds of its field, and writes
 * only then. Lenient is for configuration, where everything may come as text (an environment
 * variable); a message must have the kind that its table says.
 */
#include "base/str.h"
#include "wire/fields_internal.h"

static bool within_u64(const struct field *field, uint64_t n)
{
    return n >= (uint64_t)field->min && (field->max == 0 || n <= field->max);
}

static bool within_i64(const struct field *field, int64_t n)
{
    if (field->min == 0 && field->max == 0) {
        return true;
    }
    return n >= field->min && (field->max == 0 || n <= (int64_t)field->max);
}

static bool read_u64(const struct value *v, uint64_t *ret)
{
    if (value_kind(v) == VALUE_I64 && value_as_i64(v) >= 0) {
        *ret = (uint64_t)value_as_i64(v);
        return true;
    }
    return value_kind(v) == VALUE_STR && str_to_u64(value_as_str(v), ret) == 0;
}

static bool read_i64(const struct value *v, int64_t *ret)
{
    if (value_kind(v) == VALUE_I64) {
        *ret = value_as_i64(v);
        return true;
    }
    return value_kind(v) == VALUE_STR && str_to_i64(value_as_str(v), ret) == 0;
}

static bool decode_bool(bool lenient, const struct value *v, bool *ret)
{
    if (value_kind(v) == VALUE_BOOL) {
        *ret = value_as_bool(v);
        return true;
    }
    return lenient && value_kind(v) == VALUE_STR && str_to_bool(value_as_str(v), ret) == 0;
}

static bool decode_u32(bool lenient, const struct field *field, const struct value *v,
                       uint32_t *ret)
{
    uint64_t n;

    if ((value_kind(v) == VALUE_STR && !lenient) || !read_u64(v, &n) || n > UINT32_MAX ||
        !within_u64(field, n)) {
        return false;
    }
    *ret = (uint32_t)n;
    return true;
}

static bool decode_u64(const struct field *field, const struct value *v, uint64_t *ret)
{
    uint64_t n;

    if (!read_u64(v, &n) || !within_u64(field, n)) {
        return false;
    }
    *ret = n;
    return true;
}

static bool decode_i64(const struct field *field, const struct value *v, int64_t *ret)
{
    int64_t n;

    if (!read_i64(v, &n) || !within_i64(field, n)) {
        return false;
    }
    *ret = n;
    return true;
}

static bool decode_double(bool lenient, const struct field *field, const struct value *v,
                          double *ret)
{
    const enum value_kind kind = value_kind(v);
    double n;

    if (kind == VALUE_DOUBLE || kind == VALUE_I64) {
        n = value_as_double(v);
    } else if (!lenient || kind != VALUE_STR || str_to_double(value_as_str(v), &n) < 0) {
        return false;
    }
    if ((field->min != 0 || field->max != 0) &&
        (n < (double)field->min || (field->max != 0 && n > (double)field->max))) {
        return false;
    }
    *ret = n;
    return true;
}

static bool decode_enum(const struct field *field, const struct value *v, uint32_t *ret)
{
    for (uint32_t i = 0; value_kind(v) == VALUE_STR && field->names[i] != NULL; i++) {
        if (str_eq(value_as_str(v), gp_str_of(field->names[i]))) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool decode_duration(const struct field *field, const struct value *v, int64_t *ret)
{
    int64_t ns = 0;

    if (value_kind(v) == VALUE_STR ? str_to_duration_ns(value_as_str(v), &ns) < 0
                                   : value_kind(v) != VALUE_I64 || value_as_i64(v) != 0) {
        return false; /* a bare number has no unit; only 0 needs none */
    }
    if (!within_i64(field, ns)) {
        return false;
    }
    *ret = ns;
    return true;
}

static bool decode_size(const struct field *field, const struct value *v, uint64_t *ret)
{
    uint64_t bytes = 0;

    if (value_kind(v) == VALUE_I64 && value_as_i64(v) >= 0) {
        bytes = (uint64_t)value_as_i64(v);
    } else if (value_kind(v) != VALUE_STR || str_to_size_bytes(value_as_str(v), &bytes) < 0) {
        return false;
    }
    if (!within_u64(field, bytes)) {
        return false;
    }
    *ret = bytes;
    return true;
}

bool field_decode_scalar(const struct field *field, const struct value *v, bool lenient, void *ret)
{
    switch (field->kind) {
    case FIELD_KIND_BOOL:
        return decode_bool(lenient, v, ret);
    case FIELD_KIND_U32:
        return decode_u32(lenient, field, v, ret);
    case FIELD_KIND_U64:
        return decode_u64(field, v, ret);
    case FIELD_KIND_I64:
        return decode_i64(field, v, ret);
    case FIELD_KIND_DOUBLE:
        return decode_double(lenient, field, v, ret);
    case FIELD_KIND_ENUM:
        return decode_enum(field, v, ret);
    case FIELD_KIND_DURATION:
        return decode_duration(field, v, ret);
    case FIELD_KIND_SIZE:
        return decode_size(field, v, ret);
    default:
        return false;
    }
}
