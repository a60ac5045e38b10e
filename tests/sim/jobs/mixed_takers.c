/*
 * mixed_takers.c: the receiving processors of the job `mixed`. Whatever is wrong with a row fails
 * the job, with a text that says what; how many came is counted.
 *
 * Order: what a taker gets from one task before it is in the order of its numbers, for each origin.
 * Behind broadcast and forward no number is missing, behind round_robin they are as far apart as
 * there are tasks.
 */
#include <stdlib.h>

#include "mixed.h"

#define KEYED_YIELD_EACH 100u
#define PASS_TIMER       1u
#define PASS_NS          1000000
#define ACK_EACH         4u

struct taker {
    const struct gp_task *task;
    uint64_t take; /* slow: rows until it waits */
    uint64_t taken;
    uint64_t rows;
    uint64_t sum;
    uint64_t late;
    uint64_t totals;
    uint64_t heard;
    uint64_t acked;
    uint64_t timers_set;
    uint64_t timers_fired;
    uint32_t totals_sent;
    int64_t watermark_ns;
    int64_t last[ORIGINS_MAX][ORIGINS_MAX]; /* [task before][origin]: the latest number */
    int64_t last_total[ORIGINS_MAX];        /* [task before] */
};

static int32_t taker_open(const struct gp_task *task, void **ret_self)
{
    struct taker *t = calloc(1, sizeof *t);

    if (!t || gp_config_u64(task->config, "take", 0, &t->take) != GP_OK) {
        free(t);
        return gp_fail(task, "no memory, or take is not a number");
    }
    t->task = task;
    t->watermark_ns = GP_TIME_MIN;
    for (uint32_t i = 0; i < ORIGINS_MAX; i++) {
        t->last_total[i] = -1;
        for (uint32_t k = 0; k < ORIGINS_MAX; k++) {
            t->last[i][k] = -1;
        }
    }
    *ret_self = t;
    return GP_OK;
}

static int32_t taker_on_end(void *self, struct gp_out *out)
{
    struct taker *t = self;

    (void)out;
    gp_count(t->task, "rows", (int64_t)t->rows);
    gp_count(t->task, "sum", (int64_t)t->sum);
    gp_count(t->task, "late", (int64_t)t->late);
    gp_count(t->task, "totals", (int64_t)t->totals);
    gp_count(t->task, "heard", (int64_t)t->heard);
    gp_count(t->task, "acked", (int64_t)t->acked);
    gp_count(t->task, "timers_set", (int64_t)t->timers_set);
    gp_count(t->task, "timers_fired", (int64_t)t->timers_fired);
    return GP_OK;
}

/* Checks a row and counts it. distance: between numbers of one origin; 0: any, as long as they
 * grow. */
static int32_t take(struct taker *t, const struct gp_row *row, uint32_t distance, struct head *h)
{
    int64_t *last;

    if (!value_is_right(row->value, row->value_len, h) || h->origin >= ORIGINS_MAX ||
        row->source >= ORIGINS_MAX) {
        return gp_failf(t->task, "%u bytes of task %u are not what was sent", row->value_len,
                        row->source);
    }
    if ((row->flags & GP_ROW_LATE) && !(h->flags & HEAD_LATE)) {
        return gp_failf(t->task, "number %u of %u is late and was not sent so", h->number,
                        h->origin);
    }
    last = h->flags & HEAD_TOTAL ? &t->last_total[row->source] : &t->last[row->source][h->origin];
    if (*last >= 0 && distance > 0 ? (int64_t)h->number != *last + distance
                                   : (int64_t)h->number <= *last) {
        return gp_failf(t->task, "number %u of %u came after %lld", h->number, h->origin,
                        (long long)*last);
    }
    *last = h->number;
    t->late += (row->flags & GP_ROW_LATE) != 0;
    if (h->flags & HEAD_TOTAL) {
        t->totals++;
    } else {
        t->rows++;
        t->sum += h->number;
    }
    return GP_OK;
}

/* ---- keyed: one key, one task; passes everything on; yields; emits at its end ---- */

static int32_t keyed_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        uint32_t key;

        if (take(t, row, 0, &h) != GP_OK) {
            return GP_FAIL;
        }
        memcpy(&key, row->key, sizeof key);
        if (row->key_len != sizeof key || key != h.number % KEYS ||
            gp_key_group_task(gp_key_group(row->key_hash), t->task->parallelism) !=
                t->task->index) {
            return gp_failf(t->task, "number %u has the key %u", h.number, key);
        }
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
        if (t->rows % KEYED_YIELD_EACH == 0) {
            ++*consumed;
            return GP_YIELD;
        }
    }
    return GP_OK;
}

static int32_t keyed_on_end(void *self, struct gp_out *out)
{
    struct taker *t = self;
    struct head h = {
        .origin = t->task->index, .number = t->totals_sent, .body_bytes = 8, .flags = HEAD_TOTAL};
    char value[sizeof h + 8];

    if (t->totals_sent == TOTALS) {
        return taker_on_end(self, out);
    }
    t->totals_sent++;
    fill_value(value, &h);
    return gp_emit(out, GP_TIME_MAX, value, sizeof value) == GP_OK ? GP_YIELD : GP_FAIL;
}

const struct gp_processor keyed = {
    .size = sizeof keyed,
    .kind = GP_KIND_PROCESSOR,
    .type = "keyed",
    .open = taker_open,
    .process = keyed_process,
    .on_end = keyed_on_end,
    .close = gp_close_free,
};

/* ---- slow: a sink that stops after every few rows ---- */

