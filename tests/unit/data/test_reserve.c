/*
 * Messages built in place: of every length and cut at every length, alone and among emitted ones,
 * where the batch itself is written to and where it is not. What came must be what was written,
 * padding included, in order.
 */
#include <string.h>

#include "gp_test.h"
#include "rig.h"

#define ROWS       5000u
#define SLACK_MAX  13u /* reserved and not committed */
#define VALUE_MAX  200u
#define LARGE_EACH 1000u
#define ASIDE_EACH 50u
#define LARGE      100000u

struct self {
    const struct gp_task *task;
    struct rig_processor *about;
    struct gp_cursor *cursor; /* NULL: all by calls of the host */
    uint32_t row;
};

static int32_t self_open(const struct gp_task *task, void **ret_self)
{
    struct self *s = calloc(1, sizeof *s);

    if (!s) {
        return GP_FAIL;
    }
    s->task = task;
    s->about = (struct rig_processor *)(uintptr_t)task->config->host;
    *ret_self = s;
    return GP_OK;
}

static int32_t cursor_open(const struct gp_task *task, void **ret_self)
{
    int32_t rc = self_open(task, ret_self);

    if (rc == GP_OK) {
        ((struct self *)*ret_self)->cursor = gp_cursor_of(task, 0);
    }
    return rc;
}

static void self_close(void *self, uint32_t ended)
{
    struct self *s = self;

    s->about->ended += ended;
    s->about->closed++;
    free(s);
}

/* Row i is so long, and its byte k is such. */
static uint32_t length_of(uint32_t row)
{
    return row % LARGE_EACH == LARGE_EACH - 1 ? LARGE : row * 7 % VALUE_MAX;
}

static uint8_t byte_of(uint32_t row, uint32_t at)
{
    return (uint8_t)(row * 31 + at);
}

static bool is_at_cursor(const struct self *s, uint32_t row)
{
    return s->cursor && row % 7 != 0;
}

static void *reserve(struct self *s, struct gp_out *out, uint32_t row, uint32_t len)
{
    struct gp_msg msg = {.size = sizeof msg, .time_ns = row};

    if (is_at_cursor(s, row)) {
        return gp_cursor_reserve(s->cursor, row, len);
    }
    if (s->about->keys > 0) {
        msg.flags = GP_MSG_KEYED;
        msg.key = &s->task->index; /* one key: one way, in order */
        msg.key_len = sizeof s->task->index;
    }
    return out->reserve(out, 0, &msg, len);
}

static int32_t commit(struct self *s, struct gp_out *out, uint32_t row, void *value, uint32_t len)
{
    return is_at_cursor(s, row) ? gp_cursor_commit(s->cursor, value, len) : out->commit(out, len);
}

/* Now and then a message outside the stream, between what is reserved and what is not. */
static void send_aside(const struct self *s, uint32_t row)
{
    struct gp_msg msg = {
        .size = sizeof msg, .time_ns = row, .value = &row, .value_len = sizeof row};

    if (s->cursor && row % ASIDE_EACH == 0) {
        (void)gp_send(s->task, GP_STR("sink"), 0, &msg); /* without credit it need not arrive */
    }
}

static int32_t send(struct self *s, struct gp_out *out, uint32_t row)
{
    uint32_t len = length_of(row);
    uint8_t *value = reserve(s, out, row, len + row % SLACK_MAX);

    if (!value) {
        return GP_FAIL;
    }
    memset(value, 0xff, len + row % SLACK_MAX);
    for (uint32_t i = 0; i < len; i++) {
        value[i] = byte_of(row, i);
    }
    if (row % 5 != 0) {
        return commit(s, out, row, value, len);
    }
    /* A commit of nothing, and an emitted row. */
    if (commit(s, out, row, value, 0) != GP_OK) {
        return GP_FAIL;
    }
    return is_at_cursor(s, row) && row % 2 == 0 ? gp_cursor_emit(s->cursor, row, "emitted", 7)
                                                : gp_emit(out, row, "emitted", 7);
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct self *s = self;

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        if (s->row == ROWS) {
            return GP_END;
        }
        if (send(s, out, s->row) != GP_OK) {
            return GP_FAIL;
        }
        send_aside(s, s->row);
        s->row++;
        s->about->seen++;
    }
    return GP_MORE;
}

