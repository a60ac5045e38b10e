/* daemon.c: see daemon.h. */
#include "app/daemon.h"

#include <stddef.h>
#include <string.h>

#include "app/settings.h"
#include "base/assert.h"
#include "base/str.h"
#include "port/net.h"

struct endpoint_limits daemon_limits(const struct config *config)
{
    return (struct endpoint_limits){
        .connections_max = config->limits.connections,
        .connections_per_host_max = config->limits.connections_per_peer,
        .handshake_timeout_ns = config->limits.handshake_timeout,
        .failure_timeout_ns = config->cluster.failure_timeout,
    };
}

static const char *reached_by(const struct config *config)
{
    return *config->advertise ? config->advertise : config->bind;
}

uint32_t daemon_master_port(const struct config *config)
{
    for (uint32_t i = 0; i < config->cluster.masters_count; i++) {
        gp_str host;
        uint32_t port;

        if (config_split_address(gp_str_of(config->cluster.masters[i]), &host, &port) == 0 &&
            str_eq(host, gp_str_of(reached_by(config)))) {
            return port;
        }
    }
    return CONFIG_PORT;
}

/* "host:port", an IPv6 host in brackets. */
static int join_address(const char *host, uint32_t tcp_port, char out[NET_ADDR_MAX],
                        struct gp_error *err)
{
    bool is_ip6 = strchr(host, ':') != NULL && host[0] != '[';
    int rc = str_format(out, NET_ADDR_MAX, is_ip6 ? "[%s]:%u" : "%s:%u", host, tcp_port);

    return rc < 0 ? gp_error_set(err, GP_EINVAL, "bind: %s is too long", host) : 0;
}

int daemon_check_master(const struct config *config, uint32_t tcp_port, struct gp_error *err)
{
    char own[NET_ADDR_MAX];
    char list[ERROR_TEXT_MAX / 2] = "";
    int rc = join_address(reached_by(config), tcp_port, own, err);

    if (rc < 0 || config->cluster.masters_count == 1) {
        return rc;
    }
    for (uint32_t i = 0; i < config->cluster.masters_count; i++) {
        size_t len = strlen(list);

        if (config_is_same_address(config->cluster.masters[i], own)) {
            return 0;
        }
        (void)str_format(list + len, sizeof list - len, "%s%s", i > 0 ? ", " : "",
                         config->cluster.masters[i]);
    }
    rc = gp_error_set(err, GP_EINVAL, "this would be %s, which is not in cluster.masters: %s", own,
                      list);
    gp_error_hint(err, "--host and --port (or advertise) as one of them says");
    return rc;
}

/* What is set below data: and not as this build has it anyway, for the applications. */
static int data_settings(const struct config *config, struct value **ret)
{
    struct value *all = NULL;
    struct value *data;
    int rc = fields_encode(&config_fields, config, &all);

    if (rc < 0) {
        return rc;
    }
    data = value_steal(all, GP_STR("data"));
    for (size_t i = value_count(data); i > 0; i--) {
        gp_str name = value_name_at(data, i - 1);

        if (config_is_default(GP_STR("data"), name, value_as_str(value_at(data, i - 1)))) {
            value_free(value_steal(data, name));
        }
    }
    value_free(all);
    *ret = data;
    return 0;
}

/* ---- the daemons ---- */

static struct value *list_settings(const void *config)
{
    return settings_list(config);
}

static struct settings_source settings_of(const struct daemon_place *place)
{
    return (struct settings_source){place->told ? list_settings : NULL, place->told};
}

/* All masters of the cluster, and which of them this one is. */
static int list_masters(const struct daemon_place *place, struct master_options *options,
                        struct gp_error *err)
{
    const struct config *config = place->config;
    char own[NET_ADDR_MAX];
    int rc = join_address(reached_by(config), place->tcp_port, own, err);

    if (rc < 0 || config->cluster.masters_count < 2) {
        return rc;
    }
    options->masters = (const char *const *)config->cluster.masters;
    options->master_count = config->cluster.masters_count;
    for (uint32_t i = 0; i < config->cluster.masters_count; i++) {
        if (config_is_same_address(config->cluster.masters[i], own)) {
            options->listed_as = config->cluster.masters[i];
        }
    }
    return 0;
}

int daemon_master(const struct daemon_place *place, const char *const *plugin_dirs,
                  uint32_t plugin_dir_count, struct master **ret, struct gp_error *err)
{
    const struct config *config = place->config;
    const char *dirs[PLUGIN_DIRS_MAX];
    char bind[NET_ADDR_MAX];
    struct master_options options = {.port = place->port,
                                     .bind = bind,
                                     .advertise = *config->advertise ? config->advertise : NULL,
                                     .data_dir = place->data_dir,
                                     .secret = place->secret,
                                     .plugin_dirs = dirs,
                                     .upload_max = config->limits.upload_bytes,
                                     .start_timeout_ns = config->timeouts.start,
                                     .restarts = config->recovery.restarts,
                                     .restarts_window_ns = config->recovery.window,
                                     .history_memory = config->metrics.history_memory,
                                     .rebalance =
                                         config->balance.rebalance == CONFIG_REBALANCE_AUTO,
                                     .settings = settings_of(place),
                                     .limits = daemon_limits(config)};
    int rc = join_address(config->bind, place->tcp_port, bind, err);

    if (rc >= 0 && place->is_one_of_many) {
        rc = list_masters(place, &options, err);
    }
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; i < config->plugins.path_count && i < PLUGIN_DIRS_MAX; i++) {
        dirs[options.plugin_dir_count++] = config->plugins.path[i];
    }
    for (uint32_t i = 0; i < plugin_dir_count && options.plugin_dir_count < PLUGIN_DIRS_MAX; i++) {
        dirs[options.plugin_dir_count++] = plugin_dirs[i];
    }
    return master_new(&options, ret, err);
}

int daemon_worker(const struct daemon_place *place, const char *master, struct worker **ret,
                  struct gp_error *err)
{
    const struct config *config = place->config;
    char bind[NET_ADDR_MAX];
    struct worker_options options = {
        .port = place->port,
        .masters = master ? &master : (const char *const *)config->cluster.masters,
        .master_count = master ? 1 : config->cluster.masters_count,
        .bind = bind,
        .advertise = *config->advertise ? config->advertise : NULL,
        .name = *config->worker.name ? config->worker.name : NULL,
        .labels = config->worker.labels,
        .label_count = config->worker.labels_count,
        .slots = config->worker.slots,
        .lanes = config->worker.lanes,
        .pin_lanes = config->worker.pin_lanes,
        .first_core = config->worker.first_core + place->cores_before,
        .data_dir = place->data_dir,
        .sockets_dir = place->sockets_dir,
        .secret = place->secret,
        .artefact_max = config->limits.upload_bytes,
        .settings = settings_of(place),
        .limits = daemon_limits(config)};
    struct value *data = NULL;
    int rc = join_address(config->bind, place->tcp_port, bind, err);

    if (rc == 0) {
        rc = data_settings(config, &data);
    }
    if (rc == 0) {
        options.data = data;
        rc = worker_new(&options, ret, err);
    }
    value_free(data);
    return rc;
}
