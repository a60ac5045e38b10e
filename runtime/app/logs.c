/* logs.c: see logs.h. */
#include "app/logs.h"

#include <time.h>
#include <unistd.h>

#include "base/str.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t wall_ns(void *ctx)
{
    struct timespec now;

    (void)ctx;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* One write, so that lines of several threads and processes do not mix. */
static void sink(void *ctx, enum log_level level, gp_str line)
{
    (void)ctx;
    (void)level;
    if (write(STDERR_FILENO, line.ptr, line.len) < 0) {
        return; /* nobody listens; there is no other place to say so */
    }
}

void logs_init(struct log *log, enum log_level level, enum log_format format, const char *node)
{
    *log = (struct log){.level = level, .format = format, .sink = sink, .clock = wall_ns};
    (void)str_format(log->node, sizeof log->node, "%s", node);
}
