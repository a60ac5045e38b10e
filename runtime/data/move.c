/*
 * move.c: see move.h.
 *
 * Invariants: lane.moves is the generation of the latest placement taken that moves tasks;
 * lane.aligned, never later, is the latest of which all neighbours have said their mark; a
 * neighbour has something held only behind the mark of a later one.
 *
 * Failures: a state that does not fit a message, or that snapshot() does not give, leaves the task
 * where it is; without memory for a mark there is no way to go on in order, so that is an
 * assertion.
 */
#include "data/move.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/reader.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/state.h"
#include "data/task.h"
#include "data/task_call.h"

#define STATE_VERSION 1u
#define TIMER_BYTES   20u

/* A run of one row without key or value is 56 bytes for 24 that credit was drawn for. */
#define HELD_PER_ROW_BYTE 3u
#define HELD_BASE_BYTES   (1u << 20) /* watermarks and the like, while others are awaited */

/* ---- marks, and what waits behind them ---- */

static void put_mark(struct neighbour *p)
{
    const struct batch_element e = {.kind = BATCH_MOVE, .bytes = 8};
    uint8_t body[8];

    put_u64_le(body, p->lane->marked);
    ASSERT(neighbour_put_element(p, &e, body) == 0);
}

void move_say_mark(struct neighbour *p)
{
    if (p->lane->marked > 0) {
        put_mark(p);
    }
}

void move_mark(struct lane *lane)
{
    if (lane->marked == lane->moves) {
        return;
    }
    lane->marked = lane->moves;
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (lane->neighbours[i] && lane->neighbours[i]->ready) {
            put_mark(lane->neighbours[i]);
        }
    }
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        if (lane->stages[p]->say_afresh) {
            stage_say_afresh(lane->stages[p]);
        }
    }
    for (uint32_t i = 0; i < lane->other_count; i++) {
        neighbour_flush(lane->others[i]);
    }
}

static bool must_wait(const struct neighbour *p)
{
    return p->moved > p->lane->aligned;
}

void move_hold(struct parcel *parcel, bool in_front)
{
    struct neighbour *p = parcel->neighbour;

    p->held_bytes += parcel->held_bytes;
    if (in_front) {
        parcel->next = p->held_head;
        p->held_head = parcel;
        p->held_tail = p->held_tail ? p->held_tail : parcel;
        return;
    }
    parcel->next = NULL;
    p->held_tail->next = parcel;
    p->held_tail = parcel;
}

static struct parcel *take_held(struct neighbour *p)
{
    struct parcel *parcel = p->held_head;

    p->held_bytes -= parcel->held_bytes;
    p->held_head = parcel->next;
    p->held_tail = p->held_head ? p->held_tail : NULL;
    parcel->next = NULL;
    return parcel;
}

bool move_holds_too_much(const struct neighbour *p)
{
    int64_t rows = p->lane->options->large_budget_bytes;

    for (uint32_t e = 0; e < p->lane->topology->plan->edge_count; e++) {
        const struct inlink *link = p->inlinks[e];

        rows += link ? link->taken_max * link->stage->task_count + link->taken_max_once : 0;
    }
    return p->kind == NEIGHBOUR_STREAM &&
           p->held_bytes > HELD_BASE_BYTES + (uint64_t)rows * HELD_PER_ROW_BYTE;
}

static void read_on(struct neighbour *p)
{
    while (p->held_head && !p->reading && !p->failed && !must_wait(p)) {
        int rc = inbox_read_on(p->lane, take_held(p));

        if (rc < 0) {
            neighbour_fail_batch(p, rc);
        }
    }
}

void move_drop_held(struct neighbour *p)
{
    while (p->held_head) {
        struct parcel *parcel = take_held(p);

        parcel_used(p->lane, parcel, 0);
        parcel_unref(p->lane, parcel);
    }
}

/* ---- alignment ---- */

static void ask_to_leave(struct task *t)
{
    if (t->leaving > 0 || t->state == TASK_GONE) {
        return;
    }
    t->leaving = t->stage->lane->moves;
    switch (t->state) {
    case TASK_RUNNING:
        if (!t->in_head) {
            t->waiting = false; /* what it waits for can find it there */
        }
        inbox_add_leave(t, t->leaving);
        task_ready(t);
        break;
    case TASK_CLOSED:
        if (large_is_sending(t)) {
            move_cannot_leave(t, "it has ended, and what it sent last is still on its way");
        } else {
            move_leave(t);
        }
        break;
    default:
        move_cannot_leave(t, "it does not run");
        break;
    }
}

static void aligned(struct lane *lane)
{
    lane->aligning = false;
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        struct stage *s = lane->stages[p];

        for (uint32_t i = 0; i < s->task_count; i++) {
            if (s->topology->is_leaving[s->task_indices[i]]) {
                ask_to_leave(s->tasks[i]);
            }
        }
        if (s->inlink_max > 0 || s->in_parked) {
            stage_in_changed(s);
        }
    }
}

