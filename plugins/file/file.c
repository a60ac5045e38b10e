/*
 * The file plugin: lines from files, lines to part files. See README.md.
 */
#include "file.h"

GP_PLUGIN("file", "1.0.0", &file_source, &file_follow, &file_sink)
