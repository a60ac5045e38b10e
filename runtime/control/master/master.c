/*
 * master.c: the node: who may come in, and which file answers what.
 *
 * Keys: "cluster" proves workers and clients; "app/N" proves the appmaster of a live application. A
 * tell or ask that reaches on_message was sent by a role that may send it (the endpoint checked);
 * whether this very peer may is checked by its handler.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/internal.h"

int64_t master_wall_ms(const struct master *m)
{
    return loop_wall_ns(m->port->loop) / 1000000;
}

void *pending_new(struct master *m, size_t size)
{
    struct pending *p = calloc(1, size);

    ASSERT(size >= sizeof *p);
    if (p) {
        p->master = m;
        list_node_init(&p->node);
        list_push_back(&m->pending, &p->node);
    }
    return p;
}

void pending_free(void *pending)
{
    struct pending *p = pending;

    if (p) {
        if (p->deinit) {
            p->deinit(p);
        }
        list_remove(&p->node);
        free(p);
    }
}

static int on_key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    struct master *m = user;
    uint64_t id;
    const struct app *app;

    (void)role;
    (void)name;
    if (str_eq(key, GP_STR(HELLO_KEY_CLUSTER))) {
        *ret = m->secret;
        return 0;
    }
    if (str_starts_with(key, GP_STR("app/")) &&
        str_to_u64((gp_str){key.ptr + 4, key.len - 4}, &id) >= 0 && id <= UINT32_MAX) {
        app = registry_find(&m->registry, (uint32_t)id);
        if (app && !app_state_is_end(app->state)) {
            ret->len = strlen(app->token);
            memcpy(ret->bytes, app->token, ret->len); /* the codec bounds it */
            return 0;
        }
    }
    return gp_error_set(err, GP_EACCES, "no key '%.*s' here", STR_ARG(key));
}

static void on_up(void *user, struct peer *peer)
{
    (void)links_up(user, peer); /* others speak first */
}

static void on_frame(void *user, struct peer *peer, const struct frame_header *header,
                     const void *payload, struct rbuf *buf)
{
    (void)buf;
    links_frame(user, peer, header, payload);
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct master *m = user;
    uint64_t id = peer_id(peer);
    struct worker_entry *entry = workers_find_peer(&m->workers, id);

    links_down(m, peer);
    uploads_peer_down(m, id);
    places_peer_down(m, id, why);
    if (entry) {
        uint32_t worker = entry->id;
        LOG_WARN(master_log(m), "worker.lost", KV_U64("worker", worker),
                 KV_STR("name", entry->info.name), KV_STR("why", why->text));
        places_worker_down(m, worker, entry->info.name);
        workers_remove(&m->workers, entry);
    }
}

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
            places_report(m, entry->id, report);
        }
        return 0;
    case MSG_PROCESS_EXITED:
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

/* What is not here may be at another master. */
static int artefact_get(struct master *m, const struct peer *peer, struct incoming *in,
                        struct gp_error *err)
{
    struct msg_artefact_get *get = in->msg;
    char path[ARTEFACT_PATH_MAX];
    struct getting *g;
    int rc;

    if (peer_address(peer)->role == ROLE_MASTER ||
        artefacts_find(&m->artefacts, gp_str_of(get->sha256), path, sizeof path)) {
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
    rc = copies_pull(m, g->get.sha256, NULL, on_gotten, g, err);
    if (rc < 0) {
        pending_free(g);
    }
    return rc;
}

static int from_client(struct master *m, struct peer *peer, struct incoming *in,
                       struct gp_error *err)
{
    struct msg_artefact_place place = {0};
    struct msg_artefact_received received = {0};
    int rc;

