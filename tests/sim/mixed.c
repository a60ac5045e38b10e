/*
 * mixed.c: the job jobs/mixed.c, whose tasks check each row by themselves; here their counts are
 * added up: nothing is lost, nothing comes twice, every timer fires, every message outside the
 * stream that was taken arrives.
 */
#include <inttypes.h>

#include "seeds.h"

/* As the job numbers its processors. */
enum { NUMBERS, KEYED, SLOW, ALL, PAIR, NEAR, TURN, PICKED };

#define REJECT_EACH 50u /* as in jobs/mixed.h, the two below too */
#define TIMER_EACH  16u
#define TOTALS      3u
#define LARGE_MIN   20000u
#define LARGE_SPAN  300000u

struct shape {
    uint32_t numbers;
    uint32_t keyed;
    uint32_t all;
    uint32_t rows; /* of each task of numbers */
};

static void draw_config(struct rng *rng, const struct shape *shape, struct params *config)
{
    params_add(config, "numbers.rows=%u", shape->rows);
    if (rng_below(rng, 3) == 0) {
        params_add(config, "numbers.pause=%u", 100 + (uint32_t)rng_below(rng, 3000));
    }
    if (rng_below(rng, 2) == 0) {
        params_add(config, "slow.take=%u", 2 + (uint32_t)rng_below(rng, 30));
    }
    if (rng_below(rng, 3) > 0) {
        params_add(config, "numbers.large=%u", LARGE_MIN + (uint32_t)rng_below(rng, LARGE_SPAN));
    }
    if (rng_below(rng, 2) == 0) {
        params_add(config, "data.unmanaged_window_bytes=1024");
    }
    params_add_data(config, rng);
}

static void draw_parallelism(struct rng *rng, struct shape *shape, struct params *parallelism)
{
    *shape = (struct shape){.numbers = 1 + (uint32_t)rng_below(rng, 4),
                            .keyed = 1 + (uint32_t)rng_below(rng, 5),
                            .all = 1 + (uint32_t)rng_below(rng, 3),
                            .rows = 60 + (uint32_t)rng_below(rng, 500)};
    params_add(parallelism, "numbers=%u", shape->numbers);
    params_add(parallelism, "pair=%u", shape->numbers);
    params_add(parallelism, "keyed=%u", shape->keyed);
    params_add(parallelism, "all=%u", shape->all);
    params_add(parallelism, "slow=%u", 1 + (uint32_t)rng_below(rng, 3));
    params_add(parallelism, "near=%u", 1 + (uint32_t)rng_below(rng, 4));
    params_add(parallelism, "turn=%u", 1 + (uint32_t)rng_below(rng, 4));
}

/* ---- sums ---- */

static void check(struct run *run, const struct cluster *c, uint32_t processor, const char *counter,
                  uint64_t expected)
{
    int64_t value = cluster_counter(c, processor, counter);

    if (value != (int64_t)expected) {
        (void)run_fail(run, "%s of processor %u is %" PRId64 ", not %" PRIu64, counter, processor,
                       value, expected);
    }
}

static uint64_t value_of(const struct cluster *c, uint32_t processor, const char *counter)
{
    int64_t value = cluster_counter(c, processor, counter);

    return value < 0 ? 0 : (uint64_t)value;
}

static void check_rows(struct run *run, const struct cluster *c, const struct shape *shape)
{
    static const uint32_t takers[] = {KEYED, SLOW, ALL, PAIR, NEAR, TURN, PICKED};
    uint64_t rows = (uint64_t)shape->numbers * shape->rows;
    uint64_t sum = rows * (shape->rows - 1) / 2;

    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        uint32_t copies = takers[i] == ALL ? shape->all : 1;
        const struct msg_processor_stats *stats = cluster_stats(c, takers[i]);

        check(run, c, takers[i], "rows", rows * copies);
        check(run, c, takers[i], "sum", sum * copies);
        check(run, c, takers[i], "late", stats ? stats->late : UINT64_MAX);
    }
    check(run, c, SLOW, "totals", (uint64_t)shape->keyed * TOTALS);
}

static void check_sums(struct run *run, struct cluster *c, const struct shape *shape)
{
    const struct msg_processor_stats *picked;
    uint64_t rejected = (uint64_t)shape->numbers * (shape->rows / REJECT_EACH);
    uint64_t timers = (uint64_t)shape->numbers * ((shape->rows + TIMER_EACH - 1) / TIMER_EACH);

    if (cluster_describe(c) < 0) {
        (void)run_fail(run, "describing failed: %s", c->err.text);
        return;
    }
    check_rows(run, c, shape);
    check(run, c, TURN, "timers_set", timers);
    check(run, c, TURN, "timers_fired", timers);
    check(run, c, PICKED, "heard", value_of(c, NUMBERS, "told"));
    if (value_of(c, NUMBERS, "heard") > value_of(c, TURN, "acked")) {
        (void)run_fail(run, "numbers heard more than turn said");
    }
    picked = cluster_stats(c, PICKED);
    if (!picked || picked->rejected != rejected) {
        (void)run_fail(run, "picked rejected %" PRIu64 " rows, not %" PRIu64,
                       picked ? picked->rejected : 0, rejected);
    }
}

void mixed_run(struct run *run)
{
    struct params parallelism = {0};
    struct params config = {0};
    struct cluster c = {0};
    struct cluster_job job = {.plugin = GP_MIXED_JOB,
                              .executors = (uint32_t)rng_below(&run->rng, 4),
                              .config = config.list,
                              .parallelism = parallelism.list};
    struct shape shape;

    draw_parallelism(&run->rng, &shape, &parallelism);
    draw_config(&run->rng, &shape, &config);
    if (run_begin(run, &c) == 0 && run_job(run, &c, &job) == 0) {
        check_sums(run, &c, &shape);
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}
