/*
 * Text from outside made safe to show: UTF-8 checked, everything else escaped.
 *
 * A name or line that a stranger wrote must not move the cursor of whoever reads it, end a log
 * line early or make the JSON around it invalid.
 */
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes that a first byte announces, 0 for one that cannot come first; RFC 3629, section 4. */
static size_t utf8_announced(unsigned char first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The second byte is what tells overlong forms, surrogates and numbers above U+10FFFF. */
static bool utf8_second_is_good(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

size_t str_utf8_len(gp_str s)
{
    size_t len = s.len > 0 ? utf8_announced((unsigned char)s.ptr[0]) : 0;

    if (len == 0 || len > s.len) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(s.ptr[i])) {
            return 0;
        }
    }
    if (len > 1 && !utf8_second_is_good((unsigned char)s.ptr[0], (unsigned char)s.ptr[1])) {
        return 0;
    }
    return len;
}

bool str_is_utf8(gp_str s)
{
    while (s.len > 0) {
        size_t len = str_utf8_len(s);

        if (len == 0) {
            return false;
        }
        s.ptr += len;
        s.len -= len;
    }
    return true;
}

/* Copies `text` to out without its zero. */
static size_t put(char *out, const char *text)
{
    size_t len = strlen(text);

    memcpy(out, text, len); /* NOLINT(bugprone-not-null-terminated-result): as said above */
    return len;
}

static size_t put_hex(char *out, const char *prefix, unsigned char byte)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = put(out, prefix);

    out[len++] = digits[byte >> 4];
    out[len++] = digits[byte & 15];
    return len;
}

/* The escape of two characters that C and JSON share, or NULL. */
static const char *short_escape(char c)
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

/* Takes the next character off the front; len 0 tells an invalid byte (one byte is taken). */
static gp_str next_character(gp_str *rest, size_t *ret_len)
{
    gp_str c = {.ptr = rest->ptr, .len = 1};

    ASSERT(rest->len > 0);
    *ret_len = str_utf8_len(*rest);
    if (*ret_len > 0) {
        c.len = *ret_len;
    }
    rest->ptr += c.len;
    rest->len -= c.len;
    return c;
}

/* Control characters of ASCII, and of Latin-1 (U+0080 to U+009F), which terminals obey too. */
static bool is_control(gp_str c)
{
    unsigned char first = (unsigned char)c.ptr[0];

    return first < 0x20 || first == 0x7f ||
           (c.len == 2 && first == 0xc2 && (unsigned char)c.ptr[1] < 0xa0);
}

size_t str_show_next(gp_str *rest, char out[STR_SHOWN_MAX])
{
    size_t valid_len;
    gp_str c = next_character(rest, &valid_len);
    const char *escape = short_escape(c.ptr[0]);
    size_t len = 0;

    if (escape != NULL) {
        return put(out, escape);
    }
    if (valid_len > 0 && !is_control(c)) {
        memcpy(out, c.ptr, c.len);
        return c.len;
    }
    for (size_t i = 0; i < c.len; i++) {
        len += put_hex(out + len, "\\x", (unsigned char)c.ptr[i]);
    }
    return len;
}

size_t str_json_next(gp_str *rest, char out[STR_SHOWN_MAX])
{
    size_t valid_len;
    gp_str c = next_character(rest, &valid_len);
    const char *escape = short_escape(c.ptr[0]);

    if (escape != NULL) {
        return put(out, escape);
    }
    if (valid_len == 0) {
        return put(out, "\xef\xbf\xbd");
    }
    if ((unsigned char)c.ptr[0] < 0x20) {
        return put_hex(out, "\\u00", (unsigned char)c.ptr[0]);
    }
    memcpy(out, c.ptr, c.len);
    return c.len;
}

size_t str_escape(gp_str s, char *out, size_t out_size)
{
    static const char dots[] = "...";
    size_t len = 0;
    size_t cut_len = 0; /* where the dots would stand */

    ASSERT(out_size >= 8);
    while (s.len > 0) {
        char shown[STR_SHOWN_MAX];
        size_t shown_len = str_show_next(&s, shown);

        if (len + shown_len + 1 > out_size) {
            memcpy(out + cut_len, dots, sizeof(dots));
            return cut_len + sizeof(dots) - 1;
        }
        memcpy(out + len, shown, shown_len);
        len += shown_len;
        if (len + sizeof(dots) <= out_size) {
            cut_len = len;
        }
    }
    out[len] = '\0';
    return len;
}
