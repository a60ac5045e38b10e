/*
 * Rows that go straight from task to task: through chains whose tasks pass them on as they came,
 * cut them, multiply them, stop, fail or cannot keep up. What does not go straight goes the
 * ordinary way; what many of these do together: the chains of test_attack_graphs.c.
 */
#include <string.h>

#include "base/rng.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "gp_test.h"
#include "rig.h"

#define ROWS 20000u

static uint64_t sum_to(uint64_t n)
{
    return n * (n + 1) / 2;
}

/* source ─▶ pass ─▶ ... ─▶ sink, `stages` in all, one task each. */
static struct rig_processor *chain(struct rig *rig, uint32_t stages, uint32_t partitioner)
{
    static const char *const names[] = {"source", "a", "b", "c", "d", "e", "f"};

    rig_begin(rig);
    for (uint32_t i = 0; i < stages; i++) {
        rig_add(rig, &(struct rig_processor){.name = i + 1 < stages ? names[i] : "sink",
                                             .table = i == 0           ? &rig_source
                                                      : i + 1 < stages ? &rig_pass
                                                                       : &rig_sink,
                                             .parallelism = 1,
                                             .rows = ROWS,
                                             .value_bytes = 100});
        if (i > 0) {
            rig_connect(rig, i - 1, i, partitioner);
        }
    }
    return &rig->processors[stages - 1];
}

static void check_arrived(const struct rig *rig, uint64_t copies)
{
    const struct rig_processor *sink = &rig->processors[rig->processor_count - 1];
    uint64_t rows = rig->processors[0].rows;

    GP_CHECK_EQ(sink->seen, rows * copies);
    GP_CHECK_EQ(sink->sum, sum_to(rows) * copies);
    GP_CHECK_EQ(sink->misrouted, 0);
    GP_CHECK_EQ(sink->ended, sink->parallelism);
}

/* Each edge has counted them all, and as what they were. */
static void check_counts(struct rig *rig)
{
    const struct lane *lane = rig_lane(rig, 0, 0);
    uint32_t row_bytes = row_size(rig->processors[0].keys > 0 ? 4 : 0, 100);

    for (uint32_t i = 0; i < rig->edge_count; i++) {
        const struct out_edge *e = lane->out_edges[i];

        GP_CHECK_EQ(counter_get(&e->rows[EDGE_FUSED]), ROWS);
        GP_CHECK_EQ(counter_get(&e->bytes[EDGE_FUSED]), (uint64_t)ROWS * row_bytes);
        GP_CHECK_EQ(counter_get(&e->stage->out_rows), ROWS);
        GP_CHECK_EQ(counter_get(&lane->stages[i + 1]->in_rows), ROWS);
    }
}

static const uint32_t single[] = {PLAN_FORWARD, PLAN_SHUFFLE, PLAN_LOCAL, PLAN_HASH,
                                  PLAN_ROUND_ROBIN};

GP_TEST(fuse, whole_chains_are_called_directly)
{
    struct rig rig;

    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        for (uint32_t keys = 0; keys <= 7; keys += 7) {
            struct rig_processor *sink = chain(&rig, 6, single[i]);

            rig.processors[0].keys = keys;
            rig.before_stop = check_counts;
            GP_CHECK(rig_run_simulated(&rig, 1 + i));
            check_arrived(&rig, 1);
            GP_CHECK_EQ(sink->disordered, 0);
            GP_CHECK_EQ(counter_get(&rig.seen.fused), 5 * ROWS);
            GP_CHECK_EQ(counter_get(&rig.seen.spilled), 0);
        }
    }
}

GP_TEST(fuse, time_passes_and_nothing_is_late)
{
    struct rig rig;
    struct rig_processor *sink = chain(&rig, 5, PLAN_FORWARD);

    rig.processors[0].with_watermarks = true;
    GP_CHECK(rig_run_simulated(&rig, 3));
    check_arrived(&rig, 1);
    GP_CHECK_EQ(sink->late, 0);
    GP_CHECK_EQ(sink->going_back, 0);
    GP_CHECK(sink->watermarks > 10);
    GP_CHECK(counter_get(&rig.seen.fused) > 3 * ROWS);
}

