/* rebalance_work.c: see rebalance_work.h. Members of a unit stand together, units of a class
 * too. */
#include "control/appmaster/rebalance_work.h"

#include <stdlib.h>

bool rebalance_keeps_state(const struct plan_processor *p, enum rebalance_why *ret_why)
{
    *ret_why = p->is_source ? REBALANCE_SOURCE : REBALANCE_STATE;
    return !p->has_snapshot && (p->is_source || (p->flags & GP_PROCESSOR_STATEFUL) != 0);
}

/* ---- where tasks are ---- */

static uint32_t host_of(const struct rebalance_work *w, uint32_t executor)
{
    for (uint32_t i = 0; i < w->hosts; i++) {
        if (w->wish->hosts[i].executor == executor) {
            return i;
        }
    }
    return REBALANCE_NONE;
}

static struct rebalance_where *where_of(const struct rebalance_work *w, uint32_t processor,
                                        uint32_t task)
{
    return &w->where[w->offset[processor] + task];
}

static bool has_task(const struct rebalance_work *w, uint32_t processor, uint32_t task)
{
    return processor < w->plan->processor_count &&
           task < w->plan->processors[processor].parallelism;
}

static void find_tasks(struct rebalance_work *w)
{
    const struct record *r = w->record;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *range = &r->ranges[i];
        struct rebalance_where at = {.host = host_of(w, range->executor), .lane = range->lane};
        for (uint32_t k = 0; k < range->count; k++) {
            *where_of(w, range->processor, range->first + k) = at;
        }
    }
    for (uint32_t i = 0; i < r->moves_count; i++) {
        const struct record_move *m = &r->moves[i];
        struct rebalance_where *at = where_of(w, m->processor, m->task);
        at->fixed = true;
        at->host = host_of(w, m->executor);
        at->lane = m->lane;
    }
    for (uint32_t i = 0; i < w->wish->stay_count; i++) {
        where_of(w, w->wish->stay[i].processor, w->wish->stay[i].task)->fixed = true;
    }
    for (uint32_t i = 0; i < r->ended_count; i++) {
        const struct msg_task_range *e = &r->ended[i];
        for (uint32_t k = 0; k < e->count && has_task(w, e->processor, e->first + k); k++) {
            where_of(w, e->processor, e->first + k)->ended = true;
        }
    }
}

/* ---- units ---- */

static uint32_t root_of(struct rebalance_work *w, uint32_t task)
{
    while (w->parent[task] != task) {
        w->parent[task] = w->parent[w->parent[task]];
        task = w->parent[task];
    }
    return task;
}

static void join_forward(struct rebalance_work *w)
{
    for (uint32_t i = 0; i < w->plan->edge_count; i++) {
        const struct plan_edge *e = &w->plan->edges[i];
        uint32_t tasks = w->plan->processors[e->from].parallelism;
        for (uint32_t k = 0; e->partitioner == PLAN_FORWARD && k < tasks; k++) {
            const struct rebalance_where *a = where_of(w, e->from, k);
            const struct rebalance_where *b = where_of(w, e->to, k);
            if (a->host != REBALANCE_NONE && a->host == b->host && a->lane == b->lane) {
                w->parent[root_of(w, w->offset[e->from] + k)] = root_of(w, w->offset[e->to] + k);
            }
        }
    }
}

static void describe_unit(const struct rebalance_work *w, struct rebalance_unit *u)
{
    const struct rebalance_where *first = where_of(w, u->members[0].processor, u->members[0].task);

    u->origin = first->host;
    u->host = first->host;
    u->lane = first->lane;
    u->keeps = REBALANCE_WHYS;
    for (uint32_t i = 0; i < u->size; i++) {
        const struct rebalance_where *at = where_of(w, u->members[i].processor, u->members[i].task);
        enum rebalance_why why;
        u->fixed = u->fixed || at->fixed || at->host == REBALANCE_NONE;
        if (!at->ended &&
            rebalance_keeps_state(&w->plan->processors[u->members[i].processor], &why)) {
            u->keeps = why;
        }
    }
}

/* Members of a unit stand together, ascending, as a counting sort by root leaves them. */
static void make_units(struct rebalance_work *w)
{
    uint32_t at = 0;

    for (uint32_t i = 0; i < w->task_count; i++) {
        w->start[root_of(w, i)]++;
    }
    for (uint32_t i = 0; i < w->task_count; i++) {
        uint32_t size = w->start[i];
        w->start[i] = at;
        if (size > 0) {
            w->units[w->unit_count++] = (struct rebalance_unit){
                .members = &w->member[at], .size = size, .origin = REBALANCE_NONE};
        }
        at += size;
    }
    for (uint32_t p = 0; p < w->plan->processor_count; p++) {
        for (uint32_t t = 0; t < w->plan->processors[p].parallelism; t++) {
            uint32_t root = root_of(w, w->offset[p] + t);
            w->member[w->start[root]++] = (struct rebalance_member){p, t};
        }
    }
    for (uint32_t i = 0; i < w->unit_count; i++) {
        describe_unit(w, &w->units[i]);
    }
}

