/*
 * record_place.c: tasks of the placement record: where they are first, and how they move on.
 *
 * Every change writes the ranges anew, in order, joining neighbours that are alike; the old ones
 * stay until the new ones are complete. A task keeps its number for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "control/appmaster/record.h"

/* Ranges in the making. */
struct ranges {
    struct record_range *items;
    uint32_t count;
    uint32_t max;
    int status;
};

static void ranges_push(struct ranges *to, struct record_range range)
{
    struct record_range *last = to->count > 0 ? &to->items[to->count - 1] : NULL;

    if (range.count == 0 || to->status < 0) {
        return;
    }
    if (last && last->processor == range.processor && last->first + last->count == range.first &&
        last->executor == range.executor && last->lane == range.lane &&
        last->session == range.session && last->since == range.since &&
        last->leaving == range.leaving) {
        last->count += range.count;
        last->changed = range.changed > last->changed ? range.changed : last->changed;
        return;
    }
    if (to->count == to->max) {
        uint32_t max = to->max ? 2 * to->max : 64;
        struct record_range *grown = realloc(to->items, max * sizeof *grown);
        if (!grown || to->count == MSG_RANGES_MAX) {
            to->items = grown ? grown : to->items;
            to->status = grown ? GP_ETOOBIG : GP_ENOMEM;
            return;
        }
        to->items = grown;
        to->max = max;
    }
    to->items[to->count++] = range;
}

/* Puts the new ranges in the place of the old ones, if all went well. */
static int ranges_finish(struct ranges *from, struct record *r)
{
    if (from->status < 0) {
        free(from->items);
        return from->status;
    }
    free(r->ranges);
    r->ranges = from->items;
    r->ranges_count = from->count;
    r->version++;
    r->generation++;
    return 0;
}

uint32_t record_tasks_on(const struct record *r, uint32_t id)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        tasks += r->ranges[i].executor == id ? r->ranges[i].count : 0;
    }
    return tasks;
}

const struct record_range *record_range_of(const struct record *r, uint32_t processor,
                                           uint32_t task)
{
    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *range = &r->ranges[i];
        if (range->processor == processor && task >= range->first &&
            task - range->first < range->count) {
            return range;
        }
    }
    return NULL;
}

/* ---- the first placement ---- */

struct placing {
    const struct record *record;
    const struct plan *plan;
};

static bool takes(void *user, uint32_t processor, uint32_t executor)
{
    const struct placing *placing = user;

    return record_takes(record_find(placing->record, executor),
                        plan_place(&placing->plan->processors[processor]));
}

int record_place(struct record *r, const struct plan *plan, uint32_t epoch)
{
    struct placing placing = {r, plan};
    struct placement_host *hosts = calloc(r->executors_count + 1, sizeof *hosts);
    struct placement placement = {0};
    struct ranges to = {0};
    uint32_t count = 0;
    int rc = hosts ? 0 : GP_ENOMEM;

    ASSERT(r->ranges_count == 0);
    for (uint32_t i = 0; hosts && i < r->executors_count; i++) {
        const struct record_executor *e = &r->executors[i];
        if (!e->is_dead && e->lanes > 0) {
            hosts[count++] = (struct placement_host){e->id, e->lanes, e->blocking};
        }
    }
    rc = rc < 0 ? rc : placement_make(plan, hosts, count, takes, &placing, &placement);
    for (uint32_t i = 0; rc >= 0 && i < placement.count; i++) {
        const struct placement_range *p = &placement.ranges[i];
        ranges_push(&to, (struct record_range){.processor = p->processor,
                                               .first = p->first,
                                               .count = p->count,
                                               .executor = p->executor,
                                               .lane = p->lane,
                                               .session = (uint64_t)epoch << 32 | r->next_session,
                                               .changed = r->generation + 1});
    }
    placement_deinit(&placement);
    free(hosts);
    rc = rc < 0 ? rc : ranges_finish(&to, r);
    if (rc < 0) {
        return rc;
    }
    r->next_session++;
    for (uint32_t i = 0; i < r->executors_count; i++) {
        struct record_executor *e = &r->executors[i];
        e->replaces = 0; /* all have what they came for */
        e->placed = e->is_dead || e->lanes == 0 ? 0 : r->generation;
    }
    return 0;
}

/* ---- one stands in for another ---- */

