/*
 * moving.c: tasks change executors while rows flow: the appmaster's half of data/move.h.
 *
 *     PLANNED ──▶ LEAVING ──▶ has left ──▶ PLACED ──▶ done
 *        │           │            └──────▶ PLACED where it was: it cannot come where it was to
 *        │           ├──▶ refused: stays, or PLACED without its state (forced)
 *        └───────────┴──▶ forgotten: a death, or its own restart, was first
 *
 * Moves stand in the record, which the master keeps before anybody hears of a step: a later
 * appmaster goes on. What a task takes along does not: it stays with the executor that it left,
 * which tells it every appmaster that comes, until it hears of the task's later session. So an
 * executor hears of the placement of what left it only when those to whom it came have taken it;
 * and those hear of it only when what is to come with it is here. That nobody waits in a circle, an
 * executor does not both give and get in one placement. One that comes without its state is closed
 * where it was before it begins where it comes.
 *
 * Each step changes the placement once, when all have taken the one before, so steps are taken as
 * fast as the slowest executor does, and each carries all that is ready. At most LEAVING_MAX tasks
 * stand still at a time. New ones begin to leave only while all is well; those that have left are
 * placed in any case.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define LEAVING_MAX 64u

enum part { PART_NONE, PART_GIVES, PART_GETS };

/* One change of the placement in the making. */
struct step {
    struct appmaster *am;
    struct record_range *changes; /* ascending, as the moves are */
    uint32_t count;
    uint64_t session;
    enum part *parts; /* [executor] */
    size_t *bytes;    /* [executor]: of states that it gets */
    uint32_t leaving; /* tasks that stand still */
    bool is_bare;     /* only those without state are placed in this one */
};

/* ---- what executors said ---- */

static struct am_moved *find_moved(const struct appmaster *am, uint32_t processor, uint32_t task)
{
    for (uint32_t i = 0; i < am->moved_count; i++) {
        if (am->moved[i].processor == processor && am->moved[i].task == task) {
            return &am->moved[i];
        }
    }
    return NULL;
}

static void forget_moved(struct appmaster *am, uint32_t processor, uint32_t task)
{
    struct am_moved *moved = find_moved(am, processor, task);

    if (moved) {
        free(moved->state);
        *moved = am->moved[--am->moved_count];
    }
}

static void forget_move(struct appmaster *am, struct record_move *m)
{
    forget_moved(am, m->processor, m->task);
    record_drop_move(&am->record, m);
}

struct am_moved *moving_state_of(const struct appmaster *am, uint32_t processor, uint32_t task)
{
    const struct record_move *m = record_move_of(&am->record, processor, task);
    struct am_moved *moved = find_moved(am, processor, task);

    return m && m->placed != 0 && !m->is_bare && moved && moved->has_left ? moved : NULL;
}

