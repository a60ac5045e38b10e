/*
 * places.c: where appmasters are, and how their lives end; how they begin is in launches.c.
 *
 *     WAITING ──a worker has room──▶ STARTING ──registers──▶ UP ──connection lost──▶ LOST
 *        ▲                              │                     │   ◀────registers─────  │
 *        │                    refused, exited, late        exited             exited, late
 *        └───────────── PAUSED ◀────────┴─────────────────────┴────────────────────────┘
 *
 * Every live application has a place. STARTING begins with a slot on a worker and a new epoch,
 * which is replicated before the worker is asked for anything: no two lives of an appmaster have
 * the same epoch. What ends a life draws from the application's budget (budget.h); when that is
 * spent, or when a life ended before it wrote down anything to go on from, the application has
 * failed. A life that a worker refused to begin costs nothing; another worker is tried. Nor does
 * one that begins because the worker of the one before is drained. Whoever is given up is killed at
 * once: it may only be frozen, and would hold its slot. One that has no plan yet may be silent for
 * as long as a start may take: user code builds its graph, on the thread that would answer.
 * Executors run on all the while: their slots are other slots.
 *
 * The end is a command (place_end()), and once it is applied, places_ended(): slots, place, log.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/internal.h"

#define MUTES_MAX 2 /* lives of one application that may fall silent before there is a plan */
#define NS_PER_MS 1000000
#define COME_BACK_NS                                                                               \
    ASK_TIMEOUT_NS /* for an appmaster whose connection broke, once it has a plan */

struct app_place *apps_place(struct master *m, uint32_t app)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        if (m->places[i].app == app) {
            return &m->places[i];
        }
    }
    return NULL;
}

static void place_free(struct app_place *place)
{
    timer_free(place->timer);
    slots_forget(place);
    queue_forget(place);
    *place = (struct app_place){0};
}

void places_deinit(struct master *m)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        place_free(&m->places[i]);
    }
}

/* ---- the end ---- */

static void on_end(struct master *m, void *user, const struct outcome *outcome)
{
    struct app_place *place = apps_place(m, (uint32_t)(uintptr_t)user);

    if (place && outcome->code < 0) { /* it goes on as if its appmaster were lost */
        place->is_ending = false;
        place->phase = PLACE_LOST;
        timer_start(place->timer, PLACE_AGAIN_NS);
    }
}

void place_end(struct app_place *place, uint32_t state, const char *error)
{
    struct master *m = place->master;
    const struct app *app = registry_find(&m->registry, place->app);
    struct command command = {.op = COMMAND_STATE,
                              .app = app->id,
                              .epoch = app->epoch,
                              .state = state,
                              .error = error,
                              .pid = place->pid};

    if (place->is_ending) {
        return;
    }
    place->is_ending = true;
    if (master_propose(m, &command, on_end, (void *)(uintptr_t)app->id, NULL) < 0) {
        place->is_ending = false;
        timer_start(place->timer, PLACE_AGAIN_NS);
    }
}

/* Whoever has processes of it ends them. A worker that its appmaster could not reach may have some
 * still, though its slots are long taken back: that is told to all. */
static void revoke_all(struct master *m, const struct app *app, const struct app_place *place)
{
    for (uint32_t i = 0; i < m->workers.count && place->lives_on; i++) {
        slots_revoke(m, m->workers.entries[i], app->id, app->epoch, 0);
    }
    for (uint32_t i = 0; i < m->workers.grant_count && !place->lives_on; i++) {
        if (m->workers.grants[i].app == app->id) {
            slots_revoke(m, workers_find(&m->workers, m->workers.grants[i].worker), app->id,
                         app->epoch, 0);
        }
    }
}

void places_ended(struct master *m, struct app *app)
{
    struct app_place *place = apps_place(m, app->id);

    if (!place) {
        return;
    }
    revoke_all(m, app, place);
    workers_release_app(&m->workers, app->id);
    history_ended(m->history, app->id);
    place_free(place);
    if (app->state == APP_FAILED) {
        LOG_WARN(master_log(m), "app.failed", KV_U64("app", app->id),
                 KV_STR("name", app->spec.name), KV_STR("error", app->error));
    } else {
        LOG_INFO(master_log(m), app->state == APP_KILLED ? "app.killed" : "app.finished",
                 KV_U64("app", app->id), KV_STR("name", app->spec.name));
    }
    places_seek(m);
}

/* ---- a life is over ---- */

static void on_killed(void *user, struct peer *peer, const struct answer *answer)
{
    (void)user;
    (void)peer;
    (void)answer; /* it was gone already, or process.exited says so */
}

