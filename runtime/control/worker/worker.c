/*
 * worker.c: the node: connections, keys, and which file answers what.
 *
 * Keys: "cluster" proves masters and clients; "app/N" proves the actors of a granted application.
 * Only the master that was dialled is obeyed, and only in its term (masters.c).
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/worker/internal.h"
#include "port/beat.h"

/* ---- news for the master ---- */

static void send_report(struct worker *w)
{
    struct msg_process processes[CHILDREN_MAX];
    struct msg_worker_report report = {.slots_used = w->ledger.used, .executors = processes};

    for (uint32_t i = 0; i < w->child_count; i++) {
        const struct child *child = w->children[i];
        if (child->proc) {
            processes[report.executors_count++] = (struct msg_process){.app = child->app,
                                                                       .executor = child->executor,
                                                                       .epoch = child->epoch,
                                                                       .pid = child->pid,
                                                                       .slots = child->slots};
        }
    }
    vitals_tell(&w->vitals, w->ep, &report.vitals);
    vitals_load(w->port, &report.load);
    if (peer_tell(w->master, MSG_WORKER_REPORT, &report) < 0) {
        worker_changed(w);
    }
}

void worker_on_report_timer(void *user)
{
    struct worker *w = user;

    w->report_due = false;
    w->reported_ns = loop_now_ns(w->port->loop);
    vitals_came(&w->vitals);
    if (w->registered) {
        send_report(w);
    }
    if (!w->report_due) { /* its vitals change all the time */
        vitals_await(&w->vitals, timer_start_beat(w->report_timer, VITALS_INTERVAL_NS, 0));
    }
}

void worker_changed(struct worker *w)
{
    int64_t since_ns = loop_now_ns(w->port->loop) - w->reported_ns;

    if (!w->report_due) {
        w->report_due = true;
        const int64_t delay_ns = since_ns < REPORT_INTERVAL_NS ? REPORT_INTERVAL_NS - since_ns : 0;

        timer_start(w->report_timer, delay_ns);
        vitals_await(&w->vitals, delay_ns);
    }
}

/* ---- peers ---- */

static void on_up(void *user, struct peer *peer)
{
    struct worker *w = user;
    const struct address *address = peer_address(peer);

    if (peer == w->master) {
        masters_up(w);
    } else if (address->role == ROLE_APPMASTER) {
        struct ledger_grant *grant = ledger_find(&w->ledger, address->app);
        if (grant) {
            grant->appmaster = peer_id(peer);
            children_tell(w, address->app);
        }
    }
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct worker *w = user;
    const struct address *address = peer_address(peer);

    if (peer == w->master) {
        masters_down(w, why);
        return;
    }
    logs_peer_down(w, peer_id(peer));
    if (address->role == ROLE_APPMASTER) {
        struct ledger_grant *grant = ledger_find(&w->ledger, address->app);
        if (grant && grant->appmaster == peer_id(peer)) {
            grant->appmaster = 0;
        }
    }
}

static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct worker *w = user;

    if (peer == w->master) {
        masters_unreachable(w, why);
    }
}

static int on_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    struct worker *w = user;
    const struct ledger_grant *grant = NULL;
    uint64_t app;

    (void)role;
    (void)name;
    if (str_eq(key, GP_STR(HELLO_KEY_CLUSTER))) {
        *ret = w->secret;
        return 0;
    }
    if (str_starts_with(key, GP_STR("app/")) &&
        str_to_u64((gp_str){key.ptr + 4, key.len - 4}, &app) >= 0 && app <= UINT32_MAX) {
        grant = ledger_find(&w->ledger, (uint32_t)app);
    }
    if (!grant) {
        return gp_error_set(err, GP_EACCES, "'%.*s' has no grant on this worker", STR_ARG(key));
    }
    ret->len = strlen(grant->token);
    memcpy(ret->bytes, grant->token, ret->len);
    return 0;
}

