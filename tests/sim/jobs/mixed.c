/*
 * mixed: every partitioner, messages of all sizes, timers, watermarks, late and bad rows, and
 * messages outside the stream, each checked by who gets it.
 *
 *             ┌─ 0 hash ────────▶ keyed ── shuffle ─▶ slow
 *             ├─ 1 broadcast ───▶ all
 *   numbers ──┼─ 2 forward ─────▶ pair ─── local ───▶ near
 *             ├─ 3 round_robin ─▶ turn
 *             └─ 4 odd_even ────▶ picked
 *
 *     numbers.rows=N   each task sends the numbers 0 .. N-1 to each of its ports
 *     numbers.large=N  some of them N bytes long; 0: none
 *     numbers.pause=N  it is silent for N us after each 64 numbers; 0: never
 *     slow.take=N      takes N rows, then waits a millisecond; 0: it does not wait
 *
 * This file has the source, the partitioner and the graph; mixed_takers.c has all others.
 */
#include "mixed.h"

#include <stdlib.h>

#define PORTS          5u
#define PORT_KEYED     0u
#define PORT_RESERVED  3u /* built in place */
#define SMALL_BODY_MAX 200u
#define MEDIUM_BODY    3000u
#define MEDIUM_EACH    29u
#define LARGE_EACH     41u
#define LATE_EACH      40u
#define WATERMARK_EACH 32u
#define PAUSE_EACH     64u
#define NOTE_EACH      8u
#define NOTE_BYTES     900u
#define TIME_FIRST_NS  INT64_C(1000000000000)
#define PAUSE_TIMER    1u

struct numbers {
    const struct gp_task *task;
    uint64_t rows;
    uint64_t large;
    uint64_t pause_us;
    uint32_t number; /* of the next */
    uint32_t paused; /* the number before which it was silent last */
    int64_t told;
    int64_t refused;
    char *value; /* as large as the largest */
};

static int32_t numbers_open(const struct gp_task *task, void **ret_self)
{
    struct numbers *s = calloc(1, sizeof *s);

    if (!s || gp_config_u64(task->config, "rows", 100, &s->rows) != GP_OK ||
        gp_config_u64(task->config, "large", 0, &s->large) != GP_OK ||
        gp_config_u64(task->config, "pause", 0, &s->pause_us) != GP_OK) {
        free(s);
        return gp_fail(task, "no memory, or a parameter is not a number");
    }
    s->task = task;
    s->value = calloc(1, sizeof(struct head) + s->large + MEDIUM_BODY);
    if (!s->value || task->parallelism > ORIGINS_MAX) {
        free(s->value);
        free(s);
        return gp_fail(task, "no memory, or too many tasks");
    }
    *ret_self = s;
    return GP_OK;
}

static uint32_t body_bytes(const struct numbers *s, uint32_t port)
{
    uint32_t draw = (s->number * PORTS + port) * 2654435761u;

    if (s->large > 0 && s->number % LARGE_EACH == LARGE_EACH / 2 && s->number % PORTS == port) {
        return (uint32_t)s->large;
    }
    return s->number % MEDIUM_EACH == port ? MEDIUM_BODY : draw % SMALL_BODY_MAX;
}

static int32_t send_one(struct numbers *s, struct gp_out *out, uint32_t port)
{
    int is_late = s->number % LATE_EACH == LATE_EACH - 1 && s->number > WATERMARK_EACH;
    struct head h = {.origin = s->task->index,
                     .number = s->number,
                     .body_bytes = body_bytes(s, port),
                     .flags = is_late ? HEAD_LATE : 0};
    uint32_t key = s->number % KEYS;
    struct gp_msg msg = {.size = (uint32_t)sizeof msg,
                         .flags = port == PORT_KEYED ? GP_MSG_KEYED : 0,
                         .time_ns = TIME_FIRST_NS + (int64_t)s->number * TIME_STEP_NS,
                         .key = port == PORT_KEYED ? &key : NULL,
                         .key_len = port == PORT_KEYED ? (uint32_t)sizeof key : 0,
                         .value = s->value,
                         .value_len = (uint32_t)sizeof h + h.body_bytes};
    void *place;

    if (is_late) { /* behind the last watermark, wherever that was */
        msg.time_ns -= 2 * (int64_t)WATERMARK_EACH * TIME_STEP_NS;
    }
    if (port != PORT_RESERVED) {
        fill_value(s->value, &h);
        return gp_emit_msg(out, port, &msg);
    }
    place = out->reserve(out, port, &msg, msg.value_len);
    if (!place) {
        return GP_FAIL;
    }
    fill_value(place, &h);
    return out->commit(out, msg.value_len);
}

