/*
 * api.c: requests to calls, calls to answers; see api.h.
 *
 *     request -> Host, Origin, token -> endpoint -> parameters -> begin() -> answer, now or later
 *             \-> an asset of the page
 *
 * Whatever is refused is refused with a status and one JSON object. A call whose connection has
 * gone stays until the leader has answered, as an ask cannot be taken back; they are bounded.
 */
#include "app/api.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

#define ALLOW_MAX 64u

struct api {
    const struct port *port;
    const struct config *config;
    struct http_server *server;
    struct client *client;
    struct edge_secret token;
    struct edge_secret secret;
    char token_path[EDGE_PATH_MAX];
    char folder[EDGE_PATH_MAX];
    char url[NET_ADDR_MAX + 16];
    char host_name[256];
    char masters[MSG_MASTERS_MAX][NET_ADDR_MAX];
    const char *master_list[MSG_MASTERS_MAX];
    uint32_t master_count;
    bool is_worker;
    bool reads_need_token;
    bool (*is_ready)(void *user);
    int (*metrics)(void *user, struct buf *out);
    void *user;
    struct list calls;
    uint32_t call_count;
    uint64_t next;
};

/* ---- calls ---- */

static void call_free(struct api_call *call)
{
    if (call->state_free) {
        call->state_free(call);
    }
    fields_deinit(api_params_all(), &call->params);
    list_remove(&call->node);
    call->api->call_count--;
    free(call);
}

static void call_look(struct api_call *call)
{
    if (!call->request && call->asks == 0 && !call->is_begun) {
        call_free(call);
    }
}

int api_ask(struct api_call *call, uint16_t type, const void *msg, int64_t timeout_ns, client_fn fn)
{
    int rc = client_ask_for(call->api->client, type, msg, timeout_ns, fn, call);

    call->asks += rc >= 0;
    return rc;
}

void api_asked(struct api_call *call)
{
    ASSERT(call->asks > 0);
    call->asks--;
    call_look(call);
}

static uint32_t count_with(const struct api *api, uint32_t flag)
{
    uint32_t count = 0;

    LIST_FOREACH (node, &api->calls) {
        count += (LIST_ENTRY(node, struct api_call, node)->endpoint->flags & flag) != 0;
    }
    return count;
}

static int call_new(struct api *api, struct http_request *request,
                    const struct api_endpoint *endpoint, struct api_call **ret,
                    struct gp_error *err)
{
    struct api_call *call;

    if (api->call_count == API_CALLS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u requests are being answered already", API_CALLS_MAX);
    }
    if ((endpoint->flags & API_UPLOADS) && count_with(api, API_UPLOADS) == API_UPLOADS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u uploads are under way already", API_UPLOADS_MAX);
    }
    if ((endpoint->flags & API_STREAM) && count_with(api, API_STREAM) == API_STREAMS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u read events here already", API_STREAMS_MAX);
    }
    call = calloc(1, sizeof *call);
    if (!call) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    list_node_init(&call->node);
    list_push_back(&api->calls, &call->node);
    api->call_count++;
    *call =
        (struct api_call){.node = call->node, .api = api, .request = request, .endpoint = endpoint};
    request->user = call;
    *ret = call;
    return 0;
}

/* ---- requests ---- */

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* 0, or the status of the refusal. */
static uint32_t guard(const struct api *api, const struct http_request *request,
                      const struct api_endpoint *endpoint, struct gp_error *err)
{
    const char *host = http_header(request, "Host");
    const bool mutates = !is_read(request->method);

    if (request->is_ambiguous) {
        (void)gp_error_set(err, GP_EINVAL, "a header that there is one of comes twice");
        return 400;
    }
    if (!api_host_is_ours(api->config, api->host_name, host)) {
        (void)gp_error_set(err, GP_EACCES, "this daemon is not called '%s'", host ? host : "");
        gp_error_hint(err, "%s", api->url);
        return 403;
    }
    if (mutates && !api_origin_is_ours(http_header(request, "Origin"), host)) {
        (void)gp_error_set(err, GP_EACCES, "a page of another site may not do that");
        return 403;
    }
    if ((mutates || (api->reads_need_token && endpoint && !(endpoint->flags & API_ALWAYS))) &&
        !api_token_matches(&api->token, http_header(request, "Authorization"))) {
        (void)gp_error_set(err, GP_EACCES, "the token is missing, or is another one");
        gp_error_hint(err,
                      "Authorization: Bearer TOKEN, with the token of %s on the host of the "
                      "daemon",
                      api->token_path);
        return 401;
    }
    return 0;
}

static gp_str path_of(const struct http_request *request)
{
    gp_str path;
    gp_str query;

    (void)str_cut(gp_str_of(request->target), '?', &path, &query);
    return path;
}

static uint64_t body_max(const struct api *api, const struct api_endpoint *endpoint)
{
    return endpoint->flags & API_UPLOADS ? api->config->limits.upload_bytes : 0;
}