/* Its state moves. GP_ENOMEM. */
static int note(struct appmaster *am, struct msg_executor_moved *msg, bool is_lost)
{
    struct am_moved *grown;

    forget_moved(am, msg->processor, msg->task);
    grown = realloc(am->moved, (am->moved_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    am->moved = grown;
    grown[am->moved_count++] = (struct am_moved){.processor = msg->processor,
                                                 .task = msg->task,
                                                 .session = msg->session,
                                                 .has_left = !is_lost,
                                                 .is_lost = is_lost,
                                                 .state = is_lost ? NULL : msg->state};
    msg->state = is_lost ? msg->state : NULL;
    recovery_changed(am);
    return 0;
}

static int note_left(struct appmaster *am, const struct am_executor *e,
                     const struct record_range *range, struct msg_executor_moved *msg)
{
    struct record_move *m = record_move_of(&am->record, msg->processor, msg->task);
    struct record_move back = {.processor = msg->processor,
                               .task = msg->task,
                               .session = msg->session,
                               .from = e->id,
                               .executor = e->id,
                               .lane = range->lane};
    bool is_late = m && m->placed == 0 && !range->leaving; /* what waits for it waits there */

    if (m && m->session == msg->session && !is_late) {
        return note(am, msg, false); /* also when it is placed: this appmaster did not know what
                                        comes with it */
    }
    if (range->session != msg->session || range->executor != e->id) {
        return 0; /* it has a later life */
    }
    int rc = record_add_move(&am->record, &back); /* nobody wants that any more: it comes back */
    return rc < 0 ? rc : note(am, msg, false);
}

/* Its state cannot come along; is it to go all the same? */
static bool is_forced(const struct appmaster *am, const struct am_executor *e,
                      const struct msg_executor_moved *msg)
{
    const struct plan_processor *p = &am->plan->processors[msg->processor];
    const struct record_leave *leave = record_leaves(&am->record, e->worker);

    for (uint32_t i = 0; i < am->failed_count; i++) {
        if (am->failed[i].processor == msg->processor && am->failed[i].task == msg->task) {
            return false; /* it is not that */
        }
    }
    return ((am->record.goal.is_open && am->record.goal.force) || (leave && leave->force)) &&
           (p->is_source || (p->flags & GP_PROCESSOR_STATEFUL) != 0) && !msg->ended;
}

static int note_refused(struct appmaster *am, const struct am_executor *e,
                        const struct record_range *range, struct msg_executor_moved *msg)
{
    struct record_move *m = record_move_of(&am->record, msg->processor, msg->task);

    if (!m || m->session != msg->session || m->placed != 0 || range->session != msg->session ||
        !range->leaving) {
        return 0; /* nobody wants it any more */
    }
    if (is_forced(am, e, msg)) {
        return note(am, msg, true);
    }
    balance_stay(am, msg->processor, msg->task, msg->text);
    am->record.moves_refused++;
    m->executor = 0; /* it is not to come anywhere: the next step cancels it */
    forget_moved(am, msg->processor, msg->task);
    recovery_changed(am);
    return 0;
}

int moving_told(struct appmaster *am, struct peer *peer, struct msg_executor_moved *msg,
                struct reply_token token, struct gp_error *err)
{
    struct am_executor *e = executors_of_peer(am, peer);
    const struct record_range *range = record_range_of(&am->record, msg->processor, msg->task);
    int rc = 0;

    if (!e || e->state == EXECUTOR_GONE || am->state >= AM_STOPPING) {
        return gp_error_set(err, GP_ESTATE, "nobody expects this");
    }
    if (range && msg->what == MSG_MOVED_LEFT) {
        rc = note_left(am, e, range, msg);
    } else if (range && msg->what == MSG_MOVED_REFUSED) {
        rc = note_refused(am, e, range, msg);
    }
    if (rc < 0) { /* it says so again, to whoever comes next */
        am_fail(am, rc, "a task that moves cannot be kept: %s", error_sentence(rc));
    }
    return endpoint_reply(am->ep, token, NULL);
}

/* ---- who may hear of the latest placement ---- */

static uint64_t taken_of(const struct am_executor *e)
{
    return e->taken > e->info.generation ? e->taken : e->info.generation;
}

static bool is_there(const struct appmaster *am, uint32_t id)
{
    const struct record_executor *known = record_find(&am->record, id);
    const struct am_executor *e = executors_find(am, id);

    return known && !known->is_dead && e && e->state != EXECUTOR_GONE;
}

/* What this task takes along is here, or will be told: whoever keeps it has not heard of a later
 * life of the task, and does not before it has told. */
static bool is_at_hand(const struct appmaster *am, const struct record_move *m)
{
    const struct am_moved *moved = find_moved(am, m->processor, m->task);

    if (moved) {
        return moved->has_left;
    }
    return m->placed != 0 && !m->is_bare && m->from != m->executor && is_there(am, m->from) &&
           taken_of(executors_find(am, m->from)) < m->first;
}

/* It has that placement, or will never have any. */
static bool has_taken(const struct appmaster *am, uint32_t id, uint64_t generation)
{
    const struct am_executor *e = executors_find(am, id);

    return !e || e->state == EXECUTOR_GONE || taken_of(e) >= generation;
}

bool moving_may_tell(const struct am_executor *e)
{
    const struct appmaster *am = e->am;

    for (uint32_t i = 0; i < am->record.moves_count; i++) {
        const struct record_move *m = &am->record.moves[i];
        bool gives = m->from == e->id;
        bool gets = m->executor == e->id;
        if (m->placed == 0 || gives == gets) {
            continue;
        }
        if (gives && !m->is_bare && !has_taken(am, m->executor, m->placed)) {
            return false;
        }
        if (gives && !is_there(am, m->executor) && is_at_hand(am, m) &&
            !find_moved(am, m->processor, m->task)) {
            return false; /* it is to tell first */
        }
        if (gets && taken_of(e) < m->placed && !has_taken(am, m->from, m->first) &&
            (m->is_bare || !moving_state_of(am, m->processor, m->task))) {
            return false;
        }
    }
    return true;
}

/* Everybody is where the record is; with `running` also at work. */
static bool all_taken(const struct appmaster *am, bool running)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        if (e->state == EXECUTOR_GONE || (e->placed == 0 && !e->is_restored)) {
            continue;
        }
        if (e->is_restored || !e->peer || e->taken < am->record.generation ||
            (running && e->state < EXECUTOR_RUNNING)) {
            return false;
        }
    }
    return true;
}

