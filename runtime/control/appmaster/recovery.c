/*
 * recovery.c: from what is to what should be.
 *
 *     STARTING ─▶ RUNNING ◀─▶ RECOVERING
 *
 * The record (record.h) says what should be. Whatever happens changes the record or an executor,
 * and a step follows, which does all that can be done now:
 *
 *   1. dead executors that nobody needs any more are forgotten
 *   2. slots are asked for where executors are missing (launching.c); a grant adds them to the record
 *   3. the first time, when all have registered, tasks are placed; later, some may move (moving.c)
 *   4. the master is asked to keep the record, when it changed
 *   5. once it is kept: executors are launched, told their tasks and what became of the others
 *      (assign.c), started when all others know of them
 *   6. when nothing is left to do, all is well: RUNNING; when all tasks have ended, that is kept, too,
 *      and that was it
 *
 * So a death in the middle of a recovery, or several at once, need no cases of their own. Nothing
 * is acted on that the master does not keep: a later appmaster finds all that was ever begun.
 */
#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define PUT_AGAIN_NS    200000000
#define STATES_EVERY_NS INT64_C(1000000000)
#define STATES_RANGES   512u

static bool is_active(const struct appmaster *am)
{
    return am->state == AM_STARTING || am->state == AM_RECOVERING || am->state == AM_RUNNING;
}

void recovery_changed(struct appmaster *am)
{
    if (is_active(am)) {
        timer_start(am->step_timer, 0);
    }
}

/* ---- the record is kept ---- */

static void on_kept(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    (void)peer;
    if (answer->code == GP_ESTALE) {
        am_stale(am);
    } else if (answer->code >= 0) {
        am->record_kept = am->record_sent;
        am->record_sent = 0;
        recovery_changed(am);
    } else {
        LOG_WARN(am_log(am), "appmaster.record_not_kept", KV_STR("error", answer->err->text));
        timer_start(am->record_timer, PUT_AGAIN_NS);
    }
}

void recovery_put_again(void *user)
{
    struct appmaster *am = user;

    am->record_sent = 0;
    recovery_changed(am);
}

static int put_record(struct appmaster *am, bool with_states)
{
    struct msg_placement_put msg = {
        .app = am->options.launch->app,
        .epoch = am_epoch(am),
        .restarts = am->budget.drawn, /* what is left of them is for the master to say */
        .restarts_count = am->budget.count};
    struct record view;
    int rc = stats_view(am, &view);

    if (rc >= 0) {
        rc = record_encode(&view, with_states, &msg.placement);
        stats_view_deinit(am, &view);
    }
    if (rc >= 0) {
        rc = peer_ask(am->master, MSG_PLACEMENT_PUT, &msg, ASK_TIMEOUT_NS, ASK_RETRY, on_kept, am);
    }
    value_free(msg.placement);
    return rc;
}

static void keep_record(struct appmaster *am)
{
    int rc;

    if (am->record_sent != 0 || (am->record_kept == am->record.version && !am->is_states_due)) {
        return;
    }
    rc = put_record(am, true);
    if (rc == GP_ETOOBIG) {
        rc = put_record(am, false); /* sources may begin anew: better than all of it */
    }
    if (rc < 0 && rc != GP_ECLOSED && rc != GP_EAGAIN && rc != GP_EFULL) {
        am_fail(am, rc, "the placement could not be given to the master: %s", error_sentence(rc));
        return;
    }
    am->record_sent = am->record.version;
    am->is_states_due = false;
    am->states_ns = am_now_ns(am);
    if (rc < 0) {
        timer_start(am->record_timer, PUT_AGAIN_NS);
    }
}

/* ---- states of sources are kept, too ---- */

void recovery_keep_states(struct appmaster *am)
{
    /* All of the record goes with them: a large one more rarely. */
    int64_t every_ns = STATES_EVERY_NS * (1 + am->record.ranges_count / STATES_RANGES);
    int64_t ago_ns = am_now_ns(am) - am->states_ns;

    if (!am->is_states_waiting) {
        am->is_states_waiting = true;
        timer_start(am->states_timer, ago_ns < every_ns ? every_ns - ago_ns : 0);
    }
}