static int check_body(const struct api *api, const struct api_endpoint *endpoint,
                      const struct http_request *request, struct gp_error *err)
{
    uint64_t max = body_max(api, endpoint);

    if (max == 0 && request->has_body) {
        return gp_error_set(err, GP_EINVAL, "%s %s takes no body", endpoint->method,
                            endpoint->path);
    }
    if (request->has_body && request->body_size != UINT64_MAX && request->body_size > max) {
        (void)gp_error_set(err, GP_ETOOBIG, "the body has %llu bytes, at most %llu are taken",
                           (unsigned long long)request->body_size, (unsigned long long)max);
        gp_error_hint(err, "limits.upload_bytes");
        return GP_ETOOBIG;
    }
    return 0;
}

static void take_call(struct api *api, struct http_request *request,
                      const struct api_endpoint *endpoint, const struct api_target *target)
{
    struct gp_error err = {0};
    struct api_call *call = NULL;
    int rc = check_body(api, endpoint, request, &err);

    rc = rc < 0 ? rc : call_new(api, request, endpoint, &call, &err);
    rc = rc < 0 ? rc : api_read_params(endpoint, target, &call->params, &err);
    if (rc == 0 && call) {
        call->is_begun = true; /* it stays until begin() has returned */
        rc = endpoint->begin(call, &err);
        call->is_begun = false;
    }
    if (rc < 0 && err.code == 0) {
        (void)gp_error_set(&err, rc, "%s", error_sentence(rc));
    }
    if (rc < 0 && call) {
        api_fail(call, &err);
    } else if (rc < 0) {
        api_refuse(request, api_status_of(err.code), &err, NULL);
    }
}

static void on_request(void *user, struct http_request *request)
{
    struct api *api = user;
    const struct api_endpoint *endpoint = NULL;
    struct api_target *target = malloc(sizeof *target); /* large */
    char allow[ALLOW_MAX] = "";
    struct gp_error err = {0};
    uint32_t status = 0;
    int rc = target ? api_target_parse(gp_str_of(request->target), target, &err)
                    : gp_error_set(&err, GP_ENOMEM, "out of memory");

    request->user = NULL;
    if (rc == 0) {
        rc = api_route(target, request->method, api->is_worker, &endpoint, allow, sizeof allow,
                       &err);
    }
    if (rc == GP_EUNSUPPORTED) {
        api_refuse(request, 405, &err, allow);
        goto cleanup;
    }
    status = guard(api, request, endpoint, &err);
    if (status > 0) {
        api_refuse(request, status, &err, NULL);
    } else if (rc == 0) {
        take_call(api, request, endpoint, target);
    } else if (rc != GP_ENOENT || api->is_worker || !is_read(request->method) ||
               !api_send_asset(request, path_of(request))) {
        api_refuse(request, api_status_of(rc), &err, NULL);
    }
cleanup:
    free(target);
}

static size_t on_body(void *user, struct http_request *request, gp_bytes piece)
{
    struct api_call *call = request->user;

    (void)user;
    return call && call->on_body ? call->on_body(call, piece) : piece.len;
}

static void on_body_end(void *user, struct http_request *request)
{
    struct api_call *call = request->user;

    (void)user;
    if (call && call->on_body_end) {
        call->on_body_end(call);
    }
}

static void on_end(void *user, struct http_request *request)
{
    struct api_call *call = request->user;

    (void)user;
    if (call) {
        call->request = NULL;
        if (call->on_gone) {
            call->on_gone(call);
        }
        call_look(call);
    }
}

static const struct http_events events = {on_request, on_body, on_body_end, on_end};

/* ---- life ---- */

int api_client_new(struct api *api, struct client **ret, struct gp_error *err)
{
    const struct client_options options = {.port = api->port,
                                           .masters = api->master_list,
                                           .master_count = api->master_count,
                                           .secret =
                                               gp_bytes_of(api->secret.text, api->secret.len)};

    return client_new(&options, ret, err);
}

static int copy_options(struct api *api, const struct api_options *options, struct gp_error *err)
{
    api->port = options->port;
    api->config = options->config;
    api->is_worker = options->is_worker;
    api->is_ready = options->is_ready;
    api->metrics = options->metrics;
    api->user = options->user;
    api->reads_need_token = options->config->http.read_token ||
                            !config_host_is_loopback(gp_str_of(options->config->http.bind));
    options->port->ops->host_name(options->port->world, api->host_name, sizeof api->host_name);
    if (options->secret.len > sizeof api->secret.text || options->master_count > MSG_MASTERS_MAX ||
        str_format(api->folder, sizeof api->folder, "%s", options->folder) < 0) {
        return gp_error_set(err, GP_EINVAL, "the web server cannot be started with these settings");
    }
    memcpy(api->secret.text, options->secret.ptr, options->secret.len);
    api->secret.len = options->secret.len;
    for (uint32_t i = 0; i < options->master_count; i++) {
        (void)str_format(api->masters[i], sizeof api->masters[i], "%s", options->masters[i]);
        api->master_list[i] = api->masters[i];
    }
    api->master_count = options->master_count;
    return 0;
}

