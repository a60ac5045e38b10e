/*
 * api.c: requests to calls, calls to answers; see api.h.
 *
 *     request -> Host, Origin, token -> endpoint -> parameters -> begin() -> answer, now or later
 *             \-> an asset of the page
 *
 * Whatever is refused is refused with a status and one JSON object. A call whose connection has gone
 * stays until the leader has answered, as an ask cannot be taken back; they are bounded.
 */
#include "app/api.h"

#include <stdlib.h>
#include <string.h>

#include "app/page_asset.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

#define HEADERS_MAX 12u
#define ALLOW_MAX   64u

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

/* ---- statuses ---- */

static const struct {
    int code;
    uint32_t status;
} statuses[] = {
    {GP_EINVAL, 400},       {GP_EPROTO, 400},   {GP_EACCES, 403},   {GP_ENOENT, 404},
    {GP_EEXIST, 409},       {GP_ESTATE, 409},   {GP_ETOOBIG, 413},  {GP_EABI, 422},
    {GP_EUNSUPPORTED, 501}, {GP_EUNREACH, 503}, {GP_ECLOSED, 503},  {GP_ENOTLEADER, 503},
    {GP_EAGAIN, 503},       {GP_EFULL, 503},    {GP_ETIMEOUT, 504}, {GP_ENOSPC, 507},
};

static const struct {
    uint32_t status;
    const char *name;
} names[] = {
    {400, "bad_request"},        {401, "unauthorized"}, {403, "forbidden"}, {404, "not_found"},
    {405, "method_not_allowed"}, {409, "conflict"},     {413, "too_large"}, {422, "not_runnable"},
    {501, "unsupported"},        {503, "unavailable"},  {504, "timeout"},   {507, "no_space"},
};

static uint32_t status_of(int code)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        if (statuses[i].code == code) {
            return statuses[i].status;
        }
    }
    return 500;
}

static const char *name_of(uint32_t status)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (names[i].status == status) {
            return names[i].name;
        }
    }
    return "internal";
}

/* ---- answers ---- */

static const struct http_header safe_headers[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
     "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"},
};

struct api_reply {
    uint32_t status;
    struct http_header headers[HEADERS_MAX];
    uint32_t header_count;
    gp_bytes body;
    bool is_static;
};

static void add_header(struct api_reply *a, const char *name, const char *value)
{
    ASSERT(a->header_count < HEADERS_MAX);
    a->headers[a->header_count++] = (struct http_header){name, value};
}

static void answer_begin(struct api_reply *a, uint32_t status, const char *type)
{
    *a = (struct api_reply){.status = status};
    for (size_t i = 0; i < ARRAY_LEN(safe_headers); i++) {
        a->headers[a->header_count++] = safe_headers[i];
    }
    if (type) {
        add_header(a, "Content-Type", type);
    }
}

static struct http_reply reply_of(const struct api_reply *a)
{
    return (struct http_reply){.status = a->status,
                               .headers = a->headers,
                               .header_count = a->header_count,
                               .body = a->body,
                               .is_static = a->is_static};
}

static void send_answer(struct http_request *request, struct api_reply *a)
{
    struct http_reply reply = reply_of(a);

    (void)http_answer(request, &reply); /* without memory the connection ends, which says it */
}

static struct value *error_tree(uint32_t status, const struct gp_error *err)
{
    struct tree error;
    struct tree t;

    tree_begin(&error);
    tree_text(&error, "code", name_of(status));
    tree_text(&error, "what", error_sentence(err->code));
    tree_text(&error, "why", err->text);
    tree_text(&error, "try", err->hint);
    tree_begin(&t);
    tree_take(&t, "error", tree_end(&error));
    return tree_end(&t);
}

