/*
 * balance.c: which tasks should be elsewhere, slots for them there, and the end of it.
 *
 * What was asked for last is the goal, in the record: workers to be left, and whether tasks are to
 * be spread. While it is open, and all is well, and no task moves:
 *
 *   1. the planner (rebalance.h) says what should move, executors that could be started included
 *   2. where it takes more slots than there are, they are asked for, worker by worker; a grant
 *      makes an executor grow, or begins one. Refused: there is no room, and it is planned again
 *   3. when all that were begun run, the moves are planned for good, and made (moving.c)
 *   4. when nothing is left to be moved, the goal is reached: executors without tasks end, slots
 *      that nobody needs are given back, and an event says what moved
 *
 * So a death in the middle, or another wish, needs no case of its own: what is planned next starts
 * from what is. Which tasks cannot move is remembered for a while, so that it ends.
 */
#include "control/appmaster/balance.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

#define PLANS_MAX 16u /* for one goal: what joins by chance could go on for long */

/* ---- what is known ---- */

void balance_stay(struct appmaster *am, uint32_t processor, uint32_t task, const char *why)
{
    struct am_stay *s = &am->stay[am->stay_count % STAY_MAX];

    if (am->stay_count == STAY_MAX) {
        return; /* it is tried again now and then */
    }
    if (am->stay_count == 0) {
        am->stay_ns = am_now_ns(am);
    }
    *s = (struct am_stay){.processor = processor, .task = task};
    (void)str_format(s->why, sizeof s->why, "%s", why);
    am->stay_count++;
}

static struct msg_worker_room *find_room(const struct appmaster *am, uint32_t worker)
{
    const struct record_goal *goal = &am->record.goal;

    for (uint32_t i = 0; i < goal->room_count; i++) {
        if (goal->room[i].worker == worker) {
            return &goal->room[i];
        }
    }
    return NULL;
}

void balance_no_room(struct appmaster *am, uint32_t worker)
{
    struct msg_worker_room *room = find_room(am, worker);

    if (room) {
        room->free = 0;
    }
}

void balance_took_room(struct appmaster *am, uint32_t worker, uint32_t slots)
{
    struct msg_worker_room *room = find_room(am, worker);

    if (room) {
        room->free -= slots < room->free ? slots : room->free;
    }
}

static uint32_t free_on(const struct appmaster *am, uint32_t worker)
{
    const struct msg_worker_room *room = find_room(am, worker);

    return room ? room->free : 0;
}

static void add_name(uint32_t *list, uint32_t worker)
{
    for (uint32_t i = 0; i < GOAL_WORKERS_MAX; i++) {
        if (list[i] == 0 || list[i] == worker) {
            list[i] = worker;
            return;
        }
    }
}

void balance_note(struct appmaster *am, const struct record_move *m)
{
    const struct record_executor *from = record_find(&am->record, m->from);
    const struct record_executor *to = record_find(&am->record, m->executor);

    am->record.moves_done++;
    am->record.goal.done++;
    if (from) {
        add_name(am->goal_from, from->worker);
    }
    if (to) {
        add_name(am->goal_to, to->worker);
    }
    record_touch(&am->record);
}

/* ---- who could run tasks ---- */

void balance_hosts_deinit(struct hosts *h)
{
    free(h->items);
    free(h->slots);
    free(h->now);
    free(h->after);
}

static bool is_host(const struct appmaster *am, const struct am_executor *e)
{
    const struct record_executor *known = record_find(&am->record, e->id);

    return e->state != EXECUTOR_GONE && known && !known->is_dead && known->replaces == 0;
}

/* One that has not come yet will have as many lanes as the others, as far as anybody can tell. */
static uint32_t usual_lanes(const struct appmaster *am, bool blocking)
{
    uint32_t lanes = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < am->record.executors_count; i++) {
        const struct record_executor *e = &am->record.executors[i];
        if (!e->is_dead && e->lanes > 0) {
            lanes += blocking ? e->blocking : e->lanes;
            count++;
        }
    }
    return count > 0 ? (lanes + count - 1) / count : 1;
}

