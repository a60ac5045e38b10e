/*
 * mistakes.h: a list of what is wrong, so that a person hears of all of it at once.
 */
#ifndef GRAPH_MISTAKES_H
#define GRAPH_MISTAKES_H

#include "base/buf.h"
#include "base/error.h"

#define MISTAKES_SHOWN_MAX 32u

struct mistakes {
    struct buf text; /* one line each */
    uint32_t count;  /* also of those beyond MISTAKES_SHOWN_MAX */
};

void mistakes_deinit(struct mistakes *m);

/* Adds one line; cut when memory or room is short, but always counted. */
void mistakes_add(struct mistakes *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0 when there are none; else GP_EINVAL with all lines in err under the title. */
int mistakes_report(struct mistakes *m, const char *title, struct gp_error *err);

#endif
