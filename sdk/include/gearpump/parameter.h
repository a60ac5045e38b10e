/*
 * parameter.h: what a processor can be told, as a table that the host checks and shows.
 *
 *     static const struct gp_parameter parameters[] = {
 *         {.name = "path", .type = GP_PARAMETER_TEXT, .flags = GP_PARAMETER_REQUIRED,
 *          .help = "a file"},
 *         {.name = "line.max", .type = GP_PARAMETER_BYTES, .fallback = "1MiB", .min = "1",
 *          .max = "16MiB", .help = "a longer line fails the task"},
 *     };
 *     static const struct gp_processor source = {..., GP_PARAMETERS(parameters)};
 *
 * The host checks what the graph and --set give before anything runs, all mistakes at once: a name
 * that is not in the table, text that is not of the type, out of range, or a required one that is
 * missing. Behind it the task finds every parameter that has a default, and readers cannot fail.
 * Processors without a table take anything.
 *
 * The parsers below are the ones that the host checks with, so that host and plugin agree.
 */
#ifndef GEARPUMP_PARAMETER_H
#define GEARPUMP_PARAMETER_H

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/types.h>

/* gp_parameter.type */
#define GP_PARAMETER_TEXT     1u /* anything but nothing */
#define GP_PARAMETER_U64      2u /* 0 .. 9999999999999999999 */
#define GP_PARAMETER_I64      3u
#define GP_PARAMETER_F64      4u /* 0.5, -1e6; finite */
#define GP_PARAMETER_BOOL     5u /* true, yes, on; false, no, off */
#define GP_PARAMETER_DURATION 6u /* 100ms: ns, us, ms, s, m, h, d; 0 */
#define GP_PARAMETER_BYTES                                                                         \
    7u /* 64KiB: B, KiB, MiB, GiB, TiB; k, m, g, t are the same; kB, MB, GB, TB */
#define GP_PARAMETER_CHOICE 8u /* one of `choices` */

/* gp_parameter.flags */
#define GP_PARAMETER_REQUIRED 1u

/* Absent texts are NULL. All of it is const and lives as long as the plugin is loaded. */
struct gp_parameter {
    const char *name; /* GP_NAME_MAX_BYTES */
    uint32_t type;    /* GP_PARAMETER_...; an unknown one is taken for text */
    uint32_t flags;
    const char *fallback; /* the default, spelt as a user would */
    const char *min;      /* spelt the same way; inclusive; numbers, durations and bytes only */
    const char *max;
    const char *choices; /* "connect|listen" */
    const char *help;    /* a line for people, without a full stop */
};

GP_STATIC_ASSERT(sizeof(struct gp_parameter) == 56, "gp_parameter is 56 bytes");

/* For the initialiser of a gp_processor: its table of parameters, an array. */
#define GP_PARAMETERS(array)                                                                       \
    .parameters = (array), .parameter_count = (uint32_t)(sizeof(array) / sizeof((array)[0])),      \
    .parameter_stride = (uint32_t)sizeof((array)[0])

/* ---- parsers: the whole text or GP_FAIL, *ret untouched ---- */

static inline int32_t gp_parse_u64(gp_str text, uint64_t *ret)
{
    uint64_t n = 0;
    size_t i;
    if (text.len == 0 || text.len > 19) {
        return GP_FAIL;
    }
    for (i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return GP_FAIL;
        }
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret = n;
    return GP_OK;
}

static inline int32_t gp_parse_i64(gp_str text, int64_t *ret)
{
    int negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t n = 0;
    gp_str digits;
    digits.ptr = text.ptr + negative;
    digits.len = text.len - (size_t)negative;
    if (gp_parse_u64(digits, &n) != GP_OK || n > (uint64_t)INT64_MAX) {
        return GP_FAIL;
    }
    *ret = negative ? -(int64_t)n : (int64_t)n;
    return GP_OK;
}

