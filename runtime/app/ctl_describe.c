/* ctl_describe.c: gpctl describe, kill and restart: one application. */
#include <stdlib.h>

#include "app/ctl.h"
#include "app/describe.h"
#include "app/follow.h"
#include "app/show.h"
#include "base/sha256.h"

#define KILL_TIMEOUT_NS INT64_C(20000000000)

struct describing {
    struct ctl *ctl;
    struct gp_error *err;
    int status;
};

static int on_description(void *user, const void *msg)
{
    struct describing *g = user;
    struct description *d = malloc(sizeof *d); /* large */
    int rc = d ? description_init(d, msg, g->err) : GP_ENOMEM;

    g->ctl->is_last = rc == 0 && app_state_is_end(d->msg->app.state);
    if (rc == 0 && g->ctl->json) {
        g->status = ctl_print_take(g->ctl, describe_tree(d));
    } else if (rc == 0) {
        rc = describe_print(d, stdout);
    }
    if (d) {
        description_deinit(d);
    }
    free(d);
    return rc;
}

int ctl_describe(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct gp_error err = {0};
    struct msg_app_ref ask;
    struct describing g = {ctl, &err, EXIT_STATUS_OK};
    int rc = ctl_app_ref(options, &ask, &err);

    (void)spec;
    if (rc == 0) {
        rc = ctl_connect(ctl, &err);
    }
    if (rc == 0) {
        rc = ctl_ask(ctl, MSG_APP_DESCRIBE, &ask, on_description, &g, &err);
    }
    return rc < 0 ? ctl_fail(ctl, &err, "cannot describe %s", options->operands[0]) : g.status;
}

/* ---- kill ---- */

static int on_killed(void *user, const void *msg)
{
    struct describing *g = user;
    const struct msg_app_summary *app = msg;

    if (!g->ctl->json) {
        (void)printf("%s (id %u): %s\n", app->name, app->id, show_state(app->state));
        return 0;
    }
    g->status = ctl_print_take(g->ctl, show_killed(app));
    return 0;
}

int ctl_kill(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct gp_error err = {0};
    struct msg_app_ref ask;
    struct describing g = {ctl, &err, EXIT_STATUS_OK};
    int rc = ctl_app_ref(options, &ask, &err);

    (void)spec;
    if (rc == 0) {
        rc = ctl_connect(ctl, &err);
    }
    if (rc == 0) {
        rc = ctl_ask_for(ctl, MSG_APP_KILL, &ask, KILL_TIMEOUT_NS, on_killed, &g, &err);
    }
    return rc < 0 ? ctl_fail(ctl, &err, "cannot kill %s", options->operands[0]) : g.status;
}

/* ---- restart ---- */

struct restarting {
    struct ctl *ctl;
    uint32_t id; /* the new one */
    int status;
};

static int on_restarted(void *user, const void *msg)
{
    struct restarting *r = user;

    r->id = ((const struct msg_app_submitted *)msg)->id;
    if (r->ctl->json) {
        r->status = ctl_print_take(r->ctl, show_restarted(r->id));
    } else {
        (void)printf("%u\n", r->id);
    }
    (void)fflush(stdout); /* whoever reads it need not wait */
    return 0;
}

static int restart(struct restarting *r, const char *request_id, struct gp_error *err)
{
    uint8_t random[16];
    char own_id[2 * sizeof random + 1];
    struct msg_app_ref ref = {0};
    struct msg_app_restart ask = {.request_id = (char *)(uintptr_t)request_id};
    int rc = ctl_app_ref(r->ctl->options, &ref, err);

    if (rc == 0) {
        rc = ctl_connect(r->ctl, err);
    }
    if (rc == 0) {
        rc = ctl_watch_interrupts(r->ctl, err);
    }
    if (rc == 0 && !request_id) {
        port_random(edge_port(r->ctl->world), random, sizeof random);
        hex_encode(random, sizeof random, own_id);
        ask.request_id = own_id;
    }
    ask.app = ref.app;
    return rc < 0
               ? rc
               : ctl_ask_for(r->ctl, MSG_APP_RESTART, &ask, KILL_TIMEOUT_NS, on_restarted, r, err);
}

int ctl_restart(const struct command_spec *spec, const struct options *options, void *context)
{
    struct restarting r = {.ctl = context};
    struct gp_error err = {0};
    const char *request_id = NULL;
    int rc = ctl_request_id(options, &request_id, &err);

    (void)spec;
    rc = rc < 0 ? rc : restart(&r, request_id, &err);
    if (rc < 0) {
        return ctl_fail(r.ctl, &err, "cannot restart %s", options->operands[0]);
    }
    return r.status != EXIT_STATUS_OK || options_has(options, "detach")
               ? r.status
               : follow_print_start(r.ctl, r.id);
}
