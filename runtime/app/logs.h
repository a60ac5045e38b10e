/*
 * logs.h: where a program's own events go: to stderr, a line in one write, from any thread.
 */
#ifndef APP_LOGS_H
#define APP_LOGS_H

#include "base/log.h"

/* node: who speaks, as "worker/3"; may be empty. */
void logs_init(struct log *log, enum log_level level, enum log_format format, const char *node);

#endif
