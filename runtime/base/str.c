/*
 * Slices: comparing, cutting, copying, formatting. Parsing is in str_parse.c, showing in
 * str_show.c, "did you mean" in str_closest.c.
 *
 * Invariant: ptr is never looked at while len is 0, so NULL is a fine empty slice.
 */
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"

/* The part of s from begin to end. */
static gp_str str_slice(gp_str s, size_t begin, size_t end)
{
    return (gp_str){.ptr = s.len > 0 ? s.ptr + begin : NULL, .len = end - begin};
}

bool str_eq(gp_str a, gp_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char ascii_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool str_eq_nocase(gp_str a, gp_str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

int str_cmp(gp_str a, gp_str b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.ptr, b.ptr, shorter) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool str_starts_with(gp_str s, gp_str prefix)
{
    return s.len >= prefix.len && str_eq(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends_with(gp_str s, gp_str suffix)
{
    return s.len >= suffix.len && str_eq(str_slice(s, s.len - suffix.len, s.len), suffix);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

gp_str str_trim(gp_str s)
{
    size_t begin = 0;
    size_t end = s.len;

    while (begin < end && is_blank(s.ptr[begin])) {
        begin++;
    }
    while (end > begin && is_blank(s.ptr[end - 1])) {
        end--;
    }
    return str_slice(s, begin, end);
}

/* Cuts at index `at`, or gives all to the head when at is s.len. */
static bool cut_at(gp_str s, size_t at, gp_str *ret_head, gp_str *ret_tail)
{
    bool found = at < s.len;

    *ret_head = str_slice(s, 0, at);
    *ret_tail = found ? str_slice(s, at + 1, s.len) : str_slice(s, s.len, s.len);
    return found;
}

bool str_cut(gp_str s, char at, gp_str *ret_head, gp_str *ret_tail)
{
    const char *found = s.len > 0 ? (const char *)memchr(s.ptr, at, s.len) : NULL;

    return cut_at(s, found != NULL ? (size_t)(found - s.ptr) : s.len, ret_head, ret_tail);
}

bool str_cut_last(gp_str s, char at, gp_str *ret_head, gp_str *ret_tail)
{
    const char *found = s.len > 0 ? (const char *)memrchr(s.ptr, at, s.len) : NULL;

    return cut_at(s, found != NULL ? (size_t)(found - s.ptr) : s.len, ret_head, ret_tail);
}

char *str_dup(gp_str s)
{
    char *copy = (char *)malloc(s.len + 1);

    if (copy == NULL) {
        return NULL;
    }
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

int str_vformat(char *out, size_t out_size, const char *fmt, va_list args)
{
    int len;

    ASSERT(out_size >= 1);
    len = vsnprintf(out, out_size, fmt, args);
    if (len < 0) {
        out[0] = '\0';
        return GP_EINVAL;
    }
    return (size_t)len < out_size ? len : GP_ETOOBIG;
}

int str_format(char *out, size_t out_size, const char *fmt, ...)
{
    va_list args;
    int rc;

    va_start(args, fmt);
    rc = str_vformat(out, out_size, fmt, args);
    va_end(args);
    return rc;
}
