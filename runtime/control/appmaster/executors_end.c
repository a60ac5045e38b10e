/*
 * executors_end.c: how executors end on our word: one that has no tasks any more, or all of them
 * with the application.
 *
 * Each is asked to stop, so that its tasks are closed; where there is no connection, its worker is
 * asked to end the process. One that retires is asked only when no other may still send to it.
 * STOPPING ends when each has answered or ended, or cannot be asked.
 */
#include "control/appmaster/internal.h"

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
            executors_kill(e);
        }
    }
}

/* ---- STOPPING ---- */

void executors_stopped(struct am_executor *e)
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
    executors_stopped(e);
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
