/*
 * ticker: ticks -> sink, a job that never ends and costs nearly nothing: ten messages a second and
 * task, each of which the sink logs, with a line on its stdout and one on its stderr.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define TICK_NS 100000000

struct ticks {
    const struct gp_task *task;
    uint64_t count;
};

static int32_t ticks_open(const struct gp_task *task, void **ret_self)
{
    struct ticks *t = calloc(1, sizeof *t);

    if (!t) {
        return gp_fail(task, "no memory");
    }
    t->task = task;
    *ret_self = t;
    return gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + TICK_NS);
}

static int32_t ticks_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return GP_IDLE;
}

static int32_t ticks_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                              struct gp_out *out)
{
    struct ticks *t = self;
    char text[32];
    int len = snprintf(text, sizeof text, "tick %llu", (unsigned long long)t->count++);

    if (gp_emit(out, gp_wall_ns(t->task), text, (size_t)len) != GP_OK) {
        return GP_FAIL;
    }
    gp_count(t->task, "ticks", 1);
    return gp_timer_set(t->task, clock, id, at_ns + TICK_NS);
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    GP_EACH (row, in, consumed, out) {
        printf("printed %.*s\n", (int)row->value_len, (const char *)row->value);
        (void)fflush(stdout);
        (void)fprintf(stderr, "complained %.*s\n", (int)row->value_len, (const char *)row->value);
        gp_logf(self, GP_LOG_INFO, "logged %.*s", (int)row->value_len, (const char *)row->value);
    }
    return GP_OK;
}

static const struct gp_processor ticks = {.size = sizeof ticks,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "ticks",
                                          .open = ticks_open,
                                          .poll = ticks_poll,
                                          .on_timer = ticks_on_timer,
                                          .close = gp_close_free};

static const struct gp_processor sink = {.size = sizeof sink,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = gp_open_stateless,
                                         .process = sink_process};

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "ticks", &ticks, 1);
    gp_node to = gp_add(b, "sink", &sink, 1);

    gp_connect(b, from, to, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("ticker", "1.0.0", build, &ticks, &sink)
