/*
 * ctl_logs.c: gpctl logs: what an application wrote, from the workers it ran on.
 *
 *     describe -> who hosts which executor -> read each log from its worker, piece by piece
 *
 * All logs are read at the same time. Each source has one ask under way: at the end of its log it
 * is over, or, when following, the ask waits on the worker for more until the application has
 * ended, or the executor is no more. Following, it is described again each second: executors that
 * took the place of others become sources, too, and a log that could not be read is tried again. A
 * log that cannot be read is told on stderr, once; the others go on.
 *
 * --tail holds lines back until the end that a log had at first, and looks at LOOK_BYTES of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ctl.h"
#include "app/log_line.h"
#include "app/show.h"
#include "app/text.h"
#include "base/str.h"

#define PIECE_BYTES    MSG_LOG_TEXT_MAX
#define LINE_BYTES_MAX ((size_t)1 << 20)    /* a longer one is broken */
#define FOLLOW_WAIT_MS 1000u                /* of one ask at the end of a log */
#define ASK_NS         INT64_C(10000000000) /* and the time for its answer */
#define WATCH_MS       INT64_C(20000)
#define NS_PER_MS      INT64_C(1000000)

#define REFRESH_NS  INT64_C(1000000000) /* between two descriptions, when following */
#define LOOK_BYTES  ((uint64_t)1 << 20) /* of each log, for --tail */
#define TAIL_MAX    10000u
#define SOURCES_MAX 4096u

struct reading;

struct source {
    struct reading *reading;
    uint32_t executor; /* 0: the appmaster */
    char *address;     /* of its worker */
    uint64_t offset;
    struct buf line; /* not complete yet */
    struct log_state state;
    struct buf held; /* for --tail: the last lines, each ended by a newline */
    uint32_t held_count;
    uint64_t held_until; /* this offset; 0: the end is not known yet */
    bool is_holding;
    bool is_cut;    /* the first line is, by where we began */
    bool is_listed; /* as last described */
    bool is_over;
    bool has_failed;
};

struct reading {
    struct ctl *ctl;
    struct msg_app_ref ref;         /* as the user named it */
    struct msg_app_summary summary; /* id and state alone */
    char id_text[16];
    uint64_t version;
    bool follow;
    int64_t executor_wanted; /* -1: all */
    struct log_filter filter;
    uint64_t tail; /* lines of each log to begin with; UINT64_MAX: all */
    bool is_terminal;
    struct timer *timer;
    bool is_reading; /* sources that are added begin at once */
    struct source **sources;
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

/* Whether each line needs to say whose it is. */
static bool is_named(const struct reading *r)
{
    return r->executor_wanted < 0 && (r->follow || r->source_count > 1);
}

static void print_line(struct source *s, gp_str line)
{
    const struct reading *r = s->reading;

    if (r->ctl->json) {
        print_line_json(s, line);
        return;
    }
    if (is_named(r) && s->executor == 0) {
        (void)fputs("[appmaster] ", stdout);
    } else if (is_named(r)) {
        (void)printf("[executor %u] ", s->executor);
    }
    if (r->is_terminal) {
        text_print(stdout, line);
    } else {
        (void)fwrite(line.ptr, 1, line.len, stdout);
    }
    (void)fputc('\n', stdout);
}

/* Keeps the last ones. */
static void hold_line(struct source *s, gp_str line)
{
    if (buf_append_str(&s->held, line) < 0 || buf_append(&s->held, "\n", 1) < 0) {
        buf_clear(&s->held); /* more than fits: later lines are worth more */
        s->held_count = 0;
        return;
    }
    if (++s->held_count > s->reading->tail) {
        const char *first = buf_str(&s->held).ptr;
        const char *end = memchr(first, '\n', buf_len(&s->held));

        buf_consume(&s->held, (size_t)(end - first) + 1);
        s->held_count--;
    }
}

static void release_held(struct source *s)
{
    gp_str rest = buf_str(&s->held);
    gp_str line;

    s->is_holding = false;
    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        print_line(s, line);
    }
    buf_deinit(&s->held);
}

static void end_line(struct source *s)
{
    gp_str line = buf_str(&s->line);

    if (!s->is_cut && log_line_passes(&s->reading->filter, &s->state, line)) {
        (s->is_holding ? hold_line : print_line)(s, line);
    }
    s->is_cut = false;
    buf_clear(&s->line);
}

/* What is there without a newline, when none will come. */
static void flush_line(struct source *s)
{
    if (buf_len(&s->line) > 0) {
        end_line(s);
    }
}

static void take_text(struct source *s, gp_str text)
{
    gp_str line;

    while (text.len > 0) {
        bool is_whole = str_cut(text, '\n', &line, &text);

        if (buf_append_str(&s->line, line) < 0) { /* too long to wait for its end */
            end_line(s);
            (void)buf_append_str(&s->line, line);
        }
        if (is_whole) {
            end_line(s);
        }
    }
}

