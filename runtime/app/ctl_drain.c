/*
 * ctl_drain.c: gpctl drain: has all tasks leave a worker, and waits until they have.
 *
 * Draining goes on whether anybody waits or not. Waiting ends when the worker is drained; when
 * nothing moves any more and all that is left there has a reason to stay, unless a time limit says
 * to wait for that, too; when somebody undoes it; when the worker is lost for good.
 */
#include <stdlib.h>

#include "app/patience.h"
#include "app/show.h"
#include "base/str.h"

#define STUCK_NS  INT64_C(5000000000)  /* nothing moves: there is no hope without help */
#define LOST_NS   INT64_C(15000000000) /* a new leader has not seen it yet, or nobody will */
#define SILENT_NS INT64_C(60000000000) /* no master says anything */

struct draining {
    struct ctl *ctl;
    const char *ref;
    struct patience patience;
    struct gp_error err;
    struct msg_worker_drained last; /* owned */
    uint32_t most;                  /* tasks there, as they were seen */
    int64_t lost_since_ns;          /* 0: it is there */
    int64_t stuck_since_ns;         /* 0: it goes on */
    int64_t silent_since_ns;        /* 0: a master answers */
};

static int on_answer(void *user, const void *msg)
{
    struct draining *d = user;
    struct msg_worker_drained *answer = (struct msg_worker_drained *)(uintptr_t)msg;

    fields_deinit(&msg_worker_drained_fields, &d->last);
    d->last = *answer; /* what hangs from it is ours */
    *answer = (struct msg_worker_drained){0};
    d->most = d->last.tasks > d->most ? d->last.tasks : d->most;
    return 0;
}

/* ---- showing ---- */

static void print_app(const struct msg_drain_app *app)
{
    (void)printf("  %s (id %u): ", app->name, app->app);
    if (app->tasks > 0) {
        (void)printf("%u task%s%s", app->tasks, app->tasks == 1 ? "" : "s",
                     app->appmaster ? " and its appmaster" : "");
    } else {
        (void)printf("%s", app->appmaster ? "its appmaster" : "its last executor");
    }
    if (app->stays) {
        (void)printf(", which stay%s for now: %s\n", app->tasks + app->appmaster > 1 ? "" : "s",
                     app->why);
    } else if (app->why[0] && app->moving == 0) {
        (void)printf(", later: %s\n", app->why);
    } else if (app->why[0]) {
        (void)printf(", on the way, but not all: %s\n", app->why);
    } else {
        (void)printf(", on the way\n");
    }
}

static int print_state(const struct draining *d)
{
    const struct msg_worker_drained *w = &d->last;

    (void)printf("worker %u (%s) ", w->worker, w->name);
    switch (w->state) {
    case WORKER_DRAINED:
        (void)printf("is drained and may stop\n");
        break;
    case WORKER_SERVING:
        (void)printf("takes tasks\n");
        break;
    case WORKER_LOST:
        (void)printf("is not connected; it will get no tasks when it comes\n");
        break;
    default:
        (void)printf("is draining: %u task%s left\n", w->tasks, w->tasks == 1 ? "" : "s");
        for (uint32_t i = 0; i < w->apps_count; i++) {
            print_app(&w->apps[i]);
        }
    }
    return EXIT_STATUS_OK;
}

static int show(const struct draining *d)
{
    return d->ctl->json ? ctl_print_take(d->ctl, show_drained(&d->last)) : print_state(d);
}

/* ---- waiting ---- */

static void say_progress(struct draining *d)
{
    const struct msg_worker_drained *w = &d->last;
    uint32_t moving = 0;

    for (uint32_t i = 0; i < w->apps_count; i++) {
        moving += w->apps[i].moving;
    }
    if (w->state == WORKER_LOST) {
        patience_say(&d->patience, "worker %u is not connected", w->worker);
    } else if (w->tasks == 0) {
        patience_say(&d->patience, "worker %u: no tasks left, appmasters move", w->worker);
    } else {
        patience_say(&d->patience, "worker %u: %u of %u tasks left, %u moving", w->worker, w->tasks,
                     d->most, moving);
    }
}

/* Whether a state has lasted for so long. */
static bool lasts(const struct draining *d, bool is_so, int64_t *since_ns, int64_t limit_ns)
{
    int64_t now_ns = patience_now_ns(&d->patience);

    if (!is_so) {
        *since_ns = 0;
    } else if (*since_ns == 0) {
        *since_ns = now_ns;
    }
    return is_so && now_ns - *since_ns >= limit_ns;
}

/* Nothing moves, and all that is left stays. */
static bool is_stuck(const struct msg_worker_drained *w)
{
    for (uint32_t i = 0; i < w->apps_count; i++) {
        if (!w->apps[i].stays) {
            return false;
        }
    }
    return w->apps_count > 0;
}

