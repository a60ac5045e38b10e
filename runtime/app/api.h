/*
 * api.h: what a daemon answers over HTTP: REST, events, health, metrics, the page.
 *
 *   api.c          requests to calls: who may, which endpoint, which parameters
 *   api_reply.c    answers, errors, the files of the page
 *   api_words.c    gpctl's words as those of REST
 *   api_guard.c    Host, Origin, token
 *   api_table.c    the endpoints, as data
 *   api_openapi.c  the same as an OpenAPI document
 *   api_ask.c      those that ask the leader one thing
 *   api_submit.c, api_logs.c, api_events.c, api_masters.c, api_plugins.c   the others
 *   api_target.c   targets taken apart
 *
 * The table of endpoints says everything of each: routing, parameters, the document and the tests
 * come from it. A call is one request on its way: it lives until nobody waits for it any more,
 * neither the one who asked nor we for the leader. Handlers reach the cluster as gpctl does, so
 * every master answers alike.
 */
#ifndef APP_API_H
#define APP_API_H

#include "app/api_target.h"
#include "app/config.h"
#include "base/list.h"
#include "control/client/client.h"
#include "port/port.h"
#include "wire/fields.h"

#define API_CALLS_MAX   1024u
#define API_UPLOADS_MAX 4u /* of those: each is a file */
/* Streams, of each of which an ask waits at the leader: five masters leave EVENT_WAITERS_MAX some
 * for gpctl. */
#define API_STREAMS_MAX 128u

struct api;
struct api_call;

/* Every parameter that any endpoint has; the table of each says which are its own. */
struct api_params {
    char *app;
    char *worker;
    char *address;
    bool all;
    bool undo;
    bool force;
    char *name;
    uint32_t executors;
    char **set;
    uint32_t set_count;
    char **parallelism;
    uint32_t parallelism_count;
    char **place;
    uint32_t place_count;
    uint32_t priority; /* enum app_priority */
    bool no_wait;
    int64_t executor; /* -1: all */
    uint32_t level;   /* enum log_level */
    char *since;
    uint32_t tail;
    uint32_t window;
    char *processor;
    char *request_id;
    char *sha256;
};

enum api_flags {
    API_MUTATES = 1, /* needs the token */
    API_UPLOADS = 2, /* has a body: handed to call->on_body */
    API_ALWAYS = 4,  /* also on a worker */
    API_PLAIN = 8,   /* text, no JSON */
    API_STREAM = 16,
};

struct api_endpoint {
    const char *method;
    const char *path; /* "/api/v1/apps/{app}": {app} is the parameter of that name */
    const char *name; /* operationId */
    const char *doc;
    uint32_t flags;
    const struct fields *params; /* of struct api_params */
    const char *answer;          /* its shape, see api_openapi.c; NULL: not JSON */
    uint32_t status;             /* of success; 0: 200 */
    /* Begins to answer. Negative: that is the answer. */
    int (*begin)(struct api_call *call, struct gp_error *err);
    uint16_t ask; /* api_ask.c: the message, ... */
};

struct api_call {
    struct list_node node;
    struct api *api;
    struct http_request *request; /* NULL: nobody waits for the answer any more */
    const struct api_endpoint *endpoint;
    struct api_params params;
    uint32_t asks; /* of the leader, under way */
    bool is_begun;
    bool is_answered;
    void *state; /* of the handler */
    void (*state_free)(struct api_call *call);
    size_t (*on_body)(struct api_call *call, gp_bytes piece);
    void (*on_body_end)(struct api_call *call);
    void (*on_gone)(struct api_call *call); /* request is NULL now */
};

struct api_options {
    const struct port *port;
    const struct config *config;
    const char *const *masters; /* whom to ask */
    uint32_t master_count;
    gp_bytes secret;
    const char *folder; /* for uploads on their way */
    bool is_worker;     /* health and metrics alone */
    /* Whether this daemon can do its work. */
    bool (*is_ready)(void *user);
    /* The text of /metrics; may be NULL. */
    int (*metrics)(void *user, struct buf *out);
    void *user;
};

