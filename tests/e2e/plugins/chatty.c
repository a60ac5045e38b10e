/* chatty: talk -> sink, where each of the `tasks` (1) of talk prints 300 KiB when it opens, and
 * idles. */
#include <stdio.h>
#include <string.h>

#include <gearpump/gearpump.h>

#define LINES      300
#define LINE_BYTES 1023

static int32_t talk_open(const struct gp_task *task, void **ret_self)
{
    char line[LINE_BYTES + 1];

    memset(line, 'x', LINE_BYTES);
    line[LINE_BYTES] = '\0';
    for (int i = 0; i < LINES; i++) {
        (void)puts(line);
    }
    (void)fflush(stdout);
    return gp_open_stateless(task, ret_self);
}

static int32_t talk_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return GP_IDLE;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
    }
    return GP_OK;
}

static const struct gp_processor talk = {.size = sizeof talk,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "talk",
                                         .open = talk_open,
                                         .poll = talk_poll};

static const struct gp_processor sink = {.size = sizeof sink,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = gp_open_stateless,
                                         .process = sink_process};

static int32_t build(const struct gp_build *b)
{
    uint64_t tasks = 1;
    gp_node from;
    gp_node to;

    if (gp_config_u64(b->config, "tasks", tasks, &tasks) != GP_OK) {
        return GP_FAIL;
    }
    from = gp_add(b, "talk", &talk, (uint32_t)tasks);
    to = gp_add(b, "sink", &sink, 1);
    gp_connect(b, from, to, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("chatty", "1.0.0", build, &talk, &sink)
