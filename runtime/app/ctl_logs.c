/*
 * ctl_logs.c: gpctl logs: what an application wrote, from the workers it ran on.
 *
 *     describe -> who hosts which executor -> read each log from its worker, piece by piece
 *
 * All logs are read at the same time. Each source has one ask under way: at the end of its log it
 * is over, or, when following, the ask waits on the worker for more until the application has
 * ended. A log that cannot be read is told on stderr, the others go on.
 */
#include <stdlib.h>
#include <unistd.h>

#include "app/ctl.h"
#include "app/show.h"
#include "app/text.h"
#include "base/str.h"

#define PIECE_BYTES    MSG_LOG_TEXT_MAX
#define LINE_BYTES_MAX ((size_t)1 << 20)    /* a longer one is broken */
#define FOLLOW_WAIT_MS 1000u                /* of one ask at the end of a log */
#define ASK_NS         INT64_C(10000000000) /* and the time for its answer */
#define WATCH_MS       INT64_C(20000)
#define NS_PER_MS      INT64_C(1000000)

struct reading;

struct source {
    struct reading *reading;
    uint32_t executor; /* 0: the appmaster */
    char *address;     /* of its worker */
    uint64_t offset;
    struct buf line; /* not complete yet */
    bool is_over;
};

struct reading {
    struct ctl *ctl;
    struct msg_app_ref ref;         /* as the user named it */
    struct msg_app_summary summary; /* id and state alone */
    char id_text[16];
    uint64_t version;
    bool follow;
    int64_t executor_wanted; /* -1: all */
    bool is_terminal;
    struct source *sources;
    uint32_t source_count;
    uint32_t open_count; /* sources that are not over */
    uint32_t failed_count;
    bool is_done;
    struct gp_error err; /* of the last source that failed */
};

/* ---- output ---- */

static void print_line_json(const struct source *s, gp_str line)
{
    struct buf text = {0};
    struct value *v = show_log_line(s->executor, line);

    if (v && value_print_json(v, &text, VALUE_COMPACT) == 0) {
        (void)printf("%.*s\n", STR_ARG(buf_str(&text)));
    }
    value_free(v);
    buf_deinit(&text);
}

static void print_line(const struct source *s, gp_str line)
{
    const struct reading *r = s->reading;

    if (r->ctl->json) {
        print_line_json(s, line);
        return;
    }
    if (r->source_count > 1 && s->executor == 0) {
        (void)fputs("[appmaster] ", stdout);
    } else if (r->source_count > 1) {
        (void)printf("[executor %u] ", s->executor);
    }
    if (r->is_terminal) {
        text_print(stdout, line);
    } else {
        (void)fwrite(line.ptr, 1, line.len, stdout);
    }
    (void)fputc('\n', stdout);
}

static void flush_line(struct source *s)
{
    if (buf_len(&s->line) > 0) {
        print_line(s, buf_str(&s->line));
        buf_clear(&s->line);
    }
}

static void take_text(struct source *s, gp_str text)
{
    gp_str line;

    while (text.len > 0) {
        bool is_whole = str_cut(text, '\n', &line, &text);

        if (buf_append_str(&s->line, line) < 0) { /* too long to wait for its end */
            flush_line(s);
            (void)buf_append_str(&s->line, line);
        }
        if (is_whole) {
            print_line(s, buf_str(&s->line));
            buf_clear(&s->line);
        }
    }
    (void)fflush(stdout);
}

/* ---- reading ---- */

static void source_over(struct source *s)
{
    if (!s->is_over) {
        flush_line(s);
        s->is_over = true;
        s->reading->is_done = --s->reading->open_count == 0;
    }
}

static void source_failed(struct source *s, const struct gp_error *err)
{
    s->reading->failed_count++;
    s->reading->err = *err;
    if (s->executor == 0) {
        ctl_say(s->reading->ctl, "the log of the appmaster cannot be read: %s", err->text);
    } else {
        ctl_say(s->reading->ctl, "the log of executor %u cannot be read: %s", s->executor,
                err->text);
    }
    source_over(s);
}

static void read_more(struct source *s);

static void on_text(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct source *s = user;
    const struct msg_log_text *answer = msg;
    bool may_grow;
    gp_str text;

    if (code < 0) {
        source_failed(s, err);
        return;
    }
    text = gp_str_of(answer->text);
    if (answer->offset > s->offset && s->offset > 0) {
        flush_line(s);
        ctl_say(s->reading->ctl, "... %llu bytes are gone ...",
                (unsigned long long)(answer->offset - s->offset));
    }
    take_text(s, text);
    s->offset = answer->offset + text.len;
    may_grow = s->reading->follow && (text.len > 0 || !app_state_is_end(s->reading->summary.state));
    if (s->offset < answer->end || may_grow) {
        read_more(s);
    } else {
        source_over(s);
    }
}

static void read_more(struct source *s)
{
    const struct reading *r = s->reading;
    struct msg_log_read ask = {.app = r->summary.id,
                               .executor = s->executor,
                               .offset = s->offset,
                               .max = PIECE_BYTES,
                               .wait_ms = r->follow ? FOLLOW_WAIT_MS : 0};
    struct gp_error err;
    int rc = client_ask_at(r->ctl->client, s->address, MSG_LOG_READ, &ask,
                           FOLLOW_WAIT_MS * NS_PER_MS + ASK_NS, on_text, s);

    if (rc < 0) {
        (void)gp_error_set(&err, rc, "%s: %s", s->address, error_sentence(rc));
        source_failed(s, &err);
    }
}