    switch (in->type) {
    case MSG_CLUSTER_INFO:
        return queries_cluster_info(m, in->token);
    case MSG_WORKER_LIST:
        return queries_workers(m, in->msg, in->token);
    case MSG_APP_LIST:
        return queries_apps(m, in->msg, in->token);
    case MSG_APP_DESCRIBE:
        return queries_describe(m, in->msg, in->token, err);
    case MSG_APP_WAIT:
        return queries_wait(m, in->msg, in->token, err);
    case MSG_APP_KILL:
        return apps_kill(m, in->msg, in->token, err);
    case MSG_ARTEFACT_OFFER:
        rc = room_give_way(m, uploads_offer(m, peer, in->msg, &place, err), err);
        return rc < 0 ? rc : endpoint_reply(m->ep, in->token, &place);
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
    return type == MSG_CLUSTER_INFO || type == MSG_ARTEFACT_GET || type == MSG_MASTER_HELLO ||
           type == MSG_MASTER_FOUND || type == MSG_MASTER_JOIN || type == MSG_MASTER_FETCH ||
           type == MSG_MASTER_ROOM;
}

static int on_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
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

static const struct endpoint_events events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = on_message,
    .on_frame = on_frame,
    .key_find = on_key_find,
};

static int copy_plugin_dirs(struct master *m, const struct master_options *options)
{
    m->plugin_dirs = calloc(PLUGIN_DIRS_MAX, sizeof(char *));
    if (!m->plugin_dirs) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < options->plugin_dir_count && i < PLUGIN_DIRS_MAX; i++) {
        m->plugin_dirs[i] = str_dup(gp_str_of(options->plugin_dirs[i]));
        if (!m->plugin_dirs[i]) {
            return GP_ENOMEM;
        }
        m->plugin_dir_count++;
    }
    return 0;
}

static int listen_on(struct master *m, const struct master_options *options, struct gp_error *err)
{
    struct net_addr bind;
    struct net_addr bound;
    int rc;

    if (str_format(bind.text, sizeof bind.text, "%s", options->bind) < 0) {
        return gp_error_set(err, GP_EINVAL, "the address to listen on is too long");
    }
    rc = endpoint_listen(m->ep, &bind, &bound, err);
    if (rc < 0) {
        return rc;
    }
    (void)str_format(m->address, sizeof m->address, "%s", bound.text);
    if (options->advertise) {
        bool is_ip6 = strchr(options->advertise, ':') != NULL && options->advertise[0] != '[';
        gp_str host;
        gp_str port;

        (void)str_cut_last(gp_str_of(bound.text), ':', &host, &port);
        rc = str_format(m->address, sizeof m->address, is_ip6 ? "[%s]:%.*s" : "%s:%.*s",
                        options->advertise, STR_ARG(port));
    }
    return rc < 0 ? gp_error_set(err, rc, "the address for others is too long") : 0;
}

/* The list as configured; alone there is none. */
static int copy_masters(struct master *m, const struct master_options *options,
                        struct gp_error *err)
{
    const char *listed = options->listed_as ? options->listed_as : m->address;
    bool is_listed = false;

    (void)str_format(m->listed, sizeof m->listed, "%s", listed);
    for (uint32_t i = 0; i < options->master_count && i < MSG_MASTERS_MAX; i++) {
        m->masters[i] = str_dup(gp_str_of(options->masters[i]));
        if (!m->masters[i]) {
            return gp_error_set(err, GP_ENOMEM, "starting a master");
        }
        m->masters_count++;
        is_listed = is_listed || strcmp(m->masters[i], listed) == 0;
    }
    if (m->masters_count > 1 && !is_listed) {
        return gp_error_set(err, GP_EINVAL, "%s is not in the list of masters", listed);
    }
    return 0;
}

static int make_timers(struct master *m)
{
    int rc = timer_new(m->port->loop, on_waiter_timer, m, &m->waiter_timer);

    rc = rc < 0 ? rc : timer_new(m->port->loop, on_drain_timer, m, &m->drain_timer);
    rc = rc < 0 ? rc : timer_new(m->port->loop, on_balance_timer, m, &m->balance_timer);
    return rc < 0 ? rc : timer_new(m->port->loop, on_reread_timer, m, &m->reread_timer);
}

