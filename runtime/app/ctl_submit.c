/*
 * ctl_submit.c: gpctl submit: upload, start, perhaps wait for the end.
 *
 *     read file and flags -> upload -> id -> (--wait) poll app.wait -> describe -> summary
 *
 * Ends early: an interrupt or --timeout leave the job running and say how to follow it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ctl.h"
#include "app/describe.h"
#include "app/job.h"
#include "app/progress.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/str.h"
#include "base/units.h"

#define POLL_MS       INT64_C(20000)
#define POLL_SLACK_NS INT64_C(10000000000) /* for the answer to a poll */
#define NS_PER_MS     INT64_C(1000000)

struct submitting {
    struct ctl *ctl;
    struct job job;
    struct progress progress;
    struct gp_error err;
    bool is_over; /* the submit itself */
    int code;
    uint32_t id;
    char id_text[16];
    /* --wait */
    bool wait;
    int64_t deadline_ns; /* of the loop's clock; INT64_MAX: none */
    uint64_t version;
    uint32_t state;
    int status;
};

/* ---- upload and submit ---- */

static void on_progress(void *user, uint64_t sent, uint64_t size)
{
    struct submitting *s = user;

    progress_at(&s->progress, sent, size);
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct submitting *s = user;

    s->is_over = true;
    s->code = code;
    if (code < 0) {
        s->err = *err;
    } else {
        s->id = ((const struct msg_app_submitted *)msg)->id;
        (void)str_format(s->id_text, sizeof s->id_text, "%u", s->id);
    }
}

static int submit(struct submitting *s)
{
    struct client_submit submit = {.path = s->job.note.path,
                                   .spec = s->job.spec,
                                   .on_progress = on_progress,
                                   .fn = on_submitted,
                                   .user = s};
    bool is_terminal = !s->ctl->json && isatty(STDERR_FILENO) != 0;
    int rc;

    progress_begin(&s->progress, is_terminal ? stderr : NULL, "uploading");
    rc = client_submit(s->ctl->client, &submit, &s->err);
    if (rc == 0) {
        rc = ctl_run_until(s->ctl, &s->is_over);
        if (rc < 0) {
            (void)gp_error_set(&s->err, rc, "interrupted; the job may have been submitted");
        } else {
            rc = s->code;
        }
    }
    progress_end(&s->progress);
    return rc;
}

static int print_id(const struct submitting *s)
{
    struct tree t;

    if (!s->ctl->json) {
        (void)printf("%u\n", s->id);
        return EXIT_STATUS_OK;
    }
    tree_begin(&t);
    tree_u64(&t, "id", s->id);
    tree_text(&t, "name", job_name(&s->job));
    return ctl_print_take(s->ctl, tree_end(&t));
}

/* ---- to the end ---- */

static int on_change(void *user, const void *msg)
{
    struct submitting *s = user;
    const struct msg_app_change *change = msg;

    s->version = change->version;
    s->state = change->app.state;
    return 0;
}

/* The job goes on without us. */
static int leave(struct submitting *s, int code)
{
    if (code == GP_ETIMEOUT) {
        (void)gp_error_set(&s->err, code, "it has not ended within %s and goes on running",
                           options_text(s->ctl->options, "timeout"));
    } else {
        (void)gp_error_set(&s->err, code, "interrupted; the job goes on running");
    }
    gp_error_hint(&s->err, "gpctl describe %u; gpctl logs -f %u; gpctl kill %u", s->id, s->id,
                  s->id);
    return code;
}

static int wait_for_end(struct submitting *s)
{
    struct loop *loop = edge_port(s->ctl->world)->loop;
    int rc = 0;

    while (rc == 0 && !app_state_is_end(s->state)) {
        struct msg_app_wait ask = {
            .app = s->id_text, .seen_version = s->version, .timeout_ms = (uint32_t)POLL_MS};
        int64_t left_ns = s->deadline_ns - loop_fresh_now_ns(loop);

        if (left_ns <= 0) {
            return leave(s, GP_ETIMEOUT);
        }
        if (left_ns < POLL_MS * NS_PER_MS) {
            ask.timeout_ms = (uint32_t)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
        }
        rc = ctl_ask_for(s->ctl, MSG_APP_WAIT, &ask, POLL_MS * NS_PER_MS + POLL_SLACK_NS, on_change,
                         s, &s->err);
    }
    return rc == GP_ECANCELED ? leave(s, rc) : rc;
}

