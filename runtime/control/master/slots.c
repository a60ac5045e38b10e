/*
 * slots.c: slots for the executors of an application.
 *
 * One slots.request becomes an offer to each worker that the scheduler picked. Slots are booked
 * before a worker is asked and given back unless all agree: the appmaster gets everything it asked
 * for, or an error and nothing.
 */
#include <stdlib.h>

#include "control/master/internal.h"

struct granting;

/* What one worker is asked for. */
struct granting_part {
    struct granting *whole;
    uint32_t worker;
    uint32_t slots;
    bool accepted;
};

/* One slots.request: answered when all workers have answered their offers. */
struct granting {
    struct pending pending;
    struct reply_token token;
    uint32_t app;
    uint32_t epoch;
    uint32_t waiting;
    bool refused;
    uint32_t count;
    struct gp_error err;
    struct granting_part parts[];
};

void slots_revoke(struct master *m, const struct worker_entry *entry, uint32_t app, uint32_t epoch,
                  uint32_t slots)
{
    struct peer *peer = entry ? endpoint_peer(m->ep, entry->peer) : NULL;
    struct msg_grant_revoke revoke = {.term = m->term, .app = app, .epoch = epoch, .slots = slots};

    if (peer) {
        (void)peer_tell(peer, MSG_GRANT_REVOKE, &revoke); /* a worker that is lost registers anew */
    }
}

/* Gives back what a request got before it failed. */
static void granting_undo(const struct granting *g)
{
    struct master *m = g->pending.master;

    for (uint32_t i = 0; i < g->count; i++) {
        const struct granting_part *part = &g->parts[i];
        workers_release(&m->workers, g->app, part->worker, part->slots);
        if (part->accepted) {
            slots_revoke(m, workers_find(&m->workers, part->worker), g->app, g->epoch, part->slots);
        }
    }
}

static void granting_finish(struct granting *g)
{
    struct master *m = g->pending.master;
    struct msg_grant *grants = calloc(g->count, sizeof *grants);
    struct msg_slots_granted granted = {.grants = grants};

    if (!grants) {
        (void)gp_error_set(&g->err, GP_ENOMEM, "granting slots");
        g->refused = true;
    }
    for (uint32_t i = 0; i < g->count && !g->refused; i++) {
        const struct worker_entry *entry = workers_find(&m->workers, g->parts[i].worker);
        if (!entry) {
            (void)gp_error_set(&g->err, GP_EUNREACH, "a worker was lost while slots were granted");
            g->refused = true;
            break;
        }
        grants[granted.grants_count++] = (struct msg_grant){.worker = entry->id,
                                                            .name = entry->info.name,
                                                            .address = entry->info.address,
                                                            .host = entry->info.host,
                                                            .cpus = entry->info.cpus,
                                                            .slots = g->parts[i].slots};
    }
    if (g->refused) {
        granting_undo(g);
        LOG_WARN(master_log(m), "slots.refused", KV_U64("app", g->app),
                 KV_STR("error", g->err.text));
        (void)endpoint_reply_error(m->ep, g->token, &g->err);
    } else {
        (void)endpoint_reply(m->ep, g->token, &granted);
    }
    free(grants);
    pending_free(g);
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

int slots_request(struct master *m, struct peer *peer, const struct msg_slots_request *msg,
                  struct reply_token token, struct gp_error *err)
{
    struct scheduler_worker list[WORKERS_MAX];
    uint32_t count = workers_offer(&m->workers, list);
    uint32_t executors = msg->executors;
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
    if (executors == 0) {
        executors = scheduler_executors_default(list, count, msg->slots);
    }
    rc = scheduler_spread(list, count, msg->slots, executors ? executors : 1, err);
    if (rc < 0) {
        gp_error_hint(err, "gpctl workers; start more workers, or lower the parallelism");
        LOG_WARN(master_log(m), "slots.refused", KV_U64("app", app->id),
                 KV_U64("slots", msg->slots));
        return rc;
    }
    g = pending_new(m, sizeof *g + count * sizeof g->parts[0]);
    if (!g) {
        return gp_error_set(err, GP_ENOMEM, "granting slots");
    }
    g->token = token;
    g->app = app->id;
    g->epoch = app->epoch;
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].granted > 0) {
            g->parts[g->count++] =
                (struct granting_part){.whole = g, .worker = list[i].id, .slots = list[i].granted};
        }
    }
    rc = grant_parts(m, app, g);
    if (rc < 0) {
        g->refused = true;
        (void)gp_error_set(&g->err, rc, "granting slots: %s", error_sentence(rc));
    }
    if (--g->waiting == 0) {
        granting_finish(g);
    }
    return 0;
}

void slots_release(struct master *m, struct peer *peer, const struct msg_slots_release *msg)
{
    struct app_place *place;
    struct app *app;

    if (apps_speaker(m, peer, msg->app, msg->epoch, &app, &place, NULL) < 0) {
        return;
    }
    for (uint32_t i = 0; i < msg->grants_count; i++) {
        const struct msg_grant *grant = &msg->grants[i];
        workers_release(&m->workers, app->id, grant->worker, grant->slots);
        if (grant->slots > 0) { /* to a worker, 0 stands for all */
            slots_revoke(m, workers_find(&m->workers, grant->worker), app->id, app->epoch,
                         grant->slots);
        }
    }
    places_seek(m);
}

void slots_keep(struct master *m, const struct worker_entry *entry)
{
    for (uint32_t i = 0; i < entry->info.grants_count; i++) {
        const struct msg_kept_grant *grant = &entry->info.grants[i];
        const struct app *app = registry_find(&m->registry, grant->app);
        /* Executors outlive the appmaster that began them: older epochs are fine. */
        bool live = app && !app_state_is_end(app->state) && grant->epoch <= app->epoch;
        if (!live || grant->slots == 0 ||
            workers_grant(&m->workers, grant->app, entry->id, grant->slots) < 0) {
            slots_revoke(m, entry, grant->app, grant->epoch, 0);
        }
    }
}
