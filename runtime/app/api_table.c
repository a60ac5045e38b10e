/*
 * api_table.c: the endpoints, as data: method, path, parameters, answer. Routing, the checks of
 * parameters, the OpenAPI document and the tests come from here.
 */
#include <string.h>

#include "app/api.h"
#include "base/assert.h"
#include "base/str.h"
#include "control/limits.h"

/* ---- parameters ---- */

#define P struct api_params

/* As enum log_level; the first is what is meant without it. */
static const char *const api_level_names[] = {"debug", "info", "warn", "error", NULL};

#define P_APP FIELD_TEXT(P, app, FIELD_REQUIRED | FIELD_NONEMPTY, MSG_APP_REF_MAX, "id or name")
#define P_WORKER                                                                                   \
    FIELD_TEXT(P, worker, FIELD_REQUIRED | FIELD_NONEMPTY, MSG_APP_REF_MAX, "id, name or host:port")
#define P_ADDRESS                                                                                  \
    FIELD_TEXT(P, address, FIELD_REQUIRED | FIELD_NONEMPTY, MSG_ADDRESS_MAX,                       \
               "host:port of a master")
#define P_ALL  FIELD_BOOL(P, all, FIELD_OPTIONAL, "those that ended, too")
#define P_UNDO FIELD_BOOL(P, undo, FIELD_OPTIONAL, "it takes tasks again")
#define P_FORCE                                                                                    \
    FIELD_BOOL(P, force, FIELD_OPTIONAL,                                                           \
               "move tasks that keep state and have no snapshot, too: they lose it")
#define P_NAME                                                                                     \
    FIELD_TEXT(P, name, FIELD_OPTIONAL, MSG_APP_NAME_MAX, "what it is called; as the plugin says")
#define P_EXECUTORS                                                                                \
    FIELD_COUNT(P, executors, FIELD_OPTIONAL, EXECUTORS_MAX,                                       \
                "processes that host its tasks; 0: one per worker with room")
#define P_SET                                                                                      \
    FIELD_TEXTS(P, set, FIELD_OPTIONAL, MSG_CONFIG_MAX, MSG_VALUE_MAX,                             \
                "KEY=VALUE, a parameter of the job; PROCESSOR.KEY=VALUE for one processor")
#define P_PARALLELISM                                                                              \
    FIELD_TEXTS(P, parallelism, FIELD_OPTIONAL, MSG_PROCESSORS_MAX, 128, "PROCESSOR=N, its tasks")
#define P_PLACE                                                                                    \
    FIELD_TEXTS(P, place, FIELD_OPTIONAL, MSG_PROCESSORS_MAX, 256,                                 \
                "PROCESSOR=worker:NAME or PROCESSOR=label:KEY=VALUE, where its tasks may be")
#define P_PRIORITY                                                                                 \
    FIELD_ENUM(P, priority, FIELD_OPTIONAL, app_priority_names, "in the queue for slots")
#define P_NO_WAIT FIELD_BOOL(P, no_wait, FIELD_OPTIONAL, "refused if there are too few slots now")
#define P_REQUEST                                                                                  \
    FIELD_TEXT(P, request_id, FIELD_OPTIONAL, MSG_REQUEST_ID_MAX,                                  \
               "the same again makes nothing new")
#define P_SHA256                                                                                   \
    FIELD_TEXT(P, sha256, FIELD_OPTIONAL, 64, "of the body, to be sure that it came as it was sent")
#define P_EXECUTOR                                                                                 \
    {                                                                                              \
        .name = "executor", .kind = FIELD_KIND_I64, .offset = offsetof(P, executor), .min = -1,    \
        .max = UINT32_MAX, .otherwise = "-1",                                                      \
        .doc = "of this one alone; 0 is the appmaster; -1: all"                                    \
    }
#define P_LEVEL                                                                                    \
    FIELD_ENUM(P, level, FIELD_OPTIONAL, api_level_names, "lines of this level, and worse")
#define P_SINCE                                                                                    \
    FIELD_TEXT(P, since, FIELD_OPTIONAL, 64,                                                       \
               "lines since a time (2026-01-31T09:30:00Z), or so long ago (5m)")
