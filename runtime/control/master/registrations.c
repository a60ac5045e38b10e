/*
 * registrations.c: workers that come.
 *
 * A worker keeps its id for life, through lost connections and changes of the leader: it says which
 * one it had, and gets it again. A new one gets the next number, which is replicated first, so that
 * no two workers ever have the same; whoever was drained, stopped and started again under the name
 * it had is drained still. What it holds for applications it says itself: it is the ledger.
 */
#include <stdlib.h>

#include "control/master/internal.h"

struct registering {
    struct pending pending;
    struct reply_token token;
    struct msg_worker_register msg;
};

static void registering_deinit(void *pending)
{
    fields_deinit(&msg_worker_register_fields, &((struct registering *)pending)->msg);
}

/* It has an id: welcome. */
static int admit(struct master *m, uint32_t id, bool is_new, struct msg_worker_register *msg,
                 struct reply_token token, struct gp_error *err)
{
    struct worker_entry *entry;
    char texts[CONSENSUS_MEMBERS_MAX][NET_ADDR_MAX];
    char *masters[CONSENSUS_MEMBERS_MAX];
    struct msg_worker_welcome welcome = {.id = id,
                                         .term = m->term,
                                         .cluster = m->cluster,
                                         .masters = masters,
                                         .masters_count = group_masters(m, texts, masters)};
    int rc;

    if (!endpoint_peer(m->ep, token.peer)) {
        return 0; /* it has gone meanwhile */
    }
    if (workers_find_peer(&m->workers, token.peer)) {
        return gp_error_set(err, GP_ESTATE, "this connection has registered already");
    }
    rc = workers_add(&m->workers, id, token.peer, msg, loop_now_ns(m->port->loop), &entry);
    if (rc < 0) {
        return gp_error_set(err, rc, "registering a worker: %s", error_sentence(rc));
    }
    LOG_INFO(master_log(m), "worker.registered", KV_U64("worker", id),
             KV_STR("name", entry->info.name), KV_STR("address", entry->info.address),
             KV_U64("slots", entry->info.slots));
    events_add(m, EVENT_INFO, "worker.joined", 0, id, "worker %u (%s) joined with %u slots", id,
               entry->info.name, entry->info.slots);
    rc = endpoint_reply(m->ep, token, &welcome);
    drain_refresh(m, entry);
    slots_keep(m, entry);
    places_seek(m);
    drain_at_once(m);
    if (is_new || entry->used == 0) { /* an earlier leader may not have come to it */
        drain_joined(m, entry);
    }
    return rc;
}

static void on_numbered(struct master *m, void *user, const struct outcome *outcome)
{
    struct registering *r = user;
    struct gp_error err;

    if (outcome->code < 0) {
        (void)endpoint_reply_error(m->ep, r->token, outcome->err);
    } else if (admit(m, outcome->worker, true, &r->msg, r->token, &err) < 0) {
        (void)endpoint_reply_error(m->ep, r->token, &err);
    }
    pending_free(r);
}

/* Whether the id it says it had can be given to it. */
static bool may_have(const struct master *m, uint32_t id)
{
    return id != 0 && id < m->registry.next_worker && !workers_find(&m->workers, id);
}

/* It came again before its old connection was found dead. */
static void forget_old(struct master *m, const struct msg_worker_register *msg)
{
    struct worker_entry *entry = msg->id ? workers_find(&m->workers, msg->id) : NULL;
    struct peer *old;

    if (entry && strcmp(entry->info.address, msg->address) == 0) {
        old = endpoint_peer(m->ep, entry->peer);
        workers_remove(&m->workers, entry); /* its grants come with the new registration */
        if (old) {
            peer_drop(old);
        }
    }
}

/* Who was drained under this name, and has gone; 0: nobody. */
static uint32_t heir_of(const struct master *m, const char *name)
{
    for (uint32_t i = 0; i < m->registry.marks_count; i++) {
        const struct drain_mark *mark = &m->registry.marks[i];
        if (strcmp(mark->name, name) == 0 && !workers_find(&m->workers, mark->worker)) {
            return mark->worker;
        }
    }
    return 0;
}

int registrations_add(struct master *m, struct peer *peer, struct msg_worker_register *msg,
                      struct reply_token token, struct gp_error *err)
{
    const struct command command = {.op = COMMAND_WORKER, .worker = heir_of(m, msg->name)};
    const struct worker_entry *entry = workers_find_peer(&m->workers, peer_id(peer));
    struct registering *r;
    int rc;

    if (entry) {
        return gp_error_set(err, GP_ESTATE, "this connection registered as worker %u already",
                            entry->id);
    }
    forget_old(m, msg);
    if (may_have(m, msg->id)) {
        return admit(m, msg->id, false, msg, token, err);
    }
    r = pending_new(m, sizeof *r);
    if (!r) {
        return gp_error_set(err, GP_ENOMEM, "registering a worker");
    }
    r->pending.deinit = registering_deinit;
    r->token = token;
    r->msg = *msg;
    *msg = (struct msg_worker_register){0};
    rc = master_propose(m, &command, on_numbered, r, err);
    if (rc < 0) {
        pending_free(r);
    }
    return rc;
}
