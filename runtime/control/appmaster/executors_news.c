/*
 * executors_news.c: what executors say: that they are there, what they count, where their sources
 * are, which tasks failed, and that all is done.
 *
 * An executor registers on each new connection. The first time it is given the tasks it came for;
 * later it says how far it is, and is told what it missed. Whoever is not expected, or was given
 * up, is refused. What a report leaves out stays as the one before had it.
 */
#include "base/str.h"
#include "control/appmaster/internal.h"

/* ---- registering ---- */

/* What it says of itself must fit what is known of it. */
static int register_check(struct appmaster *am, const struct msg_executor_register *msg,
                          struct am_executor **ret, struct gp_error *err)
{
    struct am_executor *e = executors_find(am, msg->executor);
    const struct record_executor *known = record_find(&am->record, msg->executor);

    if (msg->app != am->options.launch->app || msg->lanes_count <= msg->blocking) {
        return gp_error_set(err, GP_EPROTO, "no executor %u is expected here", msg->executor);
    }
    if (msg->epoch > am_epoch(am)) {
        return gp_error_set(err, GP_ESTALE, "epoch %u is over", am_epoch(am));
    }
    if (!e || !known || e->state == EXECUTOR_GONE) {
        return gp_error_set(err, GP_ESTALE, "executor %u was given up", msg->executor);
    }
    if (known->incarnation != 0 && known->incarnation != msg->incarnation) {
        return gp_error_set(err, GP_ESTALE, "executor %u is another process", msg->executor);
    }
    if (am->state >= AM_STOPPING) {
        return gp_error_set(err, GP_ESTATE, "the application ends");
    }
    *ret = e;
    return 0;
}

/* What these tasks lose, but for those that come with what they took along. */
static void say_loss(const struct appmaster *am, const struct record_range *r, char *text,
                     size_t cap)
{
    uint32_t first = r->first;

    for (uint32_t task = r->first; task < r->first + r->count; task++) {
        const struct record_move *m = record_move_of(&am->record, r->processor, task);
        if (m && m->placed != 0 && m->executor == r->executor) {
            if (task > first) {
                words_loss(am, r->processor, first, task - first, text, cap);
            }
            first = task + 1;
        }
    }
    if (first < r->first + r->count) {
        words_loss(am, r->processor, first, r->first + r->count - first, text, cap);
    }
}

/* The first time: it is given the tasks it came for. */
static int join(struct am_executor *e)
{
    struct appmaster *am = e->am;
    struct record_executor *known = record_find(&am->record, e->id);
    char text[WORDS_MAX];
    uint32_t dead = known->replaces;
    int rc;

    record_join(&am->record, e->id, &e->info);
    if (am->record.ranges_count == 0) {
        return 0; /* all are placed at once */
    }
    if (record_tasks_on(&am->record, dead) == 0) { /* tasks will move to it */
        known->replaces = 0;
        record_renew(&am->record);
        record_announce(&am->record, e->id);
        e->placed = am->record.generation;
        return 0;
    }
    rc = record_need_past(&am->record, am->plan->processor_count);
    rc = rc < 0 ? rc : record_give(&am->record, am->plan, e->id, am_epoch(am));
    if (rc < 0) {
        return rc;
    }
    e->placed = am->record.generation;
    rc = moving_given(am, e);
    if (rc < 0) {
        return rc;
    }
    (void)str_format(text, sizeof text,
                     "the tasks of executor %u begin anew on executor %u (worker %s)", dead, e->id,
                     e->worker_name);
    for (uint32_t i = 0; i < am->record.ranges_count; i++) {
        if (am->record.ranges[i].executor == e->id) {
            say_loss(am, &am->record.ranges[i], text, sizeof text);
        }
    }
    record_event_more(&am->record, text, -1);
    return 0;
}

/* It was there before: on an earlier connection, or with an earlier appmaster. */
static void rejoin(struct am_executor *e)
{
    struct appmaster *am = e->am;

    for (uint32_t i = 0; i < am->moved_count; i++) {
        am->moved[i].brought = 0; /* it may not have come */
    }
    e->base = e->info.generation;
    e->told = 0;
    e->taken = 0;
    e->session = 0;
    e->placed = record_find(&e->am->record, e->id)->placed;
    if (e->info.started) {
        e->state = e->state == EXECUTOR_DONE ? EXECUTOR_DONE : EXECUTOR_RUNNING;
    } else {
        e->state = e->info.generation > 0 ? EXECUTOR_READY : EXECUTOR_REGISTERED;
    }
}

int executors_register(struct appmaster *am, struct peer *peer, struct msg_executor_register *msg,
                       struct reply_token token, struct gp_error *err)
{
    struct am_executor *e = NULL;
    bool is_first;
    int rc;

    if (am->state == AM_REGISTERING) {
        peer_drop(peer); /* it found us before we know of it: it comes again */
        return 0;
    }
    rc = register_check(am, msg, &e, err);
    if (rc < 0) {
        if (msg->epoch > am_epoch(am)) {
            am_stale(am);
        }
        return rc;
    }
    is_first = record_find(&am->record, e->id)->incarnation == 0;
    fields_deinit(&msg_executor_register_fields, &e->info);
    e->info = *msg;
    *msg = (struct msg_executor_register){0};
    e->peer = peer;
    e->pid = e->info.pid;
    e->is_asked = true;
    e->is_adopted = e->is_adopted || e->is_restored;
    e->is_restored = false;
    timer_stop(e->timer);
    LOG_INFO(am_log(am), "appmaster.executor_up", KV_U64("executor", e->id), KV_I64("pid", e->pid),
             KV_U64("lanes", e->info.lanes_count));
    rc = endpoint_reply(am->ep, token, NULL);
    if (is_first) {
        int joined;
        e->state = EXECUTOR_REGISTERED;
        joined = join(e);
        if (joined < 0) {
            am_fail(am, joined, "placing the tasks of an executor: %s", error_sentence(joined));
        }
    } else {
        rejoin(e);
    }
    recovery_changed(am);
    return rc;
}