static int32_t slow_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (take(t, row, 0, &h) != GP_OK) {
            return GP_FAIL;
        }
        if (t->take > 0 && ++t->taken == t->take) {
            t->taken = 0;
            ++*consumed;
            return gp_timer_set(t->task, GP_TIMER_PROCESSING, PASS_TIMER,
                                gp_now_ns(t->task) + PASS_NS) == GP_OK
                       ? GP_AGAIN
                       : GP_FAIL;
        }
    }
    return GP_OK;
}

const struct gp_processor slow = {
    .size = sizeof slow,
    .kind = GP_KIND_PROCESSOR,
    .type = "slow",
    .open = taker_open,
    .process = slow_process,
    .on_end = taker_on_end,
    .close = gp_close_free,
};

/* ---- all: every number, and time that never goes back ---- */

static int32_t all_process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                           struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (take(t, row, 1, &h) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t all_on_watermark(void *self, int64_t time_ns, struct gp_out *out)
{
    struct taker *t = self;

    (void)out;
    if (time_ns < t->watermark_ns) {
        return gp_fail(t->task, "a watermark went back");
    }
    t->watermark_ns = time_ns;
    return GP_OK;
}

static int32_t all_on_end(void *self, struct gp_out *out)
{
    struct taker *t = self;

    return t->watermark_ns == GP_TIME_MAX ? taker_on_end(self, out)
                                          : gp_fail(t->task, "the end came before its watermark");
}

const struct gp_processor all = {
    .size = sizeof all,
    .kind = GP_KIND_PROCESSOR,
    .type = "all",
    .open = taker_open,
    .process = all_process,
    .on_watermark = all_on_watermark,
    .on_end = all_on_end,
    .close = gp_close_free,
};

/* ---- pair: every number of the task of its own index; near: whatever pair passes on ---- */

static int32_t pair_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (take(t, row, 1, &h) != GP_OK) {
            return GP_FAIL;
        }
        if (h.origin != t->task->index) {
            return gp_failf(t->task, "got a row of task %u", h.origin);
        }
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

const struct gp_processor pair = {
    .size = sizeof pair,
    .kind = GP_KIND_PROCESSOR,
    .type = "pair",
    .open = taker_open,
    .process = pair_process,
    .on_end = taker_on_end,
    .close = gp_close_free,
};

const struct gp_processor near_by = {
    .size = sizeof near_by,
    .kind = GP_KIND_PROCESSOR,
    .type = "near",
    .open = taker_open,
    .process = slow_process,
    .on_end = taker_on_end,
    .close = gp_close_free,
};

/* ---- turn: every n-th number; timers of event time; answers the source ---- */

static void acknowledge(struct taker *t, const struct head *h)
{
    struct gp_msg msg = {
        .size = (uint32_t)sizeof msg, .value = h, .value_len = (uint32_t)sizeof *h};

    t->acked += gp_send(t->task, GP_STR("numbers"), h->origin, &msg) == GP_OK;
}

/* Each has an id of its own and must come, at the latest with the last watermark. */
static int32_t set_timer(struct taker *t, const struct gp_row *row, const struct head *h)
{
    t->timers_set++;
    return gp_timer_set(t->task, GP_TIMER_EVENT, (uint64_t)h->origin << 32 | h->number,
                        row->time_ns + 100 * (int64_t)TIME_STEP_NS);
}

static int32_t turn_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (take(t, row, t->task->parallelism, &h) != GP_OK) {
            return GP_FAIL;
        }
        if (h.number % TIMER_EACH == 0 && set_timer(t, row, &h) != GP_OK) {
            return gp_fail(t->task, "a timer cannot be set");
        }
        if (h.number % ACK_EACH == 0) {
            acknowledge(t, &h);
        }
    }
    return GP_OK;
}

static int32_t turn_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                             struct gp_out *out)
{
    struct taker *t = self;

    (void)id;
    (void)out;
    if (clock != GP_TIMER_EVENT || at_ns > t->task->service->watermark_ns(t->task)) {
        return gp_fail(t->task, "a timer came before its time");
    }
    t->timers_fired++;
    return GP_OK;
}

const struct gp_processor turn = {
    .size = sizeof turn,
    .kind = GP_KIND_PROCESSOR,
    .type = "turn",
    .open = taker_open,
    .process = turn_process,
    .on_timer = turn_on_timer,
    .on_end = taker_on_end,
    .close = gp_close_free,
};

/* ---- picked: odd or even numbers; rejects some; hears what comes outside the stream ---- */

static int32_t picked_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct taker *t = self;
    struct head h;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (take(t, row, t->task->parallelism == 1 ? 1 : 2, &h) != GP_OK) {
            return GP_FAIL;
        }
        if (h.number % 2 % t->task->parallelism != t->task->index) {
            return gp_failf(t->task, "got number %u", h.number);
        }
        if (h.number % REJECT_EACH == REJECT_EACH - 1) {
            return gp_reject(t->task, "such numbers are not wanted");
        }
    }
    return GP_OK;
}

static int32_t picked_on_message(void *self, const struct gp_row *row, struct gp_out *out)
{
    struct taker *t = self;

    (void)row;
    (void)out;
    t->heard++;
    return GP_OK;
}

const struct gp_processor picked = {
    .size = sizeof picked,
    .kind = GP_KIND_PROCESSOR,
    .type = "picked",
    .open = taker_open,
    .process = picked_process,
    .on_message = picked_on_message,
    .on_end = taker_on_end,
    .close = gp_close_free,
};
