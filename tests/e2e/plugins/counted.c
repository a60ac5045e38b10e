/*
 * counted: numbers -> check -> sink, a job that knows by itself whether anything was lost, doubled
 * or reordered: each row of a key carries the number of its predecessors, which every task that it
 * comes through compares with what it has seen. All tasks keep state and can be moved with it, but
 * for the sink with `stays`, which has no snapshot. Ends when the file named by `stop` is there.
 *
 * Counters: "rows"; "gaps" (rows were missing), "repeats" (they came again, or out of order).
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gearpump/gearpump.h>

#define PERIOD_NS 10000000
#define SOURCES   3u
#define KEYS      64u

struct key {
    uint32_t source;
    uint32_t number;
};

struct source {
    const struct gp_task *task;
    const char *stop;
    uint64_t rows; /* in each period */
    uint64_t sent;
    int64_t due_ns;
};

static int32_t numbers_open(const struct gp_task *task, void **ret_self)
{
    struct source *s = calloc(1, sizeof *s);
    uint64_t rate = 20000;

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->stop = gp_config_text(task->config, "stop", NULL);
    if (gp_config_u64(task->config, "rate", rate, &rate) != GP_OK) {
        free(s);
        return GP_FAIL;
    }
    s->rows = rate / (1000000000 / PERIOD_NS);
    *ret_self = s;
    return GP_OK;
}

/* What does not fit is left out: the load is what can be borne. */
static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;
    int64_t now_ns = gp_now_ns(s->task);

    (void)budget;
    if (now_ns >= s->due_ns) {
        if (s->stop && access(s->stop, F_OK) == 0) {
            return GP_END;
        }
        for (uint64_t i = 0; i < s->rows && !gp_out_full(out); i++) {
            struct key key = {s->task->index, (uint32_t)(s->sent % KEYS)};
            uint64_t number = s->sent / KEYS;
            if (gp_emit_keyed(out, (int64_t)s->sent, &key, sizeof key, &number, sizeof number) !=
                GP_OK) {
                return GP_FAIL;
            }
            s->sent++;
        }
        s->due_ns = now_ns + PERIOD_NS;
    }
    return gp_timer_set(s->task, GP_TIMER_PROCESSING, 0, s->due_ns) == GP_OK ? GP_IDLE : GP_FAIL;
}

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

static const struct gp_processor numbers = {.size = sizeof numbers,
                                            .kind = GP_KIND_PROCESSOR,
                                            .type = "numbers",
                                            .open = numbers_open,
                                            .poll = numbers_poll,
                                            .snapshot = numbers_snapshot,
                                            .restore = numbers_restore,
                                            .close = gp_close_free};

struct check {
    const struct gp_task *task;
    uint64_t next[SOURCES][KEYS];
};

static int32_t check_open(const struct gp_task *task, void **ret_self)
{
    struct check *c = calloc(1, sizeof *c);

    if (!c) {
        return gp_fail(task, "no memory");
    }
    c->task = task;
    *ret_self = c;
    return GP_OK;
}

static int32_t check_row(struct check *c, const struct gp_row *row)
{
    struct key key;
    uint64_t number;

    memcpy(&key, row->key, sizeof key);
    memcpy(&number, row->value, sizeof number);
    if (key.source >= SOURCES || key.number >= KEYS) {
        return gp_fail(c->task, "a row that nobody sent");
    }
    gp_count(c->task, "rows", 1);
    gp_count(c->task, "gaps", number > c->next[key.source][key.number]);
    gp_count(c->task, "repeats", number < c->next[key.source][key.number]);
    c->next[key.source][key.number] = number + 1;
    return GP_OK;
}

static int32_t check_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (check_row(self, row) != GP_OK || gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (check_row(self, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t check_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct check *c = self;

    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("next"),
                         (gp_bytes){c->next, sizeof c->next});
}

static int32_t check_restore(void *self, struct gp_restore *restore)
{
    struct check *c = self;

    return gp_restore_into(c->task, restore, c->next, sizeof c->next);
}

#define CHECK(name_, process_)                                                                     \
    .size = sizeof(struct gp_processor), .kind = GP_KIND_PROCESSOR, .type = (name_),               \
    .flags = GP_PROCESSOR_STATEFUL, .open = check_open, .process = (process_),                     \
    .close = gp_close_free

static const struct gp_processor check = {CHECK("check", check_process), .snapshot = check_snapshot,
                                          .restore = check_restore};
static const struct gp_processor sink = {CHECK("sink", sink_process), .snapshot = check_snapshot,
                                         .restore = check_restore};
static const struct gp_processor stays = {CHECK("stays", sink_process)};

static int32_t build(const struct gp_build *b)
{
    const bool is_stubborn = gp_config_text(b->config, "stays", NULL) != NULL;
    const char *rate = gp_config_text(b->config, "rate", NULL);
    const char *stop = gp_config_text(b->config, "stop", NULL);
    gp_node from = gp_add(b, "numbers", &numbers, SOURCES);
    gp_node by = gp_add(b, "check", &check, 6);
    gp_node to = gp_add(b, "sink", is_stubborn ? &stays : &sink, 3);

    if (rate) {
        gp_set(b, from, "rate", rate);
    }
    if (stop) {
        gp_set(b, from, "stop", stop);
    }
    gp_connect(b, from, by, GP_HASH);
    gp_connect(b, by, to, GP_HASH);
    return GP_OK;
}

GP_APP("counted", "1.0.0", build, &numbers, &check, &sink, &stays)