static struct value *end_tree(const struct description *d)
{
    const struct msg_app_summary *app = &d->msg->app;
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", app->id);
    tree_text(&t, "name", app->name);
    tree_text(&t, "state", show_state(app->state));
    tree_text(&t, "error", app->error);
    tree_i64(&t, "started_ms", app->started_ms);
    tree_i64(&t, "finished_ms", app->finished_ms);
    tree_take(&t, "processors", describe_totals(d));
    return tree_end(&t);
}

static int print_end(const struct submitting *s, const struct description *d)
{
    const struct msg_app_summary *app = &d->msg->app;
    char run[UNITS_TEXT_MAX];
    struct gp_error err = {0};

    if (s->ctl->json) {
        int status = ctl_print_take(s->ctl, end_tree(d));

        return app->state == APP_FINISHED ? status : EXIT_STATUS_JOB_FAILED;
    }
    if (app->state == APP_FINISHED) {
        (void)printf("%s finished in %s\n", app->name, units_duration(show_run_ns(app, 0), run));
        return describe_print_totals(d, stdout) < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
    }
    (void)gp_error_set(&err, GP_EJOB, "%s", *app->error ? app->error : show_state(app->state));
    gp_error_hint(&err, "gpctl logs %u", app->id);
    return ctl_fail(s->ctl, &err, "%s (id %u) %s", app->name, app->id,
                    app->state == APP_KILLED ? "was killed" : "failed");
}

static int on_description(void *user, const void *msg)
{
    struct submitting *s = user;
    struct description *d = malloc(sizeof *d); /* large */
    int rc = d ? description_init(d, msg, &s->err) : GP_ENOMEM;

    if (rc == 0) {
        s->status = print_end(s, d);
    }
    if (d) {
        description_deinit(d);
    }
    free(d);
    return rc;
}

static int follow(struct submitting *s)
{
    struct msg_app_ref ref = {.app = s->id_text};
    int rc;

    if (!s->ctl->json) {
        (void)print_id(s);
        (void)fflush(stdout);
    }
    rc = wait_for_end(s);
    if (rc == 0) {
        rc = ctl_ask(s->ctl, MSG_APP_DESCRIBE, &ref, on_description, s, &s->err);
    }
    return rc;
}

/* ---- the command ---- */

static int read_flags(struct submitting *s, const struct options *options)
{
    int64_t timeout_ns;
    int rc = options_duration(options, "timeout", INT64_MAX, &timeout_ns, &s->err);

    s->wait = options_has(options, "wait");
    if (rc == 0 && options_has(options, "timeout") && !s->wait) {
        rc = gp_error_set(&s->err, GP_EINVAL, "--timeout is for --wait");
    }
    s->deadline_ns = timeout_ns; /* counted from when there is a clock */
    return rc == 0 ? job_init(&s->job, options, &s->err) : rc;
}

static int begin(struct submitting *s)
{
    int rc = ctl_connect(s->ctl, &s->err);

    if (rc == 0) {
        rc = ctl_watch_interrupts(s->ctl, &s->err);
    }
    if (rc == 0 && s->deadline_ns < INT64_MAX / 2) { /* longer than a century is never */
        s->deadline_ns += loop_fresh_now_ns(edge_port(s->ctl->world)->loop);
    }
    return rc;
}

int ctl_submit(const struct command_spec *spec, const struct options *options, void *context)
{
    struct submitting s = {.ctl = context};
    int rc = read_flags(&s, options);

    (void)spec;
    if (rc == 0) {
        rc = begin(&s);
    }
    if (rc == 0) {
        rc = submit(&s);
    }
    if (rc < 0) {
        s.status = ctl_fail(s.ctl, &s.err, "cannot submit %s", options->operands[0]);
    } else if (!s.wait) {
        s.status = print_id(&s);
    } else if (follow(&s) < 0) {
        s.status =
            ctl_fail(s.ctl, &s.err, "stopped waiting for %s (id %u)", job_name(&s.job), s.id);
    }
    job_deinit(&s.job);
    return s.status;
}
