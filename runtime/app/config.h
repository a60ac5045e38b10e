/*
 * config.h: the settings of a daemon and of its client.
 *
 * One table (config_keys.c) says of every key its kind, bounds, default and effect. From it come
 * loading, the errors, `gpd help config` and conf/gearpump.yaml. Four sources, later ones win:
 * defaults, a YAML file, environment variables (GEARPUMP_LOG__LEVEL for log.level), flags.
 */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "edge/paths.h"
#include "wire/fields.h"

#define CONFIG_SYSTEM_PATH   "/etc/gearpump/gearpump.yaml"
#define CONFIG_PATH_ENV      "GEARPUMP_CONFIG"
#define CONFIG_MASTERS_ENV   "GEARPUMP_MASTERS" /* short for GEARPUMP_CLUSTER__MASTERS */
#define CONFIG_PORT          3000u              /* of a master, unless said otherwise */
#define CONFIG_HTTP_PORT     8090u
#define CONFIG_MISTAKES_MAX  50u /* that are listed */
#define CONFIG_OVERRIDES_MAX 64u

struct config_cluster {
    char **masters;
    uint32_t masters_count;
    char *secret_file; /* "": the user's own */
    int64_t failure_timeout;
};

struct config_log {
    uint32_t level;  /* enum log_level */
    uint32_t format; /* enum log_format */
};

struct config_worker {
    char *name; /* "": made from host and port */
    char **labels;
    uint32_t labels_count;
    uint32_t slots;
    uint32_t lanes; /* of an executor; 0: by the host's cores */
    bool pin_lanes;
    uint32_t first_core; /* of those that lanes are pinned to */
};

struct config_plugins {
    char **path;
    uint32_t path_count;
};

struct config_limits {
    int64_t handshake_timeout;
    uint32_t connections;
    uint32_t connections_per_peer;
    uint64_t upload_bytes;
};

struct config_data {
    uint32_t edge; /* enum config_edge */
    uint64_t shm_bytes;
    uint64_t shm_lane_bytes;
    uint64_t batch_bytes;
    uint64_t window_bytes;
    uint64_t lane_budget_bytes;
    uint64_t message_max_bytes;
    int64_t linger;
};

struct config_recovery {
    uint32_t restarts;
    int64_t window;
};

enum config_rebalance { CONFIG_REBALANCE_MANUAL, CONFIG_REBALANCE_AUTO };

struct config_balance {
    uint32_t rebalance; /* enum config_rebalance */
};

struct config_graphite {
    char *host; /* "": nobody is told */
    uint32_t port;
    char *prefix;
};

struct config_metrics {
    bool enabled;
    int64_t interval;
    uint32_t sample_rate; /* one call in so many is timed */
    int64_t stall_timeout;
    uint32_t task_series;
    uint64_t history_memory;
    struct config_graphite graphite;
};

struct config_http {
    bool enabled;
    char *bind;
    uint32_t port;
    char *token_file; /* "": beside the secret */
    bool read_token;
    uint32_t connections;
    uint32_t per_address;
};

struct config_timeouts {
    int64_t start;
    int64_t orphan;
};

enum config_stuck { CONFIG_STUCK_REPORT, CONFIG_STUCK_RESTART };

struct config_task {
    int64_t stuck_timeout; /* 0: nobody looks */
    uint32_t stuck_action; /* enum config_stuck */
};

struct config {
    struct config_cluster cluster;
    char *bind;
    char *advertise; /* "": as bind */
    bool insecure;
    char *data_dir; /* "": the user's own */
    struct config_log log;
    struct config_worker worker;
    struct config_plugins plugins;
    struct config_limits limits;
    struct config_data data;
    struct config_timeouts timeouts;
    struct config_task task;
    struct config_recovery recovery;
    struct config_balance balance;
    struct config_metrics metrics;
    struct config_http http;
    /* Who said what: "log.level" is "/etc/gearpump/gearpump.yaml:3", the name of a variable, or the
     * origin of an override. What nobody said is not in it. */
    struct value *origins;
};

extern const struct fields config_fields;

/* One value that does not come from the file. Borrowed texts. */
struct config_override {
    const char *key;    /* "log.level" */
    const char *text;   /* as a person wrote it */
    const char *origin; /* "--log-level", for errors */
};

struct config_sources {
    /* NULL: $GEARPUMP_CONFIG, else CONFIG_SYSTEM_PATH if there is one. "": no file at all. */
    const char *path;
    const char *const *environment; /* "NAME=value", NULL-terminated; NULL: none */
    const struct config_override *overrides;
    uint32_t override_count;
};

/*
 * Loads and checks. All mistakes are appended to `mistakes`, a line each:
 * "gearpump.yaml:3:5: log: unknown name "levl" (did you mean level?)". On success it holds what is
 * allowed and looks wrong, in the same form.
 * 0; GP_EINVAL (mistakes, also counted in err); GP_ENOENT, GP_EACCES, GP_EIO: the file; GP_ENOMEM.
 * On success config_deinit() frees *ret.
 */
int config_load(const struct config_sources *from, struct config *ret, struct buf *mistakes,
                struct gp_error *err);
void config_deinit(struct config *config);

/* The secret of cluster.secret_file, or the user's own; made if there is none. */
int config_read_secret(const struct config *config, struct edge_secret *ret, struct gp_error *err);

/* Whether a value, as fields_encode() writes it, is the default of the key `name` below
 * `section`. */
bool config_is_default(gp_str section, gp_str name, gp_str value);

/* One key of the table: "log.level" and what is known of it. */
typedef void (*config_key_fn)(void *user, const char *key, const struct field *field);

/* All keys, in the order of the table. */
void config_each_key(config_key_fn fn, void *user);

#define CONFIG_KEY_MAX 128

/* "log.level" as GEARPUMP_LOG__LEVEL. Returns out. */
const char *config_variable(const char *key, char out[CONFIG_KEY_MAX]);

/* The reference of all keys, which is itself a configuration file of defaults. */
void config_print_reference(FILE *to);

/* Whether a host ("127.0.0.2", "localhost", "::1") is reached from this machine alone. */
bool config_host_is_loopback(gp_str host);

/* Whether two "host:port" are the same text, but for brackets. */
bool config_is_same_address(const char *a, const char *b);

/* Splits "host:port" or "[::1]:port"; host without brackets. GP_EINVAL. */
int config_split_address(gp_str address, gp_str *ret_host, uint32_t *ret_port);

#endif
