/*
 * master.c: the node: what it is made of, and who may come in.
 *
 * Keys: "cluster" proves workers and clients; "app/N" proves the appmaster of a live application.
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
    places_peer_down(m, peer, why);
    if (entry) {
        uint32_t worker = entry->id;
        LOG_WARN(master_log(m), "worker.lost", KV_U64("worker", worker),
                 KV_STR("name", entry->info.name), KV_STR("why", why->text));
        events_add(m, EVENT_WARN, "worker.lost", 0, worker, "worker %u (%s) was lost: %s", worker,
                   entry->info.name, why->text);
        if (!peer_may_live(peer)) { /* else it says at once what it still has */
            places_worker_down(m, worker, entry->info.name);
        }
        drain_lost(m, entry);
        workers_remove(&m->workers, entry);
    }
}

static const struct endpoint_events events = {
    .on_up = on_up,
    .on_down = on_down,
    .on_message = requests_take,
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

    rc = rc < 0 ? rc : timer_new(m->port->loop, on_events_timer, m, &m->events.timer);
    rc = rc < 0 ? rc : timer_new(m->port->loop, on_drain_timer, m, &m->drain_timer);
    rc = rc < 0 ? rc : timer_new(m->port->loop, on_balance_timer, m, &m->balance_timer);
    rc = rc < 0 ? rc : timer_new(m->port->loop, on_seek_timer, m, &m->seek_timer);
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
    m->settings = options->settings;
    m->snapshot_entries = options->snapshot_entries;
    m->start_timeout_ns = options->start_timeout_ns ? options->start_timeout_ns : START_TIMEOUT_NS;
    memcpy(m->secret.bytes, options->secret.ptr, options->secret.len);
    m->secret.len = options->secret.len;
    port_random(m->port, &seed, sizeof seed);
    port_random(m->port, &m->incarnation, sizeof m->incarnation);
    m->incarnation |= 1;
    rc = history_new(options->history_memory, m->port->log, &m->history);
    if (rc < 0) {
        return gp_error_set(err, rc, "starting a master");
    }
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
    list_init(&m->restarting);
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
    timer_free(m->events.timer);
    events_forget(m);
    timer_free(m->drain_timer);
    timer_free(m->balance_timer);
    timer_free(m->seek_timer);
    timer_free(m->reread_timer);
    timer_free(m->retire_timer);
    artefacts_close(&m->artefacts);
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
    history_free(m->history);
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

bool master_is_ready(const struct master *m)
{
    struct consensus_status status;

    if (m->leads || !m->consensus || m->is_torn) {
        return m->leads;
    }
    group_status(m, &status);
    return status.leader != 0 && status.broken == 0 && status.applied == status.committed;
}

bool master_leads(const struct master *m)
{
    return m->leads;
}
