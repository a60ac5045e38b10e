/*
 * executors.c: the processes of the application: what they say, how they are lost and stopped.
 *
 * A process that dies breaks its connection at once, and its worker tells how it died a moment later:
 * the application waits that moment, so that the reason has a name, and so that a connection that only
 * broke costs nothing: an executor that lives registers again at once. Silence has been waited for
 * already. What is held to be dead is killed through its worker, and refused when it comes again.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define EXIT_WAIT_NS    1000000000  /* from a lost connection to a new one or the worker's word */
#define KILL_TIMEOUT_NS 30000000000 /* for a worker that cannot be reached now */

struct am_executor *executors_of_peer(const struct appmaster *am, const struct peer *peer)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->peer == peer) {
            return am->executors[i];
        }
    }
    return NULL;
}

struct am_executor *executors_find(const struct appmaster *am, uint32_t id)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->id == id) {
            return am->executors[i];
        }
    }
    return NULL;
}

/* ---- life ---- */

static void executor_free(struct am_executor *e)
{
    if (!e) {
        return;
    }
    timer_free(e->timer);
    fields_deinit(&msg_executor_register_fields, &e->info);
    fields_deinit(&msg_executor_report_fields, &e->report);
    free(e->worker_name);
    free(e->worker_address);
    free(e->host);
    free(e);
}

/* Its worker is reached, so it may take the time that a start may take. */
static bool may_come(const struct am_executor *e)
{
    return e->state == EXECUTOR_LAUNCHING && !e->is_restored && e->come_ns > am_now_ns(e->am) &&
           peer_is_up(e->host_worker->peer);
}

/* Whom it waited for did not come. */
static void on_timer(void *user)
{
    struct am_executor *e = user;
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    if (e->am->state >= AM_STOPPING) {
        return;
    }
    if (e->state == EXECUTOR_GONE) {
        e->is_settled = true;
        recovery_changed(e->am);
        return;
    }
    if (may_come(e)) {
        timer_start(e->timer, e->come_ns - am_now_ns(e->am));
        return;
    }
    words_executor(e, who, sizeof who);
    (void)str_format(text, sizeof text, "%s %s", who,
                     e->is_restored                   ? "did not come to its new appmaster"
                     : e->state == EXECUTOR_LAUNCHING ? "did not register in time"
                                                      : "was lost");
    executors_lost(e, "lost", text);
}

struct am_executor *executors_add(struct appmaster *am, const struct record_executor *from)
{
    struct am_executor **grown =
        realloc(am->executors, (am->executor_count + 1) * sizeof(struct am_executor *));
    struct am_executor *e = calloc(1, sizeof *e);

    if (grown) {
        am->executors = grown;
    }
    if (!grown || !e || timer_new(am->port->loop, on_timer, e, &e->timer) < 0) {
        free(e);
        return NULL;
    }
    e->am = am;
    e->id = from->id;
    e->worker = from->worker;
    e->slots = from->slots;
    e->held = from->launched > 0 ? from->launched : from->slots;
    e->pid = from->pid;
    e->worker_name = str_dup(gp_str_of(from->name));
    e->worker_address = str_dup(gp_str_of(from->address));
    e->host = str_dup(gp_str_of(from->host));
    if (!e->worker_name || !e->worker_address || !e->host) {
        executor_free(e);
        return NULL;
    }
    if (am->state == AM_REGISTERING) { /* from an earlier epoch */
        e->is_restored = true;
        e->host_worker = am_worker_of(am, e->worker, e->worker_address);
        timer_start(e->timer, am_failure_ns(am)); /* to find us */
    }
    am->executors[am->executor_count++] = e;
    return e;
}

void executors_sweep(struct appmaster *am)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = am->executors[i];
        if (e->state == EXECUTOR_GONE && e->is_settled && e->is_released && e->asks == 0 &&
            !record_find(&am->record, e->id)) {
            if (e->is_retired) {
                stats_keep(am, &e->report);
            }
            executor_free(e);
        } else {
            am->executors[kept++] = e;
        }
    }
    am->executor_count = kept;
}

/* ---- losses ---- */

static void on_killed(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    e->asks--;
    if (answer->code == GP_ENOENT && e->am->state < AM_STOPPING) {
        e->is_settled = true; /* else process.exited says that it has ended */
        recovery_changed(e->am);
    }
}

