/*
 * follow.h: waiting for an application to begin or to end, and saying how it ended: `gpctl submit`
 * and `gpctl run`.
 */
#ifndef APP_FOLLOW_H
#define APP_FOLLOW_H

#include "app/ctl.h"

/*
 * Waits until application `id` has ended. deadline_ns: of the loop's clock, INT64_MAX for none.
 * GP_ETIMEOUT, GP_ECANCELED (interrupted; the client is gone), or as ctl_ask().
 */
int follow_to_end(struct ctl *ctl, uint32_t id, int64_t deadline_ns, struct gp_error *err);

/*
 * Waits until all its tasks run, or it waits for slots, or it has ended: its graph and parameters
 * are right then. What came of it is said on stderr: the mistakes if it failed, that we were
 * interrupted, or that it does not run yet after 10 s, which is no failure. Answers the exit code.
 */
int follow_print_start(struct ctl *ctl, uint32_t id);

/* Who leaves early says that the job runs on, and how to follow it. why: why we leave. */
void follow_explain_leaving(uint32_t id, int code, const char *why, struct gp_error *err);

/* Prints the summary of an application that has ended; *ret_status is the exit code, 8 unless it
 * finished. hint: what to try when it failed. Negative: as ctl_ask(). */
int follow_print_end(struct ctl *ctl, uint32_t id, const char *hint, int *ret_status,
                     struct gp_error *err);

#endif
