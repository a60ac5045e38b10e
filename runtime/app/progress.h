/*
 * progress.h: how far something has come, in one line of a terminal.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
    /* private */
    FILE *to;
    const char *label;
    bool is_shown; /* there is a line to wipe */
    int percent;   /* as drawn; -1: not yet */
};

/* to: NULL for nobody (no terminal). label is borrowed. */
void progress_begin(struct progress *p, FILE *to, const char *label);

/* Draws when the line would change. */
void progress_at(struct progress *p, uint64_t done, uint64_t size);

/* A line of words instead of a bar. */
void progress_say(struct progress *p, const char *text);

/* Wipes the line. */
void progress_end(struct progress *p);

#endif
