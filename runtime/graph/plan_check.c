/*
 * plan_check.c: what must hold of a plan, wherever it came from.
 *
 * Indices are checked first and on their own: every later check follows them. Then names, counts
 * and edges; at last the shape: no cycle, every processor fed from a source. All mistakes are
 * listed, not just the first.
 */
#include "graph/plan_check.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "graph/place.h"

static int name_is_valid(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len == 0 || len > GP_NAME_MAX_BYTES) {
        return 0;
    }
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0) ||
              c == '_')) {
            return 0;
        }
    }
    return 1;
}

/* Counts and indices: with these right, nothing below can read out of bounds. */
static void check_indices(const struct plan *plan, struct mistakes *m)
{
    if (plan->version != PLAN_VERSION) {
        mistakes_add(m, "plan version %u is not %u", plan->version, PLAN_VERSION);
    }
    if (plan->processor_count == 0 && m->count == 0) { /* else it follows from what is known */
        mistakes_add(m, "the graph has no processors");
    }
    if (plan->plugin_count == 0 || plan->plugin_count > PLAN_PLUGINS_MAX) {
        mistakes_add(m, "%u plugins; 1 to %u are possible", plan->plugin_count, PLAN_PLUGINS_MAX);
    }
    if (plan->processor_count > PLAN_PROCESSORS_MAX) {
        mistakes_add(m, "%u processors; at most %u are possible", plan->processor_count,
                     PLAN_PROCESSORS_MAX);
    }
    if (plan->edge_count > PLAN_EDGES_MAX) {
        mistakes_add(m, "%u edges; at most %u are possible", plan->edge_count, PLAN_EDGES_MAX);
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (plan->processors[i].plugin >= plan->plugin_count) {
            mistakes_add(m, "processor %u names plugin %u of %u", i, plan->processors[i].plugin,
                         plan->plugin_count);
        }
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct plan_edge *edge = &plan->edges[i];
        if (edge->from >= plan->processor_count || edge->to >= plan->processor_count) {
            mistakes_add(m, "edge %u joins processors %u and %u of %u", i, edge->from, edge->to,
                         plan->processor_count);
        }
        if (edge->partitioner > PLAN_CUSTOM ||
            (edge->partitioner == PLAN_CUSTOM &&
             (!edge->custom || edge->custom_plugin >= plan->plugin_count))) {
            mistakes_add(m, "edge %u has no valid partitioner", i);
        }
    }
}

static void check_processor(const struct plan *plan, uint32_t index, struct mistakes *m)
{
    const struct plan_processor *p = &plan->processors[index];

    if (!name_is_valid(p->name)) {
        mistakes_add(m, "processor name '%s' is not 1 to %u of a-z 0-9 _ -", p->name ? p->name : "",
                     GP_NAME_MAX_BYTES);
        return;
    }
    for (uint32_t i = 0; i < index; i++) {
        if (plan->processors[i].name && strcmp(plan->processors[i].name, p->name) == 0) {
            mistakes_add(m, "two processors are named '%s'", p->name);
        }
    }
    if (p->parallelism == 0 || p->parallelism > GP_PARALLELISM_MAX) {
        mistakes_add(m, "processor '%s': parallelism %u is not in 1..%u", p->name, p->parallelism,
                     GP_PARALLELISM_MAX);
    }
    if (!p->type || !*p->type) {
        mistakes_add(m, "processor '%s' has no type", p->name);
    }
    if (!place_is_valid(gp_str_of(plan_place(p)))) {
        mistakes_add(m, "processor '%s': place '%s' is not worker:NAME or label:KEY=VALUE", p->name,
                     plan_place(p));
    }
    if (p->inputs > PLAN_PORTS_MAX || p->outputs > PLAN_PORTS_MAX) {
        mistakes_add(m, "processor '%s': ports go from 0 to %u", p->name, PLAN_PORTS_MAX - 1);
    }
    if (p->is_source && p->inputs > 0) {
        mistakes_add(m, "source '%s' has an input: sources have none", p->name);
    }
    if (!p->is_source && p->inputs == 0) {
        mistakes_add(m, "processor '%s' gets no input: connect something to it", p->name);
    }
}

static void check_edge(const struct plan *plan, uint32_t index, struct mistakes *m)
{
    const struct plan_edge *e = &plan->edges[index];
    const struct plan_processor *from = &plan->processors[e->from];
    const struct plan_processor *to = &plan->processors[e->to];

    if (e->from_port >= from->outputs || e->to_port >= to->inputs) {
        mistakes_add(m, "edge '%s' -> '%s' uses a port that is not there", from->name, to->name);
    }
    for (uint32_t i = 0; i < index; i++) {
        const struct plan_edge *other = &plan->edges[i];
        if (other->from == e->from && other->to == e->to && other->from_port == e->from_port &&
            other->to_port == e->to_port) {
            mistakes_add(m, "'%s' port %u is connected to '%s' port %u twice", from->name,
                         e->from_port, to->name, e->to_port);
        }
    }
    if (e->partitioner == PLAN_FORWARD && from->parallelism != to->parallelism) {
        mistakes_add(m, "forward edge '%s' -> '%s': parallelism differs (%u and %u)", from->name,
                     to->name, from->parallelism, to->parallelism);
    }
}

/* Kahn's algorithm: whatever cannot be taken once its inputs are taken is on a cycle or behind
 * one. */
static void check_cycles(const struct plan *plan, struct mistakes *m)
{
    uint32_t waiting[PLAN_PROCESSORS_MAX] = {0};
    uint32_t ready[PLAN_PROCESSORS_MAX];
    uint32_t ready_count = 0;
    uint32_t taken = 0;

    for (uint32_t i = 0; i < plan->edge_count; i++) {
        waiting[plan->edges[i].to]++;
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (waiting[i] == 0) {
            ready[ready_count++] = i;
        }
    }
    while (taken < ready_count) {
        uint32_t p = ready[taken++];
        for (uint32_t i = 0; i < plan->edge_count; i++) {
            if (plan->edges[i].from == p && --waiting[plan->edges[i].to] == 0) {
                ready[ready_count++] = plan->edges[i].to;
            }
        }
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (waiting[i] > 0) {
            mistakes_add(m, "processor '%s' is on a cycle, or behind one: graphs must be acyclic",
                         plan->processors[i].name);
        }
    }
}

void plan_check_into(const struct plan *plan, struct mistakes *m)
{
    uint32_t before = m->count;
    uint64_t tasks = 0;

    check_indices(plan, m);
    if (m->count > before) {
        return;
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        check_processor(plan, i, m);
        tasks += plan->processors[i].parallelism;
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        check_edge(plan, i, m);
    }
    check_cycles(plan, m);
    if (tasks > PLAN_TASKS_MAX) {
        mistakes_add(m, "%llu tasks in all; at most %u are possible", (unsigned long long)tasks,
                     PLAN_TASKS_MAX);
    }
}

int plan_check(const struct plan *plan, struct gp_error *err)
{
    struct mistakes m = {0};
    int rc;

    plan_check_into(plan, &m);
    rc = mistakes_report(&m, PLAN_CHECK_TITLE, err);
    mistakes_deinit(&m);
    return rc;
}