/* More rows come out than go in, with accounts for a few of them, and who is behind takes three. */
GP_TEST(fuse, what_is_too_much_goes_the_ordinary_way)
{
    uint64_t fused = 0;
    uint64_t spilled = 0;
    struct rig rig;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        (void)chain(&rig, 4, single[seed % 5]);
        rig.processors[0].rows = 2000;
        rig.processors[0].value_bytes = 16 + 300 * (uint32_t)(seed % 3);
        rig.processors[0].keys = seed % 2 ? 5 : 0;
        rig.processors[0].large_every = seed % 4 == 0 ? 50 : 0;
        rig.processors[0].large_bytes = 30000;
        rig.processors[1].copies = 1 + (uint32_t)seed % 5;
        rig.processors[2].consume_max = seed % 3 ? 0 : 3;
        rig.processors[3].consume_max = seed % 2 ? 0 : 2;
        rig.options.window_min_bytes = seed % 2 ? 64 : 4096;
        rig.options.window_max_bytes = seed % 3 ? 1000 : 100000;
        rig.options.slice_rows = seed % 5 ? 512 : 7;
        rig.options.batch_bytes = seed % 2 ? 1024 : 65408;
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_arrived(&rig, rig.processors[1].copies);
        GP_CHECK_EQ(rig.processors[1].disordered, 0);
        fused += counter_get(&rig.seen.fused);
        spilled += counter_get(&rig.seen.spilled);
    }
    GP_CHECK(fused > 1000);
    GP_CHECK(spilled > 1000);
}

/* ---- a processor that cuts what it was given ---- */

/* Emits its value whole, without the first byte, and three bytes from the middle: of these the two
 * last begin in the row itself, but not where a value may. */
static int32_t cut_process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                           struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        const uint8_t *value = row->value;

        if (gp_emit(out, row->time_ns, value, row->value_len) != GP_OK ||
            gp_emit(out, row->time_ns, value + 1, row->value_len - 1) != GP_OK ||
            gp_emit_keyed(out, row->time_ns, value + 8, 8, value + 13, 3) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static _Atomic uint64_t cuts_seen;
static _Atomic uint64_t cuts_wrong;

static bool is_cut_right(const struct gp_row *row, uint64_t number)
{
    const uint8_t *value = row->value;
    uint64_t i = number / 3;

    switch (number % 3) {
    case 0:
        return row->value_len == 100 && memcmp(value + 8, &i, 8) == 0 &&
               ((uintptr_t)value & 7) == 0;
    case 1:
        return row->value_len == 99 && memcmp(value + 7, &i, 8) == 0 && ((uintptr_t)value & 7) == 0;
    default:
        return row->value_len == 3 && row->key_len == 8 && memcmp(row->key, &i, 8) == 0 &&
               memcmp(value, (const uint8_t *)&i + 5, 3) == 0 && (row->flags & GP_ROW_KEYED) &&
               row->key_hash != 0;
    }
}

static int32_t cut_sink_process(void *self, uint32_t port, const struct gp_batch *in,
                                uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        cuts_wrong += !is_cut_right(row, cuts_seen++);
    }
    return GP_OK;
}

static const struct gp_processor cut = {.size = sizeof cut,
                                        .kind = GP_KIND_PROCESSOR,
                                        .type = "cut",
                                        .open = gp_open_stateless,
                                        .process = cut_process};
static const struct gp_processor cut_sink = {.size = sizeof cut_sink,
                                             .kind = GP_KIND_PROCESSOR,
                                             .type = "cut sink",
                                             .open = gp_open_stateless,
                                             .process = cut_sink_process};

