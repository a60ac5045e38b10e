/*
 * trial.h: a random job, made from a seed, and the proof that every row of it went right.
 *
 * The graph (up to 7 processors in up to 5 stages, several ports, diamonds and fan-in),
 * partitioners, parallelism, lanes, executors, windows, batch sizes and the moods of the processors
 * (they yield, wait for tokens, reject rows, consume a little at a time, delay rows by event time,
 * emit at the end) are all drawn from the seed. Every row carries who made it, who sent it last and
 * its number on that port, so that each receiving task checks on its own:
 *   - order: rows of one task on one edge come in the order they were emitted, none twice, and none
 *     missing where the partitioner sends everything (broadcast, forward) or every n-th (round_robin);
 *   - routing: the task is the one that the partitioner says;
 *   - bytes, key, hash, source, lateness and watermarks.
 * What must arrive on each edge is computed row by row, and compared in count and sum. When the job
 * has ended, trial_balance.c proves that all credit and all batches are back where they began.
 *
 * Threads: tasks of a trial run on several lanes; what they share is atomic.
 */
#ifndef TESTS_DATA_TRIAL_H
#define TESTS_DATA_TRIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "rig.h"

#define TRIAL_PORTS_MAX 3u
#define TRIAL_HEAD      32u                 /* bytes of a value before its filler */
#define TRIAL_END_ROW   (UINT64_C(1) << 40) /* numbers of rows made in on_end() */

struct trial;

/* What one processor does. */
struct trial_processor {
    struct trial *trial;
    uint32_t index;
    uint32_t parallelism;
    uint32_t rows;                    /* sources: of each task */
    uint32_t rows_per_poll;           /* 0: the budget */
    uint32_t keys;                    /* 0: rows without keys */
    uint32_t value_max;               /* bytes beyond the head */
    uint32_t large_every;             /* one row in so many is as long as large_bytes. 0: none */
    uint32_t large_bytes;             /* beyond the head */
    uint32_t watermark_every;         /* rows */
    uint32_t idle_every;              /* polls that answer GP_IDLE: one in so many. 0: none */
    uint32_t moody;                   /* one call in so many does not just go on. 0: none */
    uint32_t consume_max;             /* rows in one call. 0: all */
    uint32_t reject_every;            /* one row in so many is bad. 0: none */
    uint32_t end_rows;                /* made in on_end(), by each task */
    bool delays;                      /* rows are emitted by event timers */
    bool hashed;                      /* passes hashes on instead of having them made again */
    uint32_t copies[TRIAL_PORTS_MAX]; /* of each row, on each port */
};

/* What came in on one edge. */
struct trial_edge {
    _Atomic uint64_t rows;
    _Atomic uint64_t sum;
    uint64_t rows_due;
    uint64_t sum_due;
};

/* What was done to tasks that changed lanes. */
struct trial_moves {
    uint64_t asked;
    uint64_t moved;
    uint64_t resumed;
    uint64_t came_back;
    uint64_t cancelled;
    uint64_t ended; /* moved when there was nothing left of them */
};

struct trial {
    struct rig rig;
    uint64_t seed;
    struct trial_processor processors[RIG_PROCESSORS_MAX];
    struct trial_edge edges[RIG_EDGES_MAX];
    _Atomic uint32_t broken; /* 1: text says what went wrong first */
    char text[160];
    _Atomic uint64_t yields;
    _Atomic uint64_t waits;
    _Atomic uint64_t rejects;
    _Atomic uint64_t delayed;
    struct trial_moves moved;
};

/* What a seed may draw from. */
struct trial_world {
    uint32_t lanes_max;
    uint32_t executors_max;
    uint32_t edge_mode; /* of executors in the real world */
    uint32_t row_max;   /* that all edges together carry, about */
    bool large;
    bool real;
    bool moves;  /* tasks change lanes while it runs. Simulated only */
    bool chains; /* each processor feeds the next one, and most have one task for one of it */
};

/* Makes and runs the job of a seed. NULL when all went right; else what did not, valid with t. */
const char *trial_run(struct trial *t, uint64_t seed, const struct trial_world *world);

/* For trial_*.c. */
extern const struct gp_processor trial_source;
extern const struct gp_processor trial_pass;
extern const struct gp_partitioner trial_partitioner;

void trial_broke(struct trial *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a row counts for in the sum of an edge. */
uint64_t trial_weight(uint32_t processor, uint32_t task, uint64_t number);
/* Whether a processor rejects a row. */
bool trial_rejects(const struct trial_processor *p, uint32_t maker, uint32_t task, uint64_t number);
uint32_t trial_value_len(const struct trial_processor *maker, uint64_t number);

void trial_expect(struct trial *t);
void trial_compare(struct trial *t);

/* Moves tasks about. */
void trial_disturb(struct rig *rig, void *world);

/* before_stop of the rig: all credit and batches are at home. */
void trial_check_balance(struct rig *rig);

#endif
