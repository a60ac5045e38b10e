/*
 * balance.c: app.rebalance: which tasks should be elsewhere, slots for them there, what became of it.
 *
 * What was asked for last is the goal, in the record: workers to be left, and whether tasks are to be
 * spread. While it is open, and all is well, and no task moves:
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
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define STAY_NS   INT64_C(10000000000)
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

struct hosts {
    struct rebalance_host *items;
    uint32_t *slots; /* that it has, or as many tasks as it has */
    uint32_t *now;   /* tasks */
    uint32_t *after; /* how many more there will be, modulo 2^32 */
    uint32_t count;
    uint32_t max;
};

static void hosts_deinit(struct hosts *h)
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
                                .force = leave && leave->force};
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

/* How many executors more there may be: as many as are left, or with a spread one on each worker that
 * has room, if the user did not say how many there should be. */
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
                                                       .room = best->free};
    }
}

static int hosts_make(const struct appmaster *am, struct hosts *ret)
{
    struct hosts h = {.max = am->executor_count + am->record.goal.room_count};
    size_t max = h.max + 1u;

    h.items = calloc(max, sizeof *h.items);
    h.slots = calloc(max, sizeof *h.slots);
    h.now = calloc(max, sizeof *h.now);
    h.after = calloc(max, sizeof *h.after);
    if (!h.items || !h.slots || !h.now || !h.after) {
        hosts_deinit(&h);
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

static int make_plan(const struct appmaster *am, const struct hosts *h, uint32_t moves_max,
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

static const char *const whys[] = {
    [REBALANCE_STATE] = "its processor keeps state and has no snapshot",
    [REBALANCE_SOURCE] = "it is a source without a snapshot, which would begin anew",
    [REBALANCE_ROOM] = "no other worker has room for it",
};

static void append(char *text, size_t cap, const char *what)
{
    size_t len = strlen(text);

    if (str_format(text + len, cap - len, "%s%s", len > 0 ? "; " : "", what) < 0) {
        text[len] = '\0';
    }
}

static void name_stays(const struct appmaster *am, uint32_t processor, uint32_t tasks,
                       const char *why, char *text, size_t cap)
{
    char what[256];

    (void)str_format(what, sizeof what, "%u task%s of '%s' stay%s: %s", tasks,
                     tasks == 1 ? "" : "s", am->plan->processors[processor].name,
                     tasks == 1 ? "s" : "", why);
    append(text, cap, what);
}

static uint32_t stays_of(const struct appmaster *am, uint32_t processor)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < am->stay_count; i++) {
        tasks += am->stay[i].processor == processor;
    }
    return tasks;
}

/* The reason of the last of them stands for all. */
static const char *why_stays(const struct appmaster *am, uint32_t processor)
{
    const char *why = "";

    for (uint32_t i = 0; i < am->stay_count; i++) {
        why = am->stay[i].processor == processor ? am->stay[i].why : why;
    }
    return why;
}

static void name_refused(const struct appmaster *am, const struct rebalance *plan, char *text,
                         size_t cap)
{
    for (uint32_t i = 0; i < plan->refused_count; i++) {
        const struct rebalance_refused *r = &plan->refused[i];
        name_stays(am, r->processor, r->tasks, whys[r->why], text, cap);
    }
    for (uint32_t p = 0; p < am->plan->processor_count; p++) {
        if (stays_of(am, p) > 0) {
            name_stays(am, p, stays_of(am, p), why_stays(am, p), text, cap);
        }
    }
}

static void name_workers(const struct appmaster *am, const char *before, const uint32_t *workers,
                         char *text, size_t cap)
{
    for (uint32_t i = 0; i < GOAL_WORKERS_MAX && workers[i] != 0; i++) {
        const char *name = NULL;
        size_t len = strlen(text);
        for (uint32_t k = 0; k < am->executor_count; k++) {
            name = am->executors[k]->worker == workers[i] ? am->executors[k]->worker_name : name;
        }
        if (i + 1 == GOAL_WORKERS_MAX) {
            (void)str_format(text + len, cap - len, " and others");
        } else if (name) {
            (void)str_format(text + len, cap - len, "%s%s", i == 0 ? before : ", ", name);
        } else {
            (void)str_format(text + len, cap - len, "%sworker/%u", i == 0 ? before : ", ",
                             workers[i]);
        }
    }
}

static void say_what_moved(struct appmaster *am, const struct rebalance *plan)
{
    struct record *r = &am->record;
    int64_t now_ms = loop_wall_ns(am->port->loop) / 1000000;
    int64_t took_ms = now_ms - (int64_t)r->goal.begun_ms;
    char text[WORDS_MAX] = "";
    char refused[WORDS_MAX] = "";

    name_refused(am, plan, refused, sizeof refused);
    if (r->goal.done > 0) {
        (void)str_format(text, sizeof text, "%u task%s moved", r->goal.done,
                         r->goal.done == 1 ? "" : "s");
        name_workers(am, " from worker ", am->goal_from, text, sizeof text);
        name_workers(am, " to worker ", am->goal_to, text, sizeof text);
        if (r->goal.reason && r->goal.reason[0]) {
            (void)str_format(text + strlen(text), sizeof text - strlen(text), " (%s)",
                             r->goal.reason);
        }
    }
    if (refused[0] && strcmp(refused, am->refused_said) != 0) {
        LOG_INFO(am_log(am), "app.task_stays", KV_STR("why", refused));
        append(text, sizeof text, refused); /* once */
    }
    (void)str_format(am->refused_said, sizeof am->refused_said, "%s", refused);
    if (text[0]) {
        LOG_INFO(am_log(am), "app.rebalanced", KV_U64("app", am->options.launch->app),
                 KV_STR("what", text));
        (void)record_event(r, now_ms, text);
        record_event_more(r, NULL, took_ms > 0 ? took_ms : 0);
    }
}

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

static void retire_empty(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count && record_living(&am->record) > 1; i++) {
        struct am_executor *e = am->executors[i];
        if (is_host(am, e) && e->state >= EXECUTOR_RUNNING &&
            record_tasks_on(&am->record, e->id) == 0) {
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
    say_what_moved(am, plan);
    free(r->goal.reason);
    free(r->goal.room);
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
    rc = hosts_make(am, &h);
    rc = rc < 0 ? rc : make_plan(am, &h, MOVES_MAX, &plan);
    if (rc >= 0 && !ask_slots(am, &h, &plan) && settled) {
        if (plan.move_count > 0 && am->goal_plans++ < PLANS_MAX) {
            add_moves(am, &h, &plan);
        } else {
            reached(am, &plan);
        }
    }
    rebalance_deinit(&plan);
    hosts_deinit(&h);
}

/* ---- app.rebalance ---- */

static bool same_leave(const struct record *r, const struct msg_app_rebalance *msg)
{
    bool same = r->leave_count == msg->leave_count;

    for (uint32_t i = 0; i < msg->leave_count && same; i++) {
        const struct record_leave *known = record_leaves(r, msg->leave[i].worker);
        same = known && known->force == msg->leave[i].force;
    }
    return same;
}

static int take_leave(struct appmaster *am, const struct msg_app_rebalance *msg)
{
    struct record *r = &am->record;
    struct record_leave *leave;

    if (same_leave(r, msg)) {
        return 0;
    }
    leave = calloc(msg->leave_count + 1u, sizeof *leave);
    if (!leave) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < msg->leave_count; i++) {
        leave[i] = (struct record_leave){msg->leave[i].worker, msg->leave[i].force};
    }
    free(r->leave);
    r->leave = leave;
    r->leave_count = msg->leave_count;
    am->stay_count = 0; /* it may be another matter now */
    record_touch(r);
    return 0;
}

/* The list is taken. True: it says something new. */
static bool take_room(struct record_goal *goal, struct msg_app_rebalance *msg)
{
    bool same = goal->room_count == msg->room_count;

    for (uint32_t i = 0; i < msg->room_count && same; i++) {
        same =
            goal->room[i].worker == msg->room[i].worker && goal->room[i].free == msg->room[i].free;
    }
    free(goal->room);
    goal->room = msg->room;
    goal->room_count = msg->room_count;
    msg->room = NULL;
    msg->room_count = 0;
    return !same;
}

static void take_goal(struct appmaster *am, struct msg_app_rebalance *msg)
{
    struct record_goal *goal = &am->record.goal;
    const struct record_goal before = *goal;
    bool is_new_room = take_room(goal, msg);

    if (!goal->is_open) {
        goal->is_open = msg->spread || msg->leave_count > 0;
        goal->begun_ms = (uint64_t)(loop_wall_ns(am->port->loop) / 1000000);
        goal->done = 0;
        free(goal->reason);
        goal->reason = str_dup(gp_str_of(msg->reason));
        am->goal_plans = 0;
    }
    if (msg->spread || am_now_ns(am) - am->stay_ns > STAY_NS) {
        am->stay_count = 0; /* they are tried again */
    }
    goal->spread = goal->is_open && (goal->spread || msg->spread);
    goal->force = goal->is_open && (goal->force || msg->force);
    if (goal->is_open && (is_new_room || !before.is_open || goal->spread != before.spread ||
                          goal->force != before.force)) {
        record_touch(&am->record);
    }
}

static int add_refused(struct msg_app_rebalanced *to, const struct appmaster *am,
                       uint32_t processor, uint32_t tasks, const char *why)
{
    struct msg_move_refused *r = &to->refused[to->refused_count];

    if (to->refused_count == MSG_REFUSED_MAX) {
        return 0;
    }
    *r = (struct msg_move_refused){str_dup(gp_str_of(am->plan->processors[processor].name)), tasks,
                                   str_dup(gp_str_of(why))};
    to->refused_count++;
    return r->processor && r->why ? 0 : GP_ENOMEM;
}

static int fill_refused(const struct appmaster *am, const struct rebalance *plan,
                        struct msg_app_rebalanced *to)
{
    int rc = 0;

    to->refused = calloc(MSG_REFUSED_MAX, sizeof *to->refused);
    if (!to->refused) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->refused_count && rc >= 0; i++) {
        const struct rebalance_refused *r = &plan->refused[i];
        rc = add_refused(to, am, r->processor, r->tasks, whys[r->why]);
    }
    for (uint32_t p = 0; p < am->plan->processor_count && rc >= 0; p++) {
        if (stays_of(am, p) > 0) {
            rc = add_refused(to, am, p, stays_of(am, p), why_stays(am, p));
        }
    }
    return rc;
}

