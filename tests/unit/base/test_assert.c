/* The small macros. That a false ASSERT ends the process is not tried here: it would end this one. */
#include "base/assert.h"
#include "gp_test.h"

GP_TEST(assert, a_true_condition_goes_on_and_is_evaluated_once)
{
    int evaluated = 0;

    ASSERT(++evaluated > 0);
    GP_CHECK_EQ(evaluated, 1);
}

GP_TEST(assert, container_of_finds_the_struct_around_a_member)
{
    struct outer {
        char first;
        uint64_t inner;
    } outer;

    GP_CHECK(container_of(&outer.inner, struct outer, inner) == &outer);
}

GP_TEST(assert, align_up_reaches_the_next_multiple)
{
    GP_CHECK_EQ(ALIGN_UP(0u, 8u), 0);
    GP_CHECK_EQ(ALIGN_UP(1u, 8u), 8);
    GP_CHECK_EQ(ALIGN_UP(8u, 8u), 8);
    GP_CHECK_EQ(ALIGN_UP((size_t)65, (size_t)CACHE_LINE), 128);
}
