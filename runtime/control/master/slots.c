/*
 * slots.c: slots for the executors of an application.
 *
 * One slots.request becomes an offer to each worker that the scheduler picked. Slots are booked
 * before a worker is asked and given back unless all agree: the appmaster gets everything it asked
 * for, or an error and nothing.
 *
 * An answer may be lost with its connection, and what the dead leave behind may never be given
 * back. So an appmaster says what it holds (slots.hold): at first, after each loss and whenever it
 * needs less, but never while it waits for an answer. Everything else is taken back: at once, and
 * from workers that come later and bring more than that. Requests that are still open then are
 * nobody's.
 */
#include <stdlib.h>

#include "control/master/fit.h"
#include "control/master/internal.h"

struct granting;

/* What one worker is asked for. */
struct granting_part {
    struct granting *whole;
    uint32_t worker;
    uint64_t peer; /* one that came again has forgotten what it was asked before */
    uint32_t slots;
    bool accepted;
};

/* One slots.request: answered when all workers have answered their offers. */
struct granting {
    struct pending pending;
    struct list_node node; /* master.grantings */
    struct reply_token token;
    uint32_t app;
    uint32_t epoch;
    uint32_t waiting;
    bool is_first;   /* for all its tasks */
    int64_t turn_ns; /* of its place, before */
    bool refused;
    uint32_t count;
    struct gp_error err;
    struct granting_part parts[];
};

static void revoke(struct master *m, const struct worker_entry *entry,
                   const struct msg_grant_revoke *msg)
{
    struct peer *peer = entry ? endpoint_peer(m->ep, entry->peer) : NULL;

    if (peer) {
        (void)peer_tell(peer, MSG_GRANT_REVOKE, msg); /* a worker that is lost registers anew */
    }
}

void slots_revoke(struct master *m, const struct worker_entry *entry, uint32_t app, uint32_t epoch,
                  uint32_t slots)
{
    revoke(m, entry,
           &(struct msg_grant_revoke){.term = m->term, .app = app, .epoch = epoch, .slots = slots});
}

/* ---- what an application holds ---- */

void slots_forget(struct app_place *place)
{
    free(place->held);
    place->held = NULL;
    place->held_count = 0;
    place->is_held_known = false;
}

/* More of them. Without memory nothing is known: too much is better than too little. */
static void hold_add(struct app_place *place, uint32_t worker, uint32_t slots)
{
    struct app_hold *grown =
        place->is_held_known ? realloc(place->held, (place->held_count + 1) * sizeof *place->held)
                             : NULL;

    if (!grown) {
        slots_forget(place);
        return;
    }
    grown[place->held_count++] = (struct app_hold){worker, slots};
    place->held = grown;
}

/* What it may have there: its appmaster, what that holds, and what is being granted. */
static uint32_t rightful(struct master *m, const struct app_place *place,
                         const struct worker_entry *entry)
{
    uint32_t slots = place->worker == entry->id ? 1 : 0;

    for (uint32_t i = 0; i < place->held_count; i++) {
        slots += place->held[i].worker == entry->id ? place->held[i].slots : 0;
    }
    LIST_FOREACH (node, &m->grantings) {
        const struct granting *g = container_of(node, struct granting, node);
        for (uint32_t i = 0; i < g->count && g->app == place->app; i++) {
            slots += g->parts[i].peer == entry->peer ? g->parts[i].slots : 0;
        }
    }
    return slots;
}

static void take_the_rest(struct master *m, const struct app *app, struct app_place *place,
                          const struct worker_entry *entry, uint32_t booked)
{
    uint32_t keep = rightful(m, place, entry);

    if (place->is_held_known && booked > keep) {
        LOG_INFO(master_log(m), "slots.taken_back", KV_U64("app", app->id),
                 KV_U64("worker", entry->id), KV_U64("slots", booked - keep));
        revoke(m, entry,
               &(struct msg_grant_revoke){.term = m->term,
                                          .app = app->id,
                                          .epoch = app->epoch,
                                          .slots = booked - keep,
                                          .is_all_due = true});
        place->lives_on = true;
        workers_release(&m->workers, app->id, entry->id, booked - keep);
    }
}

