/* capture.h: what a function prints, as text. */
#ifndef TEST_APP_CAPTURE_H
#define TEST_APP_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>

#include "gp_test.h"

struct capture {
    FILE *file;
    char *text;
    size_t len;
};

static inline FILE *capture_begin(struct capture *c)
{
    *c = (struct capture){0};
    c->file = open_memstream(&c->text, &c->len);
    GP_REQUIRE(c->file != NULL);
    return c->file;
}

/* Valid until capture_end(). */
static inline const char *capture_text(struct capture *c)
{
    (void)fflush(c->file);
    return c->text;
}

static inline void capture_end(struct capture *c)
{
    (void)fclose(c->file);
    free(c->text);
}

#endif