static int fill_left(const struct appmaster *am, struct msg_app_rebalanced *to)
{
    to->left = calloc(am->record.leave_count + 1u, sizeof *to->left);
    if (!to->left) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->record.leave_count; i++) {
        struct msg_left_on left = {.worker = am->record.leave[i].worker};
        for (uint32_t k = 0; k < am->record.executors_count; k++) {
            const struct record_executor *e = &am->record.executors[k];
            left.tasks +=
                e->worker == left.worker && !e->is_dead ? record_tasks_on(&am->record, e->id) : 0;
        }
        if (left.tasks > 0) {
            to->left[to->left_count++] = left;
        }
    }
    return 0;
}

static int fill_text(const struct appmaster *am, const struct rebalance *plan,
                     struct msg_app_rebalanced *to)
{
    char text[WORDS_MAX];

    (void)str_format(text, sizeof text,
                     to->moving == 0 ? "no task is to move" : "%u task%s to move", to->moving,
                     to->moving == 1 ? " is" : "s are");
    name_refused(am, plan, text, sizeof text);
    to->text = str_dup(gp_str_of(text));
    return to->text ? 0 : GP_ENOMEM;
}

/* A later epoch would miss nothing: also not what the last that ended had counted. */
static bool is_written_down(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->state == EXECUTOR_GONE) {
            return false;
        }
    }
    return am->record.moves_count == 0 && am->record_sent == 0 &&
           am->record_kept == am->record.version;
}

