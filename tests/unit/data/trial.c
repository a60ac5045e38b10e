/*
 * trial.c: makes a job from a seed, runs it, and computes what must have arrived. See trial.h.
 */
#include "trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gp_test.h"

static const char *const names[RIG_PROCESSORS_MAX] = {"p0", "p1", "p2", "p3",
                                                      "p4", "p5", "p6", "p7"};

void trial_broke(struct trial *t, const char *format, ...)
{
    va_list args;

    if (atomic_exchange(&t->broken, 1) != 0) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(t->text, sizeof(t->text), format, args);
    va_end(args);
}

/* ---- the job ---- */

static uint32_t pick(struct rng *rng, const uint32_t *from, size_t count)
{
    return from[rng_below(rng, count)];
}

#define PICK(rng, ...)                                                                             \
    pick(rng, (const uint32_t[]){__VA_ARGS__},                                                     \
         sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void draw_options(struct rng *rng, const struct trial_world *world, struct rig *rig)
{
    struct data_options *o = &rig->options;

    rig->lanes = 1 + (uint32_t)rng_below(rng, world->lanes_max);
    rig->executors = 1 + (uint32_t)rng_below(rng, world->executors_max);
    rig->same_host = rng_below(rng, 2) == 0;
    o->edge_mode = world->edge_mode;
    o->batch_bytes = PICK(rng, 512, 1024, 4096, 20000, BATCH_FRAME_SIZE, BATCH_FRAME_SIZE);
    o->window_max_bytes = PICK(rng, 64, 300, 1000, 4096, 65536, 1u << 20);
    o->window_min_bytes = PICK(rng, 64, 64, 200, 4096);
    o->slice_rows = PICK(rng, 1, 2, 16, 512, 512);
    o->linger_ns = PICK(rng, 0, 50000, 1000000);
    o->pool_warm_bytes = PICK(rng, 0, 3u << 20);
    o->pool_max_bytes = PICK(rng, 1u << 20, 2u << 20, 128u << 20);
    o->large_budget_bytes = PICK(rng, 1024, 100000, 2u << 20, 32u << 20);
}

static bool has_edge(const struct rig *rig, const struct rig_edge *edge)
{
    for (uint32_t e = 0; e < rig->edge_count; e++) {
        if (memcmp(&rig->edges[e], edge, sizeof(*edge)) == 0) {
            return true;
        }
        if (rig->edges[e].from == edge->from && rig->edges[e].from_port == edge->from_port &&
            rig->edges[e].to == edge->to && rig->edges[e].to_port == edge->to_port) {
            return true;
        }
    }
    return false;
}

/* An edge into p from a processor before it. The first may say how many tasks p has. */
static void draw_edge(struct rng *rng, struct trial *t, uint32_t p, bool first)
{
    struct rig *rig = &t->rig;
    struct rig_edge edge = {
        .from = (uint32_t)(first && rng_below(rng, 2) ? p - 1 : rng_below(rng, p)),
        .from_port = rng_below(rng, 3) ? 0 : (uint32_t)rng_below(rng, TRIAL_PORTS_MAX),
        .to = p,
        .to_port = (uint32_t)rng_below(rng, 2),
        .partitioner = (uint32_t)rng_below(rng, PLAN_CUSTOM + 1u)};

    if (edge.partitioner == PLAN_FORWARD) {
        if (first) {
            t->processors[p].parallelism = t->processors[edge.from].parallelism;
        } else if (t->processors[p].parallelism != t->processors[edge.from].parallelism) {
            edge.partitioner = PLAN_SHUFFLE;
        }
    }
    if (rig->edge_count == RIG_EDGES_MAX || has_edge(rig, &edge)) {
        return;
    }
    t->processors[edge.from].copies[edge.from_port] = 1;
    if (edge.partitioner == PLAN_HASH) {
        t->processors[edge.from].keys = 1 + (uint32_t)rng_below(rng, 50);
    }
    rig->edges[rig->edge_count++] = edge;
}

/* The one edge into p, from the one before. */
static void draw_link(struct rng *rng, struct trial *t, uint32_t p)
{
    struct rig_edge edge = {.from = p - 1, .to = p, .partitioner = PLAN_FORWARD};

    if (rng_below(rng, 4) > 0) {
        t->processors[p].parallelism = t->processors[p - 1].parallelism;
    } else {
        edge.partitioner = (uint32_t)PICK(rng, PLAN_HASH, PLAN_SHUFFLE, PLAN_LOCAL);
    }
    t->processors[p - 1].copies[0] = 1;
    if (edge.partitioner == PLAN_HASH) {
        t->processors[p - 1].keys = 1 + (uint32_t)rng_below(rng, 50);
    }
    t->rig.edges[t->rig.edge_count++] = edge;
}

static void draw_processor(struct rng *rng, struct trial *t, uint32_t p, bool is_source)
{
    struct trial_processor *tp = &t->processors[p];
    uint32_t fits = t->rig.options.batch_bytes - 160 - TRIAL_HEAD;

    *tp = (struct trial_processor){.trial = t, .index = p};
    tp->parallelism = PICK(rng, 1, 1, 2, 3, 4, 7, 12, 40);
    tp->keys = (uint32_t)PICK(rng, 0, 0, 1, 30);
    tp->value_max = PICK(rng, 0, 20, 100, 1000, 60000);
    tp->value_max = tp->value_max < fits ? tp->value_max : fits;
    tp->watermark_every = PICK(rng, 1, 3, 16, 1000000);
    tp->rows_per_poll = PICK(rng, 0, 0, 1, 5);
    tp->idle_every = PICK(rng, 0, 2, 20);
    tp->moody = PICK(rng, 0, 2, 10, 200);
    tp->hashed = rng_below(rng, 2) == 0;
    tp->large_every = PICK(rng, 0, 0, 0, 3, 30);
    tp->large_bytes = PICK(rng, 2000, 10000, 70000, 300000, 1500000);
    if (!is_source) {
        tp->consume_max = PICK(rng, 0, 0, 0, 1, 3);
        tp->reject_every = PICK(rng, 0, 0, 2, 50);
        tp->end_rows = PICK(rng, 0, 0, 1, 20);
        tp->delays = rng_below(rng, 4) == 0;
    }
}

/* Rows of sources, so that no more than row_max travel. */
static void draw_rows(struct rng *rng, struct trial *t, uint32_t sources, uint32_t row_max)
{
    uint64_t due = 0;
    uint64_t bytes = 0;

    for (uint32_t p = 0; p < t->rig.processor_count; p++) {
        for (uint32_t port = 0; port < TRIAL_PORTS_MAX; port++) {
            if (t->processors[p].copies[port] > 0) {
                t->processors[p].copies[port] = PICK(rng, 0, 1, 1, 1, 1, 2);
            }
        }
        if (p < sources) {
            t->processors[p].rows = 1000;
        }
    }
    trial_expect(t);
    for (uint32_t e = 0; e < t->rig.edge_count; e++) {
        due += t->edges[e].rows_due;
    }
    for (uint32_t p = 0; p < sources; p++) {
        bytes += t->processors[p].value_max / 2 + 60;
        if (t->processors[p].large_every > 0) {
            bytes += t->processors[p].large_bytes / t->processors[p].large_every;
        }
    }
    /* Long values count for more. */
    due = (due + 1000) * (1 + bytes / sources / 2000);
    for (uint32_t p = 0; p < sources; p++) {
        uint64_t rows = 1000ull * rng_below(rng, row_max) / due;

        t->processors[p].rows = rows > 0 ? (uint32_t)rows : (uint32_t)rng_below(rng, 2);
    }
    trial_expect(t);
}

static void draw_job(struct trial *t, const struct trial_world *world)
{
    struct rng rng;
    uint32_t sources;
    uint32_t count;

    rng_init(&rng, t->seed);
    rig_begin(&t->rig);
    draw_options(&rng, world, &t->rig);
    sources = world->chains ? 1 : 1 + (uint32_t)rng_below(&rng, 2);
    count = sources + 1 + (uint32_t)rng_below(&rng, 5);
    for (uint32_t p = 0; p < count; p++) {
        draw_processor(&rng, t, p, p < sources);
        if (p >= sources && world->chains) {
            draw_link(&rng, t, p);
        } else if (p >= sources) {
            uint32_t edges = PICK(&rng, 1, 1, 1, 2, 3);

            for (uint32_t i = 0; i < edges; i++) {
                draw_edge(&rng, t, p, i == 0);
            }
        }
    }
    t->rig.processor_count = count;
    draw_rows(&rng, t, sources, world->row_max);
    t->rig.processor_count = 0;
    for (uint32_t p = 0; p < count; p++) {
        (void)rig_add(&t->rig,
                      &(struct rig_processor){.name = names[p],
                                              .table = p < sources ? &trial_source : &trial_pass,
                                              .parallelism = t->processors[p].parallelism,
                                              .user = &t->processors[p]});
    }
    t->rig.custom = &trial_partitioner;
}

/* ---- what must arrive ---- */

/* One row, from its maker to wherever it goes: how often it comes on each edge. */
static void expect_row(struct trial *t, uint32_t maker, uint32_t task, uint64_t number)
{
    uint64_t out[RIG_PROCESSORS_MAX] = {0};
    uint64_t weight = trial_weight(maker, task, number);

    out[maker] = 1;
    for (uint32_t p = maker + 1; p < t->rig.processor_count; p++) {
        uint64_t in = 0;

        for (uint32_t e = 0; e < t->rig.edge_count; e++) {
            const struct rig_edge *edge = &t->rig.edges[e];
            uint64_t rows;

            if (edge->to != p) {
                continue;
            }
            rows = out[edge->from] * t->processors[edge->from].copies[edge->from_port];
            rows *= edge->partitioner == PLAN_BROADCAST ? t->processors[p].parallelism : 1;
            t->edges[e].rows_due += rows;
            t->edges[e].sum_due += rows * weight;
            in += rows;
        }
        out[p] = trial_rejects(&t->processors[p], maker, task, number) ? 0 : in;
    }
}

void trial_expect(struct trial *t)
{
    for (uint32_t e = 0; e < RIG_EDGES_MAX; e++) {
        t->edges[e].rows_due = 0;
        t->edges[e].sum_due = 0;
    }
    for (uint32_t p = 0; p < t->rig.processor_count; p++) {
        const struct trial_processor *tp = &t->processors[p];

        for (uint32_t task = 0; task < tp->parallelism; task++) {
            for (uint64_t i = 0; i < tp->rows; i++) {
                expect_row(t, p, task, i);
            }
            for (uint64_t i = 0; i < tp->end_rows; i++) {
                expect_row(t, p, task, TRIAL_END_ROW + i);
            }
        }
    }
}

void trial_compare(struct trial *t)
{
    for (uint32_t e = 0; e < t->rig.edge_count; e++) {
        const struct trial_edge *edge = &t->edges[e];

        if (edge->rows != edge->rows_due || edge->sum != edge->sum_due) {
            trial_broke(t, "edge %u: %llu rows of %llu came%s", e, (unsigned long long)edge->rows,
                        (unsigned long long)edge->rows_due,
                        edge->rows == edge->rows_due ? ", but not the same" : "");
        }
    }
}

/* ---- running ---- */

static void describe(const struct trial *t)
{
    static const char *const partitioners[] = {"hash",    "shuffle", "round_robin", "broadcast",
                                               "forward", "local",   "custom"};
    const struct rig *rig = &t->rig;
    const struct data_options *o = &rig->options;

    fprintf(stderr,
            "seed %llu: %u executors%s x %u lanes, batch %u, window %u..%u, slice %u, linger %lld, "
            "pool %u..%u\n",
            (unsigned long long)t->seed, rig->executors, rig->same_host ? " on one host" : "",
            rig->lanes, o->batch_bytes, o->window_min_bytes, o->window_max_bytes, o->slice_rows,
            (long long)o->linger_ns, o->pool_warm_bytes, o->pool_max_bytes);
    fprintf(stderr,
            "  rows lost %llu, stale %llu, in doubt %llu; %llu bad batches, %llu links failed\n",
            (unsigned long long)counter_get(&rig->seen.rows_lost),
            (unsigned long long)counter_get(&rig->seen.stale_rows),
            (unsigned long long)counter_get(&rig->seen.rows_in_doubt),
            (unsigned long long)counter_get(&rig->seen.bad_batches),
            (unsigned long long)counter_get(&rig->seen.failed_links));
    for (uint32_t p = 0; p < rig->processor_count; p++) {
        const struct trial_processor *tp = &t->processors[p];

        fprintf(stderr,
                "  p%u x %u: rows %u/%u, value +%u, large %u each %u, idle %u, moody %u, consume "
                "%u, reject %u, "
                "end %u%s, copies %u %u %u\n",
                p, tp->parallelism, tp->rows, tp->rows_per_poll, tp->value_max, tp->large_bytes,
                tp->large_every, tp->idle_every, tp->moody, tp->consume_max, tp->reject_every,
                tp->end_rows, tp->delays ? ", delays" : "", tp->copies[0], tp->copies[1],
                tp->copies[2]);
    }
    for (uint32_t e = 0; e < rig->edge_count; e++) {
        fprintf(stderr, "  p%u.%u -> p%u.%u %s: %llu of %llu rows\n", rig->edges[e].from,
                rig->edges[e].from_port, rig->edges[e].to, rig->edges[e].to_port,
                partitioners[rig->edges[e].partitioner], (unsigned long long)t->edges[e].rows,
                (unsigned long long)t->edges[e].rows_due);
    }
}

const char *trial_run(struct trial *t, uint64_t seed, const struct trial_world *world)
{
    bool done;

    memset(t, 0, sizeof(*t));
    t->seed = seed;
    draw_job(t, world);
    t->rig.user = t;
    t->rig.before_stop = trial_check_balance;
    t->rig.patience_ns = INT64_C(300000000000);
    if (world->moves) {
        t->rig.disturb = trial_disturb;
    }
    if (getenv("RIG_VERBOSE")) {
        describe(t);
    }
    done = world->real ? rig_run_real(&t->rig) : rig_run_simulated(&t->rig, seed);
    if (t->rig.failed) {
        trial_broke(t, "%s of processor %u, task %u failed: %s", t->rig.failure.function,
                    t->rig.failure.processor, t->rig.failure.task, t->rig.failure.text);
    } else if (!done) {
        trial_broke(t, "it did not come to an end");
    } else {
        trial_compare(t);
    }
    if (!t->broken) {
        return NULL;
    }
    describe(t);
    return t->text;
}
