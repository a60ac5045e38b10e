/* The object pool: capped, aligned, recycling the longest free first. */
#include "base/assert.h"
#include "base/error.h"
#include "base/pool.h"
#include "gp_test.h"

GP_TEST(pool, recycles_first_in_first_out)
{
    struct pool p;
    void *a;
    void *b;

    GP_REQUIRE_EQ(pool_init(&p, 100, 2), 0);
    a = pool_get(&p);
    b = pool_get(&p);
    GP_REQUIRE(a != NULL && b != NULL && a != b);
    GP_CHECK_EQ((uintptr_t)a % CACHE_LINE, 0);
    GP_CHECK_EQ((uintptr_t)b % CACHE_LINE, 0);
    memset(a, 1, 100);
    memset(b, 2, 100);
    pool_put(&p, a);
    pool_put(&p, b);
    GP_CHECK(pool_get(&p) == a);
    GP_CHECK(pool_get(&p) == b);
    pool_put(&p, b);
    pool_put(&p, a);
    GP_CHECK(pool_get(&p) == b);
    pool_put(&p, b);
    pool_deinit(&p);
    pool_deinit(&p);
    pool_deinit(NULL);
}

GP_TEST(pool, stops_at_its_cap)
{
    struct pool p;
    void *a;

    GP_REQUIRE_EQ(pool_init(&p, 1, 1), 0);
    a = pool_get(&p);
    GP_CHECK(a != NULL);
    GP_CHECK(pool_get(&p) == NULL);
    GP_CHECK_EQ(pool_in_use(&p), 1);
    pool_put(&p, a);
    pool_put(&p, NULL);
    GP_CHECK_EQ(pool_in_use(&p), 0);
    GP_CHECK(pool_get(&p) == a);
    pool_put(&p, a);
    pool_deinit(&p);
}

GP_TEST(pool, reserve_allocates_ahead)
{
    struct pool p;

    GP_REQUIRE_EQ(pool_init(&p, 64, 8), 0);
    GP_CHECK_EQ(pool_reserve(&p, 3), 0);
    GP_CHECK_EQ(queue_count(&p.free), 3);
    GP_CHECK_EQ(pool_reserve(&p, 2), 0); /* never fewer */
    GP_CHECK_EQ(queue_count(&p.free), 3);
    GP_CHECK_EQ(pool_reserve(&p, 8), 0);
    GP_CHECK_EQ(pool_in_use(&p), 0);
    pool_deinit(&p);
}
