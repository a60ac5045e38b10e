/*
 * format.h: printf-like sugar for log lines and reasons. Nothing here crosses the border: the text
 * is made in the plugin.
 */
#ifndef GEARPUMP_FORMAT_H
#define GEARPUMP_FORMAT_H

#include <stdarg.h>
#include <stdio.h>

#include <gearpump/host.h>

#define GP_TEXT_MAX_BYTES 512u /* longer text is cut */

__attribute__((format(printf, 3, 4))) static inline void
gp_logf(const struct gp_task *task, int32_t level, const char *format, ...)
{
    char text[GP_TEXT_MAX_BYTES + 1];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gp_log(task, level, gp_str_of(text));
}

/* Answers GP_FAIL with a reason: `return gp_failf(task, "cannot open '%s': %m", path);` */
__attribute__((format(printf, 2, 3))) static inline int32_t gp_failf(const struct gp_task *task,
                                                                     const char *format, ...)
{
    char text[GP_TEXT_MAX_BYTES + 1];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return gp_fail(task, text);
}

#endif
