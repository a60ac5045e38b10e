/*
 * simulated.h: what a simulated cluster (sim/cluster.h) takes from the real world: the plugin
 * loader, the JSON parser, real files to copy onto its disks; and the nodes that workers start.
 */
#ifndef APP_SIMULATED_H
#define APP_SIMULATED_H

#include "sim/cluster.h"

extern const struct cluster_hooks simulated_hooks;

#endif
