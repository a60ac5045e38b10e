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

#define REGISTER_AGAIN_NS  1000000000
#define REPORT_INTERVAL_NS 100000000
#define LOG_INTERVAL_NS    30000000000

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

static void on_report_timer(void *user)
{
    struct worker *w = user;

    w->report_due = false;
    w->unreachable.interval_ns = LOG_INTERVAL_NS;
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

static void register_now(void *user)
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
        register_now(w);
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
    launches_cancel(w, revoke->app);
    children_stop(w, revoke->app, 0);
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
    children_stop(w, ref->app, ref->executor);
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

static const struct endpoint_events events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = on_message,
    .on_unreachable = on_unreachable,
    .key_find = on_key_find,
};

/* ---- life ---- */

/* "127.0.0.1:3000" and "[::1]:3000" without the port; texts without one stay. */
static void host_of(const char *address, char *out, size_t cap)
{
    gp_str all = gp_str_of(address);
    gp_str host;
    gp_str port;
    gp_str rest;
    bool bare = all.len > 0 && all.ptr[all.len - 1] == ']';

    if (bare || !str_cut_last(all, ':', &host, &port)) {
        host = all;
    } else if (host.len > 0 && host.ptr[0] != '[' && str_cut(host, ':', &rest, &rest)) {
        host = all; /* "::1": more than one colon and no brackets */
    }
    (void)str_format(out, cap, "%.*s", STR_ARG(host));
}