/* Outside the stream, to some task of picked: it comes before the end does. */
static void send_note(struct numbers *s)
{
    struct gp_msg msg = {.size = (uint32_t)sizeof msg, .value = s->value, .value_len = NOTE_BYTES};
    int32_t rc = gp_send(s->task, GP_STR("picked"), s->number / NOTE_EACH % 2, &msg);

    s->told += rc == GP_OK;
    s->refused += rc == GP_AGAIN;
}

static int32_t send_number(struct numbers *s, struct gp_out *out)
{
    const struct gp_msg nothing = {.size = (uint32_t)sizeof nothing};

    for (uint32_t port = 0; port < PORTS; port++) {
        if (send_one(s, out, port) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (s->number % NOTE_EACH == 0) {
        send_note(s);
        (void)gp_emit_msg(out, PORTS, &nothing); /* nobody is there: dropped and counted */
    }
    if (s->number % WATERMARK_EACH == 0) {
        (void)gp_emit_watermark(out, TIME_FIRST_NS + (int64_t)s->number * TIME_STEP_NS);
    }
    s->number++;
    return GP_OK;
}

static int32_t numbers_end(struct numbers *s)
{
    gp_count(s->task, "told", s->told);
    gp_count(s->task, "refused", s->refused);
    return GP_END;
}

static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct numbers *s = self;

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        if (s->number == s->rows) {
            return numbers_end(s);
        }
        if (s->pause_us > 0 && s->number % PAUSE_EACH == PAUSE_EACH - 1 && s->paused != s->number) {
            s->paused = s->number;
            return gp_timer_set(s->task, GP_TIMER_PROCESSING, PAUSE_TIMER,
                                gp_now_ns(s->task) + (int64_t)s->pause_us * 1000) == GP_OK
                       ? GP_IDLE
                       : GP_FAIL;
        }
        if (send_number(s, out) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_MORE;
}

/* What turn sends back; some of it comes too late. */
static int32_t numbers_on_message(void *self, const struct gp_row *row, struct gp_out *out)
{
    struct numbers *s = self;

    (void)row;
    (void)out;
    gp_count(s->task, "heard", 1);
    return GP_OK;
}

static void numbers_close(void *self, uint32_t ended)
{
    struct numbers *s = self;

    (void)ended;
    free(s->value);
    free(s);
}

static const struct gp_processor numbers = {
    .size = sizeof numbers,
    .kind = GP_KIND_PROCESSOR,
    .type = "numbers",
    .open = numbers_open,
    .poll = numbers_poll,
    .on_message = numbers_on_message,
    .close = numbers_close,
};

static uint32_t odd_even_route(void *self, const struct gp_msg *msg, uint32_t source,
                               uint32_t targets)
{
    struct head h;

    (void)self;
    (void)source;
    memcpy(&h, msg->value, sizeof h);
    return h.number % 2 % targets;
}

static const struct gp_partitioner odd_even = {
    .size = sizeof odd_even,
    .kind = GP_KIND_PARTITIONER,
    .type = "odd_even",
    .route = odd_even_route,
};

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "numbers", &numbers, 2);
    gp_node to_keyed = gp_add(b, "keyed", &keyed, 3);
    gp_node to_slow = gp_add(b, "slow", &slow, 2);
    gp_node to_all = gp_add(b, "all", &all, 2);
    gp_node to_pair = gp_add(b, "pair", &pair, 2);
    gp_node to_near = gp_add(b, "near", &near_by, 3);
    gp_node to_turn = gp_add(b, "turn", &turn, 3);
    gp_node to_picked = gp_add(b, "picked", &picked, 2);

    gp_connect_ports(b, from, 0, to_keyed, 0, GP_HASH);
    gp_connect_ports(b, from, 1, to_all, 0, GP_BROADCAST);
    gp_connect_ports(b, from, 2, to_pair, 0, GP_FORWARD);
    gp_connect_ports(b, from, 3, to_turn, 0, GP_ROUND_ROBIN);
    gp_connect_ports(b, from, 4, to_picked, 0, "odd_even");
    gp_connect(b, to_keyed, to_slow, GP_SHUFFLE);
    gp_connect(b, to_pair, to_near, GP_LOCAL);
    return GP_OK;
}

GP_APP("mixed", "1.0.0", build, &numbers, &keyed, &slow, &all, &pair, &near_by, &turn, &picked,
       &odd_even)