GP_TEST(fuse, pieces_of_rows_arrive_as_values)
{
    struct rig rig;

    for (uint32_t spread = 0; spread < 2; spread++) {
        cuts_seen = 0;
        cuts_wrong = 0;
        (void)chain(&rig, 5, PLAN_FORWARD);
        rig.processors[2].table = &cut;
        rig.processors[4].table = &cut_sink;
        rig.options.window_max_bytes = spread ? 4096 : 1u << 20;
        GP_CHECK(rig_run_simulated(&rig, 7));
        GP_CHECK_EQ(cuts_seen, 3 * ROWS);
        GP_CHECK_EQ(cuts_wrong, 0);
        GP_CHECK_EQ(counter_get(&rig.seen.fused), 8 * ROWS);
    }
}

/* ---- a processor that passes rows on among others ---- */

struct mixed {
    int64_t time_ns;
    uint64_t number;
    uint32_t value_len;
    uint32_t key_len;
};

/* What was emitted, in order, and how much of it has come: of one simulated thread. */
static struct mixed mixed[3 * ROWS];
static uint32_t mixed_count;
static uint32_t mixed_seen;
static uint32_t mixed_wrong;
static uint32_t mixed_late;
static uint64_t mixed_bytes;
static int64_t mixed_watermark_ns;
static struct rng mixed_rng;

static struct mixed mixed_of(const struct gp_row *row)
{
    struct mixed m = {
        .time_ns = row->time_ns, .value_len = row->value_len, .key_len = row->key_len};

    memcpy(&m.number, (const uint8_t *)row->value + 8, 8);
    return m;
}

static int32_t mixed_emit(struct gp_out *out, const struct gp_row *row)
{
    if (mixed_count == 3 * ROWS) {
        return GP_FAIL;
    }
    mixed[mixed_count++] = mixed_of(row);
    mixed_bytes += row_size(row->key_len, row->value_len);
    return gp_emit_row(out, 0, row);
}

/* Most rows as they came, some not, some twice, some shorter or late. */
static int32_t mix_process(void *self, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                           struct gp_out *out)
{
    bool plainly = rng_below(&mixed_rng, 4) > 0;

    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        uint64_t what = plainly ? 99 : rng_below(&mixed_rng, 60);
        struct gp_row copy = *row;

        if (what == 0) {
            continue;
        }
        if (what == 1) {
            copy.value_len = 16;
        } else if (what == 2) {
            copy.time_ns = 0;
        } else if (what == 3) {
            return GP_YIELD;
        } else if (what == 4) {
            return GP_REJECT;
        }
        if (mixed_emit(out, what < 3 ? &copy : row) != GP_OK ||
            (what == 5 && mixed_emit(out, row) != GP_OK)) {
            return GP_FAIL;
        }
        if (what == 6) {
            return GP_YIELD; /* it comes once more */
        }
    }
    return GP_OK;
}

static int32_t mix_sink_process(void *self, uint32_t port, const struct gp_batch *in,
                                uint32_t *consumed, struct gp_out *out)
{
    (void)self;
    GP_EACH (row, in, consumed, out) {
        struct mixed m = mixed_of(row);
        bool late = (row->flags & GP_ROW_LATE) != 0;

        if (port == 1) {
            continue;
        }
        mixed_wrong += mixed_seen == mixed_count ||
                       memcmp(&m, &mixed[mixed_seen], sizeof(m)) != 0 || row->source != 0 ||
                       late != (row->time_ns < mixed_watermark_ns) ||
                       (m.key_len > 0) != ((row->flags & GP_ROW_KEYED) != 0 && row->key_hash != 0);
        mixed_late += late;
        mixed_seen++;
    }
    return GP_OK;
}

static int32_t mix_sink_on_watermark(void *self, int64_t time_ns, struct gp_out *out)
{
    (void)self, (void)out;
    mixed_watermark_ns = time_ns;
    return GP_OK;
}

static const struct gp_processor mix = {.size = sizeof mix,
                                        .kind = GP_KIND_PROCESSOR,
                                        .type = "mix",
                                        .open = gp_open_stateless,
                                        .process = mix_process};
static const struct gp_processor mix_sink = {.size = sizeof mix_sink,
                                             .kind = GP_KIND_PROCESSOR,
                                             .type = "mix sink",
                                             .open = gp_open_stateless,
                                             .process = mix_sink_process,
                                             .on_watermark = mix_sink_on_watermark};