static void kill_process(struct app_place *place, const struct app *app)
{
    struct master *m = place->master;
    const struct worker_entry *entry = workers_find(&m->workers, place->worker);
    struct peer *peer = entry ? endpoint_peer(m->ep, entry->peer) : NULL;
    const struct msg_process_ref msg = {.app = app->id, .epoch = app->epoch, .at_once = true};

    if (peer) { /* a worker that is lost ends what is over when it comes again */
        (void)peer_ask(peer, MSG_PROCESS_STOP, &msg, ASK_TIMEOUT_NS, 0, on_killed, NULL);
    }
}

void place_give_back(struct app_place *place, const struct app *app)
{
    struct master *m = place->master;

    if (place->worker != 0) {
        kill_process(place, app);
        workers_release(&m->workers, app->id, place->worker, 1);
        if (place->is_offered) { /* else it is an executor's slot that would go */
            slots_revoke(m, workers_find(&m->workers, place->worker), app->id, app->epoch, 1);
        }
    }
    slots_forget(place);
    place->is_admitted = false;
    place->worker = 0;
    place->is_offered = false;
    place->peer = 0;
    place->pid = 0;
    place->address[0] = '\0';
}

void place_lost(struct app_place *place, const char *why, bool may_rebuild)
{
    struct master *m = place->master;
    const struct app *app = registry_find(&m->registry, place->app);
    bool may_go_on = app->plan || may_rebuild;
    struct budget budget;
    uint32_t used;
    char text[ERROR_TEXT_MAX];

    if (place->is_ending) {
        return;
    }
    place->is_moved = false;
    apps_budget(m, app, &budget);
    used = budget_used(&budget, master_wall_ms(m));
    LOG_WARN(master_log(m), "appmaster.lost", KV_U64("app", app->id), KV_U64("epoch", app->epoch),
             KV_STR("why", why));
    events_add(m, EVENT_WARN, "appmaster.lost", app->id, app->worker, "%s: %s", app->spec.name,
               why);
    if (app->is_stopping) {
        place_end(place, APP_KILLED, NULL);
    } else if (!may_go_on) {
        place_end(place, APP_FAILED, why);
    } else if (used >= budget.max) {
        (void)str_format(text, sizeof text, "%s, after %u restarts in the last %lld s", why, used,
                         (long long)(budget.window_ms / 1000));
        place_end(place, APP_FAILED, text);
    } else {
        place_give_back(place, app);
        if (app_goes_on(app)) {
            queue_trouble(place, QUEUE_TROUBLE_NS);
        }
        place->phase = PLACE_PAUSED;
        timer_start(place->timer, budget_pause_ms(used) * NS_PER_MS);
    }
}

static void on_told(struct master *m, void *user, const struct outcome *outcome)
{
    (void)m; /* only for people */
    (void)user;
    (void)outcome;
}

/* It is tried for ever, so whoever waits for it must see why. Once may be a worker that has just
 * gone: another one does. */
static void tell_refusal(const struct app_place *place, const struct app *app, const char *why)
{
    const struct command command = {.op = COMMAND_STATE,
                                    .app = app->id,
                                    .epoch = app->epoch,
                                    .state = app->state,
                                    .error = why};

    if (place->refusals > 0) {
        (void)master_propose(place->master, &command, on_told, NULL, NULL);
    }
    if (place->refusals == 1) {
        events_add(place->master, EVENT_WARN, "appmaster.refused", app->id, place->worker, "%s: %s",
                   app->spec.name, why);
    }
}

void place_refused(struct app_place *place, const char *why)
{
    struct master *m = place->master;
    const struct app *app = registry_find(&m->registry, place->app);

    if (app->is_stopping || place->is_ending) {
        place_lost(place, why, true);
        return;
    }
    LOG_WARN(master_log(m), "appmaster.refused", KV_U64("app", app->id),
             KV_U64("epoch", app->epoch), KV_U64("worker", place->worker), KV_STR("why", why));
    tell_refusal(place, app, why);
    place->refused_by = place->worker;
    place_give_back(place, app);
    place->phase = PLACE_PAUSED;
    timer_start(place->timer, budget_pause_ms(place->refusals) * NS_PER_MS);
    place->refusals++;
}

/* One that is frozen looks the same, so it gets another life; who falls silent there again would do
 * so for ever. */
static bool is_build_endless(const struct app_place *place, const struct app *app)
{
    return place->mutes >= MUTES_MAX && !app->plan &&
           workers_find(&place->master->workers, place->worker);
}

