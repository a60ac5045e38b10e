/* Whom to give up when executors cannot reach each other. */
#include "control/appmaster/cuts.h"
#include "gp_test.h"

#define S     INT64_C(1000000000)
#define COUNT 6u

struct world {
    bool is_cut[COUNT * COUNT];
    uint32_t tasks[COUNT];
    bool given_up[COUNT];
};

static void cut(struct world *w, uint32_t a, uint32_t b)
{
    w->is_cut[a * COUNT + b] = true;
    w->is_cut[b * COUNT + a] = true;
}

static uint32_t choose(struct world *w)
{
    return cuts_choose(w->is_cut, w->tasks, COUNT, w->given_up);
}

GP_TEST(cuts, give_up_nobody_when_all_reach_each_other)
{
    struct world w = {0};

    GP_CHECK_EQ(choose(&w), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        GP_CHECK(!w.given_up[i]);
    }
}

GP_TEST(cuts, give_up_the_later_of_two_that_are_alike)
{
    struct world w = {.tasks = {4, 4, 4, 4, 4, 4}};

    cut(&w, 1, 3);
    GP_CHECK_EQ(choose(&w), 1);
    GP_CHECK(w.given_up[3]);
}

GP_TEST(cuts, give_up_the_one_with_fewer_tasks)
{
    struct world w = {.tasks = {4, 3, 4, 4, 4, 4}};

    cut(&w, 1, 3);
    GP_CHECK_EQ(choose(&w), 1);
    GP_CHECK(w.given_up[1]);
}

/* However many tasks it has: one restart beats three. */
GP_TEST(cuts, give_up_the_one_that_most_cannot_reach)
{
    struct world w = {.tasks = {1, 9, 1, 1, 1, 1}};

    cut(&w, 1, 0);
    cut(&w, 1, 3);
    cut(&w, 5, 1);
    GP_CHECK_EQ(choose(&w), 1);
    GP_CHECK(w.given_up[1]);
}

/* 0 and 4 here, all others there. */
GP_TEST(cuts, give_up_the_smaller_side)
{
    struct world w = {.tasks = {9, 1, 1, 1, 9, 1}};

    for (uint32_t i = 1; i < COUNT; i++) {
        if (i != 4) {
            cut(&w, 0, i);
            cut(&w, 4, i);
        }
    }
    GP_CHECK_EQ(choose(&w), 2);
    GP_CHECK(w.given_up[0] && w.given_up[4]);
}

/* Of two equal sides one goes whole, never some of each. */
GP_TEST(cuts, give_up_one_of_two_equal_sides)
{
    struct world w = {.tasks = {3, 2, 5, 4, 7, 1}};

    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t k = 3; k < 6; k++) {
            cut(&w, i, k);
        }
    }
    GP_CHECK_EQ(choose(&w), 3);
    GP_CHECK(w.given_up[3] && w.given_up[4] && w.given_up[5]);
}

GP_TEST(shunned, workers_are_tried_again_ever_more_rarely)
{
    struct shunned_list list = {0};
    int64_t now_ns = 5 * S;
    int64_t wait_ns = SHUNNED_WAIT_MIN_NS;

    GP_CHECK(!shunned_has(&list, 7, now_ns));
    for (uint32_t i = 0; i < 10; i++) {
        shunned_add(&list, 7, now_ns);
        shunned_add(&list, 7, now_ns + 1); /* of the same cut */
        GP_CHECK(shunned_has(&list, 7, now_ns + wait_ns - 1));
        GP_CHECK(!shunned_has(&list, 7, now_ns + wait_ns));
        GP_CHECK(!shunned_has(&list, 8, now_ns));
        now_ns += wait_ns + 15 * S;
        wait_ns = 2 * wait_ns < SHUNNED_WAIT_MAX_NS ? 2 * wait_ns : SHUNNED_WAIT_MAX_NS;
    }
    now_ns += 2 * SHUNNED_WAIT_MAX_NS; /* it was well for long */
    shunned_add(&list, 7, now_ns);
    GP_CHECK(!shunned_has(&list, 7, now_ns + SHUNNED_WAIT_MIN_NS));
    GP_CHECK_EQ(list.count, 1);
    shunned_deinit(&list);
}