static void check_mixed_bytes(struct rig *rig)
{
    const struct out_edge *e = rig_lane(rig, 0, 0)->out_edges[2];
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < EDGE_KINDS; i++) {
        bytes += counter_get(&e->bytes[i]);
    }
    GP_CHECK_EQ(bytes, mixed_bytes);
}

/* Holds back the time of the sink, but not that of who sends to it. */
static void add_slower_source(struct rig *rig)
{
    uint32_t added = rig_add(rig, &(struct rig_processor){.name = "slower",
                                                          .table = &rig_source,
                                                          .parallelism = 1,
                                                          .rows = ROWS / 2,
                                                          .rows_per_poll = 1});

    rig_connect(rig, added, 4, PLAN_SHUFFLE);
    rig->edges[rig->edge_count - 1].to_port = 1;
}

GP_TEST(fuse, rows_passed_on_stay_in_order_among_others)
{
    uint64_t fused = 0;
    uint64_t late = 0;
    struct rig rig;

    for (uint64_t seed = 1; seed <= 12; seed++) {
        rng_init(&mixed_rng, seed);
        mixed_count = 0;
        mixed_seen = 0;
        mixed_wrong = 0;
        mixed_late = 0;
        mixed_bytes = 0;
        mixed_watermark_ns = GP_TIME_MIN;
        (void)chain(&rig, 5, single[seed % 5]);
        rig.processors[0].with_watermarks = seed % 2 == 0;
        rig.processors[0].keys = seed % 3 == 0 ? 5 : 0;
        rig.processors[2].table = &mix;
        rig.processors[3].consume_max = seed % 4 == 0 ? 50 : 0;
        rig.processors[4].table = &mix_sink;
        if (seed % 5 != 0) { /* not forward: what the first one passes on comes from elsewhere */
            rig.processors[0].parallelism = 2;
            rig.processors[0].rows = ROWS / 2;
        }
        if (seed % 6 == 0) {
            add_slower_source(&rig);
        }
        if (seed % 4 == 1) {
            rig.processors[3].consume_max = 1;
            rig.options.window_max_bytes = 2048;
        }
        rig.before_stop = check_mixed_bytes;
        GP_CHECK(rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(mixed_seen, mixed_count);
        GP_CHECK_EQ(mixed_wrong, 0);
        GP_CHECK(mixed_count > ROWS - ROWS / 20);
        fused += counter_get(&rig.seen.fused);
        late += mixed_late;
    }
    GP_CHECK(fused > 12 * 2 * ROWS);
    GP_CHECK(late > 0);
}

/* ---- who stops, and who fails ---- */

GP_TEST(fuse, a_sink_that_waits_stops_the_source)
{
    struct rig rig;
    struct rig_processor *sink = chain(&rig, 5, PLAN_FORWARD);

    rig.options.window_max_bytes = 10000;
    sink->stall_after = 1000;
    rig.patience_ns = INT64_C(2000000000);
    GP_CHECK(!rig_run_simulated(&rig, 2));
    GP_CHECK_EQ(sink->seen, 1000);
    /* Between them is no more than the accounts hold, and a callback's worth each. */
    GP_CHECK(rig.processors[0].seen < 1000 + 4 * (10000 / 128 + 256));
    GP_CHECK_EQ(sink->disordered, 0);
}

GP_TEST(fuse, the_one_that_fails_fails_alone)
{
    struct rig rig;
    struct rig_processor *sink = chain(&rig, 5, PLAN_FORWARD);

    rig.processors[2].fail_after = 1234;
    (void)rig_run_simulated(&rig, 4);
    GP_CHECK_EQ(rig.failed, 1);
    GP_CHECK_EQ(rig.failure.processor, 2);
    GP_CHECK_EQ(rig.processors[2].seen, 1234);
    GP_CHECK_EQ(sink->seen, 1234); /* what it had emitted has gone through */
    GP_CHECK_EQ(sink->disordered, 0);
    GP_CHECK_EQ(sink->sum, sum_to(1234));
}
