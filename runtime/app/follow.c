/*
 * follow.c: see follow.h. Waiting is a long poll, repeated; a change is known at once. The masters
 * may be away meanwhile, all of them or their leader: the job runs on, so we wait on, for a while.
 */
#include "app/follow.h"

#include <stdlib.h>

#include "app/describe.h"
#include "app/figures.h"
#include "app/show.h"
#include "app/tree.h"
#include "base/str.h"
#include "base/units.h"

#define POLL_MS        INT64_C(20000)
#define POLL_SLACK_NS  INT64_C(10000000000) /* for the answer to a poll */
#define POLLS_LOST_MAX 2                    /* in a row: a minute without an answer */
#define NS_PER_MS      INT64_C(1000000)
#define START_MAX_NS   INT64_C(10000000000)
#define ID_TEXT_MAX    16

struct following {
    struct ctl *ctl;
    bool (*is_reached)(uint32_t state);
    struct gp_error *why; /* gets the error of an application that failed, or NULL */
    uint64_t version;
    uint32_t state;
    char who[MSG_APP_NAME_MAX + ID_TEXT_MAX + sizeof " (id )"]; /* "words (id 7)" */
    bool is_held_up;                                            /* and said so */
};

/* Nothing will happen by itself that tells more of its graph and parameters. */
static bool has_begun(uint32_t state)
{
    return state == APP_WAITING || state >= APP_RUNNING;
}

static int on_change(void *user, const void *msg)
{
    struct following *f = user;
    const struct msg_app_change *change = msg;

    (void)str_format(f->who, sizeof f->who, "%s (id %u)", change->app.name, change->app.id);
    if (change->app.state == APP_WAITING) {
        if (f->state != APP_WAITING) {
            ctl_say(f->ctl, "%s waits: %s", f->who, change->app.error);
        }
    } else if (change->app.state < APP_RUNNING && *change->app.error && !f->is_held_up) {
        ctl_say(f->ctl, "%s does not start yet: %s", f->who, change->app.error);
        f->is_held_up = true;
    }
    f->version = change->version;
    f->state = change->app.state;
    if (f->why && app_state_is_end(f->state) && f->state != APP_FINISHED) {
        (void)gp_error_set(f->why, GP_EJOB, "%s",
                           *change->app.error ? change->app.error : show_state(f->state));
    }
    return 0;
}

static int follow(struct following *f, uint32_t id, int64_t deadline_ns, struct gp_error *err)
{
    struct loop *loop = edge_port(f->ctl->world)->loop;
    char id_text[ID_TEXT_MAX];
    int lost = 0;
    int rc = 0;

    (void)str_format(id_text, sizeof id_text, "%u", id);
    while (rc == 0 && !f->is_reached(f->state)) {
        struct msg_app_wait ask = {
            .app = id_text, .seen_version = f->version, .timeout_ms = (uint32_t)POLL_MS};
        int64_t left_ns = deadline_ns - loop_fresh_now_ns(loop);

        if (left_ns <= 0) {
            return gp_error_set(err, GP_ETIMEOUT, "it takes longer");
        }
        if (left_ns < POLL_MS * NS_PER_MS) {
            ask.timeout_ms = (uint32_t)((left_ns + NS_PER_MS - 1) / NS_PER_MS);
        }
        rc = ctl_ask_for(f->ctl, MSG_APP_WAIT, &ask, ask.timeout_ms * NS_PER_MS + POLL_SLACK_NS,
                         on_change, f, err);
        lost = rc == GP_ETIMEOUT || rc == GP_ENOTLEADER ? lost + 1 : 0;
        rc = lost > 0 && lost <= POLLS_LOST_MAX ? 0 : rc;
    }
    return rc;
}

int follow_to_end(struct ctl *ctl, uint32_t id, int64_t deadline_ns, struct gp_error *err)
{
    struct following f = {.ctl = ctl, .is_reached = app_state_is_end, .state = APP_SUBMITTED};

    return follow(&f, id, deadline_ns, err);
}

static int follow_to_start(struct following *f, uint32_t id, int64_t deadline_ns,
                           struct gp_error *err)
{
    struct gp_error why = {0};
    int rc;

    f->is_reached = has_begun;
    f->why = &why;
    rc = follow(f, id, deadline_ns, err);
    if (rc == 0 && why.code != 0) {
        *err = why;
        rc = why.code;
    }
    return rc;
}

void follow_explain_leaving(uint32_t id, int code, const char *why, struct gp_error *err)
{
    (void)gp_error_set(err, code, "%s; the job runs on", why);
    gp_error_hint(err, "gpctl describe %u; gpctl logs -f %u; gpctl kill %u", id, id, id);
}

