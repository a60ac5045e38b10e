/*
 * task.c: the life of a task. How its code is called stands in task_call.c.
 */
#include "data/task.h"

#include <stdlib.h>

#include "base/log.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/move.h"
#include "data/output.h"
#include "data/service.h"
#include "data/stage.h"
#include "data/task_call.h"
#include "data/timers.h"

/*
 * A sink does more in a slice than who feeds it. With as much for both, what once waits in an inbox
 * waits for ever, for as much comes as is read, and all that comes lies there until no cache of the
 * core holds it any more.
 */
static uint32_t slice_most(const struct stage *s)
{
    const bool is_sink = s->lane->topology->plan->processors[s->processor].outputs == 0;

    return s->lane->options->slice_rows * (is_sink ? SLICES_OF_SINK : 1);
}

int task_init(struct task *t, struct stage *stage, uint32_t local)
{
    const struct lane *lane = stage->lane;
    const struct plan *plan = lane->topology->plan;
    const struct plan_processor *processor = &plan->processors[stage->processor];
    const struct lane_processor *what = &lane->env->processors[stage->processor];

    t->stage = stage;
    t->local = local;
    t->watermark_ns = GP_TIME_MIN;
    t->out_ns = GP_TIME_MIN;
    t->session = lane->topology->processors[stage->processor].session[stage->task_indices[local]];
    t->slice_rows = slice_most(stage);
    list_node_init(&t->node);
    t->api = (struct gp_task){.size = (uint32_t)sizeof(t->api),
                              .index = stage->task_indices[local],
                              .parallelism = processor->parallelism,
                              .inputs = processor->inputs,
                              .outputs = processor->outputs,
                              .app_id = lane->env->app_id,
                              .app_name = plan->app_name,
                              .processor = processor->name,
                              .host = what->host,
                              .config = what->config,
                              .service = &service_task,
                              .io = &service_io};
    output_bind(t);
    t->outputs = (struct output *)calloc(stage->out_count + 1u, sizeof(*t->outputs));
    if (!t->outputs) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < stage->out_count; i++) {
        output_init(&t->outputs[i], &stage->out_edges[i], t);
    }
    cursor_init(&t->outputs[stage->out_count].cursor, t, UINT32_MAX);
    return 0;
}

void task_deinit(struct task *t)
{
    service_free(t);
    free(t->fail_text);
    free(t->outputs);
}

/* What user code had asked for. */
static void release(struct task *t)
{
    service_release(t);
    timers_free(t);
}

static void close_code(struct task *t, bool ended)
{
    call_close(t, ended);
    release(t);
}

/* It ended in an earlier life, elsewhere. */
static void skip(struct task *t)
{
    t->state = TASK_CLOSED;
    t->stage->ended++;
    counter_add(&t->stage->tasks_ended, 1);
    stage_task_changed(t->stage);
    lane_task_closed(t->stage->lane);
}

/* open, and restore after it. What failed says its name. */
static int begin(struct task *t, gp_bytes state, const char **ret_function)
{
    *ret_function = "open";
    if (call_open(t) != GP_OK) {
        release(t);
        return GP_EUSER;
    }
    if (state.len > 0 && t->stage->table.restore) {
        *ret_function = "restore";
        if (call_restore(t, state) != GP_OK) {
            close_code(t, false);
            return GP_EUSER;
        }
    }
    return 0;
}

/* The same with what it had where it was before. What had ended there is over: it is closed. */
static int resume(struct task *t, gp_bytes state, const char **ret_function)
{
    struct move_state s;

    *ret_function = "restore";
    if (move_read(state, &s) < 0) {
        return GP_EPROTO;
    }
    t->watermark_ns = s.watermark_ns;
    t->out_ns = s.out_ns;
    move_set_turns(t, &s);
    if (s.ended) {
        skip(t);
        return 0;
    }
    if (begin(t, s.snapshot, ret_function) < 0) {
        return GP_EUSER;
    }
    *ret_function = "timer_set";
    if (move_set_timers(t, &s) < 0) {
        close_code(t, false);
        return GP_EUSER;
    }
    return 0;
}

