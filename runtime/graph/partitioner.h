/* partitioner.h: the partitioners by name. */
#ifndef GRAPH_PARTITIONER_H
#define GRAPH_PARTITIONER_H

#include "graph/plan.h"

/* "hash" and so on; anything else is PLAN_CUSTOM, to be looked for in the plugins. */
enum plan_partitioner partitioner_parse(gp_str name);

/* The reverse; not for PLAN_CUSTOM. */
const char *partitioner_name(enum plan_partitioner partitioner);

#endif
