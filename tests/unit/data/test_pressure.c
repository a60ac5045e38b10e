/*
 * Jobs under pressure: tiny windows and batches, slow and stopped consumers, messages of all sizes,
 * thousands of tasks. Nothing is lost, doubled or out of order, and who is not concerned goes on.
 */
#include "data/limits.h"
#include "gp_test.h"
#include "rig.h"

static uint64_t sum_to(uint64_t n)
{
    return n * (n + 1) / 2;
}

/* Everything the sources sent arrived at `sink`, `copies` times. */
static void check_arrived(struct rig *rig, uint32_t source, uint32_t sink, uint64_t copies)
{
    const struct rig_processor *from = &rig->processors[source];
    const struct rig_processor *to = &rig->processors[sink];

    GP_CHECK_EQ(to->ended, to->parallelism);
    GP_CHECK_EQ(to->seen, (uint64_t)from->rows * from->parallelism * copies);
    GP_CHECK_EQ(to->sum, sum_to(from->rows) * from->parallelism * copies);
    GP_CHECK_EQ(to->disordered, 0);
    GP_CHECK_EQ(to->misrouted, 0);
}

static void tiny(struct rig *rig)
{
    rig->options.batch_bytes = 512;
    rig->options.window_min_bytes = 64;
    rig->options.window_max_bytes = 64 + 64 * (uint32_t)(rig->processor_count % 3);
    rig->options.slice_rows = 7;
}

/* source ─▶ pass ─▶ sink with the partitioners given, on `lanes` lanes of each of `executors`. */
static void chain(struct rig *rig, uint32_t first, uint32_t second, uint32_t executors,
                  uint32_t lanes)
{
    rig_begin(rig);
    rig->executors = executors;
    rig->lanes = lanes;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = &rig_source,
                                         .parallelism = 3,
                                         .rows = 400,
                                         .value_bytes = 33,
                                         .keys = 50});
    rig_add(rig, &(struct rig_processor){
                     .name = "pass", .table = &rig_pass, .parallelism = 5, .consume_max = 3});
    rig_add(rig, &(struct rig_processor){
                     .name = "sink", .table = &rig_sink, .parallelism = 4, .consume_max = 2});
    rig_connect(rig, 0, 1, first);
    rig_connect(rig, 1, 2, second);
}

static const uint32_t partitioners[] = {PLAN_HASH, PLAN_SHUFFLE, PLAN_ROUND_ROBIN, PLAN_BROADCAST,
                                        PLAN_LOCAL};

GP_TEST(pressure, tiny_windows_lose_nothing)
{
    uint64_t blocked = 0;
    struct rig rig;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint32_t first = partitioners[seed % 5];
        uint32_t second = partitioners[seed / 5 % 5];

        chain(&rig, first, second, 1 + (uint32_t)seed % 2, 1 + (uint32_t)seed / 2 % 3);
        rig.same_host = seed % 4 == 1;
        tiny(&rig);
        /* Order is promised from task to task, not through a stage between them that spreads. */
        GP_CHECK(rig_run_simulated(&rig, seed));
        rig.processors[2].disordered =
            first == PLAN_HASH && second == PLAN_HASH ? rig.processors[2].disordered : 0;
        check_arrived(&rig, 0, 2,
                      (first == PLAN_BROADCAST ? 5u : 1u) * (second == PLAN_BROADCAST ? 4u : 1u));
        GP_CHECK_EQ(rig.processors[1].disordered, 0);
        blocked += counter_get(&rig.seen.blocked);
    }
    GP_CHECK(blocked > 1000);
}

GP_TEST(pressure, tiny_windows_lose_nothing_with_threads)
{
    struct rig rig;

    for (uint32_t mode = EDGE_MODE_AUTO; mode <= EDGE_MODE_TCP; mode++) {
        chain(&rig, PLAN_HASH, PLAN_HASH, 1, 3);
        rig.processors[0].rows = 3000;
        tiny(&rig);
        rig.options.edge_mode = mode;
        GP_CHECK(rig_run_real(&rig));
        check_arrived(&rig, 0, 2, 1);
    }
}