/* Up to which move everybody has said its mark, this lane included. */
static uint64_t common_mark(const struct lane *lane)
{
    uint64_t mark = lane->moves;

    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        const struct neighbour *p = lane->neighbours[i];

        mark = p && p->moved < mark ? p->moved : mark;
    }
    return mark;
}

void move_look(struct lane *lane)
{
    lane->aligned = common_mark(lane);
    if (lane->aligning && lane->aligned == lane->moves) {
        aligned(lane);
    }
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (lane->neighbours[i]) {
            read_on(lane->neighbours[i]);
        }
    }
}

void move_begin(struct lane *lane, uint64_t moves)
{
    if (moves > lane->moves) {
        lane->moves = moves;
        lane->aligning = true;
    }
}

bool move_on_mark(struct neighbour *p, uint64_t generation)
{
    if (p->kind == NEIGHBOUR_STREAM) { /* also when it says so again: it may not have heard us */
        p->mark_due = true;
        neighbour_mark_dirty(p);
    }
    if (generation > p->moved) {
        p->moved = generation;
        move_look(p->lane);
    }
    return must_wait(p);
}

/* ---- what others have heard ---- */

int move_on_heard(struct neighbour *p, uint64_t generation)
{
    if (generation > p->lane->marked) {
        return GP_EPROTO;
    }
    if (generation > p->heard) {
        p->heard = generation;
        lane_look_at_end(p->lane);
    }
    return 0;
}

static bool was_sent_rows(const struct neighbour *p)
{
    for (uint32_t e = 0; e <= p->lane->topology->plan->edge_count; e++) {
        if (p->sent[e] > 0) {
            return true;
        }
    }
    return false;
}

bool move_is_heard(const struct lane *lane)
{
    for (uint32_t i = 0; i < lane->other_count; i++) {
        const struct neighbour *p = lane->others[i];

        if (p->kind == NEIGHBOUR_STREAM && p->heard < lane->marked && was_sent_rows(p)) {
            return false;
        }
    }
    return true;
}

/* ---- leaving ---- */

static void tell(struct lane *lane, struct lane_moved *m)
{
    m->next = atomic_load(&lane->moved);
    while (!atomic_compare_exchange_weak(&lane->moved, &m->next, m)) {
    }
    if (lane->env->notify) {
        lane->env->notify(lane->env->notify_user);
    }
}

struct lane_moved *lane_take_moved(struct lane *lane)
{
    struct lane_moved *m = atomic_exchange(&lane->moved, NULL);
    struct lane_moved *first = NULL;

    while (m) {
        struct lane_moved *next = m->next;

        m->next = first;
        first = m;
        m = next;
    }
    return first;
}

void lane_moved_free(struct lane_moved *m)
{
    if (m) {
        buf_deinit(&m->state);
        free(m);
    }
}

static struct lane_moved *note(const struct task *t, enum msg_moved what)
{
    struct lane_moved *m = (struct lane_moved *)calloc(1, sizeof(*m));

    ASSERT(m); /* or the move would never end */
    m->what = what;
    m->processor = t->stage->processor;
    m->task = t->api.index;
    m->session = t->session;
    m->moves = t->leaving;
    m->ended = t->state == TASK_CLOSED;
    m->text = "";
    buf_init(&m->state, MSG_MOVED_STATE_MAX);
    return m;
}

static void refuse(struct task *t, struct lane_moved *m, const char *why)
{
    m->what = MSG_MOVED_REFUSED;
    m->text = why;
    LOG_INFO(t->stage->lane->env->log, "task.stays", KV_STR("processor", t->stage->name),
             KV_U64("task", t->api.index), KV_STR("text", why));
}

void move_cannot_leave(struct task *t, const char *why)
{
    struct lane_moved *m = note(t, MSG_MOVED_REFUSED);

    t->leaving = 0;
    refuse(t, m, why);
    tell(t->stage->lane, m);
}

/* Times of timers are the user's, or another's: as far away as a number goes. */
static int64_t add_ns(int64_t at_ns, int64_t ns)
{
    int64_t sum;

    if (__builtin_add_overflow(at_ns, ns, &sum)) {
        return ns < 0 ? INT64_MIN : INT64_MAX;
    }
    return sum;
}

struct timer_writer {
    struct buf *out;
    int64_t now_ns;
    int rc;
};

static int append_i64(struct buf *out, int64_t value)
{
    return buf_append_u64(out, (uint64_t)value);
}

/* Clocks of two hosts have nothing in common: timers of the processing clock travel as what is
 * left. */
