/*
 * budget.h: how often an application may be restarted in parts before it counts as broken.
 *
 * At most `restarts` in a window, forgotten evenly as time goes by: after a full window of quiet
 * nothing is held against it, after half of one half is. Each draw also says how long to wait, so
 * that what fails at once does not fill its budget in a moment. Pure: time comes as an argument, from
 * any clock that does not go back.
 */
#ifndef CONTROL_APPMASTER_BUDGET_H
#define CONTROL_APPMASTER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_RESTARTS_DEFAULT  10u
#define BUDGET_WINDOW_DEFAULT_NS INT64_C(60000000000)
#define BUDGET_WAIT_MIN_NS       INT64_C(100000000)
#define BUDGET_WAIT_MAX_NS       INT64_C(10000000000)

struct budget {
    uint32_t restarts;
    int64_t window_ns;
    int64_t debt_ns; /* window_ns / restarts for each draw; pays itself back with time */
    int64_t at_ns;   /* when debt_ns was right */
};

/* Zeros: the defaults. `used` restarts are held against it already. */
void budget_init(struct budget *b, uint32_t restarts, int64_t window_ns, uint32_t used,
                 int64_t now_ns);

/* One restart more; false: there are too many, and nothing is drawn. */
bool budget_draw(struct budget *b, int64_t now_ns);

/* Restarts that are held against it now, rounded up. */
uint32_t budget_used(const struct budget *b, int64_t now_ns);

/* How long to wait before the restart that was drawn last: the more there were, the longer. */
int64_t budget_wait_ns(const struct budget *b, int64_t now_ns);

#endif
