#include "edge/limits.h"
#include "edge/spread.h"
#include "gp_test.h"

#define LOOK  EDGE_SPREAD_LOOK_NS
#define OFTEN EDGE_SPREAD_LOST_MIN
#define START INT64_C(1000000000000)

/* Looks that come one right after the other, and lose their CPU `lost` times between two. */
struct life {
    struct spread spread;
    int64_t now_ns;
    uint64_t lost;
};

static void life_begin(struct life *l)
{
    *l = (struct life){.now_ns = START};
    spread_begin(&l->spread, true);
    GP_CHECK(!spread_decide(&l->spread, l->now_ns, 0));
}

static bool life_look(struct life *l, uint64_t lost)
{
    l->now_ns += LOOK;
    l->lost += lost;
    return spread_decide(&l->spread, l->now_ns, l->lost);
}

static uint32_t life_leaves(struct life *l, int64_t for_ns, uint64_t lost)
{
    uint32_t leaves = 0;

    for (int64_t end_ns = l->now_ns + for_ns; l->now_ns < end_ns;) {
        leaves += life_look(l, lost);
    }
    return leaves;
}

GP_TEST(spread, stays_while_it_seldom_loses_its_cpu)
{
    struct life l;

    life_begin(&l);
    GP_CHECK_EQ(life_leaves(&l, 1000 * LOOK, OFTEN - 1), 0);
}

GP_TEST(spread, leaves_at_the_first_look_that_says_so)
{
    struct life l;

    life_begin(&l);
    GP_CHECK(!life_look(&l, 0));
    GP_CHECK(life_look(&l, OFTEN));
}

/* What was counted in its first look, or over a sleep, may be of an hour ago. */
GP_TEST(spread, does_not_judge_a_long_time)
{
    struct life l;

    life_begin(&l);
    l.now_ns += EDGE_SPREAD_LOOK_MAX_NS;
    GP_CHECK(!life_look(&l, 1000));
    GP_CHECK(!life_look(&l, 0));
}

/* With more busy threads than CPUs no other is better. */
GP_TEST(spread, rests_longer_where_it_does_not_help)
{
    struct life l;

    life_begin(&l);
    GP_CHECK(life_leaves(&l, 10 * EDGE_SPREAD_REST_MAX_NS, OFTEN) <= 20);
    GP_CHECK(life_leaves(&l, EDGE_SPREAD_REST_MAX_NS, OFTEN) <= 1);
}

GP_TEST(spread, leaves_soon_again_after_calm)
{
    struct life l;

    life_begin(&l);
    (void)life_leaves(&l, 10 * EDGE_SPREAD_REST_MAX_NS, OFTEN);
    (void)life_leaves(&l, (EDGE_SPREAD_CALM + 1) * EDGE_SPREAD_REST_MAX_NS, 0);
    GP_CHECK(life_look(&l, OFTEN));
    GP_CHECK(life_leaves(&l, EDGE_SPREAD_REST_MIN_NS + LOOK, OFTEN) > 0);
}

static cpu_set_t allowed(void)
{
    cpu_set_t set;

    GP_REQUIRE_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    return set;
}

GP_TEST(spread, leaves_one_cpu_and_may_use_all_again)
{
    const cpu_set_t all = allowed();
    struct spread s;
    cpu_set_t now;
    cpu_set_t extra;

    if (CPU_COUNT(&all) < 2) {
        GP_SKIP("this process may use one CPU");
    }
    spread_begin(&s, true);
    spread_leave(&s);
    now = allowed();
    GP_CHECK_EQ(CPU_COUNT(&now), CPU_COUNT(&all) - 1);
    CPU_AND(&extra, &now, &all);
    GP_CHECK(CPU_EQUAL(&extra, &now));
    GP_CHECK(CPU_ISSET((size_t)sched_getcpu(), &now));
    spread_leave(&s); /* not the last one, whichever it is */
    now = allowed();
    GP_CHECK_EQ(CPU_COUNT(&now), CPU_COUNT(&all) - 1);
    spread_return(&s);
    now = allowed();
    GP_CHECK(CPU_EQUAL(&now, &all));
}

GP_TEST(spread, does_nothing_where_it_may_use_one_cpu)
{
    const cpu_set_t all = allowed();
    struct spread s;
    cpu_set_t one;
    cpu_set_t now;

    CPU_ZERO(&one);
    for (size_t cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    GP_REQUIRE_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    spread_begin(&s, true);
    spread_leave(&s);
    GP_CHECK(!s.away);
    now = allowed();
    GP_CHECK(CPU_EQUAL(&now, &one));
    GP_REQUIRE_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* Whoever binds it meanwhile means it. */
GP_TEST(spread, does_not_undo_what_others_set)
{
    const cpu_set_t all = allowed();
    struct spread s;
    cpu_set_t one;
    cpu_set_t now;

    if (CPU_COUNT(&all) < 2) {
        GP_SKIP("this process may use one CPU");
    }
    spread_begin(&s, true);
    spread_leave(&s);
    CPU_XOR(&one, &all, &s.allowed); /* the one it left */
    GP_REQUIRE_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    spread_return(&s);
    now = allowed();
    GP_CHECK(CPU_EQUAL(&now, &one));
    GP_REQUIRE_EQ(sched_setaffinity(0, sizeof(all), &all), 0);
}

GP_TEST(spread, counts_only_where_it_is_wanted)
{
    struct spread s;

    spread_begin(&s, false);
    spread_look(&s, START);
    GP_CHECK_EQ(s.looked_ns, 0);
    spread_begin(&s, true);
    spread_look(&s, START);
    GP_CHECK_EQ(s.looked_ns, START);
    spread_look(&s, START + LOOK - 1);
    GP_CHECK_EQ(s.looked_ns, START);
    spread_return(&s);
}