static void kill_process(struct am_executor *e)
{
    struct msg_process_ref msg = {.app = e->am->options.launch->app,
                                  .executor = e->id,
                                  .epoch = am_epoch(e->am),
                                  .at_once = true};

    if (e->host_worker && peer_ask(e->host_worker->peer, MSG_PROCESS_STOP, &msg, KILL_TIMEOUT_NS,
                                   ASK_RETRY, on_killed, e) >= 0) {
        e->asks++;
    }
}

static bool was_running(const struct am_executor *e)
{
    return e->state == EXECUTOR_RUNNING || e->state == EXECUTOR_DONE || e->is_restored;
}

static void lose(struct am_executor *e, const char *how, bool is_free, const char *text)
{
    struct appmaster *am = e->am;
    bool had_run = was_running(e);
    bool is_launched = e->is_asked || e->is_restored || e->state > EXECUTOR_LAUNCHING;

    ASSERT(e->state != EXECUTOR_GONE);
    LOG_WARN(am_log(am), "appmaster.executor_lost", KV_U64("executor", e->id), KV_STR("why", text));
    e->state = EXECUTOR_GONE;
    e->how = how;
    e->is_settled = e->is_settled || !is_launched;
    if (e->peer) {
        struct peer *peer = e->peer;
        e->peer = NULL;
        peer_drop(peer);
    }
    if (!e->is_settled) {
        kill_process(e);
        timer_start(e->timer, EXIT_WAIT_NS);
    }
    stats_keep(am, &e->report);
    if (am->record.is_over) {
        recovery_changed(am);
        return;
    }
    if (had_run) {
        am->record.is_lost_at_least = true; /* what it had not sent yet, nobody knows */
    }
    record_bury(&am->record, e->id);
    am->shrunk = am->record.version;
    if (recovery_trouble(am, is_free, text) && !is_free &&
        budget_used(&am->budget, am_wall_ms(am)) > 2) {
        am->replace_ns = am_now_ns(am) + recovery_pause_ns(am);
    }
}

void executors_lost(struct am_executor *e, const char *how, const char *text)
{
    /* What dies together costs once. */
    lose(e, how, was_running(e) && e->am->state == AM_RECOVERING, text);
}

void executors_give_up(struct am_executor *e, bool is_free, const char *text)
{
    lose(e, "cut off", is_free, text);
}

/* Its connection is gone; why is not known yet. */
static void disconnected(struct am_executor *e, const struct gp_error *why)
{
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    e->peer = NULL;
    if (e->state == EXECUTOR_GONE) {
        return; /* it was told to go; its worker says when it is gone */
    }
    if (why->code == GP_ETIMEOUT || (e->host_worker && !peer_is_up(e->host_worker->peer))) {
        words_executor(e, who, sizeof who);
        (void)str_format(text, sizeof text, "%s was lost: %s", who, why->text);
        executors_lost(e, "lost", text);
        return;
    }
    timer_start(e->timer, EXIT_WAIT_NS);
}

static void stopped(struct am_executor *e);

static void worker_down(struct appmaster *am, const struct peer *peer, const struct gp_error *why)
{
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (!e->host_worker || e->host_worker->peer != peer || e->is_restored) {
            continue;
        }
        if (e->state == EXECUTOR_GONE) {
            e->is_settled = true; /* it will not say more */
            recovery_changed(am);
        } else if (!e->peer && e->is_asked) {
            words_executor(e, who, sizeof who);
            (void)str_format(text, sizeof text, "%s was lost with its worker: %s", who, why->text);
            e->is_settled = true;
            executors_lost(e, "lost", text);
        }
    }
}

void executors_peer_down(struct appmaster *am, struct peer *peer, const struct gp_error *why)
{
    struct am_executor *e = executors_of_peer(am, peer);

    if (!e) {
        worker_down(am, peer, why);
    } else if (am->state >= AM_STOPPING) {
        e->peer = NULL;
        stopped(e); /* it was told to go */
    } else {
        disconnected(e, why);
    }
}

void executors_unreachable(struct appmaster *am, const struct peer *peer,
                           const struct gp_error *why)
{
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (!e->host_worker || e->host_worker->peer != peer || why->code != GP_EUNREACH) {
            continue;
        }
        if (e->state == EXECUTOR_GONE && !e->is_settled) {
            e->is_settled = true;
            recovery_changed(am);
        } else if (e->state != EXECUTOR_GONE && e->is_restored) {
            words_executor(e, who, sizeof who);
            (void)str_format(text, sizeof text, "%s was lost with its worker: %s", who, why->text);
            e->is_settled = true;
            executors_lost(e, "lost", text);
        }
    }
}

