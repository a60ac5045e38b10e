/* Both maps: against a plain array, at their bound, and while being torn down. */
#include "base/error.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"
#include "gp_test.h"

#define KEYS 300

static int things[KEYS]; /* their addresses are the values */

GP_TEST(map, number_keys_add_set_get_remove)
{
    struct map_u64 m;
    void *old = &m;

    map_u64_init(&m, 10, 1);
    GP_CHECK(map_u64_get(&m, 0) == NULL);
    GP_CHECK(map_u64_remove(&m, 0) == NULL);
    GP_CHECK_EQ(map_u64_add(&m, 0, &things[0]), 0); /* 0 is a key as any other */
    GP_CHECK_EQ(map_u64_add(&m, 0, &things[1]), GP_EEXIST);
    GP_CHECK(map_u64_get(&m, 0) == &things[0]);
    GP_CHECK_EQ(map_u64_set(&m, 0, &things[2], &old), 0);
    GP_CHECK(old == &things[0]);
    GP_CHECK_EQ(map_u64_set(&m, UINT64_MAX, &things[3], &old), 0);
    GP_CHECK(old == NULL);
    GP_CHECK_EQ(map_u64_count(&m), 2);
    GP_CHECK(map_u64_remove(&m, 0) == &things[2]);
    GP_CHECK(map_u64_get(&m, 0) == NULL);
    GP_CHECK(map_u64_get(&m, UINT64_MAX) == &things[3]);
    map_u64_deinit(&m);
    map_u64_deinit(&m);
    map_u64_deinit(NULL);
}

GP_TEST(map, number_keys_agree_with_an_array_through_many_changes)
{
    struct map_u64 m;
    struct rng rng;
    void *model[KEYS] = {0};
    size_t count = 0;

    rng_init(&rng, 1);
    map_u64_init(&m, KEYS, 99);
    for (int round = 0; round < 50000; round++) {
        uint64_t key = rng_below(&rng, KEYS);

        if (rng_chance(&rng, 0.5)) {
            int rc = map_u64_add(&m, key, &things[key]);

            GP_REQUIRE_EQ(rc, model[key] != NULL ? GP_EEXIST : 0);
            count += rc == 0 ? 1 : 0;
            model[key] = &things[key];
        } else {
            GP_REQUIRE(map_u64_remove(&m, key) == model[key]);
            count -= model[key] != NULL ? 1 : 0;
            model[key] = NULL;
        }
        key = rng_below(&rng, KEYS);
        GP_REQUIRE(map_u64_get(&m, key) == model[key]);
        GP_REQUIRE_EQ(map_u64_count(&m), count);
    }
    for (uint64_t key = 0; key < KEYS; key++) {
        GP_REQUIRE(map_u64_get(&m, key) == model[key]);
    }
    map_u64_deinit(&m);
}

GP_TEST(map, is_bounded_and_full_is_an_answer)
{
    struct map_u64 m;
    struct map_u64 zeroed = {0};
    struct map_str s;

    map_u64_init(&m, 3, 0);
    for (uint64_t key = 0; key < 3; key++) {
        GP_CHECK_EQ(map_u64_add(&m, key, &things[key]), 0);
    }
    GP_CHECK_EQ(map_u64_add(&m, 3, &things[3]), GP_EFULL);
    GP_CHECK_EQ(map_u64_set(&m, 3, &things[3], NULL), GP_EFULL);
    GP_CHECK_EQ(map_u64_set(&m, 2, &things[9], NULL), 0); /* replacing needs no room */
    GP_CHECK_EQ(map_u64_count(&m), 3);
    map_u64_deinit(&m);
    map_str_init(&s, 1, 0, MAP_KEYS_BORROWED);
    GP_CHECK_EQ(map_str_add(&s, GP_STR("a"), &things[0]), 0);
    GP_CHECK_EQ(map_str_set(&s, GP_STR("b"), &things[1], NULL), GP_EFULL);
    map_str_deinit(&s);
    GP_CHECK_EQ(map_u64_add(&zeroed, 1, &things[0]), GP_EFULL);
    GP_CHECK(map_u64_get(&zeroed, 1) == NULL);
    GP_CHECK(map_u64_pop(&zeroed) == NULL);
}

GP_TEST(map, iteration_sees_each_entry_once)
{
    struct map_str m;
    int seen[KEYS] = {0};
    size_t cursor = 0;
    char text[16];
    gp_str key;
    void *value;

    map_str_init(&m, KEYS, 5, MAP_KEYS_OWNED);
    GP_CHECK(!map_str_next(&m, &cursor, &key, &value));
    for (size_t k = 0; k < KEYS; k += 3) {
        (void)str_format(text, sizeof(text), "%zu", k);
        GP_REQUIRE_EQ(map_str_add(&m, gp_str_of(text), &things[k]), 0);
    }
    cursor = 0;
    while (map_str_next(&m, &cursor, &key, &value)) {
        const ptrdiff_t k = (int *)value - things;

        GP_REQUIRE(k >= 0 && k < KEYS);
        (void)str_format(text, sizeof(text), "%td", k);
        GP_CHECK(str_eq(key, gp_str_of(text)));
        seen[k]++;
    }
    for (size_t k = 0; k < KEYS; k++) {
        GP_CHECK_EQ(seen[k], k % 3 == 0 ? 1 : 0);
    }
    map_str_deinit(&m);
}

