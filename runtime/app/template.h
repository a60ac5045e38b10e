/*
 * template.h: the projects that `gpctl new` writes; the files of sdk/templates, compiled in.
 *
 * In their text @name@ stands for the name of the project, and @version@ for ours.
 */
#ifndef APP_TEMPLATE_H
#define APP_TEMPLATE_H

#include <stddef.h>

struct template_file {
    const char *language; /* c, c++, rust, go */
    const char *path;     /* within the project */
    const unsigned char *text;
    size_t len;
};

/* Ended by a NULL language; the files of a language stand together. */
extern const struct template_file template_files[];

#endif
