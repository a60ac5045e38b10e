/*
 * resizing.c: workers are told how many slots a process holds, once that is not what it was started
 * with: tasks have come, or gone.
 *
 * What a worker keeps for a process is in the record (`launched`), so that a later appmaster knows.
 * Slots that are to be given back are told to the worker first, then the record is kept, then the
 * master hears of it: so nobody is granted what a worker still keeps. More slots are told when they
 * were granted, and tasks come only after that. A worker that has no room for them keeps what it
 * had, and so do we.
 */
#include "control/appmaster/internal.h"

static void keep(struct am_executor *e, uint32_t slots)
{
    struct appmaster *am = e->am;
    bool is_less = slots < e->held;

    e->held = slots;
    record_find(&am->record, e->id)->launched = slots;
    record_touch(&am->record);
    if (is_less) {
        am->is_hold_due = true;
        am->shrunk = am->record.version;
    }
}

/* What was granted is not there. */
static void refused(struct am_executor *e, const struct gp_error *why)
{
    struct appmaster *am = e->am;

    LOG_WARN(am_log(am), "appmaster.slots_refused", KV_U64("executor", e->id),
             KV_U64("worker", e->worker), KV_STR("error", why->text));
    e->slots = e->held;
    record_find(&am->record, e->id)->slots = e->slots;
    record_touch(&am->record);
    am->shrunk = am->record.version;
    am->is_hold_due = true;
    balance_no_room(am, e->worker);
}

static void on_resized(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    e->asks--;
    e->is_resizing = false;
    if (e->am->state >= AM_STOPPING || e->state == EXECUTOR_GONE) {
        return;
    }
    if (answer->code >= 0) {
        keep(e, e->resized);
    } else if (answer->code == GP_EFULL && e->slots > e->held) {
        refused(e, answer->err);
    } else if (answer->code != GP_ETIMEOUT && answer->code != GP_ECLOSED) {
        return; /* that process is not there, or not ours: its end is told otherwise */
    }
    recovery_changed(e->am);
}

void resizing_step(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        struct am_executor *e = am->executors[i];
        const struct msg_executor_resize msg = {.app = am->options.launch->app,
                                                .epoch = am_epoch(am),
                                                .executor = e->id,
                                                .slots = e->slots};
        if (e->state < EXECUTOR_REGISTERED || e->state == EXECUTOR_GONE || e->is_resizing ||
            e->slots == e->held || !e->host_worker) {
            continue;
        }
        if (peer_ask(e->host_worker->peer, MSG_EXECUTOR_RESIZE, &msg, ASK_TIMEOUT_NS, ASK_RETRY,
                     on_resized, e) >= 0) {
            e->asks++;
            e->is_resizing = true;
            e->resized = msg.slots;
        }
    }
}
