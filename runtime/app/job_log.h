/*
 * job_log.h: what the tasks of `gpctl run` log, for the person in front of it.
 *
 *     count[3]: 1024 words so far
 *     warn: split[0]: row.rejected reason="no key"
 */
#ifndef APP_JOB_LOG_H
#define APP_JOB_LOG_H

#include "base/buf.h"
#include "base/log.h"

/*
 * A log to stderr for executors. Shown are the lines of user code and what is at least as bad as
 * `level`; as lines for people, or, with LOG_FORMAT_JSON, as they are.
 */
void job_log_init(struct log *log, enum log_level level, enum log_format format);

/* One event, as LOG_FORMAT_JSON has it, for people: appended to out with a newline. False: it is
 * not to be shown. */
bool job_log_render(enum log_level level, enum log_level shown, gp_str json, struct buf *out);

#endif
