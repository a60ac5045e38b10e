/*
 * budget.h: how often an application may be restarted in parts before it counts as broken.
 *
 * At most `restarts` in any window; what was longer ago is forgotten. Each draw also says how long to
 * wait, so that what fails at once does not fill its budget in a moment. Pure: time comes as an
 * argument, from any clock that does not go back.
 */
#ifndef CONTROL_APPMASTER_BUDGET_H
#define CONTROL_APPMASTER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_RESTARTS_DEFAULT  10u
#define BUDGET_WINDOW_DEFAULT_NS INT64_C(60000000000)
#define BUDGET_RESTARTS_MAX      256u
#define BUDGET_WAIT_MIN_NS       INT64_C(100000000)
#define BUDGET_WAIT_MAX_NS       INT64_C(10000000000)

struct budget {
    uint32_t restarts;
    int64_t window_ns;
    int64_t drawn_ns[BUDGET_RESTARTS_MAX]; /* a ring: when the latest were */
    uint32_t next;
    uint32_t count; /* in the ring */
};

/* Zeros: the defaults. `used` restarts are held against it already: of the window that ended at until_ns,
 * as if they had come one after the other. */
void budget_init(struct budget *b, uint32_t restarts, int64_t window_ns, uint32_t used,
                 int64_t until_ns);

/* One restart more; false: there are too many, and nothing is drawn. */
bool budget_draw(struct budget *b, int64_t now_ns);

/* Restarts that are held against it now. */
uint32_t budget_used(const struct budget *b, int64_t now_ns);

/* How long to wait before the restart that was drawn last: the more there were, the longer. */
int64_t budget_wait_ns(const struct budget *b, int64_t now_ns);

#endif