/* ---- one change of the placement ---- */

static const struct record_executor *find_living(const struct appmaster *am, uint32_t id)
{
    const struct record_executor *known = record_find(&am->record, id);
    const struct am_executor *e = executors_find(am, id);

    return known && !known->is_dead && e && e->state >= EXECUTOR_RUNNING &&
                   e->state != EXECUTOR_GONE
               ? known
               : NULL;
}

static bool may_come(const struct appmaster *am, uint32_t id)
{
    const struct record_executor *known = find_living(am, id);

    return known && !record_leaves(&am->record, known->worker);
}

static struct record_range *change_of(struct step *s, const struct record_move *m)
{
    struct record_range *c = &s->changes[s->count++];

    *c = *record_range_of(&s->am->record, m->processor, m->task);
    c->first = m->task;
    c->count = 1;
    return c;
}

/* It stays after all. */
static void cancel(struct step *s, struct record_move *m)
{
    LOG_INFO(am_log(s->am), "app.move_cut_short", KV_U64("processor", m->processor),
             KV_U64("task", m->task));
    change_of(s, m)->leaving = false;
    forget_move(s->am, m);
}

/* Somewhere to come, for one that has left and cannot come where it was to: back, or anywhere. */
static bool find_refuge(const struct appmaster *am, struct record_move *m)
{
    const struct record_range *range = record_range_of(&am->record, m->processor, m->task);
    uint32_t least = UINT32_MAX;

    if (is_there(am, m->from)) {
        m->executor = m->from;
        m->lane = range->lane;
        return true;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        uint32_t tasks = record_tasks_on(&am->record, am->executors[i]->id);
        if (tasks < least && may_come(am, am->executors[i]->id)) {
            least = tasks;
            m->executor = am->executors[i]->id;
            m->lane = m->task % find_living(am, m->executor)->lanes;
        }
    }
    return least < UINT32_MAX;
}

static size_t state_bytes(const struct am_moved *moved)
{
    return moved->state ? strlen(moved->state) / 2 : 0;
}

/* Both may take part in this step, as this. */
static bool take_parts(struct step *s, const struct record_move *m, size_t bytes)
{
    bool gives = m->from != m->executor && is_there(s->am, m->from);

    if (s->parts[m->executor] == PART_GIVES || (gives && s->parts[m->from] == PART_GETS) ||
        (s->bytes[m->executor] > 0 && s->bytes[m->executor] + bytes > MSG_MOVED_STATE_MAX)) {
        return false;
    }
    if (gives) {
        s->parts[m->executor] = PART_GETS;
        s->parts[m->from] = PART_GIVES;
    }
    s->bytes[m->executor] += bytes;
    return true;
}

static void place(struct step *s, struct record_move *m, const struct am_moved *moved)
{
    struct record_range *c;

    if (!may_come(s->am, m->executor) && m->executor != m->from) {
        if (moved->is_lost) {
            cancel(s, m);
            return;
        }
        if (!find_refuge(s->am, m)) {
            return; /* somebody will come */
        }
    }
    if (moved->is_lost != s->is_bare || !find_living(s->am, m->executor) ||
        !take_parts(s, m, state_bytes(moved))) {
        return; /* in a later step */
    }
    c = change_of(s, m);
    c->executor = m->executor;
    c->lane = m->lane;
    c->since = c->since ? c->since : c->session;
    c->session = s->session;
    c->leaving = false;
    m->placed = s->am->record.generation + 1;
    m->first = m->placed;
    m->is_bare = moved->is_lost;
}

