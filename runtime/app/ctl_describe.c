/* ctl_describe.c: gpctl describe, kill and restart: one application. */
#include <stdlib.h>

#include "app/ctl.h"
#include "app/describe.h"
#include "app/show.h"
#include "base/sha256.h"

#define KILL_TIMEOUT_NS INT64_C(20000000000)

struct describing {
    const struct ctl *ctl;
    struct gp_error *err;
    int status;
};

static int on_description(void *user, const void *msg)
{
    struct describing *g = user;
    struct description *d = malloc(sizeof *d); /* large */
    int rc = d ? description_init(d, msg, g->err) : GP_ENOMEM;

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

static int on_restarted(void *user, const void *msg)
{
    struct describing *g = user;
    const uint32_t id = ((const struct msg_app_submitted *)msg)->id;

    if (g->ctl->json) {
        g->status = ctl_print_take(g->ctl, show_restarted(id));
    } else {
        (void)printf("%u\n", id);
    }
    return 0;
}

int ctl_restart(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct gp_error err = {0};
    struct msg_app_ref ref = {0};
    struct describing g = {ctl, &err, EXIT_STATUS_OK};
    uint8_t random[16];
    char id[2 * sizeof random + 1];
    const char *request_id = NULL;
    int rc = ctl_app_ref(options, &ref, &err);

    (void)spec;
    if (rc == 0) {
        rc = ctl_request_id(options, &request_id, &err);
    }
    if (rc == 0) {
        rc = ctl_connect(ctl, &err);
    }
    if (rc == 0) {
        struct msg_app_restart ask = {.app = ref.app, .request_id = id};

        port_random(edge_port(ctl->world), random, sizeof random);
        hex_encode(random, sizeof random, id);
        ask.request_id = request_id ? (char *)(uintptr_t)request_id : id;
        rc = ctl_ask_for(ctl, MSG_APP_RESTART, &ask, KILL_TIMEOUT_NS, on_restarted, &g, &err);
    }
    return rc < 0 ? ctl_fail(ctl, &err, "cannot restart %s", options->operands[0]) : g.status;
}
