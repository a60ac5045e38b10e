/*
 * slots.c: slots for the executors of an application.
 *
 * One slots.request becomes an offer to each worker that the scheduler picked. Slots are booked
 * before a worker is asked and given back unless all agree: the appmaster gets everything it asked
 * for, or an error and nothing.
 */
#include <stdlib.h>

#include "control/master/internal.h"

/* One slots.request: answered when all workers have answered their offers. */
struct granting {
    struct master *master;
    struct reply_token token;
    uint32_t app;
    uint32_t waiting;
    bool refused;
    uint32_t count;
    struct gp_error err;
    struct {
        uint32_t worker;
        uint32_t slots;
    } parts[];
};

static void granting_finish(struct granting *g)
{
    struct master *m = g->master;
    struct msg_grant *grants = calloc(g->count, sizeof *grants);
    struct msg_slots_granted granted = {.grants = grants};

    if (!grants) {
        (void)gp_error_set(&g->err, GP_ENOMEM, "granting slots");
        g->refused = true;
    }
    for (uint32_t i = 0; i < g->count; i++) {
        const struct worker_entry *entry = workers_find(&m->workers, g->parts[i].worker);
        if (g->refused || !entry) {
            workers_release(&m->workers, g->app, g->parts[i].worker, g->parts[i].slots);
            continue;
        }
        grants[granted.grants_count++] = (struct msg_grant){.worker = entry->id,
                                                            .name = entry->info.name,
                                                            .address = entry->info.address,
                                                            .host = entry->info.host,
                                                            .cpus = entry->info.cpus,
                                                            .slots = g->parts[i].slots};
    }
    if (g->refused || granted.grants_count < g->count) {
        if (!g->refused) {
            (void)gp_error_set(&g->err, GP_EUNREACH, "a worker was lost while slots were granted");
        }
        LOG_WARN(master_log(m), "slots.refused", KV_U64("app", g->app),
                 KV_STR("error", g->err.text));
        (void)endpoint_reply_error(m->ep, g->token, &g->err);
    } else {
        (void)endpoint_reply(m->ep, g->token, &granted);
    }
    free(grants);
    free(g);
}

static void on_grant_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct granting *g = user;

    (void)peer;
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
        if (apps_offer(m, app, entry, g->parts[i].slots, on_grant_answer, g) < 0) {
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
    g = calloc(1, sizeof *g + count * sizeof g->parts[0]);
    if (!g) {
        return gp_error_set(err, GP_ENOMEM, "granting slots");
    }
    *g = (struct granting){.master = m, .token = token, .app = app->id};
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].granted > 0) {
            g->parts[g->count].worker = list[i].id;
            g->parts[g->count++].slots = list[i].granted;
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
        struct msg_grant_revoke revoke = {
            .app = app->id, .epoch = app->epoch, .slots = msg->grants[i].slots};
        const struct worker_entry *entry = workers_find(&m->workers, msg->grants[i].worker);
        struct peer *worker = entry ? endpoint_peer(m->ep, entry->peer) : NULL;
        workers_release(&m->workers, app->id, msg->grants[i].worker, msg->grants[i].slots);
        if (worker && revoke.slots > 0) {
            (void)peer_tell(worker, MSG_GRANT_REVOKE, &revoke);
        }
    }
}
