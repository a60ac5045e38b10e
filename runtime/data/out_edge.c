/*
 * out_edge.c: making the sending side of an edge, and its credit coming back.
 */
#include <stdlib.h>

#include "data/cursor.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

/* Closed: they are opened with the neighbours they lead to. */
static int make_accounts(struct out_edge *e)
{
    e->credit = (int32_t *)calloc(e->targets, sizeof(*e->credit));
    e->exhausted = e->targets;
    for (uint32_t i = 0; e->credit && i < e->targets; i++) {
        e->credit[i] = -out_edge_held(e, i);
    }
    return e->credit ? 0 : GP_ENOMEM;
}

static int list_lanes(struct out_edge *e, const struct topology *topology)
{
    uint32_t *lanes = (uint32_t *)malloc((e->to->lanes + 1u) * sizeof(*e->lanes));
    uint8_t *single = (uint8_t *)calloc(topology->lane_count, 1);

    if (!lanes || !single) {
        free(lanes);
        free(single);
        return GP_ENOMEM;
    }
    free(e->lanes);
    free(e->single);
    e->lanes = lanes;
    e->single = single;
    e->lane_count = 0;
    for (uint32_t l = 0; l < topology->lane_count; l++) {
        uint32_t tasks = e->to->offset[l + 1] - e->to->offset[l];

        if (tasks > 0) {
            e->lanes[e->lane_count++] = l;
        }
        e->single[l] = tasks == 1;
    }
    return 0;
}

/* The targets on lanes that pass, in order; none: NULL. */
static int choose(struct out_edge *e, const struct topology *topology, uint32_t self,
                  bool whole_executor)
{
    e->choice = (uint32_t *)malloc(e->targets * sizeof(*e->choice));
    if (!e->choice) {
        return GP_ENOMEM;
    }
    e->choice_count = 0;
    for (uint32_t i = 0; i < e->targets; i++) {
        uint32_t lane = e->lane_of[i];

        if (lane == TOPOLOGY_PARKED) {
            continue;
        }
        if (whole_executor ? topology->lanes[lane].executor == topology->lanes[self].executor
                           : lane == self) {
            e->choice[e->choice_count++] = i;
        }
    }
    return 0;
}

static int choose_local(struct out_edge *e, const struct topology *topology, uint32_t self)
{
    int rc;

    free(e->choice);
    rc = choose(e, topology, self, false);

    if (rc == 0 && e->choice_count == 0) {
        free(e->choice);
        rc = choose(e, topology, self, true);
    }
    if (rc == 0 && e->choice_count == 0) {
        free(e->choice);
        e->choice = NULL;
        e->choice_count = e->targets;
    }
    return rc;
}

static int open_partitioner(struct out_edge *e, struct lane *lane, struct gp_error *err)
{
    const struct plan_edge *plan = &lane->topology->plan->edges[e->edge];
    const struct gp_partitioner *table =
        lane->env->partitioners ? lane->env->partitioners[e->edge] : NULL;

    if (!table || table->size < sizeof(*table) || !table->route) {
        return gp_error_set(err, GP_EINVAL, "no code was loaded for the partitioner %s",
                            plan->custom);
    }
    if (table->open &&
        table->open(lane->env->partitioner_config, e->targets, &e->partitioner_self) != GP_OK) {
        return gp_error_set(err, GP_EUSER, "the partitioner %s did not open", plan->custom);
    }
    e->partitioner = table;
    return 0;
}

int out_edge_init(struct out_edge *e, struct stage *stage, uint32_t edge, struct gp_error *err)
{
    const struct topology *topology = stage->lane->topology;
    int rc;

    e->edge = edge;
    e->stage = stage;
    e->kind = topology->plan->edges[edge].partitioner;
    e->to = &topology->processors[topology->plan->edges[edge].to];
    e->targets = e->to->tasks;
    e->lane_of = e->to->lane_of;
    e->choice_count = e->targets;
    e->neighbours = stage->lane->neighbours;
    e->hash_seed = topology->plan->hash_seed;
    rc = make_accounts(e);
    if (rc == 0) {
        rc = list_lanes(e, topology);
    }
    if (rc == 0 && e->kind == PLAN_LOCAL) {
        rc = choose_local(e, topology, stage->lane->index);
    }
    if (rc < 0) {
        return gp_error_set(err, rc, "no memory for the edges of %s", stage->name);
    }
    return e->kind == PLAN_CUSTOM ? open_partitioner(e, stage->lane, err) : 0;
}

