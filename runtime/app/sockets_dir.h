/*
 * sockets_dir.h: a folder for the Unix sockets of this process and its children.
 *
 * It stands in the user's runtime folder, not with the data: paths of sockets must be short. The
 * name begins with our pid, so that what a killed process left behind can be told and removed.
 */
#ifndef APP_SOCKETS_DIR_H
#define APP_SOCKETS_DIR_H

#include "base/error.h"
#include "edge/paths.h"
#include "port/port.h"

/* Makes RUNTIME/PID, mode 0700, and removes those of processes that are gone. */
int sockets_dir_make(const struct port *port, char ret_path[EDGE_PATH_MAX], struct gp_error *err);

/* With all that is in it. "" is fine. */
void sockets_dir_remove(const struct port *port, const char *path);

#endif
