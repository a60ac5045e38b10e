/*
 * report.h: what the lanes of an executor have done, added up for the appmaster: one entry a
 * processor, one for each edge and the way its rows go. Reads counters that lanes write meanwhile:
 * each is right, together they may be a moment apart.
 */
#ifndef DATA_REPORT_H
#define DATA_REPORT_H

#include "data/engine.h"
#include "data/measure.h"
#include "wire/messages_executor.h"

struct report_from {
    const struct engine *engine;
    const struct plan *plan;
    const struct lane_measures *const *measures; /* [lane], NULL where nothing was said yet */
};

#define REPORT_FULL_MAX (448u << 10)

/* fields_deinit(&msg_executor_report_fields, ret) frees. GP_ENOMEM. [control thread] */
int report_make(const struct report_from *from, struct msg_executor_report *ret);

/* Adds histograms and the slowest tasks, as far as they fit REPORT_FULL_MAX, in the order of the
 * processors. GP_ENOMEM: some. */
int report_fill(const struct report_from *from, struct msg_executor_report *report);

#endif