static int listen_at(struct api *api, uint32_t tcp_port, struct gp_error *err)
{
    const struct config_http *http = &api->config->http;
    const bool is_ip6 = strchr(http->bind, ':') != NULL && http->bind[0] != '[';
    struct net_addr addr;
    struct http_spec spec = {.addr = &addr,
                             .events = &events,
                             .user = api,
                             .connections_max = http->connections,
                             .per_address_max = http->per_address};

    if (str_format(addr.text, sizeof addr.text, is_ip6 ? "[%s]:%u" : "%s:%u", http->bind,
                   tcp_port) < 0) {
        return gp_error_set(err, GP_EINVAL, "http.bind: %s is too long", http->bind);
    }
    return port_http_start(api->port, &spec, &api->server, err);
}

static int start(struct api *api, struct gp_error *err)
{
    uint32_t tcp_port = api->config->http.port;
    struct net_addr addr;
    int rc;

    if (api->is_worker && tcp_port == CONFIG_HTTP_PORT) {
        tcp_port = 0;
    }
    rc = listen_at(api, tcp_port, err);
    if (rc == GP_EADDRINUSE && tcp_port == CONFIG_HTTP_PORT) {
        LOG_WARN(api->port->log, "http.port_taken", KV_U64("port", tcp_port),
                 KV_STR("hint", "http.port says which port to take; now it is a free one"));
        rc = listen_at(api, 0, err);
    }
    if (rc == GP_EADDRINUSE) {
        err->code = rc = GP_EEXIST; /* a conflict, for the exit code */
        gp_error_hint(err, "--set http.port=0 takes any that is free");
    }
    if (rc == 0) {
        http_addr(api->server, &addr);
        (void)str_format(api->url, sizeof api->url, "http://%s", addr.text);
        LOG_INFO(api->port->log, "http.listening", KV_STR("url", api->url));
    }
    return rc;
}

int api_new(const struct api_options *options, struct api **ret, struct gp_error *err)
{
    struct api *api = calloc(1, sizeof *api);
    int rc;

    if (!api) {
        return gp_error_set(err, GP_ENOMEM, "starting the web server");
    }
    list_init(&api->calls);
    rc = copy_options(api, options, err);
    if (rc == 0 && !api->is_worker) { /* uploads that an earlier life was cut off in */
        (void)api->port->fs->remove_tree(api->port->world, api->folder, NULL);
    }
    rc = rc < 0 ? rc : api_token_load(options->config, &api->token, api->token_path, err);
    if (rc == 0 && !api->is_worker) {
        rc = api_client_new(api, &api->client, err);
    }
    rc = rc < 0 ? rc : start(api, err);
    if (rc < 0) {
        api_free(api);
        return rc;
    }
    *ret = api;
    return 0;
}

void api_free(struct api *api)
{
    if (!api) {
        return;
    }
    http_stop(api->server);
    client_free(api->client); /* no answer comes any more */
    while (!list_is_empty(&api->calls)) {
        call_free(LIST_ENTRY(list_first(&api->calls), struct api_call, node));
    }
    explicit_bzero(&api->token, sizeof api->token);
    explicit_bzero(&api->secret, sizeof api->secret);
    free(api);
}

/* ---- for handlers ---- */

const char *api_url(const struct api *api)
{
    return api->url;
}

const char *api_token_path(const struct api *api)
{
    return api->token_path;
}

const struct port *api_port(const struct api *api)
{
    return api->port;
}

const struct config *api_config(const struct api *api)
{
    return api->config;
}

const char *api_folder(const struct api *api)
{
    return api->folder;
}

const char *const *api_masters(const struct api *api, uint32_t *ret_count)
{
    *ret_count = api->master_count;
    return api->master_list;
}

uint64_t api_next(struct api *api)
{
    return ++api->next;
}

/* ---- health: the loop turns, or there would be no answer ---- */

int api_health(struct api_call *call, struct gp_error *err)
{
    (void)err;
    api_answer_text(call, "text/plain; charset=utf-8", gp_bytes_of("ok\n", 3));
    return 0;
}

int api_ready(struct api_call *call, struct gp_error *err)
{
    const struct api *api = call->api;

    if (api->is_ready && !api->is_ready(api->user)) {
        return gp_error_set(err, GP_EAGAIN, "%s",
                            api->is_worker ? "no master has registered this worker"
                                           : "no master leads, or this one is behind");
    }
    api_answer_text(call, "text/plain; charset=utf-8", gp_bytes_of("ready\n", 6));
    return 0;
}

int api_metrics_page(struct api_call *call, struct gp_error *err)
{
    const struct api *api = call->api;
    struct buf text = {0};
    int rc = api->metrics ? api->metrics(api->user, &text)
                          : gp_error_set(err, GP_EUNSUPPORTED, "this daemon has no metrics");

    if (rc == 0) {
        api_answer_text(call, "text/plain; version=0.0.4; charset=utf-8", buf_bytes(&text));
    }
    buf_deinit(&text);
    return rc;
}
