/* mistakes.c: see mistakes.h. */
#include "graph/mistakes.h"

#include <stdarg.h>

#include "base/str.h"

void mistakes_deinit(struct mistakes *m)
{
    buf_deinit(&m->text);
    m->count = 0;
}

void mistakes_add(struct mistakes *m, const char *fmt, ...)
{
    va_list args;
    size_t before = buf_len(&m->text);
    int rc;

    m->count++;
    if (m->count > MISTAKES_SHOWN_MAX) {
        return;
    }
    rc = buf_append_c(&m->text, "\n  ");
    va_start(args, fmt);
    if (rc >= 0) {
        rc = buf_append_vfmt(&m->text, fmt, args);
    }
    va_end(args);
    if (rc < 0) {
        buf_truncate(&m->text, before);
    }
}

int mistakes_report(struct mistakes *m, const char *title, struct gp_error *err)
{
    if (m->count == 0) {
        return 0;
    }
    return gp_error_set(err, GP_EINVAL, "%s: %u mistake%s:%.*s%s", title, m->count,
                        m->count == 1 ? "" : "s", STR_ARG(buf_str(&m->text)),
                        m->count > MISTAKES_SHOWN_MAX ? "\n  ..." : "");
}