static int is_padded(const struct gp_row *row)
{
    const uint8_t *at = (const uint8_t *)row->value + row->value_len;

    for (; ((uintptr_t)at & 7u) != 0; at++) {
        if (*at != 0) {
            return 0;
        }
    }
    return 1;
}

static int is_right(const struct gp_row *row)
{
    uint32_t number = (uint32_t)row->time_ns;
    const uint8_t *value = row->value;

    if (number % 5 == 0) {
        return row->value_len == 0 || (row->value_len == 7 && memcmp(value, "emitted", 7) == 0);
    }
    if (row->value_len != length_of(number)) {
        return 0;
    }
    for (uint32_t i = 0; i < row->value_len; i++) {
        if (value[i] != byte_of(number, i)) {
            return 0;
        }
    }
    return 1;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct self *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        s->about->seen++;
        s->about->disordered += (uint32_t)row->time_ns < s->row;
        s->about->misrouted += !is_right(row) || (row->value_len < VALUE_MAX && !is_padded(row));
        s->row = (uint32_t)row->time_ns;
    }
    return GP_OK;
}

static int32_t sink_on_message(void *self, const struct gp_row *row, struct gp_out *out)
{
    struct self *s = self;
    uint32_t number;

    (void)out;
    memcpy(&number, row->value, sizeof number);
    s->about->misrouted += row->value_len != sizeof number || number != (uint32_t)row->time_ns;
    s->about->sum++;
    return GP_OK;
}

static const struct gp_processor source = {.size = sizeof source,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = self_open,
                                           .poll = source_poll,
                                           .close = self_close};

static const struct gp_processor cursor_source = {.size = sizeof cursor_source,
                                                  .kind = GP_KIND_PROCESSOR,
                                                  .type = "cursor source",
                                                  .open = cursor_open,
                                                  .poll = source_poll,
                                                  .close = self_close};

static const struct gp_processor sink = {.size = sizeof sink,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = self_open,
                                         .process = sink_process,
                                         .on_message = sink_on_message,
                                         .close = self_close};

static void job(struct rig *rig, const struct gp_processor *from, uint32_t partitioner,
                uint32_t lanes)
{
    rig_begin(rig);
    rig->lanes = lanes;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = from,
                                         .parallelism = 1,
                                         .keys = partitioner == PLAN_HASH});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &sink, .parallelism = 1});
    rig_connect(rig, 0, 1, partitioner);
}

static void check_right(struct rig *rig)
{
    const struct rig_processor *to = &rig->processors[1];

    GP_CHECK_EQ(rig->processors[0].seen, ROWS);
    GP_CHECK_EQ(to->seen, ROWS + ROWS / 5);
    GP_CHECK_EQ(to->misrouted, 0);
    GP_CHECK_EQ(to->disordered, 0);
    GP_CHECK_EQ(to->ended, 1);
}

static const uint32_t partitioners[] = {PLAN_SHUFFLE, PLAN_FORWARD, PLAN_HASH, PLAN_BROADCAST};

GP_TEST(reserve, what_is_built_in_place_arrives)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof partitioners / sizeof partitioners[0]; i++) {
        for (uint32_t lanes = 1; lanes <= 2; lanes++) {
            job(&rig, &source, partitioners[i], lanes);
            GP_CHECK(rig_run_simulated(&rig, 1 + i));
            check_right(&rig);
        }
    }
}

GP_TEST(reserve, batches_of_a_few_rows_will_do)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof partitioners / sizeof partitioners[0]; i++) {
        job(&rig, &source, partitioners[i], 2);
        rig.options.batch_bytes = 512;
        rig.options.window_max_bytes = 1024;
        GP_CHECK(rig_run_simulated(&rig, 1 + i));
        check_right(&rig);
    }
}

/* On edges with and without runs to one task; by hash its messages have no keys: one task. */
GP_TEST(reserve, what_is_built_at_a_cursor_arrives)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof partitioners / sizeof partitioners[0]; i++) {
        for (uint32_t lanes = 1; lanes <= 2; lanes++) {
            job(&rig, &cursor_source, partitioners[i], lanes);
            GP_CHECK(rig_run_simulated(&rig, 1 + i));
            check_right(&rig);
            GP_CHECK(rig.processors[1].sum > 0);
        }
        job(&rig, &cursor_source, partitioners[i], 2);
        rig.options.batch_bytes = 512;
        rig.options.window_max_bytes = 1024;
        GP_CHECK(rig_run_simulated(&rig, 1 + i));
        check_right(&rig);
    }
}

