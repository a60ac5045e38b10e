/*
 * options.h: what can be set about the data plane. Everything that both ends of a link must agree
 * on (window, budget) comes from the application's configuration, which is part of the plan, so all
 * its executors have the same.
 */
#ifndef DATA_OPTIONS_H
#define DATA_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "graph/plan.h"

enum edge_mode {
    EDGE_MODE_AUTO, /* pointer, ring, shared memory, Unix socket or TCP, by placement */
    EDGE_MODE_SHM,  /* this between all lanes, for tests */
    EDGE_MODE_UNIX,
    EDGE_MODE_TCP,
};

struct data_options {
    uint32_t batch_bytes;       /* of a frame, header included: 4 KiB .. BATCH_FRAME_SIZE */
    uint32_t lane_budget_bytes; /* sum of the windows of all accounts into one lane */
    uint32_t window_min_bytes;  /* of one account, even if the sum then exceeds the budget */
    uint32_t window_max_bytes;
    uint32_t pool_warm_bytes; /* batches in circulation on a busy lane before one is used again */
    uint32_t pool_max_bytes;  /* beyond it tasks wait before they emit more */
    uint32_t message_max_bytes;
    uint32_t
        large_budget_bytes; /* of large messages in one stage of a lane; at least message_max */
    uint32_t unmanaged_window_bytes;
    uint32_t slice_rows;     /* what a task may do before the next one has its turn */
    uint32_t shm_bytes;      /* shared with lanes of other processes, by even parts: rings */
    uint32_t shm_lane_bytes; /* ... of all pairs of one lane; beyond it they use their sockets */
    int64_t linger_ns;       /* how long a row may wait in an unfinished batch on a busy lane */
    int64_t source_idle_ns;  /* a source that is silent for so long holds no watermark back */
    uint32_t edge_mode;      /* enum edge_mode */
    bool metrics;            /* sample calls and latencies (measure.h) */
    uint32_t sample_rate;    /* one call in so many */
};

struct data_options data_options_default(void);

/* What they are otherwise, changed by the keys `data.*` and `metrics.*` of the application's
 * configuration. 0 or GP_EINVAL: unknown key, not a number, out of range. */
int data_options_from_plan(const struct plan *plan, const struct data_options *otherwise,
                           struct data_options *ret, struct gp_error *err);

#endif
