/* ctl_metrics.c: gpctl metrics: how an application does, or did in a window. */
#include <unistd.h>

#include "app/ctl.h"
#include "app/metrics_print.h"
#include "app/metrics_show.h"
#include "app/show.h"
#include "base/str.h"
#include "edge/terminal.h"

struct metering {
    struct ctl *ctl;
    struct msg_metrics_read ask;
    struct value *latest; /* with -o json and a window: its history is to come */
    int status;
};

/* What the table cannot say. */
static void remark(const struct ctl *ctl, const struct msg_metrics_history *told)
{
    const struct msg_app_metrics *m = &told->latest;

    if (metrics_awaits(told)) {
        ctl_say(ctl, "%s is %s; awaited: %s", m->name, show_state(told->state),
                metrics_awaits(told));
    } else if (told->state != APP_RUNNING) {
        ctl_say(ctl, "%s is %s: these are its last counts", m->name, show_state(told->state));
    }
    for (uint32_t i = 0; i < m->stalled_count && m->stalled[i].processor < m->names_count; i++) {
        char since[SHOW_TIME_MAX];

        ctl_say(ctl, "the clock of %s has waited for %s since %s", m->name,
                m->names[m->stalled[i].processor], show_time(m->stalled[i].since_ms, since));
    }
}

static uint32_t terminal_width(void)
{
    uint32_t rows;
    uint32_t columns = 0;

    if (isatty(STDOUT_FILENO)) {
        edge_terminal_size(&rows, &columns);
    }
    return columns;
}

static int on_latest(void *user, const void *msg)
{
    struct metering *g = user;

    g->ctl->is_last = app_state_is_end(((const struct msg_metrics_history *)msg)->state);
    g->latest = metrics_show(msg);
    if (!g->latest) {
        return GP_ENOMEM;
    }
    if (g->ctl->json) {
        return 0;
    }
    remark(g->ctl, msg);
    return metrics_awaits(msg) ? 0 : metrics_print(g->latest, terminal_width(), stdout);
}

static int on_past(void *user, const void *msg)
{
    struct metering *g = user;
    const struct msg_metrics_history *past = msg;

    g->ctl->is_last = app_state_is_end(past->state);
    if (g->ctl->json) {
        return value_set_take(g->latest, GP_STR("history"), metrics_show_history(msg));
    }
    if (past->end_ms == 0) {
        ctl_say(g->ctl, "%s is %s, and nothing of its past is kept", past->latest.name,
                show_state(past->state));
        return 0;
    }
    return metrics_print_past(past, stdout);
}

static int ask_once(struct metering *g, uint32_t window, struct gp_error *err)
{
    int rc = 0;

    if (window == METRICS_LATEST || g->ctl->json) {
        g->ask.window = METRICS_LATEST;
        rc = ctl_ask(g->ctl, MSG_METRICS_READ, &g->ask, on_latest, g, err);
    }
    if (rc >= 0 && window != METRICS_LATEST) {
        g->ask.window = window;
        rc = ctl_ask(g->ctl, MSG_METRICS_READ, &g->ask, on_past, g, err);
    }
    if (rc >= 0 && g->ctl->json) {
        g->status = ctl_print_take(g->ctl, g->latest);
    } else {
        value_free(g->latest);
    }
    g->latest = NULL;
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
