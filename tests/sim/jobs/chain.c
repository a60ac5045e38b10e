/*
 * chain: numbers -> hash -> work -> shuffle -> sink, with parameters that make it go wrong.
 *
 *     rows=N             each task of numbers emits N rows and ends; 0: never ends
 *     pause=N            each task of numbers is silent for N us after each 16 rows; 0: never
 *     work.crash_after=N task 0 of work traps after N rows
 *     work.fail_after=N  task 0 of work fails after N rows
 *     work.refuse=1      task 0 of work does not open
 *     broken=1           build() has a mistake to tell
 *     stranger=1         the graph names a plugin that nobody has
 */
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define PAUSE_EACH  16u
#define PAUSE_TIMER 1u

struct source {
    const struct gp_task *task;
    uint64_t rows;
    uint64_t pause_us;
    uint64_t sent;
    uint64_t paused; /* the number before which it was silent last */
};

static int32_t numbers_open(const struct gp_task *task, void **ret_self)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    if (gp_config_u64(task->config, "rows", 0, &s->rows) != GP_OK ||
        gp_config_u64(task->config, "pause", 0, &s->pause_us) != GP_OK) {
        free(s);
        return gp_fail(task, "rows or pause is not a number");
    }
    *ret_self = s;
    return GP_OK;
}

static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        uint64_t number = s->sent;
        if (s->rows != 0 && s->sent == s->rows) {
            return GP_END;
        }
        if (s->pause_us > 0 && number % PAUSE_EACH == PAUSE_EACH - 1 && s->paused != number) {
            s->paused = number;
            return gp_timer_set(s->task, GP_TIMER_PROCESSING, PAUSE_TIMER,
                                gp_now_ns(s->task) + (int64_t)s->pause_us * 1000) == GP_OK
                       ? GP_IDLE
                       : GP_FAIL;
        }
        if (gp_emit_keyed(out, (int64_t)number, &number, sizeof number, &number, sizeof number) !=
            GP_OK) {
            return GP_FAIL;
        }
        s->sent++;
    }
    return GP_MORE;
}

/* A source that can be replayed: it goes on where its last snapshot was. */
static int32_t numbers_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct source *s = self;

    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("sent"),
                         (gp_bytes){&s->sent, sizeof s->sent});
}

static int32_t numbers_restore(void *self, struct gp_restore *restore)
{
    struct source *s = self;

    return gp_restore_into(s->task, restore, &s->sent, sizeof s->sent);
}

static const struct gp_processor numbers = {
    .size = sizeof numbers,
    .kind = GP_KIND_PROCESSOR,
    .type = "numbers",
    .open = numbers_open,
    .poll = numbers_poll,
    .snapshot = numbers_snapshot,
    .restore = numbers_restore,
    .close = gp_close_free,
};

struct worker {
    const struct gp_task *task;
    uint64_t fail_after;
    uint64_t crash_after;
    uint64_t seen;
};

static int32_t work_open(const struct gp_task *task, void **ret_self)
{
    struct worker *w;

    if (task->index == 0 && gp_config_text(task->config, "refuse", NULL)) {
        return gp_fail(task, "this task does not want to");
    }
    w = calloc(1, sizeof *w);
    if (!w || gp_config_u64(task->config, "fail_after", 0, &w->fail_after) != GP_OK ||
        gp_config_u64(task->config, "crash_after", 0, &w->crash_after) != GP_OK) {
        free(w);
        return gp_fail(task, "no memory, or a parameter is not a number");
    }
    w->task = task;
    *ret_self = w;
    return GP_OK;
}

static int32_t work_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct worker *w = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        w->seen++;
        if (w->crash_after != 0 && w->task->index == 0 && w->seen > w->crash_after) {
            __builtin_trap();
        }
        if (w->fail_after != 0 && w->task->index == 0 && w->seen > w->fail_after) {
            return gp_failf(w->task, "row %u was too much", (unsigned)w->seen);
        }
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static const struct gp_processor work = {
    .size = sizeof work,
    .kind = GP_KIND_PROCESSOR,
    .type = "work",
    .open = work_open,
    .process = work_process,
    .close = gp_close_free,
};

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    uint64_t sum = 0;
    uint32_t rows = 0;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        uint64_t number;
        memcpy(&number, row->value, sizeof number);
        sum += number;
        rows++;
    }
    gp_count(self, "rows", rows);
    gp_count(self, "sum", (int64_t)sum);
    return GP_OK;
}

static const struct gp_processor sink = {
    .size = sizeof sink,
    .kind = GP_KIND_PROCESSOR,
    .type = "sink",
    .open = gp_open_stateless,
    .process = sink_process,
};

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "numbers", &numbers, 2);
    gp_node middle = gp_add(b, "work", &work, 4);
    gp_node to = gp_add(b, "sink", &sink, 2);

    gp_set(b, from, "rows", gp_config_text(b->config, "rows", "0"));
    gp_set(b, from, "pause", gp_config_text(b->config, "pause", "0"));
    gp_connect(b, from, middle, GP_HASH);
    gp_connect(b, middle, to, GP_SHUFFLE);
    if (gp_config_text(b->config, "stranger", NULL)) {
        gp_connect(b, to, gp_add_plugin(b, "odd", "stranger", "sink", 1), NULL);
    }
    if (gp_config_text(b->config, "broken", NULL)) {
        gp_mistake(b, "the parameter broken was set");
        return GP_FAIL;
    }
    return GP_OK;
}

GP_APP("chain", "1.0.0", build, &numbers, &work, &sink)
