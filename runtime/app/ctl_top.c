/*
 * ctl_top.c: gpctl top: asks once an interval, and shows it: on a screen that follows keys, or as
 * one table or object an interval where nobody watches.
 *
 *     round: app.list -> metrics.read of the open application, or of some of the list -> shown
 *
 * The screen works on while an answer is awaited. The first round must succeed; a later one that
 * fails is told on the screen and tried again, and ends what is piped.
 */
#include <stdlib.h>

#include "app/ctl.h"
#include "app/metrics_show.h"
#include "app/picture.h"
#include "app/show.h"
#include "app/top.h"
#include "base/str.h"
#include "edge/terminal.h"

#define INTERVAL_MIN_NS INT64_C(1000000000)
#define ASK_NS          INT64_C(5000000000)
#define ASKS_MAX        4u /* metrics.read in one round */
#define ID_TEXT_MAX     16
#define WHERE_MAX       128

struct watching {
    struct ctl *ctl;
    struct top top;
    char where[WHERE_MAX];
    struct edge_terminal *screen; /* NULL: piped */
    bool has_colours;
    struct timer *timer;
    int64_t interval_ns;
    uint64_t count; /* of tables; 0: until it is interrupted */
    uint32_t turn;
    uint32_t asked[ASKS_MAX];
    uint32_t asked_count;
    uint32_t asked_at;
    bool is_asking;
    bool has_begun; /* one round has succeeded */
    bool is_round_over;
    bool is_due;
    bool is_over;
    struct gp_error err; /* of the last round */
};

/* ---- the screen ---- */

static void draw(struct watching *w)
{
    struct picture picture;
    struct buf text = {0};
    uint32_t rows;
    uint32_t columns;

    if (!w->screen) {
        return;
    }
    edge_terminal_size(&rows, &columns);
    picture_init(&picture, rows, columns);
    if (top_draw(&w->top, w->where, &picture) == 0 &&
        picture_render(&picture, w->has_colours, &text) == 0) {
        edge_terminal_write(buf_str(&text));
    }
    buf_deinit(&text);
    picture_deinit(&picture);
}

/* ---- a round ---- */

static void round_end(struct watching *w, int code, const struct gp_error *err)
{
    w->is_asking = false;
    w->is_round_over = true;
    w->err = code < 0 ? *err : (struct gp_error){0};
    if (code < 0) {
        top_failed(&w->top, err->text);
    } else {
        w->has_begun = true;
    }
    w->is_over = w->is_over || !w->has_begun;
    draw(w);
}

static void round_failed(struct watching *w, int rc)
{
    struct gp_error err = {0};

    (void)gp_error_set(&err, rc, "%s", error_sentence(rc));
    round_end(w, rc, &err);
}

static void ask_next(struct watching *w);

static void on_metrics(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct watching *w = user;
    struct value *metrics = NULL;

    if (code < 0 && code != GP_ENOENT) { /* it has just gone: the list will say so */
        round_end(w, code, err);
        return;
    }
    metrics = code < 0 ? NULL : metrics_show(msg);
    if (metrics) {
        top_take_metrics(&w->top, w->asked[w->asked_at], metrics);
    }
    w->asked_at++;
    ask_next(w);
}

static void ask_next(struct watching *w)
{
    char id[ID_TEXT_MAX];
    const struct msg_metrics_read ask = {
        .app = id, .window = METRICS_LATEST, .processor = MSG_NO_TEXT};
    int rc;

    if (w->asked_at == w->asked_count) {
        round_end(w, 0, NULL);
        return;
    }
    (void)str_format(id, sizeof id, "%u", w->asked[w->asked_at]);
    rc = client_ask_for(w->ctl->client, MSG_METRICS_READ, &ask, ASK_NS, on_metrics, w);
    if (rc < 0) {
        round_failed(w, rc);
    }
}

