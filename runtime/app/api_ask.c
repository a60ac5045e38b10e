/*
 * api_ask.c: endpoints that ask the leader one thing, or page by page, and show the answer as
 * gpctl -o json does.
 */
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/describe.h"
#include "app/settings.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define ASK_NS  INT64_C(10000000000)
#define SLOW_NS INT64_C(30000000000) /* until something has ended, or a group has changed */

/* How a message is made of the parameters, and its answer shown. */
struct asking {
    uint16_t type;
    void (*fill)(const struct api_params *params, void *msg);
    struct value *(*show)(const struct api_params *params, const void *msg);
    int64_t timeout_ns;
};

union any_ask {
    struct msg_app_ref app;
    struct msg_app_restart restart;
    struct msg_app_rebalance rebalance;
    struct msg_worker_drain drain;
    struct msg_master_ref master;
};

static void fill_app(const struct api_params *params, void *msg)
{
    *(struct msg_app_ref *)msg = (struct msg_app_ref){.app = params->app};
}

static struct value *show_description(const struct api_params *params, const void *msg)
{
    struct description *d = malloc(sizeof *d); /* large */
    struct value *tree = NULL;

    (void)params;
    if (d && description_init(d, msg, NULL) == 0) {
        tree = describe_tree(d);
        description_deinit(d);
    }
    free(d);
    return tree;
}

static struct value *show_kill(const struct api_params *params, const void *msg)
{
    (void)params;
    return show_killed(msg);
}

static void fill_restart(const struct api_params *params, void *msg)
{
    *(struct msg_app_restart *)msg =
        (struct msg_app_restart){.app = params->app, .request_id = params->request_id};
}

static struct value *show_restart(const struct api_params *params, const void *msg)
{
    (void)params;
    return show_restarted(((const struct msg_app_submitted *)msg)->id);
}

static void fill_rebalance(const struct api_params *params, void *msg)
{
    *(struct msg_app_rebalance *)msg =
        (struct msg_app_rebalance){.app = params->app,
                                   .spread = true,
                                   .force = params->force,
                                   .reason = (char *)(uintptr_t) "POST rebalance"};
}

static struct value *show_rebalance(const struct api_params *params, const void *msg)
{
    const struct msg_app_rebalanced *answer = msg;

    return show_rebalanced(params->app, answer, answer->moving);
}

static void fill_drain(const struct api_params *params, void *msg)
{
    *(struct msg_worker_drain *)msg = (struct msg_worker_drain){
        .worker = params->worker, .undo = params->undo, .force = params->force};
}

static struct value *show_drain(const struct api_params *params, const void *msg)
{
    (void)params;
    return show_drained(msg);
}

static void fill_master(const struct api_params *params, void *msg)
{
    *(struct msg_master_ref *)msg = (struct msg_master_ref){.address = params->address};
}

static struct value *show_address(const char *name, const struct api_params *params)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, name, params->address);
    return tree_end(&t);
}

static struct value *show_added(const struct api_params *params, const void *msg)
{
    (void)msg;
    return show_address("added", params);
}

static struct value *show_removed(const struct api_params *params, const void *msg)
{
    (void)msg;
    return show_address("removed", params);
}

static const struct asking askings[] = {
    {MSG_APP_DESCRIBE, fill_app, show_description, ASK_NS},
    {MSG_APP_KILL, fill_app, show_kill, SLOW_NS},
    {MSG_APP_RESTART, fill_restart, show_restart, SLOW_NS},
    {MSG_APP_REBALANCE, fill_rebalance, show_rebalance, ASK_NS},
    {MSG_WORKER_DRAIN, fill_drain, show_drain, ASK_NS},
    {MSG_MASTER_ADD, fill_master, show_added, SLOW_NS},
    {MSG_MASTER_REMOVE, fill_master, show_removed, SLOW_NS},
};