/* ---- whose logs ---- */

static int add_source(struct reading *r, uint32_t executor, const char *address)
{
    struct source *s = &r->sources[r->source_count];

    if (!*address || (r->executor_wanted >= 0 && executor != (uint32_t)r->executor_wanted)) {
        return 0;
    }
    *s = (struct source){.reading = r, .executor = executor};
    buf_init(&s->line, LINE_BYTES_MAX);
    s->address = str_dup(gp_str_of(address));
    if (!s->address) {
        return GP_ENOMEM;
    }
    r->source_count++;
    return 0;
}

static int on_description(void *user, const void *msg)
{
    struct reading *r = user;
    const struct msg_app_description *d = msg;
    int rc;

    r->summary.id = d->app.id;
    r->summary.state = d->app.state;
    (void)str_format(r->id_text, sizeof r->id_text, "%u", d->app.id);
    r->sources = calloc(d->live.executors_count + 1, sizeof *r->sources);
    rc = r->sources ? add_source(r, 0, d->appmaster.worker_address) : GP_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < d->live.executors_count; i++) {
        rc = add_source(r, d->live.executors[i].id, d->live.executors[i].worker_address);
    }
    return rc;
}

static void forget_sources(struct reading *r)
{
    for (uint32_t i = 0; i < r->source_count; i++) {
        free(r->sources[i].address);
        buf_deinit(&r->sources[i].line);
    }
    free(r->sources);
    r->sources = NULL;
    r->source_count = 0;
}

static int on_change(void *user, const void *msg)
{
    struct reading *r = user;
    const struct msg_app_change *change = msg;

    r->version = change->version;
    r->summary.state = change->app.state;
    return 0;
}

/* Describes; when following a job that is not placed yet, waits until it is. */
static int find_sources(struct reading *r)
{
    struct msg_app_ref ref = r->ref;
    int rc = 0;

    for (;;) {
        forget_sources(r);
        rc = ctl_ask(r->ctl, MSG_APP_DESCRIBE, &ref, on_description, r, &r->err);
        if (rc < 0 || !r->follow || r->summary.state >= APP_RUNNING) {
            break;
        }
        ref.app = r->id_text; /* the name may be another's by now */
        struct msg_app_wait ask = {
            .app = r->id_text, .seen_version = r->version, .timeout_ms = (uint32_t)WATCH_MS};
        rc = ctl_ask_for(r->ctl, MSG_APP_WAIT, &ask, WATCH_MS * NS_PER_MS + ASK_NS, on_change, r,
                         &r->err);
        if (rc < 0) {
            break;
        }
    }
    if (rc == 0 && r->source_count == 0) {
        rc = r->executor_wanted >= 0
                 ? gp_error_set(&r->err, GP_ENOENT, "it has no executor %lld, or no longer",
                                (long long)r->executor_wanted)
                 : gp_error_set(&r->err, GP_ENOENT, "nothing of it runs, or is kept");
    }
    return rc;
}

/* ---- when following: is it still running? ---- */

static void watch_state(struct reading *r);

static void on_state(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct reading *r = user;

    (void)err;
    if (code < 0) {
        r->summary.state = APP_FINISHED; /* unknown by now: read to the end and stop */
        return;
    }
    (void)on_change(r, msg);
    watch_state(r);
}

static void watch_state(struct reading *r)
{
    struct msg_app_wait ask = {
        .app = r->id_text, .seen_version = r->version, .timeout_ms = (uint32_t)WATCH_MS};

    if (app_state_is_end(r->summary.state) || r->is_done) {
        return;
    }
    if (client_ask_for(r->ctl->client, MSG_APP_WAIT, &ask, WATCH_MS * NS_PER_MS + ASK_NS, on_state,
                       r) < 0) {
        r->summary.state = APP_FINISHED;
    }
}

static int read_all(struct reading *r)
{
    int rc;

    r->open_count = r->source_count;
    if (r->follow) {
        watch_state(r);
    }
    for (uint32_t i = 0; i < r->source_count; i++) {
        read_more(&r->sources[i]);
    }
    rc = ctl_run_until(r->ctl, &r->is_done);
    /* Whatever is still asked must not come back to what is freed here. */
    client_free(r->ctl->client);
    r->ctl->client = NULL;
    if (rc == GP_ECANCELED) {
        return rc;
    }
    return r->failed_count == r->source_count ? r->err.code : 0;
}

int ctl_logs(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct reading r = {.ctl = ctl,
                        .follow = options_has(options, "follow"),
                        .is_terminal = isatty(STDOUT_FILENO) != 0};
    uint64_t executor = 0;
    int rc = options_u64(options, "executor", 0, UINT32_MAX, 0, &executor, &r.err);

    (void)spec;
    r.executor_wanted = options_has(options, "executor") ? (int64_t)executor : -1;
    if (rc == 0) {
        rc = ctl_app_ref(options, &r.ref, &r.err);
    }
    if (rc == 0) {
        rc = ctl_connect(ctl, &r.err);
    }
    if (rc == 0) {
        rc = ctl_watch_interrupts(ctl, &r.err);
    }
    if (rc == 0) {
        rc = find_sources(&r);
    }
    if (rc == 0) {
        rc = read_all(&r);
    }
    forget_sources(&r);
    if (rc == GP_ECANCELED) {
        return EXIT_STATUS_INTERRUPTED;
    }
    return rc < 0 ? ctl_fail(ctl, &r.err, "cannot read the log of %s", options->operands[0])
                  : EXIT_STATUS_OK;
}