/* ---- classes ---- */

static int compare_processors(const struct rebalance_unit *a, const struct rebalance_unit *b)
{
    for (uint32_t i = 0; i < a->size && i < b->size; i++) {
        if (a->members[i].processor != b->members[i].processor) {
            return a->members[i].processor < b->members[i].processor ? -1 : 1;
        }
    }
    return (a->size > b->size) - (a->size < b->size);
}

static int compare_units(const void *x, const void *y)
{
    const struct rebalance_unit *a = x;
    const struct rebalance_unit *b = y;
    int by_class = compare_processors(a, b);

    return by_class ? by_class
                    : (a->members->task > b->members->task) - (a->members->task < b->members->task);
}

static uint32_t kind_of(const struct rebalance_work *w, const struct rebalance_unit *u)
{
    bool any_lane = false;

    for (uint32_t h = 0; h < w->hosts; h++) {
        any_lane = any_lane || (w->wish->hosts[h].blocking > 0 && !w->wish->hosts[h].leave);
    }
    for (uint32_t i = 0; i < u->size; i++) {
        if (w->plan->processors[u->members[i].processor].flags & GP_PROCESSOR_BLOCKING) {
            return any_lane;
        }
    }
    return 0;
}

static void make_classes(struct rebalance_work *w)
{
    qsort(w->units, w->unit_count, sizeof *w->units, compare_units);
    for (uint32_t i = 0; i < w->unit_count; i++) {
        struct rebalance_unit *u = &w->units[i];
        if (i == 0 || compare_processors(&u[-1], u) != 0) {
            w->classes[w->class_count++] =
                (struct rebalance_class){.first = i, .size = u->size, .kind = kind_of(w, u)};
        }
        u->class = w->class_count - 1;
        w->classes[u->class].count++;
    }
}

/* ---- life ---- */

void rebalance_work_deinit(struct rebalance_work *w)
{
    free(w->offset);
    free(w->where);
    free(w->parent);
    free(w->start);
    free(w->member);
    free(w->units);
    free(w->classes);
    free(w->count);
    free(w->free);
    free(w->total);
    free(w->worth);
    free(w->tasks);
    free(w->row);
    free(w->lane_sum);
    free(w->lane_row);
    free(w->refused);
}

static int alloc(struct rebalance_work *w)
{
    size_t lanes = (size_t)w->hosts * MSG_LANES_MAX;

    w->task_count = plan_task_count(w->plan);
    w->offset = calloc(w->plan->processor_count, sizeof *w->offset);
    w->where = calloc(w->task_count, sizeof *w->where);
    w->parent = calloc(w->task_count, sizeof *w->parent);
    w->start = calloc(w->task_count, sizeof *w->start);
    w->member = calloc(w->task_count, sizeof *w->member);
    w->units = calloc(w->task_count, sizeof *w->units);
    w->classes = calloc(w->task_count, sizeof *w->classes);
    w->total = calloc(2 * (size_t)w->hosts, sizeof *w->total);
    w->worth = calloc(2 * (size_t)w->hosts, sizeof *w->worth);
    w->tasks = calloc(w->hosts, sizeof *w->tasks);
    w->row = calloc(w->hosts, sizeof *w->row);
    w->lane_sum = calloc(lanes, sizeof *w->lane_sum);
    w->lane_row = calloc(lanes, sizeof *w->lane_row);
    w->refused = calloc(w->plan->processor_count, REBALANCE_WHYS * sizeof *w->refused);
    if (!w->offset || !w->where || !w->parent || !w->start || !w->member || !w->units ||
        !w->classes || !w->total || !w->worth || !w->tasks || !w->row || !w->lane_sum ||
        !w->lane_row || !w->refused) {
        return GP_ENOMEM;
    }
    for (uint32_t p = 0, at = 0; p < w->plan->processor_count; p++) {
        w->offset[p] = at;
        at += w->plan->processors[p].parallelism;
    }
    for (uint32_t i = 0; i < w->task_count; i++) {
        w->parent[i] = i;
        w->where[i].host = REBALANCE_NONE;
    }
    return 0;
}

/* Needs to know how many classes there are. */
static int alloc_counts(struct rebalance_work *w)
{
    size_t size = (size_t)w->class_count * w->hosts;

    w->count = calloc(size, sizeof *w->count);
    w->free = calloc(size, sizeof *w->free);
    return w->count && w->free ? 0 : GP_ENOMEM;
}

int rebalance_work_init(struct rebalance_work *w, const struct plan *plan,
                        const struct record *record, const struct rebalance_wish *wish)
{
    int rc;

    *w = (struct rebalance_work){
        .plan = plan, .record = record, .wish = wish, .hosts = wish->host_count};
    rc = alloc(w);
    if (rc < 0) {
        return rc;
    }
    find_tasks(w);
    join_forward(w);
    make_units(w);
    make_classes(w);
    return alloc_counts(w);
}