void executors_exited(struct appmaster *am, const struct msg_process_exited *msg)
{
    struct am_executor *e = executors_find(am, msg->executor);
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    if (!e) {
        return;
    }
    e->is_settled = true;
    if (am->state >= AM_STOPPING) {
        stopped(e);
        return;
    }
    if (e->state == EXECUTOR_GONE) {
        recovery_changed(am); /* its slots are free */
        return;
    }
    words_executor(e, who, sizeof who);
    if (msg->signal != 0) {
        (void)str_format(text, sizeof text, "%s crashed: %s", who,
                         msg->crash[0] ? msg->crash : "killed by a signal");
    } else {
        (void)str_format(text, sizeof text, "%s ended with exit code %lld", who,
                         (long long)msg->code);
    }
    executors_lost(e, msg->signal != 0 ? "crashed" : "ended", text);
}

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

/* It waits for its next session: which comes in a moment, together with those of others that fail until
 * then, at the price of one. */
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

/* ---- those without tasks ---- */

static void on_retired(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    (void)answer; /* its worker says when it is gone */
    e->asks--;
}

void executors_retire(struct am_executor *e)
{
    struct appmaster *am = e->am;

    LOG_INFO(am_log(am), "appmaster.executor_retired", KV_U64("executor", e->id));
    record_bury(&am->record, e->id);
    am->shrunk = am->record.version;
    e->state = EXECUTOR_GONE;
    e->how = "ended";
    e->is_retired = true;
    stats_keep(am, &e->report); /* the next epoch may not hear of it any more */
    e->retired = am->record.generation;
}

/* Nobody expects anything of it any more. */
static bool is_forgotten(const struct am_executor *e)
{
    for (uint32_t i = 0; i < e->am->executor_count; i++) {
        const struct am_executor *other = e->am->executors[i];
        if (other->state != EXECUTOR_GONE && other->placed != 0 && other->taken < e->retired) {
            return false;
        }
    }
    return true;
}

void executors_end_retired(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = am->executors[i];
        if (e->state != EXECUTOR_GONE || e->retired == 0 || !is_forgotten(e)) {
            continue;
        }
        e->retired = 0;
        timer_start(e->timer, 2 * am->options.stop_timeout_ns);
        if (e->peer && peer_ask(e->peer, MSG_EXECUTOR_STOP, NULL, am->options.stop_timeout_ns, 0,
                                on_retired, e) >= 0) {
            e->asks++;
        } else {
            kill_process(e);
        }
    }
}

/* ---- STOPPING ---- */

static void stopped(struct am_executor *e)
{
    struct appmaster *am = e->am;

    e->stopped = true;
    if (am->state != AM_STOPPING) {
        return;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (!am->executors[i]->stopped) {
            return;
        }
    }
    am_move(am, AM_REPORTING);
}

static void on_stopped(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    (void)answer; /* it closed its tasks, or it is not there any more */
    e->asks--;
    stopped(e);
}

/* Has the worker end the process, however far it came. */
static void stop_process(struct am_executor *e)
{
    struct msg_process_ref msg = {
        .app = e->am->options.launch->app, .executor = e->id, .epoch = am_epoch(e->am)};

    if (!e->host_worker || peer_ask(e->host_worker->peer, MSG_PROCESS_STOP, &msg, ASK_TIMEOUT_NS, 0,
                                    on_stopped, e) < 0) {
        e->stopped = true; /* what cannot be reached is ended by the master, with the application */
        return;
    }
    e->asks++;
}

void executors_stop(struct appmaster *am)
{
    bool waiting = false;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = am->executors[i];
        timer_stop(e->timer);
        e->stopped = e->stopped || e->state == EXECUTOR_GONE;
        if (e->stopped) {
            continue;
        }
        if (e->peer && peer_ask(e->peer, MSG_EXECUTOR_STOP, NULL, am->options.stop_timeout_ns, 0,
                                on_stopped, e) >= 0) {
            e->asks++;
        } else {
            stop_process(e);
        }
        waiting = waiting || !e->stopped;
    }
    if (!waiting) {
        am_move(am, AM_REPORTING);
    }
}

void executors_stop_hard(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (!am->executors[i]->stopped) {
            stop_process(am->executors[i]);
        }
    }
    am_move(am, AM_REPORTING); /* the end of the application ends what is left */
}

void executors_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        executor_free(am->executors[i]);
    }
    free(am->executors);
    free(am->edge_rates);
    free(am->edge_past);
    record_deinit(&am->record);
}