/* Each task that stands still may be a range of its own, and part two others. */
static bool has_pieces(const struct record *r)
{
    return r->ranges_count + 4 * LEAVING_MAX <= MSG_RANGES_MAX;
}

/* What can be done about one move; true: it is still there. */
static bool advance(struct step *s, struct record_move *m, bool may_begin)
{
    struct appmaster *am = s->am;
    const struct record_range *range = record_range_of(&am->record, m->processor, m->task);
    const struct am_moved *moved = find_moved(am, m->processor, m->task);
    uint32_t before = am->record.moves_count;

    if (m->placed != 0) {
        return true;
    }
    if (range->session != m->session) {
        forget_move(am, m); /* it has begun anew */
    } else if (moved) {
        place(s, m, moved);
    } else if (!range->leaving) {
        if (!may_come(am, m->executor)) {
            forget_move(am, m);
        } else if (may_begin && s->leaving < LEAVING_MAX && has_pieces(&am->record)) {
            change_of(s, m)->leaving = true;
            s->leaving++;
        }
    } else if (!is_there(am, m->from)) {
        forget_move(am, m); /* it has died with it */
    } else if (m->executor == 0) {
        cancel(s, m); /* it was refused */
    } else if (!may_come(am, m->executor)) {
        balance_stay(am, m->processor, m->task, "its move was cut short");
        cancel(s, m); /* not tried again at once: it may have left by now */
    }
    return am->record.moves_count == before;
}

static void begin_step(struct step *s)
{
    const struct record *r = &s->am->record;

    for (uint32_t i = 0; i < r->moves_count; i++) {
        const struct record_move *m = &r->moves[i];
        const struct record_range *range = record_range_of(r, m->processor, m->task);
        const struct am_moved *moved = find_moved(s->am, m->processor, m->task);
        s->leaving += m->placed == 0 && range->leaving;
        s->is_bare = s->is_bare || (m->placed == 0 && moved && moved->is_lost);
    }
}

/* There is no placement with more of them. */
static void drop_planned(struct appmaster *am)
{
    for (uint32_t i = am->record.moves_count; i > 0; i--) {
        struct record_move *m = &am->record.moves[i - 1];
        if (m->placed == 0 && !record_range_of(&am->record, m->processor, m->task)->leaving) {
            balance_stay(am, m->processor, m->task, "the placement is in too many pieces already");
            am->record.moves_refused++;
            record_drop_move(&am->record, m);
        }
    }
}

static void say_step(const struct appmaster *am, const struct step *s)
{
    uint32_t leave = 0;
    uint32_t placed = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        leave += s->changes[i].leaving;
        placed += s->changes[i].session == s->session;
    }
    if (leave > 0) {
        LOG_INFO(am_log(am), "app.tasks_leave", KV_U64("tasks", leave),
                 KV_U64("generation", am->record.generation));
    }
    if (placed > 0) {
        LOG_INFO(am_log(am), "app.tasks_placed", KV_U64("tasks", placed),
                 KV_U64("generation", am->record.generation));
    }
}

static int change(struct appmaster *am, bool may_begin)
{
    uint32_t ids = am->record.next_executor;
    uint32_t max = am->record.moves_count;
    struct step s = {.am = am,
                     .changes = calloc(max, sizeof *s.changes),
                     .session = (uint64_t)am_epoch(am) << 32 | am->record.next_session,
                     .parts = calloc(ids, sizeof *s.parts),
                     .bytes = calloc(ids, sizeof *s.bytes)};
    int rc = s.changes && s.parts && s.bytes ? 0 : GP_ENOMEM;

    if (rc >= 0) {
        begin_step(&s);
        for (uint32_t i = 0; i < am->record.moves_count;) {
            i += advance(&s, &am->record.moves[i], may_begin);
        }
    }
    if (rc >= 0 && s.count > 0) {
        rc = record_change(&am->record, s.changes, s.count);
        if (rc >= 0) {
            am->record.moved = am->record.generation;
            am->record.next_session++;
            say_step(am, &s);
        }
    }
    free(s.changes);
    free(s.parts);
    free(s.bytes);
    return rc;
}