void out_edge_deinit(struct out_edge *e)
{
    if (e->partitioner && e->partitioner->close) {
        e->partitioner->close(e->partitioner_self);
    }
    free(e->credit);
    free(e->lanes);
    free(e->single);
    free(e->choice);
}

void output_init(struct output *o, struct out_edge *e, struct task *t)
{
    *o = (struct output){.edge = e,
                         .token = OUTPUT_STALE,
                         .own = ++t->stage->lane->next_token,
                         .neighbour = &t->stage->lane->nobody,
                         .next = t->api.index % e->choice_count};
    cursor_init(&o->cursor, t, t->stage->lane->topology->plan->edges[e->edge].from_port);
}

void out_edge_draw(struct out_edge *e, uint32_t lane, uint32_t dst, uint32_t bytes)
{
    const uint32_t *tasks;
    uint32_t count;

    if (dst != BATCH_DST_ALL) {
        out_edge_draw_row(e, dst, bytes);
        return;
    }
    count = topology_tasks_on(e->to, lane, &tasks);
    for (uint32_t i = 0; i < count; i++) {
        out_edge_draw_row(e, tasks[i], bytes);
    }
}

void out_edge_refill(struct out_edge *e, uint32_t dst, uint32_t bytes)
{
    bool was_exhausted = e->credit[dst] <= 0;

    e->credit[dst] += (int32_t)bytes;
    if (!was_exhausted || e->credit[dst] <= 0) {
        return;
    }
    e->exhausted--;
    if (e->kind == PLAN_FORWARD) {
        if (e->stage->topology->lane_of[dst] == e->stage->lane->index &&
            e->stage->topology->local_of[dst] < e->stage->task_count) {
            task_unblock(e->stage->tasks[e->stage->topology->local_of[dst]]);
        }
    } else if (!list_is_empty(&e->stage->blocked)) {
        stage_unblock(e->stage);
    }
}

void out_edge_close(struct out_edge *e, uint32_t dst)
{
    e->exhausted += e->credit[dst] > 0;
    e->credit[dst] = -out_edge_held(e, dst);
}

/* What is for a task that moves waits here, whatever it has consumed; or goes on. */
static void hold(struct out_edge *e, uint32_t dst, bool held)
{
    if (held) {
        e->exhausted += e->credit[dst] > 0;
        e->credit[dst] -= OUT_EDGE_HOLD;
    } else {
        out_edge_refill(e, dst, OUT_EDGE_HOLD);
    }
}

/* Whether its lane hosts targets that it did not host before. */
static bool listens_new(const struct out_edge *e, const struct topology *before, uint32_t to)
{
    for (uint32_t l = 0; l < e->lane_count; l++) {
        if (topology_has_come(e->stage->lane->topology, before, to, e->lanes[l])) {
            return true;
        }
    }
    return false;
}

int out_edge_rebuild(struct out_edge *e, const struct topology *before)
{
    const struct lane *lane = e->stage->lane;
    const uint32_t to = lane->topology->plan->edges[e->edge].to;
    const uint16_t *was = before->processors[to].lane_of;
    const uint8_t *was_leaving = before->processors[to].is_leaving;
    int rc;

    e->to = &lane->topology->processors[to];
    e->lane_of = e->to->lane_of;
    e->neighbours = lane->neighbours;
    for (uint32_t i = 0; i < e->targets; i++) {
        const struct neighbour *p =
            e->lane_of[i] == TOPOLOGY_PARKED ? NULL : lane->neighbours[e->lane_of[i]];

        if (e->lane_of[i] == was[i]) {
            /* As it was, or closed with the lane that had this number. */
            if (e->to->is_leaving[i] != was_leaving[i]) {
                hold(e, i, e->to->is_leaving[i]);
            }
            continue;
        }
        out_edge_close(e, i);
        if (p && p->ready) {
            out_edge_refill(e, i, p->window_out);
        }
        if (p && e->large_count > 0) {
            large_follow(e, i, was[i] == TOPOLOGY_PARKED ? NULL : lane->neighbours[was[i]]);
        }
    }
    rc = list_lanes(e, lane->topology);
    if (rc == 0 && e->kind == PLAN_LOCAL) {
        rc = choose_local(e, lane->topology, lane->index);
    }
    e->listens_new = listens_new(e, before, to);
    return rc;
}
