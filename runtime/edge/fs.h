/*
 * fs.h: port/fs.h over the real file system, for edge, and for what copies real files elsewhere.
 */
#ifndef EDGE_FS_H
#define EDGE_FS_H

#include "port/fs.h"

extern const struct fs_ops edge_fs_ops; /* `world` is not looked at */

#endif