static int begin_with(struct task *t, const struct lane_state *state, const char **ret_function)
{
    return state->moved ? resume(t, state->bytes, ret_function)
                        : begin(t, state->bytes, ret_function);
}

int task_open(struct task *t)
{
    const struct lane_env *env = t->stage->lane->env;
    const struct lane_state state = lane_env_state(env, t->stage->processor, t->api.index);
    const char *function;

    if (lane_env_has_ended(env, t->stage->processor, t->api.index)) {
        skip(t);
    } else if (begin_with(t, &state, &function) < 0) {
        t->state = TASK_CLOSED;
        inbox_clear(t);
        task_report_failure(t, function, t->fail_text ? t->fail_text : "gave no reason");
        return GP_EUSER;
    }
    t->state = t->state == TASK_CLOSED ? TASK_CLOSED : TASK_OPEN;
    if (state.moved) {
        move_resumed(t);
    }
    return 0;
}

static void run(struct task *t)
{
    t->state = TASK_RUNNING;
    counter_add(&t->stage->running, 1);
    measure_begin(t);
    t->polling |= t->stage->table.poll != NULL; /* what open watches may be ready already */
    task_ready(t);
}

void task_start(struct task *t)
{
    if (t->state == TASK_OPEN) {
        run(t);
    }
}

void task_ready(struct task *t)
{
    if (t->state == TASK_RUNNING && t->place == TASK_NOWHERE && !t->waiting) {
        t->place = TASK_RUNNABLE;
        list_push_back(&t->stage->lane->runnable, &t->node);
    }
}

void task_token(struct task *t)
{
    t->waiting = false;
    t->polling = t->stage->table.poll != NULL || t->stage->table.on_ready != NULL;
    task_ready(t);
}

void task_unblock(struct task *t)
{
    if (t->place == TASK_BLOCKED) {
        list_remove(&t->node);
        t->stage->lane->blocked_count--;
        t->place = TASK_NOWHERE;
        task_ready(t);
    }
}

static void block(struct task *t)
{
    struct lane *lane = t->stage->lane;

    t->place = TASK_BLOCKED;
    list_push_back(&t->stage->blocked, &t->node);
    lane->blocked_count++;
    counter_add(&lane->stats.blocked, 1);
    counter_add(&lane->stats.sources_blocked, t->stage->table.poll != NULL);
    measure_block(t);
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        struct out_edge *e = &t->stage->out_edges[i];

        counter_add(&e->credit_waits, !out_edge_is_ready(e, t->api.index));
    }
}

/* Sources also wait while batches are short; the rest must go on, so that batches come back. */
bool task_may_emit(const struct task *t)
{
    const struct stage *s = t->stage;

    for (uint32_t i = 0; i < s->out_count; i++) {
        if (!out_edge_is_ready(&s->out_edges[i], t->api.index)) {
            return false;
        }
    }
    if (s->table.poll && UNLIKELY(batch_pool_is_short(&s->lane->pool) || large_is_full(s->lane))) {
        s->lane->pool_waits = true;
        return false;
    }
    return true;
}

/* Nothing to do, unless its own callback set a timer that is due already: that is a token too. */
void task_rest(struct task *t)
{
    t->place = TASK_NOWHERE;
    if (timers_is_due(t, GP_TIMER_EVENT, t->watermark_ns)) {
        t->waiting = false;
        task_ready(t);
    }
}

/* Of all that were called in it. */
static void end_slice(struct task *t)
{
    while (t) {
        struct task *next = t->fuse.reached;

        t->fuse.reached = NULL;
        output_end_slice(t);
        t = next;
    }
}

void task_run(struct task *t)
{
    int64_t budget = t->slice_rows;

    t->place = TASK_AT_WORK;
    fuse_prepare(t);
    while (t->state == TASK_RUNNING) {
        enum step step;

        if (!task_may_emit(t)) {
            block(t);
            break;
        }
        t->out.full = 0;
        t->overdraft = 0;
        fuse_open(t);
        step = task_step(t, &budget);
        fuse_settle(t); /* of what called nothing */
        if (step == STEP_WAIT && t->state == TASK_RUNNING) {
            task_rest(t);
        } else if (step == STEP_LATER || budget <= 0) {
            t->place = TASK_NOWHERE;
            task_ready(t);
        } else {
            continue;
        }
        break;
    }
    t->slice_spent = budget <= 0;
    end_slice(t);
}