static void give_up_build(struct app_place *place)
{
    char text[ERROR_TEXT_MAX];

    (void)str_format(text, sizeof text,
                     "its build() did not return, twice: for %lld s nothing was heard from its "
                     "appmaster (pid %lld on worker %u), which builds the graph",
                     (long long)(place->master->start_timeout_ns / 1000 / NS_PER_MS),
                     (long long)place->pid, place->worker);
    place_lost(place, text, false);
}

static void on_timer(void *user)
{
    struct app_place *place = user;
    struct master *m = place->master;
    const struct app *app = registry_find(&m->registry, place->app);

    if (app->is_stopping) {
        place_end(place, APP_KILLED, NULL);
        return;
    }
    switch (place->phase) {
    case PLACE_STARTING:
        place_lost(place, "its appmaster did not register in time", false);
        break;
    case PLACE_LOST:
        if (is_build_endless(place, app)) {
            give_up_build(place);
        } else {
            place_lost(place, "its appmaster was lost", true);
        }
        break;
    case PLACE_PAUSED:
    case PLACE_WAITING:
        place->phase = PLACE_WAITING;
        places_seek(m);
        break;
    default:
        break;
    }
}

int places_open(struct master *m, uint32_t app, struct app_place **ret)
{
    struct app_place *place = apps_place(m, 0);
    int rc;

    if (!place) {
        return GP_EFULL;
    }
    rc = timer_new(m->port->loop, on_timer, place, &place->timer);
    if (rc < 0) {
        return rc;
    }
    place->master = m;
    place->app = app;
    place->phase = PLACE_WAITING;
    *ret = place;
    return 0;
}

/* ---- a life begins ---- */

void places_registered(struct app_place *place, uint64_t peer,
                       const struct msg_appmaster_register *msg)
{
    place->peer = peer;
    place->pid = msg->pid;
    place->phase = PLACE_UP;
    place->is_moved = false;
    place->refusals = 0;
    place->refused_by = 0;
    (void)str_format(place->address, sizeof place->address, "%s", msg->address);
    if (!place->is_stopping) {
        timer_stop(place->timer);
    }
}

/* ---- news ---- */

void places_process_exited(struct master *m, const struct msg_process_exited *msg)
{
    const struct app *app = registry_find(&m->registry, msg->app);
    struct app_place *place = apps_place(m, msg->app);
    char text[ERROR_TEXT_MAX];

    if (!app || !place || msg->executor != 0 || msg->epoch != app->epoch ||
        place->phase == PLACE_WAITING || place->phase == PLACE_PAUSED || place->is_proposing) {
        return; /* executors are their appmaster's business */
    }
    if (msg->signal != 0) {
        (void)str_format(text, sizeof text, "its appmaster crashed: %s",
                         msg->crash[0] ? msg->crash : "killed by a signal");
    } else {
        (void)str_format(text, sizeof text, "its appmaster ended with exit code %lld%s",
                         (long long)msg->code,
                         app->plan ? ""
                                   : " while it loaded its plugins and built the graph, where "
                                     "nothing may call exit()");
    }
    place_lost(place, text, false);
}

static bool is_reported(const struct msg_worker_report *report, const struct app *app)
{
    bool is_cut = report->executors_count == MSG_EXECUTORS_MAX;
    bool found = false;

    for (uint32_t i = 0; i < report->executors_count && !found; i++) {
        const struct msg_process *process = &report->executors[i];
        found = process->executor == 0 && process->app == app->id && process->epoch == app->epoch;
    }
    return found || is_cut;
}

/* Whoever is waited for has ended while nobody was there to be told. */
static void look_for_lost(struct master *m, uint32_t worker, const struct msg_worker_report *report)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];

        if (place->app != 0 && place->phase == PLACE_LOST && place->worker == worker &&
            !is_reported(report, registry_find(&m->registry, place->app))) {
            place_lost(place, "its appmaster was lost", true);
        }
    }
}

void places_report(struct master *m, uint32_t worker, const struct msg_worker_report *report)
{
    for (uint32_t i = 0; i < report->executors_count; i++) {
        const struct msg_process *process = &report->executors[i];
        struct app_place *place = process->executor == 0 ? apps_place(m, process->app) : NULL;

        const struct app *app = place ? registry_find(&m->registry, place->app) : NULL;

        if (app && place->worker == worker && process->epoch == app->epoch) {
            place->pid = process->pid;
        }
    }
    look_for_lost(m, worker, report);
}

