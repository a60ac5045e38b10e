/* api_metrics.c: GET /api/v1/apps/{app}/metrics: the latest, and with a window what was before. */
#include "app/api.h"
#include "app/metrics_show.h"
#include "app/tree.h"
#include "base/str.h"

#define ASK_NS INT64_C(10000000000)

static void free_tree(struct api_call *call)
{
    value_free(call->state);
}

static int ask(struct api_call *call, uint32_t window, client_fn fn)
{
    const struct msg_metrics_read msg = {
        .app = call->params.app, .window = window, .processor = call->params.processor};

    return api_ask(call, MSG_METRICS_READ, &msg, ASK_NS, fn);
}

static void on_past(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct tree t = {call->state};

    call->state = NULL;
    if (code < 0) {
        value_free(t.object);
        api_fail(call, err);
    } else {
        tree_take(&t, "history", metrics_show_history(msg));
        api_answer_take(call, tree_end(&t));
    }
    api_asked(call);
}

static void on_latest(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct gp_error own;

    if (code < 0) {
        api_fail(call, err);
    } else if (call->params.window == METRICS_LATEST) {
        api_answer_take(call, metrics_show(msg));
    } else {
        call->state = metrics_show(msg);
        code = call->state ? ask(call, call->params.window, on_past) : GP_ENOMEM;
        if (code < 0) {
            (void)gp_error_set(&own, code, "%s", error_sentence(code));
            api_fail(call, &own);
        }
    }
    api_asked(call);
}

int api_metrics(struct api_call *call, struct gp_error *err)
{
    (void)err;
    call->state_free = free_tree;
    return ask(call, METRICS_LATEST, on_latest);
}