/* ---- news ---- */

static void swap_text(char **a, char **b)
{
    char *was = *a;

    *a = *b;
    *b = was;
}

static void swap_slowest(struct msg_processor_stats *a, struct msg_processor_stats *b)
{
    struct msg_task_metrics *slowest = a->slowest;
    uint32_t count = a->slowest_count;

    a->slowest = b->slowest;
    a->slowest_count = b->slowest_count;
    b->slowest = slowest;
    b->slowest_count = count;
}

/* What only full reports say holds until the next one (wire/messages_executor.h). */
static void keep_full_parts(struct msg_executor_report *before, struct msg_executor_report *msg)
{
    msg->vitals = before->vitals;
    msg->is_cut = before->is_cut;
    for (uint32_t i = 0; i < msg->processors_count && i < before->processors_count; i++) {
        struct msg_processor_stats *to = &msg->processors[i];
        struct msg_processor_stats *from = &before->processors[i];

        if (to->processor == from->processor) { /* swapped: what to had is freed with the old one */
            swap_text(&to->processing, &from->processing);
            swap_text(&to->latency, &from->latency);
            swap_slowest(to, from);
        }
    }
}

void executors_report(struct appmaster *am, struct peer *peer, struct msg_executor_report *msg)
{
    struct am_executor *e = executors_of_peer(am, peer);

    if (e && !e->is_retired) {
        if (e->is_adopted) {
            stats_adopt(am, msg);
            e->is_adopted = false;
        }
        if (!msg->is_full) {
            keep_full_parts(&e->report, msg);
        }
        stuck_reported(e, msg);
        fields_deinit(&msg_executor_report_fields, &e->report);
        e->report = *msg;
        *msg = (struct msg_executor_report){0};
        unreached_reported(am, &e->report);
        stuck_act(e);
    }
}

void executors_states(struct appmaster *am, struct peer *peer, struct msg_executor_states *msg)
{
    struct am_executor *e = executors_of_peer(am, peer);
    bool kept = false;
    const struct record_range *range;

    if (!e || e->state == EXECUTOR_GONE || !am->plan) {
        return;
    }
    for (uint32_t i = 0; i < msg->states_count; i++) {
        range = record_range_of(&am->record, msg->states[i].processor, msg->states[i].task);
        if (range && range->executor == e->id) {
            kept = record_keep_state(&am->record, &msg->states[i]) >= 0 || kept;
        }
    }
    if (kept) {
        recovery_keep_states(am);
    }
    for (uint32_t i = 0; i < msg->ended_count; i++) {
        const struct msg_task_range *t = &msg->ended[i];
        if (t->processor < am->plan->processor_count && t->count > 0 &&
            t->first < am->plan->processors[t->processor].parallelism &&
            t->count <= am->plan->processors[t->processor].parallelism - t->first) {
            (void)record_end(&am->record, t->processor, t->first,
                             t->count); /* it would run again */
        }
    }
    recovery_changed(am);
}

/* It waits for its next session: which comes in a moment, together with those of others that fail
 * until then, at the price of one. */
static void restart_later(struct am_executor *e, const struct msg_executor_failed *msg,
                          const char *text)
{
    struct appmaster *am = e->am;
    bool is_free = am->failed_count > 0;

    for (uint32_t i = 0; i < am->failed_count; i++) {
        if (am->failed[i].processor == msg->processor && am->failed[i].task == msg->task) {
            return;
        }
    }
    if (am->failed_count == FAILED_TASKS_MAX) {
        executors_lost(e, "failed", text);
        return;
    }
    am->failed[am->failed_count++] = (struct am_failed_task){msg->processor, msg->task};
    if (recovery_trouble(am, is_free, text) && !is_free) {
        timer_start(am->failed_timer, recovery_pause_ns(am));
    }
}

void executors_failed(struct appmaster *am, struct peer *peer,
                      const struct msg_executor_failed *msg)
{
    struct am_executor *e = executors_of_peer(am, peer);
    const struct record_range *range = record_range_of(&am->record, msg->processor, msg->task);
    char text[MSG_ERROR_MAX];

    if (!e || am->state >= AM_STOPPING) {
        return;
    }
    if (!am->plan || msg->processor >= am->plan->processor_count) {
        (void)str_format(text, sizeof text, "executor %u: %s", e->id, msg->text);
        executors_lost(e, "failed", text);
        return;
    }
    if (!range || range->executor != e->id ||
        (msg->session != 0 && msg->session != range->session)) {
        return; /* of an earlier life of that task */
    }
    (void)str_format(text, sizeof text, "processor '%s', task %u on executor %u, in its %s(): %s",
                     am->plan->processors[msg->processor].name, msg->task, e->id, msg->function,
                     msg->text);
    restart_later(e, msg, text);
}

void executors_done(struct appmaster *am, struct peer *peer, const struct msg_executor_done *msg)
{
    struct am_executor *e = executors_of_peer(am, peer);

    if (e && (e->state == EXECUTOR_RUNNING || e->state == EXECUTOR_DONE)) {
        e->state = EXECUTOR_DONE;
        e->done = msg->generation;
        recovery_changed(am);
    }
}
