/*
 * topology.c: see topology.h. Failures leave nothing behind; the tables are sized by the plan,
 * whose bounds plan_check() has checked.
 */
#include "data/topology.h"

#include <stdlib.h>

#include "base/assert.h"
#include "data/limits.h"

#define LANE_NONE 0xffffu

_Static_assert(LANES_MAX < TOPOLOGY_PARKED, "a lane number has 16 bits");

static uint32_t lanes_of_host(const struct placement *placement, const struct placement_host *host)
{
    uint32_t lanes = host->lanes;

    for (uint32_t i = 0; i < placement->count; i++) {
        const struct placement_range *r = &placement->ranges[i];

        if (r->executor == host->executor && r->lane >= lanes) {
            lanes = r->lane < LANES_MAX ? r->lane + 1 : LANES_MAX + 1;
        }
    }
    return lanes;
}

static bool is_host(const struct placement_host *hosts, uint32_t host_count, uint32_t executor)
{
    for (uint32_t h = 0; h < host_count; h++) {
        if (hosts[h].executor == executor) {
            return true;
        }
    }
    return false;
}

/* Lanes that go on keep their numbers. */
static void keep_numbers(struct topology *t, const struct topology *before,
                         const struct placement_host *hosts, uint32_t host_count)
{
    for (uint32_t l = 0; l < before->lane_count; l++) {
        const struct topology_lane *old = &before->lanes[l];

        if (is_host(hosts, host_count, old->executor)) {
            t->lanes[l] = (struct topology_lane){.executor = old->executor, .lane = old->lane};
        }
    }
    t->lane_count = before->lane_count;
}

/* The lanes of one executor, to the first free numbers. */
static void add_lanes(struct topology *t, uint32_t executor, uint32_t lanes)
{
    uint32_t at = 0;

    for (uint32_t l = 0; l < lanes; l++) {
        if (topology_find_lane(t, executor, l) >= 0) {
            continue;
        }
        while (at < t->lane_count && t->lanes[at].executor != 0) {
            at++;
        }
        t->lane_count += at == t->lane_count;
        t->lanes[at] = (struct topology_lane){.executor = executor, .lane = l};
    }
}

static int number_lanes(struct topology *t, const struct placement *placement,
                        const struct placement_host *hosts, uint32_t host_count,
                        const struct topology *before, struct gp_error *err)
{
    uint64_t total = before ? before->lane_count : 0;

    for (uint32_t h = 0; h < host_count; h++) {
        total += lanes_of_host(placement, &hosts[h]);
    }
    if (total == 0 || total > 2 * LANES_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "%llu lanes in all executors, at most %u are possible",
                            (unsigned long long)total, LANES_MAX);
    }
    t->lanes = (struct topology_lane *)calloc((size_t)total, sizeof(*t->lanes));
    if (!t->lanes) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the lanes");
    }
    if (before) {
        keep_numbers(t, before, hosts, host_count);
    }
    for (uint32_t h = 0; h < host_count; h++) {
        add_lanes(t, hosts[h].executor, lanes_of_host(placement, &hosts[h]));
    }
    if (t->lane_count > LANES_MAX) {
        return gp_error_set(err, GP_ETOOBIG, "%u lanes in all executors, at most %u are possible",
                            t->lane_count, LANES_MAX);
    }
    return 0;
}

int topology_find_lane(const struct topology *t, uint32_t executor, uint32_t lane)
{
    for (uint32_t i = 0; i < t->lane_count; i++) {
        if (t->lanes[i].executor == executor && t->lanes[i].lane == lane) {
            return (int)i;
        }
    }
    return GP_ENOENT;
}

bool topology_has_come(const struct topology *t, const struct topology *before, uint32_t processor,
                       uint32_t lane)
{
    const uint32_t *tasks;
    uint32_t count = topology_tasks_on(&t->processors[processor], lane, &tasks);

    for (uint32_t i = 0; i < count; i++) {
        if (before->processors[processor].lane_of[tasks[i]] != lane) {
            return true;
        }
    }
    return false;
}

