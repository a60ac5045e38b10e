/*
 * picture.h: what a full screen shows: lines of text with a style each, and nothing of a terminal.
 *
 * Lines are cut to the width at a whole character; what comes after the last row is dropped. Text
 * holds no control characters: whoever adds it has shown them (table.h and text.h do).
 */
#ifndef APP_PICTURE_H
#define APP_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/buf.h"

#define PICTURE_ROWS_MAX    512u
#define PICTURE_COLUMNS_MAX 1024u

enum picture_style {
    PICTURE_PLAIN,
    PICTURE_STRONG,   /* titles */
    PICTURE_FAINT,    /* keys at the foot */
    PICTURE_SELECTED, /* reversed */
    PICTURE_WARNING,  /* yellow */
    PICTURE_ALARM     /* red */
};

struct picture {
    /* read-only */
    uint32_t rows;
    uint32_t columns;
    uint32_t used;   /* lines so far */
    struct buf text; /* each line ended by a newline */
    uint8_t styles[PICTURE_ROWS_MAX];
};

/* An empty one. A size beyond the maximum is cut to it. */
void picture_init(struct picture *p, uint32_t rows, uint32_t columns);
void picture_deinit(struct picture *p);

/* The next line; a second one in `text` does not count. */
void picture_line(struct picture *p, enum picture_style style, gp_str text);

/* The same, printf style. */
void picture_say(struct picture *p, enum picture_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Empty lines until `row` is the next. */
void picture_fill(struct picture *p, uint32_t row);

/* Appends what makes a terminal show it, line over line, so that nothing flickers. Without colours
 * what is reversed, strong or faint stays so. GP_ENOMEM, GP_ETOOBIG. */
int picture_render(const struct picture *p, bool has_colours, struct buf *out);

static inline uint32_t picture_left(const struct picture *p)
{
    return p->rows - p->used;
}

#endif