void task_fit_slice(struct task *t, int64_t took_ns)
{
    const uint32_t most = slice_most(t->stage);

    if (took_ns > SLICE_NS) {
        t->slice_rows -= t->slice_rows / 2;
    } else if (took_ns < SLICE_NS / 2 && t->slice_spent) {
        t->slice_rows = t->slice_rows < most / 2 ? 2 * t->slice_rows : most;
    }
}

void task_pass_watermark(struct task *t, int64_t time_ns)
{
    /* The last watermark is the end itself, which follows what on_end() still emits. */
    if (time_ns == GP_TIME_MAX && t->stage->in_ended) {
        return;
    }
    if (time_ns > t->out_ns) {
        t->out_ns = time_ns;
        stage_task_changed(t->stage);
    }
}

void task_report_failure(struct task *t, const char *function, const char *text)
{
    struct lane *lane = t->stage->lane;

    LOG_ERROR(lane->env->log, "task.failed", KV_STR("processor", t->stage->name),
              KV_U64("task", t->api.index), KV_STR("function", function), KV_STR("text", text));
    lane_fail(lane, t, function, text);
}

/* Off the lists. */
static void leave(struct task *t)
{
    if (t->place == TASK_BLOCKED) {
        t->stage->lane->blocked_count--;
    }
    list_remove(&t->node);
    t->place = TASK_NOWHERE;
    measure_end(t);
    counter_set(&t->stage->running, counter_get(&t->stage->running) - 1);
}

void task_fail(struct task *t, const char *function, const char *text)
{
    if (t->state != TASK_RUNNING) {
        return;
    }
    t->state = TASK_FAILED;
    if (t->leaving > 0) {
        move_cannot_leave(t, "it failed");
    }
    leave(t);
    counter_add(&t->stage->lane->stats.tasks_failed, 1);
    task_report_failure(t, function, text);
    close_code(t, false);
}

/* As task_init() left it, but for its input and the time it has reached. */
static void reset(struct task *t, uint64_t session)
{
    t->session = session;
    t->state_hash = 0;
    t->pending = TASK_PENDING_NONE;
    t->waiting = false;
    t->polling = false;
    t->silent = false;
    t->idle = false;
    t->leaving = 0;
    t->refused = false;
    t->emitted = false;
    t->overdraft = 0;
    t->reserved = NULL;
    t->watch_paused = false;
    t->out.full = 0;
    if (t->fail_text) {
        t->fail_text[0] = '\0';
    }
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        output_init(&t->outputs[i], &t->stage->out_edges[i], t);
    }
}

static void note_begin_failed(struct task *t, const char *function)
{
    t->state = TASK_FAILED;
    counter_add(&t->stage->lane->stats.tasks_failed, 1);
    task_report_failure(t, function,
                        t->fail_text && t->fail_text[0] ? t->fail_text : "gave no reason");
}

/* What it is to see of time that passed here without it. */
static void catch_up(struct task *t)
{
    const struct stage *s = t->stage;

    if (s->in_ns > t->watermark_ns && (s->inlink_max > 0 || s->in_parked)) {
        inbox_add_watermark(t, s->in_ns);
    }
    if (s->in_ended) {
        inbox_add_end(t);
    }
}

static void go_on(struct task *t)
{
    t->state = TASK_OPEN;
    if (lane_phase(t->stage->lane) >= LANE_RUNNING) {
        run(t);
    }
}

/* What this stage promised may be ahead of it: all who listen are told with the next mark. */
static void hold_back(struct task *t)
{
    struct stage *s = t->stage;

    if (t->state < TASK_ENDED) {
        s->out_ended = false;
        s->out_ns = s->task_count == 1 || t->out_ns < s->out_ns ? t->out_ns : s->out_ns;
        counter_set(&s->watermark, (uint64_t)s->out_ns);
    }
    s->say_afresh = true;
    stage_task_changed(s);
}

