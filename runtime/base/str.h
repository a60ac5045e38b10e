/*
 * Text slices: compare, cut, parse strictly, show safely.
 *
 * All functions borrow; none keeps a pointer. A slice with len 0 may have any ptr, NULL included.
 * Any thread. Parsers take the whole slice (no blanks around, nothing left over), and answer
 * GP_EINVAL when it is malformed and GP_ETOOBIG when it is out of range; the output stays
 * untouched.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

/* printf("%.*s", STR_ARG(s)); for slices below 2 GiB. */
#define STR_ARG(s) (int)(s).len, ((s).ptr != NULL ? (s).ptr : "")

/* As bytes, and bytes as text. Borrow. */
static inline gp_bytes str_bytes(gp_str s)
{
    return (gp_bytes){.ptr = s.ptr, .len = s.len};
}

static inline gp_str str_from_bytes(gp_bytes b)
{
    return (gp_str){.ptr = (const char *)b.ptr, .len = b.len};
}

bool str_eq(gp_str a, gp_str b);
bool str_eq_nocase(gp_str a, gp_str b); /* ASCII letters only */

/* Bytewise order: negative, 0 or positive. */
int str_cmp(gp_str a, gp_str b);

bool str_starts_with(gp_str s, gp_str prefix);
bool str_ends_with(gp_str s, gp_str suffix);

/* Without leading and trailing blanks, tabs, CR and LF. */
gp_str str_trim(gp_str s);

/*
 * Cuts s at the first `at`: *ret_head is what stands before, *ret_tail what follows. Without `at`
 * in s returns false, head is all of s and tail is empty. s itself may be one of the outputs:
 * while (s.len > 0) { str_cut(s, ',', &item, &s); ... }
 */
bool str_cut(gp_str s, char at, gp_str *ret_head, gp_str *ret_tail);

/* The same at the last `at`; without one, head is all of s. */
bool str_cut_last(gp_str s, char at, gp_str *ret_head, gp_str *ret_tail);

/* A malloc'd, zero-terminated copy to free(), or NULL without memory. */
char *str_dup(gp_str s);

/* Decimal digits only; i64 also takes one leading '-'. */
int str_to_u64(gp_str s, uint64_t *ret_value);
int str_to_i64(gp_str s, int64_t *ret_value);

/* A finite decimal number: [-]digits[.digits][e[+-]digits]. Independent of the locale. */
int str_to_double(gp_str s, double *ret_value);

/* true, false, yes, no, on, off. */
int str_to_bool(gp_str s, bool *ret_value);

/*
 * Bytes: digits with an optional unit, upper or lower case: B; k, m, g, t and KiB, MiB, GiB, TiB
 * are powers of 1024; kB, MB, GB, TB are powers of 1000.
 */
int str_to_size_bytes(gp_str s, uint64_t *ret_bytes);

/* Digits with a unit: ns, us, ms, s, m, h, d (lower case). "0" needs none. At most INT64_MAX ns. */
int str_to_duration_ns(gp_str s, int64_t *ret_ns);

/*
 * The shortest decimal text that reads back as d, always with a '.' or an exponent ("1.0",
 * "1e+300"). d is finite. Independent of the locale. Returns out.
 */
#define STR_DOUBLE_MAX 32
const char *str_put_double(double d, char out[STR_DOUBLE_MAX]);

/*
 * Length in bytes (1 to 4) of the character s begins with, or 0 if s is empty or does not begin
 * with a valid one: shortest form, no surrogate, nothing above U+10FFFF.
 */
size_t str_utf8_len(gp_str s);

/* Whether all of s is such characters. */
bool str_is_utf8(gp_str s);

/*
 * Take one character (or one invalid byte) off the front of *rest, which is not empty, and write it
 * to out so that it is safe to show; not terminated. Return the bytes written, 1 to STR_SHOWN_MAX.
 *   show_next  for terminals and logs: control characters, '"', '\\' and invalid bytes become \n,
 * \",
 *              \\, \x1b.
 *   json_next  for the inside of a JSON string: escapes of RFC 8259; an invalid byte becomes
 * U+FFFD.
 */
#define STR_SHOWN_MAX 8
size_t str_show_next(gp_str *rest, char out[STR_SHOWN_MAX]);
size_t str_json_next(gp_str *rest, char out[STR_SHOWN_MAX]);

/*
 * Writes all of s as str_show_next does. When it does not fit, the end is cut at a whole character
 * and "..." stands there. out is always terminated; out_size >= 8. Returns the length written,
 * without the zero.
 */
size_t str_escape(gp_str s, char *out, size_t out_size);

/*
 * "Did you mean": the candidate that is fewest edits (insert, delete, replace, swap neighbours)
 * from needle, if that is at most a third of the longer of the two; NULL otherwise. The first of
 * equals wins. Words longer than 64 bytes never match.
 */
const gp_str *str_closest(gp_str needle, const gp_str *candidates, size_t count);

#define STR_MEANT_MAX 96

/* The same as the end of a sentence: " (did you mean 'list'?)", or "". Returns out. */
const char *str_meant(gp_str needle, const gp_str *candidates, size_t count,
                      char out[STR_MEANT_MAX]);

/*
 * snprintf that cannot be misread: out is always terminated; returns the length without the zero,
 * or GP_ETOOBIG when the text was cut. out_size >= 1.
 */
int str_format(char *out, size_t out_size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int str_vformat(char *out, size_t out_size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