/* ---- messages ---- */

static int grant_offer(struct worker *w, const struct msg_grant_offer *offer,
                       struct reply_token token, struct gp_error *err)
{
    int rc = masters_check_term(w, offer->term, err);

    if (rc == 0) {
        rc = ledger_offer(&w->ledger, offer->app, offer->epoch, offer->token, offer->slots, err);
    }
    if (rc < 0) {
        LOG_WARN(worker_log(w), "grant.refused", KV_U64("app", offer->app),
                 KV_U64("slots", offer->slots), KV_STR("error", err->text));
        return rc;
    }
    LOG_DEBUG(worker_log(w), "grant.accepted", KV_U64("app", offer->app),
              KV_U64("slots", offer->slots));
    worker_changed(w);
    return endpoint_reply(w->ep, token, NULL);
}

void worker_give_back(struct worker *w, uint32_t app)
{
    struct ledger_grant *grant = ledger_find(&w->ledger, app);
    uint32_t spare = grant ? launches_spare_slots(w, app) : 0;
    uint32_t slots = grant && grant->due < spare ? grant->due : spare;

    if (slots > 0) {
        grant->due -= slots;
        (void)ledger_revoke(&w->ledger, app, grant->epoch, slots);
    }
}

/* Part of a grant is what no process needs: a leader that takes over may give back twice. But of an
 * executor that was given up and lives on, frozen, say, the rest is due when it ends. */
static int grant_revoke(struct worker *w, const struct msg_grant_revoke *revoke,
                        struct gp_error *err)
{
    uint32_t slots = revoke->slots;

    if (masters_check_term(w, revoke->term, err) < 0) {
        return GP_ESTALE;
    }
    if (revoke->slots > 0) {
        uint32_t spare = launches_spare_slots(w, revoke->app);
        struct ledger_grant *grant = ledger_find(&w->ledger, revoke->app);
        slots = slots < spare ? slots : spare;
        if (grant && revoke->is_all_due && revoke->epoch >= grant->epoch) {
            grant->due = revoke->slots - slots;
        }
        if (slots == 0) {
            return 0;
        }
    }
    if (!ledger_revoke(&w->ledger, revoke->app, revoke->epoch, slots)) {
        return 0;
    }
    LOG_DEBUG(worker_log(w), "grant.revoked", KV_U64("app", revoke->app));
    launches_cancel(w, revoke->app, EXECUTOR_ANY);
    (void)children_stop(w, revoke->app, EXECUTOR_ANY, false);
    worker_changed(w);
    return 0;
}

static int process_stop(struct worker *w, const struct msg_process_ref *ref,
                        struct reply_token token, struct gp_error *err)
{
    struct ledger_grant *grant = ledger_find(&w->ledger, ref->app);

    if (grant && ref->epoch > grant->epoch) {
        grant->epoch = ref->epoch; /* a later appmaster: the one before is obeyed no more */
    }
    if (grant && ref->epoch < grant->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            ref->epoch, ref->app, grant->epoch);
    }
    launches_cancel(w, ref->app, ref->executor);
    if (children_stop(w, ref->app, ref->executor, ref->at_once) == 0 && ref->at_once) {
        return gp_error_set(err, GP_ENOENT, "no such process runs here");
    }
    return endpoint_reply(w->ep, token, NULL);
}

static int executor_resize(struct worker *w, const struct msg_executor_resize *msg,
                           struct reply_token token, struct gp_error *err)
{
    const struct ledger_grant *grant = ledger_find(&w->ledger, msg->app);
    struct child *child = child_find(w, msg->app, msg->executor);
    uint32_t spare = launches_spare_slots(w, msg->app);

