/*
 * Rows that go straight from task to task: through chains whose tasks pass them on as they came, cut
 * them, multiply them, stop, fail or cannot keep up. What does not go straight goes the ordinary way; what
 * many of these do together: the chains of test_attack_graphs.c.
 */
#include <string.h>

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

/* Emits its value whole, without the first byte, and three bytes from the middle: of these the two last
 * begin in the row itself, but not where a value may. */
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
