/* Buffers that connections read into. */
#include <string.h>

#include "actor/rbuf.h"
#include "gp_test.h"

GP_TEST(rbuf, takes_the_warmest_buffer_again)
{
    struct rbuf_pool pool;
    struct rbuf *first;
    struct rbuf *second;

    rbuf_pool_init(&pool, 1000, 4, 2);
    first = rbuf_get(&pool);
    second = rbuf_get(&pool);
    GP_REQUIRE(first != NULL && second != NULL);
    GP_CHECK_EQ((uintptr_t)first->ptr % RBUF_ALIGN, 0);
    GP_CHECK(first->capacity >= 1000);
    rbuf_unref(first);
    rbuf_unref(second);
    GP_CHECK(rbuf_get(&pool) == second);
    rbuf_unref(second);
    rbuf_pool_deinit(&pool);
}

GP_TEST(rbuf, keeps_large_payloads_by_reference)
{
    struct rbuf_pool pool;
    struct rbuf *buf;
    struct rbuf *kept;
    const void *ptr;

    rbuf_pool_init(&pool, 4096, 4, 0);
    buf = rbuf_get(&pool);
    GP_REQUIRE(buf != NULL);
    ptr = buf->ptr + 64;
    kept = rbuf_keep(buf, &ptr, 1024);
    GP_CHECK(kept == buf);
    GP_CHECK(ptr == buf->ptr + 64);
    rbuf_unref(buf);
    rbuf_unref(kept);
    rbuf_pool_deinit(&pool);
}

GP_TEST(rbuf, is_aligned_and_whole_at_any_size)
{
    for (size_t len = 1; len < (size_t)1 << 20; len = len * 3 + 1) {
        struct rbuf *buf = rbuf_new(len);

        GP_REQUIRE(buf != NULL);
        GP_CHECK_EQ((uintptr_t)buf->ptr % RBUF_ALIGN, 0);
        GP_CHECK(buf->capacity >= len);
        memset(buf->ptr, 0xff, buf->capacity);
        GP_CHECK_EQ(buf->refs, 1);
        rbuf_unref(buf);
    }
}

/* A few bytes must not pin a whole buffer. */
GP_TEST(rbuf, copies_small_payloads)
{
    struct rbuf_pool pool;
    struct rbuf *buf;
    struct rbuf *kept;
    const void *ptr;

    rbuf_pool_init(&pool, 4096, 4, 0);
    buf = rbuf_get(&pool);
    GP_REQUIRE(buf != NULL);
    memcpy(buf->ptr + 64, "payload", 8);
    ptr = buf->ptr + 64;
    kept = rbuf_keep(buf, &ptr, 8);
    GP_REQUIRE(kept != NULL);
    GP_CHECK(kept != buf);
    rbuf_unref(buf);
    GP_CHECK_MEM_EQ(ptr, "payload", 8);
    GP_CHECK_EQ((uintptr_t)ptr % 8, 0);
    rbuf_unref(kept);
    rbuf_pool_deinit(&pool);
}

GP_TEST(rbuf, copies_when_the_pool_runs_short)
{
    struct rbuf_pool pool;
    struct rbuf *held[2];
    struct rbuf *kept;
    const void *ptr;

    rbuf_pool_init(&pool, 4096, 2, 0);
    held[0] = rbuf_get(&pool);
    held[1] = rbuf_get(&pool);
    GP_REQUIRE(held[0] != NULL && held[1] != NULL);
    ptr = held[0]->ptr;
    kept = rbuf_keep(held[0], &ptr, 4096);
    GP_REQUIRE(kept != NULL);
    GP_CHECK(kept != held[0]);
    rbuf_unref(kept);
    rbuf_unref(held[0]);
    rbuf_unref(held[1]);
    rbuf_pool_deinit(&pool);
}