static const struct asking *asking_of(const struct api_call *call)
{
    for (size_t i = 0; i < ARRAY_LEN(askings); i++) {
        if (askings[i].type == call->endpoint->ask) {
            return &askings[i];
        }
    }
    UNREACHABLE();
}

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;

    if (code < 0) {
        api_fail(call, err);
    } else {
        api_answer_take(call, asking_of(call)->show(&call->params, msg));
    }
    api_asked(call);
}

/* A retry by us, when the leader changes, must not count twice. */
static int make_request_id(struct api_call *call)
{
    uint8_t random[16];
    char text[33];

    if (call->endpoint->ask != MSG_APP_RESTART || *call->params.request_id) {
        return 0;
    }
    port_random(api_port(call->api), random, sizeof random);
    hex_encode(random, sizeof random, text);
    free(call->params.request_id);
    call->params.request_id = str_dup(gp_str_of(text));
    return call->params.request_id ? 0 : GP_ENOMEM;
}

int api_ask_begin(struct api_call *call, struct gp_error *err)
{
    const struct asking *asking = asking_of(call);
    union any_ask msg;
    int rc = make_request_id(call);

    (void)err;
    if (rc < 0) {
        return rc;
    }
    memset(&msg, 0, sizeof msg);
    asking->fill(&call->params, &msg);
    return api_ask(call, asking->type, &msg, asking->timeout_ns, on_answer);
}

/* ---- lists, page by page ---- */

static void free_list(struct api_call *call)
{
    value_free(call->state);
}

static int ask_page(struct api_call *call, uint32_t after);

static void on_page(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    const bool is_apps = call->endpoint->ask == MSG_APP_LIST;
    const struct msg_app_page *apps = msg;
    const struct msg_worker_page *workers = msg;
    struct value *list = call->state;
    struct gp_error own;
    uint32_t count = code < 0 ? 0 : is_apps ? apps->apps_count : workers->workers_count;
    uint32_t next = code < 0 ? 0 : is_apps ? apps->next : workers->next;

    for (uint32_t i = 0; i < count; i++) {
        tree_push_take(&list,
                       is_apps ? show_app(&apps->apps[i]) : show_worker(&workers->workers[i]));
    }
    call->state = list;
    if (code < 0) {
        api_fail(call, err);
    } else if (next == 0 || !list) {
        call->state = NULL;
        api_answer_take(call, show_under_take(is_apps ? "applications" : "workers", list));
    } else if ((code = ask_page(call, next)) < 0) {
        (void)gp_error_set(&own, code, "%s", error_sentence(code));
        api_fail(call, &own);
    }
    api_asked(call);
}

static int ask_page(struct api_call *call, uint32_t after)
{
    const struct msg_app_list apps = {.all = call->params.all, .after = after};
    const struct msg_worker_list workers = {.after = after};
    const bool is_apps = call->endpoint->ask == MSG_APP_LIST;

    return api_ask(call, call->endpoint->ask,
                   is_apps ? (const void *)&apps : (const void *)&workers, ASK_NS, on_page);
}

static int list_begin(struct api_call *call)
{
    call->state = value_new_list();
    call->state_free = free_list;
    return call->state ? ask_page(call, 0) : GP_ENOMEM;
}

int api_workers(struct api_call *call, struct gp_error *err)
{
    (void)err;
    return list_begin(call);
}

int api_apps(struct api_call *call, struct gp_error *err)
{
    (void)err;
    return list_begin(call);
}

/* ---- what this daemon knows by itself ---- */

int api_version(struct api_call *call, struct gp_error *err)
{
    (void)err;
    api_answer_take(call, show_version());
    return 0;
}

int api_config_show(struct api_call *call, struct gp_error *err)
{
    (void)err;
    api_answer_take(call, show_under_take("settings", settings_list(api_config(call->api))));
    return 0;
}

int api_document(struct api_call *call, struct gp_error *err)
{
    (void)err;
    api_answer_take(call, api_openapi(api_port(call->api)));
    return 0;
}
