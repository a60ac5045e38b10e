/*
 * assign.c: what executors are told: assignments (the new ones) and updates (those that run).
 *
 * Both say the same: who runs which task in which session, and where the others are; an update only
 * what of it has changed since the executor heard of it last. An executor that runs hears it first
 * and answers when it is so; a new one gets executor.start only when all the others know of it, so
 * that nothing can come to it, or from it, that is not expected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"

#define ASSIGN_TIMEOUT_NS 60000000000 /* user code opens files and the like */

/* The common parts of both messages. Texts and lists inside borrow from the appmaster. */
struct news {
    struct msg_placed *placement;
    uint32_t placement_count;
    struct msg_sibling *siblings;
    uint32_t siblings_count;
    struct msg_executor_ref *gone;
    uint32_t gone_count;
    struct msg_task_state *states;
    uint32_t states_count;
    uint32_t moved_count; /* of them, the first: those of tasks that move */
    struct msg_plugin_file *plugins;
};

static void news_free(struct news *n)
{
    free(n->placement);
    free(n->siblings);
    free(n->gone);
    free(n->states);
    free(n->plugins);
}

/* It has tasks, so the others must know where it is. */
static bool is_announced(const struct am_executor *e)
{
    return e->state != EXECUTOR_GONE && e->info.lanes_count > 0 && e->placed != 0;
}

/* What the tasks of this executor begin with whose session it does not know yet. */
static int gather_states(const struct am_executor *e, struct news *n)
{
    const struct appmaster *am = e->am;

    if (am->record.states_count + am->moved_count == 0) {
        return 0;
    }
    n->states = calloc(am->record.states_count + am->moved_count, sizeof *n->states);
    if (!n->states) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->record.moves_count && am->moved_count > 0; i++) {
        const struct record_move *m = &am->record.moves[i];
        const struct am_moved *moved = moving_state_of(am, m->processor, m->task);
        if (moved && m->executor == e->id && e->taken < m->placed) {
            n->states[n->states_count++] = (struct msg_task_state){
                m->processor, m->task, moved->state ? moved->state : MSG_NO_TEXT, true};
        }
    }
    n->moved_count = n->states_count;
    for (uint32_t i = 0; i < am->record.states_count; i++) {
        const struct msg_task_state *s = &am->record.states[i];
        const struct record_range *range = record_range_of(&am->record, s->processor, s->task);
        if (range && range->executor == e->id && range->session > e->session &&
            !moving_state_of(am, s->processor, s->task)) {
            n->states[n->states_count++] = *s;
        }
    }
    return 0;
}

/* What it can build on: of all that changed since, there is a list. */
static uint64_t base_of(const struct am_executor *e)
{
    return e->state == EXECUTOR_REGISTERED || e->base < e->am->record.gone_before ? 0 : e->base;
}

static void gather_placement(const struct record *r, uint64_t base, struct news *n)
{
    for (uint32_t i = 0; i < r->ranges_count; i++) {
        const struct record_range *range = &r->ranges[i];
        if (range->changed <= base && base > 0) {
            continue;
        }
        n->placement[n->placement_count++] = (struct msg_placed){.processor = range->processor,
                                                                 .first = range->first,
                                                                 .count = range->count,
                                                                 .executor = range->executor,
                                                                 .lane = range->lane,
                                                                 .session = range->session,
                                                                 .since = range->since,
                                                                 .leaving = range->leaving};
    }
}

static void gather_siblings(const struct appmaster *am, uint64_t base, struct news *n)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *s = am->executors[i];
        if (is_announced(s) && s->placed > base) {
            n->siblings[n->siblings_count++] = (struct msg_sibling){
                s->id, s->info.host, s->info.incarnation, s->info.lanes, s->info.lanes_count};
        }
    }
    for (uint32_t i = 0; i < am->record.gone_count && base > 0; i++) {
        if (am->record.gone[i].generation > base) {
            n->gone[n->gone_count++].executor = am->record.gone[i].executor;
        }
    }
}

static int news_make(const struct am_executor *e, uint64_t base, struct news *ret)
{
    const struct appmaster *am = e->am;
    struct news n = {0};
    int rc;

    n.placement = calloc(am->record.ranges_count + 1, sizeof *n.placement);
    n.siblings = calloc(am->executor_count + 1, sizeof *n.siblings);
    n.gone = calloc(am->record.gone_count + 1, sizeof *n.gone);
    n.plugins = calloc(am->plan->plugin_count + 1, sizeof *n.plugins);
    rc = n.placement && n.siblings && n.gone && n.plugins ? gather_states(e, &n) : GP_ENOMEM;
    if (rc < 0) {
        news_free(&n);
        return rc;
    }
    gather_placement(&am->record, base, &n);
    gather_siblings(am, base, &n);
    for (uint32_t i = 0; i < am->plan->plugin_count; i++) {
        n.plugins[i] = (struct msg_plugin_file){am->plan->plugins[i].name,
                                                am->plan->plugins[i].sha256, MSG_NO_TEXT};
    }
    *ret = n;
    return 0;
}

