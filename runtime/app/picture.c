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
