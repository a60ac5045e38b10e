/* ctl_metrics.c: gpctl metrics: how an application does. */
#include "app/ctl.h"
#include "app/metrics_show.h"
#include "app/show.h"
#include "base/str.h"

struct metering {
    struct ctl *ctl;
    struct msg_metrics_read ask;
    struct value *tree; /* with -o json and a window: the latest, its history to come */
    int status;
};

static int on_latest(void *user, const void *msg)
{
    struct metering *g = user;
    const struct msg_metrics_history *latest = msg;

    if (g->ctl->json) {
        g->tree = metrics_show(latest);
        return g->tree ? 0 : GP_ENOMEM;
    }
    if (latest->latest.app == 0) {
        ctl_say(g->ctl, "nothing was told yet: it has just begun, or another master leads now");
        return 0;
    }
    return metrics_print(latest, stdout);
}

static int on_past(void *user, const void *msg)
{
    struct metering *g = user;

    return value_set_take(g->tree, GP_STR("history"), metrics_show_history(msg));
}

static int ask_once(struct metering *g, uint32_t window, struct gp_error *err)
{
    int rc;

    g->ask.window = METRICS_LATEST;
    rc = ctl_ask(g->ctl, MSG_METRICS_READ, &g->ask, on_latest, g, err);
    if (rc >= 0 && g->ctl->json && window != METRICS_LATEST) {
        g->ask.window = window;
        rc = ctl_ask(g->ctl, MSG_METRICS_READ, &g->ask, on_past, g, err);
    }
    if (rc >= 0 && g->ctl->json) {
        g->status = ctl_print_take(g->ctl, g->tree);
    } else {
        value_free(g->tree);
    }
    g->tree = NULL;
    return rc;
}

static int read_window(const struct options *options, uint32_t *ret, struct gp_error *err)
{
    const char *text = options_text(options, "window");

    *ret = METRICS_LATEST;
    for (uint32_t i = 0; text && metrics_window_names[i]; i++) {
        if (strcmp(text, metrics_window_names[i]) == 0) {
            *ret = i;
            return 0;
        }
    }
    return text ? gp_error_set(err, GP_EINVAL, "--window %s: it is latest, 5m or 24h", text) : 0;
}

int ctl_metrics(const struct command_spec *spec, const struct options *options, void *context)
{
    struct metering g = {.ctl = context, .status = EXIT_STATUS_OK};
    struct gp_error err = {0};
    struct msg_app_ref ref = {0};
    uint32_t window = METRICS_LATEST;
    int rc = ctl_app_ref(options, &ref, &err);

    (void)spec;
    g.ask.app = ref.app;
    g.ask.processor = MSG_NO_TEXT;
    if (rc == 0) {
        rc = read_window(options, &window, &err);
    }
    if (rc == 0) {
        rc = ctl_connect(g.ctl, &err);
    }
    if (rc == 0) {
        rc = ask_once(&g, window, &err);
    }
    return rc < 0 ? ctl_fail(g.ctl, &err, "cannot show the metrics of %s", options->operands[0])
                  : g.status;
}