    if (grant && msg->epoch < grant->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            msg->epoch, msg->app, grant->epoch);
    }
    if (!grant || !child || !child->proc || msg->executor == 0) {
        return gp_error_set(err, GP_ENOENT, "executor %u of application %u does not run here",
                            msg->executor, msg->app);
    }
    if (msg->slots > child->slots && msg->slots - child->slots > spare) {
        return gp_error_set(err, GP_EFULL,
                            "application %u has %u slots here, %u of them free: executor %u cannot "
                            "have %u in the place of %u",
                            msg->app, grant->slots, spare, msg->executor, msg->slots, child->slots);
    }
    child->slots = msg->slots;
    worker_give_back(w, msg->app);
    worker_changed(w);
    return endpoint_reply(w->ep, token, NULL);
}

static int from_master(struct worker *w, struct incoming *in, struct gp_error *err)
{
    const struct msg_appmaster_launch *launch = in->msg;
    int rc;

    switch (in->type) {
    case MSG_GRANT_OFFER:
        return grant_offer(w, in->msg, in->token, err);
    case MSG_GRANT_REVOKE:
        return grant_revoke(w, in->msg, err);
    case MSG_APPMASTER_LAUNCH:
        rc = masters_check_term(w, launch->term, err);
        return rc < 0 ? rc : launch_the_appmaster(w, in->msg, in->token, err);
    case MSG_PROCESS_STOP:
        return process_stop(w, in->msg, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

/* A grant that ended and began anew has forgotten who has been there all the while. */
static void note_appmaster(struct worker *w, uint32_t app, const struct peer *peer)
{
    struct ledger_grant *grant = ledger_find(&w->ledger, app);

    if (grant && grant->appmaster == 0) {
        grant->appmaster = peer_id(peer);
    }
}

static int from_appmaster(struct worker *w, uint32_t app, struct incoming *in, struct gp_error *err)
{
    struct msg_executor_launch *launch = in->msg;
    const struct msg_process_ref *ref = in->msg;
    const struct msg_executor_resize *resize = in->msg;
    const struct msg_plugin_fetch *fetch = in->msg;

    switch (in->type) {
    case MSG_EXECUTOR_LAUNCH:
        if (launch->app == app) {
            return launch_an_executor(w, launch, in->token, err);
        }
        break;
    case MSG_PROCESS_STOP:
        if (ref->app == app) {
            return process_stop(w, ref, in->token, err);
        }
        break;
    case MSG_EXECUTOR_RESIZE:
        if (resize->app == app) {
            return executor_resize(w, resize, in->token, err);
        }
        break;
    case MSG_PLUGIN_FETCH:
        return launch_nothing(w, app, fetch->sha256, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
    return gp_error_set(err, GP_EACCES, "not the appmaster of that application");
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct worker *w = user;
    const struct address *address = peer_address(peer);

    if (peer == w->master) {
        return from_master(w, in, err);
    }
    if (address->role == ROLE_APPMASTER) {
        note_appmaster(w, address->app, peer);
        return from_appmaster(w, address->app, in, err);
    }
    if (address->role == ROLE_CLIENT && in->type == MSG_LOG_READ) {
        return logs_read(w, in->msg, in->token, err);
    }
    if (address->role == ROLE_CLIENT && in->type == MSG_SETTINGS) {
        return settings_reply(&w->settings, w->ep, in->token);
    }
    return GP_EUNSUPPORTED;
}

const struct endpoint_events worker_events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = on_message,
    .on_unreachable = on_unreachable,
    .key_find = on_key_find,
};

bool worker_is_registered(const struct worker *w)
{
    return w->registered;
}

const char *worker_address(const struct worker *w)
{
    return w->address;
}

uint32_t worker_process_count(const struct worker *w)
{
    return w->live_count;
}

void worker_figures(const struct worker *w, struct worker_figures *ret)
{
    *ret = (struct worker_figures){.worker = w->id,
                                   .host = w->host,
                                   .slots = w->ledger.slots,
                                   .slots_used = w->ledger.used,
                                   .processes = w->live_count,
                                   .counts = endpoint_counts(w->ep)};
}
