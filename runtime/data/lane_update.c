/*
 * lane_update.c: a running lane takes over a new placement.
 *
 * It waits for the last marks of executors that go in order; what stands in front of them may wait
 * for the marks of others, but for nobody's who is dead. Then, in this order, within one turn and
 * between all callbacks of user code:
 *   1. neighbours that are no more are retired, while the old topology still says what was theirs;
 *   2. the new topology is the lane's;
 *   3. new neighbours are made, with their links in;
 *   4. stages look at their tasks and edges again: tasks that are elsewhere now are removed, their
 *      accounts closed until their lane is ready;
 *   5. own tasks whose session grew are restarted, those that have come are opened;
 *   6. when tasks move, all neighbours are told that this lane knows (move.h);
 *   7. new neighbours are dialled.
 * Nothing else is touched: tasks, rows, accounts and links that the update does not concern go on.
 *
 * Thread: the lane's. Failures: without memory the lane cannot keep its promises, so that is an
 * assertion, as elsewhere.
 */
#include <stdlib.h>

#include "base/log.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/move.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/stream_hub.h"
#include "data/task.h"
#include "data/unmanaged.h"

static bool is_shared(const struct lane *lane, const struct topology *t, uint32_t index)
{
    return index != lane->index && t->lanes[index].tasks > 0 && t->lanes[lane->index].tasks > 0;
}

static void forget(struct lane *lane, const struct neighbour *p)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < lane->other_count; i++) {
        if (lane->others[i] != p) {
            lane->others[kept++] = lane->others[i];
        }
    }
    lane->other_count = kept;
    lane->neighbours[p->index] = NULL;
}

static void retire_some(struct lane *lane, const struct topology *to)
{
    const struct topology *from = lane->topology;

    for (uint32_t i = 0; i < from->lane_count; i++) {
        struct neighbour *p = lane->neighbours[i];

        if (!p || p->kind != NEIGHBOUR_STREAM || to->lanes[i].executor == from->lanes[i].executor) {
            continue; /* also without tasks: what they sent may be on its way */
        }
        neighbour_retire(p);
        forget(lane, p);
        neighbour_stream_retire(p);
    }
}

static void *grow(void *table, uint32_t from, uint32_t to)
{
    void **grown = (void **)realloc(table, to * sizeof(void *));

    ASSERT(grown);
    memset(grown + from, 0, (to - from) * sizeof(void *));
    return grown;
}

static void grow_tables(struct lane *lane, uint32_t from, uint32_t to)
{
    if (to > from) {
        lane->neighbours = (struct neighbour **)grow(lane->neighbours, from, to);
        lane->others = (struct neighbour **)grow(lane->others, from, to);
        lane->rings = (struct neighbour **)grow(lane->rings, from, to);
    }
}

typedef void (*stage_fn)(struct stage *s, const void *arg);

static void for_each_stage(struct lane *lane, stage_fn fn, const void *arg)
{
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        if (lane->stages[p]) {
            fn(lane->stages[p], arg);
        }
    }
}

static void await_inlinks(struct stage *s, const void *arg)
{
    (void)arg;
    stage_await_inlinks(s);
}

static void rebuild(struct stage *s, const void *arg)
{
    ASSERT(stage_rebuild(s, (const struct topology *)arg) == 0);
}

static void add_neighbours(struct lane *lane, const struct lane_update *update)
{
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (!lane->neighbours[i] && is_shared(lane, lane->topology, i)) {
            ASSERT(lane_add_stream(lane, i, &update->places[i]) == 0);
        } else if (lane->neighbours[i]) {
            ASSERT(stage_add_inlinks(lane->neighbours[i]) == 0);
        }
    }
}

/* Empty bytes when there is none. */
static struct lane_state find_state(const struct lane_state *states, uint32_t count,
                                    uint32_t processor, uint32_t task)
{
    for (uint32_t i = 0; i < count; i++) {
        if (states[i].processor == processor && states[i].task == task) {
            return states[i];
        }
    }
    return (struct lane_state){0};
}