int follow_print_start(struct ctl *ctl, uint32_t id)
{
    const int64_t deadline_ns = loop_fresh_now_ns(edge_port(ctl->world)->loop) + START_MAX_NS;
    struct following f = {.ctl = ctl, .state = APP_SUBMITTED};
    struct gp_error err = {0};
    int rc;

    (void)str_format(f.who, sizeof f.who, "application %u", id);
    rc = follow_to_start(&f, id, deadline_ns, &err);
    if (rc == GP_EJOB) {
        gp_error_hint(&err, "gpctl logs %u", id);
        return ctl_fail(ctl, &err, "%s failed", f.who);
    }
    if (rc == GP_ECANCELED) {
        follow_explain_leaving(id, rc, "interrupted", &err);
        return ctl_fail(ctl, &err, "stopped waiting for %s", f.who);
    }
    if (rc < 0) {
        ctl_say(ctl, "%s was accepted and does not run yet: gpctl describe %u", f.who, id);
    }
    return EXIT_STATUS_OK;
}

/* ---- how it ended ---- */

struct ending {
    struct ctl *ctl;
    const char *hint;
    struct gp_error *err;
    int status;
    struct figures figures;
};

static struct value *end_tree(const struct ending *e, const struct description *d)
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
    tree_take(&t, "figures", figures_tree(&e->figures));
    tree_take(&t, "lost", describe_losses(&d->msg->live));
    return tree_end(&t);
}

static int print_failed(const struct ending *e, const struct msg_app_summary *app)
{
    struct gp_error err = {0};

    (void)gp_error_set(&err, GP_EJOB, "%s", *app->error ? app->error : show_state(app->state));
    gp_error_hint(&err, "%s", e->hint);
    return ctl_fail(e->ctl, &err, "%s (id %u) %s", app->name, app->id,
                    app->state == APP_KILLED ? "was killed" : "failed");
}

/* Whoever waits for results must hear that they are not whole, without asking: scripts by the exit
 * code, which is not that of a job that did all it should. */
static int say_losses(const struct ending *e, const struct description *d)
{
    const struct msg_app_live *live = &d->msg->live;
    const uint32_t id = d->msg->app.id;

    if (live->lost == 0 && !live->is_lost_at_least && live->in_doubt == 0 && live->restarts == 0) {
        return EXIT_STATUS_OK;
    }
    if (e->ctl->json) {
        return EXIT_STATUS_LOSSES;
    }

    if (live->lost > 0) {
        ctl_say(e->ctl, "but %s%llu message%s %s lost, as parts of it died: gpctl describe %u",
                live->is_lost_at_least ? "at least " : "", (unsigned long long)live->lost,
                live->lost == 1 ? "" : "s", live->lost == 1 ? "was" : "were", id);
    } else if (live->is_lost_at_least || live->in_doubt > 0) {
        ctl_say(e->ctl, "but messages may be lost, as parts of it died: gpctl describe %u", id);
    } else {
        ctl_say(e->ctl, "but parts of it began anew, and may have lost state: gpctl describe %u",
                id);
    }
    if (live->events_count > 0) {
        ctl_say(e->ctl, "the last that happened: %s", live->events[live->events_count - 1].text);
    }
    return EXIT_STATUS_LOSSES;
}

static int print_end(struct ending *e, const struct description *d)
{
    const struct msg_app_summary *app = &d->msg->app;
    char run[UNITS_TEXT_MAX];
    int status;

    figures_add_rate(&e->figures, d, show_run_ns(app, 0));
    if (e->ctl->json) {
        status = ctl_print_take(e->ctl, end_tree(e, d));
        if (app->state != APP_FINISHED) {
            return EXIT_STATUS_JOB_FAILED;
        }
        return status == EXIT_STATUS_OK ? say_losses(e, d) : status;
    }
    if (app->state != APP_FINISHED) {
        return print_failed(e, app);
    }
    ctl_say(e->ctl, "%s (id %u) finished in %s", app->name, app->id,
            units_duration(show_run_ns(app, 0), run));
    figures_say(e->ctl, &e->figures);
    status = say_losses(e, d);
    return describe_print_totals(d, stdout) < 0 ? EXIT_STATUS_FAILED : status;
}

static int on_description(void *user, const void *msg)
{
    struct ending *e = user;
    struct description *d = malloc(sizeof *d); /* large */
    int rc = d ? description_init(d, msg, e->err) : GP_ENOMEM;

    if (rc == 0) {
        e->status = print_end(e, d);
    }
    if (d) {
        description_deinit(d);
    }
    free(d);
    return rc;
}

int follow_print_end(struct ctl *ctl, uint32_t id, const char *hint, int *ret_status,
                     struct gp_error *err)
{
    char id_text[ID_TEXT_MAX];
    struct msg_app_ref ref = {.app = id_text};
    struct ending *e = calloc(1, sizeof *e); /* large */
    int rc;

    if (!e) {
        return gp_error_set(err, GP_ENOMEM, "no memory to say how it ended");
    }
    *e = (struct ending){.ctl = ctl, .hint = hint, .err = err, .status = EXIT_STATUS_OK};
    (void)str_format(id_text, sizeof id_text, "%u", id);
    (void)figures_ask(ctl, id, &e->figures,
                      err); /* who does not know them says how it ended, still */
    rc = ctl_ask(ctl, MSG_APP_DESCRIBE, &ref, on_description, e, err);
    *ret_status = e->status;
    free(e);
    return rc;
}