/* ---- reading ---- */

static bool has_ended(const struct reading *r)
{
    return app_state_is_end(r->summary.state);
}

static void check_done(struct reading *r)
{
    r->is_done = r->open_count == 0 && (!r->follow || has_ended(r));
}

static void source_over(struct source *s)
{
    if (!s->is_over) {
        flush_line(s);
        release_held(s);
        (void)fflush(stdout);
        s->is_over = true;
        s->reading->open_count--;
        check_done(s->reading);
    }
}

static void source_failed(struct source *s, const struct gp_error *err)
{
    struct reading *r = s->reading;

    r->err = *err;
    if (!s->has_failed) {
        r->failed_count++;
        s->has_failed = true;
        if (s->executor == 0) {
            ctl_say(r->ctl, "the log of the appmaster cannot be read: %s", err->text);
        } else {
            ctl_say(r->ctl, "the log of executor %u cannot be read: %s", s->executor, err->text);
        }
    }
    source_over(s);
}

static void read_more(struct source *s);

/* The first answer: how long the log is. Begins near its end. */
static void begin_near_end(struct source *s, const struct msg_log_text *answer)
{
    s->held_until = answer->end;
    s->offset = answer->end > LOOK_BYTES ? answer->end - LOOK_BYTES : 0;
    s->is_cut = s->offset > 0;
}

/* Where it goes on; whether the text follows what was there before. */
static void check_place(struct source *s, const struct msg_log_text *answer)
{
    if (answer->offset > s->offset && s->offset > 0) {
        flush_line(s);
        ctl_say(s->reading->ctl, "... %llu bytes are gone ...",
                (unsigned long long)(answer->offset - s->offset));
    } else if (answer->offset < s->offset) { /* a new process writes under the old name */
        flush_line(s);
    }
}

static void on_text(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct source *s = user;
    struct reading *r = s->reading;
    const struct msg_log_text *answer = msg;
    bool may_grow;
    gp_str text;

    if (code < 0) {
        source_failed(s, err);
        return;
    }
    if (s->has_failed) { /* it can be read again */
        s->has_failed = false;
        r->failed_count--;
    }
    if (s->is_holding && s->held_until == 0 && answer->end > 0) {
        begin_near_end(s, answer);
        read_more(s);
        return;
    }
    text = gp_str_of(answer->text);
    check_place(s, answer);
    take_text(s, text);
    s->offset = answer->offset + text.len;
    if (s->is_holding && s->offset >= s->held_until) {
        release_held(s);
    }
    (void)fflush(stdout);
    may_grow = r->follow && (text.len > 0 || (s->is_listed && !has_ended(r)));
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
                               .wait_ms = r->follow && !s->is_holding ? FOLLOW_WAIT_MS : 0};
    struct gp_error err;
    int rc = client_ask_at(r->ctl->client, s->address, MSG_LOG_READ, &ask,
                           FOLLOW_WAIT_MS * NS_PER_MS + ASK_NS, on_text, s);

    if (rc < 0) {
        (void)gp_error_set(&err, rc, "%s: %s", s->address, error_sentence(rc));
        source_failed(s, &err);
    }
}

/* ---- whose logs ---- */

static struct source *find_source(const struct reading *r, uint32_t executor, const char *address)
{
    for (uint32_t i = 0; i < r->source_count; i++) {
        if (r->sources[i]->executor == executor && strcmp(r->sources[i]->address, address) == 0) {
            return r->sources[i];
        }
    }
    return NULL;
}

static void source_free(struct source *s)
{
    if (s) {
        free(s->address);
        buf_deinit(&s->line);
        buf_deinit(&s->held);
        free(s);
    }
}

static int new_source(struct reading *r, uint32_t executor, const char *address)
{
    struct source **sources;
    struct source *s;

    if (r->source_count == SOURCES_MAX) {
        return 0; /* an application that dies all the time: what is read is enough */
    }
    sources = realloc(r->sources, (r->source_count + 1) * sizeof(struct source *));
    if (!sources) {
        return GP_ENOMEM;
    }
    r->sources = sources;
    s = calloc(1, sizeof *s);
    if (!s) {
        return GP_ENOMEM;
    }
    *s = (struct source){.reading = r,
                         .executor = executor,
                         .address = str_dup(gp_str_of(address)),
                         .is_listed = true,
                         .is_holding = !r->is_reading && r->tail != UINT64_MAX};
    buf_init(&s->line, LINE_BYTES_MAX);
    if (!s->address) {
        source_free(s);
        return GP_ENOMEM;
    }
    r->sources[r->source_count++] = s;
    r->open_count++;
    if (r->is_reading) {
        read_more(s);
    }
    return 0;
}