void recovery_put_states(void *user)
{
    struct appmaster *am = user;

    am->is_states_waiting = false;
    am->is_states_due = true;
    recovery_changed(am);
}

/* ---- trouble ---- */

bool recovery_trouble(struct appmaster *am, bool is_free, const char *text)
{
    int64_t now_ms = am_wall_ms(am);
    uint32_t used = budget_used(&am->budget, now_ms);

    (void)record_event(&am->record, now_ms, text);
    if (used == 0 || am->first_reason.code == 0) {
        (void)gp_error_set(&am->first_reason, GP_EUSER, "%s", text);
    }
    if (!is_free && !budget_draw(&am->budget, now_ms)) {
        am_fail(am, GP_EUSER,
                "%s (it was restarted %u time%s within %lld s, which is the limit%s%s)",
                am->first_reason.text, used, used == 1 ? "" : "s",
                (long long)(am->budget.window_ms / 1000),
                strcmp(am->first_reason.text, text) == 0 ? "" : "; the latest: ",
                strcmp(am->first_reason.text, text) == 0 ? "" : text);
        return false;
    }
    LOG_WARN(am_log(am), "app.recovering", KV_U64("app", am->options.launch->app),
             KV_STR("what", text), KV_U64("restarts", used + !is_free));
    if (am->state == AM_RUNNING) {
        am->trouble_ns = am_now_ns(am);
        am_move(am, AM_RECOVERING);
    }
    recovery_changed(am);
    return true;
}

int64_t recovery_pause_ns(const struct appmaster *am)
{
    return budget_pause_ms(budget_used(&am->budget, am_wall_ms(am))) * 1000000;
}

/* ---- tasks that failed ---- */

void recovery_restart_tasks(void *user)
{
    struct appmaster *am = user;
    char text[WORDS_MAX] = "";

    if (!is_active(am)) {
        return;
    }
    for (uint32_t i = 0; i < am->failed_count; i++) {
        const struct am_failed_task *t = &am->failed[i];
        int rc = record_restart(&am->record, t->processor, t->task, am_epoch(am));
        if (rc == GP_ENOMEM) {
            am_fail(am, rc, "restarting a task: out of memory");
            return;
        }
        words_loss(am, t->processor, t->task, 1, text, sizeof text);
    }
    am->failed_count = 0;
    record_event_more(&am->record, text[0] ? text : NULL, -1);
    recovery_changed(am);
}

/* ---- the first placement ---- */

static void place_first(struct appmaster *am)
{
    int rc;

    if (am->record.ranges_count > 0 || am->record.executors_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        const struct record_executor *e = &am->record.executors[i];
        if (e->is_dead
                ? record_is_wanted(&am->record, e) && record_slots_missing(&am->record, e->id)
                : e->incarnation == 0) {
            return; /* somebody is still to come */
        }
    }
    rc = record_place(&am->record, am->plan, am_epoch(am));
    if (rc == GP_ETOOBIG) {
        am_fail(
            am, rc,
            "placing tasks: a share of each of %u processors on each lane of %u executors is more "
            "than %u pieces; fewer executors, lanes or processors are possible",
            am->plan->processor_count, record_living(&am->record), MSG_RANGES_MAX);
        return;
    }
    if (rc < 0) {
        am_fail(am, rc, "placing tasks: %s", error_sentence(rc));
        return;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        am->executors[i]->placed = am->record.generation;
    }
}

/* ---- is all well? ---- */

static bool executor_is_well(const struct am_executor *e)
{
    return (e->state == EXECUTOR_RUNNING || e->state == EXECUTOR_DONE) && e->peer &&
           e->taken >= e->am->record.generation;
}

static bool all_well(const struct appmaster *am)
{
    bool well = am->record.ranges_count > 0 && am->failed_count == 0;

    for (uint32_t i = 0; i < am->record.executors_count && well; i++) {
        well = !am->record.executors[i].is_dead;
    }
    for (uint32_t i = 0; i < am->executor_count && well; i++) {
        well = am->executors[i]->state == EXECUTOR_GONE || executor_is_well(am->executors[i]);
    }
    return well;
}

