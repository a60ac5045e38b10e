/*
 * task_call.c: what a task does next, and the calls into its code.
 *
 * Every call stands between note_enter and note_leave, so that a crash or a stuck call names
 * plugin, processor, task and function. Whatever a callback answers is checked: an answer that the
 * ABI does not know fails the task, not the lane.
 */
#include "data/task_call.h"

#include "base/log.h"
#include "base/str.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/move.h"
#include "data/output.h"
#include "data/service.h"
#include "data/stage.h"
#include "data/state.h"
#include "data/task.h"
#include "data/timers.h"

static inline void note_enter(struct task *t, const char *function)
{
    struct crash_note *note = t->stage->lane->note;

    CRASH_NOTE_SET(note, plugin, t->stage->plugin);
    CRASH_NOTE_SET(note, processor, t->stage->name);
    CRASH_NOTE_SET(note, task, t->api.index);
    CRASH_NOTE_SET(note, calls, CRASH_NOTE_GET(note, calls) + 1);
    CRASH_NOTE_SET(note, function, function);
}

static inline void note_leave(struct task *t)
{
    CRASH_NOTE_SET(t->stage->lane->note, function, NULL);
}

/* After a callback that may emit. What emit refused is lost, so whoever did not pass it on fails
 * for it all the same. */
static inline int32_t settled(struct task *t, int32_t rc)
{
    note_leave(t);
    cursor_take_back(t);
    fuse_settle(t);
    if (UNLIKELY(t->reserved != NULL)) {
        t->reserved = NULL;
        t->api.service->fail(&t->api, GP_STR("returned without commit of what it had reserved"));
        return GP_FAIL;
    }
    return UNLIKELY(t->refused) ? GP_FAIL : rc;
}

int32_t call_open(struct task *t)
{
    int32_t rc;

    note_enter(t, "open");
    rc = t->stage->table.open(&t->api, &t->self);
    note_leave(t);
    return rc;
}

int32_t call_restore(struct task *t, gp_bytes state)
{
    int32_t rc;

    note_enter(t, "restore");
    rc = state_restore(t, state);
    note_leave(t);
    return rc;
}

int32_t call_snapshot(struct task *t, struct buf *out)
{
    int32_t rc;

    note_enter(t, "snapshot");
    rc = state_snapshot(t, out);
    note_leave(t);
    return rc;
}

void call_close(struct task *t, bool ended)
{
    if (t->stage->table.close) {
        note_enter(t, "close");
        t->stage->table.close(t->self, ended ? 1 : 0);
        note_leave(t);
    }
    t->self = NULL;
}

static const char *reason(const struct task *t)
{
    return t->fail_text && t->fail_text[0] ? t->fail_text : "gave no reason";
}

static enum step fail(struct task *t, const char *function)
{
    task_fail(t, function, reason(t));
    return STEP_WAIT;
}

static enum step fail_answer(struct task *t, const char *function, int32_t answer)
{
    char text[96];

    (void)str_format(text, sizeof(text), "%s answered %d, which it must not", function,
                     (int)answer);
    task_fail(t, function, text);
    return STEP_WAIT;
}

static enum step wait_for_token(struct task *t)
{
    t->waiting = true;
    service_rearm(t);
    return STEP_WAIT;
}

static void rejected(struct task *t)
{
    struct stage *s = t->stage;
    uint64_t held_back;

    counter_add(&s->rejected, 1);
    if (log_limit_pass(&s->reject_limit, s->lane->now_ns, &held_back)) {
        LOG_WARN(s->lane->env->log, "row.rejected", KV_STR("processor", s->name),
                 KV_U64("task", t->api.index), KV_STR("reason", reason(t)),
                 KV_U64("held_back", held_back));
    }
    if (t->fail_text) {
        t->fail_text[0] = '\0';
    }
}

/* Looked at first without writing: most often none is. */
static void mark_late(struct task *t, struct gp_row *views, uint32_t n)
{
    int64_t oldest_ns = GP_TIME_MAX;

    for (uint32_t i = 0; i < n; i++) {
        oldest_ns = views[i].time_ns < oldest_ns ? views[i].time_ns : oldest_ns;
    }
    t->offers_late = oldest_ns < t->watermark_ns;
    for (uint32_t i = 0; t->offers_late && i < n; i++) {
        if (views[i].time_ns < t->watermark_ns) {
            views[i].flags |= GP_ROW_LATE;
        }
    }
}

/* Those that are done: the others are offered, and marked, again. */
static void count_late(struct task *t, const struct gp_row *views, uint32_t n)
{
    uint32_t late = 0;

    for (uint32_t i = 0; i < n; i++) {
        late += (views[i].flags & GP_ROW_LATE) != 0;
    }
    if (late > 0) {
        counter_add(&t->stage->late, late);
    }
}

