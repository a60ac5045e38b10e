/*
 * lane_new.c: a lane from its environment: stages, accounts, neighbours; and the way back.
 */
#include <stdlib.h>

#include "data/lane.h"
#include "data/large.h"
#include "data/move.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/unmanaged.h"

static bool hosts_tasks(const struct topology *t, uint32_t lane)
{
    return t->lanes[lane].tasks > 0;
}

/* place: how to reach it, in another process; NULL in this one. */
static int add_neighbour(struct lane *lane, uint32_t index, enum neighbour_kind kind,
                         const struct stream_place *place, struct neighbour **ret_neighbour)
{
    struct neighbour *p = neighbour_new(lane, index, kind);

    if (!p) {
        return GP_ENOMEM;
    }
    /* Its inlinks go by the windows that this decides. */
    if ((place && neighbour_stream_new(p, place) < 0) || stage_add_inlinks(p) < 0) {
        neighbour_free(p); /* its inlinks are the stages' */
        return GP_ENOMEM;
    }
    lane->neighbours[index] = p;
    if (kind != NEIGHBOUR_LOCAL) {
        lane->others[lane->other_count++] = p;
    }
    *ret_neighbour = p;
    return 0;
}

int lane_grow_scratch(struct lane *lane, uint32_t tasks)
{
    uint32_t *counts;
    uint32_t *touched;

    if (tasks <= lane->sort_cap) {
        return 0;
    }
    counts = (uint32_t *)calloc(tasks, sizeof(*counts)); /* all are zero between batches */
    touched = (uint32_t *)calloc(tasks, sizeof(*touched));
    if (!counts || !touched) {
        free(counts);
        free(touched);
        return GP_ENOMEM;
    }
    free(lane->sort_counts);
    free(lane->sort_touched);
    lane->sort_counts = counts;
    lane->sort_touched = touched;
    lane->sort_cap = tasks;
    return 0;
}

static int make_tables(struct lane *lane)
{
    const struct topology *t = lane->topology;
    uint32_t largest = 1;

    for (uint32_t p = 0; p < t->plan->processor_count; p++) {
        uint32_t count =
            t->processors[p].offset[lane->index + 1] - t->processors[p].offset[lane->index];

        lane->tasks_total += count;
        largest = count > largest ? count : largest;
    }
    lane->neighbours = (struct neighbour **)calloc(t->lane_count, sizeof(struct neighbour *));
    lane->others = (struct neighbour **)calloc(t->lane_count, sizeof(struct neighbour *));
    lane->rings = (struct neighbour **)calloc(t->lane_count, sizeof(struct neighbour *));
    lane->stages = (struct stage **)calloc(t->plan->processor_count, sizeof(struct stage *));
    lane->out_edges =
        (struct out_edge **)calloc(t->plan->edge_count + 1u, sizeof(struct out_edge *));
    lane->sort_locals = (uint32_t *)calloc(BATCH_ROWS_MAX, sizeof(uint32_t));
    lane->sort_offsets = (uint16_t *)calloc(BATCH_ROWS_MAX, sizeof(uint16_t));
    lane->gone = (struct neighbour){.lane = lane, .kind = NEIGHBOUR_GONE};
    lane->gone.inlinks = (struct inlink **)calloc(
        (size_t)t->plan->edge_count + t->plan->processor_count, sizeof(struct inlink *));
    return lane->neighbours && lane->others && lane->gone.inlinks && lane->rings && lane->stages &&
                   lane->out_edges && lane_grow_scratch(lane, largest) == 0 && lane->sort_locals &&
                   lane->sort_offsets
               ? 0
               : GP_ENOMEM;
}

static int build(struct lane *lane, struct gp_error *err)
{
    const struct topology *t = lane->topology;
    int rc = make_tables(lane);

    /* Of each processor, also of those without tasks here: some may come. */
    for (uint32_t p = 0; rc == 0 && p < t->plan->processor_count; p++) {
        rc = stage_new(lane, p, &lane->stages[p], err);
        if (rc < 0) {
            return rc;
        }
    }
    if (rc == 0) {
        rc = add_neighbour(lane, lane->index, NEIGHBOUR_LOCAL, NULL, &lane->self);
    }
    if (rc == 0) {
        neighbour_open_accounts(lane->self);
    }
    return rc == 0 ? 0 : gp_error_set(err, rc, "no memory for a lane");
}