static void on_apps(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct watching *w = user;
    const struct msg_app_page *page = msg;
    struct value *list;
    int rc;

    if (code < 0) {
        round_end(w, code, err);
        return;
    }
    list = value_new_list();
    rc = list ? 0 : GP_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < page->apps_count; i++) {
        rc = value_append_take(list, show_app(&page->apps[i]));
    }
    if (rc < 0) {
        value_free(list);
        round_failed(w, rc);
        return;
    }
    top_take_apps(&w->top, list, page->next != 0);
    w->asked_at = 0;
    w->asked_count = top_wanted(&w->top, &w->turn, ASKS_MAX, w->asked);
    ask_next(w);
}

static void round_begin(struct watching *w)
{
    struct msg_app_list ask = {0};
    int rc;

    w->top.now_ms = show_now_ms();
    if (w->is_asking) { /* a master that is slow is not asked twice */
        draw(w);
        return;
    }
    w->is_asking = true;
    w->is_round_over = false;
    rc = client_ask_for(w->ctl->client, MSG_APP_LIST, &ask, ASK_NS, on_apps, w);
    if (rc < 0) {
        round_failed(w, rc);
    }
}

/* ---- full screen ---- */

static void on_due(void *user)
{
    struct watching *w = user;

    w->is_due = true;
    timer_start(w->timer, w->interval_ns);
    if (w->screen) {
        round_begin(w);
    }
}

static void on_keys(void *user, gp_str sent)
{
    struct watching *w = user;
    enum top_key key;
    uint32_t app = w->top.app;

    w->is_over = w->is_over || sent.len == 0; /* the terminal is gone */
    while ((key = top_next_key(&sent)) != TOP_KEY_NONE) {
        top_press(&w->top, key);
    }
    w->is_over = w->is_over || w->top.is_over;
    draw(w);
    if (w->top.app != app && w->top.app != 0) { /* what a person waits for */
        timer_start(w->timer, 0);
    }
}

static void on_resized(void *user)
{
    draw(user);
}

static int run_screen(struct watching *w)
{
    struct loop *loop = edge_port(w->ctl->world)->loop;
    int rc = edge_terminal_new(loop, on_keys, on_resized, w, &w->screen, &w->err);

    if (rc == 0) {
        w->has_colours = w->ctl->has_colours;
        draw(w);
        timer_start(w->timer, 0);
        rc = ctl_run_until(w->ctl, &w->is_over);
    }
    edge_terminal_free(w->screen);
    w->screen = NULL;
    return rc < 0 ? rc : w->has_begun ? 0 : w->err.code;
}

/* ---- piped ---- */

static int print_json(const struct value *v)
{
    struct buf text = {0};
    int rc = v ? value_print_json(v, &text, VALUE_COMPACT) : GP_ENOMEM;

    if (rc == 0) {
        (void)printf("%.*s\n", STR_ARG(buf_str(&text)));
    }
    buf_deinit(&text);
    return rc;
}

static int print_apps_json(const struct top *t)
{
    struct value *v = show_under_take("applications", value_dup(t->apps));
    int rc = v ? value_set_i64(v, GP_STR("time_ms"), t->now_ms) : GP_ENOMEM;

    rc = rc == 0 ? print_json(v) : rc;
    value_free(v);
    return rc;
}

static int print_table(const struct top *t)
{
    const struct value *rows[GRID_ROWS_MAX];
    struct grid grid;
    uint32_t count;

    top_grid(t, &grid);
    count = grid_order(&grid, rows);
    return grid_print(&grid, rows, count, -1, stdout);
}

/* Whether there was anything. */
static bool print_round(struct watching *w, bool is_first, int *ret_rc)
{
    const struct top *t = &w->top;

    *ret_rc = 0;
    if (t->app != 0 && !t->metrics) {
        if (is_first) {
            ctl_say(w->ctl, "nothing was told yet");
        }
        return false;
    }
    if (w->ctl->json) {
        *ret_rc = t->app == 0 ? print_apps_json(t) : print_json(t->metrics);
    } else {
        if (!is_first) {
            (void)fputc('\n', stdout);
        }
        *ret_rc = print_table(t);
    }
    if (fflush(stdout) != 0) {
        *ret_rc = gp_error_set(&w->err, GP_EIO, "stdout: %m");
    }
    return true;
}

