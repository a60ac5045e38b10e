/*
 * realm.h: simulated clusters (sim/cluster.h) as tests want them: with the real plugin loader, the
 * nodes of app and the plugins of this build, and with every log line on stderr if asked for, or if
 * GP_SIM_VERBOSE is set.
 */
#ifndef TESTS_SIM_REALM_H
#define TESTS_SIM_REALM_H

#include "sim/cluster.h"

/* As cluster_begin(). */
int realm_begin(struct cluster *c, uint64_t seed, bool is_verbose);

#endif
