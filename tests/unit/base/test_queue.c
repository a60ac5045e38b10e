/* The bounded queue: first in, first out, full is an answer. */
#include "base/error.h"
#include "base/queue.h"
#include "gp_test.h"

GP_TEST(queue, is_first_in_first_out_across_the_wrap)
{
    struct queue q;
    int numbers[10];
    int in = 0;
    int out = 0;

    GP_REQUIRE_EQ(queue_init(&q, 3), 0);
    GP_CHECK(queue_pop(&q) == NULL);
    for (int round = 0; round < 100; round++) {
        int burst = round % 4;

        for (int i = 0; i < burst && !queue_is_full(&q); i++) {
            GP_CHECK_EQ(queue_push(&q, &numbers[in++ % 10]), 0);
        }
        if (!queue_is_empty(&q)) {
            GP_CHECK(queue_peek(&q, 0) == &numbers[out % 10]);
            GP_CHECK(queue_pop(&q) == &numbers[out++ % 10]);
        }
        GP_CHECK_EQ(queue_count(&q), in - out);
    }
    GP_CHECK(in > 20); /* it did wrap */
    queue_deinit(&q);
}

GP_TEST(queue, refuses_when_full_and_stays_as_it_was)
{
    struct queue q;
    int a;
    int b;

    GP_REQUIRE_EQ(queue_init(&q, 1), 0);
    GP_CHECK_EQ(queue_push(&q, &a), 0);
    GP_CHECK_EQ(queue_push(&q, &b), GP_EFULL);
    GP_CHECK(queue_peek(&q, 1) == NULL);
    GP_CHECK(queue_pop(&q) == &a);
    GP_CHECK(queue_pop(&q) == NULL);
    queue_deinit(&q);
    queue_deinit(&q);
    queue_deinit(NULL);
}
