/*
 * figures.h: how a job that has ended did in all: what a benchmark would print of it.
 */
#ifndef APP_FIGURES_H
#define APP_FIGURES_H

#include "app/ctl.h"
#include "app/describe.h"
#include "base/hist.h"

struct figures {
    double per_s;        /* messages into the last processors, over the whole run */
    double cpu_ns;       /* of all its executors, for each of these messages; 0: not known */
    struct hist latency; /* ns from source to sink; empty: not sampled */
};

/* What the master was told of an application. With nothing told, nothing is known. */
int figures_ask(struct ctl *ctl, uint32_t id, struct figures *ret, struct gp_error *err);

/* The rate, from what is said at the end. run_ns: from start to end. */
void figures_add_rate(struct figures *f, const struct description *d, int64_t run_ns);

struct value *figures_tree(const struct figures *f);
void figures_say(const struct ctl *ctl, const struct figures *f);

#endif
