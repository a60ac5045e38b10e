/*
 * drain.c: workers that are to be left, and tasks that are to be spread.
 *
 *     worker.drain ─▶ mark (replicated) ─▶ no room there any more ─▶ app.rebalance to all who are there
 *                                                                        │          ▲
 *                                              tasks leave, slots are given back    │ each second
 *                                                                        ▼          │
 *                             drained ◀── nothing is held there ◀── appmasters move ┘
 *
 * What is wanted stands in the marks alone. Whoever leads tells it to every appmaster that comes,
 * and to those that hold anything on such a worker again and again: so it does not matter what was
 * lost on the way, which leader began, or that there was no room yesterday. Tasks are moved by
 * their appmaster. That one moves, by the beginning of its next epoch elsewhere, once its executors
 * have left; it costs nothing of the budget, for nothing went wrong.
 *
 * A worker is drained when no slot of it is held. One that is lost keeps its mark, and whoever is
 * started again under its name inherits it (registrations.c).
 */
#include "control/master/drain.h"

#include <stdlib.h>

#include "base/str.h"

#define TELL_AGAIN_NS 1000000000
#define JOINED_NS     3000000000 /* who stays for so long has joined */

/* ---- what there is to leave ---- */

uint32_t drain_held(const struct master *m, uint32_t app, uint32_t worker)
{
    for (uint32_t i = 0; i < m->workers.grant_count; i++) {
        const struct grant *grant = &m->workers.grants[i];
        if (grant->app == app && grant->worker == worker) {
            return grant->slots;
        }
    }
    return 0;
}

uint32_t drain_tasks(struct master *m, const struct worker_entry *entry)
{
    uint32_t tasks = entry->used;

    for (uint32_t i = 0; i < APPS_LIVE_MAX; i++) {
        const struct app_place *place = &m->places[i];
        if (place->app != 0 && place->worker == entry->id && tasks > 0) {
            tasks--;
        }
    }
    return tasks;
}

uint32_t drain_state(const struct master *m, uint32_t worker)
{
    const struct worker_entry *entry = workers_find(&m->workers, worker);

    if (!registry_mark(&m->registry, worker)) {
        return WORKER_SERVING;
    }
    if (!entry) {
        return WORKER_LOST;
    }
    return entry->used > 0 ? WORKER_DRAINING : WORKER_DRAINED;
}

/* Those it holds something on. */
static uint32_t fill_leave(const struct master *m, uint32_t app, struct msg_leave *list)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->workers.count && count < MSG_LEAVE_MAX; i++) {
        const struct worker_entry *entry = m->workers.entries[i];
        if (entry->is_draining && drain_held(m, app, entry->id) > 0) {
            list[count++] = (struct msg_leave){entry->id, entry->is_forced};
        }
    }
    return count;
}

static uint32_t fill_room(const struct master *m, struct msg_worker_room *list)
{
    uint32_t filled = 0;

    for (uint32_t i = 0; i < m->workers.count && filled < MSG_EXECUTORS_MAX; i++) {
        const struct worker_entry *entry = m->workers.entries[i];
        if (!entry->is_draining && entry->info.slots > entry->used) {
            list[filled++] = (struct msg_worker_room){.worker = entry->id,
                                                      .free = entry->info.slots - entry->used,
                                                      .name = entry->info.name,
                                                      .labels = entry->info.labels,
                                                      .labels_count = entry->info.labels_count};
        }
    }
    return filled;
}

/* ---- telling an appmaster ---- */

struct telling {
    struct pending pending;
    uint32_t app;
    uint64_t serial; /* the latest for that place counts */
    bool leaves;     /* it names workers to be left */
    drain_told_fn fn;
    void *user;
};

/* Its executors have gone from there; now the appmaster itself. One that is repairing something, or
 * moving tasks elsewhere, does that first. */
static void move_appmaster(struct master *m, struct app_place *place,
                           const struct msg_app_rebalanced *said)
{
    const struct worker_entry *entry = workers_find(&m->workers, place->worker);
    const struct app *app = registry_find(&m->registry, place->app);

    if (entry && entry->is_draining && drain_can_tell(place) && app->state == APP_RUNNING &&
        said->moving == 0 && said->is_settled && drain_held(m, place->app, place->worker) == 1) {
        (void)places_leave(place); /* without room it stays; the next round tries again */
    }
}

