/* text.c: see text.h. */
#include "app/text.h"

#include <string.h>

#include "base/assert.h"
#include "base/str.h"

/* The next character of *rest as it is shown; its length in bytes. */
static size_t next_shown(gp_str *rest, char out[STR_SHOWN_MAX])
{
    char first = rest->ptr[0];

    if (first == '"' || first == '\\' || first == '\t') {
        out[0] = first;
        rest->ptr++;
        rest->len--;
        return 1;
    }
    return str_show_next(rest, out);
}

size_t text_show(gp_str s, char *out, size_t cap)
{
    size_t len = 0;

    ASSERT(cap >= 8);
    while (s.len > 0) {
        char shown[STR_SHOWN_MAX];
        size_t shown_len = next_shown(&s, shown);

        if (len + shown_len >= cap) {
            break;
        }
        memcpy(out + len, shown, shown_len);
        len += shown_len;
    }
    out[len] = '\0';
    return len;
}

void text_print(FILE *to, gp_str s)
{
    while (s.len > 0) {
        char shown[STR_SHOWN_MAX];
        size_t shown_len = next_shown(&s, shown);

        (void)fwrite(shown, 1, shown_len, to);
    }
}

size_t text_width(gp_str s)
{
    size_t width = 0;

    for (size_t i = 0; i < s.len; i++) {
        width += ((unsigned char)s.ptr[i] & 0xc0u) != 0x80u; /* not inside a character */
    }
    return width;
}
