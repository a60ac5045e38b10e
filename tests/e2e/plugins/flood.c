/*
 * flood: source -> sink, where the source never stops to emit rows of 1 KiB and each sink task
 * takes none after its first `take` (1000) rows: what lies between may not grow.
 */
#include <stdlib.h>
#include <string.h>

#include <gearpump/gearpump.h>

#define ROW_BYTES 1024

struct sink {
    const struct gp_task *task;
    uint64_t left;
};

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    static const char row[ROW_BYTES];

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        if (gp_emit(out, gp_wall_ns(self), row, sizeof row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_MORE;
}

static int32_t sink_open(const struct gp_task *task, void **ret_self)
{
    struct sink *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    *ret_self = s;
    return gp_config_u64(task->config, "take", 1000, &s->left);
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct sink *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        (void)row;
        if (s->left == 0) {
            return GP_AGAIN; /* and nobody ever wakes it */
        }
        s->left--;
    }
    return GP_OK;
}

static const struct gp_processor source = {.size = sizeof source,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = gp_open_stateless,
                                           .poll = source_poll};

static const struct gp_processor sink = {.size = sizeof sink,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = sink_open,
                                         .process = sink_process,
                                         .close = gp_close_free};

static int32_t build(const struct gp_build *b)
{
    const char *take = gp_config_text(b->config, "take", NULL);
    gp_node from = gp_add(b, "source", &source, 1);
    gp_node to = gp_add(b, "sink", &sink, 1);

    if (take) {
        gp_set(b, to, "take", take);
    }
    gp_connect(b, from, to, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("flood", "1.0.0", build, &source, &sink)