/* One row in makes many out: the overdraft of one row, and stopping after it. */
GP_TEST(pressure, rows_that_multiply_are_bounded_by_credit)
{
    struct rig rig;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        chain(&rig, PLAN_SHUFFLE, PLAN_HASH, 1, 2);
        rig.processors[0].rows = 100;
        rig.processors[1].copies = 50;
        tiny(&rig);
        GP_CHECK(rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[2].seen, 3 * 100 * 50);
    }
}

/* Two branches share lanes and links; one sink stops. The other gets all of its rows. */
GP_TEST(pressure, a_stopped_sink_stops_only_its_own_source)
{
    struct rig rig;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        rig_begin(&rig);
        rig.lanes = 2;
        rig.executors = 1 + (uint32_t)seed % 2;
        rig.options.lane_budget_bytes = 1u << 20;
        for (int i = 0; i < 2; i++) {
            rig_add(&rig, &(struct rig_processor){.name = i == 0 ? "source" : "other",
                                                  .table = &rig_source,
                                                  .parallelism = 4,
                                                  .rows = i == 0 ? 100000 : 2000,
                                                  .value_bytes = 100,
                                                  .keys = 1000});
            rig_add(&rig, &(struct rig_processor){.name = i == 0 ? "stopped" : "sink",
                                                  .table = &rig_sink,
                                                  .parallelism = 4,
                                                  .stall_after = i == 0 ? 500 : 0});
            rig_connect(&rig, 2 * (uint32_t)i, 2 * (uint32_t)i + 1, PLAN_HASH);
        }
        rig.patience_ns = INT64_C(2000000000);
        GP_CHECK(!rig_run_simulated(&rig, seed));
        check_arrived(&rig, 2, 3, 1);
        GP_CHECK_EQ(rig.processors[1].seen, 4 * 500);
        GP_CHECK_EQ(rig.processors[0].ended, 0);
        /* Memory: what the windows allow, and a batch here and there. */
        GP_CHECK(rig.batches_made < 4u * rig.executors * 2 * 16 + 64);
    }
}

/*
 * A source that is faster than its sink is woken once it may send, not for each batch that comes
 * home.
 */
GP_TEST(pressure, a_source_without_credit_sleeps_until_credit_comes)
{
    struct rig rig;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        uint64_t credits;

        rig_begin(&rig);
        rig.lanes = 2;
        rig_add(&rig, &(struct rig_processor){.name = "source",
                                              .table = &rig_source,
                                              .parallelism = 1,
                                              .rows = 100000,
                                              .value_bytes = 104});
        rig_add(&rig, &(struct rig_processor){
                          .name = "sink", .table = &rig_sink, .parallelism = 1, .consume_max = 1});
        rig_connect(&rig, 0, 1, PLAN_SHUFFLE);
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_arrived(&rig, 0, 1, 1);
        /* Half a window each. */
        credits = 100000u * 128u / (rig.options.window_max_bytes * RING_WINDOWS / 2);
        GP_CHECK(counter_get(&rig.seen.blocked) >= credits / 2);
        GP_CHECK(counter_get(&rig.seen.sleeps) <= 2 * credits + 20);
    }
}

GP_TEST(pressure, large_messages_travel_among_small_ones)
{
    uint64_t large = 0;
    struct rig rig;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        static const uint32_t bytes[] = {5000, 70000, 300000, 1500000};

        chain(&rig, partitioners[seed % 5], PLAN_HASH, 1 + (uint32_t)seed % 2, 2);
        rig.processors[0].rows = 60;
        rig.processors[0].large_every = 7;
        rig.processors[0].large_bytes = bytes[seed % 4];
        rig.processors[1].large_bytes = rig.processors[0].large_bytes;
        rig.options.window_max_bytes = seed % 3 == 0 ? 1u << 20 : 64u << 10;
        if (seed % 5 == 2) {
            rig.options.batch_bytes = 2048;
        }
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_arrived(&rig, 0, 1, partitioners[seed % 5] == PLAN_BROADCAST ? 5 : 1);
        if (partitioners[seed % 5] != PLAN_HASH) {
            rig.processors[2].disordered = 0; /* spread by the stage between */
        }
        check_arrived(&rig, 0, 2, partitioners[seed % 5] == PLAN_BROADCAST ? 5 : 1);
        large += counter_get(&rig.seen.large);
    }
    GP_CHECK(large > 500);
}

