/*
 * exposition.h: writes the text format that Prometheus reads (version 0.0.4).
 *
 *     struct exposition e = {.out = &buf};
 *     exposition_family(&e, "gearpump_app_tasks", EXPOSITION_GAUGE, "Tasks of an application.");
 *     exposition_number(&e, labels, 1, 12);
 *     rc = e.rc;
 *
 * All samples of a family stand together, below its name and help. Labels are escaped; those with
 * an empty value are left out, which means the same. The first failure stays in rc, and what comes
 * after it writes nothing. Pure, any thread.
 */
#ifndef OBSERVE_EXPOSITION_H
#define OBSERVE_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"
#include "base/hist.h"

enum exposition_kind { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct label {
    const char *name;
    const char *value; /* NULL as "" */
};

/* 1 us, 2 us, 5 us, 10 us ... 100 s: the upper bounds of all histograms of times, in
 * nanoseconds. */
#define EXPOSITION_BOUNDS 25u
extern const uint64_t exposition_bounds_ns[EXPOSITION_BOUNDS];

struct exposition {
    struct buf *out;
    int rc; /* 0, GP_ENOMEM, GP_ETOOBIG */
    /* private */
    const char *name;
};

/* name and help are literals. */
void exposition_family(struct exposition *e, const char *name, enum exposition_kind kind,
                       const char *help);
void exposition_number(struct exposition *e, const struct label *labels, uint32_t count,
                       double value);

/* A histogram of nanoseconds, as seconds. */
void exposition_histogram(struct exposition *e, const struct label *labels, uint32_t count,
                          const struct hist *hist);

#endif
