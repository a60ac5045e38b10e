/*
 * ctl_rebalance.c: gpctl rebalance: spreads the tasks of an application, and waits until they have
 * moved.
 *
 * The first answer says what is going to move and what is not; later ones, which ask for nothing
 * new, only how much is still under way.
 */
#include <stdlib.h>

#include "app/patience.h"
#include "app/show.h"
#include "base/str.h"

#define SILENT_NS INT64_C(60000000000) /* no appmaster says anything */

struct rebalancing {
    struct ctl *ctl;
    struct msg_app_ref ref;
    struct patience patience;
    struct gp_error err;
    struct msg_app_rebalanced first; /* owned */
    bool is_begun;
    uint32_t moving; /* as of the latest answer */
    int64_t silent_since_ns;
};

static int on_answer(void *user, const void *msg)
{
    struct rebalancing *r = user;
    struct msg_app_rebalanced *answer = (struct msg_app_rebalanced *)(uintptr_t)msg;

    r->moving = answer->moving;
    if (!r->is_begun) {
        r->first = *answer; /* what hangs from it is ours */
        *answer = (struct msg_app_rebalanced){0};
        r->is_begun = true;
    }
    return 0;
}

/* ---- showing ---- */

static int show(const struct rebalancing *r)
{
    const uint32_t tasks = r->first.moving;

    if (r->ctl->json) {
        return ctl_print_take(r->ctl, show_rebalanced(r->ref.app, &r->first, r->moving));
    }
    if (tasks == 0) {
        (void)printf("%s: nothing moves%s\n", r->ref.app,
                     r->first.refused_count == 0 ? ", its tasks are spread already" : "");
    } else {
        (void)printf("%s: %u task%s %s\n", r->ref.app, tasks, tasks == 1 ? "" : "s",
                     r->moving == 0 ? "moved"
                     : tasks == 1   ? "is moving"
                                    : "are moving");
    }
    for (uint32_t i = 0; i < r->first.refused_count; i++) {
        const struct msg_move_refused *one = &r->first.refused[i];

        (void)printf("  %u task%s of %s stay%s: %s\n", one->tasks, one->tasks == 1 ? "" : "s",
                     one->processor, one->tasks == 1 ? "s" : "", one->why);
    }
    return EXIT_STATUS_OK;
}

/* ---- asking ---- */

/* An appmaster that is being started will be there in a moment; without --wait nobody waits for
 * it. */
static int ask(struct rebalancing *r, bool spread)
{
    const struct msg_app_rebalance msg = {.app = r->ref.app,
                                          .spread = spread,
                                          .force = spread && options_has(r->ctl->options, "force"),
                                          .reason = (char *)(uintptr_t) "gpctl rebalance"};
    int rc = ctl_ask(r->ctl, MSG_APP_REBALANCE, &msg, on_answer, r, &r->err);
    int64_t now_ns = patience_now_ns(&r->patience);

    if (!r->patience.wait || !patience_may_try_again(rc)) {
        r->silent_since_ns = 0;
        return rc;
    }
    r->silent_since_ns = r->silent_since_ns ? r->silent_since_ns : now_ns;
    return now_ns - r->silent_since_ns >= SILENT_NS ? rc : 0;
}

/* It goes on without us. */
static void explain_leaving(struct rebalancing *r, int code)
{
    if (code == GP_ETIMEOUT) {
        (void)gp_error_set(&r->err, code, "%u task%s still moving after %s, and it goes on",
                           r->moving, r->moving == 1 ? " is" : "s are",
                           options_text(r->ctl->options, "timeout"));
    } else {
        (void)gp_error_set(&r->err, code, "interrupted; tasks go on moving");
    }
    gp_error_hint(&r->err, "gpctl describe %s", r->ref.app);
}

static int run(struct rebalancing *r)
{
    int rc = ask(r, true);

    while (rc == 0 && r->patience.wait && (!r->is_begun || r->moving > 0)) {
        patience_say(&r->patience, "%s: %u of %u tasks are moving", r->ref.app, r->moving,
                     r->first.moving);
        rc = patience_pause(&r->patience, &r->err);
        if (rc < 0) {
            explain_leaving(r, rc);
        } else {
            rc = ask(r, !r->is_begun);
        }
    }
    return rc;
}

int ctl_rebalance(const struct command_spec *spec, const struct options *options, void *context)
{
    struct rebalancing r = {.ctl = context};
    int rc = patience_read(&r.patience, r.ctl, options, &r.err);
    int status;

    (void)spec;
    if (rc == 0) {
        rc = ctl_app_ref(options, &r.ref, &r.err);
    }
    if (rc < 0) {
        gp_error_hint(&r.err, "gpctl help rebalance");
    }
    if (rc == 0) {
        rc = ctl_connect(r.ctl, &r.err);
    }
    if (rc == 0) {
        rc = patience_begin(&r.patience, &r.err);
    }
    if (rc == 0) {
        rc = run(&r);
    }
    patience_end(&r.patience);
    status =
        rc == 0 ? show(&r) : ctl_fail(r.ctl, &r.err, "cannot rebalance %s", options->operands[0]);
    fields_deinit(&msg_app_rebalanced_fields, &r.first);
    return status;
}