/* The appmaster is not heard: if its process is gone the worker says how; if not, it has some time
 * to come back. */
static void wait_for_it(struct app_place *place, const struct app *app)
{
    place->peer = 0;
    place->phase = PLACE_LOST;
    if (!place->is_stopping) {
        timer_start(place->timer, app->plan ? COME_BACK_NS : place->master->start_timeout_ns);
    }
}

/* Silence was waited for already, unless a graph is being built; and without a worker nobody says
 * more. One that found us silent comes again. */
void places_peer_down(struct master *m, const struct peer *peer, const struct gp_error *why)
{
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];
        const struct app *app = registry_find(&m->registry, place->app);

        if (place->app == 0 || place->peer != peer_id(peer)) {
            continue;
        }
        LOG_WARN(master_log(m), "appmaster.silent", KV_U64("app", place->app),
                 KV_STR("why", why->text));
        if (!peer_may_live(peer) && ((why->code == GP_ETIMEOUT && app->plan) ||
                                     !workers_find(&m->workers, place->worker))) {
            place->peer = 0;
            place_lost(place, "its appmaster was lost", true);
        } else {
            place->mutes += why->code == GP_ETIMEOUT && !app->plan;
            wait_for_it(place, app);
        }
    }
}

/* Takes its appmasters along, but for one that is heard: it seems that the worker alone hangs, and
 * it may come back. */
void places_worker_down(struct master *m, uint32_t worker, const char *name)
{
    char text[ERROR_TEXT_MAX];

    (void)str_format(text, sizeof text, "worker %u (%s), which ran its appmaster, was lost", worker,
                     name);
    for (uint32_t i = 0; i < m->workers.grant_count; i++) {
        const struct grant *grant = &m->workers.grants[i];
        struct app_place *place = grant->worker == worker ? apps_place(m, grant->app) : NULL;
        if (place && app_goes_on(registry_find(&m->registry, grant->app))) {
            queue_trouble(place, QUEUE_LOST_NS); /* before it knows itself */
        }
    }
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        struct app_place *place = &m->places[i];
        if (place->app != 0 && place->worker == worker && place->phase != PLACE_UP) {
            place_lost(place, text, true);
        }
    }
}

/* ---- the lead ---- */

static struct app_place *place_for(struct master *m, const struct app *app)
{
    struct app_place *place = NULL;

    if (places_open(m, app->id, &place) < 0) {
        LOG_ERROR(master_log(m), "app.stuck", KV_U64("app", app->id), KV_CODE("code", GP_ENOMEM));
    }
    return place;
}

void places_lead(struct master *m)
{
    struct app *app = NULL;

    while ((app = registry_next(&m->registry, app ? app->id : 0)) != NULL) {
        struct app_place *place = app_state_is_end(app->state) ? NULL : place_for(m, app);

        if (place && app_goes_on(app)) {
            queue_trouble(place, QUEUE_LOST_NS); /* who knows what was lost meanwhile */
        }
        if (place && app->epoch > 0 && app->state != APP_WAITING) { /* it is somewhere */
            place->worker = app->worker;
            place->is_offered = true;
            wait_for_it(place, app);
            place->is_stopping = app->is_stopping;
        } else if (place && app->is_stopping) {
            place_end(place, APP_KILLED, NULL);
        }
    }
    places_seek(m);
}

void places_dismiss(struct master *m, const struct gp_error *why)
{
    history_clear(m->history);
    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        uint64_t peer = m->places[i].peer;
        struct peer *appmaster = peer ? endpoint_peer(m->ep, peer) : NULL;

        place_free(&m->places[i]);
        if (appmaster) {
            peer_dismiss(appmaster, why);
        }
    }
}

/* ---- kill ---- */

static void on_stop_answer(void *user, struct peer *peer, const struct answer *answer)
{
    (void)user;
    (void)peer;
    (void)answer; /* app.state or the timer ends it */
}

void places_stop(struct app_place *place)
{
    struct peer *peer = place->peer ? endpoint_peer(place->master->ep, place->peer) : NULL;

    if (place->phase == PLACE_WAITING || place->phase == PLACE_PAUSED) {
        place_end(place, APP_KILLED, NULL);
        return;
    }
    if (!place->is_stopping) {
        place->is_stopping = true;
        timer_start(place->timer, STOP_TIMEOUT_NS);
    }
    if (peer) {
        (void)peer_ask(peer, MSG_APP_STOP, NULL, STOP_TIMEOUT_NS, 0, on_stop_answer, NULL);
    }
}