static void take_off(struct task *t, const struct gp_row *views, uint32_t n)
{
    if (t->direct) {
        t->direct_done += n;
    } else {
        inbox_consume(t, views, n);
    }
}

/* n rows of the views are done. */
static void consume(struct task *t, const struct gp_row *views, uint32_t n)
{
    take_off(t, views, n);
    if (t->offers_late) {
        count_late(t, views, n);
    }
}

/* The row at which a task fails would make its next session fail, too: it is given up. */
static void give_up_row(struct task *t, const struct gp_row *row)
{
    take_off(t, row, 1);
    counter_add(&t->stage->lane->stats.rows_lost, 1);
}

/* What process() answered, with n of `offered` rows consumed. */
static enum step after_process(struct task *t, int32_t rc, const struct gp_row *views, uint32_t n,
                               uint32_t offered, int64_t *budget)
{
    switch (rc) {
    case GP_OK:
        /* Rows left although there was room and nothing was done: give way, or it would spin. */
        return n == 0 && !t->out.full ? STEP_LATER : STEP_MORE;
    case GP_YIELD:
        return STEP_LATER;
    case GP_AGAIN:
        return wait_for_token(t);
    case GP_REJECT:
        if (n == offered) {
            return fail_answer(t, "process", rc);
        }
        consume(t, views + n, 1);
        rejected(t);
        *budget -= 1;
        return STEP_MORE;
    default:
        if (n < offered) {
            give_up_row(t, views + n);
        }
        return rc == GP_FAIL ? fail(t, "process") : fail_answer(t, "process", rc);
    }
}

static enum step offer(struct task *t, const struct task_rows *rows, int64_t *budget)
{
    struct stage *s = t->stage;
    struct gp_row *views = rows->views;
    struct gp_batch batch = {.size = (uint32_t)sizeof(batch),
                             .count = rows->count,
                             .stride = (uint32_t)sizeof(*views),
                             .rows = views};
    struct lane *lane = s->lane;
    uint32_t consumed = 0;
    int64_t began_ns = 0;
    int32_t rc;

    if (t->watermark_ns > GP_TIME_MIN) {
        mark_late(t, views, batch.count);
    }
    fuse_offer(t, rows);
    note_enter(t, "process");
    if (UNLIKELY(--lane->meter.sample_left == 0)) {
        began_ns = measure_call(lane);
    }
    rc = s->table.process(t->self, rows->port, &batch, &consumed, &t->out);
    if (UNLIKELY(began_ns != 0)) {
        measure_call_done(t, began_ns, consumed <= batch.count ? consumed : 0);
    }
    rc = settled(t, rc);
    if (UNLIKELY(consumed > batch.count)) {
        give_up_row(t, views);
        task_fail(t, "process", "consumed more rows than it was given");
        return STEP_WAIT;
    }
    if (consumed > 0) {
        consume(t, views, consumed);
        lane->worked = true;
        t->meter.in += consumed;
        counter_add(&s->in_rows, consumed);
        *budget -= consumed;
    }
    return after_process(t, rc, views, consumed, batch.count, budget);
}

/* From here to the last of the views that lie in one batch. */
static void keep(const struct task *t, struct task_rows *rows)
{
    const struct gp_row *last = &rows->views[t->in_head->viewed - 1];
    const uint8_t *end = (const uint8_t *)last->value + last->value_len;

    rows->kept = rows->views[0].key;
    rows->kept_bytes = (size_t)(end - (const uint8_t *)rows->kept);
}

static enum step step_rows(struct task *t, int64_t *budget)
{
    struct task_rows rows = {.views = t->stage->lane->views};
    uint32_t most = *budget < VIEWS_MAX ? (uint32_t)*budget : VIEWS_MAX;

    rows.count = inbox_views(t, rows.views, most, &rows.port);
    if (UNLIKELY(rows.count == 0)) {
        return STEP_MORE; /* what was there was no row */
    }
    keep(t, &rows);
    return offer(t, &rows, budget);
}

/* Something that comes before further rows. */
static bool is_due(const struct task *t)
{
    return UNLIKELY(t->timers != NULL) &&
           (timers_is_due(t, GP_TIMER_PROCESSING, t->stage->lane->now_ns) ||
            timers_is_due(t, GP_TIMER_EVENT, t->watermark_ns));
}

