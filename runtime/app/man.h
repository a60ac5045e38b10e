/*
 * man.h: manual pages, printed by the programs themselves from the tables that parse, help and
 * configure. The build runs `gpctl __man 1`, `gpd __man 8` and `gpd __man config` for them.
 */
#ifndef APP_MAN_H
#define APP_MAN_H

#include "app/options.h"

#define MAN_WORD "__man" /* as argv[1] it asks for a page */

/* argv: the section that the program's page is in, or "config" for gearpump.yaml(5). The exit
 * code. */
int man_main(const struct program_spec *program, int argc, char *const *argv, FILE *to);

#endif
