/* plan_check.h: the checks of plan_check(), for builders with mistakes of their own to report
 * beside them. */
#ifndef GRAPH_PLAN_CHECK_H
#define GRAPH_PLAN_CHECK_H

#include "graph/mistakes.h"
#include "graph/plan.h"

#define PLAN_CHECK_TITLE "the graph cannot run"

void plan_check_into(const struct plan *plan, struct mistakes *m);

#endif