static int processor_init(struct topology_processor *p, uint32_t tasks, uint32_t lane_count)
{
    p->tasks = tasks;
    p->lane_of = (uint16_t *)malloc(tasks * sizeof(*p->lane_of));
    p->local_of = (uint32_t *)malloc(tasks * sizeof(*p->local_of));
    p->session = (uint64_t *)calloc(tasks, sizeof(*p->session));
    p->since = (uint64_t *)calloc(tasks, sizeof(*p->since));
    p->is_leaving = (uint8_t *)calloc(tasks, 1);
    p->by_lane = (uint32_t *)malloc(tasks * sizeof(*p->by_lane));
    p->offset = (uint32_t *)calloc(lane_count + 1u, sizeof(*p->offset));
    if (!p->lane_of || !p->local_of || !p->session || !p->since || !p->is_leaving || !p->by_lane ||
        !p->offset) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < tasks; i++) {
        p->lane_of[i] = LANE_NONE;
    }
    return 0;
}

static int place_range(struct topology *t, const struct placement_range *r, struct gp_error *err)
{
    struct topology_processor *p;
    int lane = topology_find_lane(t, r->executor, r->lane);

    if (r->processor >= t->plan->processor_count || r->executor == 0) {
        return gp_error_set(err, GP_EINVAL, "the placement names processor %u on executor %u",
                            r->processor, r->executor);
    }
    p = &t->processors[r->processor];
    if (r->first > p->tasks || r->count > p->tasks - r->first) {
        return gp_error_set(err, GP_EINVAL, "the placement names tasks that %s has not",
                            t->plan->processors[r->processor].name);
    }
    for (uint32_t i = r->first; i < r->first + r->count; i++) {
        if (p->lane_of[i] != LANE_NONE) {
            return gp_error_set(err, GP_EINVAL, "task %u of %s is placed twice", i,
                                t->plan->processors[r->processor].name);
        }
        p->session[i] = r->session;
        p->since[i] = r->since > 0 ? r->since : r->session;
        p->is_leaving[i] = r->leaving && lane >= 0;
        p->leaving += p->is_leaving[i];
        p->lane_of[i] = lane < 0 ? TOPOLOGY_PARKED : (uint16_t)lane;
        if (lane >= 0) {
            t->lanes[lane].tasks++;
        }
    }
    return 0;
}

/* A counting sort of the tasks by lane. */
static int group_by_lane(struct topology *t, uint32_t processor, struct gp_error *err)
{
    struct topology_processor *p = &t->processors[processor];

    for (uint32_t i = 0; i < p->tasks; i++) {
        if (p->lane_of[i] == LANE_NONE) {
            return gp_error_set(err, GP_EINVAL, "task %u of %s is placed nowhere", i,
                                t->plan->processors[processor].name);
        }
        if (p->lane_of[i] == TOPOLOGY_PARKED) {
            p->parked++;
            p->local_of[i] = 0;
        } else {
            p->local_of[i] = p->offset[p->lane_of[i] + 1u]++;
        }
    }
    for (uint32_t l = 0; l < t->lane_count; l++) {
        p->lanes += p->offset[l + 1] > 0;
        p->offset[l + 1] += p->offset[l];
    }
    for (uint32_t i = 0; i < p->tasks; i++) {
        if (p->lane_of[i] != TOPOLOGY_PARKED) {
            p->by_lane[p->offset[p->lane_of[i]] + p->local_of[i]] = i;
        }
    }
    return 0;
}

/* An account stands for each (edge, lane that sends on it, task that receives on it). Those of one
 * lane, or of all lanes. */
static uint64_t count_accounts(const struct topology *t, uint32_t lane, bool all)
{
    uint64_t accounts = 0;

    for (uint32_t e = 0; e < t->plan->edge_count; e++) {
        const struct topology_processor *to = &t->processors[t->plan->edges[e].to];
        uint64_t tasks = all ? to->tasks : to->offset[lane + 1] - to->offset[lane];

        accounts += tasks * t->processors[t->plan->edges[e].from].lanes;
    }
    return accounts;
}