/* ---- plugins that do it wrong ---- */

enum mistake {
    RESERVE_TWICE,
    COMMIT_MORE,
    EMIT_BETWEEN,
    COMMIT_AGAIN,
    RESERVE_FAR, /* so much that its row has no size in 32 bits */
    EMIT_FAR,
    /* at a cursor */
    CURSOR_COMMIT_MORE,
    CURSOR_COMMIT_AGAIN,
    CURSOR_EMIT_BETWEEN,
    CURSOR_COMMIT_ELSE,
    CURSOR_RESERVE_FAR,
    CURSOR_RUNS_OFF,
    CURSOR_MISCOUNTS,
    CURSOR_GOES_BACK,
};

static int32_t mistaken_at_cursor(struct gp_cursor *c, struct gp_out *out, uint32_t mistake)
{
    uint8_t *value = gp_cursor_reserve(c, 0, mistake == CURSOR_RESERVE_FAR ? UINT32_MAX : 16);

    if (!value || mistake == CURSOR_RESERVE_FAR) {
        return value ? GP_OK : GP_FAIL;
    }
    memset(value, 0, 16);
    switch (mistake) {
    case CURSOR_COMMIT_MORE:
        return gp_cursor_commit(c, value, 17);
    case CURSOR_COMMIT_AGAIN:
        return gp_cursor_commit(c, value, 16) == GP_OK ? gp_cursor_commit(c, value, 16) : GP_FAIL;
    case CURSOR_EMIT_BETWEEN:
        return gp_emit(out, 0, "x", 1) == GP_OK ? gp_cursor_commit(c, value, 16) : GP_FAIL;
    case CURSOR_COMMIT_ELSE:
        return gp_cursor_commit(c, &mistake, 4);
    case CURSOR_RUNS_OFF:
        c->at = c->limit + 8;
        return GP_OK;
    case CURSOR_MISCOUNTS:
        c->rows += 100;
        return gp_cursor_commit(c, value, 16);
    default:
        c->at -= 1024;
        return GP_OK;
    }
}

static int32_t mistaken(struct self *s, struct gp_out *out, uint32_t mistake)
{
    const struct gp_msg msg = {.size = sizeof msg};
    void *value;

    if (mistake >= CURSOR_COMMIT_MORE) {
        return mistaken_at_cursor(s->cursor, out, mistake);
    }
    if (mistake == EMIT_FAR) {
        return gp_emit(out, 0, "x", UINT32_MAX);
    }
    value = out->reserve(out, 0, &msg, mistake == RESERVE_FAR ? UINT32_MAX : 16);
    if (!value || mistake == RESERVE_FAR) {
        return value ? GP_OK : GP_FAIL;
    }
    memset(value, 0, 16);
    switch (mistake) {
    case RESERVE_TWICE:
        return out->reserve(out, 0, &msg, 16) ? GP_OK : GP_FAIL;
    case COMMIT_MORE:
        return out->commit(out, 17);
    case EMIT_BETWEEN:
        return gp_emit(out, 0, "x", 1) == GP_OK ? out->commit(out, 16) : GP_FAIL;
    default:
        return out->commit(out, 16) == GP_OK ? out->commit(out, 16) : GP_FAIL;
    }
}

/* One row as it should be, so that the batch is open; then the mistake. */
static int32_t wrong_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct self *s = self;

    (void)budget;
    return gp_emit(out, 0, "x", 1) == GP_OK && mistaken(s, out, s->about->rows_per_poll) == GP_OK
               ? GP_END
               : GP_FAIL;
}

static const struct gp_processor wrong = {.size = sizeof wrong,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "wrong",
                                          .open = cursor_open,
                                          .poll = wrong_poll,
                                          .close = self_close};

GP_TEST(reserve, mistakes_fail_the_task)
{
    struct rig rig;

    for (uint32_t mistake = RESERVE_TWICE; mistake <= CURSOR_GOES_BACK; mistake++) {
        job(&rig, &wrong, PLAN_SHUFFLE, 1);
        rig.processors[0].rows_per_poll = mistake;
        (void)rig_run_simulated(&rig, 1);
        GP_CHECK_EQ(rig.failed, 1);
        GP_CHECK(strstr(rig.failure.text, mistake == EMIT_FAR          ? "message.max"
                                          : mistake >= CURSOR_RUNS_OFF ? "not where it can be"
                                                                       : "reserv") != NULL);
    }
}
