/*
 * placement.c: the rule of placement.h, as ranges.
 *
 * Lanes are walked in order for each processor, so the ranges come out sorted. Neighbouring tasks
 * on one lane become one range; a processor with fewer tasks than lanes yields one range a task.
 */
#include "graph/placement.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/assert.h"

static uint32_t lanes_total(const struct placement_host *hosts, uint32_t host_count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < host_count; i++) {
        total += hosts[i].lanes;
    }
    return total;
}

/* Which executor and lane the lane of this number is. */
static void lane_locate(const struct placement_host *hosts, uint32_t host_count, uint32_t number,
                        struct placement_range *ret)
{
    for (uint32_t i = 0; i < host_count; i++) {
        if (number < hosts[i].lanes) {
            ret->executor = hosts[i].executor;
            ret->lane = number;
            return;
        }
        number -= hosts[i].lanes;
    }
    UNREACHABLE();
}

/* Cuts n things in a row into one piece for each lane: the lane of a thing. Lane l has
 * [n*l/L, n*(l+1)/L), so this is the last one whose piece begins at it or before. */
static uint32_t cut(uint64_t n, uint32_t thing, uint32_t lanes)
{
    return (uint32_t)((((uint64_t)thing + 1) * lanes - 1) / n);
}

/* Each processor feeds the next one and nobody else. */
static bool is_chain(const struct plan *plan)
{
    bool chain = plan->edge_count + 1 == plan->processor_count;
    for (uint32_t e = 0; chain && e < plan->edge_count; e++) {
        chain = plan->edges[e].from == e && plan->edges[e].to == e + 1;
    }
    return chain;
}

static uint32_t task_lane(const struct plan *plan, uint32_t index, uint32_t task, uint32_t lanes)
{
    uint64_t n = plan->processors[index].parallelism;
    if (n >= lanes) {
        return cut(n, task, lanes);
    }
    if (n == 1 && plan->processor_count > lanes && is_chain(plan)) {
        return cut(plan->processor_count, index, lanes);
    }
    return (uint32_t)(((uint64_t)task * lanes / n + index) % lanes);
}

static void place_processor(const struct plan *plan, uint32_t index,
                            const struct placement_host *hosts, uint32_t host_count, uint32_t lanes,
                            struct placement *placement)
{
    const struct plan_processor *processor = &plan->processors[index];
    uint32_t task = 0;
    while (task < processor->parallelism) {
        struct placement_range *range = &placement->ranges[placement->count++];
        uint32_t number = task_lane(plan, index, task, lanes);
        uint32_t end = task + 1;
        if (processor->parallelism >= lanes) {
            end = (uint32_t)((uint64_t)processor->parallelism * (number + 1) / lanes);
        }
        *range = (struct placement_range){.processor = index, .first = task, .count = end - task};
        lane_locate(hosts, host_count, number, range);
        ASSERT(end > task);
        task = end;
    }
}

static bool may_block(const struct plan *plan, uint32_t processor)
{
    return (plan->processors[processor].flags & GP_PROCESSOR_BLOCKING) != 0;
}

uint32_t placement_blocking_tasks(const struct plan *plan)
{
    uint32_t tasks = 0;
    for (uint32_t p = 0; p < plan->processor_count; p++) {
        tasks += may_block(plan, p) ? plan->processors[p].parallelism : 0;
    }
    return tasks;
}

/* Executors that have lanes for them, in order. */
static uint32_t count_blocking_hosts(const struct placement_host *hosts, uint32_t host_count)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < host_count; i++) {
        count += hosts[i].blocking > 0;
    }
    return count;
}

static const struct placement_host *blocking_host(const struct placement_host *hosts,
                                                  uint32_t number)
{
    while (hosts->blocking == 0 || number-- > 0) {
        hosts++;
    }
    return hosts;
}

static void place_blocking(const struct plan *plan, uint32_t index,
                           const struct placement_host *hosts, uint32_t blocking_hosts,
                           uint32_t *next, struct placement *placement)
{
    for (uint32_t task = 0; task < plan->processors[index].parallelism; task++, ++*next) {
        const struct placement_host *host = blocking_host(hosts, *next % blocking_hosts);
        placement->ranges[placement->count++] = (struct placement_range){
            .processor = index,
            .first = task,
            .count = 1,
            .executor = host->executor,
            .lane = host->lanes + *next / blocking_hosts % host->blocking,
        };
    }
}

