/*
 * metrics_print.h: what was measured as tables for people: how processors do, as `gpctl metrics`
 * and `gpctl top` show it, and how they did.
 */
#ifndef APP_METRICS_PRINT_H
#define APP_METRICS_PRINT_H

#include "app/grid.h"
#include "wire/messages.h"

/* Of the processors in what metrics_show() makes. */
#define METRICS_PROCESSOR_COLUMNS 15u
extern const struct grid_column metrics_processor_columns[METRICS_PROCESSOR_COLUMNS];

/* metrics: of metrics_show(). width: of the terminal; 0: as many columns as there are. */
int metrics_print(const struct value *metrics, uint32_t width, FILE *to);

/*
 * past: an answer of METRICS_MINUTES or METRICS_DAY. A line for each processor and figure: its
 * latest, smallest, mean and largest value, and its course as a row of little columns.
 */
int metrics_print_past(const struct msg_metrics_history *past, FILE *to);

#endif
