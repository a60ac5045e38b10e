/*
 * trial_balance.c: nothing is lost on the way: when a job has ended, the credit of each account is
 * whole (what the sender may send, plus what the receiver owes), every batch is in its pool, and no
 * inbox holds anything. For simulated worlds, where nobody else touches the lanes meanwhile.
 */
#include <stdio.h>

#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "trial.h"

static struct lane *lane_of(const struct rig *rig, uint32_t index)
{
    return rig_lane(rig, index / rig->lanes, index % rig->lanes);
}

static void check_edge(struct rig *rig, const struct lane *from, const struct out_edge *e)
{
    for (uint32_t dst = 0; dst < e->targets; dst++) {
        const struct lane *to = lane_of(rig, e->lane_of[dst]);
        const struct neighbour *back = to->neighbours[from->index];
        const struct inlink *link = back ? back->inlinks[e->edge] : NULL; /* none: never sent */
        uint32_t owed = link && link->owed ? link->owed[link->stage->topology->local_of[dst]] : 0;
        int64_t window = from->neighbours[to->index] ? from->neighbours[to->index]->window_out : 0;

        if (e->credit[dst] + (int64_t)owed != window) {
            trial_broke(rig->user,
                        "edge %u from lane %u to task %u: %d bytes of credit and %u owed are not "
                        "the %lld of the window",
                        e->edge, from->index, dst, e->credit[dst], owed, (long long)window);
            return;
        }
    }
}

/* What a link has taken is what it owes, once all is consumed. */
static void check_inlink(struct rig *rig, const struct inlink *link)
{
    int64_t owed = 0;

    for (uint32_t i = 0; link->owed && i < link->stage->task_count; i++) {
        owed += link->owed[i];
    }
    if (link->taken != owed) {
        trial_broke(rig->user, "edge %u: a link has taken %lld bytes and owes %lld", link->edge,
                    (long long)link->taken, (long long)owed);
    }
}

static void check_lane(struct rig *rig, const struct lane *lane)
{
    if (counter_get(&lane->stats.overdrawn) > 0) {
        trial_broke(rig->user, "lane %u: somebody sent more than its credit", lane->index);
    }
    if (lane->pool.free_count != lane->pool.count || lane->held_batches != 0) {
        trial_broke(rig->user, "lane %u: %u of %u batches are at home, %u of others are held",
                    lane->index, lane->pool.free_count, lane->pool.count, lane->held_batches);
    }
    if (!list_is_empty(&lane->large_out) || lane->large_bytes != 0) {
        trial_broke(rig->user, "lane %u: large messages are still to be sent", lane->index);
    }
    if (!list_is_empty(&lane->runnable) || lane->blocked_count != 0) {
        trial_broke(rig->user, "lane %u: tasks are still waiting", lane->index);
    }
    for (uint32_t p = 0; p < rig->processor_count; p++) {
        const struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            if (s->tasks[i]->in_head || s->tasks[i]->state != TASK_CLOSED) {
                trial_broke(rig->user, "processor %u task %u holds something", p, i);
            }
        }
        for (uint32_t i = 0; s && i < s->inlink_count; i++) {
            check_inlink(rig, s->inlinks[i]);
        }
        if (s && s->large_reserved > 0) {
            trial_broke(rig->user, "processor %u reserves room for nobody", p);
        }
        if (s && counter_get(&s->late) > 0) {
            trial_broke(rig->user, "processor %u counts late rows", p);
        }
        if (s && counter_get(&s->running) > 0) {
            trial_broke(rig->user, "processor %u counts running tasks", p);
        }
    }
    for (uint32_t e = 0; e < rig->edge_count; e++) {
        if (lane->out_edges[e]) {
            check_edge(rig, lane, lane->out_edges[e]);
        }
    }
}

/* Where a job hangs. */
static void show_lane(const struct rig *rig, const struct lane *lane)
{
    fprintf(stderr, "lane %u: %u of %u tasks closed, %u blocked%s%s, pool %u of %u free, held %u\n",
            lane->index, lane->tasks_closed, lane->tasks_total, lane->blocked_count,
            lane->pool_waits ? ", pool waits" : "", lane->holds_partial ? ", holds partial" : "",
            lane->pool.free_count, lane->pool.count, lane->held_batches);
    fprintf(stderr, "  moves %llu%s, self %llu\n", (unsigned long long)lane->moves,
            lane->aligning ? ", aligning" : "", (unsigned long long)lane->self->moved);
    for (uint32_t i = 0; i < lane->other_count; i++) {
        const struct neighbour *p = lane->others[i];

        fprintf(stderr, "  to %u: %u in flight%s%s, %u credits untold, moved %llu%s\n", p->index,
                p->in_flight, p->queue_head ? ", queued" : "", p->open ? ", open" : "",
                p->credit_count, (unsigned long long)p->moved, p->held_head ? ", held" : "");
    }
    for (uint32_t p = 0; p < rig->processor_count; p++) {
        const struct stage *s = lane->stages[p];
        uint32_t full = 0;
        uint32_t waiting = 0;
        uint32_t blocked = 0;

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            full += s->tasks[i]->in_head != NULL;
            waiting += s->tasks[i]->waiting;
            blocked += s->tasks[i]->place == TASK_BLOCKED;
        }
        if (s) {
            fprintf(stderr,
                    "  p%u: %u tasks, %u ended, %u with input, %u blocked, %u await tokens;", p,
                    s->task_count, s->ended, full, blocked, waiting);
        }
        for (uint32_t i = 0; s && i < s->out_count; i++) {
            fprintf(stderr, " edge %u: %u of %u exhausted", s->out_edges[i].edge,
                    s->out_edges[i].exhausted, s->out_edges[i].targets);
        }
        for (uint32_t i = 0; s && s->ended < s->task_count && i < s->inlink_count; i++) {
            const struct inlink *link = s->inlinks[i];

            fprintf(stderr, "\n      edge %u from %u:%s%s%s", link->edge, link->neighbour->index,
                    link->ended ? " ended" : "", link->vacant ? " vacant" : "",
                    link->awaits ? " awaits" : "");
        }
        if (s) {
            fprintf(stderr, " %u of %u inlinks ended%s\n", s->inlink_ended, s->inlink_max,
                    s->in_parked ? ", parked" : "");
        }
    }
}

void trial_check_balance(struct rig *rig)
{
    if (rig->failed > 0) {
        return;
    }
    if (rig->ended < rig->executors) {
        for (uint32_t i = 0; i < rig->executors * rig->lanes; i++) {
            show_lane(rig, lane_of(rig, i));
        }
        return;
    }
    rig_wake_all(rig);
    for (uint32_t i = 0; i < rig->executors * rig->lanes; i++) {
        check_lane(rig, lane_of(rig, i));
    }
}
