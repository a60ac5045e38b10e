/*
 * executors.c: the processes of the application: how they begin here, and how they are lost.
 *
 * A process that dies breaks its connection at once, and its worker tells how it died a moment
 * later: the application waits that moment, so that the reason has a name, and so that a connection
 * that only broke costs nothing: an executor that lives registers again at once. Silence has been
 * waited for already. What is held to be dead is killed through its worker, and refused when it
 * comes again.
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

void executors_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        executor_free(am->executors[i]);
    }
    free(am->executors);
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

void executors_kill(struct am_executor *e)
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
        executors_kill(e);
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
static void disconnected(struct am_executor *e, const struct peer *peer, const struct gp_error *why)
{
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    e->peer = NULL;
    if (e->state == EXECUTOR_GONE) {
        return; /* it was told to go; its worker says when it is gone */
    }
    if (!peer_may_live(peer) &&
        (why->code == GP_ETIMEOUT || (e->host_worker && !peer_is_up(e->host_worker->peer)))) {
        words_executor(e, who, sizeof who);
        (void)str_format(text, sizeof text, "%s was lost: %s", who, why->text);
        executors_lost(e, "lost", text);
        return;
    }
    timer_start(e->timer, EXIT_WAIT_NS);
}

static void lost_with_worker(struct am_executor *e, const struct gp_error *why)
{
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];

    words_executor(e, who, sizeof who);
    (void)str_format(text, sizeof text, "%s was lost with its worker: %s", who, why->text);
    e->is_settled = true; /* nobody is left to tell how it ended */
    executors_lost(e, "lost", text);
}

static void worker_down(struct appmaster *am, const struct peer *peer, const struct gp_error *why)
{
    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (!e->host_worker || e->host_worker->peer != peer || e->is_restored) {
            continue;
        }
        if (e->state == EXECUTOR_GONE) {
            e->is_settled = true; /* it will not say more */
            recovery_changed(am);
        } else if (!e->peer && e->is_asked) {
            lost_with_worker(e, why);
        }
    }
}

void executors_peer_down(struct appmaster *am, struct peer *peer, const struct gp_error *why)
{
    struct am_executor *e = executors_of_peer(am, peer);

    if (!e && peer_may_live(peer)) {
        return; /* the worker is dialled again, and its executors speak for themselves */
    }
    if (!e) {
        worker_down(am, peer, why);
    } else if (am->state >= AM_STOPPING) {
        e->peer = NULL;
        executors_stopped(e); /* it was told to go */
    } else {
        disconnected(e, peer, why);
    }
}

void executors_unreachable(struct appmaster *am, const struct peer *peer,
                           const struct gp_error *why)
{
    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (!e->host_worker || e->host_worker->peer != peer || why->code != GP_EUNREACH) {
            continue;
        }
        if (e->state == EXECUTOR_GONE && !e->is_settled) {
            e->is_settled = true;
            recovery_changed(am);
        } else if (e->state != EXECUTOR_GONE && e->is_restored) {
            lost_with_worker(e, why);
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
        if (!e->peer) { /* else what it said last is on its way, and the end of its connection */
            executors_stopped(e);
        }
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
