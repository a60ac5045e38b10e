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
 * Waits until all its tasks run, or it waits for slots, or it has ended: its graph and parameters are
 * right then. GP_EJOB with its error if it failed or was killed; else as follow_to_end().
 */
int follow_to_start(struct ctl *ctl, uint32_t id, int64_t deadline_ns, struct gp_error *err);

/* Prints the summary of an application that has ended; *ret_status is the exit code, 8 unless it
 * finished. hint: what to try when it failed. Negative: as ctl_ask(). */
int follow_print_end(struct ctl *ctl, uint32_t id, const char *hint, int *ret_status,
                     struct gp_error *err);

#endif
