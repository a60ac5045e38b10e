/*
 * launches.c: a new life of an appmaster: a worker is picked, the epoch is written down, the worker
 * is asked.
 *
 *     WAITING ─ (queue.c) ─▶ begin_epoch ─ on_epoch ─▶ launch ─ on_offered ─▶ on_launched; it registers
 *                                             └─ any refusal: place_refused(), place_lost()
 *
 * The drawing of the phases is in places.c. In between everything may change: each step looks up
 * whether the life it is about is still the present one (launching_place).
 */
#include "base/str.h"
#include "control/master/internal.h"

struct launching {
    struct pending pending;
    uint32_t app;
    uint32_t epoch;
    uint32_t worker;
};

/* The place, if this is still the life that was launched. */
static struct app_place *launching_place(const struct launching *l)
{
    struct master *m = l->pending.master;
    const struct app *app = registry_find(&m->registry, l->app);
    struct app_place *place = apps_place(m, l->app);

    return app && place && app->epoch == l->epoch && place->worker == l->worker ? place : NULL;
}

/* Whether the reason lies with the worker or the way there: another one may do. */
static bool is_worker_at_fault(int code)
{
    return code == GP_EFULL || code == GP_ECLOSED || code == GP_EUNREACH || code == GP_ETIMEOUT ||
           code == GP_ECANCELED || code == GP_EAGAIN || code == GP_ENOMEM || code == GP_EIO;
}

static void on_launched(void *user, struct peer *peer, const struct answer *answer)
{
    struct launching *l = user;
    struct app_place *place = launching_place(l);
    char text[ERROR_TEXT_MAX];

    (void)peer;
    if (place && answer->code < 0) {
        (void)str_format(text, sizeof text, "its appmaster could not be started on worker %u: %s",
                         l->worker, answer->err->text);
        if (is_worker_at_fault(answer->code)) {
            place_refused(place, text);
        } else {
            place_lost(place, text, false);
        }
    } else if (place) {
        place->pid = ((const struct msg_launched *)answer->msg)->pid;
    }
    pending_free(l);
}

static void on_offered(void *user, struct peer *peer, const struct answer *answer)
{
    struct launching *l = user;
    struct master *m = l->pending.master;
    struct app_place *place = launching_place(l);
    const struct app *app = registry_find(&m->registry, l->app);
    char texts[CONSENSUS_MEMBERS_MAX][NET_ADDR_MAX];
    char *masters[CONSENSUS_MEMBERS_MAX];
    struct msg_appmaster_launch launch;

    if (!place || answer->code < 0) {
        if (place && answer->code != GP_ETIMEOUT) {
            place->is_offered = false;
        }
        on_launched(user, peer, answer);
        return;
    }
    launch = (struct msg_appmaster_launch){.term = m->term,
                                           .app = app->id,
                                           .epoch = app->epoch,
                                           .name = app->spec.name,
                                           .sha256 = app->spec.sha256,
                                           .token = app->token,
                                           .masters = masters,
                                           .masters_count = group_masters(m, texts, masters)};
    if (peer_ask(peer, MSG_APPMASTER_LAUNCH, &launch, START_TIMEOUT_NS, 0, on_launched, l) < 0) {
        pending_free(l);
        place_refused(place, "the worker of its appmaster was lost");
    }
}

int places_offer(struct master *m, const struct app *app, const struct worker_entry *entry,
                 uint32_t slots, answer_fn fn, void *user)
{
    struct peer *peer = endpoint_peer(m->ep, entry->peer);
    char texts[CONSENSUS_MEMBERS_MAX][NET_ADDR_MAX];
    char *masters[CONSENSUS_MEMBERS_MAX];
    struct msg_grant_offer grant = {.term = m->term,
                                    .app = app->id,
                                    .epoch = app->epoch,
                                    .token = app->token,
                                    .slots = slots,
                                    .sha256 = app->spec.sha256,
                                    .masters = masters,
                                    .masters_count = group_masters(m, texts, masters)};

    return peer ? peer_ask(peer, MSG_GRANT_OFFER, &grant, ASK_TIMEOUT_NS, 0, fn, user) : GP_ECLOSED;
}

