/*
 * table.h: rows and columns for people.
 *
 *     ID  NAME       STATE    TASKS
 *      7  wordcount  running     12
 *
 * Columns are as wide as their widest cell, two blanks apart; numbers stand at the right. Plain
 * text, so that it can be piped, and an empty cell is "-", so that columns can be cut. Colours only
 * if they are asked for.
 */
#ifndef APP_TABLE_H
#define APP_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"

#define TABLE_COLUMNS_MAX 16u
#define TABLE_CELL_MAX    512u /* bytes; more is cut */

enum table_align {
    TABLE_LEFT,
    TABLE_RIGHT,
    TABLE_STATE, /* at the left; where there are colours, by how good the word is */
};

struct table_column {
    const char *title; /* NULL in all columns: no line of titles */
    enum table_align align;
};

struct table {
    /* private */
    const struct table_column *columns;
    uint32_t column_count;
    uint32_t column; /* of the next cell */
    uint32_t rows;
    int status; /* of the first cell that found no memory */
    bool has_colours;
    size_t widths[TABLE_COLUMNS_MAX];
    struct buf cells; /* each ended by a zero */
};

/* columns are borrowed until deinit. */
void table_init(struct table *t, const struct table_column *columns, uint32_t count);
void table_deinit(struct table *t);

/* From now on with colours, for a terminal that has them. */
void table_colours(struct table *t, bool has_colours);

/* The next cell, printf style; cells fill row after row. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Columns of a terminal that its lines take so far. */
size_t table_width(const struct table *t);

/* Whole rows; the last one must be complete. Lines begin with `indent` blanks. 0, GP_ENOMEM or
 * GP_ETOOBIG when a cell was lost, and then nothing is printed. */
int table_print(const struct table *t, FILE *to, int indent);

#endif