void slots_hold(struct master *m, struct peer *peer, const struct msg_slots_hold *msg)
{
    struct app_place *place;
    struct app *app;

    if (apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, NULL) < 0) {
        return;
    }
    LIST_FOREACH (node, &m->grantings) {
        struct granting *g = container_of(node, struct granting, node);
        if (g->app == app->id && !g->refused) {
            g->refused = true;
            (void)gp_error_set(&g->err, GP_ECANCELED, "nobody waits for these slots any more");
        }
    }
    slots_forget(place);
    place->is_held_known = true;
    for (uint32_t i = 0; i < msg->grants_count && place->is_held_known; i++) {
        hold_add(place, msg->grants[i].worker, msg->grants[i].slots);
    }
    for (uint32_t i = m->workers.grant_count; i > 0; i--) {
        const struct grant grant = m->workers.grants[i - 1];
        if (grant.app == app->id) {
            take_the_rest(m, app, place, workers_find(&m->workers, grant.worker), grant.slots);
        }
    }
    places_seek(m);
    drain_at_once(m);
}

/* ---- requests ---- */

/* Gives back what a request got before it failed. */
static void granting_undo(const struct granting *g)
{
    struct master *m = g->pending.master;
    const struct app *app = registry_find(&m->registry, g->app);
    uint32_t epoch = app ? app->epoch : g->epoch; /* workers obey no older one */

    for (uint32_t i = 0; i < g->count; i++) {
        const struct granting_part *part = &g->parts[i];
        const struct worker_entry *entry = workers_find(&m->workers, part->worker);
        if (!entry || entry->peer != part->peer) {
            continue;
        }
        workers_release(&m->workers, g->app, part->worker, part->slots);
        if (part->accepted) {
            slots_revoke(m, entry, g->app, epoch, part->slots);
        }
    }
}

static void granting_free(struct granting *g)
{
    list_remove(&g->node);
    pending_free(g);
}

static void granting_finish(struct granting *g)
{
    struct master *m = g->pending.master;
    struct msg_grant *grants = calloc(g->count, sizeof *grants);
    struct msg_slots_granted granted = {.grants = grants};
    const struct app *app = registry_find(&m->registry, g->app);
    struct app_place *place = apps_place(m, g->app);

    if (!g->refused && (!app || !place || app->epoch != g->epoch)) {
        (void)gp_error_set(&g->err, GP_ESTALE, "epoch %u of application %u is over", g->epoch,
                           g->app);
        g->refused = true;
    }
    if (!grants) {
        (void)gp_error_set(&g->err, GP_ENOMEM, "granting slots");
        g->refused = true;
    }
    for (uint32_t i = 0; i < g->count && !g->refused; i++) {
        const struct worker_entry *entry = workers_find(&m->workers, g->parts[i].worker);
        if (!entry || entry->peer != g->parts[i].peer) {
            (void)gp_error_set(&g->err, GP_EUNREACH, "a worker was lost while slots were granted");
            g->refused = true;
            break;
        }
        grants[granted.grants_count++] =
            (struct msg_grant){.worker = entry->id,
                               .name = entry->info.name,
                               .address = entry->info.address,
                               .host = entry->info.host,
                               .cpus = entry->info.cpus,
                               .slots = g->parts[i].slots,
                               .labels = entry->info.labels,
                               .labels_count = entry->info.labels_count};
    }
    if (!g->refused && endpoint_reply(m->ep, g->token, &granted) < 0) {
        (void)gp_error_set(&g->err, GP_ECLOSED, "whoever asked for slots has gone");
        g->refused = true;
    }
    for (uint32_t i = 0; i < g->count && !g->refused && place; i++) {
        hold_add(place, g->parts[i].worker, g->parts[i].slots);
    }
    if (g->refused) {
        granting_undo(g);
        if (place && app && app->epoch == g->epoch && g->is_first) {
            place->turn_ns = g->turn_ns; /* it asks again */
        }
        g->err.code = g->is_first && g->err.code == GP_EFULL ? GP_EAGAIN : g->err.code;
        LOG_WARN(master_log(m), "slots.refused", KV_U64("app", g->app),
                 KV_STR("error", g->err.text));
        (void)endpoint_reply_error(m->ep, g->token, &g->err);
    }
    if (!g->refused && g->is_first) {
        places_seek(m); /* who waited for it to ask */
    }
    free(grants);
    granting_free(g);
}