#define P_TAIL                                                                                     \
    {                                                                                              \
        .name = "tail", .kind = FIELD_KIND_U32, .offset = offsetof(P, tail), .min = 1,             \
        .max = 10000, .otherwise = "200", .doc = "the last lines of each"                          \
    }

#define P_WINDOW                                                                                   \
    FIELD_ENUM(P, window, FIELD_OPTIONAL, metrics_window_names, "with the history of this time")
#define P_PROCESSOR                                                                                \
    FIELD_TEXT(P, processor, FIELD_OPTIONAL, 128, "the history of this one and its slowest tasks")

static const struct field no_items[] = {P_ALL}; /* of which none is used */
static const struct field app_items[] = {P_APP};
static const struct field apps_items[] = {P_ALL};
static const struct field submit_items[] = {
    P_NAME, P_EXECUTORS, P_SET, P_PARALLELISM, P_PLACE, P_PRIORITY, P_NO_WAIT, P_REQUEST, P_SHA256};
static const struct field restart_items[] = {P_APP, P_REQUEST};
static const struct field rebalance_items[] = {P_APP, P_FORCE};
static const struct field logs_items[] = {P_APP, P_EXECUTOR, P_LEVEL, P_SINCE, P_TAIL};
static const struct field metrics_items[] = {P_APP, P_WINDOW, P_PROCESSOR};
static const struct field drain_items[] = {P_WORKER, P_UNDO, P_FORCE};
static const struct field master_items[] = {P_ADDRESS};
static const struct field all_items[] = {
    P_APP,       P_WORKER, P_ADDRESS,     P_ALL,   P_UNDO,     P_FORCE,     P_NAME,
    P_EXECUTORS, P_SET,    P_PARALLELISM, P_PLACE, P_PRIORITY, P_NO_WAIT,   P_REQUEST,
    P_EXECUTOR,  P_LEVEL,  P_SINCE,       P_TAIL,  P_WINDOW,   P_PROCESSOR, P_SHA256};

static const struct fields no_params = {
    .name = "parameters", .size = sizeof(P), .items = no_items, .count = 0};
static const struct fields app_params = FIELDS("parameters", P, app_items);
static const struct fields apps_params = FIELDS("parameters", P, apps_items);
static const struct fields submit_params = FIELDS("parameters", P, submit_items);
static const struct fields restart_params = FIELDS("parameters", P, restart_items);
static const struct fields rebalance_params = FIELDS("parameters", P, rebalance_items);
static const struct fields logs_params = FIELDS("parameters", P, logs_items);
static const struct fields metrics_params = FIELDS("parameters", P, metrics_items);
static const struct fields drain_params = FIELDS("parameters", P, drain_items);
static const struct fields master_params = FIELDS("parameters", P, master_items);
static const struct fields all_params = FIELDS("parameters", P, all_items);

/* ---- answers: shapes as in api_openapi.c ---- */

static const char description[] =
    "{application:@application,"
    "processors:[{name:text,parallelism:int,plugin:text,type:text,place:text,running:int,ended:int,"
    "in:int,out:int,rejected:int,late:int,counters:{*:int},rate_in:number,rate_out:number}],"
    "edges:[{from:text,from_port:int,to:text,to_port:int,partitioner:text,kinds:[text],"
    "messages:int,bytes:int,rate:number}],"
    "executors:[{id:int,worker:int,host:text,pid:int,lanes:int,tasks:int,state:text}],"
    "tasks:[{processor:text,first:int,count:int,executor:int,lane:int}],"
    "events:[{time_ms:int,text:text,took_ms:int}],"
    "lost:{messages:int,in_doubt:int,at_least:bool},restarts:{used:int,max:int,window_ms:int},"
    "moves:{open:int,done:int,refused:int},last_error:text,guarantee:text}";

#define SAMPLED                                                                                    \
    "{count:int,p50_us:number?,p90_us:number?,p99_us:number?,p999_us:number?,max_us:number?}"

