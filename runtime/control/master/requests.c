/*
 * requests.c: who may ask a master what, and where that is answered.
 *
 * A tell or ask that comes here was sent by a role that may send it (the endpoint checked); whether
 * this very peer may is checked by its handler. What is about the cluster as a whole, only the
 * leader answers; others say who leads. Handlers answer now, or keep the token and answer later.
 * Two are here, as they only put others together: what a plan names is spread to other masters
 * before it is resolved, and a file that is not here is fetched.
 */
#include "control/master/internal.h"

static int from_worker(struct master *m, struct peer *peer, struct incoming *in,
                       struct gp_error *err)
{
    struct worker_entry *entry = workers_find_peer(&m->workers, peer_id(peer));
    const struct msg_worker_report *report;

    switch (in->type) {
    case MSG_WORKER_REGISTER:
        return registrations_add(m, peer, in->msg, in->token, err);
    case MSG_WORKER_REPORT:
        report = in->msg;
        if (entry) {
            entry->processes = report->executors_count;
            entry->load = report->load;
            places_report(m, entry->id, report);
        }
        return 0;
    case MSG_PROCESS_EXITED:
        news_exited(m, entry ? entry->id : 0, in->msg);
        places_process_exited(m, in->msg);
        return 0;
    default:
        return GP_EUNSUPPORTED;
    }
}

struct resolving {
    struct pending pending;
    struct reply_token token;
    struct msg_plugin_resolved resolved;
};

static void resolving_deinit(void *pending)
{
    fields_deinit(&msg_plugin_resolved_fields, &((struct resolving *)pending)->resolved);
}

static void on_resolved(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct resolving *r = user;

    if (code < 0) {
        (void)endpoint_reply_error(m->ep, r->token, err);
    } else {
        (void)endpoint_reply(m->ep, r->token, &r->resolved);
    }
    pending_free(r);
}

/* What a plan names must outlive this master. */
static int plugin_resolve(struct master *m, const char *name, struct reply_token token,
                          struct gp_error *err)
{
    struct resolving *r = pending_new(m, sizeof *r);
    int rc = r ? 0 : gp_error_set(err, GP_ENOMEM, "resolving a plugin");

    if (rc >= 0) {
        r->pending.deinit = resolving_deinit;
        r->token = token;
        rc = uploads_resolve(m, name, &r->resolved, err);
    }
    if (rc >= 0) {
        rc = copies_spread(m, r->resolved.sha256, on_resolved, r, err);
    }
    if (rc < 0) {
        pending_free(r);
    }
    return rc;
}

