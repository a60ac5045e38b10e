/*
 * Text to numbers and back, strictly: the whole slice or nothing, no blanks, no locale.
 *
 * Failures: GP_EINVAL for text that is not such a number, GP_ETOOBIG for one out of range; the
 * output is untouched.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/str.h"

#define DOUBLE_TEXT_MAX 128 /* bytes of a real number we bother to read */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int str_to_u64(gp_str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    bool overflow = false;

    if (s.len == 0) {
        return GP_EINVAL;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) {
            return GP_EINVAL;
        }
        overflow |= __builtin_mul_overflow(value, 10, &value);
        overflow |= __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value);
    }
    if (overflow) {
        return GP_ETOOBIG;
    }
    *ret_value = value;
    return 0;
}

int str_to_i64(gp_str s, int64_t *ret_value)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    gp_str digits = negative ? (gp_str){.ptr = s.ptr + 1, .len = s.len - 1} : s;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    uint64_t magnitude;
    int rc = str_to_u64(digits, &magnitude);

    if (rc < 0) {
        return rc;
    }
    if (magnitude > limit) {
        return GP_ETOOBIG;
    }
    /* Negated as unsigned, where INT64_MIN is not an overflow. */
    *ret_value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return 0;
}

/* Skips at least one digit; false if there is none. */
static bool skip_digits(const char **at)
{
    const char *begin = *at;

    while (is_digit(**at)) {
        (*at)++;
    }
    return *at > begin;
}

/* [-]digits[.digits][e[+-]digits], zero-terminated: what strtod takes, less hex, inf, nan and
 * blanks. */
static bool is_decimal(const char *at)
{
    if (*at == '-') {
        at++;
    }
    if (!skip_digits(&at)) {
        return false;
    }
    if (*at == '.') {
        at++;
        if (!skip_digits(&at)) {
            return false;
        }
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-') {
            at++;
        }
        if (!skip_digits(&at)) {
            return false;
        }
    }
    return *at == '\0';
}

int str_to_double(gp_str s, double *ret_value)
{
    char text[DOUBLE_TEXT_MAX];
    locale_t c_locale;
    double value;

    if (s.len >= sizeof(text)) {
        return GP_ETOOBIG;
    }
    if (s.len == 0 || memchr(s.ptr, '\0', s.len) != NULL) {
        return GP_EINVAL;
    }
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (!is_decimal(text)) {
        return GP_EINVAL;
    }
    /* A plugin may have called setlocale; numbers in files have a point all the same. glibc keeps
     * the "C" locale ready, so this allocates nothing. */
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0) {
        return GP_ENOMEM;
    }
    value = strtod_l(text, NULL, c_locale);
    freelocale(c_locale);
    if (!isfinite(value)) {
        return GP_ETOOBIG;
    }
    *ret_value = value;
    return 0;
}

/* The shortest of 15 to 17 digits that reads back the same; in the thread's present locale. */
static void format_shortest(double d, char out[STR_DOUBLE_MAX])
{
    for (int digits = 15; digits <= 17; digits++) {
        int len = snprintf(out, STR_DOUBLE_MAX, "%.*g", digits, d);

        ASSERT(len > 0 && len < STR_DOUBLE_MAX - 2);
        if (strtod(out, NULL) == d) {
            return;
        }
    }
}

const char *str_put_double(double d, char out[STR_DOUBLE_MAX])
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c_locale); /* 0, a failed newlocale, only asks */

    ASSERT(isfinite(d));
    format_shortest(d, out);
    (void)uselocale(before); /* cannot fail: it was in use */
    if (c_locale != (locale_t)0) {
        freelocale(c_locale);
    }
    if (strpbrk(out, ".e") == NULL) {
        strcat(out, ".0");
    }
    return out;
}

int str_to_bool(gp_str s, bool *ret_value)
{
    if (str_eq(s, GP_STR("true")) || str_eq(s, GP_STR("yes")) || str_eq(s, GP_STR("on"))) {
        *ret_value = true;
        return 0;
    }
    if (str_eq(s, GP_STR("false")) || str_eq(s, GP_STR("no")) || str_eq(s, GP_STR("off"))) {
        *ret_value = false;
        return 0;
    }
    return GP_EINVAL;
}

/* Splits digits from the unit behind them and reads the digits. */
static int split_unit(gp_str s, uint64_t *ret_number, gp_str *ret_unit)
{
    size_t digits = 0;

    while (digits < s.len && is_digit(s.ptr[digits])) {
        digits++;
    }
    if (digits == 0) {
        return GP_EINVAL;
    }
    *ret_unit = (gp_str){.ptr = s.ptr + digits, .len = s.len - digits};
    return str_to_u64((gp_str){.ptr = s.ptr, .len = digits}, ret_number);
}

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit *unit_find(const struct unit *units, size_t count, gp_str name,
                                    bool (*equal)(gp_str, gp_str))
{
    for (size_t i = 0; i < count; i++) {
        if (equal(gp_str_of(units[i].name), name)) {
            return &units[i];
        }
    }
    return NULL;
}

int str_to_size_bytes(gp_str s, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},
        {"b", 1},
        {"k", UINT64_C(1) << 10},
        {"kib", UINT64_C(1) << 10},
        {"kb", UINT64_C(1000)},
        {"m", UINT64_C(1) << 20},
        {"mib", UINT64_C(1) << 20},
        {"mb", UINT64_C(1000000)},
        {"g", UINT64_C(1) << 30},
        {"gib", UINT64_C(1) << 30},
        {"gb", UINT64_C(1000000000)},
        {"t", UINT64_C(1) << 40},
        {"tib", UINT64_C(1) << 40},
        {"tb", UINT64_C(1000000000000)},
    };
    const struct unit *unit;
    uint64_t number;
    gp_str name;
    int rc = split_unit(s, &number, &name);

    if (rc < 0) {
        return rc;
    }
    unit = unit_find(units, ARRAY_LEN(units), name, str_eq_nocase);
    if (unit == NULL) {
        return GP_EINVAL;
    }
    if (__builtin_mul_overflow(number, unit->factor, &number)) {
        return GP_ETOOBIG;
    }
    *ret_bytes = number;
    return 0;
}

int str_to_duration_ns(gp_str s, int64_t *ret_ns)
{
    static const struct unit units[] = {
        {"ns", 1},
        {"us", UINT64_C(1000)},
        {"ms", UINT64_C(1000000)},
        {"s", UINT64_C(1000000000)},
        {"m", UINT64_C(60000000000)},
        {"h", UINT64_C(3600000000000)},
        {"d", UINT64_C(86400000000000)},
    };
    const struct unit *unit;
    uint64_t number;
    gp_str name;
    int rc = split_unit(s, &number, &name);

    if (rc < 0) {
        return rc;
    }
    if (number == 0 && name.len == 0) {
        *ret_ns = 0;
        return 0;
    }
    unit = unit_find(units, ARRAY_LEN(units), name, str_eq);
    if (unit == NULL) {
        return GP_EINVAL;
    }
    if (__builtin_mul_overflow(number, unit->factor, &number) || number > INT64_MAX) {
        return GP_ETOOBIG;
    }
    *ret_ns = (int64_t)number;
    return 0;
}