static void on_told(void *user, struct peer *peer, const struct answer *answer)
{
    struct telling *t = user;
    struct master *m = t->pending.master;
    struct app_place *place = apps_place(m, t->app);
    const struct msg_app_rebalanced *said = answer->code < 0 ? NULL : answer->msg;

    (void)peer;
    if (place && place->telling == t->serial) {
        place->telling = 0;
        if (said) {
            place->leaves = t->leaves;
            move_appmaster(m, place, said);
        }
    }
    if (t->fn) {
        t->fn(m, t->user, t->app, said, answer->err);
    }
    pending_free(t);
    drain_look(m);
}

bool drain_can_tell(const struct app_place *place)
{
    return place->app != 0 && place->phase == PLACE_UP && place->peer != 0 && !place->is_stopping &&
           !place->is_ending && !place->is_proposing;
}

static void say_why(const struct msg_app_rebalance *msg, char reason[MSG_REASON_MAX])
{
    if (msg->leave_count == 1) {
        (void)str_format(reason, MSG_REASON_MAX, "worker/%u is drained", msg->leave[0].worker);
    } else if (msg->leave_count > 1) {
        (void)str_format(reason, MSG_REASON_MAX, "%u workers are drained", msg->leave_count);
    }
}

int drain_tell(struct master *m, struct app_place *place, const struct drain_wish *wish,
               drain_told_fn fn, void *user)
{
    struct peer *peer = place->peer ? endpoint_peer(m->ep, place->peer) : NULL;
    struct telling *t = peer ? pending_new(m, sizeof *t) : NULL;
    struct msg_worker_room room[MSG_EXECUTORS_MAX];
    struct msg_leave leave[MSG_LEAVE_MAX];
    char id[16];
    char reason[MSG_REASON_MAX] = "";
    struct msg_app_rebalance msg = {.app = id,
                                    .leave = leave,
                                    .leave_count = fill_leave(m, place->app, leave),
                                    .spread = wish->spread,
                                    .force = wish->force,
                                    .reason = (char *)(uintptr_t)wish->reason,
                                    .room = room,
                                    .room_count = fill_room(m, room)};
    int rc;

    if (!t) {
        return peer ? GP_ENOMEM : GP_ECLOSED;
    }
    (void)str_format(id, sizeof id, "%u", place->app);
    if (!msg.reason) {
        say_why(&msg, reason);
        msg.reason = reason;
    }
    t->app = place->app;
    t->leaves = msg.leave_count > 0;
    t->serial = ++m->next_serial;
    t->fn = fn;
    t->user = user;
    place->telling = t->serial;
    place->leaves = place->leaves || t->leaves;
    rc = peer_ask(peer, MSG_APP_REBALANCE, &msg, ASK_TIMEOUT_NS, 0, on_told, t);
    if (rc < 0) {
        place->telling = 0;
        pending_free(t);
    }
    return rc;
}

/* ---- rounds ---- */

static const struct drain_wish nothing_more = {.spread = false};

/* Somebody holds something that is to be given up, or still believes so. */
static bool is_due(const struct master *m, const struct app_place *place)
{
    struct msg_leave leave[MSG_LEAVE_MAX];

    return place->app != 0 && (place->leaves || fill_leave(m, place->app, leave) > 0);
}

static void say_drained(struct master *m)
{
    for (uint32_t i = 0; i < m->workers.count; i++) {
        struct worker_entry *entry = m->workers.entries[i];
        bool is_drained = entry->is_draining && entry->used == 0;

        if (is_drained && !entry->is_drained) {
            LOG_INFO(master_log(m), "worker.drained", KV_U64("worker", entry->id),
                     KV_STR("name", entry->info.name));
            events_add(m, EVENT_INFO, "worker.drained", 0, entry->id,
                       "worker %u (%s) is drained and may stop", entry->id, entry->info.name);
        }
        entry->is_drained = is_drained;
    }
}