struct giving {
    const struct plan *plan;
    const struct record_executor *from;
    const struct record_executor *to;
    uint64_t session;
    uint32_t left;                         /* tasks still to be given */
    uint32_t blocking;                     /* those given so far that have lanes of their own */
    uint32_t processor;                    /* that `of` and `given` are about */
    uint32_t of;                           /* tasks of it to be given */
    uint32_t given;                        /* of these */
    uint32_t restarts[MSG_PROCESSORS_MAX]; /* tasks that begin once more, by processor */
};

static bool has_ended(const struct record *r, uint32_t processor, uint32_t task)
{
    for (uint32_t i = 0; i < r->ended_count; i++) {
        const struct msg_task_range *e = &r->ended[i];

        if (e->processor == processor && task >= e->first && task - e->first < e->count) {
            return true;
        }
    }
    return false;
}

/* How many tasks of this processor will be given. */
static uint32_t count_of(const struct giving *g, const struct record *r, uint32_t processor)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *range = &r->ranges[i];
        tasks += range->executor == g->from->id && range->processor == processor ? range->count : 0;
    }
    return tasks < g->left ? tasks : g->left;
}

/* The lane of the next task: by the rule of placement.h, within this executor. */
static uint32_t next_lane(struct giving *g)
{
    const struct plan_processor *processor = &g->plan->processors[g->processor];
    uint32_t lanes = g->to->lanes;
    uint32_t i = g->given++;

    if ((processor->flags & GP_PROCESSOR_BLOCKING) != 0 && g->to->blocking > 0) {
        return lanes + g->blocking++ % g->to->blocking;
    }
    if (g->of >= lanes) {
        return (uint32_t)((((uint64_t)i + 1) * lanes - 1) / g->of);
    }
    return (uint32_t)(((uint64_t)i * lanes / g->of + g->processor) % lanes);
}

static void give_range(struct giving *g, const struct record *r, const struct record_range *range,
                       struct ranges *to)
{
    uint32_t count = range->count < g->left ? range->count : g->left;
    struct record_range rest = *range;

    if (g->processor != range->processor || g->of == 0) {
        g->processor = range->processor;
        g->of = count_of(g, r, range->processor);
        g->given = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct record_move *m = record_move_of(r, range->processor, range->first + i);
        ranges_push(to, (struct record_range){
                            .processor = range->processor,
                            .first = range->first + i,
                            .count = 1,
                            .executor = g->to->id,
                            .lane = next_lane(g),
                            .session = g->session,
                            .changed = r->generation + 1,
                            /* What it sent where it was is on its way still. */
                            .since = m && m->placed != 0 ? range->since : 0,
                        });
        g->restarts[range->processor] += !has_ended(r, range->processor, range->first + i);
    }
    g->left -= count;
    rest.first += count;
    rest.count -= count;
    ranges_push(to, rest);
}

/* How many of the tasks of the dead one come here: its share by slots, first of those that have a
 * place. */
static void share(const struct giving *g, const struct record *r, uint32_t ret[2])
{
    uint32_t tasks = record_tasks_on(r, g->from->id);
    uint32_t left =
        g->to->slots >= g->from->slots
            ? tasks
            : (uint32_t)(((uint64_t)tasks * g->to->slots + g->from->slots - 1) / g->from->slots);
    uint32_t placed = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const char *place = plan_place(&g->plan->processors[r->ranges[i].processor]);
        bool is_ours = r->ranges[i].executor == g->from->id && *place != '\0';
        placed += is_ours && record_takes(g->to, place) ? r->ranges[i].count : 0;
    }
    ret[1] = placed < left ? placed : left;
    ret[0] = left - ret[1];
}

