/*
 * fault_strike.h: what each kind of fault does to whom, and how it is healed. For fault_plan.c,
 * which says when.
 */
#ifndef SIM_FAULT_STRIKE_H
#define SIM_FAULT_STRIKE_H

#include "sim/fault_plan.h"

/* False: it found nobody to hit, and is over. */
bool fault_strike(struct fault_plan *plan, struct cluster *c, struct fault *f);
void fault_heal(struct fault_plan *plan, struct cluster *c, struct fault *f);

/* Says what happened to who listens; fault: NULL for what none did. */
void fault_tell(const struct fault_plan *plan, const struct fault *fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