uint32_t task_take(struct task *t, const struct task_rows *rows)
{
    int64_t budget = rows->count;
    enum step step;

    t->place = TASK_AT_WORK;
    t->direct_done = 0;
    do {
        struct task_rows part = *rows;

        part.views += t->direct_done;
        part.count -= t->direct_done;
        part.count = part.count < VIEWS_MAX ? part.count : VIEWS_MAX;
        part.bytes = part.count == rows->count ? rows->bytes : 0;
        t->out.full = 0;
        t->overdraft = 0;
        fuse_open(t);
        t->direct = true;
        step = offer(t, &part, &budget);
        t->direct = false;
    } while (step == STEP_MORE && t->direct_done < rows->count && t->state == TASK_RUNNING &&
             task_may_emit(t) && !is_due(t));
    if (t->state == TASK_RUNNING) {
        task_rest(t);
    }
    return t->direct_done;
}

static enum step step_message(struct task *t, int64_t *budget)
{
    struct stage *s = t->stage;
    struct entry *e = t->in_head;
    struct gp_row *row = s->lane->views;
    const uint64_t word0 = row_word(e->at);
    const uint32_t size = row_word_size(word0);
    int32_t rc = GP_OK;

    row_view(e->at, word0, e->source, row);
    if (s->table.on_message) {
        note_enter(t, "on_message");
        rc = s->table.on_message(t->self, row, &t->out);
        rc = settled(t, rc);
    }
    inbox_owe(t, e->link, size);
    parcel_used(s->lane, e->parcel, size);
    inbox_pop(t);
    s->lane->worked = true;
    *budget -= 1;
    switch (rc) {
    case GP_OK:
        return STEP_MORE;
    case GP_REJECT:
        rejected(t);
        return STEP_MORE;
    case GP_FAIL:
        return fail(t, "on_message");
    default:
        return fail_answer(t, "on_message", rc);
    }
}

/* What a callback answered that may ask to be called again before anything else. */
static enum step after_yielding(struct task *t, int32_t rc, enum task_pending pending,
                                const char *function)
{
    switch (rc) {
    case GP_OK:
        t->pending = TASK_PENDING_NONE;
        return STEP_MORE;
    case GP_YIELD:
        t->pending = (uint8_t)pending;
        return STEP_LATER;
    case GP_AGAIN:
        if (pending != TASK_PENDING_END) {
            return fail_answer(t, function, rc);
        }
        /* The end stays at the head of the inbox; timers and on_ready may come first. */
        t->pending = TASK_PENDING_NONE;
        return wait_for_token(t);
    case GP_FAIL:
        return fail(t, function);
    default:
        return fail_answer(t, function, rc);
    }
}

/* Counts against the budget: a timer may set itself again for a time that has come already. */
static enum step call_timer(struct task *t, int64_t *budget)
{
    int32_t rc;

    *budget -= 1;
    if (!t->stage->table.on_timer) {
        t->pending = TASK_PENDING_NONE;
        return STEP_MORE;
    }
    note_enter(t, "on_timer");
    rc = t->stage->table.on_timer(t->self, t->due.clock, t->due.id, t->due.at_ns, &t->out);
    rc = settled(t, rc);
    return after_yielding(t, rc, TASK_PENDING_TIMER, "on_timer");
}

/* The watermark at the head of the inbox: first the event timers it makes due, then
 * on_watermark, then it is passed on. Each may have to wait for credit in between, so each is a
 * step. */
static enum step step_watermark(struct task *t, int64_t *budget)
{
    struct stage *s = t->stage;
    int64_t time_ns = t->in_head->u.time_ns;
    enum step step = STEP_MORE;

    if (time_ns > t->watermark_ns) {
        t->watermark_ns = time_ns;
    }
    if (timers_take_due(t, GP_TIMER_EVENT, t->watermark_ns, &t->due)) {
        return call_timer(t, budget);
    }
    if (s->table.on_watermark) {
        int32_t rc;

        note_enter(t, "on_watermark");
        rc = s->table.on_watermark(t->self, time_ns, &t->out);
        rc = settled(t, rc);
        step = after_yielding(t, rc, TASK_PENDING_WATERMARK, "on_watermark");
        if (t->state != TASK_RUNNING || t->pending != TASK_PENDING_NONE) {
            return step;
        }
    }
    inbox_pop(t);
    task_pass_watermark(t, time_ns);
    return step;
}

static enum step step_end(struct task *t)
{
    struct stage *s = t->stage;

    if (s->table.on_end) {
        enum step step;
        int32_t rc;

        note_enter(t, "on_end");
        rc = s->table.on_end(t->self, &t->out);
        rc = settled(t, rc);
        step = after_yielding(t, rc, TASK_PENDING_END, "on_end");
        if (step != STEP_MORE) {
            return step;
        }
    }
    task_end(t);
    return STEP_WAIT;
}

