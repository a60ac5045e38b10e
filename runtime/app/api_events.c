/*
 * api_events.c: GET /api/v1/events: what happens in the cluster, as server-sent events.
 *
 *     ask the leader (a long poll) -> write what came, or a comment -> ask again
 *
 * An id is TERM.NUMBER: numbers begin anew with a new leader, so one of another term means "from
 * the oldest kept". A reader who is too slow is cut off by the server, and comes again with its
 * last id.
 */
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/show.h"
#include "base/str.h"

#define POLL_MS      10000u
#define ASK_NS       INT64_C(20000000000)
#define AGAIN_NS     INT64_C(1000000000)
#define EVENTS_LIMIT 100u

struct following {
    uint64_t term;
    uint64_t after;
    bool is_sure;        /* that these are numbers of the present leader */
    struct timer *again; /* the leader did not answer */
};

static void follow_free(struct api_call *call)
{
    struct following *f = call->state;

    if (f) {
        timer_free(f->again);
        free(f);
    }
}

static void on_gone(struct api_call *call)
{
    struct following *f = call->state;

    timer_stop(f->again);
}

static int write_event(struct api_call *call, const struct msg_cluster_events *page,
                       const struct msg_cluster_event *event)
{
    struct value *tree = show_fields(&msg_cluster_event_fields, event);
    struct buf json = {0};
    struct buf text = {0};
    int rc = tree ? value_print_json(tree, &json, VALUE_COMPACT) : GP_ENOMEM;

    if (rc == 0) {
        rc = buf_append_fmt(&text, "id: %llu.%llu\ndata: %.*s\n\n", (unsigned long long)page->term,
                            (unsigned long long)event->seq, STR_ARG(buf_str(&json)));
    }
    rc = rc < 0 ? rc : http_stream_write(call->request, buf_bytes(&text));
    value_free(tree);
    buf_deinit(&json);
    buf_deinit(&text);
    return rc;
}

static void ask_again(struct api_call *call);

static void on_events(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct following *f = call->state;
    const struct msg_cluster_events *page = msg;
    int rc = 0;

    (void)err; /* a leader will be there again: the reader need not know */
    if (!call->request) {
        api_asked(call);
        return;
    }
    f->is_sure = code >= 0;
    if (code >= 0 && page->term != f->term && f->after > 0) {
        f->after = 0; /* those numbers were another leader's */
        f->term = page->term;
    } else if (code >= 0) {
        f->term = page->term;
        f->after = page->next;
        for (uint32_t i = 0; rc == 0 && i < page->events_count; i++) {
            rc = write_event(call, page, &page->events[i]);
        }
    }
    if (rc == 0 && (code < 0 || page->events_count == 0)) {
        rc = http_stream_write(call->request, gp_bytes_of(": here\n\n", 8));
    }
    if (rc == 0 && code < 0) {
        timer_start(f->again, AGAIN_NS);
    } else if (rc == 0) {
        ask_again(call);
    }
    api_asked(call);
}

static void ask_again(struct api_call *call)
{
    const struct following *f = call->state;
    const struct msg_cluster_events_read ask = {
        .after = f->after, .limit = EVENTS_LIMIT, .timeout_ms = f->is_sure ? POLL_MS : 0};

    if (api_ask(call, MSG_CLUSTER_EVENTS, &ask, ASK_NS, on_events) < 0) {
        timer_start(f->again, AGAIN_NS);
    }
}

static void on_again(void *user)
{
    ask_again(user);
}

int api_events(struct api_call *call, struct gp_error *err)
{
    static const char hello[] = "retry: 1000\n\n";
    const char *last = http_header(call->request, "Last-Event-ID");
    struct following *f = calloc(1, sizeof *f);
    int rc;

    if (!f) {
        return GP_ENOMEM;
    }
    call->state = f;
    call->state_free = follow_free;
    rc = timer_new(api_port(call->api)->loop, on_again, call, &f->again);
    if (rc < 0) {
        return rc;
    }
    if (last && *last && api_event_id_parse(gp_str_of(last), &f->term, &f->after) < 0) {
        return gp_error_set(err, GP_EINVAL, "Last-Event-ID: '%.64s' is no id of an event", last);
    }
    call->on_gone = on_gone;
    rc = api_stream_begin(call, "text/event-stream", gp_bytes_of(hello, sizeof hello - 1));
    if (rc == 0) {
        ask_again(call);
    }
    return rc;
}
