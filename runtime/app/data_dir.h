/*
 * data_dir.h: the folder of one daemon: where it is, and that no second daemon uses it.
 *
 * A folder is held by a lock on the file `lock` in it, which the kernel lets go of however the
 * daemon ends.
 */
#ifndef APP_DATA_DIR_H
#define APP_DATA_DIR_H

#include <stdbool.h>

#include "base/error.h"
#include "edge/paths.h"

struct data_dir {
    char path[EDGE_PATH_MAX]; /* absolute; "" when not held */
    /* private */
    int lock_fd;
};

/*
 * Takes BASE/NAME, or BASE itself when name is "", making it with mode 0700 if missing; a base that
 * is not absolute is below the current folder, "" stands for the user's own. GP_EEXIST: another
 * daemon has it (err says which); GP_EACCES, GP_EIO, ...: it cannot be made or used.
 */
int data_dir_take(struct data_dir *dir, const char *base, const char *name, struct gp_error *err);

/* The first of BASE/NAME-1, BASE/NAME-2, ... that is free. */
int data_dir_take_free(struct data_dir *dir, const char *base, const char *name,
                       struct gp_error *err);

/* Zeroed and never taken are fine. The folder stays. */
void data_dir_release(struct data_dir *dir);

#endif