static const char metrics[] =
    "{app:int,name:text,state:text,awaits:text?,time_ms:int,interval_ms:int,clock_ms:int?,source_"
    "rate:number,"
    "sink_rate:number,latency:" SAMPLED ",critical_path:[text],"
    "stalled:[{processor:text,since_ms:int}],"
    "processors:[{name:text,tasks:int,in:int,out:int,bytes_in:int,bytes_out:int,rate_in:number,"
    "rate_out:number,busy:number,idle:number,blocked:number,queue:int,dead_letters:int,"
    "restarts:int,late:int,watermark_ms:int?,watermark_lag_ms:number?,latency:" SAMPLED
    ",processing:" SAMPLED ",slowest:[{task:int,executor:int,in:int,out:int,rate_in:number,"
    "rate_out:number,busy:number,blocked:number,queue:int,watermark_ms:int?,"
    "latency_p99_us:number?}]}],"
    "edges:[{from:text,to:text,kind:text,messages:int,bytes:int,rate:number,batches:int,"
    "fill:number,credit_waits:int}],"
    "executors:[{id:int,worker:int,host:text,pid:int,cpu:number,rss_bytes:int,fds:int,"
    "loop_lag_ms:number,connections:int,frames_in:int,frames_out:int,errors:int}],is_cut:bool,"
    "history?:{step_ms:int,end_ms:int,"
    "series:[{processor:text,executor:int,metric:text,values:[number?]}]}}";

/* clang-format off */
#define GET(path_, name_, doc_, params_, answer_, begin_, ask_)                                    \
    {.method = "GET", .path = (path_), .name = (name_), .doc = (doc_), .params = &(params_),       \
     .answer = (answer_), .begin = (begin_), .ask = (ask_)}
#define CHANGE(method_, path_, name_, doc_, params_, answer_, status_, ask_)                       \
    {.method = (method_), .path = (path_), .name = (name_), .doc = (doc_), .flags = API_MUTATES,   \
     .params = &(params_), .answer = (answer_), .status = (status_), .begin = api_ask_begin,       \
     .ask = (ask_)}
#define PLAIN(path_, name_, doc_, begin_)                                                          \
    {.method = "GET", .path = (path_), .name = (name_), .doc = (doc_),                             \
     .flags = API_ALWAYS | API_PLAIN, .params = &no_params, .begin = (begin_)}
/* clang-format on */