static inline int32_t gp_parse_f64(gp_str text, double *ret)
{
    char copy[64];
    char *end;
    double value;
    if (text.len == 0 || text.len >= sizeof copy) {
        return GP_FAIL;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    /* strtod takes more: blanks, hexadecimal, infinities, a point without digits around it. */
    if (strspn(copy, "0123456789.eE+-") != text.len || copy[0] == '+') {
        return GP_FAIL;
    }
    end = strchr(copy, '.');
    if (end && (end == copy || end[-1] < '0' || end[1] < '0' || end[1] > '9')) {
        return GP_FAIL;
    }
    value = strtod(copy, &end);
    if (*end != '\0' || !(value >= -DBL_MAX && value <= DBL_MAX)) {
        return GP_FAIL;
    }
    *ret = value;
    return GP_OK;
}

static inline int gp_text_is(gp_str text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static inline int32_t gp_parse_bool(gp_str text, uint32_t *ret)
{
    if (gp_text_is(text, "true") || gp_text_is(text, "yes") || gp_text_is(text, "on")) {
        *ret = 1;
        return GP_OK;
    }
    if (gp_text_is(text, "false") || gp_text_is(text, "no") || gp_text_is(text, "off")) {
        *ret = 0;
        return GP_OK;
    }
    return GP_FAIL;
}

/* Digits and one of these units, behind each of which stands how many it makes. */
struct gp_unit {
    const char *name;
    uint64_t factor;
};

static inline int32_t gp_parse_unit(gp_str text, const struct gp_unit *units, size_t count,
                                    uint64_t max, uint64_t *ret)
{
    gp_str digits = text;
    gp_str unit;
    uint64_t n = 0;
    size_t i;
    for (digits.len = 0;
         digits.len < text.len && text.ptr[digits.len] >= '0' && text.ptr[digits.len] <= '9';) {
        digits.len++;
    }
    unit.ptr = text.ptr + digits.len;
    unit.len = text.len - digits.len;
    if (gp_parse_u64(digits, &n) != GP_OK) {
        return GP_FAIL;
    }
    for (i = 0; i < count; i++) {
        if (gp_text_is(unit, units[i].name)) {
            break;
        }
    }
    if (i == count || (n != 0 && units[i].factor > max / n)) {
        return GP_FAIL;
    }
    *ret = n * units[i].factor;
    return GP_OK;
}

static inline int32_t gp_parse_duration_ns(gp_str text, int64_t *ret)
{
    static const struct gp_unit units[] = {{"ns", 1},
                                           {"us", 1000},
                                           {"ms", 1000000},
                                           {"s", 1000000000},
                                           {"m", UINT64_C(60000000000)},
                                           {"h", UINT64_C(3600000000000)},
                                           {"d", UINT64_C(86400000000000)}};
    uint64_t ns = 0;
    if (gp_text_is(text, "0")) {
        *ret = 0;
        return GP_OK;
    }
    if (gp_parse_unit(text, units, sizeof units / sizeof units[0], INT64_MAX, &ns) != GP_OK) {
        return GP_FAIL;
    }
    *ret = (int64_t)ns;
    return GP_OK;
}

static inline int32_t gp_parse_bytes(gp_str text, uint64_t *ret)
{
    static const struct gp_unit units[] = {{"", 1},
                                           {"b", 1},
                                           {"k", UINT64_C(1) << 10},
                                           {"kib", UINT64_C(1) << 10},
                                           {"kb", 1000},
                                           {"m", UINT64_C(1) << 20},
                                           {"mib", UINT64_C(1) << 20},
                                           {"mb", 1000000},
                                           {"g", UINT64_C(1) << 30},
                                           {"gib", UINT64_C(1) << 30},
                                           {"gb", 1000000000},
                                           {"t", UINT64_C(1) << 40},
                                           {"tib", UINT64_C(1) << 40},
                                           {"tb", UINT64_C(1000000000000)}};
    char lower[32];
    gp_str copy;
    size_t i;
    if (text.len > sizeof lower) {
        return GP_FAIL;
    }
    for (i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    copy.ptr = lower;
    copy.len = text.len;
    return gp_parse_unit(copy, units, sizeof units / sizeof units[0], UINT64_MAX, ret);
}

static inline int gp_choice_is_one(gp_str text, const char *choices)
{
    while (choices && *choices) {
        gp_str choice;
        choice.ptr = choices;
        choice.len = strcspn(choices, "|");
        if (choice.len == text.len && memcmp(choice.ptr, text.ptr, text.len) == 0) {
            return 1;
        }
        choices += choice.len + (choices[choice.len] == '|');
    }
    return 0;
}

/* ---- the check ---- */

/* What values of a type are called in messages and lists. */
static inline const char *gp_parameter_type_name(uint32_t type)
{
    switch (type) {
    case GP_PARAMETER_U64:
        return "a number from 0 on";
    case GP_PARAMETER_I64:
        return "a whole number";
    case GP_PARAMETER_F64:
        return "a number";
    case GP_PARAMETER_BOOL:
        return "true or false";
    case GP_PARAMETER_DURATION:
        return "a duration like 100ms";
    case GP_PARAMETER_BYTES:
        return "a size in bytes like 64KiB";
    case GP_PARAMETER_CHOICE:
        return "a choice";
    default:
        return "a text";
    }
}

/* -1, 0, 1 as a is below, equal to or above b; 2 when one of them is not of the type. */
static inline int gp_parameter_order(uint32_t type, gp_str a, gp_str b)
{
    uint64_t u[2] = {0, 0};
    int64_t i[2] = {0, 0};
    double f[2] = {0, 0};
    int32_t failed = 0;
    switch (type) {
    case GP_PARAMETER_U64:
        failed = gp_parse_u64(a, &u[0]) | gp_parse_u64(b, &u[1]);
        break;
    case GP_PARAMETER_I64:
        failed = gp_parse_i64(a, &i[0]) | gp_parse_i64(b, &i[1]);
        break;
    case GP_PARAMETER_F64:
        failed = gp_parse_f64(a, &f[0]) | gp_parse_f64(b, &f[1]);
        break;
    case GP_PARAMETER_DURATION:
        failed = gp_parse_duration_ns(a, &i[0]) | gp_parse_duration_ns(b, &i[1]);
        break;
    case GP_PARAMETER_BYTES:
        failed = gp_parse_bytes(a, &u[0]) | gp_parse_bytes(b, &u[1]);
        break;
    case GP_PARAMETER_BOOL: {
        uint32_t flag;
        return gp_parse_bool(a, &flag) == GP_OK ? 0 : 2;
    }
    default:
        return a.len == 0 ? 2 : 0;
    }
    if (failed) {
        return 2;
    }
    return (u[0] > u[1]) - (u[0] < u[1]) + (i[0] > i[1]) - (i[0] < i[1]) + (f[0] > f[1]) -
           (f[0] < f[1]);
}

/*
 * Whether the value is one that the parameter can have: GP_OK; or GP_FAIL with what it should be
 * ("a size in bytes like 64KiB, from 1 to 16MiB") in text, cut if need be.
 */
static inline int32_t gp_parameter_check(const struct gp_parameter *p, gp_str value, char *text,
                                         size_t text_size)
{
    int ok;
    if (p->type == GP_PARAMETER_CHOICE) {
        ok = gp_choice_is_one(value, p->choices);
        (void)snprintf(text, text_size, "one of %s", p->choices ? p->choices : "none");
        return ok ? GP_OK : GP_FAIL;
    }
    ok = gp_parameter_order(p->type, value, value) != 2 &&
         (!p->min || gp_parameter_order(p->type, value, gp_str_of(p->min)) >= 0) &&
         (!p->max || gp_parameter_order(p->type, value, gp_str_of(p->max)) <= 0);
    (void)snprintf(text, text_size, "%s%s%s%s%s", gp_parameter_type_name(p->type),
                   p->min ? (p->max ? ", from " : ", at least ") : "", p->min ? p->min : "",
                   p->max ? (p->min ? " to " : ", at most ") : "", p->max ? p->max : "");
    return ok ? GP_OK : GP_FAIL;
}

#endif
