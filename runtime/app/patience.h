/*
 * patience.h: how a command waits for something that takes its time: --wait and --timeout, pauses
 * between looks, one line that says how far it is where a person waits.
 *
 *     while (!is_done) {
 *         rc = ctl_ask(...);
 *         patience_say(&p, "%u tasks left", left);
 *         rc = patience_pause(&p, err);
 *     }
 *     patience_end(&p);
 */
#ifndef APP_PATIENCE_H
#define APP_PATIENCE_H

#include "app/ctl.h"
#include "app/progress.h"

struct patience {
    /* read-only */
    bool wait;
    int64_t deadline_ns; /* INT64_MAX: none */
    /* private */
    struct ctl *ctl;
    struct progress line;
    struct timer *timer;
    bool is_over; /* the pause */
};

/* Reads both flags. GP_EINVAL: --timeout without --wait. Nothing is to be undone yet. */
int patience_read(struct patience *p, struct ctl *ctl, const struct options *options,
                  struct gp_error *err);

/* The clock runs from now on, and interrupts are counted. The client is connected. */
int patience_begin(struct patience *p, struct gp_error *err);

/* Wipes the line. A zeroed one is fine. */
void patience_end(struct patience *p);

/* The line, printf style; only on a terminal. */
void patience_say(struct patience *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Until the next look. GP_ETIMEOUT, GP_ECANCELED, without a text. */
int patience_pause(struct patience *p, struct gp_error *err);

int64_t patience_now_ns(const struct patience *p);

/* Whether an answer is one of those that are worth another look: masters change. */
bool patience_may_try_again(int code);

#endif