static void write_timer(void *user, const struct timer_due *timer)
{
    struct timer_writer *w = (struct timer_writer *)user;
    int64_t at_ns =
        timer->clock == GP_TIMER_PROCESSING ? add_ns(timer->at_ns, -w->now_ns) : timer->at_ns;

    if (buf_append_u32(w->out, timer->clock) < 0 || buf_append_u64(w->out, timer->id) < 0 ||
        append_i64(w->out, at_ns) < 0) {
        w->rc = GP_ETOOBIG;
    }
}

/* u32 version, u32 ended, i64 watermark, i64 promised, u32 outputs, each u32 whose turn it is; u32
 * timers, each u32 clock, u64 id, i64 time; then what snapshot() gave. */
static int write_state(struct task *t, struct buf *out)
{
    struct timer_writer w = {.out = out, .now_ns = t->stage->lane->now_ns};
    bool ended = t->state == TASK_CLOSED;

    if (buf_append_u32(out, STATE_VERSION) < 0 || buf_append_u32(out, ended) < 0 ||
        append_i64(out, t->watermark_ns) < 0 || append_i64(out, t->out_ns) < 0 ||
        buf_append_u32(out, t->stage->out_count) < 0) {
        return GP_ETOOBIG;
    }
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        if (buf_append_u32(out, t->outputs[i].next) < 0) {
            return GP_ETOOBIG;
        }
    }
    if (buf_append_u32(out, timers_count(t)) < 0) {
        return GP_ETOOBIG;
    }
    timers_for_each(t, write_timer, &w);
    return w.rc;
}

static const char *take_state(struct task *t, struct buf *out)
{
    const struct gp_processor *table = &t->stage->table;
    int32_t rc;

    if (t->state != TASK_CLOSED && (table->flags & GP_PROCESSOR_STATEFUL) && !table->snapshot) {
        return "its processor keeps state and has no snapshot";
    }
    if (write_state(t, out) < 0) {
        return "its timers are more than a message carries";
    }
    if (t->state == TASK_CLOSED || !table->snapshot) {
        return NULL;
    }
    rc = call_snapshot(t, out);
    return rc == GP_OK             ? NULL
           : rc == STATE_TOO_LARGE ? "its state is larger than a message carries"
                                   : "its snapshot failed";
}

void move_leave(struct task *t)
{
    struct lane_moved *m = note(t, MSG_MOVED_LEFT);
    const char *why = take_state(t, &m->state);

    t->leaving = 0;
    if (why) {
        buf_clear(&m->state);
        refuse(t, m, why);
    } else {
        LOG_INFO(t->stage->lane->env->log, "task.left", KV_STR("processor", t->stage->name),
                 KV_U64("task", t->api.index), KV_HEX("session", t->session),
                 KV_U64("state_bytes", buf_len(&m->state)));
        if (t->state == TASK_RUNNING) {
            task_go(t);
        }
    }
    tell(t->stage->lane, m);
}

/* ---- coming ---- */

void move_resumed(struct task *t)
{
    tell(t->stage->lane, note(t, MSG_MOVED_RESUMED));
}

int move_read(gp_bytes state, struct move_state *ret)
{
    struct reader r = reader_of(state);
    uint32_t version = reader_u32(&r);

    *ret = (struct move_state){.ended = reader_u32(&r) != 0};
    ret->watermark_ns = (int64_t)reader_u64(&r);
    ret->out_ns = (int64_t)reader_u64(&r);
    ret->output_count = reader_u32(&r);
    if (ret->output_count > PLAN_EDGES_MAX) {
        return GP_EPROTO;
    }
    ret->outputs = reader_bytes(&r, (size_t)ret->output_count * 4);
    ret->timer_count = reader_u32(&r);
    if (ret->timer_count > 2 * GP_TIMERS_MAX) {
        return GP_EPROTO;
    }
    ret->timers = reader_bytes(&r, (size_t)ret->timer_count * TIMER_BYTES);
    ret->snapshot = reader_bytes(&r, reader_left(&r));
    return reader_status(&r) < 0 || version != STATE_VERSION ? GP_EPROTO : 0;
}

void move_set_turns(struct task *t, const struct move_state *state)
{
    struct reader r = reader_of(state->outputs);

    for (uint32_t i = 0; i < t->stage->out_count && i < state->output_count; i++) {
        t->outputs[i].next = reader_u32(&r) % t->stage->out_edges[i].choice_count;
    }
}

int move_set_timers(struct task *t, const struct move_state *state)
{
    struct reader r = reader_of(state->timers);

    timers_free(t);
    for (uint32_t i = 0; i < state->timer_count; i++) {
        uint32_t clock = reader_u32(&r);
        uint64_t id = reader_u64(&r);
        int64_t at_ns = (int64_t)reader_u64(&r);

        if (clock == GP_TIMER_PROCESSING) {
            at_ns = add_ns(at_ns, t->stage->lane->now_ns);
        }
        if (clock > GP_TIMER_EVENT || timers_set(t, clock, id, at_ns) < 0) {
            return GP_ENOMEM;
        }
    }
    return 0;
}
