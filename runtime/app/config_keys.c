/*
 * config_keys.c: every key there is: kind, bounds, default, effect.
 *
 * The texts are what conf/gearpump.yaml and `gpd help config` show; a test holds file and table
 * together.
 */
#include "app/config.h"
#include "wire/messages_client.h"

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MS  INT64_C(1000000)
#define S   (1000 * MS)

#define ADDRESS_MAX 136
#define PATH_LEN    512
#define MASTERS_MAX 5

#define KEY_(type, member, kind_, ctype, default_, doc_, ...)                                      \
    FIELD_(type, member, kind_, ctype, FIELD_OPTIONAL, .otherwise = (default_), .doc = (doc_),     \
           __VA_ARGS__)
#define KEY_BOOL(type, member, default_, doc_)                                                     \
    KEY_(type, member, FIELD_KIND_BOOL, bool, default_, doc_, .max = 0)
#define KEY_COUNT(type, member, min_, max_, default_, doc_)                                        \
    KEY_(type, member, FIELD_KIND_U32, uint32_t, default_, doc_, .min = (min_), .max = (max_))
#define KEY_TEXT(type, member, max_, default_, doc_)                                               \
    KEY_(type, member, FIELD_KIND_TEXT, char *, default_, doc_, .max = (max_))
#define KEY_ENUM(type, member, names_, default_, doc_)                                             \
    KEY_(type, member, FIELD_KIND_ENUM, uint32_t, default_, doc_, .names = (names_))
#define KEY_SIZE(type, member, min_, max_, default_, doc_)                                         \
    KEY_(type, member, FIELD_KIND_SIZE, uint64_t, default_, doc_, .min = (int64_t)(min_),          \
         .max = (max_))
#define KEY_DURATION(type, member, min_, max_, default_, doc_)                                     \
    KEY_(type, member, FIELD_KIND_DURATION, int64_t, default_, doc_, .min = (min_),                \
         .max = (uint64_t)(max_))