static void restart_some(struct stage *s, const void *arg)
{
    const struct lane_update *update = (const struct lane_update *)arg;

    for (uint32_t i = 0; i < s->task_count; i++) {
        struct task *t = s->tasks[i];
        uint64_t session = s->topology->session[t->api.index];
        struct lane_state state =
            find_state(update->states, update->state_count, s->processor, t->api.index);

        if (!s->topology->is_leaving[t->api.index]) {
            t->leaving = 0;
        }
        if (t->state == TASK_NEW && lane_phase(s->lane) != LANE_OPEN_FAILED) {
            task_arrive(t, &state);
        } else if (session > t->session) {
            task_restart(t, session, &state);
        }
    }
}

/* What they drew is by the placement before. */
static void end_runs(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (lane->neighbours[i]) {
            neighbour_end_run(lane->neighbours[i]);
        }
    }
}

static bool has_lane(const struct topology *t, const struct topology *from, uint32_t lane)
{
    return t->lanes[lane].executor == from->lanes[lane].executor;
}

/* An executor that all tasks have left may go when what they sent has come, up to its last mark;
 * one whose connection is down may be gone already. */
static bool may_update(const struct lane *lane, const struct lane_update *update)
{
    const struct topology *from = lane->topology;

    for (uint32_t i = 0; i < from->lane_count; i++) {
        const struct neighbour *p = lane->neighbours[i];

        if (p && p->kind == NEIGHBOUR_STREAM && from->lanes[i].tasks == 0 &&
            !has_lane(update->topology, from, i) && p->moved < lane->moves &&
            neighbour_stream_is_up(p)) {
            return false;
        }
    }
    return true;
}

/* It is dead by a placement that is still to come, and its mark with it: who waits for that would
 * never take that placement. But one that was emptied and goes in order still says its own. */
static bool is_mark_lost(const struct lane *lane, const struct lane_update *update, uint32_t i)
{
    const struct topology *from = lane->topology;
    const struct topology *newest = atomic_load(&((struct lane *)(uintptr_t)lane)->newest);
    const struct neighbour *p = lane->neighbours[i];
    const struct topology *latest = has_lane(update->topology, from, i) ? update->topology : from;

    return p && p->kind == NEIGHBOUR_STREAM && p->moved < lane->moves &&
           !has_lane(newest, from, i) && (latest->lanes[i].tasks > 0 || !neighbour_stream_is_up(p));
}

static bool any_mark_is_lost(const struct lane *lane, const struct lane_update *update)
{
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (is_mark_lost(lane, update, i)) {
            return true;
        }
    }
    return false;
}

static void give_up_marks(struct lane *lane, const struct lane_update *update)
{
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (is_mark_lost(lane, update, i)) {
            lane->neighbours[i]->moved = lane->moves;
        }
    }
    move_look(lane);
}

const struct lane_update *lane_due_update(const struct lane *lane)
{
    const struct lane_update *update = atomic_load(&((struct lane *)(uintptr_t)lane)->update);

    if (LIKELY(!update) || lane_phase(lane) == LANE_NEW) {
        return NULL;
    }
    return may_update(lane, update) || any_mark_is_lost(lane, update) ? update : NULL;
}

bool lane_take_update(struct lane *lane, const struct lane_update *update)
{
    const struct topology *before = lane->topology;

    if (!may_update(lane, update)) {
        give_up_marks(lane, update);
    }
    if (!may_update(lane, update)) {
        return false;
    }
    end_runs(lane);
    retire_some(lane, update->topology);
    lane->topology = update->topology;
    grow_tables(lane, before->lane_count, update->topology->lane_count);
    for_each_stage(lane, await_inlinks, NULL);
    move_begin(lane, update->moves);
    add_neighbours(lane, update);
    for_each_stage(lane, rebuild, before);
    unmanaged_rebuild(lane, before);
    large_finish_leaving(lane);
    for_each_stage(lane, restart_some, update);
    move_mark(lane);
    lane_look_at_end(lane);
    large_begin_adrift(lane);
    if (lane->hub) { /* not of a lane by itself */
        hub_begin(lane->hub);
    }
    move_look(lane);
    return true;
}

struct lane_state lane_env_state(const struct lane_env *env, uint32_t processor, uint32_t task)
{
    return find_state(env->states, env->state_count, processor, task);
}

bool lane_env_has_ended(const struct lane_env *env, uint32_t processor, uint32_t task)
{
    for (uint32_t i = 0; i < env->ended_count; i++) {
        const struct lane_tasks *r = &env->ended[i];

        if (r->processor == processor && task >= r->first && task - r->first < r->count) {
            return true;
        }
    }
    return false;
}
