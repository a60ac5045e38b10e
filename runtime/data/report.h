/*
 * report.h: what the lanes of an executor have done, added up for the appmaster: one entry a
 * processor, one for each edge and the way its rows go. Reads counters that lanes write meanwhile:
 * each is right, together they may be a moment apart.
 */
#ifndef DATA_REPORT_H
#define DATA_REPORT_H

#include "data/engine.h"
#include "wire/messages_executor.h"

/* fields_deinit(&msg_executor_report_fields, ret) frees. GP_ENOMEM. [control thread] */
int report_make(const struct engine *engine, const struct plan *plan,
                struct msg_executor_report *ret);

#endif
