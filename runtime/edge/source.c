/* source.c: see source.h. */
#include "edge/source.h"

int edge_source_error(gp_str text, size_t at, int code, const char *what, struct gp_error *err)
{
    unsigned line = 1;
    unsigned column = 1;

    for (size_t i = 0; i < at && i < text.len; i++) {
        column = text.ptr[i] == '\n' ? 1 : column + 1;
        line += text.ptr[i] == '\n' ? 1 : 0;
    }
    return gp_error_set(err, code, "%u:%u: %s", line, column, what);
}