static uint32_t bound_window(const struct data_options *options, uint64_t share, uint64_t max)
{
    uint64_t window = share < max ? share : max;

    return (uint32_t)(window > options->window_min_bytes ? window : options->window_min_bytes);
}

/*
 * A lane with few tasks counts as one with an even share: windows stay as they are when others move
 * to it. Through rings, where budget is left, they are larger: each time one is used up two threads
 * wait for each other, and the batches in it are memory that a busy lane keeps anyway. Over TCP the
 * kernel keeps what is on its way, and whoever has consumed half of one wakes the sender at his own
 * cost: few accounts have larger ones. Through shared memory likewise where two lanes are all there
 * is: with more, each has others to work for, and memory grows with all of them. A little less than
 * its ring holds, for a sender that now lacks credit and now room is woken for both.
 */
static void set_windows(struct topology *t, const struct data_options *options)
{
    uint64_t even = count_accounts(t, 0, true) / t->lane_count;
    bool is_pair = t->lane_count <= 2;

    for (uint32_t l = 0; l < t->lane_count; l++) {
        uint64_t accounts = count_accounts(t, l, false);
        uint64_t share = options->lane_budget_bytes;
        uint64_t max = options->window_max_bytes;
        uint64_t few;
        uint64_t host;

        accounts = accounts > even ? accounts : even;
        accounts = accounts > 0 ? accounts : 1;
        share /= accounts;
        few = accounts < TCP_WINDOWS ? TCP_WINDOWS / accounts : 1;
        t->lanes[l].window_bytes = bound_window(options, share, max);
        t->lanes[l].ring_window_bytes = bound_window(options, share, RING_WINDOWS * max);
        host = is_pair ? (few < RING_WINDOWS ? few : RING_WINDOWS) * max : max;
        t->lanes[l].host_window_bytes =
            bound_window(options, share, is_pair ? host - host / 16 : host);
        t->lanes[l].tcp_window_bytes = bound_window(options, share, few * max);
    }
}

static int build(struct topology *t, const struct placement *placement,
                 const struct placement_host *hosts, uint32_t host_count,
                 const struct data_options *options, const struct topology *before,
                 struct gp_error *err)
{
    const struct plan *plan = t->plan;
    int rc = number_lanes(t, placement, hosts, host_count, before, err);

    if (rc < 0) {
        return rc;
    }
    t->processors =
        (struct topology_processor *)calloc(plan->processor_count, sizeof(*t->processors));
    if (!t->processors) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the placement");
    }
    for (uint32_t p = 0; p < plan->processor_count; p++) {
        rc = processor_init(&t->processors[p], plan->processors[p].parallelism, t->lane_count);
        if (rc < 0) {
            return gp_error_set(err, rc, "no memory for the placement");
        }
    }
    for (uint32_t i = 0; i < placement->count; i++) {
        rc = place_range(t, &placement->ranges[i], err);
        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t p = 0; p < plan->processor_count; p++) {
        rc = group_by_lane(t, p, err);
        if (rc < 0) {
            return rc;
        }
    }
    set_windows(t, options);
    return 0;
}

int topology_new(const struct plan *plan, const struct placement *placement,
                 const struct placement_host *hosts, uint32_t host_count,
                 const struct data_options *options, const struct topology *before,
                 struct topology **ret, struct gp_error *err)
{
    struct topology *t = (struct topology *)calloc(1, sizeof(*t));
    int rc;

    if (!t) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the placement");
    }
    t->plan = plan;
    rc = build(t, placement, hosts, host_count, options, before, err);
    if (rc < 0) {
        topology_free(t);
        return rc;
    }
    *ret = t;
    return 0;
}

void topology_free(struct topology *t)
{
    if (!t) {
        return;
    }
    for (uint32_t p = 0; t->processors && p < t->plan->processor_count; p++) {
        free(t->processors[p].lane_of);
        free(t->processors[p].local_of);
        free(t->processors[p].session);
        free(t->processors[p].since);
        free(t->processors[p].is_leaving);
        free(t->processors[p].by_lane);
        free(t->processors[p].offset);
    }
    free(t->processors);
    free(t->lanes);
    free(t);
}