static void add_executor(const struct appmaster *am, const struct am_executor *e, struct hosts *h)
{
    const struct record_executor *known = record_find(&am->record, e->id);
    const struct record_leave *leave = record_leaves(&am->record, e->worker);
    uint32_t tasks = record_tasks_on(&am->record, e->id);
    uint32_t slots = e->slots > tasks ? e->slots : tasks;
    bool is_avoided = unreached_avoids(am, e->worker); /* what is there may stay */

    h->slots[h->count] = slots;
    h->now[h->count] = tasks;
    h->items[h->count++] =
        (struct rebalance_host){.executor = e->id,
                                .worker = e->worker,
                                .lanes = known->lanes ? known->lanes : usual_lanes(am, false),
                                .blocking = known->lanes ? known->blocking : usual_lanes(am, true),
                                .room = is_avoided ? tasks : slots + free_on(am, e->worker),
                                .leave = leave != NULL,
                                .force = leave && leave->force,
                                .name = known->name,
                                .labels = known->labels,
                                .label_count = known->labels_count};
}

static bool is_used(const struct appmaster *am, const struct hosts *h, uint32_t worker)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (h->items[i].worker == worker) {
            return true;
        }
    }
    return record_leaves(&am->record, worker) != NULL || unreached_avoids(am, worker);
}

/* How many executors more there may be: as many as are left, or with a spread one on each worker
 * that has room, if the user did not say how many there should be. */
static uint32_t more_hosts(const struct appmaster *am, const struct hosts *h)
{
    uint32_t staying = 0;
    uint32_t leaving = 0;
    uint32_t asked = am->welcome.executors;

    for (uint32_t i = 0; i < h->count; i++) {
        staying += !h->items[i].leave;
        leaving += h->items[i].leave && h->now[i] > 0;
    }
    if (!am->record.goal.spread) {
        return leaving;
    }
    if (asked == 0) {
        return UINT32_MAX;
    }
    return asked > staying ? asked - staying : staying == 0;
}

/* Those with the most room first. */
static void add_workers(const struct appmaster *am, struct hosts *h)
{
    uint32_t more = more_hosts(am, h);
    uint32_t tasks = plan_task_count(am->plan);

    for (; more > 0 && h->count < h->max && h->count < tasks; more--) {
        const struct msg_worker_room *best = NULL;
        for (uint32_t i = 0; i < am->record.goal.room_count; i++) {
            const struct msg_worker_room *r = &am->record.goal.room[i];
            if (r->free > (best ? best->free : 0) && !is_used(am, h, r->worker)) {
                best = r;
            }
        }
        if (!best) {
            return;
        }
        h->items[h->count++] = (struct rebalance_host){.worker = best->worker,
                                                       .lanes = usual_lanes(am, false),
                                                       .blocking = usual_lanes(am, true),
                                                       .room = best->free,
                                                       .name = best->name,
                                                       .labels = best->labels,
                                                       .label_count = best->labels_count};
    }
}

int balance_hosts(const struct appmaster *am, struct hosts *ret)
{
    struct hosts h = {.max = am->executor_count + am->record.goal.room_count};
    size_t max = h.max + 1u;

    h.items = calloc(max, sizeof *h.items);
    h.slots = calloc(max, sizeof *h.slots);
    h.now = calloc(max, sizeof *h.now);
    h.after = calloc(max, sizeof *h.after);
    if (!h.items || !h.slots || !h.now || !h.after) {
        balance_hosts_deinit(&h);
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (is_host(am, am->executors[i])) {
            add_executor(am, am->executors[i], &h);
        }
    }
    add_workers(am, &h);
    *ret = h;
    return 0;
}

/* ---- the plan ---- */

int balance_plan(const struct appmaster *am, const struct hosts *h, uint32_t moves_max,
                 struct rebalance *ret)
{
    struct rebalance_stay stay[STAY_MAX];
    const struct rebalance_wish wish = {.hosts = h->items,
                                        .host_count = h->count,
                                        .stay = stay,
                                        .stay_count = am->stay_count,
                                        .spread = am->record.goal.spread,
                                        .force = am->record.goal.force,
                                        .moves_max = moves_max};

    for (uint32_t i = 0; i < am->stay_count; i++) {
        stay[i] = (struct rebalance_stay){am->stay[i].processor, am->stay[i].task};
    }
    return rebalance_plan(am->plan, &am->record, &wish, ret);
}

/* Slots for the first worker where the plan takes more than there are. True: they are asked for. */
static bool ask_slots(struct appmaster *am, const struct hosts *h, const struct rebalance *plan)
{
    for (uint32_t i = 0; i < plan->move_count; i++) {
        const struct rebalance_move *m = &plan->moves[i];
        uint32_t from = record_range_of(&am->record, m->processor, m->task)->executor;
        h->after[m->host]++;
        for (uint32_t k = 0; k < h->count; k++) {
            h->after[k] -= h->items[k].executor == from;
        }
    }
    for (uint32_t i = 0; i < h->count; i++) {
        if (h->now[i] + h->after[i] > h->slots[i] && h->after[i] <= INT32_MAX) {
            launching_request_on(am, h->items[i].worker, h->now[i] + h->after[i] - h->slots[i]);
            return true;
        }
    }
    return false;
}

