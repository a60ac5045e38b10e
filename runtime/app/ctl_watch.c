/*
 * ctl_watch.c: see ctl_watch.h. The commands know nothing of it: a turn is a whole run of theirs,
 * in the world that is kept.
 */
#include "app/ctl_watch.h"

#include <unistd.h>

#define STEP_NS      INT64_C(1000000000)
#define STEP_MIN_NS  INT64_C(100000000)
#define STEP_MAX_NS  (INT64_C(86400) * STEP_NS)
#define SCREEN_BYTES ((size_t)1 << 16)
#define CLEAR_SCREEN "\x1b[H\x1b[2J\x1b[3J"

struct watching {
    struct ctl *ctl;
    struct timer *timer;
    int64_t step_ns;
    bool is_screen;
    bool is_due;
};

static int read_step(struct watching *w, const struct options *options, struct gp_error *err)
{
    int rc = options_duration(options, "watch", STEP_NS, &w->step_ns, err);

    if (rc == 0 && (w->step_ns < STEP_MIN_NS || w->step_ns > STEP_MAX_NS)) {
        rc = gp_error_set(err, GP_EINVAL, "--watch=%s: 100ms to 24h are possible",
                          options_text(options, "watch"));
    }
    return rc;
}

static void on_due(void *user)
{
    ((struct watching *)user)->is_due = true;
}

static int begin(struct watching *w, const struct options *options, struct gp_error *err)
{
    int rc = read_step(w, options, err);

    w->is_screen = !w->ctl->json && isatty(STDOUT_FILENO) != 0;
    if (rc == 0 && w->is_screen) {
        /* A turn is written as one, so that nothing flickers. */
        (void)setvbuf(stdout, NULL, _IOFBF, SCREEN_BYTES);
    }
    if (rc == 0) {
        rc = ctl_connect(w->ctl, err);
    }
    if (rc == 0) {
        rc = ctl_watch_interrupts(w->ctl, err);
    }
    if (rc == 0) {
        rc = timer_new(edge_port(w->ctl->world)->loop, on_due, w, &w->timer);
    }
    return rc;
}

/* False: it is over. */
static bool pause_until_next(struct watching *w)
{
    w->is_due = false;
    timer_start(w->timer, w->step_ns);
    return ctl_run_until(w->ctl, &w->is_due) == 0;
}

static bool may_pass(int status)
{
    return status == EXIT_STATUS_OK || status == EXIT_STATUS_UNREACHABLE ||
           status == EXIT_STATUS_TIMEOUT;
}

int ctl_watch(const struct command_spec *spec, const struct options *options, struct ctl *ctl)
{
    struct watching w = {.ctl = ctl};
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;

    if (begin(&w, options, &err) < 0) {
        return ctl_fail(ctl, &err, "cannot watch");
    }
    ctl->is_watched = true;
    for (bool is_first = true; ctl->interrupts == 0; is_first = false) {
        if (w.is_screen) {
            (void)fputs(CLEAR_SCREEN, stdout);
        } else if (!is_first && !ctl->json) {
            (void)fputc('\n', stdout);
        }
        status = spec->run(spec, options, ctl);
        if (fflush(stdout) != 0 || (is_first ? status != EXIT_STATUS_OK : !may_pass(status)) ||
            ctl->is_last || !pause_until_next(&w)) {
            break;
        }
    }
    timer_free(w.timer);
    return ctl->interrupts > 0 ? EXIT_STATUS_OK : status;
}