static bool small_ones_have_ended(struct rig *rig)
{
    return rig->processors[3].ended == 1;
}

/* large-source -> large-sink and small-source -> small-sink, on one link. */
static void large_beside_small(struct rig *rig, uint64_t large_taken)
{
    rig_begin(rig);
    rig->executors = 2;
    rig->options.window_max_bytes = 64u << 10;
    rig_add(rig, &(struct rig_processor){.name = "large-source",
                                         .table = &rig_source,
                                         .parallelism = 1,
                                         .rows = 40,
                                         .value_bytes = 16,
                                         .large_every = 1,
                                         .large_bytes = 1500000});
    rig_add(rig, &(struct rig_processor){.name = "large-sink",
                                         .table = &rig_sink,
                                         .parallelism = 1,
                                         .stall_after = large_taken});
    rig_add(rig, &(struct rig_processor){.name = "small-source",
                                         .table = &rig_source,
                                         .parallelism = 1,
                                         .rows = 20000,
                                         .value_bytes = 100});
    rig_add(rig,
            &(struct rig_processor){.name = "small-sink", .table = &rig_sink, .parallelism = 1});
    rig_connect(rig, 0, 1, PLAN_SHUFFLE);
    rig_connect(rig, 2, 3, PLAN_SHUFFLE);
}

GP_TEST(pressure, large_messages_do_not_stall_small_ones_to_other_tasks)
{
    uint64_t interleaved = 0;
    struct rig rig;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        large_beside_small(&rig, 0);
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_arrived(&rig, 0, 1, 1);
        check_arrived(&rig, 2, 3, 1);
        interleaved += counter_get(&rig.seen.interleaved);
        /* Nor do those that nobody takes, and which wait for room on the other side. */
        large_beside_small(&rig, 1);
        rig.until = small_ones_have_ended;
        GP_CHECK(rig_run_simulated(&rig, seed));
        check_arrived(&rig, 2, 3, 1);
        GP_CHECK_EQ(rig.processors[1].seen, 1);
    }
    GP_CHECK(interleaved > 50);
}

GP_TEST(pressure, the_largest_message_arrives_by_any_way)
{
    struct rig rig;

    for (uint32_t mode = EDGE_MODE_AUTO; mode <= EDGE_MODE_TCP; mode++) {
        chain(&rig, PLAN_HASH, PLAN_SHUFFLE, 1, 2);
        rig.processors[0].rows = 40;
        rig.processors[0].large_every = 20;
        rig.processors[0].large_bytes = GP_MESSAGE_MAX_BYTES - 4;
        rig.options.edge_mode = mode;
        GP_CHECK(rig_run_real(&rig));
        rig.processors[2].disordered = 0; /* spread by the stage between */
        check_arrived(&rig, 0, 2, 1);
    }
}

GP_TEST(pressure, two_thousand_tasks_all_to_all)
{
    struct rig rig;

    rig_begin(&rig);
    rig.lanes = 2;
    rig_add(&rig, &(struct rig_processor){.name = "source",
                                          .table = &rig_source,
                                          .parallelism = 1000,
                                          .rows = 200,
                                          .value_bytes = 40,
                                          .keys = 5000,
                                          .with_watermarks = true});
    rig_add(&rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 1000});
    rig_connect(&rig, 0, 1, PLAN_HASH);
    GP_CHECK(rig_run_real(&rig));
    GP_CHECK_EQ(rig.processors[1].seen, 1000 * 200);
    GP_CHECK_EQ(rig.processors[1].sum, sum_to(200) * 1000);
    GP_CHECK_EQ(rig.processors[1].ended, 1000);
    GP_CHECK_EQ(rig.processors[1].going_back, 0);
}
