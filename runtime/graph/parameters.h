/*
 * parameters.h: whether a processor of the graph is told what its table of parameters says that it
 * can be told. Processors without a table are told anything.
 */
#ifndef GRAPH_PARAMETERS_H
#define GRAPH_PARAMETERS_H

#include "graph/mistakes.h"
#include "graph/plan.h"

/* More in one table is a mistake of the plugin. */
#define PARAMETERS_MAX PLAN_CONFIG_MAX

/* What p is told under this name, or NULL. */
const char *parameters_value(const struct plan_processor *p, const char *name);

/* Adds a line to m for each unknown, wrong or missing parameter of p. */
void parameters_check(const struct plan_processor *p, const struct gp_processor *table,
                      const char *plugin, struct mistakes *m);

/* What must hold of a table itself: names, and defaults that it would accept. 0 or GP_EABI. */
int parameters_check_table(const struct gp_processor *table, struct gp_error *err);

#endif
