/*
 * worker_new.c: the beginning and the end of a worker: what is copied, made and opened, in which
 * order, and that all of it goes.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/worker/internal.h"

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
    w->settings = options->settings;
    w->lanes = options->lanes;
    w->pin_lanes = options->pin_lanes;
    w->next_core = options->first_core;
    w->data_dir = str_dup(gp_str_of(options->data_dir));
    w->sockets_dir = str_dup(gp_str_of(options->sockets_dir ? options->sockets_dir : ""));
    w->data = options->data ? value_dup(options->data) : NULL;
    if (!w->data_dir || !w->sockets_dir || (options->data && !w->data)) {
        return gp_error_set(err, GP_ENOMEM, "starting a worker");
    }
    for (uint32_t i = 0; i < options->label_count && i < ARRAY_LEN(w->labels); i++) {
        w->labels[i] = str_dup(gp_str_of(options->labels[i]));
        if (!w->labels[i]) {
            return gp_error_set(err, GP_ENOMEM, "starting a worker");
        }
        w->label_count = i + 1;
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
                                     .events = &worker_events,
                                     .user = w};
    int rc = timer_new(w->port->loop, masters_register, w, &w->register_timer);

    if (rc >= 0) {
        vitals_init(&w->vitals, w->port);
        rc = timer_new(w->port->loop, worker_on_report_timer, w, &w->report_timer);
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
        rc = masters_dial(w, options, err);
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
    launches_cancel(w, 0, EXECUTOR_ANY);
    artefacts_close(&w->artefacts);
    fetches_deinit(w);
    children_deinit(w);
    timer_free(w->register_timer);
    timer_free(w->report_timer);
    timer_free(w->log_timer);
    ledger_deinit(&w->ledger);
    value_free(w->data);
    for (uint32_t i = 0; i < w->label_count; i++) {
        free(w->labels[i]);
    }
    free(w->data_dir);
    free(w->sockets_dir);
    secret_wipe(&w->secret, sizeof w->secret);
    free(w);
}