/* All that came before the move is done, and so must be what it emitted. */
static enum step step_leave(struct task *t)
{
    if (t->in_head->u.generation != t->leaving) {
        inbox_pop(t); /* the appmaster thought better of it */
        return STEP_MORE;
    }
    if (large_is_sending(t)) {
        return STEP_LATER;
    }
    inbox_pop(t);
    move_leave(t);
    return STEP_LATER;
}

/* What came before it is done. */
static enum step step_probe(struct task *t)
{
    int64_t time_ns = t->in_head->u.time_ns;

    inbox_pop(t);
    measure_probe_done(t, time_ns);
    return STEP_MORE;
}

static void note_activity(struct task *t, int32_t rc)
{
    struct lane *lane = t->stage->lane;

    lane->worked |= t->emitted;
    if (t->emitted) {
        measure_probe(t);
    }
    /* Since the last poll: timers and messages may have emitted, too. */
    if (t->emitted || rc == GP_MORE) {
        t->emitted = false;
        if (t->silent) {
            t->silent = false;
            (void)timers_watch_silence(t, 0); /* ending it needs no memory */
        }
        if (t->idle) {
            t->idle = false;
            stage_task_changed(t->stage);
        }
    }
    if (rc == GP_IDLE && !t->silent && !t->idle) {
        t->silent = true;
        /* Without memory for it the source merely never counts as idle. */
        (void)timers_watch_silence(t, lane->now_ns + lane->options->source_idle_ns);
    }
}

static enum step step_poll(struct task *t, int64_t *budget)
{
    int32_t rc;

    output_end_slice(t); /* so that the first row is noticed */
    t->fuse.taken = 0;
    note_enter(t, "poll");
    rc = t->stage->table.poll(t->self, &t->out, (uint32_t)*budget);
    rc = settled(t, rc);
    note_activity(t, rc);
    switch (rc) {
    case GP_MORE:
        /* Emitting is the work of a source; stopped early by its outputs, it has nothing else to
         * do. Unless what filled them has been taken at once. */
        *budget -= t->fuse.taken;
        if (!t->out.full) {
            *budget = 0; /* it did what it was asked for, or all it does at once */
            return STEP_LATER;
        }
        return t->fuse.taken > 0 ? STEP_MORE : STEP_LATER;
    case GP_IDLE:
        t->polling = false;
        service_rearm(t);
        return STEP_WAIT;
    case GP_END:
        task_end(t);
        return STEP_WAIT;
    case GP_FAIL:
        return fail(t, "poll");
    default:
        return fail_answer(t, "poll", rc);
    }
}

/* Of a task that is no source. It asked for tokens; so it does not count against the budget. */
static enum step step_ready(struct task *t)
{
    int32_t rc;

    note_enter(t, "on_ready");
    rc = t->stage->table.on_ready(t->self, &t->out);
    rc = settled(t, rc);
    t->stage->lane->worked = true;
    switch (rc) {
    case GP_OK:
        t->polling = false;
        service_rearm(t);
        return STEP_MORE;
    case GP_YIELD:
        return STEP_LATER;
    case GP_FAIL:
        return fail(t, "on_ready");
    default:
        return fail_answer(t, "on_ready", rc);
    }
}

static enum step step_pending(struct task *t, int64_t *budget)
{
    switch (t->pending) {
    case TASK_PENDING_TIMER:
        return call_timer(t, budget);
    case TASK_PENDING_WATERMARK:
        return step_watermark(t, budget);
    default:
        return step_end(t);
    }
}

enum step task_step(struct task *t, int64_t *budget)
{
    if (UNLIKELY(t->pending != TASK_PENDING_NONE)) {
        return step_pending(t, budget);
    }
    if (UNLIKELY(t->timers != NULL) &&
        (timers_take_due(t, GP_TIMER_PROCESSING, t->stage->lane->now_ns, &t->due) ||
         timers_take_due(t, GP_TIMER_EVENT, t->watermark_ns, &t->due))) {
        t->polling |=
            t->stage->table.poll != NULL; /* the token that the clock would have brought */
        return call_timer(t, budget);
    }
    if (UNLIKELY(t->polling && t->stage->table.on_ready != NULL)) {
        return step_ready(t);
    }
    if (t->in_head) {
        switch (t->in_head->kind) {
        case ENTRY_MESSAGE:
            return step_message(t, budget);
        case ENTRY_WATERMARK:
            return step_watermark(t, budget);
        case ENTRY_END:
            return step_end(t);
        case ENTRY_LEAVE:
            return step_leave(t);
        case ENTRY_PROBE:
            return step_probe(t);
        default:
            return step_rows(t, budget);
        }
    }
    return t->polling ? step_poll(t, budget) : STEP_WAIT;
}
