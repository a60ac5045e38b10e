/*
 * paths.h: where things of one user stand when nobody said where, and the secret among them.
 *
 * gpd and gpctl of one user find the same places, so local use needs no flag. All functions fail
 * with the path in err. Paths are written zero-terminated.
 */
#ifndef EDGE_PATHS_H
#define EDGE_PATHS_H

#include <stddef.h>

#include "base/error.h"
#include "edge/limits.h"

#define EDGE_PATH_MAX 512

/*
 * The folder for Unix sockets: $XDG_RUNTIME_DIR/gearpump, or /tmp/gearpump-UID when there is no
 * such folder. Made with mode 0700 if missing; one that belongs to somebody else, or that others
 * can enter, is refused (GP_EACCES).
 */
int edge_runtime_dir(char ret_path[EDGE_PATH_MAX], struct gp_error *err);

/* $XDG_STATE_HOME/gearpump, or ~/.local/state/gearpump. Not made. GP_ENOENT: there is no home. */
int edge_data_dir(char ret_path[EDGE_PATH_MAX], struct gp_error *err);

/* $XDG_CONFIG_HOME/gearpump/secret, or ~/.config/gearpump/secret. Not made. GP_ENOENT likewise. */
int edge_secret_path(char ret_path[EDGE_PATH_MAX], struct gp_error *err);

/* What a secret file holds, blanks around it cut off. */
struct edge_secret {
    char text[EDGE_SECRET_SIZE_MAX];
    size_t len;
};

/*
 * Reads a secret. The file must be ours (or root's) and closed to all others (GP_EACCES), of
 * EDGE_SECRET_SIZE_MIN to EDGE_SECRET_SIZE_MAX bytes (GP_EINVAL).
 */
int edge_secret_read(const char *path, struct edge_secret *ret, struct gp_error *err);

/*
 * The same, and makes the file first if it is missing: 32 random bytes as 64 hexadecimal digits,
 * mode 0600, folders as needed. Of several processes that do so at once all get the same secret.
 */
int edge_secret_read_or_make(const char *path, struct edge_secret *ret, struct gp_error *err);

#endif