static void recovered(struct appmaster *am)
{
    int64_t took_ms = (am_now_ns(am) - am->trouble_ns) / 1000000;

    record_event_more(&am->record, NULL, am->state == AM_STARTING ? 0 : took_ms);
    if (am->state == AM_RECOVERING) {
        LOG_INFO(am_log(am), "app.recovered", KV_U64("app", am->options.launch->app),
                 KV_I64("took_ms", took_ms), KV_U64("executors", record_living(&am->record)));
    }
    am_move(am, AM_RUNNING);
    recovery_changed(am); /* the record has changed */
}

static bool all_ended(const struct record *r, uint32_t executor)
{
    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *range = &r->ranges[i];
        bool ended = range->executor != executor;
        for (uint32_t k = 0; k < r->ended_count && !ended; k++) {
            const struct msg_task_range *e = &r->ended[k];
            ended = e->processor == range->processor && e->first <= range->first &&
                    e->first + e->count >= range->first + range->count;
        }
        if (!ended) {
            return false;
        }
    }
    return true;
}

/* All its tasks have ended. */
static bool is_done(const struct am_executor *e)
{
    return e->state == EXECUTOR_DONE ||
           (e->state == EXECUTOR_RUNNING && e->am->record.ended_count > 0 &&
            all_ended(&e->am->record, e->id));
}

/* Nothing runs any more, and nothing is to run again. */
static bool all_done(const struct appmaster *am)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        bool has_tasks = record_tasks_on(&am->record, e->id) > 0;

        if (has_tasks ? e->state != EXECUTOR_GONE && !is_done(e) : e->state == EXECUTOR_RUNNING) {
            return false; /* one that was left has still to say what it counted */
        }
        done += has_tasks && e->state != EXECUTOR_GONE;
    }
    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        const struct record_executor *e = &am->record.executors[i];
        if (e->is_dead && !all_ended(&am->record, e->id)) {
            return false;
        }
    }
    return done > 0 && am->record.ranges_count > 0 && am->failed_count == 0 && !moving_is_open(am);
}

/* No process ends before the master keeps that all is over: an appmaster that found none of them
 * would begin all of it anew. */
static void finish(struct appmaster *am)
{
    keep_record(am);
    if (is_active(am) && am->record_kept == am->record.version) {
        am_move(am, AM_STOPPING);
    }
}

/* ---- the step ---- */

void recovery_step(void *user)
{
    struct appmaster *am = user;

    if (!is_active(am)) {
        return;
    }
    if (am->record.is_over) {
        finish(am);
        return;
    }
    record_sweep(&am->record);
    executors_sweep(am);
    launching_step(am);
    if (is_active(am)) {
        place_first(am);
    }
    if (is_active(am)) {
        moving_step(am);
    }
    if (is_active(am)) {
        keep_record(am);
        balance_answer(am);
    }
    if (is_active(am) && am->record_kept == am->record.version) {
        resizing_step(am);
        assign_step(am);
    }
    if ((am->state == AM_STARTING || am->state == AM_RECOVERING) && all_well(am)) {
        recovered(am);
    }
    if ((am->state == AM_RECOVERING || am->state == AM_RUNNING) && all_done(am)) {
        am->record.is_over = true;
        record_touch(&am->record);
        finish(am);
    }
}

/* ---- a later epoch ---- */

void recovery_resume(struct appmaster *am)
{
    char text[128];
    struct gp_error err = {0};

    if (record_decode(am->welcome.placement, am->plan, &am->record, &err) < 0) {
        gp_error_prefix(&err, "the placement that the master kept");
        am_fail_err(am, &err);
        return;
    }
    am->record_kept = am->record.version;
    if (am->record.is_over) {
        am_move(am, AM_RECOVERING);
        am_move(am, AM_STOPPING); /* the master ends what is left of its processes */
        return;
    }
    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        if (!am->record.executors[i].is_dead && !executors_add(am, &am->record.executors[i])) {
            am_fail(am, GP_ENOMEM, "going on: out of memory");
            return;
        }
    }
    record_renew(&am->record);
    am->trouble_ns = am_now_ns(am);
    am_move(am, AM_RECOVERING);
    (void)str_format(text, sizeof text, "the appmaster %s; the next one (epoch %u) took over",
                     am->welcome.is_planned ? "left its worker" : "was lost", am_epoch(am));
    (void)recovery_trouble(am, true, text); /* the master has drawn for it */
}
