/* What tasks take along that came ahead of them: used by the placement it was brought for, and by
 * no other. */
#include <stdlib.h>

#include "base/str.h"
#include "data/executor_internal.h"
#include "gp_test.h"

static void bring(struct executor *ex, uint32_t task, uint64_t session, const char *state)
{
    struct msg_executor_bring msg = {
        .processor = 1, .task = task, .session = session, .state = str_dup(gp_str_of(state))};
    struct gp_error err;

    GP_REQUIRE_EQ(ex_brought_take(ex, &msg, &err), 0);
    GP_CHECK(msg.state == NULL);
}

/* Tasks 0-3 on executor 2 in that session. How many states they begin with; *ret_last: the last. */
static uint32_t place(struct executor *ex, uint64_t session, char ret_last[16])
{
    const struct msg_placed placement[] = {
        {.processor = 0, .count = 8, .executor = 2, .session = 9},
        {.processor = 1, .first = 0, .count = 4, .executor = 2, .lane = 1, .session = session}};
    struct msg_task_state *states = NULL;
    uint32_t count = 0;

    GP_REQUIRE_EQ(ex_brought_use(ex, placement, 2, &states, &count), 0);
    for (uint32_t i = 0; i < count; i++) {
        GP_CHECK(states[i].moved);
        GP_CHECK_EQ(states[i].processor, 1);
        (void)str_format(ret_last, 16, "%s", states[i].state);
        free(states[i].state);
    }
    free(states);
    return count;
}

GP_TEST(brought, comes_with_the_session_it_was_brought_for)
{
    struct executor ex = {.options.executor = 2};
    char last[16] = "";

    bring(&ex, 3, 5, "aa");
    bring(&ex, 3, 7, "bb"); /* the latest of a task counts */
    bring(&ex, 6, 7, "cc"); /* which is not placed yet */
    GP_CHECK_EQ(place(&ex, 6, last), 0);
    GP_CHECK_EQ(place(&ex, 7, last), 1);
    GP_CHECK_STR_EQ(last, "bb");
    GP_CHECK_EQ(place(&ex, 7, last), 0);
    GP_CHECK_EQ(ex.brought_count, 1);
    ex_brought_deinit(&ex);
}

GP_TEST(brought, is_forgotten_when_the_task_is_elsewhere_or_later)
{
    struct executor ex = {.options.executor = 2};
    struct executor other = {.options.executor = 3};
    char last[16] = "";

    bring(&ex, 0, 5, "aa");
    GP_CHECK_EQ(place(&ex, 6, last), 0);
    GP_CHECK_EQ(ex.brought_count, 0);
    bring(&other, 0, 5, "aa");
    GP_CHECK_EQ(place(&other, 5, last), 0);
    GP_CHECK_EQ(other.brought_count, 0);
    ex_brought_deinit(&ex);
    ex_brought_deinit(&other);
}

GP_TEST(brought, is_bounded)
{
    struct executor ex = {.options.executor = 2};
    struct gp_error err = {0};
    struct msg_executor_bring msg = {.processor = 1, .task = 1000, .session = 1};

    for (uint32_t i = 0; i < 256; i++) {
        bring(&ex, i, 1, "aa");
    }
    bring(&ex, 7, 2, "bb"); /* in the place of another */
    GP_CHECK_EQ(ex_brought_take(&ex, &msg, &err), GP_EFULL);
    ex_brought_deinit(&ex);
}