GP_TEST(map, pop_takes_everything_even_between_adds)
{
    struct map_u64 m;
    struct map_str s;
    char key[16];

    map_u64_init(&m, KEYS, 6);
    map_str_init(&s, KEYS, 6, MAP_KEYS_OWNED);
    for (uint64_t k = 0; k < KEYS; k++) {
        (void)str_format(key, sizeof(key), "key-%d", (int)k);
        GP_REQUIRE_EQ(map_u64_add(&m, k, &things[k]), 0);
        GP_REQUIRE_EQ(map_str_add(&s, gp_str_of(key), &things[k]), 0);
    }
    for (int k = 0; k < 100; k++) {
        GP_REQUIRE(map_u64_pop(&m) != NULL);
        GP_REQUIRE(map_str_pop(&s) != NULL);
    }
    for (uint64_t k = 1000; k < 1050; k++) {
        GP_REQUIRE_EQ(map_u64_add(&m, k, &things[0]), 0);
        (void)str_format(key, sizeof(key), "key-%d", (int)k);
        GP_REQUIRE_EQ(map_str_add(&s, gp_str_of(key), &things[0]), 0);
    }
    for (int k = 0; k < 250; k++) {
        GP_REQUIRE(map_u64_pop(&m) != NULL);
        GP_REQUIRE(map_str_pop(&s) != NULL);
    }
    GP_CHECK(map_u64_pop(&m) == NULL);
    GP_CHECK(map_str_pop(&s) == NULL);
    GP_CHECK_EQ(map_u64_count(&m) + map_str_count(&s), 0);
    map_u64_deinit(&m);
    map_str_deinit(&s);
}

GP_TEST(map, owned_text_keys_outlive_what_they_were_made_from)
{
    struct map_str m;
    char key[8] = "one";
    gp_str found;
    size_t cursor = 0;

    map_str_init(&m, 10, 1, MAP_KEYS_OWNED);
    GP_CHECK_EQ(map_str_add(&m, gp_str_of(key), &things[1]), 0);
    memcpy(key, "two", 4);
    GP_CHECK_EQ(map_str_add(&m, gp_str_of(key), &things[2]), 0);
    memset(key, 'x', sizeof(key));
    GP_CHECK(map_str_get(&m, GP_STR("one")) == &things[1]);
    GP_CHECK(map_str_get(&m, GP_STR("two")) == &things[2]);
    GP_CHECK(map_str_get(&m, GP_STR("on")) == NULL);
    GP_CHECK_EQ(map_str_add(&m, GP_STR("one"), &things[3]), GP_EEXIST);
    GP_CHECK(map_str_remove(&m, GP_STR("one")) == &things[1]);
    GP_CHECK(map_str_next(&m, &cursor, &found, NULL));
    GP_CHECK(str_eq(found, GP_STR("two")));
    GP_CHECK_EQ(map_str_add(&m, (gp_str){0}, &things[4]), 0); /* the empty key is one, too */
    GP_CHECK(map_str_get(&m, GP_STR("")) == &things[4]);
    map_str_deinit(&m);
    map_str_deinit(NULL);
}

GP_TEST(map, borrowed_text_keys_are_not_copied)
{
    static const char key[] = "key";
    struct map_str m;
    gp_str found;
    size_t cursor = 0;
    void *old = NULL;

    map_str_init(&m, 10, 1, MAP_KEYS_BORROWED);
    GP_CHECK_EQ(map_str_set(&m, (gp_str){.ptr = key, .len = 3}, &things[1], &old), 0);
    GP_CHECK(old == NULL);
    GP_CHECK_EQ(map_str_set(&m, GP_STR("key"), &things[2], &old), 0);
    GP_CHECK(old == &things[1]);
    GP_CHECK(map_str_next(&m, &cursor, &found, &old));
    GP_CHECK(found.ptr == key);
    GP_CHECK(old == &things[2]);
    GP_CHECK(!map_str_next(&m, &cursor, NULL, NULL));
    map_str_deinit(&m);
}

GP_TEST(map, text_keys_agree_with_an_array_through_many_changes)
{
    struct map_str m;
    struct rng rng;
    void *model[KEYS] = {0};

    rng_init(&rng, 2);
    map_str_init(&m, KEYS, 7, MAP_KEYS_OWNED);
    for (int round = 0; round < 30000; round++) {
        uint64_t i = rng_below(&rng, KEYS);
        char key[16];

        (void)str_format(key, sizeof(key), "%d", (int)i);
        if (rng_chance(&rng, 0.5)) {
            GP_REQUIRE_EQ(map_str_set(&m, gp_str_of(key), &things[i], NULL), 0);
            model[i] = &things[i];
        } else {
            GP_REQUIRE(map_str_remove(&m, gp_str_of(key)) == model[i]);
            model[i] = NULL;
        }
        GP_REQUIRE(map_str_get(&m, gp_str_of(key)) == model[i]);
    }
    map_str_deinit(&m);
}
