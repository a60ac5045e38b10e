/*
 * proc_launch.h: what a child process is started with. Private to edge; used by proc.c.
 */
#ifndef EDGE_PROC_LAUNCH_H
#define EDGE_PROC_LAUNCH_H

#include <limits.h>

#include <uv.h>

#include "edge/limits.h"
#include "port/proc.h"

struct edge_launch {
    /* read-only: [0] to read, [1] to write; who takes an end sets it to -1 */
    int output[2];
    int lifeline[2];
    /* private */
    const char *program;
    const char *args[PROC_ARGS_MAX + 2]; /* NULL-terminated */
    char self[PATH_MAX];
    char parent[64];
    char **env;                       /* NULL-terminated; entries are ours or those of environ */
    char *handed[EDGE_CHILD_ENV_MAX]; /* proc_spec.env with our prefix; may be secrets */
    size_t handed_count;
};

/*
 * program NULL: the running one. Borrows program and spec. 0, GP_ENOMEM or GP_EFULL (descriptors);
 * edge_launch_deinit() in all cases.
 */
int edge_launch_init(struct edge_launch *la, const char *program, const struct proc_spec *spec);

/* Closes the ends that nobody took and wipes what was handed. */
void edge_launch_deinit(struct edge_launch *la);

/* Starts it; process becomes a handle of the loop in success and failure. 0 or a status of uv. */
int edge_launch_spawn(struct edge_launch *la, uv_loop_t *uv, uv_process_t *process,
                      uv_exit_cb on_exit_seen);

#endif
