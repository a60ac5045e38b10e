/* The generator: the same for ever, and fair. */
#include "base/rng.h"
#include "gp_test.h"

/* Recorded simulations depend on these; the first is the published one for state 1, 2, 3, 4. */
GP_TEST(rng, known_numbers_hold)
{
    struct rng rng = {.s = {1, 2, 3, 4}};

    GP_CHECK_EQ(rng_u64(&rng), 11520);
    GP_CHECK_EQ(rng_u64(&rng), 0);
    GP_CHECK_EQ(rng_u64(&rng), 1509978240);
    GP_CHECK(rng_u64(&rng) == UINT64_C(1215971899390074240));
    rng_init(&rng, 0);
    GP_CHECK(rng.s[0] == UINT64_C(0xe220a8397b1dcdaf)); /* SplitMix64 from 0, as published */
}

GP_TEST(rng, a_seed_is_a_sequence)
{
    struct rng a;
    struct rng b;
    struct rng c;

    rng_init(&a, 5);
    rng_init(&b, 5);
    rng_init(&c, 6);
    for (int i = 0; i < 100; i++) {
        uint64_t v = rng_u64(&a);

        GP_CHECK(v == rng_u64(&b));
        GP_CHECK(v != rng_u64(&c));
    }
}

GP_TEST(rng, a_fork_goes_its_own_way)
{
    struct rng a;
    struct rng b;
    struct rng fork_a;
    struct rng fork_b;

    rng_init(&a, 5);
    rng_init(&b, 5);
    fork_a = rng_fork(&a);
    fork_b = rng_fork(&b);
    (void)rng_u64(&fork_a);
    (void)rng_u64(&fork_a);
    GP_CHECK(rng_u64(&a) == rng_u64(&b)); /* what the fork draws does not shift its parent */
    (void)rng_u64(&fork_b);
    (void)rng_u64(&fork_b);
    GP_CHECK(rng_u64(&fork_a) == rng_u64(&fork_b));
    GP_CHECK(rng_u64(&fork_a) != rng_u64(&a));
}

GP_TEST(rng, below_is_even_and_in_range)
{
    struct rng rng;
    int seen[10] = {0};

    rng_init(&rng, 1);
    for (int i = 0; i < 100000; i++) {
        uint64_t v = rng_below(&rng, 10);

        GP_REQUIRE(v < 10);
        seen[v]++;
    }
    for (size_t i = 0; i < 10; i++) {
        GP_CHECK(seen[i] > 9500 && seen[i] < 10500); /* five standard deviations are 475 */
    }
    GP_CHECK_EQ(rng_below(&rng, 1), 0);
}

/* Taking a remainder of all 2^64 numbers would give the lower third twice as often. */
GP_TEST(rng, below_has_no_bias_for_large_n)
{
    struct rng rng;
    uint64_t n = UINT64_C(3) << 62;
    int low = 0;

    rng_init(&rng, 2);
    for (int i = 0; i < 3000; i++) {
        low += rng_below(&rng, n) < n / 3 ? 1 : 0;
    }
    GP_CHECK(low > 850 && low < 1150);
}

GP_TEST(rng, between_includes_both_ends)
{
    struct rng rng;
    bool low = false;
    bool high = false;

    rng_init(&rng, 3);
    for (int i = 0; i < 200; i++) {
        int64_t v = rng_between(&rng, -1, 1);

        GP_REQUIRE(v >= -1 && v <= 1);
        low |= v == -1;
        high |= v == 1;
    }
    GP_CHECK(low && high);
    GP_CHECK_EQ(rng_between(&rng, INT64_MIN, INT64_MIN), INT64_MIN);
    (void)rng_between(&rng, INT64_MIN, INT64_MAX);
}

GP_TEST(rng, chance_is_certain_at_its_ends)
{
    struct rng rng;
    int hits = 0;

    rng_init(&rng, 4);
    for (int i = 0; i < 10000; i++) {
        double v = rng_double(&rng);

        GP_REQUIRE(v >= 0.0 && v < 1.0);
        GP_REQUIRE(!rng_chance(&rng, 0.0));
        GP_REQUIRE(rng_chance(&rng, 1.0));
        hits += rng_chance(&rng, 0.25) ? 1 : 0;
    }
    GP_CHECK(hits > 2250 && hits < 2750);
}

GP_TEST(rng, fill_reaches_the_last_byte_and_no_further)
{
    struct rng rng;
    unsigned char bytes[20] = {0};

    rng_init(&rng, 6);
    bytes[19] = 0x55;
    for (int tries = 0; tries < 50 && bytes[18] == 0; tries++) {
        rng_fill(&rng, bytes, 19);
    }
    GP_CHECK(bytes[18] != 0);
    GP_CHECK_EQ(bytes[19], 0x55);
}
