/* How large accounts are. */
#include "data/limits.h"
#include "data/topology.h"
#include "gp_test.h"

#define WINDOW (1u << 20)

/* A source on one executor, sinks on the other: an account each. */
static struct topology_lane receiver(uint32_t sinks, const struct data_options *options)
{
    struct plan_processor processors[] = {
        {.name = (char *)(uintptr_t) "source", .parallelism = 1, .is_source = 1, .outputs = 1},
        {.name = (char *)(uintptr_t) "sink", .parallelism = sinks, .inputs = 1}};
    struct plan_edge edge = {.from = 0, .to = 1, .partitioner = PLAN_SHUFFLE};
    const struct plan plan = {
        .processors = processors, .processor_count = 2, .edges = &edge, .edge_count = 1};
    struct placement_range ranges[] = {
        {.processor = 0, .count = 1, .executor = 1, .session = 1},
        {.processor = 1, .count = sinks, .executor = 2, .session = 1}};
    const struct placement placement = {ranges, 2};
    const struct placement_host hosts[] = {{1, 1, 0}, {2, 1, 0}};
    struct topology *t = NULL;
    struct topology_lane lane;
    struct gp_error err = {0};

    GP_REQUIRE_EQ(topology_new(&plan, &placement, hosts, 2, options, NULL, &t, &err), 0);
    lane = t->lanes[topology_find_lane(t, 2, 0)];
    topology_free(t);
    return lane;
}

GP_TEST(topology, gives_few_accounts_larger_windows_between_processes)
{
    struct data_options options = data_options_default();

    options.window_max_bytes = WINDOW;
    for (uint32_t sinks = 1; sinks <= 2 * TCP_WINDOWS; sinks++) {
        const struct topology_lane lane = receiver(sinks, &options);

        GP_CHECK_EQ(lane.window_bytes, WINDOW);
        GP_CHECK_EQ(lane.host_window_bytes, (sinks <= 2 ? 2 * WINDOW : WINDOW) / 16 * 15);
        GP_CHECK_EQ(lane.tcp_window_bytes,
                    sinks < TCP_WINDOWS ? TCP_WINDOWS / sinks * WINDOW : WINDOW);
    }
}

GP_TEST(topology, gives_windows_within_the_budget_and_not_too_small_ones)
{
    struct data_options options = data_options_default();
    struct topology_lane lane;

    options.lane_budget_bytes = WINDOW;
    options.window_max_bytes = WINDOW / 2;
    options.window_min_bytes = WINDOW / 8;
    lane = receiver(1, &options);
    GP_CHECK_EQ(lane.window_bytes, WINDOW / 2);
    GP_CHECK_EQ(lane.tcp_window_bytes, WINDOW);
    lane = receiver(4, &options);
    GP_CHECK_EQ(lane.window_bytes, WINDOW / 4);
    GP_CHECK_EQ(lane.tcp_window_bytes, WINDOW / 4);
    lane = receiver(100, &options);
    GP_CHECK_EQ(lane.window_bytes, WINDOW / 8);
    GP_CHECK_EQ(lane.tcp_window_bytes, WINDOW / 8);
}