static void add_moves(struct appmaster *am, const struct hosts *h, const struct rebalance *plan)
{
    for (uint32_t i = 0; i < plan->move_count; i++) {
        const struct rebalance_move *p = &plan->moves[i];
        const struct record_range *range = record_range_of(&am->record, p->processor, p->task);
        const struct record_move move = {.processor = p->processor,
                                         .task = p->task,
                                         .session = range->session,
                                         .from = range->executor,
                                         .executor = h->items[p->host].executor,
                                         .lane = p->lane};
        if (record_add_move(&am->record, &move) < 0) {
            return; /* those that are written down go first */
        }
    }
    recovery_changed(am);
}

/* ---- the goal is reached ---- */

/* Slots beyond those that tasks need. Workers hear of it first: see resizing.c. */
static void give_back(struct appmaster *am)
{
    uint32_t tasks = plan_task_count(am->plan);
    uint32_t slots = 0;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        slots += is_host(am, am->executors[i]) ? am->executors[i]->slots : 0;
    }
    for (uint32_t i = 0; i < am->executor_count && slots > tasks; i++) {
        struct am_executor *e = am->executors[i];
        struct record_executor *known = record_find(&am->record, e->id);
        uint32_t needed = record_tasks_on(&am->record, e->id);
        uint32_t spare = is_host(am, e) && e->slots > needed ? e->slots - needed : 0;
        spare = spare < slots - tasks ? spare : slots - tasks;
        if (spare > 0) {
            e->slots -= spare;
            known->slots = e->slots;
            slots -= spare;
            record_touch(&am->record);
        }
    }
}

/* It says so behind all that it counted, and by the placement by which the last task left it only
 * when what they sent has come. */
static bool has_said_all(const struct am_executor *e)
{
    return e->state == EXECUTOR_DONE && e->done >= e->am->record.moved;
}

/* One that has no tasks any more has still something to say, or to send. */
static bool awaits_last(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        if (e->state != EXECUTOR_GONE && !has_said_all(e) &&
            record_tasks_on(&am->record, e->id) == 0) {
            return true;
        }
    }
    return false;
}

static void retire_empty(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count && record_living(&am->record) > 1; i++) {
        struct am_executor *e = am->executors[i];
        if (is_host(am, e) && has_said_all(e) && record_tasks_on(&am->record, e->id) == 0) {
            executors_retire(e);
            am->is_hold_due = true;
        }
    }
}

static void reached(struct appmaster *am, const struct rebalance *plan)
{
    struct record *r = &am->record;

    retire_empty(am);
    give_back(am);
    balance_say_what_moved(am, plan);
    free(r->goal.reason);
    record_forget_room(r);
    r->goal = (struct record_goal){0};
    memset(am->goal_from, 0, sizeof am->goal_from);
    memset(am->goal_to, 0, sizeof am->goal_to);
    am->goal_plans = 0;
    record_touch(r);
    recovery_changed(am);
}

/* ---- the step ---- */

/* Those that were begun are on their way, or the latest placement is. */
static bool is_settled(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        if (e->state != EXECUTOR_GONE && (e->state < EXECUTOR_RUNNING || !e->peer ||
                                          e->taken < am->record.generation || e->slots > e->held)) {
            return false;
        }
    }
    return am->failed_count == 0;
}

void balance_step(struct appmaster *am)
{
    struct rebalance plan = {0};
    struct hosts h = {0};
    bool settled = is_settled(am);
    int rc;

    if (!am->record.goal.is_open || am->slots_asked || am->slots_waiting) {
        return;
    }
    rc = balance_hosts(am, &h);
    rc = rc < 0 ? rc : balance_plan(am, &h, MOVES_MAX, &plan);
    if (rc >= 0 && !ask_slots(am, &h, &plan) && settled) {
        if (plan.move_count > 0 && am->goal_plans++ < PLANS_MAX) {
            add_moves(am, &h, &plan);
        } else if (!awaits_last(am)) {
            reached(am, &plan);
        }
    }
    rebalance_deinit(&plan);
    balance_hosts_deinit(&h);
}