/* Asks the worker that was picked; the epoch is ours. */
static void launch(struct app_place *place, const struct app *app)
{
    struct master *m = place->master;
    const struct worker_entry *entry = workers_find(&m->workers, place->worker);
    struct launching *l = entry ? pending_new(m, sizeof *l) : NULL;

    if (l) {
        l->app = app->id;
        l->epoch = app->epoch;
        l->worker = entry->id;
    }
    if (!l || places_offer(m, app, entry, 1, on_offered, l) < 0) {
        pending_free(l);
        place_refused(place, "the worker of its appmaster was lost");
        return;
    }
    place->is_offered = true;
}

static void on_epoch(struct master *m, void *user, const struct outcome *outcome)
{
    struct app_place *place = apps_place(m, (uint32_t)(uintptr_t)user);
    const struct app *app = place ? registry_find(&m->registry, place->app) : NULL;

    if (place) {
        place->is_proposing = false;
    }
    if (!place || place->phase != PLACE_STARTING) {
        places_seek(m); /* it was held up */
        return;
    }
    if (outcome->code < 0) {
        place_give_back(place, app);
        place->phase = PLACE_PAUSED;
        timer_start(place->timer, PLACE_AGAIN_NS);
        return;
    }
    LOG_INFO(master_log(m), "appmaster.placed", KV_U64("app", app->id), KV_U64("epoch", app->epoch),
             KV_U64("worker", place->worker));
    launch(place, app);
}

static int begin_epoch(struct app_place *place, const struct app *app, uint32_t worker)
{
    struct master *m = place->master;
    bool is_free = app->epoch == 0 || place->refusals > 0 || place->is_moved;
    struct command command = {.op = COMMAND_EPOCH,
                              .app = app->id,
                              .epoch = app->epoch,
                              .worker = worker,
                              .is_restart = !is_free};
    int rc = workers_grant(&m->workers, app->id, worker, 1);

    if (rc < 0) {
        return rc;
    }
    rc = master_propose(m, &command, on_epoch, (void *)(uintptr_t)app->id, NULL);
    if (rc < 0) {
        workers_release(&m->workers, app->id, worker, 1);
        return rc;
    }
    place->worker = worker;
    place->is_proposing = true;
    place->phase = PLACE_STARTING;
    place->is_noted = false;
    timer_start(place->timer, m->start_timeout_ns);
    return 0;
}

/* The worker that refused comes last. */
static const struct scheduler_worker *pick_worker(const struct app_place *place,
                                                  struct scheduler_worker *list)
{
    const struct workers *workers = &place->master->workers;
    uint32_t count = workers_offer(workers, list);
    const struct scheduler_worker *pick;

    for (uint32_t i = 0; i < count; i++) {
        list[i].free = list[i].id == place->refused_by ? 0 : list[i].free;
    }
    pick = scheduler_pick(list, count);
    return pick ? pick : scheduler_pick(list, workers_offer(workers, list));
}

void place_begin(struct app_place *place, const struct app *app, uint32_t worker)
{
    if (begin_epoch(place, app, worker) < 0) {
        place->is_admitted = false;
        timer_start(place->timer, PLACE_AGAIN_NS);
    }
}

void place_go_on(struct app_place *place)
{
    struct scheduler_worker list[WORKERS_MAX];
    const struct app *app = registry_find(&place->master->registry, place->app);
    const struct scheduler_worker *pick = pick_worker(place, list);

    if (pick) {
        place_begin(place, app, pick->id);
    }
}

bool places_leave(struct app_place *place)
{
    struct master *m = place->master;
    const struct app *app = registry_find(&m->registry, place->app);
    struct scheduler_worker list[WORKERS_MAX];
    const struct scheduler_worker *pick = pick_worker(place, list);
    uint32_t from = place->worker;

    if (!pick) {
        return false;
    }
    place_give_back(place, app);
    place->is_moved = true;
    LOG_INFO(master_log(m), "appmaster.moved", KV_U64("app", app->id), KV_U64("from", from),
             KV_U64("to", pick->id));
    if (begin_epoch(place, app, pick->id) < 0) {
        place->phase = PLACE_PAUSED;
        timer_start(place->timer, PLACE_AGAIN_NS);
    }
    return true;
}
