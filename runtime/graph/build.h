/*
 * build.h: the host's side of an application's build function: what it describes becomes a plan.
 *
 * Life: build_new → gp_app.build(build_service(b)) → the owner loads the plugins that
 * build_plugin_name() lists → build_finish. Nothing is refused on the way; mistakes are kept and
 * reported together by build_finish. One thread. Borrows its options until build_free.
 */
#ifndef GRAPH_BUILD_H
#define GRAPH_BUILD_H

#include <gearpump/plugin.h>

#include "base/error.h"
#include "graph/plan.h"

struct build;

/* `--parallelism processor=count` */
struct build_parallelism {
    const char *processor;
    uint32_t count;
};

/* `--place processor=worker:NAME` */
struct build_place {
    const char *processor;
    const char *place;
};

struct build_options {
    const char *app_name;
    const struct gp_host *host;
    const struct gp_catalog *catalog; /* of the application's own plugin */
    const struct plan_config *config; /* `--set`; a key NAME.key goes to processor NAME */
    uint32_t config_count;
    const struct build_parallelism *parallelism;
    uint32_t parallelism_count;
    const struct build_place *places;
    uint32_t place_count;
    uint64_t hash_seed;
};

/* A plugin as it was resolved. Index 0 is the application's own, then in the order of
 * build_plugin_name(). */
struct build_plugin {
    const char *name;
    const char *version;
    const char *sha256;
    const struct gp_catalog *catalog;
};

/* 0 or GP_ENOMEM. */
int build_new(const struct build_options *options, struct build **ret);
void build_free(struct build *b); /* NULL is fine */

/* What gp_app.build gets. Valid until build_free. */
const struct gp_build *build_service(struct build *b);

/* The host of whoever builds: GP_SERVICE_GRAPH, and the services of tasks, though no task lives
 * here. */
const struct gp_host *build_host(void);

/* The application's build function did not answer GP_OK: a mistake, unless it named one itself. */
void build_refused(struct build *b);

/* Other plugins the graph names, each once: 0 <= i < count. */
uint32_t build_plugin_count(const struct build *b);
const char *build_plugin_name(const struct build *b, uint32_t i);

/* The parameters that the build function has read, each once: 0 <= i < count. */
uint32_t build_asked_count(const struct build *b);
const char *build_asked(const struct build *b, uint32_t i);

/* The mistakes so far, all of them after build_finish(), each begun by "\n  ". Valid until the next
 * call. */
gp_str build_mistakes(const struct build *b);

/*
 * Makes the plan. plugins has 1 + build_plugin_count(b) entries; a NULL catalog stands for a plugin
 * that could not be had (its error was reported by the owner). 0, GP_EINVAL with all mistakes in
 * err, GP_ENOMEM.
 */
int build_finish(struct build *b, const struct build_plugin *plugins, struct plan **ret,
                 struct gp_error *err);

#endif