const struct api_endpoint api_endpoints[] = {
    GET("/api/v1/version", "version", "The version of this daemon.", no_params,
        "{version:text,abi:text}", api_version, 0),
    GET("/api/v1/masters", "masters",
        "How each master is: which leads, how far the others are behind.", no_params,
        "{masters:[{address:text,role:text,term:int,lag:int,last:int,committed:int,"
        "applied:int,elections:int,apply:{*:any}}]}",
        api_masters_show, 0),
    CHANGE("POST", "/api/v1/masters", "add_master", "Makes a running master a part of the group.",
           master_params, "{added:text}", 200, MSG_MASTER_ADD),
    CHANGE("DELETE", "/api/v1/masters/{address}", "remove_master",
           "Takes a master out of the group.", master_params, "{removed:text}", 200,
           MSG_MASTER_REMOVE),
    GET("/api/v1/workers", "workers", "The workers and their slots.", no_params,
        "{workers:[@worker]}", api_workers, MSG_WORKER_LIST),
    CHANGE("POST", "/api/v1/workers/{worker}/drain", "drain_worker",
           "Moves all tasks off a worker, so that it may stop.", drain_params, "@drained", 200,
           MSG_WORKER_DRAIN),
    GET("/api/v1/apps", "apps", "Applications that run.", apps_params,
        "{applications:[@application]}", api_apps, MSG_APP_LIST),
    {.method = "POST",
     .path = "/api/v1/apps",
     .name = "submit",
     .doc = "Starts an application: the body is its shared object.",
     .flags = API_MUTATES | API_UPLOADS,
     .params = &submit_params,
     .answer = "{id:int,name:text}",
     .status = 201,
     .begin = api_submit},
    GET("/api/v1/apps/{app}", "describe", "All about one application.", app_params, description,
        api_ask_begin, MSG_APP_DESCRIBE),
    GET("/api/v1/apps/{app}/metrics", "metrics", "How an application does, and how it did.",
        metrics_params, metrics, api_metrics, 0),
    GET("/api/v1/apps/{app}/logs", "logs", "The latest lines that an application wrote.",
        logs_params, "{app:int,lines:[{executor:int,line:text}],missing:[{executor:int,why:text}]}",
        api_logs, 0),
    CHANGE("POST", "/api/v1/apps/{app}/kill", "kill", "Ends an application.", app_params,
           "{id:int,name:text,state:text}", 200, MSG_APP_KILL),
    CHANGE("POST", "/api/v1/apps/{app}/restart", "restart",
           "Starts it once more, under a new id; what still runs of it is killed first.",
           restart_params, "{id:int}", 201, MSG_APP_RESTART),
    CHANGE("POST", "/api/v1/apps/{app}/rebalance", "rebalance",
           "Spreads its tasks evenly over the workers.", rebalance_params,
           "{app:text,tasks:int,moving:int,refused:[{processor:text,tasks:int,why:text}]}", 200,
           MSG_APP_REBALANCE),
    GET("/api/v1/config", "config", "The settings of this daemon.", no_params,
        "{settings:[{key:text,value:any,origin:text,default:text,kind:text,variable:text,doc:text}"
        "]}",
        api_config_show, 0),
    GET("/api/v1/plugins", "plugins", "What stands in this master's folders of plugins.", no_params,
        "{plugins:[{name:text,version:text,app:bool,file:text,services:text,state:text,why:text}]}",
        api_plugins, 0),
    {.method = "GET",
     .path = "/api/v1/events",
     .name = "events",
     .doc = "What happens in the cluster, as server-sent events: an id, and a cluster_event.",
     .flags = API_STREAM,
     .params = &no_params,
     .begin = api_events},
    GET("/api/v1/openapi.json", "openapi", "This document.", no_params, "{*:any}", api_document, 0),
    PLAIN("/metrics", "metrics_page", "Numbers for Prometheus.", api_metrics_page),
    PLAIN("/healthz", "healthz", "Whether this daemon is alive.", api_health),
    PLAIN("/readyz", "readyz", "Whether this daemon can do its work.", api_ready),
};
const uint32_t api_endpoint_count = ARRAY_LEN(api_endpoints);

const struct fields *api_params_all(void)
{
    return &all_params;
}

/* ---- routing ---- */

static bool is_served(const struct api_endpoint *e, bool is_worker)
{
    return !is_worker || (e->flags & API_ALWAYS) != 0;
}

/* The next part of a path; false: there is none. */
static bool next_part(gp_str *rest, gp_str *ret)
{
    if (rest->len == 0) {
        return false;
    }
    *rest = (gp_str){rest->ptr + 1, rest->len - 1}; /* the slash */
    for (ret->ptr = rest->ptr, ret->len = 0; ret->len < rest->len && ret->ptr[ret->len] != '/';) {
        ret->len++;
    }
    *rest = (gp_str){rest->ptr + ret->len, rest->len - ret->len};
    return true;
}

static bool is_parameter(gp_str part)
{
    return part.len > 2 && part.ptr[0] == '{';
}

static bool fits(const struct api_endpoint *e, const struct api_target *target)
{
    gp_str rest = gp_str_of(e->path);
    gp_str part;
    uint32_t i = 0;

    for (; next_part(&rest, &part); i++) {
        if (i == target->part_count ||
            (is_parameter(part) ? target->parts[i].len == 0 : !str_eq(part, target->parts[i]))) {
            return false;
        }
    }
    return i == target->part_count;
}

static void add_allowed(char *allow, size_t size, const char *method)
{
    size_t len = strlen(allow);

    (void)str_format(allow + len, size - len, "%s%s", len > 0 ? ", " : "", method);
    if (strcmp(method, "GET") == 0) {
        add_allowed(allow, size, "HEAD");
    }
}