static int run_piped(struct watching *w)
{
    uint64_t printed = 0;
    int rc = 0;

    timer_start(w->timer, w->interval_ns);
    for (bool is_first = true; rc == 0; is_first = printed == 0) {
        w->is_due = false;
        round_begin(w);
        rc = ctl_run_until(w->ctl, &w->is_round_over);
        rc = rc == 0 ? w->err.code : rc;
        if (rc == 0 && print_round(w, is_first, &rc) && ++printed == w->count) {
            break;
        }
        if (rc == 0 && w->top.has_ended) {
            ctl_say(w->ctl, "it has ended");
            break;
        }
        rc = rc == 0 ? ctl_run_until(w->ctl, &w->is_due) : rc;
    }
    return rc;
}

/* ---- beginning ---- */

static int on_description(void *user, const void *msg)
{
    top_open(user, ((const struct msg_app_description *)msg)->app.id);
    return 0;
}

static int read_options(struct watching *w, const struct options *options)
{
    int rc = options_u64(options, "count", 1, UINT32_MAX, 0, &w->count, &w->err);

    if (rc == 0) {
        rc = options_duration(options, "interval", INTERVAL_MIN_NS, &w->interval_ns, &w->err);
    }
    if (rc == 0 && w->interval_ns < INTERVAL_MIN_NS) {
        rc = gp_error_set(&w->err, GP_EINVAL, "--interval %s: a second is the least",
                          options_text(options, "interval"));
        gp_error_hint(&w->err, "gpctl top --help");
    }
    return rc;
}

static int begin(struct watching *w, const struct options *options)
{
    struct msg_app_ref ref = {0};
    int rc = ctl_connect(w->ctl, &w->err);

    if (rc == 0) {
        rc = ctl_watch_interrupts(w->ctl, &w->err);
    }
    if (rc == 0) {
        rc = timer_new(edge_port(w->ctl->world)->loop, on_due, w, &w->timer);
    }
    if (rc == 0 && options->operand_count > 0) {
        rc = ctl_app_ref(options, &ref, &w->err);
        rc = rc == 0 ? ctl_ask(w->ctl, MSG_APP_DESCRIBE, &ref, on_description, &w->top, &w->err)
                     : rc;
    }
    if (rc == 0) {
        const struct config *config = &w->ctl->config;

        (void)str_format(w->where, sizeof w->where, "%s%s", config->cluster.masters[0],
                         config->cluster.masters_count > 1 ? ", .." : "");
    }
    return rc;
}

int ctl_top(const struct command_spec *spec, const struct options *options, void *context)
{
    struct watching w = {.ctl = context};
    const bool is_piped =
        w.ctl->json || options_has(options, "count") || !edge_terminal_is_possible();
    int status = EXIT_STATUS_OK;
    int rc = read_options(&w, options);

    (void)spec;
    if (rc == 0 && !is_piped) {
        rc = edge_terminal_begin(&status, &w.err);
        if (rc == 1) {
            return status; /* of the child, which did all that follows */
        }
    }
    top_init(&w.top);
    if (rc == 0) {
        rc = begin(&w, options);
    }
    if (rc == 0) {
        rc = is_piped ? run_piped(&w) : run_screen(&w);
    }
    /* What is still asked must not answer into this frame. */
    client_free(w.ctl->client);
    w.ctl->client = NULL;
    timer_free(w.timer);
    top_deinit(&w.top);
    if (rc == GP_ECANCELED) {
        return EXIT_STATUS_OK; /* that is how it ends */
    }
    if (rc < 0 && w.err.code == 0) {
        (void)gp_error_set(&w.err, rc, "%s", error_sentence(rc));
    }
    return rc < 0 ? ctl_fail(w.ctl, &w.err, "cannot show how the cluster does") : status;
}
