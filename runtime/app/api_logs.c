/*
 * api_logs.c: GET /api/v1/apps/{app}/logs: the latest lines of an application, from the workers it
 * ran on, as gpctl logs -o json prints them.
 *
 *     describe -> who hosts which executor -> the end of each log, one after the other -> answer
 *
 * The answer is bounded: the last `tail` lines of each executor that are wanted, of the last
 * LOOK_BYTES of its log, and ANSWER_BYTES in all. A log that cannot be read, or has no room any
 * more, is named in `missing`, with the reason; the others are there.
 */
#include <stdlib.h>
#include <string.h>

#include "app/api.h"
#include "app/log_line.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/str.h"

#define ASK_NS       INT64_C(10000000000)
#define LOOK_BYTES   (256u << 10)
#define ANSWER_BYTES (4u << 20)
#define SOURCES_MAX  1025u
#define NS_PER_MS    INT64_C(1000000)

struct log_source {
    uint32_t executor;
    char address[MSG_ADDRESS_MAX + 1];
};

struct reading {
    struct client *client;
    uint32_t app;
    struct log_filter filter;
    struct log_source *sources;
    uint32_t source_count;
    uint32_t at;
    bool knows_end;
    uint64_t begin; /* of what is read; 0: nothing was left out */
    uint64_t offset;
    size_t taken;    /* bytes of lines */
    struct buf text; /* of the source at */
    struct value *lines;
    struct value *missing;
};

static void reading_free(struct api_call *call)
{
    struct reading *r = call->state;

    if (r) {
        client_free(r->client);
        free(r->sources);
        buf_deinit(&r->text);
        value_free(r->lines);
        value_free(r->missing);
        free(r);
    }
}

static void read_more(struct api_call *call);

static void finish(struct api_call *call)
{
    struct reading *r = call->state;
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "app", r->app);
    tree_take(&t, "lines", r->lines);
    tree_take(&t, "missing", r->missing);
    r->lines = NULL;
    r->missing = NULL;
    api_answer_take(call, tree_end(&t));
}

static void miss(struct reading *r, const char *why)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "executor", r->sources[r->at].executor);
    tree_text(&t, "why", why);
    tree_push_take(&r->missing, tree_end(&t));
}

/* Appends the lines of the text that are wanted, but one whose beginning was cut off. GP_ENOMEM. */
static int filter_lines(const struct reading *r, bool is_cut, struct buf *ret)
{
    struct log_state state = {0};
    gp_str rest = buf_str(&r->text);
    gp_str line;
    int rc = 0;

    while (rc >= 0 && rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        if (!is_cut && log_line_passes(&r->filter, &state, line)) {
            rc = buf_append_str(ret, line);
            rc = rc < 0 ? rc : buf_append(ret, "\n", 1);
        }
        is_cut = false;
    }
    return rc;
}

/* The last lines of a text, each of which ends with a newline. */
static gp_str last_lines(gp_str text, uint32_t wanted)
{
    uint32_t count = 0;
    size_t from = text.len;

    while (from > 0 && (text.ptr[from - 1] != '\n' || count++ < wanted)) {
        from--;
    }
    return (gp_str){text.ptr + from, text.len - from};
}

/* The last lines of what was read. */
static void take_lines(struct api_call *call)
{
    struct reading *r = call->state;
    struct buf wanted = {0};
    gp_str rest;
    gp_str line;

    if (filter_lines(r, r->begin > 0, &wanted) < 0) {
        miss(r, error_sentence(GP_ENOMEM));
    }
    rest = last_lines(buf_str(&wanted), call->params.tail);
    if (rest.len > ANSWER_BYTES - r->taken) {
        miss(r, "the answer is full: ask for this executor alone, or for fewer lines");
        rest.len = 0;
    }
    r->taken += rest.len;
    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        tree_push_take(&r->lines, show_log_line(r->sources[r->at].executor, line));
    }
    buf_deinit(&wanted);
}

static void next_source(struct api_call *call)
{
    struct reading *r = call->state;

    r->at++;
    r->knows_end = false;
    buf_clear(&r->text);
    read_more(call);
}

