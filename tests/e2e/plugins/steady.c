/*
 * steady: numbers -> relay -> sink, a job under a constant load that never ends: `rate` rows a
 * second (20,000) and a hundred watermarks from each source task. A task of the relay crashes when
 * it finds the file named by `crash`, which it removes first: each file is one crash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gearpump/gearpump.h>

#define PERIOD_NS 10000000
#define KEYS      1000u

struct task {
    const struct gp_task *task;
    uint64_t rows; /* in each period */
    uint64_t count;
    char value[92]; /* with its key, a hundred bytes */
};

static int *volatile nowhere;

static int32_t task_open(const struct gp_task *task, void **ret_self)
{
    struct task *t = calloc(1, sizeof *t);
    uint64_t rate = 20000;

    if (!t) {
        return gp_fail(task, "no memory");
    }
    t->task = task;
    if (gp_config_u64(task->config, "rate", rate, &rate) != GP_OK) {
        free(t);
        return GP_FAIL;
    }
    t->rows = rate / (1000000000 / PERIOD_NS);
    *ret_self = t;
    return gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + PERIOD_NS);
}

static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self, (void)out, (void)budget;
    return GP_IDLE;
}

/* What does not fit is left out: the load is what can be borne. */
static int32_t numbers_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                                struct gp_out *out)
{
    struct task *t = self;
    int64_t now_ns = gp_wall_ns(t->task);

    (void)at_ns;
    for (uint64_t i = 0; i < t->rows && !gp_out_full(out); i++) {
        uint64_t key = t->count++ % KEYS;
        if (gp_emit_keyed(out, now_ns, &key, sizeof key, t->value, sizeof t->value) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (gp_emit_watermark(out, now_ns) != GP_OK) {
        return GP_FAIL;
    }
    return gp_timer_set(t->task, clock, id, gp_now_ns(t->task) + PERIOD_NS);
}

static int32_t relay_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct task *t = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (gp_emit_keyed(out, gp_wall_ns(t->task), row->key, row->key_len, row->value,
                          row->value_len) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t relay_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                              struct gp_out *out)
{
    struct task *t = self;
    const char *path = gp_config_text(t->task->config, "crash", NULL);

    (void)at_ns, (void)out;
    if (path && unlink(path) == 0) {
        *nowhere = 1;
    }
    return gp_timer_set(t->task, clock, id, gp_now_ns(t->task) + PERIOD_NS);
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct task *t = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        t->count += row->value_len;
    }
    return GP_OK;
}

static int32_t sink_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                             struct gp_out *out)
{
    (void)self, (void)clock, (void)id, (void)at_ns, (void)out;
    return GP_OK;
}

static const struct gp_processor numbers = {.size = sizeof numbers,
                                            .kind = GP_KIND_PROCESSOR,
                                            .type = "numbers",
                                            .open = task_open,
                                            .poll = numbers_poll,
                                            .on_timer = numbers_on_timer,
                                            .close = gp_close_free};

static const struct gp_processor relay = {.size = sizeof relay,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "relay",
                                          .open = task_open,
                                          .process = relay_process,
                                          .on_timer = relay_on_timer,
                                          .close = gp_close_free};

static const struct gp_processor sink = {.size = sizeof sink,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = task_open,
                                         .process = sink_process,
                                         .on_timer = sink_on_timer,
                                         .close = gp_close_free};

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "numbers", &numbers, 3);
    gp_node by = gp_add(b, "relay", &relay, 6);
    gp_node to = gp_add(b, "sink", &sink, 3);
    const char *rate = gp_config_text(b->config, "rate", NULL);
    const char *crash = gp_config_text(b->config, "crash", NULL);

    if (rate) {
        gp_set(b, from, "rate", rate);
    }
    if (crash) {
        gp_set(b, by, "crash", crash);
    }
    gp_connect(b, from, by, GP_HASH);
    gp_connect(b, by, to, GP_HASH);
    return GP_OK;
}

GP_APP("steady", "1.0.0", build, &numbers, &relay, &sink)