/* What can be settled without asking the disk or the network. */
static int settle(struct master *m, const struct master_options *options, struct gp_error *err)
{
    uint64_t seed;
    int rc;

    if (options->secret.len > sizeof m->secret.bytes) {
        return gp_error_set(err, GP_EINVAL, "the cluster's secret is longer than %zu bytes",
                            sizeof m->secret.bytes);
    }
    m->port = options->port;
    m->restarts = options->restarts;
    m->restarts_window_ms = options->restarts_window_ns / 1000000;
    m->is_balanced = options->rebalance;
    m->start_timeout_ns = options->start_timeout_ns ? options->start_timeout_ns : START_TIMEOUT_NS;
    memcpy(m->secret.bytes, options->secret.ptr, options->secret.len);
    m->secret.len = options->secret.len;
    port_random(m->port, &seed, sizeof seed);
    port_random(m->port, &m->incarnation, sizeof m->incarnation);
    m->incarnation |= 1;
    registry_init(&m->registry, seed);
    workers_init(&m->workers);
    m->data_dir = str_dup(gp_str_of(options->data_dir));
    rc = m->data_dir ? make_timers(m) : GP_ENOMEM;
    return rc < 0 ? gp_error_set(err, rc, "starting a master") : 0;
}

int master_new(const struct master_options *options, struct master **ret, struct gp_error *err)
{
    struct master *m = calloc(1, sizeof *m);
    int rc = m ? 0 : GP_ENOMEM;
    struct endpoint_config config = {.port = options->port,
                                     .role = ROLE_MASTER,
                                     .name = "master",
                                     .limits = options->limits,
                                     .events = &events,
                                     .user = m};

    if (rc < 0) {
        return gp_error_set(err, rc, "starting a master");
    }
    list_init(&m->pending);
    list_init(&m->pulls);
    list_init(&m->proposals);
    list_init(&m->grantings);
    rc = settle(m, options, err);
    if (rc >= 0) {
        rc = artefacts_open(&m->artefacts, m->port, options->data_dir,
                            options->upload_max ? options->upload_max : ARTEFACT_SIZE_MAX_BYTES,
                            err);
    }
    if (rc >= 0) {
        rc = group_open(m, err);
    }
    if (rc < 0) {
        goto cleanup;
    }
    (void)str_format(m->cluster, sizeof m->cluster, "%s", consensus_group(m->consensus));
    config.cluster = m->cluster;
    config.incarnation = m->incarnation;
    rc = copy_plugin_dirs(m, options);
    if (rc >= 0) {
        rc = endpoint_new(&config, &m->ep);
    }
    if (rc < 0) {
        (void)gp_error_set(err, rc, "starting a master: %s", error_sentence(rc));
        goto cleanup;
    }
    rc = listen_on(m, options, err);
    if (rc >= 0) {
        rc = copy_masters(m, options, err);
    }
    if (rc >= 0) {
        rc = founding_begin(m, err);
    }
    if (rc >= 0) {
        group_changed(m);
    }
cleanup:
    if (rc < 0) {
        master_free(m);
        return rc;
    }
    LOG_INFO(master_log(m), "master.started", KV_STR("address", m->address),
             KV_STR("cluster", m->cluster));
    *ret = m;
    return 0;
}

void master_free(struct master *m)
{
    if (!m) {
        return;
    }
    m->leads = false;
    consensus_close(m->consensus);
    m->consensus = NULL;
    endpoint_free(m->ep);
    timer_free(m->waiter_timer);
    timer_free(m->drain_timer);
    timer_free(m->balance_timer);
    timer_free(m->reread_timer);
    timer_free(m->retire_timer);
    copies_deinit(m);
    while (list_first(&m->pending)) {
        pending_free(LIST_ENTRY(list_first(&m->pending), struct pending, node));
    }
    places_deinit(m);
    proposals_deinit(m);
    for (uint32_t i = 0; i < UPLOADS_MAX; i++) {
        artefact_drop(&m->uploads[i].in);
    }
    registry_deinit(&m->registry);
    workers_deinit(&m->workers);
    for (uint32_t i = 0; i < m->plugin_dir_count; i++) {
        free(m->plugin_dirs[i]);
    }
    free(m->plugin_dirs);
    for (uint32_t i = 0; i < m->masters_count; i++) {
        free(m->masters[i]);
    }
    free(m->data_dir);
    secret_wipe(&m->secret, sizeof m->secret);
    free(m);
}

const char *master_address(const struct master *m)
{
    return m->address;
}

uint32_t master_worker_count(const struct master *m)
{
    return m->workers.count;
}

bool master_leads(const struct master *m)
{
    return m->leads;
}
