/*
 * measure.h: how tasks spend their time, how long calls and messages take.
 *
 * Time. A task that runs is busy (in a slice), blocked (from when it stopped for lack of credit
 * until its next slice) or idle (the rest: nothing to do, or the lane ran another). The clock is
 * read once after each slice. What a slice calls directly in other tasks (fuse.c) is taken from
 * sampled calls.
 *
 * Processing time. One call of process() in `sample_every`, on average, is timed: distances between
 * sampled calls are drawn, for calls of different tasks may alternate. Only user code is timed, and
 * each row of the call counts with an equal share.
 *
 * Latency. With metrics enabled a stage of sources puts a PROBE element behind what one of its
 * tasks has emitted, at most PROBES_PER_S times a second, with the time of that. It goes with the
 * rows, through queues and inboxes; each task it comes to records how long that took and sends it
 * on behind what it has emitted. It bears the clock of the source's host: between hosts a latency
 * is as good as their clocks agree, and what would be negative is 0.
 *
 * The control thread cannot read any of it beside the lane: the lane copies it out once a second,
 * with its other news (lane_look.c). Thread: the lane's.
 */
#ifndef DATA_MEASURE_H
#define DATA_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "wire/messages_metrics.h"

#define PROBES_PER_S 100

struct lane;
struct stage;
struct task;

/* Of one task. */
struct task_meter {
    int64_t since_ns;   /* it runs since; 0: it does not */
    int64_t blocked_ns; /* it is blocked since; 0: it is not */
    int64_t alive_sum_ns;
    int64_t busy_sum_ns;
    int64_t blocked_sum_ns;
    uint64_t in;
    uint64_t out;
    uint64_t restarts;
    int64_t latency_max_ns; /* of probes since it was last copied out */
    uint32_t probes;        /* in its inbox */
};

/* Of one stage. */
struct stage_meter {
    struct hist *processing; /* NULL: metrics are not enabled */
    struct hist *latency;
    int64_t probed_ns; /* when the last probe went out */
    uint32_t probe_next;
    /* Of tasks that are not here any more: */
    int64_t busy_ns;
    int64_t idle_ns;
    int64_t blocked_ns;
};

/* Of one lane. */
struct lane_meter {
    int64_t clock_ns;      /* as last read */
    int64_t inner_ns;      /* estimated, of calls within the slice at hand */
    uint32_t sample_every; /* calls */
    uint32_t sample_left;  /* until the next one that is timed */
    uint32_t sample_drawn; /* state of the draw */
};

/* What the control thread gets of a stage. */
struct stage_measures {
    uint32_t processor;
    uint64_t busy_ns;
    uint64_t idle_ns;
    uint64_t blocked_ns;
    uint64_t queue; /* rows */
    struct msg_task_metrics slowest[MSG_SLOWEST_MAX];
    uint32_t slowest_count;
    struct hist *processing; /* NULL: nothing */
    struct hist *latency;
};

struct lane_measures {
    uint32_t count;
    struct stage_measures stages[];
};

void measure_lane_init(struct lane *lane);
int measure_stage_init(struct stage *s); /* 0 or GP_ENOMEM */
void measure_stage_deinit(struct stage *s);

/* A task begins to run; ceases to. */
void measure_begin(struct task *t);
void measure_end(struct task *t);

/* It has to wait for credit. */
void measure_block(struct task *t);

/* A slice begins; is over, and took so long. */
void measure_slice(struct task *t);
int64_t measure_slice_done(struct task *t);

/* lane.meter.sample_left has come to 0: the call that begins now is timed, and the next one
 * drawn. */
int64_t measure_call(struct lane *lane);
void measure_call_done(struct task *t, int64_t began_ns, uint32_t rows);

/* It is removed: what it has counted stays with the stage. */
void measure_keep(const struct task *t);

/* A source has emitted. */
void measure_probe(struct task *t);

/* A probe came for a task here; is at its turn. */
void measure_probe_came(struct task *t, int64_t time_ns);
void measure_probe_done(struct task *t, int64_t time_ns);

/* What there is to say. NULL without memory. */
struct lane_measures *measure_copy(struct lane *lane);
void measures_free(struct lane_measures *m); /* NULL is fine */

#endif