static int not_found(const struct api_target *target, bool is_worker, struct gp_error *err)
{
    char path[256] = "";
    gp_str candidates[ARRAY_LEN(api_endpoints)];
    const gp_str *closest;
    size_t count = 0;
    size_t len = 0;

    for (uint32_t i = 0; i < target->part_count && len < sizeof path; i++) {
        int n = str_format(path + len, sizeof path - len, "/%.*s", STR_ARG(target->parts[i]));

        len = n < 0 ? sizeof path : len + (size_t)n;
    }
    for (uint32_t i = 0; i < api_endpoint_count; i++) {
        if (is_served(&api_endpoints[i], is_worker)) {
            candidates[count++] = gp_str_of(api_endpoints[i].path);
        }
    }
    closest = str_closest(gp_str_of(path), candidates, count);
    (void)gp_error_set(err, GP_ENOENT, "there is nothing at %s", *path ? path : "/");
    if (closest) {
        gp_error_hint(err, "did you mean %.*s?", STR_ARG(*closest));
    } else {
        gp_error_hint(err, "%s",
                      is_worker ? "/metrics, /healthz, /readyz" : "/api/v1/openapi.json");
    }
    return GP_ENOENT;
}

int api_route(const struct api_target *target, const char *method, bool is_worker,
              const struct api_endpoint **ret, char *ret_allow, size_t allow_size,
              struct gp_error *err)
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;

    ret_allow[0] = '\0';
    for (uint32_t i = 0; i < api_endpoint_count; i++) {
        const struct api_endpoint *e = &api_endpoints[i];

        if (!is_served(e, is_worker) || !fits(e, target)) {
            continue;
        }
        if (strcmp(e->method, wanted) == 0) {
            *ret = e;
            return 0;
        }
        add_allowed(ret_allow, allow_size, e->method);
    }
    if (*ret_allow) {
        (void)gp_error_set(err, GP_EUNSUPPORTED, "%.16s is not possible here", method);
        gp_error_hint(err, "%s", ret_allow);
        return GP_EUNSUPPORTED;
    }
    return not_found(target, is_worker, err);
}

/* ---- parameters as a struct ---- */

static const struct field *param_of(const struct fields *params, gp_str name)
{
    for (size_t i = 0; i < params->count; i++) {
        if (str_eq(gp_str_of(params->items[i].name), name)) {
            return &params->items[i];
        }
    }
    return NULL;
}

static int put(struct value *tree, const struct fields *params, gp_str name, gp_str text,
               struct gp_error *err)
{
    const struct field *field = param_of(params, name);
    bool is_list = field && field->kind == FIELD_KIND_TEXTS;
    struct value *list = is_list ? value_get(tree, name) : NULL;
    int rc;

    if (list) {
        return value_append_take(list, value_new_str(text));
    }
    if (is_list) {
        list = value_new_list();
        rc = list ? value_append_take(list, value_new_str(text)) : GP_ENOMEM;
        if (rc < 0) {
            value_free(list);
            return rc;
        }
        return value_add_take(tree, name, list);
    }
    /* "?all" is as good as "?all=true". */
    if (field && field->kind == FIELD_KIND_BOOL && text.len == 0) {
        text = GP_STR("true");
    }
    rc = value_add_take(tree, name, value_new_str(text));
    return rc == GP_EEXIST ? gp_error_set(err, GP_EINVAL, "%.*s: it is given twice", STR_ARG(name))
                           : rc;
}

int api_read_params(const struct api_endpoint *endpoint, const struct api_target *target,
                    struct api_params *ret, struct gp_error *err)
{
    struct value *tree = value_new_object();
    gp_str rest = gp_str_of(endpoint->path);
    gp_str part;
    int rc = tree ? 0 : GP_ENOMEM;

    for (uint32_t i = 0; rc == 0 && next_part(&rest, &part); i++) {
        if (is_parameter(part)) {
            part = (gp_str){part.ptr + 1, part.len - 2};
            rc = value_set_take(tree, part, value_new_str(target->parts[i]));
        }
    }
    for (uint32_t i = 0; rc == 0 && i < target->pair_count; i++) {
        rc = put(tree, endpoint->params, target->pairs[i].name, target->pairs[i].value, err);
    }
    if (rc == 0) {
        rc = fields_decode_strict(endpoint->params, tree, ret, NULL, err);
        rc = rc == GP_EPROTO ? err->code = GP_EINVAL : rc;
    }
    value_free(tree);
    return rc;
}
