/*
 * signals.h: what every main() does first, and how it is asked to end.
 */
#ifndef EDGE_SIGNALS_H
#define EDGE_SIGNALS_H

#include "base/error.h"
#include "edge/world.h"

/*
 * The very first line of main(): SIGPIPE is ignored (a peer that is gone is an error of the write,
 * not the end of us), and a crash leaves a line (edge/crash.h). GP_EINVAL never; cannot fail.
 */
void edge_process_begin(void);

struct edge_signals;

/*
 * on_stop is called on the main loop at the first SIGTERM and at the first SIGINT: count is 1, then
 * 2, which is a person who will not wait. A second one of a kind ends the process at once, whatever
 * it is doing. GP_ENOMEM, GP_EFULL.
 */
int edge_signals_new(struct edge_world *world, void (*on_stop)(void *user, int signal, int count),
                     void *user, struct edge_signals **ret, struct gp_error *err);

/* From then on these signals kill again. NULL is fine. */
void edge_signals_free(struct edge_signals *signals);

#endif