#define KEY_TEXTS(type, member, max_, text_max_, default_, doc_)                                   \
    KEY_(type, member, FIELD_KIND_TEXTS, char **, default_, doc_,                                  \
         .count_offset = FIELD_AT_(type, member##_count, uint32_t), .max = (max_),                 \
         .text_max = (text_max_))

static const struct field cluster_items[] = {
    KEY_TEXTS(struct config_cluster, masters, MASTERS_MAX, ADDRESS_MAX, "127.0.0.1:3000",
              "Where the masters listen, each host:port: 1, or 3 or 5 that survive the loss of "
              "1 or 2. The same on each daemon. Workers and gpctl try them in turn until one says "
              "which leads; a master finds itself here by its host (advertise or bind) and port, "
              "and without --port takes the port that stands beside its host."),
    KEY_TEXT(
        struct config_cluster, secret_file, PATH_LEN, "",
        "The file with the secret that daemons and clients of one cluster share, 32 to 256 bytes, "
        "mode 0600. Empty: a file of this user. Made at the first use, so that local use needs "
        "nothing; a cluster of several hosts needs the same file on each."),
    KEY_DURATION(
        struct config_cluster, failure_timeout, 200 * MS, 600 * S, "3s",
        "Who is silent for this long on a connection is taken for dead: masters, workers, "
        "appmasters and executors alike. (One whose process ended is missed at once.) Shorter "
        "repairs faster after a frozen host or a cut network, and is wrong more often about "
        "slow ones. The same on each daemon."),
};
static const struct fields cluster_fields = FIELDS("cluster", struct config_cluster, cluster_items);

static const struct field recovery_items[] = {
    KEY_COUNT(struct config_recovery, restarts, 1, 256, "10",
              "How many restarts of its executors, tasks and appmaster an application may need "
              "within recovery.window before it counts as broken and fails. An application that "
              "sets recovery.restarts itself has its own."),
    KEY_DURATION(struct config_recovery, window, S, 3600 * S, "1m",
                 "A restart counts for so long."),
};
static const struct fields recovery_fields =
    FIELDS("recovery", struct config_recovery, recovery_items);

static const char *const rebalance_names[] = {"manual", "auto", NULL};

static const struct field balance_items[] = {
    KEY_ENUM(struct config_balance, rebalance, rebalance_names, "manual",
             "auto: when a worker joined and stayed for three seconds, or takes tasks again, the "
             "tasks of all applications are spread over the workers anew, while rows flow. manual: "
             "when somebody says `gpctl rebalance APP`. A key of the masters."),
};
static const struct fields balance_fields = FIELDS("balance", struct config_balance, balance_items);

static const char *const level_names[] = {"debug", "info", "warn", "error", "off", NULL};
static const char *const format_names[] = {"text", "json", NULL};

static const struct field log_items[] = {
    KEY_ENUM(struct config_log, level, level_names, "info",
             "The least important events that are still logged to stderr."),
    KEY_ENUM(struct config_log, format, format_names, "text",
             "One line an event: for people, or one JSON object for programs."),
};
static const struct fields log_fields = FIELDS("log", struct config_log, log_items);

static const struct field worker_items[] = {
    KEY_TEXT(struct config_worker, name, 63, "",
             "What people call this worker in `gpctl workers`. Empty: made from host and port."),
    KEY_TEXTS(
        struct config_worker, labels, MSG_LABELS_MAX, MSG_LABEL_MAX, "",
        "What this worker is or has, KEY=VALUE each ([zone=a, disk=ssd]), for tasks that want "
        "such a worker: gpctl submit --place PROCESSOR=label:KEY=VALUE."),
    KEY_COUNT(struct config_worker, slots, 1, 100000, "100",
              "How many tasks this worker hosts at most."),
    KEY_COUNT(struct config_worker, lanes, 0, 64, "0",
              "Threads of each executor started here. 0: as many as the cores of the host give "
              "each worker on it."),
    KEY_BOOL(struct config_worker, pin_lanes, "false",
             "Whether each lane is bound to a core: those of the executors started here take the "
             "cores in turn. Lanes for calls that block are not. Worth it on hosts that have "
             "nothing else to do."),
    KEY_COUNT(struct config_worker, first_core, 0, 1023, "0",
              "The core that worker.pin_lanes begins with, for several workers on one host; behind "
              "the last core the first one follows. The workers of `gpd local` begin at different "
              "ones by themselves."),
};
static const struct fields worker_fields = FIELDS("worker", struct config_worker, worker_items);

static const struct field plugins_items[] = {
    KEY_TEXTS(struct config_plugins, path, 16, PATH_LEN, "",
              "Folders where a master looks for the plugins that graphs name, before those that "
              "came with this installation."),
};
static const struct fields plugins_fields = FIELDS("plugins", struct config_plugins, plugins_items);

static const struct field limits_items[] = {
    KEY_DURATION(struct config_limits, handshake_timeout, 100 * MS, 60 * S, "5s",
                 "A connection that has not proven itself after this time is closed."),
    KEY_COUNT(struct config_limits, connections, 16, 65536, "4096",
              "Connections a daemon accepts; more are refused."),
    KEY_COUNT(struct config_limits, connections_per_peer, 1, 65536, "1024",
              "Of these from one address."),
    KEY_SIZE(struct config_limits, upload_bytes, 64 * KIB, 256 * MIB, "256MiB",
             "The largest application or plugin that a master takes."),
};
static const struct fields limits_fields = FIELDS("limits", struct config_limits, limits_items);

static const char *const edge_names[] = {"auto", "shm", "unix", "tcp", NULL};

static const struct field data_items[] = {
    KEY_ENUM(
        struct config_data, edge, edge_names, "auto",
        "How messages travel from lane to lane. auto: by ring within a process, through shared "
        "memory within a host (by Unix socket where that cannot be had), by TCP else; the others "
        "force one way, for tests. Within a lane they go by pointer in any case."),
    KEY_SIZE(
        struct config_data, shm_bytes, 8 * KIB, 64 * MIB, "4MiB",
        "Memory that a lane shares with lanes of other processes on its host, a ring each way; "
        "with several of them so much together, but 512KiB with each."),
    KEY_SIZE(struct config_data, shm_lane_bytes, 0, 2 * GIB, "64MiB",
             "The most of it that a lane has in all; further pairs use their Unix sockets."),
    KEY_SIZE(struct config_data, batch_bytes, 4 * KIB, 65408, "65408B",
             "A batch leaves when it has grown to this size, frame header included."),
    KEY_SIZE(
        struct config_data, window_bytes, 4 * KIB, 64 * MIB, "1MiB",
        "The most that one lane may have sent to one task and the task not yet consumed; twice "
        "as much between lanes of one process, up to that between processes of one host, and up to "
        "four times over TCP."),
    KEY_SIZE(struct config_data, lane_budget_bytes, MIB, 2 * GIB, "16MiB",
             "The sum of these windows over all tasks of a lane: its memory for what has come in."),
    KEY_SIZE(struct config_data, message_max_bytes, KIB, 16 * MIB, "16MiB",
             "The largest message, key and value together."),
    KEY_DURATION(struct config_data, linger, 0, S, "1ms",
                 "How long a message may wait in an unfinished batch on a busy lane."),
};
static const struct fields data_fields = FIELDS("data", struct config_data, data_items);

static const struct field timeouts_items[] = {
    KEY_DURATION(struct config_timeouts, start, S, 3600 * S, "30s",
                 "An application that does not run this long after it was submitted has failed."),
    KEY_DURATION(
        struct config_timeouts, orphan, S, 24 * 3600 * S, "10m",
        "An executor that hears from the masters for this long that its application has no "
        "appmaster ends: nobody can find it any more. While it hears from nobody it goes "
        "on. A key of the workers."),
};
static const struct fields timeouts_fields =
    FIELDS("timeouts", struct config_timeouts, timeouts_items);

static const char *const stuck_names[] = {"report", "restart", NULL};

static const struct field task_items[] = {
    KEY_DURATION(struct config_task, stuck_timeout, 0, 24 * 3600 * S, "30s",
                 "A call into user code that has not returned for so long is reported: in the log "
                 "of its executor, as the last error of the application while it lasts, and as an "
                 "event. The calls of blocking processors may take ten times as long. 0: nobody "
                 "looks. A key of the workers."),
    KEY_ENUM(struct config_task, stuck_action, stuck_names, "report",
             "What else is done about such a call. report: nothing. restart: its executor is "
             "killed, and its tasks begin anew as after a crash, within recovery.restarts. A key "
             "of the workers."),
};
static const struct fields task_fields = FIELDS("task", struct config_task, task_items);

static const struct field graphite_items[] = {
    KEY_TEXT(struct config_graphite, host, 255, "",
             "The host of a Graphite server (carbon), which each daemon tells its numbers once in "
             "an interval, in the plaintext protocol. Empty: none."),
    KEY_COUNT(struct config_graphite, port, 1, 65535, "2003", "Its port."),
    KEY_TEXT(struct config_graphite, prefix, 128, "gearpump",
             "What the names of all numbers there begin with. Dots separate its parts."),
};
static const struct fields graphite_fields =
    FIELDS("graphite", struct config_graphite, graphite_items);

static const struct field metrics_items[] = {
    KEY_BOOL(struct config_metrics, enabled, "false",
             "Times calls and messages (latency, processing time), and tells Graphite if a host is "
             "named. Counters are kept in any case."),
    KEY_DURATION(struct config_metrics, interval, S, 3600 * S, "1s",
                 "How often numbers are told to the master and to Graphite."),
    KEY_COUNT(struct config_metrics, sample_rate, 1, 1000000, "10",
              "One call in so many is timed: 10 is one in ten."),
    KEY_DURATION(struct config_metrics, stall_timeout, S, 24 * 3600 * S, "30s",
                 "A processor counts as stalled when its watermark has not moved for so long "
                 "though there are messages for it."),
    KEY_COUNT(struct config_metrics, task_series, 0, 100000, "1000",
              "Tasks that /metrics names in all: the slowest of each processor, which have series "
              "of their own."),
    KEY_SIZE(struct config_metrics, history_memory, 0, GIB, "16MiB",
             "What the leading master keeps of the last five minutes and 24 hours of all "
             "applications takes no more memory than this; beyond it the oldest application that "
             "has ended loses its history first. 0: there is none."),
    FIELD_OBJECT(struct config_metrics, graphite, &graphite_fields, "Who is told, if anybody."),
};
static const struct fields metrics_fields = FIELDS("metrics", struct config_metrics, metrics_items);

static const struct field http_items[] = {
    KEY_BOOL(struct config_http, enabled, "true",
             "Whether daemons serve HTTP: masters the dashboard, REST and events; all of them "
             "/metrics, /healthz and /readyz."),
    KEY_TEXT(struct config_http, bind, 255, "127.0.0.1",
             "The address that HTTP is served on. One beyond this machine needs `insecure: true`; "
             "then reading needs the token, too."),
    KEY_COUNT(struct config_http, port, 0, 65535, "8090",
              "Its port. 8090 is a wish: if it is taken, a free port is; any other must be free. "
              "0: a free one. A worker of its own takes a free one instead of 8090."),
    KEY_TEXT(struct config_http, token_file, PATH_LEN, "",
             "The file with the token that whoever changes something sends as `Authorization: "
             "Bearer TOKEN`, mode 0600. Made at the first start. Empty: beside the secret, with "
             ".http-token at its end."),
    KEY_BOOL(struct config_http, read_token, "false", "Whether reading needs the token, too."),
    KEY_COUNT(struct config_http, connections, 8, 4096, "256",
              "Connections at once. Beyond that the one that was silent longest makes room."),
    KEY_COUNT(struct config_http, per_address, 4, 4096, "64", "Of these from one address."),
};
static const struct fields http_fields = FIELDS("http", struct config_http, http_items);

static const struct field config_items[] = {
    FIELD_OBJECT(struct config, cluster, &cluster_fields, "Who belongs together."),
    KEY_TEXT(struct config, bind, 255, "127.0.0.1",
             "The address that this daemon, its appmasters and executors listen on. One beyond "
             "this machine needs `insecure: true`, for the cluster has no encryption yet."),
    KEY_TEXT(struct config, advertise, 255, "",
             "The host that others reach this daemon by. Empty: as bind."),
    KEY_BOOL(struct config, insecure, "false",
             "Allows to listen beyond this machine. Whoever can read the network can then read "
             "the messages; they still cannot give orders without the secret."),
    KEY_TEXT(struct config, data_dir, PATH_LEN, "",
             "The folder for plugins, logs of executors and sockets; each daemon has a folder of "
             "its own below it. Empty: ~/.local/state/gearpump."),
    FIELD_OBJECT(struct config, log, &log_fields, "What daemons say of themselves."),
    FIELD_OBJECT(struct config, worker, &worker_fields, "What a worker offers."),
    FIELD_OBJECT(struct config, plugins, &plugins_fields, "Where shared plugins stand."),
    FIELD_OBJECT(struct config, limits, &limits_fields, "What strangers and users can ask for."),
    FIELD_OBJECT(struct config, data, &data_fields,
                 "The data plane. An application may change each for itself: --set data.linger=0."),
    FIELD_OBJECT(struct config, timeouts, &timeouts_fields, "How long one waits for another."),
    FIELD_OBJECT(struct config, task, &task_fields, "The code of users."),
    FIELD_OBJECT(struct config, recovery, &recovery_fields, "What is repaired, and how often."),
    FIELD_OBJECT(struct config, balance, &balance_fields, "When tasks move."),
    FIELD_OBJECT(struct config, metrics, &metrics_fields, "What is measured, and who is told."),
    FIELD_OBJECT(struct config, http, &http_fields, "The dashboard, REST and health over HTTP."),
};
const struct fields config_fields = FIELDS("configuration", struct config, config_items);
