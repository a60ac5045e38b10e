/* picture.c: see picture.h. Without memory lines are missing, and the next picture has them. */
#include "app/picture.h"

#include <stdarg.h>

#include "app/text.h"
#include "base/str.h"

#define TEXT_MAX_BYTES ((size_t)PICTURE_ROWS_MAX * (PICTURE_COLUMNS_MAX * 4 + 1))

void picture_init(struct picture *p, uint32_t rows, uint32_t columns)
{
    *p = (struct picture){.rows = rows < PICTURE_ROWS_MAX ? rows : PICTURE_ROWS_MAX,
                          .columns = columns < PICTURE_COLUMNS_MAX ? columns : PICTURE_COLUMNS_MAX};
    buf_init(&p->text, TEXT_MAX_BYTES);
}

void picture_deinit(struct picture *p)
{
    buf_deinit(&p->text);
}

/* The bytes of its first `columns` characters. */
static size_t fitting(gp_str text, uint32_t columns)
{
    size_t at = 0;

    while (at < text.len && text.ptr[at] != '\n') {
        size_t n = str_utf8_len((gp_str){text.ptr + at, text.len - at});

        if (columns-- == 0) {
            break;
        }
        at += n > 0 ? n : 1;
    }
    return at;
}

void picture_line(struct picture *p, enum picture_style style, gp_str text)
{
    if (p->used == p->rows) {
        return;
    }
    text.len = fitting(text, p->columns);
    if (buf_append_str(&p->text, text) == 0 && buf_append(&p->text, "\n", 1) == 0) {
        p->styles[p->used++] = (uint8_t)style;
    }
}

void picture_say(struct picture *p, enum picture_style style, const char *fmt, ...)
{
    char text[PICTURE_COLUMNS_MAX];
    char shown[PICTURE_COLUMNS_MAX];
    va_list args;

    va_start(args, fmt);
    (void)str_vformat(text, sizeof text, fmt, args); /* cut is fine */
    va_end(args);
    (void)text_show(gp_str_of(text), shown, sizeof shown);
    picture_line(p, style, gp_str_of(shown));
}

void picture_fill(struct picture *p, uint32_t row)
{
    while (p->used < row && p->used < p->rows) {
        picture_line(p, PICTURE_PLAIN, GP_STR(""));
    }
}

static const char *sequence_of(uint8_t style, bool has_colours)
{
    switch ((enum picture_style)style) {
    case PICTURE_STRONG:
        return "\x1b[1m";
    case PICTURE_FAINT:
        return "\x1b[2m";
    case PICTURE_SELECTED:
        return "\x1b[7m";
    case PICTURE_WARNING:
        return has_colours ? "\x1b[33m" : "";
    case PICTURE_ALARM:
        return has_colours ? "\x1b[31m" : "\x1b[1m";
    case PICTURE_PLAIN:
        break;
    }
    return "";
}

int picture_render(const struct picture *p, bool has_colours, struct buf *out)
{
    gp_str rest = buf_str(&p->text);
    gp_str line;
    int rc = buf_append_c(out, "\x1b[H");

    for (uint32_t i = 0; rc == 0 && i < p->used; i++) {
        (void)str_cut(rest, '\n', &line, &rest);
        rc = buf_append_fmt(out, "%s\x1b[2K%s%.*s\x1b[0m", i > 0 ? "\r\n" : "",
                            sequence_of(p->styles[i], has_colours), STR_ARG(line));
    }
    return rc;
}
