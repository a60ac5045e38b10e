/* patience.c: see patience.h. */
#include "app/patience.h"

#include <stdarg.h>
#include <unistd.h>

#include "base/str.h"

#define PAUSE_NS INT64_C(250000000)

int patience_read(struct patience *p, struct ctl *ctl, const struct options *options,
                  struct gp_error *err)
{
    int rc;

    *p = (struct patience){.ctl = ctl, .wait = options_has(options, "wait")};
    rc = options_duration(options, "timeout", INT64_MAX, &p->deadline_ns, err);
    if (rc == 0 && options_has(options, "timeout") && !p->wait) {
        rc = gp_error_set(err, GP_EINVAL, "--timeout is for --wait");
    }
    return rc;
}

int64_t patience_now_ns(const struct patience *p)
{
    return loop_fresh_now_ns(edge_port(p->ctl->world)->loop);
}

static void on_over(void *user)
{
    struct patience *p = user;

    p->is_over = true;
}

int patience_begin(struct patience *p, struct gp_error *err)
{
    struct loop *loop = edge_port(p->ctl->world)->loop;
    int rc = ctl_watch_interrupts(p->ctl, err);

    if (rc == 0) {
        rc = timer_new(loop, on_over, p, &p->timer);
    }
    if (rc == 0 && p->deadline_ns < INT64_MAX / 2) { /* longer than a century is never */
        p->deadline_ns += patience_now_ns(p);
    }
    progress_begin(&p->line,
                   !p->ctl->json && !p->ctl->is_quiet && isatty(STDERR_FILENO) ? stderr : NULL, "");
    return rc < 0 ? gp_error_set(err, rc, "waiting") : 0;
}

void patience_end(struct patience *p)
{
    progress_end(&p->line);
    timer_free(p->timer);
    p->timer = NULL;
}

void patience_say(struct patience *p, const char *fmt, ...)
{
    char text[128]; /* wider than a terminal is no line any more */
    va_list args;

    va_start(args, fmt);
    (void)str_vformat(text, sizeof text, fmt, args);
    va_end(args);
    progress_say(&p->line, text);
}

int patience_pause(struct patience *p, struct gp_error *err)
{
    int64_t left_ns = p->deadline_ns - patience_now_ns(p);

    if (left_ns <= 0) {
        return gp_error_set(err, GP_ETIMEOUT, "%s", error_sentence(GP_ETIMEOUT));
    }
    p->is_over = false;
    timer_start(p->timer, left_ns < PAUSE_NS ? left_ns : PAUSE_NS);
    return ctl_run_until(p->ctl, &p->is_over) < 0
               ? gp_error_set(err, GP_ECANCELED, "%s", error_sentence(GP_ECANCELED))
               : 0;
}

bool patience_may_try_again(int code)
{
    return code == GP_ETIMEOUT || code == GP_ENOTLEADER || code == GP_EAGAIN || code == GP_ECLOSED;
}
