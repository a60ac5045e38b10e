/*
 * log_line.h: what a line of a log says of itself: how bad, and when.
 *
 *     2026-01-31T09:30:00.123456Z WARN executor task.logged text=...
 *     {"time":"2026-01-31T09:30:00.123456Z","level":"warn",...}
 *     whatever user code wrote to stdout or stderr
 *
 * Lines of the third kind have the time of the one before, and are as INFO; an indented one goes
 * with the one before in both, for it continues it. The last words of a crash are an ERROR.
 */
#ifndef APP_LOG_LINE_H
#define APP_LOG_LINE_H

#include <stdbool.h>

#include "base/log.h"

/* Which lines are wanted. */
struct log_filter {
    enum log_level level; /* and worse; LOG_LEVEL_DEBUG: all */
    int64_t since_ms;     /* since 1970; 0: all */
};

/* Of one log, whose lines come in order. Zeroed at first. */
struct log_state {
    enum log_level level; /* of the line before */
    int64_t time_ms;      /* of it; 0: not known */
};

/* Whether the next line is wanted. */
bool log_line_passes(const struct log_filter *filter, struct log_state *state, gp_str line);

/* "2026-01-31T09:30:00.5Z"; a blank may stand for T, seconds may be missing. Without the Z it is
 * local time. GP_EINVAL. */
int log_time_parse(gp_str text, int64_t *ret_ms);

#endif