int record_give(struct record *r, const struct plan *plan, uint32_t id, uint32_t epoch)
{
    struct record_executor *e = record_find(r, id);
    struct record_executor *dead = e ? record_find(r, e->replaces) : NULL;
    struct giving g = {.plan = plan, .from = dead, .to = e};
    struct ranges to = {0};
    int rc;

    ASSERT(e && !e->is_dead && e->lanes > 0);
    if (dead) {
        uint32_t left[2]; /* tasks that may be anywhere, and those that have a place */
        share(&g, r, left);
        g.session = (uint64_t)epoch << 32 | r->next_session;
        for (uint32_t i = 0; i < r->ranges_count; i++) {
            const char *place = plan_place(&plan->processors[r->ranges[i].processor]);
            uint32_t *of = &left[*place != '\0'];
            if (r->ranges[i].executor == dead->id && *of > 0 && record_takes(e, place)) {
                g.left = *of;
                give_range(&g, r, &r->ranges[i], &to);
                *of = g.left;
            } else {
                ranges_push(&to, r->ranges[i]);
            }
        }
        rc = ranges_finish(&to, r);
        if (rc < 0) {
            return rc;
        }
        for (uint32_t p = 0; p < r->past_count; p++) { /* no executor can count these */
            r->past[p].restarts += g.restarts[p];
        }
        r->next_session++;
        dead->slots -= e->slots < dead->slots ? e->slots : dead->slots;
        if (dead->slots == 0) { /* those that may not be there wait for another */
            dead->slots = record_tasks_on(r, dead->id);
        }
    }
    e->replaces = 0;
    e->placed = r->generation;
    return 0;
}

/* ---- what has ended ---- */

/* Whether a and b, b not before a, touch or overlap. */
static bool touches(const struct msg_task_range *a, const struct msg_task_range *b)
{
    return a->processor == b->processor && b->first <= a->first + a->count;
}

/* Joins what touches, in place. */
static void join_ended(struct record *r)
{
    uint32_t kept = 0;

    for (uint32_t i = 1; i < r->ended_count; i++) {
        struct msg_task_range *last = &r->ended[kept];
        const struct msg_task_range *next = &r->ended[i];
        if (touches(last, next)) {
            uint32_t end = next->first + next->count;
            last->count = end > last->first + last->count ? end - last->first : last->count;
        } else {
            r->ended[++kept] = *next;
        }
    }
    r->ended_count = kept + 1;
}

int record_end(struct record *r, uint32_t processor, uint32_t first, uint32_t count)
{
    struct msg_task_range *grown;
    uint32_t at = 0;

    for (uint32_t i = 0; i < r->ended_count; i++) {
        const struct msg_task_range *e = &r->ended[i];
        if (e->processor == processor && first >= e->first &&
            first + count <= e->first + e->count) {
            return 0;
        }
        at += e->processor < processor || (e->processor == processor && e->first < first);
    }
    if (r->ended_count == MSG_RANGES_MAX) {
        return GP_EFULL;
    }
    grown = realloc(r->ended, (r->ended_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    r->ended = grown;
    memmove(&grown[at + 1], &grown[at], (r->ended_count - at) * sizeof *grown);
    grown[at] = (struct msg_task_range){processor, first, count};
    r->ended_count++;
    join_ended(r);
    r->version++;
    return 1;
}

/* ---- single tasks ---- */

/* Compares a range of one task with another range. */
static int compare(const struct record_range *change, const struct record_range *range)
{
    if (change->processor != range->processor) {
        return change->processor < range->processor ? -1 : 1;
    }
    return change->first < range->first ? -1 : change->first - range->first >= range->count;
}

int record_change(struct record *r, const struct record_range *changes, uint32_t count)
{
    struct ranges to = {0};
    uint32_t next = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        struct record_range rest = r->ranges[i];

        while (next < count && compare(&changes[next], &rest) == 0) {
            struct record_range before = rest;
            struct record_range changed;
            before.count = changes[next].first - rest.first;
            ranges_push(&to, before);
            changed = changes[next];
            changed.changed = r->generation + 1;
            ranges_push(&to, changed);
            rest.first += before.count + 1;
            rest.count -= before.count + 1;
            next++;
        }
        ranges_push(&to, rest);
    }
    ASSERT(next == count); /* ascending, and all of them there */
    return ranges_finish(&to, r);
}

int record_restart(struct record *r, uint32_t processor, uint32_t task, uint32_t epoch)
{
    const struct record_range *found = record_range_of(r, processor, task);
    bool whole = r->ranges_count + 2 > MSG_RANGES_MAX;
    struct record_range anew;
    int rc = 0;

    if (!found) {
        return GP_ENOENT;
    }
    anew = *found;
    anew.session = (uint64_t)epoch << 32 | r->next_session;
    anew.since = 0;
    anew.leaving = false;
    if (whole) {
        r->version++;
        anew.changed = ++r->generation;
        r->ranges[found - r->ranges] = anew;
    } else {
        anew.first = task;
        anew.count = 1;
        rc = record_change(r, &anew, 1);
    }
    r->next_session += rc >= 0;
    return rc;
}
