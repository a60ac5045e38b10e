/*
 * worker.c: the node: connections, keys, registering, and which file answers what.
 *
 * Keys: "cluster" proves masters and clients; "app/N" proves the actors of a granted application.
 * Only the master that was dialled is obeyed. A worker registers on every new connection; when the
 * master refuses, it tries again REGISTER_AGAIN_NS later.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/worker/internal.h"

#define REGISTER_AGAIN_NS 1000000000

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
    if (peer_tell(w->master, MSG_WORKER_REPORT, &report) < 0) {
        worker_changed(w);
    }
}

void worker_on_report_timer(void *user)
{
    struct worker *w = user;

    w->report_due = false;
    w->reported_ns = loop_now_ns(w->port->loop);
    if (w->registered) {
        send_report(w);
    }
}

void worker_changed(struct worker *w)
{
    int64_t since_ns = loop_now_ns(w->port->loop) - w->reported_ns;

    if (!w->report_due) {
        w->report_due = true;
        timer_start(w->report_timer,
                    since_ns < REPORT_INTERVAL_NS ? REPORT_INTERVAL_NS - since_ns : 0);
    }
}

/* ---- registering ---- */

static void on_welcome(void *user, struct peer *peer, const struct answer *answer)
{
    struct worker *w = user;
    const struct msg_worker_welcome *welcome = answer->msg;
    char name[ADDRESS_TEXT_MAX];

    if (answer->code < 0) {
        if (peer_is_up(peer)) { /* else the next connection registers */
            LOG_WARN(worker_log(w), "worker.refused", KV_STR("error", answer->err->text));
            timer_start(w->register_timer, REGISTER_AGAIN_NS);
        }
        return;
    }
    w->registered = true;
    w->id = welcome->id;
    (void)str_format(name, sizeof name, "worker/%u", w->id);
    if (endpoint_set_name(w->ep, name) < 0 || endpoint_set_cluster(w->ep, welcome->cluster) < 0) {
        LOG_WARN(worker_log(w), "worker.name_kept", KV_CODE("code", GP_ENOMEM));
    }
    LOG_INFO(worker_log(w), "worker.registered", KV_U64("worker", w->id),
             KV_STR("cluster", welcome->cluster));
    worker_changed(w);
}

void worker_register(void *user)
{
    struct worker *w = user;
    const struct port *port = w->port;
    struct msg_kept_grant grants[MSG_EXECUTORS_MAX];
    struct msg_worker_register msg = {.name = w->name,
                                      .address = w->address,
                                      .host = w->host,
                                      .pid = port->ops->self_pid(port->world),
                                      .cpus = port->ops->cpu_count(port->world),
                                      .slots = w->ledger.slots,
                                      .version = (char *)(uintptr_t)GP_VERSION,
                                      .grants = grants};

    if (!peer_is_up(w->master)) {
        return; /* the next connection registers */
    }
    for (uint32_t i = 0; i < w->ledger.count && i < ARRAY_LEN(grants); i++) {
        const struct ledger_grant *grant = &w->ledger.grants[i];
        grants[msg.grants_count++] =
            (struct msg_kept_grant){grant->app, grant->epoch, grant->slots};
    }
    if (peer_ask(w->master, MSG_WORKER_REGISTER, &msg, ASK_TIMEOUT_NS, 0, on_welcome, w) < 0) {
        timer_start(w->register_timer, REGISTER_AGAIN_NS);
    }
}

/* ---- peers ---- */

static void on_up(void *user, struct peer *peer)
{
    struct worker *w = user;
    const struct address *address = peer_address(peer);

    if (peer == w->master) {
        worker_register(w);
    } else if (address->role == ROLE_APPMASTER) {
        struct ledger_grant *grant = ledger_find(&w->ledger, address->app);
        if (grant) {
            grant->appmaster = peer_id(peer);
        }
    }
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct worker *w = user;
    const struct address *address = peer_address(peer);

    if (peer == w->master) {
        if (w->registered) {
            LOG_WARN(worker_log(w), "master.lost", KV_STR("why", why->text));
        }
        w->registered = false;
        timer_stop(w->register_timer);
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

/* Somebody may be waiting for this worker: says what is in its way, now and then. */
static void on_unreachable(void *user, struct peer *peer, const struct gp_error *why)
{
    struct worker *w = user;
    uint64_t held_back;

    if (peer == w->master &&
        log_limit_pass(&w->unreachable, loop_now_ns(w->port->loop), &held_back)) {
        LOG_WARN(worker_log(w), "master.unreachable", KV_STR("why", why->text),
                 KV_STR("hint", why->code == GP_EACCES
                                    ? "master and worker need the same cluster.secret_file"
                                    : "it is looked for until it comes: see cluster.masters"),
                 KV_U64("held_back", held_back));
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
    int rc = ledger_offer(&w->ledger, offer->app, offer->epoch, offer->token, offer->slots, err);

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

static void grant_revoke(struct worker *w, const struct msg_grant_revoke *revoke)
{
    if (!ledger_revoke(&w->ledger, revoke->app, revoke->epoch, revoke->slots)) {
        return;
    }
    LOG_DEBUG(worker_log(w), "grant.revoked", KV_U64("app", revoke->app));
    launches_cancel(w, revoke->app, 0);
    children_stop(w, revoke->app, 0, false);
    worker_changed(w);
}

static int process_stop(struct worker *w, const struct msg_process_ref *ref,
                        struct reply_token token, struct gp_error *err)
{
    const struct ledger_grant *grant = ledger_find(&w->ledger, ref->app);

    if (grant && ref->epoch < grant->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            ref->epoch, ref->app, grant->epoch);
    }
    if (ref->executor != 0) {
        launches_cancel(w, ref->app, ref->executor);
    }
    children_stop(w, ref->app, ref->executor, ref->at_once);
    return endpoint_reply(w->ep, token, NULL);
}

static int from_master(struct worker *w, struct incoming *in, struct gp_error *err)
{
    switch (in->type) {
    case MSG_GRANT_OFFER:
        return grant_offer(w, in->msg, in->token, err);
    case MSG_GRANT_REVOKE:
        grant_revoke(w, in->msg);
        return 0;
    case MSG_APPMASTER_LAUNCH:
        return launch_the_appmaster(w, in->msg, in->token, err);
    case MSG_PROCESS_STOP:
        return process_stop(w, in->msg, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

static int from_appmaster(struct worker *w, uint32_t app, struct incoming *in, struct gp_error *err)
{
    struct msg_executor_launch *launch = in->msg;
    const struct msg_process_ref *ref = in->msg;
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
        return from_appmaster(w, address->app, in, err);
    }
    if (address->role == ROLE_CLIENT && in->type == MSG_LOG_READ) {
        return logs_read(w, in->msg, in->token, err);
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