/* Hosts of one processor, and what there is on them. */
struct choice {
    struct placement_host *hosts; /* scratch, for all there are */
    uint32_t count;
    uint32_t lanes;
    uint32_t blocking; /* hosts that have lanes for those */
};

static void choose(struct choice *c, const struct placement_host *hosts, uint32_t host_count,
                   uint32_t processor, placement_takes_fn takes, void *user)
{
    c->count = 0;
    for (uint32_t i = 0; i < host_count; i++) {
        if (!takes || takes(user, processor, hosts[i].executor)) {
            c->hosts[c->count++] = hosts[i];
        }
    }
    c->lanes = lanes_total(c->hosts, c->count);
    c->blocking = count_blocking_hosts(c->hosts, c->count);
}

int placement_make(const struct plan *plan, const struct placement_host *hosts, uint32_t host_count,
                   placement_takes_fn takes, void *user, struct placement *ret)
{
    uint32_t lanes = lanes_total(hosts, host_count);
    uint32_t blocking_hosts = count_blocking_hosts(hosts, host_count);
    uint32_t blocking_next = 0;
    size_t ranges = 0;
    struct placement placement = {0};
    struct choice c = {.hosts = calloc(host_count + 1u, sizeof *c.hosts)};
    int rc = c.hosts ? 0 : GP_ENOMEM;

    if (lanes == 0) {
        free(c.hosts);
        return GP_EINVAL;
    }
    for (uint32_t p = 0; p < plan->processor_count; p++) {
        uint32_t n = plan->processors[p].parallelism;
        ranges += n < lanes || (may_block(plan, p) && blocking_hosts > 0) ? n : lanes;
    }
    placement.ranges = calloc(ranges ? ranges : 1, sizeof *placement.ranges);
    rc = placement.ranges ? rc : GP_ENOMEM;
    for (uint32_t p = 0; p < plan->processor_count && rc >= 0; p++) {
        choose(&c, hosts, host_count, p, takes, user);
        if (may_block(plan, p) && c.blocking > 0) {
            place_blocking(plan, p, c.hosts, c.blocking, &blocking_next, &placement);
        } else if (c.lanes > 0) {
            place_processor(plan, p, c.hosts, c.count, c.lanes, &placement);
        } else {
            rc = GP_ENOENT;
        }
    }
    free(c.hosts);
    if (rc < 0) {
        placement_deinit(&placement);
        return rc;
    }
    ASSERT(placement.count <= ranges);
    *ret = placement;
    return 0;
}

int placement_check(const struct placement *placement, const struct plan *plan,
                    struct gp_error *err)
{
    uint32_t at = 0;
    for (uint32_t p = 0; p < plan->processor_count; p++) {
        uint32_t next = 0;
        while (at < placement->count && placement->ranges[at].processor == p) {
            const struct placement_range *range = &placement->ranges[at++];
            if (range->first != next || range->count == 0 ||
                range->count > plan->processors[p].parallelism - next) {
                return gp_error_set(err, GP_EINVAL,
                                    "placement: tasks of processor %u are not covered once each",
                                    p);
            }
            if (range->since > range->session) {
                return gp_error_set(err, GP_EINVAL,
                                    "placement: rows of task %u of processor %u count from a "
                                    "session after its own",
                                    range->first, p);
            }
            next += range->count;
        }
        if (next != plan->processors[p].parallelism) {
            return gp_error_set(err, GP_EINVAL, "placement: processor %u has %u of %u tasks placed",
                                p, next, plan->processors[p].parallelism);
        }
    }
    if (at != placement->count) {
        return gp_error_set(err, GP_EINVAL,
                            "placement: range %u is of an unknown processor or out of order", at);
    }
    return 0;
}

void placement_deinit(struct placement *placement)
{
    free(placement->ranges);
    *placement = (struct placement){0};
}
