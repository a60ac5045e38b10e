/* track.c: see track.h. */
#include "control/master/track.h"

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"

#define BACK_MAX_S 60 /* more is another clock */

size_t track_bytes(uint32_t count)
{
    return count * ((TRACK_SECONDS + TRACK_MINUTES + 1) * sizeof(float) + sizeof(uint16_t));
}

static void forget(float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = NAN;
    }
}

int track_init(struct track *t, const struct track_metric *metrics, uint32_t count)
{
    *t = (struct track){.metrics = metrics, .count = count};
    t->seconds = malloc((size_t)count * TRACK_SECONDS * sizeof *t->seconds);
    t->minutes = malloc((size_t)count * TRACK_MINUTES * sizeof *t->minutes);
    t->sums = calloc(count, sizeof *t->sums);
    t->told = calloc(count, sizeof *t->told);
    if (!t->seconds || !t->minutes || !t->sums || !t->told) {
        track_deinit(t);
        return GP_ENOMEM;
    }
    forget(t->seconds, (size_t)count * TRACK_SECONDS);
    forget(t->minutes, (size_t)count * TRACK_MINUTES);
    return 0;
}

void track_deinit(struct track *t)
{
    free(t->seconds);
    free(t->minutes);
    free(t->sums);
    free(t->told);
    *t = (struct track){0};
}

/* Those between the latest and now were not told of. */
static void skip(float *ring, uint32_t len, uint32_t count, int64_t from, int64_t to)
{
    for (int64_t at = to - from > len ? to - len : from; at < to; at++) {
        forget(ring + (size_t)((at + 1) % len) * count, count);
    }
}

static void move_to(struct track *t, int64_t second)
{
    if (t->second == 0 || second < t->second - BACK_MAX_S) {
        forget(t->seconds, (size_t)t->count * TRACK_SECONDS);
        forget(t->minutes, (size_t)t->count * TRACK_MINUTES);
        t->second = 0;
    } else if (second > t->second) {
        skip(t->seconds, TRACK_SECONDS, t->count, t->second, second);
        skip(t->minutes, TRACK_MINUTES, t->count, t->second / 60, second / 60);
    }
    if (second / 60 > t->second / 60 || t->second == 0) {
        for (uint32_t i = 0; i < t->count; i++) {
            t->sums[i] = 0;
            t->told[i] = 0;
        }
    }
    t->second = second > t->second ? second : t->second;
}

void track_add(struct track *t, int64_t second, const float *values)
{
    float *now;
    float *minute;

    ASSERT(second > 0);
    move_to(t, second);
    now = t->seconds + (size_t)(t->second % TRACK_SECONDS) * t->count;
    minute = t->minutes + (size_t)(t->second / 60 % TRACK_MINUTES) * t->count;
    for (uint32_t i = 0; i < t->count; i++) {
        now[i] = values[i];
        if (isnan(values[i]) || t->told[i] == UINT16_MAX) {
            continue;
        }
        t->sums[i] = t->metrics[i].is_largest && t->told[i] > 0 ? fmaxf(t->sums[i], values[i])
                     : t->metrics[i].is_largest                 ? values[i]
                                                                : t->sums[i] + values[i];
        t->told[i]++;
        minute[i] = t->metrics[i].is_largest ? t->sums[i] : t->sums[i] / (float)t->told[i];
    }
}

int track_print(const struct track *t, uint32_t metric, bool by_minutes, int64_t end,
                struct buf *out)
{
    const uint32_t len = by_minutes ? TRACK_MINUTES : TRACK_SECONDS;
    const float *ring = by_minutes ? t->minutes : t->seconds;
    const int64_t latest = by_minutes ? t->second / 60 : t->second;
    const int64_t last = by_minutes ? end / 60 : end;
    int rc = 0;

    for (int64_t at = last - len + 1; at <= last && rc >= 0; at++) {
        const bool is_kept = at > latest - len && at <= latest && t->second > 0;
        const float value = is_kept ? ring[(size_t)(at % len) * t->count + metric] : NAN;

        if (at > last - len + 1) {
            rc = buf_append(out, ",", 1);
        }
        if (rc >= 0 && !isnan(value)) {
            rc = buf_append_fmt(out, "%.6g", (double)value);
        }
    }
    return rc;
}