static void send_error(struct http_request *request, uint32_t status, const struct gp_error *err,
                       const char *allow)
{
    struct value *tree = error_tree(status, err);
    struct buf text = {0};
    struct api_reply a;

    answer_begin(&a, status, "application/json");
    add_header(&a, "Cache-Control", "no-store");
    if (allow) {
        add_header(&a, "Allow", allow);
    }
    if (status == 401) {
        add_header(&a, "WWW-Authenticate", "Bearer");
    }
    if (tree && value_print_json(tree, &text, VALUE_PRETTY) == 0) {
        (void)buf_append(&text, "\n", 1);
    }
    a.body = buf_bytes(&text);
    send_answer(request, &a);
    value_free(tree);
    buf_deinit(&text);
}

void api_answer_text(struct api_call *call, const char *type, gp_bytes text)
{
    struct api_reply a;

    if (!call->request || call->is_answered) {
        return;
    }
    call->is_answered = true;
    answer_begin(&a, call->endpoint->status ? call->endpoint->status : 200, type);
    add_header(&a, "Cache-Control", "no-store");
    a.body = text;
    send_answer(call->request, &a);
}

void api_fail(struct api_call *call, const struct gp_error *err)
{
    if (call->request && !call->is_answered) {
        call->is_answered = true;
        send_error(call->request, status_of(err->code), err, NULL);
    }
}

void api_answer_take(struct api_call *call, struct value *tree)
{
    struct buf text = {0};
    struct gp_error err;
    int rc = tree ? value_print_json(tree, &text, VALUE_PRETTY) : GP_ENOMEM;

    rc = rc < 0 ? rc : buf_append(&text, "\n", 1);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "the answer cannot be made: %s", error_sentence(rc));
        api_fail(call, &err);
    } else {
        api_answer_text(call, "application/json", buf_bytes(&text));
    }
    value_free(tree);
    buf_deinit(&text);
}

int api_stream_begin(struct api_call *call, const char *type, gp_bytes begin)
{
    struct http_reply reply;
    struct api_reply a;

    call->is_answered = true;
    answer_begin(&a, 200, type);
    add_header(&a, "Cache-Control", "no-store");
    a.body = begin;
    reply = reply_of(&a);
    return http_stream_begin(call->request, &reply);
}

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

static uint32_t upload_count(const struct api *api)
{
    uint32_t count = 0;

    LIST_FOREACH (node, &api->calls) {
        count += (LIST_ENTRY(node, struct api_call, node)->endpoint->flags & API_UPLOADS) != 0;
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
    if ((endpoint->flags & API_UPLOADS) && upload_count(api) == API_UPLOADS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u uploads are under way already", API_UPLOADS_MAX);
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

/* ---- the page ---- */

static bool send_asset(struct http_request *request, gp_str path)
{
    const char *known = http_header(request, "If-None-Match");
    struct api_reply a;

    for (size_t i = 0; i < page_assets_count; i++) {
        const struct page_asset *asset = &page_assets[i];

        if (!str_eq(gp_str_of(asset->path), path)) {
            continue;
        }
        answer_begin(&a, 200, asset->content_type);
        add_header(&a, "ETag", asset->etag);
        add_header(&a, "Cache-Control", "no-cache");
        add_header(&a, "Content-Encoding", "gzip");
        if (known && strcmp(known, asset->etag) == 0) {
            a.status = 304;
        } else {
            a.body = gp_bytes_of(asset->gzip, asset->length);
            a.is_static = true;
        }
        send_answer(request, &a);
        return true;
    }
    return false;
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
        send_error(request, status_of(err.code), &err, NULL);
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
        send_error(request, 405, &err, allow);
        goto cleanup;
    }
    status = guard(api, request, endpoint, &err);
    if (status > 0) {
        send_error(request, status, &err, NULL);
    } else if (rc == 0) {
        take_call(api, request, endpoint, target);
    } else if (rc != GP_ENOENT || api->is_worker || !is_read(request->method) ||
               !send_asset(request, path_of(request))) {
        send_error(request, status_of(rc), &err, NULL);
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

struct client *api_client(struct api *api)
{
    return api->client;
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