/* Its next session. True when there is something to run. */
static bool begin_next(struct task *t, const struct lane_state *state)
{
    const char *function;

    if (begin_with(t, state, &function) < 0) {
        note_begin_failed(t, function);
        return false;
    }
    if (state->moved) {
        move_resumed(t);
    }
    if (t->state == TASK_CLOSED) {
        return false;
    }
    go_on(t);
    return true;
}

void task_arrive(struct task *t, const struct lane_state *state)
{
    t->came = t->stage->lane->moves;
    (void)begin_next(t, state); /* it has failed, or ended before */
    LOG_INFO(t->stage->lane->env->log, "task.arrived", KV_STR("processor", t->stage->name),
             KV_U64("task", t->api.index), KV_HEX("session", t->session));
    if (t->state < TASK_ENDED) {
        catch_up(t);
        task_ready(t);
    }
    hold_back(t);
}

void task_go(struct task *t)
{
    t->state = TASK_GONE;
    leave(t);
    close_code(t, false);
}

void task_remove(struct task *t)
{
    struct stage *s = t->stage;
    struct lane *lane = s->lane;

    if (t->state == TASK_CLOSED) {
        s->ended--;
        counter_set(&s->tasks_ended, counter_get(&s->tasks_ended) - 1);
        lane->tasks_closed--;
    } else if (t->state == TASK_FAILED) {
        counter_set(&lane->stats.tasks_failed, counter_get(&lane->stats.tasks_failed) - 1);
    }
    for (const struct entry *e = t->in_head; e; e = e->next) {
        if (e->kind <= ENTRY_LARGE) {
            e->link->done += e->rows;
            counter_add(&lane->stats.rows_lost, e->rows);
        }
    }
    task_close(t);
    measure_keep(t);
    service_take_wakes(lane); /* none of its own is left in the list */
    lane->tasks_total--;
    stage_task_changed(s);
}

void task_restart(struct task *t, uint64_t session, const struct lane_state *state)
{
    struct lane *lane = t->stage->lane;

    if (t->state == TASK_ENDED || t->state == TASK_CLOSED) {
        t->session = session;
        if (state->moved) {
            move_resumed(t);
        }
        return;
    }
    if (t->state == TASK_RUNNING) {
        leave(t);
    } else if (t->state == TASK_FAILED) {
        counter_set(&lane->stats.tasks_failed, counter_get(&lane->stats.tasks_failed) - 1);
    }
    if (t->state == TASK_RUNNING || t->state == TASK_OPEN) {
        close_code(t, false);
    }
    reset(t, session);
    counter_add(&lane->stats.tasks_restarted, 1);
    counter_add(&t->stage->restarts, 1);
    LOG_INFO(lane->env->log, "task.restarted", KV_STR("processor", t->stage->name),
             KV_U64("task", t->api.index), KV_HEX("session", session));
    if (begin_next(t, state) && !state->moved) {
        inbox_repeat_watermark(t);
    }
    stage_task_changed(t->stage);
}

void task_end(struct task *t)
{
    bool leaving = t->leaving > 0;

    t->state = TASK_ENDED;
    leave(t);
    inbox_clear(t);
    t->stage->ended++;
    counter_add(&t->stage->tasks_ended, 1);
    task_close(t);
    if (leaving) {
        move_leave(t);
    }
    stage_task_changed(t->stage);
    lane_task_closed(t->stage->lane);
    if (t->stage->table.poll) {
        lane_tell_end(t->stage->lane);
    }
}

void task_close(struct task *t)
{
    enum task_state was = (enum task_state)t->state;

    if (was == TASK_CLOSED) {
        return;
    }
    if (was == TASK_RUNNING) {
        leave(t);
    }
    t->state = TASK_CLOSED;
    if (was == TASK_OPEN || was == TASK_RUNNING || was == TASK_ENDED) {
        close_code(t, was == TASK_ENDED);
    }
    inbox_clear(t);
}
