/* The generator: what comes is known beforehand, at the rate asked for, and after a restore too. */
#include <gearpump/testkit.h>

#include "gp_test.h"

extern const struct gp_processor generator_source;

static struct gp_kit *source_new(uint32_t index, uint32_t tasks, const char *count,
                                 const char *size)
{
    struct gp_kit *kit = gp_kit_new(&generator_source, index, tasks);

    GP_REQUIRE(kit != NULL);
    GP_CHECK_EQ(gp_kit_set(kit, "count", count), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "size", size), GP_OK);
    return kit;
}

static uint64_t number(const struct gp_row *row)
{
    return strtoull((const char *)row->value, NULL, 10);
}

static void drain(struct gp_kit *kit)
{
    while (gp_kit_poll(kit, 7) == GP_MORE) {
    }
}

GP_TEST(generator, numbers_all_messages_once_over_all_tasks)
{
    char seen[100] = {0};

    for (uint32_t task = 0; task < 3; task++) {
        struct gp_kit *kit = source_new(task, 3, "100", "20");
        GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
        drain(kit);
        GP_CHECK(gp_kit_ended(kit));
        for (uint32_t i = 0; i < gp_kit_count(kit, 0); i++) {
            const struct gp_row *row = gp_kit_row(kit, 0, i);
            GP_CHECK_EQ(row->value_len, 20);
            GP_REQUIRE(number(row) < 100);
            seen[number(row)]++;
        }
        gp_kit_free(kit);
    }
    for (int i = 0; i < 100; i++) {
        GP_CHECK_EQ(seen[i], 1);
    }
}

GP_TEST(generator, keeps_its_rate_whatever_held_it_up)
{
    struct gp_kit *kit = source_new(1, 2, "0", "10");
    int64_t next_ns;

    GP_CHECK_EQ(gp_kit_set(kit, "rate", "2000"), GP_OK); /* 1,000 of this task */
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(kit, 100), GP_IDLE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
    GP_CHECK_EQ(gp_kit_timers(kit, GP_TIMER_PROCESSING, &next_ns), 1);
    GP_CHECK_EQ(next_ns - gp_kit_now_ns(kit), 1000000);
    gp_kit_advance(kit, 50000000);
    GP_CHECK_EQ(gp_kit_poll(kit, 100), GP_IDLE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 51);
    gp_kit_free(kit);
}

/* Checkpoints make each message count once: what one task left, two others go on with. */
GP_TEST(generator, goes_on_exactly_behind_a_snapshot)
{
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *first = source_new(0, 1, "50", "30");
    struct gp_kit *next = source_new(0, 1, "50", "30");
    struct gp_kit *whole = source_new(0, 1, "50", "30");
    struct gp_kit *kits[] = {first, next, whole};

    for (size_t i = 0; i < 3; i++) {
        GP_CHECK_EQ(gp_kit_set(kits[i], "keys", "10"), GP_OK);
        GP_CHECK_EQ(gp_kit_set(kits[i], "skew", "1.1"), GP_OK);
        GP_CHECK_EQ(gp_kit_set(kits[i], "time.step", "1s"), GP_OK);
        GP_REQUIRE_EQ(gp_kit_open(kits[i]), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_poll(first, 20), GP_MORE);
    GP_CHECK_EQ(gp_kit_out_watermark(first), INT64_C(20000000000));
    GP_CHECK_EQ(gp_kit_snapshot(first, state), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(next, state, 0, 0, 1), GP_OK);
    drain(next);
    drain(whole);
    GP_REQUIRE_EQ(gp_kit_count(first, 0) + gp_kit_count(next, 0), 50);
    for (uint32_t i = 0; i < 50; i++) {
        const struct gp_row *is = i < 20 ? gp_kit_row(first, 0, i) : gp_kit_row(next, 0, i - 20);
        const struct gp_row *wanted = gp_kit_row(whole, 0, i);
        GP_CHECK_EQ(is->time_ns, wanted->time_ns);
        GP_CHECK_EQ(is->key_len, wanted->key_len);
        GP_CHECK(memcmp(is->key, wanted->key, is->key_len) == 0);
        GP_CHECK(memcmp(is->value, wanted->value, is->value_len) == 0);
    }
    gp_kit_free(first);
    gp_kit_free(next);
    gp_kit_free(whole);
    gp_kit_state_free(state);
}

/* Zipf: with exponent 1 and two keys, the first comes twice as often as the second. */
GP_TEST(generator, draws_keys_by_the_skew)
{
    struct gp_kit *kit = source_new(0, 1, "30000", "8");
    uint32_t counts[2] = {0};

    GP_CHECK_EQ(gp_kit_set(kit, "keys", "2"), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "skew", "1"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    while (gp_kit_poll(kit, 1000) == GP_MORE) {
    }
    for (uint32_t i = 0; i < gp_kit_count(kit, 0); i++) {
        const struct gp_row *row = gp_kit_row(kit, 0, i);
        counts[((const char *)row->key)[4] - '0']++;
    }
    GP_CHECK_EQ(counts[0] + counts[1], 30000);
    GP_CHECK(counts[0] > 19700 && counts[0] < 20300);
    gp_kit_free(kit);
}

GP_TEST(generator, refuses_what_it_cannot_do_and_damaged_state)
{
    struct gp_kit *kit = source_new(0, 1, "1", "1");
    struct gp_kit_state *state = gp_kit_state_new();

    GP_CHECK_EQ(gp_kit_set(kit, "skew", "-1"), GP_OK);
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "parameter skew is '-1', not a number, from 0 to 10");
    gp_kit_free(kit);
    kit = source_new(0, 1, "1", "1");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_state_add(state, GP_GROUP_NONE, "stream.0", gp_bytes_of("abc", 3)), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "the saved state of the generator is damaged");
    gp_kit_free(kit);
    gp_kit_state_free(state);
}