static void on_grant_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct granting_part *part = user;
    struct granting *g = part->whole;

    (void)peer;
    part->accepted = answer->code >= 0;
    if (answer->code < 0 && !g->refused) {
        g->refused = true;
        g->err = *answer->err;
        gp_error_prefix(&g->err, "a worker refused its slots");
    }
    if (--g->waiting == 0) {
        granting_finish(g);
    }
}

static int grant_parts(struct master *m, const struct app *app, struct granting *g)
{
    g->waiting = 1; /* ours, so that no answer ends it before all are asked */
    for (uint32_t i = 0; i < g->count; i++) {
        const struct worker_entry *entry = workers_find(&m->workers, g->parts[i].worker);
        if (workers_grant(&m->workers, app->id, entry->id, g->parts[i].slots) < 0) {
            g->count = i;
            return GP_ENOMEM;
        }
        g->waiting++;
        if (places_offer(m, app, entry, g->parts[i].slots, on_grant_answer, &g->parts[i]) < 0) {
            g->waiting--;
            g->count = i + 1;
            return GP_EUNREACH;
        }
    }
    return 0;
}

/* Only those that may be taken. */
static void leave_out(const struct workers *w, struct fit_room *room,
                      const struct msg_slots_request *msg)
{
    for (uint32_t i = 0; i < room->count; i++) {
        uint32_t id = w->entries[i]->id;
        bool avoided = msg->worker != 0 && msg->worker != id;
        for (uint32_t k = 0; k < msg->avoid_count && !avoided; k++) {
            avoided = msg->avoid[k].worker == id;
        }
        if (avoided) {
            room->of[i] = (struct fit_slots){.is_out = true};
        }
    }
}

static struct fit_need need_of(const struct msg_slots_request *msg)
{
    return (struct fit_need){.slots = msg->slots,
                             .executors = msg->executors,
                             .places = msg->places,
                             .place_count = msg->places_count};
}

/* It has no tasks yet, and asks for all of them. */
static bool begins(const struct app *app, const struct msg_slots_request *msg)
{
    return !app_goes_on(app) && msg->worker == 0;
}

/* Whether it can be had now, and how: in room. GP_EFULL with the numbers. */
static int find_room(struct master *m, struct app_place *place, const struct app *app,
                     const struct msg_slots_request *msg, struct fit_room *room,
                     struct gp_error *err)
{
    const struct fit_need need = need_of(msg);
    uint32_t other = 0;
    int rc = 0;

    fit_now(&m->workers, room);
    leave_out(&m->workers, room, msg);
    if (begins(app, msg)) {
        rc = queue_check(place, app, room, err);
    } else if (msg->worker == 0) {
        other = queue_before(place, app);
        rc = other ? gp_error_set(err, GP_EFULL, "application %u comes first", other) : 0;
    }
    return rc < 0 ? rc : fit_take(&m->workers, room, &need, err);
}

/* Whether it could be had if no other application had anything. */
static bool is_possible(const struct master *m, const struct app *app,
                        const struct msg_slots_request *msg)
{
    const struct fit_need need = need_of(msg);
    struct fit_room room;

    fit_alone(&m->workers, app->id, &room);
    leave_out(&m->workers, &room, msg);
    return fit_take(&m->workers, &room, &need, NULL) >= 0;
}