int lane_new(const struct lane_env *env, uint32_t index, struct lane **ret, struct gp_error *err)
{
    struct lane *lane =
        (struct lane *)aligned_alloc(CACHE_LINE, ALIGN_UP(sizeof(*lane), (size_t)CACHE_LINE));
    int rc;

    if (!lane) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a lane");
    }
    memset(lane, 0, sizeof(*lane));
    lane->env = env;
    lane->options = env->options;
    lane->topology = env->topology;
    lane->moves = env->moves;
    lane->marked = env->moves;
    lane->aligned = env->moves;
    lane->index = index;
    measure_lane_init(lane);
    lane->small_max = env->options->batch_bytes - BATCH_FRAME_HEADER_SIZE - BATCH_ELEMENT_SIZE -
                      ROW_HEADER_SIZE - 8;
    list_init(&lane->large_out);
    list_init(&lane->runnable);
    list_init(&lane->dirty);
    list_init(&lane->in_changed);
    list_init(&lane->out_changed);
    batch_pool_init(&lane->pool, env->options->pool_warm_bytes / BATCH_BLOCK_SIZE,
                    env->options->pool_max_bytes / BATCH_BLOCK_SIZE);
    rc = build(lane, err);
    if (rc < 0) {
        lane_free(lane);
        return rc;
    }
    *ret = lane;
    return 0;
}

void lane_free(struct lane *lane)
{
    if (!lane) {
        return;
    }
    for (uint32_t i = 0; lane->neighbours && i < lane->topology->lane_count; i++) {
        if (lane->neighbours[i] && lane->neighbours[i]->kind == NEIGHBOUR_RING) {
            ring_free(lane->neighbours[i]->from); /* each side frees what it reads */
        }
        neighbour_free(lane->neighbours[i]);
    }
    while (lane->retired) {
        struct neighbour *next = lane->retired->next_retired;

        neighbour_free(lane->retired);
        lane->retired = next;
    }
    for (struct lane_moved *m = lane_take_moved(lane), *next; m; m = next) {
        next = m->next;
        lane_moved_free(m);
    }
    for (uint32_t i = 0; lane->gone.inlinks && i < lane->topology->plan->edge_count +
                                                       lane->topology->plan->processor_count;
         i++) {
        inlink_free(lane->gone.inlinks[i]);
    }
    for (uint32_t p = 0; lane->stages && p < lane->topology->plan->processor_count; p++) {
        stage_free(lane->stages[p]);
    }
    for (struct lane_failure *f = lane_take_failures(lane), *next; f; f = next) {
        next = f->next;
        free(f);
    }
    lane_news_free(lane_take_news(lane));
    large_deinit(lane);
    large_memory_deinit(lane);
    unmanaged_deinit(lane);
    inbox_deinit_pools(lane);
    batch_pool_deinit(&lane->pool);
    free(lane->gone.inlinks);
    free(lane->neighbours);
    free(lane->others);
    free(lane->rings);
    free(lane->stages);
    free(lane->out_edges);
    free(lane->sort_counts);
    free(lane->sort_touched);
    free(lane->sort_locals);
    free(lane->sort_offsets);
    fuse_free_lists(lane);
    free(lane->reserve_buf);
    free(lane);
}

int lane_add_stream(struct lane *lane, uint32_t index, const struct stream_place *place)
{
    struct neighbour *p;

    if (!hosts_tasks(lane->topology, lane->index) || !hosts_tasks(lane->topology, index)) {
        return 0;
    }
    return add_neighbour(lane, index, NEIGHBOUR_STREAM, place, &p);
}

static int connect_half(struct lane *lane, struct lane *other, struct ring *from, struct ring *to)
{
    struct neighbour *p;
    int rc = add_neighbour(lane, other->index, NEIGHBOUR_RING, NULL, &p);

    if (rc == 0) {
        p->from = from;
        p->to = to;
        p->other = other;
        lane->rings[lane->ring_count++] = p;
        neighbour_open_accounts(p);
    }
    return rc;
}

int lane_connect(struct lane *a, struct lane *b)
{
    struct ring *to_a;
    struct ring *to_b;

    to_a = ring_new();
    to_b = ring_new();
    if (!to_a || !to_b || connect_half(a, b, to_a, to_b) < 0) {
        ring_free(to_a);
        ring_free(to_b);
        return GP_ENOMEM;
    }
    if (connect_half(b, a, to_b, to_a) < 0) {
        ring_free(to_b); /* to_a is freed with lane a */
        return GP_ENOMEM;
    }
    return 0;
}
