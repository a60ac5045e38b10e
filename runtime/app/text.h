/*
 * text.h: text from elsewhere on a person's terminal.
 *
 * Names, errors and log lines come from other processes and users: control characters in them must
 * not reach a terminal. Quotes, backslashes and tabs stay as they are, this is for reading.
 */
#ifndef APP_TEXT_H
#define APP_TEXT_H

#include <stddef.h>
#include <stdio.h>

#include <gearpump/types.h>

/*
 * Writes s to out with control characters and invalid bytes as escapes; cut at a whole character
 * when it does not fit. Terminated; cap >= 8. Returns the length without the zero.
 */
size_t text_show(gp_str s, char *out, size_t cap);

/* The same to a file, of any length. */
void text_print(FILE *to, gp_str s);

/* Columns it takes: characters. (Wide and combining ones are counted as one.) */
size_t text_width(gp_str s);

#endif
