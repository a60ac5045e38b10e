/*
 * metrics_now.h: finds in an answer of metrics.read how something is now.
 *
 *     struct metrics_now now = {.of = answer};
 *     const char *figures = metrics_now_find(&now, "split", 0, METRICS_NOW);
 *     double rate = metrics_now_number(figures, "rate_in", 0);
 *
 * The answer tells of things in the order in which it lists them, so a search begins where the last
 * one ended: who goes through an answer in its order looks at each of its series once.
 */
#ifndef APP_METRICS_NOW_H
#define APP_METRICS_NOW_H

#include "wire/messages.h"

struct metrics_now {
    const struct msg_metrics_history *of;
    /* private */
    uint32_t at;
};

/* What is told of this one, "" when nothing is. Borrowed from the answer. */
const char *metrics_now_find(struct metrics_now *now, const char *processor, uint32_t executor,
                             const char *what);

/* One of its figures, or `otherwise`. */
double metrics_now_number(const char *figures, const char *name, double otherwise);

#endif