static int add_source(struct reading *r, uint32_t executor, const char *address)
{
    struct source *s = find_source(r, executor, address);

    if (!*address || (r->executor_wanted >= 0 && executor != (uint32_t)r->executor_wanted)) {
        return 0;
    }
    if (!s) {
        return new_source(r, executor, address);
    }
    s->is_listed = true;
    if (s->is_over && r->is_reading && !has_ended(r)) { /* it could not be read then */
        s->is_over = false;
        r->open_count++;
        read_more(s);
    }
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
    for (uint32_t i = 0; i < r->source_count; i++) {
        r->sources[i]->is_listed = false;
    }
    rc = add_source(r, 0, d->appmaster.worker_address);
    for (uint32_t i = 0; rc == 0 && i < d->live.executors_count; i++) {
        rc = add_source(r, d->live.executors[i].id, d->live.executors[i].worker_address);
    }
    return rc;
}

static void forget_sources(struct reading *r)
{
    for (uint32_t i = 0; i < r->source_count; i++) {
        source_free(r->sources[i]);
    }
    free(r->sources);
    r->sources = NULL;
    r->source_count = 0;
    r->open_count = 0;
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

/* ---- when following: who runs now? ---- */

static void on_refreshed(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct reading *r = user;

    (void)err;
    if (code == GP_ENOENT) {
        r->summary.state = APP_FINISHED; /* forgotten by now */
    } else if (code == 0) {
        (void)on_description(r, msg); /* without memory some are missing until the next one */
    }
    check_done(r); /* no master: those that are read go on */
    if (!r->is_done && !has_ended(r)) {
        timer_start(r->timer, REFRESH_NS);
    }
}

static void refresh(void *user)
{
    struct reading *r = user;
    struct msg_app_ref ref = {.app = r->id_text};

    if (client_ask_for(r->ctl->client, MSG_APP_DESCRIBE, &ref, ASK_NS, on_refreshed, r) < 0) {
        timer_start(r->timer, REFRESH_NS);
    }
}

static int read_all(struct reading *r)
{
    uint32_t count = r->source_count;
    int rc = r->follow ? timer_new(edge_port(r->ctl->world)->loop, refresh, r, &r->timer) : 0;

    if (rc < 0) {
        return rc;
    }
    r->is_reading = true;
    for (uint32_t i = 0; i < count; i++) {
        read_more(r->sources[i]);
    }
    if (r->follow && !has_ended(r)) {
        timer_start(r->timer, REFRESH_NS);
    }
    rc = ctl_run_until(r->ctl, &r->is_done);
    /* Whatever is still asked must not come back to what is freed here. */
    client_free(r->ctl->client);
    r->ctl->client = NULL;
    timer_free(r->timer);
    if (rc == GP_ECANCELED) {
        return rc;
    }
    return r->failed_count == r->source_count ? r->err.code : 0;
}

/* ---- options ---- */

static int read_level(const struct options *options, struct reading *r)
{
    const char *text = options_text(options, "level");

    r->filter.level = LOG_LEVEL_DEBUG;
    if (text && (log_level_parse(gp_str_of(text), &r->filter.level) < 0 ||
                 r->filter.level == LOG_LEVEL_OFF)) {
        return gp_error_set(&r->err, GP_EINVAL, "--level %s: it is debug, info, warn or error",
                            text);
    }
    return 0;
}

static int read_since(const struct options *options, struct reading *r)
{
    const char *text = options_text(options, "since");
    int64_t ago_ns = 0;

    if (!text || log_time_parse(gp_str_of(text), &r->filter.since_ms) == 0) {
        return 0;
    }
    if (options_duration(options, "since", 0, &ago_ns, &r->err) < 0) {
        return gp_error_set(&r->err, GP_EINVAL,
                            "--since %s: a time such as 2026-01-31T09:30:00Z (without the Z it is "
                            "local), or how long ago, as 5m, is needed",
                            text);
    }
    r->filter.since_ms = show_now_ms() - ago_ns / NS_PER_MS;
    return 0;
}

static int read_options(const struct options *options, struct reading *r)
{
    uint64_t executor = 0;
    int rc = options_u64(options, "executor", 0, UINT32_MAX, 0, &executor, &r->err);

    r->executor_wanted = options_has(options, "executor") ? (int64_t)executor : -1;
    if (rc == 0) {
        rc = options_u64(options, "tail", 1, TAIL_MAX, UINT64_MAX, &r->tail, &r->err);
    }
    if (rc == 0) {
        rc = read_level(options, r);
    }
    if (rc == 0) {
        rc = read_since(options, r);
    }
    return rc;
}

int ctl_logs(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct reading r = {.ctl = ctl,
                        .follow = options_has(options, "follow"),
                        .is_terminal = isatty(STDOUT_FILENO) != 0};
    int rc = read_options(options, &r);

    (void)spec;
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