static int make_answer(const struct appmaster *am, struct msg_app_rebalanced *said)
{
    struct rebalance plan = {0};
    struct hosts h = {0};
    int rc = hosts_make(am, &h);

    rc = rc < 0 ? rc : make_plan(am, &h, PLAN_TASKS_MAX, &plan);
    said->moving = am->record.moves_count + plan.move_count;
    rc = rc < 0 ? rc : fill_refused(am, &plan, said);
    rc = rc < 0 ? rc : fill_left(am, said);
    rc = rc < 0 ? rc : fill_text(am, &plan, said);
    rebalance_deinit(&plan);
    hosts_deinit(&h);
    return rc;
}

void balance_answer(struct appmaster *am)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < am->wish_count; i++) {
        struct am_wish *wish = &am->wishes[i];
        if (am->record_kept < wish->version) {
            am->wishes[kept++] = *wish;
        } else {
            (void)endpoint_reply(am->ep, wish->token, &wish->said); /* or it asks again */
            fields_deinit(&msg_app_rebalanced_fields, &wish->said);
        }
    }
    am->wish_count = kept;
}

void balance_refuse(struct appmaster *am)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_EAGAIN, "the application ends");
    for (uint32_t i = 0; i < am->wish_count; i++) {
        (void)endpoint_reply_error(am->ep, am->wishes[i].token, &err); /* it sees the end anyway */
    }
    balance_deinit(am);
}

int balance_ask(struct appmaster *am, struct msg_app_rebalance *msg, struct reply_token token,
                struct gp_error *err)
{
    struct am_wish wish = {.token = token, .said.is_settled = is_written_down(am)};
    int rc;

    if ((am->state != AM_RUNNING && am->state != AM_RECOVERING) || am->record.ranges_count == 0) {
        return gp_error_set(err, GP_EAGAIN, "the application %s",
                            am->state < AM_RUNNING ? "is still starting" : "ends");
    }
    if (am->wish_count == WISHES_MAX) {
        return gp_error_set(err, GP_EAGAIN, "%u such wishes wait already", WISHES_MAX);
    }
    rc = take_leave(am, msg);
    if (rc < 0) {
        return gp_error_set(err, rc, "rebalancing: %s", error_sentence(rc));
    }
    take_goal(am, msg);
    recovery_changed(am);
    rc = make_answer(am, &wish.said);
    if (rc < 0) {
        fields_deinit(&msg_app_rebalanced_fields, &wish.said);
        return gp_error_set(err, rc, "rebalancing: %s", error_sentence(rc));
    }
    wish.version = am->record.version;
    am->wishes[am->wish_count++] = wish;
    return 0;
}

void balance_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->wish_count; i++) {
        fields_deinit(&msg_app_rebalanced_fields, &am->wishes[i].said);
    }
    am->wish_count = 0;
}