/* All reasons, one a line. */
static int explain_stuck(struct draining *d)
{
    char text[ERROR_TEXT_MAX];
    size_t len = 0;

    for (uint32_t i = 0; i < d->last.apps_count && len < sizeof text; i++) {
        const struct msg_drain_app *app = &d->last.apps[i];
        int n = str_format(text + len, sizeof text - len, "%s%s (id %u): %s", i > 0 ? "\n" : "",
                           app->name, app->app, app->why);
        len = n < 0 ? sizeof text : len + (size_t)n;
    }
    (void)gp_error_set(&d->err, GP_ESTATE, "%s", text);
    gp_error_hint(&d->err,
                  "start a worker, or gpctl drain %u --force (state is lost), or gpctl drain %u "
                  "--undo; it goes on when it can",
                  d->last.worker, d->last.worker);
    return GP_ESTATE;
}

/* 0: go on; 1: done; else it will not be. */
static int judge(struct draining *d)
{
    const struct msg_worker_drained *w = &d->last;
    const bool is_patient = d->patience.deadline_ns < INT64_MAX / 2;

    if (w->state == WORKER_DRAINED) {
        return 1;
    }
    if (w->state == WORKER_SERVING) {
        (void)gp_error_set(&d->err, GP_ESTATE, "somebody had it take tasks again");
        gp_error_hint(&d->err, "gpctl drain %u", w->worker);
        return GP_ESTATE;
    }
    if (lasts(d, w->state == WORKER_LOST, &d->lost_since_ns, LOST_NS)) {
        (void)gp_error_set(&d->err, GP_ECLOSED,
                           "the worker was lost: what was left there was restarted elsewhere");
        gp_error_hint(&d->err, "gpctl workers; gpctl list");
        return GP_ECLOSED;
    }
    if (lasts(d, w->state == WORKER_DRAINING && is_stuck(w), &d->stuck_since_ns, STUCK_NS) &&
        !is_patient) {
        return explain_stuck(d);
    }
    return 0;
}

static int look(struct draining *d)
{
    const struct msg_worker_drain ask = {.worker = (char *)(uintptr_t)d->ref, .look = true};
    int rc = ctl_ask(d->ctl, MSG_WORKER_DRAIN, &ask, on_answer, d, &d->err);

    if (!patience_may_try_again(rc)) {
        d->silent_since_ns = 0;
        return rc;
    }
    return lasts(d, true, &d->silent_since_ns, SILENT_NS) ? rc : 0;
}

/* It goes on without us. */
static void explain_leaving(struct draining *d, int code)
{
    if (code == GP_ETIMEOUT) {
        (void)gp_error_set(&d->err, code, "%u task%s left after %s; draining goes on",
                           d->last.tasks, d->last.tasks == 1 ? " is" : "s are",
                           options_text(d->ctl->options, "timeout"));
    } else {
        (void)gp_error_set(&d->err, code, "interrupted; draining goes on");
    }
    gp_error_hint(&d->err, "gpctl drain %u --wait; gpctl drain %u --undo", d->last.worker,
                  d->last.worker);
}

static int wait_for_it(struct draining *d)
{
    int rc = judge(d);

    while (rc == 0) {
        say_progress(d);
        rc = patience_pause(&d->patience, &d->err);
        if (rc < 0) {
            explain_leaving(d, rc);
        } else {
            rc = look(d);
        }
        if (rc == 0) {
            rc = judge(d);
        }
    }
    return rc < 0 ? rc : 0;
}

/* ---- the command ---- */

static int read_flags(struct draining *d, const struct options *options)
{
    const bool undo = options_has(options, "undo");
    const size_t len = strlen(d->ref);
    int rc = patience_read(&d->patience, d->ctl, options, &d->err);

    if (rc == 0 && undo && (d->patience.wait || options_has(options, "force"))) {
        rc = gp_error_set(&d->err, GP_EINVAL, "--undo goes alone");
    }
    if (rc == 0 && (len == 0 || len > MSG_APP_REF_MAX)) {
        rc = gp_error_set(&d->err, GP_EINVAL, "a worker has 1 to %u bytes, this one %zu",
                          MSG_APP_REF_MAX, len);
    }
    if (rc < 0) {
        gp_error_hint(&d->err, "gpctl help drain");
    }
    return rc;
}

int ctl_drain(const struct command_spec *spec, const struct options *options, void *context)
{
    struct draining d = {.ctl = context, .ref = options->operands[0]};
    const struct msg_worker_drain ask = {.worker = (char *)(uintptr_t)d.ref,
                                         .undo = options_has(options, "undo"),
                                         .force = options_has(options, "force")};
    int rc = read_flags(&d, options);
    int status;

    (void)spec;
    if (rc == 0) {
        rc = ctl_connect(d.ctl, &d.err);
    }
    if (rc == 0) {
        rc = patience_begin(&d.patience, &d.err);
    }
    if (rc == 0) {
        rc = ctl_ask(d.ctl, MSG_WORKER_DRAIN, &ask, on_answer, &d, &d.err);
    }
    if (rc == 0 && d.patience.wait) {
        rc = wait_for_it(&d);
    }
    patience_end(&d.patience);
    status = rc == 0 ? show(&d)
                     : ctl_fail(d.ctl, &d.err,
                                ask.undo          ? "cannot undo the draining of worker %s"
                                : d.patience.wait ? "worker %s is not drained"
                                                  : "cannot drain worker %s",
                                d.ref);
    fields_deinit(&msg_worker_drained_fields, &d.last);
    return status;
}