static int listen_on(struct worker *w, const struct worker_options *options, struct gp_error *err)
{
    struct net_addr bind;
    struct net_addr bound;
    gp_str host;
    gp_str port;
    int rc;

    if (str_format(bind.text, sizeof bind.text, "%s", options->bind) < 0 ||
        (options->advertise && strlen(options->advertise) + 8 > sizeof w->address)) {
        return gp_error_set(err, GP_EINVAL, "an address of the worker is too long");
    }
    rc = endpoint_listen(w->ep, &bind, &bound, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_cut_last(gp_str_of(bound.text), ':', &host, &port);
    host_of(bound.text, w->bind_host, sizeof w->bind_host);
    host_of(options->advertise ? options->advertise : bound.text, w->advertise_host,
            sizeof w->advertise_host);
    if (!options->advertise) {
        (void)str_format(w->address, sizeof w->address, "%s", bound.text);
    } else if (strcmp(options->advertise, w->advertise_host) == 0) {
        (void)str_format(w->address, sizeof w->address, "%s:%.*s", options->advertise,
                         STR_ARG(port));
    } else {
        (void)str_format(w->address, sizeof w->address, "%s", options->advertise);
    }
    (void)str_format(w->name, sizeof w->name, "%s", options->name ? options->name : w->address);
    return 0;
}

static int dial_masters(struct worker *w, const struct worker_options *options,
                        struct gp_error *err)
{
    struct net_addr addrs[MSG_MASTERS_MAX];
    struct dial_spec spec = {.addrs = addrs,
                             .addrs_count = options->master_count,
                             .target = "master",
                             .key = HELLO_KEY_CLUSTER};
    int rc;

    if (options->master_count == 0 || options->master_count > MSG_MASTERS_MAX) {
        return gp_error_set(err, GP_EINVAL, "%u masters; 1 to %u are possible",
                            options->master_count, MSG_MASTERS_MAX);
    }
    for (uint32_t i = 0; i < options->master_count; i++) {
        if (str_format(addrs[i].text, sizeof addrs[i].text, "%s", options->masters[i]) < 0) {
            return gp_error_set(err, GP_EINVAL, "the address of a master is too long");
        }
    }
    rc = endpoint_dial(w->ep, &spec, &w->master);
    return rc < 0 ? gp_error_set(err, rc, "master %s: %s", options->masters[0], error_sentence(rc))
                  : 0;
}

/* Folders: artefacts as they were; logs of an earlier life are kept aside, once. */
static int open_folders(struct worker *w, const struct worker_options *options,
                        struct gp_error *err)
{
    const struct port *port = w->port;
    char logs[ARTEFACT_PATH_MAX];
    char before[ARTEFACT_PATH_MAX];
    int rc = artefacts_open(&w->artefacts, port, options->data_dir,
                            options->artefact_max ? options->artefact_max : ARTEFACT_SIZE_MAX_BYTES,
                            err);

    if (rc >= 0 && options->sockets_dir) {
        rc = port->fs->make_dirs(port->world, options->sockets_dir, 0700, err);
    }
    if (rc < 0) {
        return rc;
    }
    (void)str_format(logs, sizeof logs, "%s/logs", options->data_dir); /* open checked the length */
    (void)str_format(before, sizeof before, "%s/logs.before", options->data_dir);
    if (port->fs->exists(port->world, logs) == 2) {
        rc = port->fs->remove_tree(port->world, before, err);
        if (rc >= 0) {
            rc = port->fs->rename(port->world, logs, before, err);
        }
    }
    return rc;
}

static int copy_options(struct worker *w, const struct worker_options *options,
                        struct gp_error *err)
{
    if (options->secret.len > sizeof w->secret.bytes) {
        return gp_error_set(err, GP_EINVAL, "the cluster's secret is longer than %zu bytes",
                            sizeof w->secret.bytes);
    }
    memcpy(w->secret.bytes, options->secret.ptr, options->secret.len);
    w->secret.len = options->secret.len;
    w->lanes = options->lanes;
    w->data_dir = str_dup(gp_str_of(options->data_dir));
    w->sockets_dir = str_dup(gp_str_of(options->sockets_dir ? options->sockets_dir : ""));
    w->data = options->data ? value_dup(options->data) : NULL;
    if (!w->data_dir || !w->sockets_dir || (options->data && !w->data)) {
        return gp_error_set(err, GP_ENOMEM, "starting a worker");
    }
    w->port->ops->host_name(w->port->world, w->host, sizeof w->host);
    return 0;
}

static int make_parts(struct worker *w, const struct worker_options *options, struct gp_error *err)
{
    struct endpoint_config config = {.port = options->port,
                                     .role = ROLE_WORKER,
                                     .name = "worker/0",
                                     .limits = options->limits,
                                     .events = &events,
                                     .user = w};
    int rc = timer_new(w->port->loop, register_now, w, &w->register_timer);

    if (rc >= 0) {
        rc = timer_new(w->port->loop, on_report_timer, w, &w->report_timer);
    }
    if (rc >= 0) {
        rc = timer_new(w->port->loop, on_log_timer, w, &w->log_timer);
    }
    if (rc >= 0) {
        rc = endpoint_new(&config, &w->ep);
    }
    return rc < 0 ? gp_error_set(err, rc, "starting a worker: %s", error_sentence(rc)) : 0;
}

int worker_new(const struct worker_options *options, struct worker **ret, struct gp_error *err)
{
    struct worker *w = calloc(1, sizeof *w);
    int rc;

    if (!w) {
        return gp_error_set(err, GP_ENOMEM, "starting a worker");
    }
    w->port = options->port;
    w->reported_ns = loop_now_ns(w->port->loop) - REPORT_INTERVAL_NS;
    list_init(&w->launches);
    list_init(&w->fetches);
    ledger_init(&w->ledger, options->slots ? options->slots : SLOTS_DEFAULT);
    rc = copy_options(w, options, err);
    if (rc >= 0) {
        rc = make_parts(w, options, err);
    }
    if (rc >= 0) {
        rc = open_folders(w, options, err);
    }
    if (rc >= 0) {
        rc = listen_on(w, options, err);
    }
    if (rc >= 0) {
        rc = dial_masters(w, options, err);
    }
    if (rc < 0) {
        worker_free(w);
        return rc;
    }
    LOG_INFO(worker_log(w), "worker.started", KV_STR("name", w->name),
             KV_STR("address", w->address), KV_U64("slots", w->ledger.slots));
    *ret = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w) {
        return;
    }
    endpoint_free(w->ep);
    launches_cancel(w, 0);
    fetches_deinit(w);
    children_deinit(w);
    timer_free(w->register_timer);
    timer_free(w->report_timer);
    timer_free(w->log_timer);
    ledger_deinit(&w->ledger);
    value_free(w->data);
    free(w->data_dir);
    free(w->sockets_dir);
    secret_wipe(&w->secret, sizeof w->secret);
    free(w);
}

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
