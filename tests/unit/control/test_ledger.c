#include "base/rng.h"
#include "control/worker/ledger.h"
#include "gp_test.h"

GP_TEST(ledger, adds_offers_to_one_grant)
{
    struct ledger l;

    ledger_init(&l, 10);
    GP_REQUIRE_EQ(ledger_offer(&l, 7, 1, "token", 1, NULL), 0);
    GP_REQUIRE_EQ(ledger_offer(&l, 7, 1, "token", 4, NULL), 0);
    GP_CHECK_EQ(l.used, 5);
    GP_CHECK_EQ(l.count, 1);
    GP_CHECK_EQ(ledger_find(&l, 7)->slots, 5);
    GP_CHECK_STR_EQ(ledger_find(&l, 7)->token, "token");
    GP_CHECK(ledger_find(&l, 8) == NULL);
    ledger_deinit(&l);
}

GP_TEST(ledger, refuses_what_it_has_not)
{
    struct ledger l;
    struct gp_error err = {0};

    ledger_init(&l, 10);
    GP_REQUIRE_EQ(ledger_offer(&l, 7, 1, "token", 8, NULL), 0);
    GP_CHECK_EQ(ledger_offer(&l, 8, 1, "other", 3, &err), GP_EFULL);
    GP_CHECK_STR_EQ(err.text, "3 slots wanted, 2 of 10 are free");
    GP_CHECK(ledger_find(&l, 8) == NULL);
    GP_CHECK_EQ(ledger_offer(&l, 8, 1, "other", 0, NULL), GP_EINVAL);
    GP_CHECK_EQ(ledger_offer(&l, 8, 1, "other", UINT32_MAX, NULL), GP_EFULL);
    GP_CHECK_EQ(l.used, 8);
    ledger_deinit(&l);
}

/* A token is a key: one that would be cut must not become another one. */
GP_TEST(ledger, refuses_a_token_that_does_not_fit)
{
    char token[LEDGER_TOKEN_SIZE + 1];
    struct ledger l;

    memset(token, 'a', sizeof token);
    token[sizeof token - 1] = '\0';
    ledger_init(&l, 10);
    GP_CHECK_EQ(ledger_offer(&l, 7, 1, token, 1, NULL), GP_EINVAL);
    token[LEDGER_TOKEN_SIZE - 1] = '\0';
    GP_CHECK_EQ(ledger_offer(&l, 7, 1, token, 1, NULL), 0);
    ledger_deinit(&l);
}

/* An appmaster that was replaced, and the master that replaced it, may speak at the same time. */
GP_TEST(ledger, heeds_only_the_latest_epoch)
{
    struct ledger l;

    ledger_init(&l, 10);
    GP_REQUIRE_EQ(ledger_offer(&l, 7, 2, "token", 2, NULL), 0);
    GP_CHECK_EQ(ledger_offer(&l, 7, 1, "token", 2, NULL), GP_ESTALE);
    GP_CHECK(!ledger_revoke(&l, 7, 1, 0));
    GP_CHECK_EQ(l.used, 2);
    GP_CHECK(ledger_revoke(&l, 7, 2, 0));
    GP_CHECK_EQ(l.used, 0);
    ledger_deinit(&l);
}

GP_TEST(ledger, revokes_some_or_all)
{
    struct ledger l;

    ledger_init(&l, 10);
    GP_REQUIRE_EQ(ledger_offer(&l, 7, 1, "a", 5, NULL), 0);
    GP_REQUIRE_EQ(ledger_offer(&l, 8, 1, "b", 2, NULL), 0);
    GP_CHECK(!ledger_revoke(&l, 7, 1, 4));
    GP_CHECK_EQ(ledger_find(&l, 7)->slots, 1);
    GP_CHECK(ledger_revoke(&l, 7, 1, 4));
    GP_CHECK(ledger_find(&l, 7) == NULL);
    GP_CHECK(!ledger_revoke(&l, 7, 1, 0));
    GP_CHECK_EQ(l.used, 2);
    GP_CHECK_STR_EQ(ledger_find(&l, 8)->token, "b");
    ledger_deinit(&l);
}

GP_TEST(ledger, never_gives_more_than_it_has)
{
    struct rng rng;
    struct ledger l;

    rng_init(&rng, 42);
    ledger_init(&l, 100);
    for (int i = 0; i < 20000; i++) {
        uint32_t app = (uint32_t)rng_below(&rng, 30) + 1;
        uint32_t sum = 0;
        if (rng_chance(&rng, 0.6)) {
            (void)ledger_offer(&l, app, 1, "t", (uint32_t)rng_below(&rng, 20), NULL);
        } else {
            (void)ledger_revoke(&l, app, 1, (uint32_t)rng_below(&rng, 20));
        }
        for (uint32_t g = 0; g < l.count; g++) {
            GP_REQUIRE(l.grants[g].slots > 0);
            sum += l.grants[g].slots;
        }
        GP_REQUIRE_EQ(sum, l.used);
        GP_REQUIRE(l.used <= l.slots);
    }
    ledger_deinit(&l);
}