static uint64_t session_max(const struct record *r)
{
    uint64_t max = 0;

    for (uint32_t i = 0; i < r->ranges_count; i++) {
        max = r->ranges[i].session > max ? r->ranges[i].session : max;
    }
    return max;
}

/* ---- states that have no room in them ---- */

static void on_brought(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    (void)peer;
    e->asks--;
    if (answer->code < 0 && answer->code != GP_ECLOSED && answer->code != GP_ECANCELED) {
        LOG_WARN(am_log(e->am), "appmaster.state_not_brought", KV_U64("executor", e->id),
                 KV_STR("error", answer->err->text)); /* its task begins anew */
    }
    recovery_changed(e->am);
}

/* Those of tasks that move, each on its own: an executor keeps them until what follows says that
 * they come. The rest of one that cannot take more now goes in a later step. */
static int bring(struct am_executor *e, struct news *n)
{
    struct appmaster *am = e->am;

    for (uint32_t i = 0; i < n->moved_count; i++) {
        const struct msg_task_state *s = &n->states[i];
        struct am_moved *moved = moving_state_of(am, s->processor, s->task);
        const struct msg_executor_bring msg = {
            .epoch = am_epoch(am),
            .processor = s->processor,
            .task = s->task,
            .session = record_range_of(&am->record, s->processor, s->task)->session,
            .state = s->state};
        int rc;
        if (moved->brought == msg.session) {
            continue;
        }
        rc = peer_ask(e->peer, MSG_EXECUTOR_BRING, &msg, ASSIGN_TIMEOUT_NS, 0, on_brought, e);
        if (rc < 0) {
            return rc;
        }
        moved->brought = msg.session;
        e->asks++;
    }
    n->states_count -= n->moved_count;
    memmove(n->states, n->states + n->moved_count, n->states_count * sizeof *n->states);
    n->moved_count = 0;
    return 0;
}

/* ---- assignments ---- */

static void refused(struct am_executor *e, const struct gp_error *err, const char *what)
{
    struct appmaster *am = e->am;
    char text[WORDS_MAX];

    if (err->code == GP_ECLOSED || err->code == GP_ECANCELED || e->state == EXECUTOR_GONE ||
        am->state >= AM_STOPPING) {
        return; /* the end of its connection deals with it */
    }
    if (am->state == AM_STARTING) {
        am_fail_err(am, err); /* a task that does not even open the first time never will */
        return;
    }
    if (err->code == GP_EUNSUPPORTED) {
        am_fail(am, GP_EUNSUPPORTED, "%s; the other executors cannot go on without it",
                am->record.events[am->record.events_count - 1].text);
        return;
    }
    (void)str_format(text, sizeof text, "executor %u %s: %s", e->id, what, err->text);
    executors_lost(e, "failed", text);
}

static void on_assigned(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;

    e->asks--;
    if (answer->code < 0) {
        refused(e, answer->err, "could not take its tasks");
    } else if (e->state == EXECUTOR_REGISTERED && peer == e->peer) {
        e->state = EXECUTOR_READY;
        e->taken = e->assigned;
        recovery_changed(e->am);
    }
}

static int assign(struct am_executor *e)
{
    struct appmaster *am = e->am;
    struct msg_executor_assign msg = {
        .epoch = am_epoch(am), .generation = am->record.generation, .moves = am->record.moved};
    struct news n;
    int rc = news_make(e, 0, &n);

    if (rc < 0) {
        return rc;
    }
    rc = plan_encode(am->plan, &msg.plan);
    msg.placement = n.placement;
    msg.placement_count = n.placement_count;
    msg.executors = n.siblings;
    msg.executors_count = n.siblings_count;
    msg.plugins = n.plugins;
    msg.plugins_count = am->plan->plugin_count;
    msg.states = n.states;
    msg.states_count = n.states_count;
    msg.ended = am->record.ended;
    msg.ended_count = am->record.ended_count;
    if (rc >= 0) {
        rc = peer_ask(e->peer, MSG_EXECUTOR_ASSIGN, &msg, ASSIGN_TIMEOUT_NS, 0, on_assigned, e);
    }
    if (rc == GP_ETOOBIG && n.moved_count > 0) {
        rc = bring(e, &n);
        msg.states_count = n.states_count;
        rc = rc < 0 ? rc
                    : peer_ask(e->peer, MSG_EXECUTOR_ASSIGN, &msg, ASSIGN_TIMEOUT_NS, 0,
                               on_assigned, e);
    }
    if (rc == GP_ETOOBIG && msg.states_count > 0) {
        msg.states_count = 0; /* sources begin anew: better than not at all */
        rc = peer_ask(e->peer, MSG_EXECUTOR_ASSIGN, &msg, ASSIGN_TIMEOUT_NS, 0, on_assigned, e);
    }
    e->assigned = msg.generation;
    value_free(msg.plan);
    news_free(&n);
    return rc;
}

/* ---- updates ---- */

