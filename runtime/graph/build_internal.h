/*
 * build_internal.h: shared by build.c and build_finish.c and by nobody else.
 */
#ifndef GRAPH_BUILD_INTERNAL_H
#define GRAPH_BUILD_INTERNAL_H

#include <stdbool.h>

#include "graph/build.h"
#include "graph/mistakes.h"

#define ASKED_MAX 256u /* parameters that build asked for, kept for the same */

struct build {
    struct build_options options;
    struct gp_build service;
    struct gp_config config;
    struct plan *plan;
    char *plugin_names[PLAN_PLUGINS_MAX]; /* from index 1 */
    uint32_t plugin_count;                /* with the application's own */
    char *asked[ASKED_MAX];               /* which parameters build has read */
    uint32_t asked_count;
    struct mistakes mistakes;
    int out_of_memory;
};

/* A copy of text (NULL: ""), the caller's to free; NULL without memory, which build_finish()
 * tells. */
char *build_keep(struct build *b, const char *text);

bool build_was_asked(const struct build *b, const char *key);

/* Adds a parameter to a list, or replaces its value. Too many are a mistake. */
void build_config_put(struct build *b, struct plan_config **config, uint32_t *count,
                      const char *key, const char *value);

#endif