/* There is no room. Who begins waits without its appmaster; all others ask again, but for one that
 * is being killed: its end is on its way, and would be lost with its appmaster. */
static int refuse(struct master *m, struct app_place *place, const struct app *app,
                  const struct msg_slots_request *msg, int code, struct gp_error *err)
{
    gp_error_hint(err, m->registry.marks_count > 0
                           ? "gpctl workers; start more workers, or gpctl drain --undo one"
                           : "gpctl workers; start more workers, or lower the parallelism");
    LOG_WARN(master_log(m), "slots.refused", KV_U64("app", app->id), KV_U64("slots", msg->slots));
    if (begins(app, msg) && !app->spec.no_wait && !app->is_stopping) {
        queue_send_away(place, app);
        return gp_error_set(err, GP_ESTALE, "application %u waits for slots", app->id);
    }
    if (app_goes_on(app) && msg->worker == 0) {
        if (is_possible(m, app, msg)) {
            queue_wants(place, msg->slots);
        } else {
            queue_trouble(place, 0); /* others need not wait for that */
        }
    }
    return code;
}

int slots_request(struct master *m, struct peer *peer, const struct msg_slots_request *msg,
                  struct reply_token token, struct gp_error *err)
{
    struct fit_room room;
    struct app_place *place;
    struct granting *g;
    struct app *app;
    int rc = apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, err);

    if (rc < 0) {
        return rc;
    }
    if (msg->slots == 0) {
        return gp_error_set(err, GP_EINVAL, "no slots were asked for");
    }
    rc = find_room(m, place, app, msg, &room, err);
    if (rc == GP_EAGAIN) {
        return rc;
    }
    if (rc < 0) {
        return refuse(m, place, app, msg, rc, err);
    }
    g = pending_new(m, sizeof *g + room.count * sizeof g->parts[0]);
    if (!g) {
        return gp_error_set(err, GP_ENOMEM, "granting slots");
    }
    list_node_init(&g->node);
    list_push_back(&m->grantings, &g->node);
    g->token = token;
    g->app = app->id;
    g->epoch = app->epoch;
    g->is_first = begins(app, msg);
    for (uint32_t i = 0; i < room.count; i++) {
        if (room.of[i].granted > 0) {
            g->parts[g->count++] = (struct granting_part){.whole = g,
                                                          .worker = m->workers.entries[i]->id,
                                                          .peer = m->workers.entries[i]->peer,
                                                          .slots = room.of[i].granted};
        }
    }
    rc = grant_parts(m, app, g);
    if (rc < 0) {
        g->refused = true;
        (void)gp_error_set(&g->err, rc, "granting slots: %s", error_sentence(rc));
    }
    place->is_admitted = false; /* it is booked */
    g->turn_ns = place->turn_ns;
    place->turn_ns = 0;
    queue_forget(place);
    if (msg->worker == 0) {
        queue_wants(place, 0);
    }
    if (--g->waiting == 0) {
        granting_finish(g);
    }
    return 0;
}

void slots_keep(struct master *m, const struct worker_entry *entry)
{
    for (uint32_t i = 0; i < entry->info.grants_count; i++) {
        const struct msg_kept_grant *grant = &entry->info.grants[i];
        const struct app *app = registry_find(&m->registry, grant->app);
        /* Executors outlive the appmaster that began them: older epochs are fine. */
        bool live = app && !app_state_is_end(app->state) && app->state != APP_WAITING &&
                    grant->epoch <= app->epoch;
        if (!live || grant->slots == 0 ||
            workers_grant(&m->workers, grant->app, entry->id, grant->slots) < 0) {
            slots_revoke(m, entry, grant->app, grant->epoch, 0);
        } else if (apps_place(m, grant->app)) {
            take_the_rest(m, app, apps_place(m, grant->app), entry, grant->slots);
        }
    }
}
