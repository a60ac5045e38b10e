/*
 * The end of a process whose own code broke a promise: one line on stderr, then SIGABRT.
 */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void assert_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line,
                  cond); /* nowhere to report */
    abort();
}
