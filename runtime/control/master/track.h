/*
 * track.h: the past of a few numbers of one thing (a processor, an executor, an application): the
 * last five minutes by seconds and the last 24 hours by minutes, in memory of a fixed size.
 *
 * A second nothing was told of has no value (NAN). A minute is the mean of its seconds, or the
 * largest of them where the table says so, for a mean of percentiles says little. Pure; one owner.
 */
#ifndef CONTROL_MASTER_TRACK_H
#define CONTROL_MASTER_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define TRACK_SECONDS 300u
#define TRACK_MINUTES 1440u

struct track_metric {
    const char *name;
    bool is_largest; /* of a minute: the largest */
};

struct track {
    const struct track_metric *metrics;
    uint32_t count;
    int64_t second; /* of the latest values, since 1970; 0: none yet */
    float *seconds; /* [second % TRACK_SECONDS][metric] */
    float *minutes; /* [minute % TRACK_MINUTES][metric] */
    float *sums;    /* [metric]: of the minute that is not over */
    uint16_t *told; /* [metric]: seconds in it */
};

/* Bytes that a track of so many metrics takes. */
size_t track_bytes(uint32_t count);

/* metrics are borrowed. GP_ENOMEM. */
int track_init(struct track *t, const struct track_metric *metrics, uint32_t count);
void track_deinit(struct track *t); /* zeroed is fine */

/* values: one a metric, NAN for none. Time that goes back a little is held to stand still; after
 * more the track begins anew. */
void track_add(struct track *t, int64_t second, const float *values);

/* Appends "1,2.5,,3": the window that ends with second `end`, oldest first. GP_ENOMEM,
 * GP_ETOOBIG. */
int track_print(const struct track *t, uint32_t metric, bool by_minutes, int64_t end,
                struct buf *out);

#endif
