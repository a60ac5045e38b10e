/*
 * probe.h: what a plugin is, found out by loading it in a throw-away process: code that crashes,
 * exits or does not return is a finding there, and nothing here.
 *
 * The checks are those of whoever runs it later: graph/plugin_load.h and graph/build.h.
 */
#ifndef APP_PROBE_H
#define APP_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/value.h"
#include "wire/messages.h"

#define PROBE_SECONDS 10 /* for all of it, if nobody says otherwise */

struct probe_spec {
    const char *path; /* of the plugin, absolute */
    /* Folders where plugins that the graph names are looked for, the first first. */
    const char *const *dirs;
    uint32_t dir_count;
    /* Not NULL: its build function runs with these parameters. */
    const struct msg_app_submit *job;
    int seconds;
    /* What it prints, line by line; may be NULL. */
    void (*on_word)(void *user, gp_str line);
    void *user;
};

struct probe {
    struct value *findings; /* list of {place, what, try}; empty: it can run */
    struct value *plugin;   /* what it brings, or NULL: it could not be loaded */
    struct value *plan;     /* the graph as it would run, or NULL */
    /* What its job can be told, a list of {name, choices, help}; those of processors, as
     * "count.output", if there is a plan. NULL: its graph was not built. */
    struct value *parameters;
};

/* Runs it and waits. Negative: no process could be made, or no memory. */
int probe_run(const struct probe_spec *spec, struct probe *ret, struct gp_error *err);
void probe_deinit(struct probe *p);

/* In the child: writes records to the descriptor. The exit code. */
int probe_child(const struct probe_spec *spec, int records_fd);

#endif
