/* Whom an executor cannot reach, by what its lanes say. */
#include "base/error.h"
#include "data/reach.h"
#include "gp_test.h"

#define LANES 2u

static uint32_t find(const struct reach_lane *lanes, uint32_t *ret)
{
    return reach_find(lanes, LANES, ret, 8);
}

GP_TEST(reach, is_lost_where_a_link_is_down)
{
    const struct reach_link first[] = {{1, REACH_HEARD}, {2, REACH_DOWN}, {3, REACH_UNKNOWN}};
    const struct reach_link second[] = {{1, REACH_DOWN}, {2, REACH_DOWN}};
    const struct reach_lane lanes[LANES] = {{first, 3, false}, {second, 2, true}};
    uint32_t who[8];

    GP_REQUIRE_EQ(find(lanes, who), 2); /* each once, whoever says so */
    GP_CHECK_EQ(who[0], 2);
    GP_CHECK_EQ(who[1], 1);
}

GP_TEST(reach, is_lost_where_all_is_silent)
{
    const struct reach_link both[] = {{1, REACH_SILENT}, {2, REACH_HEARD}};
    const struct reach_lane lanes[LANES] = {{both, 2, true}, {both, 2, true}};
    uint32_t who[8];

    GP_REQUIRE_EQ(find(lanes, who), 1);
    GP_CHECK_EQ(who[0], 1);
}

/* The other is in user code, and its neighbour lane is not. */
GP_TEST(reach, is_whole_while_one_lane_hears_one)
{
    const struct reach_link silent[] = {{1, REACH_SILENT}};
    const struct reach_link mixed[] = {{1, REACH_SILENT}, {1, REACH_HEARD}};
    const struct reach_lane lanes[LANES] = {{silent, 1, true}, {mixed, 2, true}};
    uint32_t who[8];

    GP_CHECK_EQ(find(lanes, who), 0);
}

/* What a lane said before it went into user code itself is no news, neither this nor that. */
GP_TEST(reach, is_said_by_lanes_that_run)
{
    const struct reach_link silent[] = {{1, REACH_SILENT}};
    const struct reach_link heard[] = {{1, REACH_HEARD}};
    const struct reach_lane busy[LANES] = {{silent, 1, false}, {NULL, 0, true}};
    const struct reach_lane one_runs[LANES] = {{silent, 1, true}, {heard, 1, false}};
    uint32_t who[8];

    GP_CHECK_EQ(find(busy, who), 0);
    GP_REQUIRE_EQ(find(one_runs, who), 1);
    GP_CHECK_EQ(who[0], 1);
}

GP_TEST(reach, of_many_lanes_is_said_once)
{
    struct reach_link links[4];
    uint32_t count = 0;

    reach_add(links, &count, 1, REACH_HEARD);
    reach_add(links, &count, 1, REACH_HEARD);
    reach_add(links, &count, 1, REACH_SILENT);
    reach_add(links, &count, 2, REACH_SILENT);
    GP_REQUIRE_EQ(count, 3);
    GP_CHECK_EQ(links[1].executor, 1);
    GP_CHECK_EQ(links[1].reach, REACH_SILENT);
    GP_CHECK_EQ(links[2].executor, 2);
}