/* ---- the end of a move ---- */

/* What it should have come with was with one that died. */
static void say_lost(struct appmaster *am, const struct record_move *m)
{
    const struct am_executor *e = executors_find(am, m->executor);
    char text[WORDS_MAX] = "";

    if (e->info.generation >= m->placed || moving_state_of(am, m->processor, m->task)) {
        return; /* it had it before this appmaster, or has it now */
    }
    words_loss(am, m->processor, m->task, 1, text, sizeof text);
    if (text[0]) {
        (void)record_event(&am->record, loop_wall_ns(am->port->loop) / 1000000, text);
        record_event_more(&am->record, NULL, am->state == AM_RUNNING ? 0 : -1);
    }
}

static void finish_some(struct appmaster *am)
{
    for (uint32_t i = am->record.moves_count; i > 0; i--) {
        struct record_move *m = &am->record.moves[i - 1];
        const struct am_executor *e = executors_find(am, m->executor);
        const struct record_range *range = record_range_of(&am->record, m->processor, m->task);
        if (m->placed == 0) {
            continue;
        }
        if (range->executor == m->executor && !is_there(am, m->executor) && is_at_hand(am, m)) {
            continue; /* see moving_given() */
        }
        if (!e || e->state == EXECUTOR_GONE || range->executor != m->executor) {
            forget_move(am, m); /* another takes it over, as all that was there */
        } else if (e->peer && e->taken >= m->placed) {
            say_lost(am, m);
            if (m->from != m->executor) {
                balance_note(am, m);
            }
            forget_move(am, m);
        }
    }
}

int moving_given(struct appmaster *am, const struct am_executor *e)
{
    struct record *r = &am->record;
    struct record_range *changes = calloc(r->moves_count + 1u, sizeof *changes);
    uint32_t count = 0;
    int rc = changes ? 0 : GP_ENOMEM;

    for (uint32_t i = 0; i < r->moves_count && rc >= 0; i++) {
        struct record_move *m = &r->moves[i];
        const struct record_range *range = record_range_of(r, m->processor, m->task);
        if (range->executor != e->id || m->executor == e->id || m->from == e->id ||
            !is_at_hand(am, m)) {
            continue;
        }
        if (m->placed == 0) { /* to the record it was one that died, not one that moved */
            struct record_range *c = &changes[count++];
            *c = *range;
            c->first = m->task;
            c->count = 1;
            c->since = m->session;
        }
        m->executor = e->id;
        m->lane = range->lane;
        m->placed = r->generation;
    }
    if (rc >= 0 && count > 0) {
        rc = record_change(r, changes, count);
    }
    free(changes);
    return rc == GP_ETOOBIG ? 0 : rc; /* what was on its way is dropped, then, and counted */
}

bool moving_is_open(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->record.moves_count; i++) {
        const struct record_move *m = &am->record.moves[i];
        if (m->placed != 0 || record_range_of(&am->record, m->processor, m->task)->leaving ||
            find_moved(am, m->processor, m->task)) {
            return true;
        }
    }
    return false;
}

void moving_step(struct appmaster *am)
{
    bool running = am->state == AM_RUNNING;

    if (am->record.ranges_count == 0) {
        return;
    }
    finish_some(am);
    if (am->record.moves_count > 0 && all_taken(am, false)) {
        int rc = change(am, running && all_taken(am, true));
        if (rc < 0) {
            am_fail(am, rc, "moving tasks: %s", error_sentence(rc));
            return;
        }
        if (running && !moving_is_open(am) && !has_pieces(&am->record)) {
            drop_planned(am);
        }
    }
    if (running && am->record.moves_count == 0) {
        balance_step(am);
    }
    executors_end_retired(am);
}

void moving_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->moved_count; i++) {
        free(am->moved[i].state);
    }
    free(am->moved);
}
