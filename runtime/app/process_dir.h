/*
 * process_dir.h: a folder that lasts as long as this process.
 *
 * For Unix sockets, whose paths must be short, and for what `gpctl run` needs on disk. The name
 * holds our pid, so that what a killed process left behind can be told, and is removed by the next
 * one.
 */
#ifndef APP_PROCESS_DIR_H
#define APP_PROCESS_DIR_H

#include "base/error.h"
#include "edge/paths.h"
#include "port/port.h"

/*
 * Where files that need not outlive the process are cheapest: $TMPDIR if it says so; else memory,
 * where there is plenty of it and plugins may be loaded from it; else /tmp. On a disk that discards
 * what is deleted, removing the two dozen files of a run took as long as the run of a small job.
 */
const char *process_dir_base(void);

/*
 * Makes BASE/PREFIX<pid>-<something new>, mode 0700, and removes its like of processes of this user
 * that are gone. BASE exists, perhaps for everybody (/tmp).
 */
int process_dir_make(const struct port *port, const char *base, const char *prefix,
                     char ret_path[EDGE_PATH_MAX], struct gp_error *err);

/* With all that is in it. "" is fine. */
void process_dir_remove(const struct port *port, const char *path);

#endif