/* Listens from now on. The configuration outlives it, the rest is copied. */
int api_new(const struct api_options *options, struct api **ret, struct gp_error *err);
void api_free(struct api *api); /* NULL is fine */

/* "http://127.0.0.1:8090" */
const char *api_url(const struct api *api);
const char *api_token_path(const struct api *api);

/* ---- for handlers ---- */

const struct port *api_port(const struct api *api);
const struct config *api_config(const struct api *api);
/* One more, for an upload; the caller frees it. */
int api_client_new(struct api *api, struct client **ret, struct gp_error *err);
const char *api_folder(const struct api *api);
/* The configured masters, or the one of this daemon. */
const char *const *api_masters(const struct api *api, uint32_t *ret_count);
uint64_t api_next(struct api *api); /* a number never given before */

/* Answers once; nobody there is fine. NULL tree: no memory. */
void api_answer_take(struct api_call *call, struct value *tree);
void api_answer_text(struct api_call *call, const char *type, gp_bytes text);
/* The head of an answer that goes on with http_stream_write(). */
int api_stream_begin(struct api_call *call, const char *type, gp_bytes begin);
void api_fail(struct api_call *call, const struct gp_error *err);
/* An ask of the leader whose answer finds the call alive. As client_ask_for(). */
int api_ask(struct api_call *call, uint16_t type, const void *msg, int64_t timeout_ns,
            client_fn fn);
/* The callback of an ask is over: to be called last in it. */
void api_asked(struct api_call *call);

/* ---- api_reply.c ---- */

uint32_t api_status_of(int code);
/* allow: the methods that are possible; NULL: it is not about them. */
void api_refuse(struct http_request *request, uint32_t status, const struct gp_error *err,
                const char *allow);
/* False: there is no such file of the page. */
bool api_send_asset(struct http_request *request, gp_str path);

/* Cut where out is too small. */
void api_words(const char *text, char *out, size_t size);

/* ---- the table ---- */

extern const struct api_endpoint api_endpoints[];
extern const uint32_t api_endpoint_count;
const struct fields *api_params_all(void);

/* The document. NULL: no memory. */
struct value *api_openapi(const struct port *port);

/* What fits a target: found, or GP_ENOENT (with the nearest), GP_EUNSUPPORTED (*ret_allow has the
 * methods). */
int api_route(const struct api_target *target, const char *method, bool is_worker,
              const struct api_endpoint **ret, char *ret_allow, size_t allow_size,
              struct gp_error *err);
/* Parameters from path and query. GP_EINVAL names the one that is wrong. */
int api_read_params(const struct api_endpoint *endpoint, const struct api_target *target,
                    struct api_params *ret, struct gp_error *err);

/* ---- api_guard.c ---- */

bool api_host_is_ours(const struct config *config, const char *host_name, const char *host);
bool api_origin_is_ours(const char *origin, const char *host);
bool api_token_matches(const struct edge_secret *token, const char *authorization);
/* Reads the token, made at the first start; ret_path is where. */
int api_token_load(const struct config *config, struct edge_secret *ret,
                   char ret_path[EDGE_PATH_MAX], struct gp_error *err);

#define API_BEGIN(name) int name(struct api_call *call, struct gp_error *err)

API_BEGIN(api_ask_begin); /* as endpoint->ask says */
API_BEGIN(api_version);
API_BEGIN(api_config_show);
API_BEGIN(api_document);
API_BEGIN(api_plugins);
API_BEGIN(api_workers);
API_BEGIN(api_apps);
API_BEGIN(api_masters_show);
API_BEGIN(api_submit);
API_BEGIN(api_logs);
API_BEGIN(api_metrics);
API_BEGIN(api_events);
API_BEGIN(api_health);
API_BEGIN(api_ready);
API_BEGIN(api_metrics_page);

#endif
