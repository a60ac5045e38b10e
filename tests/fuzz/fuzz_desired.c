/*
 * What appmasters want of an executor, one after the other: executor.update messages as JSON, one
 * to a line, each built on those before if it says so, for a plan of two processors. What is taken
 * becomes the tables that lanes index without looking: every task is on one lane or parked, and
 * lists and positions agree.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "base/value.h"
#include "data/desired.h"
#include "data/limits.h"
#include "data/topology.h"
#include "data/wanted.h"
#include "edge/json.h"

#define UPDATES_MAX 8u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct plan_processor processors[] = {
    {.name = (char *)(uintptr_t) "source", .parallelism = 2, .is_source = 1, .outputs = 1},
    {.name = (char *)(uintptr_t) "sink", .parallelism = 5, .inputs = 1}};
static struct plan_edge edges[] = {{.from = 0, .to = 1, .partitioner = PLAN_HASH}};
static const struct plan plan = {.app_name = (char *)(uintptr_t) "fuzz",
                                 .processors = processors,
                                 .processor_count = 2,
                                 .edges = edges,
                                 .edge_count = 1};

static void check_processor(const struct topology *t, uint32_t processor)
{
    const struct topology_processor *p = &t->processors[processor];
    uint32_t parked = 0;
    uint32_t leaving = 0;

    ASSERT(p->tasks == processors[processor].parallelism);
    for (uint32_t i = 0; i < p->tasks; i++) {
        const uint32_t *there;
        uint32_t lane = p->lane_of[i];

        leaving += p->is_leaving[i];
        ASSERT(p->since[i] <= p->session[i]);
        if (lane == TOPOLOGY_PARKED) {
            parked++;
            continue;
        }
        ASSERT(lane < t->lane_count && t->lanes[lane].executor != 0);
        ASSERT(p->local_of[i] < topology_tasks_on(p, lane, &there));
        ASSERT(there[p->local_of[i]] == i);
    }
    ASSERT(p->parked == parked && p->leaving == leaving);
    ASSERT(p->offset[t->lane_count] == p->tasks - parked);
}

static void check_topology(const struct topology *t, const struct topology *before)
{
    ASSERT(t->lane_count <= LANES_MAX);
    for (uint32_t i = 0; i < t->lane_count; i++) {
        /* One that goes on keeps its number. */
        if (t->lanes[i].executor != 0 && before != NULL) {
            int was = topology_find_lane(before, t->lanes[i].executor, t->lanes[i].lane);

            ASSERT(was < 0 || was == (int)i);
        }
        ASSERT(t->lanes[i].window_bytes > 0);
    }
    for (uint32_t p = 0; p < plan.processor_count; p++) {
        check_processor(t, p);
    }
}

/* Takes the place of *t, if it is one; the next may build on it then. */
static void take(struct msg_executor_update *msg, struct wanted *wanted, struct topology **t)
{
    const struct data_options options = data_options_default();
    struct msg_executor_update all = *msg;
    struct topology *next = NULL;
    struct gp_error err = {0};
    struct wanted built;
    struct desired d = {0};

    if (!wanted_fits(wanted, msg)) {
        return;
    }
    if (wanted_build(wanted, msg, &built, &err) < 0) {
        ASSERT(err.text[0] != '\0');
        return;
    }
    all.placement = built.placement;
    all.placement_count = built.placement_count;
    all.executors = built.executors;
    all.executors_count = built.executors_count;
    if (desired_init_update(&d, &all, &plan, &err) == 0 &&
        topology_new(&plan, &d.placement, d.hosts, d.sibling_count, &options, *t, &next, &err) ==
            0) {
        check_topology(next, *t);
        topology_free(*t);
        *t = next;
        wanted_commit(wanted, &built, msg);
    } else {
        ASSERT(err.text[0] != '\0');
        wanted_forget(&built);
    }
    desired_deinit(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gp_str rest = {(const char *)data, size};
    struct topology *t = NULL;
    struct wanted wanted = {0};
    gp_str line;

    for (uint32_t i = 0; i < UPDATES_MAX && rest.len > 0; i++) {
        struct msg_executor_update msg;
        struct value *tree = NULL;

        if (!str_cut(rest, '\n', &line, &rest)) {
            line = rest;
            rest.len = 0;
        }
        if (edge_json_parse(line, &tree, NULL) < 0) {
            continue;
        }
        if (fields_decode(&msg_executor_update_fields, tree, &msg, NULL) == 0) {
            take(&msg, &wanted, &t);
            fields_deinit(&msg_executor_update_fields, &msg);
        }
        value_free(tree);
    }
    topology_free(t);
    wanted_deinit(&wanted);
    return 0;
}