static int from_appmaster(struct master *m, struct peer *peer, struct incoming *in,
                          struct gp_error *err)
{
    switch (in->type) {
    case MSG_APPMASTER_REGISTER:
        return apps_register(m, peer, in->msg, in->token, err);
    case MSG_PLUGIN_RESOLVE:
        return plugin_resolve(m, ((const struct msg_plugin_resolve *)in->msg)->name, in->token,
                              err);
    case MSG_PLAN_PUT:
        return apps_plan_put(m, peer, in->msg, in->token, err);
    case MSG_PLACEMENT_PUT:
        return apps_placement_put(m, peer, in->msg, in->token, err);
    case MSG_SLOTS_REQUEST:
        return slots_request(m, peer, in->msg, in->token, err);
    case MSG_SLOTS_HOLD:
        slots_hold(m, peer, in->msg);
        return 0;
    case MSG_APP_METRICS:
        queries_metrics_told(m, peer, in->msg);
        return 0;
    case MSG_APP_STATE:
        return apps_state(m, peer, in->msg, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

/* A get that waits until the file is here. */
struct getting {
    struct pending pending;
    struct reply_token token;
    struct msg_artefact_get get;
};

static void getting_deinit(void *pending)
{
    fields_deinit(&msg_artefact_get_fields, &((struct getting *)pending)->get);
}

static int artefact_answer(struct master *m, const struct msg_artefact_get *get,
                           struct reply_token token, struct gp_error *err)
{
    struct buf piece = {0};
    int rc = uploads_get(m, get, &piece, err);

    if (rc >= 0) {
        rc = endpoint_reply_bytes(m->ep, token, buf_bytes(&piece));
    }
    buf_deinit(&piece);
    return rc;
}

static void on_gotten(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct getting *g = user;
    struct gp_error own;

    if (code >= 0 && artefact_answer(m, &g->get, g->token, &own) < 0) {
        code = own.code;
        err = &own;
    }
    if (code < 0) {
        (void)endpoint_reply_error(m->ep, g->token, err);
    }
    pending_free(g);
}

/* Another master may have it. */
static void on_looked(void *user, int code, const struct gp_error *why)
{
    struct getting *g = user;
    struct master *m = g->pending.master;
    struct gp_error err = {0};

    (void)why;
    if (code < 0) {
        code = copies_pull(m, g->get.sha256, NULL, on_gotten, g, &err);
    } else {
        on_gotten(m, g, 0, NULL);
    }
    if (code < 0) {
        on_gotten(m, g, code, &err);
    }
}

/* What is not here, or not sound any more, may be at another master; one that asks gets what we
 * have. */
static int artefact_get(struct master *m, const struct peer *peer, struct incoming *in,
                        struct gp_error *err)
{
    struct msg_artefact_get *get = in->msg;
    const bool is_master = peer_address(peer)->role == ROLE_MASTER;
    char path[ARTEFACT_PATH_MAX];
    struct getting *g;

    if (is_master || (!get->look && artefacts_find(&m->artefacts, gp_str_of(get->sha256), path,
                                                   sizeof path) == 1)) {
        return artefact_answer(m, get, in->token, err);
    }
    g = pending_new(m, sizeof *g);
    if (!g) {
        return gp_error_set(err, GP_ENOMEM, "fetching an artefact");
    }
    g->pending.deinit = getting_deinit;
    g->token = in->token;
    g->get = *get;
    *get = (struct msg_artefact_get){0};
    if (g->get.look) {
        artefacts_check(&m->artefacts, gp_str_of(g->get.sha256), on_looked, g);
    } else {
        on_looked(g, GP_ENOENT, NULL);
    }
    return 0;
}

static int from_client(struct master *m, struct peer *peer, struct incoming *in,
                       struct gp_error *err)
{
    struct msg_artefact_received received = {0};
    int rc;

    switch (in->type) {
    case MSG_CLUSTER_INFO:
        return queries_cluster_info(m, in->token);
    case MSG_SETTINGS:
        return settings_reply(&m->settings, m->ep, in->token);
    case MSG_WORKER_LIST:
        return queries_workers(m, in->msg, in->token);
    case MSG_APP_LIST:
        return queries_apps(m, in->msg, in->token);
    case MSG_APP_DESCRIBE:
        return queries_describe(m, in->msg, in->token, err);
    case MSG_METRICS_READ:
        return queries_metrics(m, in->msg, in->token, err);
    case MSG_APP_WAIT:
        return queries_wait(m, in->msg, in->token, err);
    case MSG_APP_KILL:
        return apps_kill(m, in->msg, in->token, err);
    case MSG_ARTEFACT_OFFER:
        return uploads_offer(m, peer, in->msg, in->token, err);
    case MSG_ARTEFACT_CHUNK:
        rc = room_give_way(m, uploads_chunk(m, peer, in->bytes, &received, err), err);
        return rc < 0 ? rc : endpoint_reply(m->ep, in->token, &received);
    case MSG_APP_REBALANCE:
        return drains_rebalance(m, in->msg, in->token, err);
    case MSG_WORKER_DRAIN:
        return drains_worker(m, in->msg, in->token, err);
    case MSG_MASTER_ADD:
        return group_add(m, in->msg, in->token, err);
    case MSG_MASTER_REMOVE:
        return group_remove(m, in->msg, in->token, err);
    case MSG_APP_RESTART:
        return restarts_begin(m, in->msg, in->token, err);
    case MSG_CLUSTER_EVENTS:
        return events_read(m, in->msg, in->token, err);
    case MSG_APP_SUBMIT:
        return apps_submit(m, in->msg, in->token, err);
    default:
        return GP_EUNSUPPORTED;
    }
}

static int from_master(struct master *m, struct peer *peer, struct incoming *in,
                       struct gp_error *err)
{
    int rc;

    switch (in->type) {
    case MSG_MASTER_HELLO:
        return links_hello(m, peer, in->msg, in->token, err);
    case MSG_MASTER_FOUND:
        rc = founding_found(m, in->msg, err);
        break;
    case MSG_MASTER_FETCH:
        return copies_fetch(m, peer, in->msg, in->token, err);
    case MSG_MASTER_JOIN:
        rc = founding_join(m, in->msg, err);
        break;
    case MSG_MASTER_ROOM:
        rc = room_check(m, err);
        break;
    default:
        return GP_EUNSUPPORTED;
    }
    return rc < 0 ? rc : endpoint_reply(m->ep, in->token, NULL);
}

/* What any master answers; all else is the leader's. */
static bool is_for_anyone(uint16_t type)
{
    return type == MSG_CLUSTER_INFO || type == MSG_SETTINGS || type == MSG_ARTEFACT_GET ||
           type == MSG_MASTER_HELLO || type == MSG_MASTER_FOUND || type == MSG_MASTER_JOIN ||
           type == MSG_MASTER_FETCH || type == MSG_MASTER_ROOM;
}

int requests_take(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct master *m = user;

    if (!is_for_anyone(in->type) && group_check_leads(m, err) < 0) {
        return GP_ENOTLEADER;
    }
    if (in->type == MSG_ARTEFACT_GET) {
        return artefact_get(m, peer, in, err);
    }
    switch (peer_address(peer)->role) {
    case ROLE_MASTER:
        return from_master(m, peer, in, err);
    case ROLE_WORKER:
        return from_worker(m, peer, in, err);
    case ROLE_APPMASTER:
        return from_appmaster(m, peer, in, err);
    case ROLE_EXECUTOR:
        return in->type == MSG_APP_WHERE ? apps_where(m, peer, in->msg, in->token, err)
                                         : GP_EUNSUPPORTED;
    default:
        return from_client(m, peer, in, err);
    }
}