/* Tasks have come to it since it said that all have ended. */
static void forget_done(struct am_executor *e, uint64_t generation)
{
    const struct record *r = &e->am->record;

    for (uint32_t i = 0; i < r->moves_count && e->state == EXECUTOR_DONE; i++) {
        const struct record_move *m = &r->moves[i];
        if (m->executor == e->id && m->placed > e->done && m->placed <= generation) {
            e->state = EXECUTOR_RUNNING; /* else it says so again */
        }
    }
}

/* It has not come to where it is said to have: it hears everything. */
static void tell_whole(struct am_executor *e, const struct peer *peer)
{
    if (peer == e->peer && e->base != 0) {
        e->base = 0;
        e->told = 0;
        e->session = 0;
        recovery_changed(e->am);
    }
}

static void on_updated(void *user, struct peer *peer, const struct answer *answer)
{
    struct am_executor *e = user;
    const struct msg_executor_updated *updated = answer->msg;

    e->asks--;
    if (answer->code < 0) {
        refused(e, answer->err, "could not take an update");
    } else if (updated->whole) {
        tell_whole(e, peer);
    } else if (peer == e->peer && updated->generation > e->taken) {
        forget_done(e, updated->generation);
        e->taken = updated->generation;
        recovery_changed(e->am);
    }
}

static int update(struct am_executor *e)
{
    struct appmaster *am = e->am;
    struct msg_executor_update msg = {.epoch = am_epoch(am),
                                      .generation = am->record.generation,
                                      .base = base_of(e),
                                      .moves = am->record.moved};
    struct news n;
    int rc = news_make(e, msg.base, &n);

    if (rc < 0) {
        return rc;
    }
    msg.placement = n.placement;
    msg.placement_count = n.placement_count;
    msg.executors = n.siblings;
    msg.executors_count = n.siblings_count;
    msg.gone = n.gone;
    msg.gone_count = n.gone_count;
    msg.states = n.states;
    msg.states_count = n.states_count;
    rc = peer_ask(e->peer, MSG_EXECUTOR_UPDATE, &msg, ASSIGN_TIMEOUT_NS, 0, on_updated, e);
    if (rc == GP_ETOOBIG && n.moved_count > 0) {
        rc = bring(e, &n);
        msg.states_count = n.states_count;
        rc = rc < 0 ? rc
                    : peer_ask(e->peer, MSG_EXECUTOR_UPDATE, &msg, ASSIGN_TIMEOUT_NS, 0, on_updated,
                               e);
    }
    if (rc == GP_ETOOBIG && msg.states_count > 0) {
        msg.states_count = 0; /* sources begin anew: better than not at all */
        rc = peer_ask(e->peer, MSG_EXECUTOR_UPDATE, &msg, ASSIGN_TIMEOUT_NS, 0, on_updated, e);
    }
    news_free(&n);
    return rc;
}

/* ---- the step ---- */

static void tell(struct am_executor *e)
{
    struct appmaster *am = e->am;
    char text[WORDS_MAX];
    int rc;

    if (!e->peer || e->state == EXECUTOR_GONE || e->placed == 0 ||
        e->told >= am->record.generation || (e->told != 0 && e->state == EXECUTOR_REGISTERED) ||
        !moving_may_tell(e)) {
        return; /* one that opens its tasks is told more when it has done so */
    }
    rc = e->state == EXECUTOR_REGISTERED ? assign(e) : update(e);
    if (rc == GP_ECLOSED || rc == GP_EAGAIN) {
        return; /* on_down is on its way, or it reads too slowly: silence will end that */
    }
    if (rc < 0) {
        (void)str_format(text, sizeof text, "executor %u could not be told its tasks: %s", e->id,
                         error_sentence(rc));
        am_fail(am, rc, "%s", text);
        return;
    }
    e->asks++;
    e->told = am->record.generation;
    e->base = e->told;
    e->session = session_max(&am->record);
}

/* All others know of its tasks, and those that are new can receive. */
static bool may_start(const struct am_executor *e)
{
    const struct appmaster *am = e->am;

    if (e->state != EXECUTOR_READY || !e->peer) {
        return false;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *other = am->executors[i];
        if (is_announced(other) && other->placed <= e->placed && other->taken < e->placed) {
            return false;
        }
    }
    return true;
}

static bool all_known(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->is_restored && am->executors[i]->state != EXECUTOR_GONE) {
            return false; /* to leave it out would be to say that it is dead */
        }
    }
    return true;
}

void assign_step(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (e->state == EXECUTOR_LAUNCHING && !e->is_asked && !e->is_restored) {
            launching_start(e);
        }
    }
    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING && all_known(am); i++) {
        tell(am->executors[i]);
    }
    for (uint32_t i = 0; i < am->executor_count && am->state < AM_STOPPING; i++) {
        struct am_executor *e = am->executors[i];
        if (may_start(e) && peer_tell(e->peer, MSG_EXECUTOR_START, NULL) >= 0) {
            e->state = EXECUTOR_RUNNING;
            recovery_changed(am);
        }
    }
}
