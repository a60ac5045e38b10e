/*
 * movable: feed -> hash -> check -> forward -> pass -> shuffle -> tally. Tasks may move while it
 * runs; it notices whatever that loses, doubles or reorders.
 *
 *     rows=N    each task of feed emits N rows and ends
 *     pause=N   and is silent for N us after each 16 of them
 *
 * Of each key and task of feed the numbers come in order to the same task of check, which counts
 * under "wrong" whatever is not the next. What tally keeps cannot come along: its tasks stay.
 */
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define KEYS        32u
#define FEEDS_MAX   8u
#define PAUSE_EACH  16u
#define PAUSE_TIMER 1u

struct item {
    uint32_t feed;
    uint32_t key;
    uint64_t number; /* of that key, from this feed */
};

/* ---- feed ---- */

struct feed {
    const struct gp_task *task;
    uint64_t rows;
    uint64_t pause_us;
    uint64_t sent;
    uint64_t paused;
};

static int32_t feed_open(const struct gp_task *task, void **ret_self)
{
    struct feed *f = calloc(1, sizeof *f);

    if (!f || gp_config_u64(task->config, "rows", 1000, &f->rows) != GP_OK ||
        gp_config_u64(task->config, "pause", 0, &f->pause_us) != GP_OK) {
        free(f);
        return gp_fail(task, "no memory, or a parameter is not a number");
    }
    f->task = task;
    *ret_self = f;
    return GP_OK;
}

static int32_t feed_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct feed *f = self;

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        struct item item = {f->task->index, (uint32_t)(f->sent % KEYS), f->sent / KEYS};
        if (f->sent == f->rows) {
            return GP_END;
        }
        if (f->pause_us > 0 && f->sent % PAUSE_EACH == PAUSE_EACH - 1 && f->paused != f->sent) {
            f->paused = f->sent;
            return gp_timer_set(f->task, GP_TIMER_PROCESSING, PAUSE_TIMER,
                                gp_now_ns(f->task) + (int64_t)f->pause_us * 1000) == GP_OK
                       ? GP_IDLE
                       : GP_FAIL;
        }
        if (gp_emit_keyed(out, (int64_t)f->sent, &item.key, sizeof item.key, &item, sizeof item) !=
            GP_OK) {
            return GP_FAIL;
        }
        f->sent++;
    }
    return GP_MORE;
}

static int32_t feed_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct feed *f = self;

    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("sent"),
                         (gp_bytes){&f->sent, sizeof f->sent});
}

static int32_t feed_restore(void *self, struct gp_restore *restore)
{
    struct feed *f = self;

    return gp_restore_into(f->task, restore, &f->sent, sizeof f->sent);
}

static const struct gp_processor feed = {
    .size = sizeof feed,
    .kind = GP_KIND_PROCESSOR,
    .type = "feed",
    .open = feed_open,
    .poll = feed_poll,
    .snapshot = feed_snapshot,
    .restore = feed_restore,
    .close = gp_close_free,
};

/* ---- check ---- */

struct check {
    const struct gp_task *task;
    uint64_t next[FEEDS_MAX][KEYS];
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

static int32_t check_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct check *c = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        struct item item;
        uint64_t *next;
        memcpy(&item, row->value, sizeof item);
        next = &c->next[item.feed % FEEDS_MAX][item.key % KEYS];
        gp_count(c->task, "rows", 1);
        gp_count(c->task, "wrong", item.number != *next);
        *next = item.number + 1;
        if (gp_emit_row(out, 0, row) != GP_OK) {
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

static const struct gp_processor check = {
    .size = sizeof check,
    .kind = GP_KIND_PROCESSOR,
    .type = "check",
    .flags = GP_PROCESSOR_STATEFUL,
    .open = check_open,
    .process = check_process,
    .snapshot = check_snapshot,
    .restore = check_restore,
    .close = gp_close_free,
};

/* ---- pass ---- */

static int32_t pass_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)self;
    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static const struct gp_processor pass = {
    .size = sizeof pass,
    .kind = GP_KIND_PROCESSOR,
    .type = "pass",
    .open = gp_open_stateless,
    .process = pass_process,
};

/* ---- tally ---- */

struct tally {
    const struct gp_task *task;
    uint64_t seen;
};

static int32_t tally_open(const struct gp_task *task, void **ret_self)
{
    struct tally *t = calloc(1, sizeof *t);

    if (!t) {
        return gp_fail(task, "no memory");
    }
    t->task = task;
    *ret_self = t;
    return GP_OK;
}

static int32_t tally_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct tally *t = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        t->seen++;
    }
    return GP_OK;
}

static int32_t tally_end(void *self, struct gp_out *out)
{
    struct tally *t = self;

    (void)out;
    gp_count(t->task, "kept", (int64_t)t->seen);
    return GP_OK;
}

static const struct gp_processor tally = {
    .size = sizeof tally,
    .kind = GP_KIND_PROCESSOR,
    .type = "tally",
    .flags = GP_PROCESSOR_STATEFUL,
    .open = tally_open,
    .process = tally_process,
    .on_end = tally_end,
    .close = gp_close_free,
};

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "feed", &feed, 2);
    gp_node checks = gp_add(b, "check", &check, 4);
    gp_node passes = gp_add(b, "pass", &pass, 4);
    gp_node to = gp_add(b, "tally", &tally, 2);

    gp_set(b, from, "rows", gp_config_text(b->config, "rows", "1000"));
    gp_set(b, from, "pause", gp_config_text(b->config, "pause", "0"));
    gp_connect(b, from, checks, GP_HASH);
    gp_connect(b, checks, passes, GP_FORWARD);
    gp_connect(b, passes, to, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("movable", "1.0.0", build, &feed, &check, &pass, &tally)
