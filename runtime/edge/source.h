/*
 * source.h: places in a text, for the errors of its parsers. Private to edge.
 */
#ifndef EDGE_SOURCE_H
#define EDGE_SOURCE_H

#include <stddef.h>

#include <gearpump/types.h>

#include "base/error.h"

/* "line:column: what", both from 1, counting bytes, for the byte at offset `at`. Returns code. */
int edge_source_error(gp_str text, size_t at, int code, const char *what, struct gp_error *err);

#endif
