/*
 * grid.h: a list of JSON objects as a table: which members are its columns, how each is shown, the
 * order of the rows, and which columns are left out where there is little room.
 *
 *     {"PROCESSOR", "name", GRID_TEXT, 0}, {"IN/S", "rate_in", GRID_RATE, 1}, ...
 *
 * So what people read and what `-o json` says are the same by construction.
 */
#ifndef APP_GRID_H
#define APP_GRID_H

#include <stdbool.h>

#include "app/table.h"
#include "base/value.h"

#define GRID_ROWS_MAX 4096u /* more are not shown */

enum grid_kind {
    GRID_TEXT,
    GRID_COUNT, /* a whole number */
    GRID_RATE,  /* a second */
    GRID_SHARE, /* 0 .. 1 as "45 %" */
    GRID_BAR,   /* of the object: "######!!.." for busy, blocked, idle */
    GRID_US,    /* durations */
    GRID_MS,
    GRID_TIME /* ms since 1970 */
};

struct grid_column {
    const char *title;
    const char *member; /* "latency.p99_us": of a member */
    enum grid_kind kind;
    uint32_t rank; /* those with the greatest are left out first; 0: never */
};

struct grid {
    const struct grid_column *columns;
    uint32_t column_count; /* <= TABLE_COLUMNS_MAX */
    const struct value *rows;
    int sorted_by; /* column; -1: as they come */
    bool reverse;
    bool with_marks; /* a first column that says which row is selected */
    uint32_t width;  /* columns of a terminal; 0: as many as it takes */
};

/* The member of a row, or NULL. path: with dots. */
const struct value *grid_member(const struct value *row, const char *path);

/* The rows in order: numbers greatest first and text from A, unless reversed; returns how many. */
uint32_t grid_order(const struct grid *g, const struct value *ret[GRID_ROWS_MAX]);

/* A line of titles and one for each of `rows`; selected: its index, or -1. 0, GP_ENOMEM. */
int grid_print(const struct grid *g, const struct value *const *rows, uint32_t count, int selected,
               FILE *to);

#endif