void drain_look(struct master *m)
{
    if (!m->leads || m->registry.marked == 0) {
        return;
    }
    say_drained(m);
    for (uint32_t i = 0; i < APPS_LIVE_MAX && !m->is_round_due; i++) {
        if (is_due(m, &m->places[i])) {
            m->is_round_due = true;
            timer_start(m->drain_timer, TELL_AGAIN_NS);
        }
    }
}

void drain_at_once(struct master *m)
{
    if (m->leads && m->registry.marked > 0) {
        m->is_round_due = true;
        timer_start(m->drain_timer, 0);
    }
}

void on_drain_timer(void *user)
{
    struct master *m = user;

    m->is_round_due = false;
    for (uint32_t i = 0; i < APPS_LIVE_MAX && m->leads; i++) {
        struct app_place *place = &m->places[i];

        if (is_due(m, place) && drain_can_tell(place) && place->telling == 0) {
            (void)drain_tell(m, place, &nothing_more, NULL, NULL); /* the next round tries again */
        }
    }
    drain_look(m);
}

void drain_registered(struct app_place *place)
{
    struct master *m = place->master;

    place->telling = 0;
    place->leaves = m->registry.marked > 0; /* it may know what holds no more */
    drain_at_once(m);
}

/* ---- workers come, or serve again ---- */

void drain_refresh(struct master *m, struct worker_entry *entry)
{
    const struct drain_mark *mark = registry_mark(&m->registry, entry->id);
    bool serves_again = entry->is_draining && !mark;

    entry->is_draining = mark != NULL;
    entry->is_forced = mark && mark->force;
    if (serves_again) {
        drain_joined(m, entry);
    }
}

void drain_marked(struct master *m)
{
    for (uint32_t i = 0; i < m->workers.count; i++) {
        drain_refresh(m, m->workers.entries[i]);
    }
    if (m->leads) {
        places_seek(m);
        drain_at_once(m);
    }
}

static void on_handed_on(struct master *m, void *user, const struct outcome *outcome)
{
    (void)user;
    if (outcome->code < 0) { /* people see that it serves */
        LOG_WARN(master_log(m), "worker.mark_kept", KV_STR("why", outcome->err->text));
    }
}

/* Its next life came before this one was found dead: now it inherits. */
void drain_lost(struct master *m, const struct worker_entry *lost)
{
    for (uint32_t i = 0; i < m->workers.count && lost->is_draining; i++) {
        const struct worker_entry *heir = m->workers.entries[i];
        const struct command mark = {.op = COMMAND_DRAIN,
                                     .worker = heir->id,
                                     .name = heir->info.name,
                                     .force = lost->is_forced};
        const struct command undo = {.op = COMMAND_DRAIN, .worker = lost->id, .undo = true};

        if (heir->id > lost->id && !heir->is_draining &&
            strcmp(heir->info.name, lost->info.name) == 0 &&
            strcmp(heir->info.host, lost->info.host) == 0) {
            (void)master_propose(m, &mark, on_handed_on, NULL, NULL);
            (void)master_propose(m, &undo, on_handed_on, NULL, NULL);
            return;
        }
    }
}

void drain_joined(struct master *m, struct worker_entry *entry)
{
    if (m->is_balanced) {
        entry->is_new = true;
        timer_start(m->balance_timer, JOINED_NS);
    }
}

void on_balance_timer(void *user)
{
    struct master *m = user;
    char reason[MSG_REASON_MAX];
    const struct drain_wish wish = {.spread = true, .reason = reason};
    uint32_t joined = 0;

    for (uint32_t i = 0; i < m->workers.count; i++) {
        struct worker_entry *entry = m->workers.entries[i];

        if (entry->is_new && !entry->is_draining) {
            (void)str_format(reason, sizeof reason, "worker/%u joined", entry->id);
            joined++;
        }
        entry->is_new = false;
    }
    if (joined > 1) {
        (void)str_format(reason, sizeof reason, "%u workers joined", joined);
    }
    for (uint32_t i = 0; i < APPS_LIVE_MAX && m->leads && joined > 0; i++) {
        struct app_place *place = &m->places[i];

        if (drain_can_tell(place)) {
            (void)drain_tell(m, place, &wish, NULL, NULL); /* nice to have */
        }
    }
}