static void on_text(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct reading *r = call->state;
    const struct msg_log_text *answer = msg;

    if (code < 0) {
        miss(r, err->text);
        next_source(call);
        return;
    }
    if (!r->knows_end) { /* that was to learn where it ends */
        r->knows_end = true;
        r->offset = answer->end > LOOK_BYTES ? answer->end - LOOK_BYTES : 0;
        r->begin = r->offset;
    } else {
        r->offset = answer->offset + strlen(answer->text);
        if (buf_append_c(&r->text, answer->text) < 0 || r->offset >= answer->end ||
            !*answer->text) {
            take_lines(call);
            next_source(call);
            return;
        }
    }
    read_more(call);
}

static void read_more(struct api_call *call)
{
    struct reading *r = call->state;
    struct msg_log_read ask = {.app = r->app, .max = MSG_LOG_TEXT_MAX};
    struct gp_error err;
    int rc;

    if (!call->request || r->at == r->source_count) {
        finish(call);
        return;
    }
    ask.executor = r->sources[r->at].executor;
    ask.offset = r->offset;
    ask.max = r->knows_end ? MSG_LOG_TEXT_MAX : 1;
    if (!r->knows_end) {
        ask.offset = 0;
    }
    rc = client_ask_at(r->client, r->sources[r->at].address, MSG_LOG_READ, &ask, ASK_NS, on_text,
                       call);
    if (rc < 0) {
        (void)gp_error_set(&err, rc, "%s", error_sentence(rc));
        api_fail(call, &err);
    }
}

static void add_source(struct reading *r, int64_t wanted, uint32_t executor, const char *address)
{
    struct log_source *s = &r->sources[r->source_count];

    if (*address && r->source_count < SOURCES_MAX && (wanted < 0 || wanted == executor)) {
        s->executor = executor;
        (void)str_format(s->address, sizeof s->address, "%s", address);
        r->source_count++;
    }
}

static void on_description(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct api_call *call = user;
    struct reading *r = call->state;
    const struct msg_app_description *d = msg;
    struct gp_error own;

    if (code < 0) {
        api_fail(call, err);
        return;
    }
    r->app = d->app.id;
    r->sources = calloc(d->live.executors_count + 1, sizeof *r->sources);
    if (!r->sources) {
        (void)gp_error_set(&own, GP_ENOMEM, "out of memory");
        api_fail(call, &own);
        return;
    }
    add_source(r, call->params.executor, 0, d->appmaster.worker_address);
    for (uint32_t i = 0; i < d->live.executors_count; i++) {
        add_source(r, call->params.executor, d->live.executors[i].id,
                   d->live.executors[i].worker_address);
    }
    if (r->source_count == 0 && call->params.executor >= 0) {
        (void)gp_error_set(&own, GP_ENOENT, "it has no executor %lld, or no longer",
                           (long long)call->params.executor);
        api_fail(call, &own);
        return;
    }
    read_more(call);
}

static int read_filter(const struct api_params *params, struct log_filter *ret,
                       struct gp_error *err)
{
    int64_t ago_ns;

    ret->level = (enum log_level)params->level;
    if (!*params->since || log_time_parse(gp_str_of(params->since), &ret->since_ms) == 0) {
        return 0;
    }
    if (str_to_duration_ns(gp_str_of(params->since), &ago_ns) < 0) {
        return gp_error_set(err, GP_EINVAL,
                            "since: '%s' is neither a time such as 2026-01-31T09:30:00Z (without "
                            "the Z it is the daemon's) nor how long ago, as 5m",
                            params->since);
    }
    ret->since_ms = show_now_ms() - ago_ns / NS_PER_MS;
    return 0;
}

int api_logs(struct api_call *call, struct gp_error *err)
{
    const struct msg_app_ref ref = {.app = call->params.app};
    struct reading *r = calloc(1, sizeof *r);
    int rc;

    if (!r) {
        return GP_ENOMEM;
    }
    call->state = r;
    call->state_free = reading_free;
    buf_init(&r->text, LOOK_BYTES + MSG_LOG_TEXT_MAX);
    r->lines = value_new_list();
    r->missing = value_new_list();
    rc = r->lines && r->missing ? read_filter(&call->params, &r->filter, err) : GP_ENOMEM;
    rc = rc < 0 ? rc : api_client_new(call->api, &r->client, err);
    return rc < 0 ? rc
                  : client_ask_for(r->client, MSG_APP_DESCRIBE, &ref, ASK_NS, on_description, call);
}
