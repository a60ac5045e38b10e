/*
 * attack_end.c: what must be true of an attacked job in the end:
 *   - it has ended everywhere: nobody waits for what will not come;
 *   - where all processes lived, what was sent is what was received and what lanes count as lost;
 *   - credit of every account is whole, every batch at home, every inbox empty.
 */
#include <stdarg.h>
#include <stdio.h>

#include "attack.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

void attack_broke(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->broken) {
        return;
    }
    run->broken = true;
    va_start(args, format);
    (void)vsnprintf(run->text, sizeof(run->text), format, args);
    va_end(args);
}

bool attack_has_ended(struct rig *rig)
{
    const struct run *run = rig->user;

    for (uint32_t i = 0; i < rig->executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < rig->lanes; l++) {
            if (lane_phase(rig_lane(rig, i, l)) < LANE_ENDED) {
                return false;
            }
        }
    }
    return true;
}

static struct lane *find_lane(struct run *run, const struct topology_lane *at)
{
    return rig_lane(&run->rig, at->executor - 1, at->lane);
}

static void check_account(struct run *run, const struct lane *from, const struct out_edge *e,
                          uint32_t dst)
{
    const struct topology_lane *me = &from->topology->lanes[from->index];
    const struct lane *to = find_lane(run, &from->topology->lanes[e->lane_of[dst]]);
    int back = topology_find_lane(to->topology, me->executor, me->lane);
    const struct inlink *link =
        back < 0 || !to->neighbours[back] ? NULL : to->neighbours[back]->inlinks[e->edge];
    uint32_t owed;

    if (e->stage->task_count == 0) {
        return; /* it never sent */
    }
    if (!link) {
        attack_broke(run, "a lane does not know who sends to it");
        return;
    }
    owed = link->owed ? link->owed[link->stage->topology->local_of[dst]] : 0;
    if (e->credit[dst] + (int64_t)owed != from->neighbours[e->lane_of[dst]]->window_out) {
        attack_broke(run, "edge %u to task %u: %d of credit and %u owed are not the window of %u",
                     e->edge, dst, e->credit[dst], owed,
                     from->neighbours[e->lane_of[dst]]->window_out);
    }
}

static void check_lane(struct run *run, const struct lane *lane)
{
    if (lane->pool.free_count != lane->pool.count || lane->held_batches != 0 || lane->retired) {
        attack_broke(run, "batches are not at home");
    }
    if (!list_is_empty(&lane->large_out) || lane->large_bytes != 0 || lane->blocked_count != 0 ||
        !list_is_empty(&lane->runnable) || lane->thin_parcels != 0) {
        attack_broke(run, "a lane still has something to do");
    }
    for (uint32_t p = 0; p < STAGES; p++) {
        const struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            if (s->tasks[i]->in_head || s->tasks[i]->state != TASK_CLOSED) {
                attack_broke(run, "a task holds something");
            }
        }
        if (s && (s->large_reserved > 0 || counter_get(&s->running) > 0)) {
            attack_broke(run, "a stage reserves room or counts running tasks");
        }
    }
    if (counter_get(&lane->stats.tasks_failed) != 0) {
        attack_broke(run, "a lane counts failed tasks");
    }
    for (uint32_t e = 0; e < EDGES; e++) {
        const struct out_edge *edge = lane->out_edges[e];

        for (uint32_t dst = 0; edge && dst < edge->targets; dst++) {
            check_account(run, lane, edge, dst);
        }
    }
}

static void show(struct run *run)
{
    for (uint32_t i = 0; i < run->rig.executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < run->rig.lanes; l++) {
            const struct lane *lane = rig_lane(&run->rig, i, l);

            fprintf(stderr, "executor %u lane %u: phase %u gen %llu, %u of %u ended, %u blocked\n",
                    i + 1, l, lane_phase(lane), (unsigned long long)lane->generation,
                    lane->tasks_closed, lane->tasks_total, lane->blocked_count);
            for (uint32_t k = 0; k < lane->other_count; k++) {
                fprintf(stderr, "   to executor %u lane %u: %s%s\n",
                        lane->topology->lanes[lane->others[k]->index].executor,
                        lane->topology->lanes[lane->others[k]->index].lane,
                        lane->others[k]->ready ? "ready" : "not ready",
                        lane->others[k]->failed ? " failed" : "");
            }
            for (uint32_t p = 0; p < STAGES; p++) {
                const struct stage *s = lane->stages[p];

                if (!s) {
                    continue;
                }
                fprintf(stderr, "   p%u: %u/%u inlinks ended%s;", p, s->inlink_ended, s->inlink_max,
                        s->in_parked ? " parked" : "");
                for (uint32_t t = 0; t < s->task_count; t++) {
                    fprintf(stderr, " %u:%u%s%s", s->tasks[t]->api.index, s->tasks[t]->state,
                            s->tasks[t]->in_head ? "i" : "", s->tasks[t]->waiting ? "w" : "");
                }
                for (uint32_t k = 0; k < s->out_count; k++) {
                    fprintf(stderr, " e%u %u/%u ex", s->out_edges[k].edge,
                            s->out_edges[k].exhausted, s->out_edges[k].targets);
                }
                fprintf(stderr, "\n");
            }
        }
    }
}

void attack_check_end(struct rig *rig)
{
    struct run *run = rig->user;

    if (!attack_has_ended(rig)) {
        attack_broke(run, "it did not come to an end");
        show(run);
        return;
    }
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < rig->executors * rig->lanes; i++) {
            if (run->alive[i / rig->lanes]) {
                lane_wake(rig_lane(rig, i / rig->lanes, i % rig->lanes), SLEEP_DATA);
            }
        }
        (void)sim_run_for(rig->sim, 100 * MILLI, NULL);
    }
    for (uint32_t i = 0; i < rig->executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < rig->lanes; l++) {
            check_lane(run, rig_lane(rig, i, l));
        }
    }
}

void attack_check_counts(struct run *run)
{
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t lost = counter_get(&run->rig.seen.rows_lost);

    for (uint32_t e = 0; e < EDGES; e++) {
        sent += run->sent[e];
        received += run->received[e];
    }
    if (counter_get(&run->rig.seen.overdrawn) > 0) {
        attack_broke(run, "somebody sent more than its credit");
    }
    if (run->happened[KILLED] == 0 ? sent != received + lost : sent < received) {
        attack_broke(run, "rows are missing");
        fprintf(stderr, "sent %llu, received %llu, lost %llu, in doubt %llu\n",
                (unsigned long long)sent, (unsigned long long)received, (unsigned long long)lost,
                (unsigned long long)counter_get(&run->rig.seen.rows_in_doubt));
    }
}
