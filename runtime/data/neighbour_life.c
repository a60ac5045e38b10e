/*
 * neighbour_life.c: neighbours in other processes come, go and come again.
 *
 *      new ──opening──▶ ready ──lost──▶ not ready ──opening──▶ ready ...
 *        └──────────────────┴────── retired ──────┘
 *
 * An opening is what both sides say first on a connection (wire/batch.h). The sender learns which
 * of its rows came: what is missing is lost, and counted exactly. And it learns what of them is not
 * consumed: its accounts stand at the window less that. The receiver owes nothing from before. So
 * one way serves the first connection and each after it.
 *
 * What was lost of time (watermark, idleness, end) is said again; large messages that were half
 * sent are lost whole.
 *
 * A lane that is no more is retired. What it had consumed it cannot say any more, so what it had
 * not acknowledged is in doubt. Its rows that came are still read: they belong to `lane.gone` then.
 *
 * Thread: the lane's, between callbacks of user code.
 */
#include "base/log.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/move.h"
#include "data/neighbour.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/unmanaged.h"

#define WINDOW_MAX  (1 << 28) /* that a neighbour may claim: as much as options allow */
#define PENDING_MAX (INT32_MAX / 2)

_Static_assert(WINDOW_MAX < OUT_EDGE_HOLD, "an account that is held is below zero");
_Static_assert(PENDING_MAX < INT32_MAX - OUT_EDGE_HOLD, "and has room for what is drawn yet");

static uint32_t edge_count(const struct neighbour *p)
{
    return p->lane->topology->plan->edge_count;
}

/* ---- accounts ---- */

void neighbour_open_accounts(struct neighbour *p)
{
    struct lane *lane = p->lane;

    for (uint32_t i = 0; i < edge_count(p); i++) {
        struct out_edge *e = lane->out_edges[i];
        const uint32_t *tasks;
        uint32_t count = e ? topology_tasks_on(e->to, p->index, &tasks) : 0;

        for (uint32_t k = 0; k < count; k++) {
            out_edge_refill(e, tasks[k], p->window_out);
        }
    }
    unmanaged_open(lane, p);
    p->ready = true;
}

static void close_accounts(struct neighbour *p)
{
    struct lane *lane = p->lane;

    for (uint32_t i = 0; i < edge_count(p); i++) {
        struct out_edge *e = lane->out_edges[i];
        const uint32_t *tasks;
        uint32_t count = e ? topology_tasks_on(e->to, p->index, &tasks) : 0;

        for (uint32_t k = 0; k < count; k++) {
            out_edge_close(e, tasks[k]);
        }
    }
    unmanaged_close(lane, p);
    p->ready = false;
}

/* ---- losing ---- */

static void drop_batches(struct neighbour *p)
{
    struct batch *b;

    neighbour_end_run(p);
    if (p->open) {
        batch_pool_put_near(&p->lane->pool, p->open);
        p->open = NULL;
        p->cursor = NULL;
        p->limit = NULL;
        p->batch_end = NULL;
    }
    while ((b = neighbour_next_queued(p)) != NULL) {
        p->in_flight--;
        batch_pool_put_near(&p->lane->pool, b);
    }
}

/* Its memory goes with the connection. What there is no memory to copy to keeps it until it is
 * done. */
static void return_lent(struct neighbour *p)
{
    while (inbox_return_lent(p)) {
    }
    while (list_pop_front(&p->lent) != NULL) {
    }
}

void neighbour_lose(struct neighbour *p)
{
    return_lent(p);
    drop_batches(p);
    move_drop_held(p);
    large_drop(p);
    close_accounts(p);
    p->window_out = 0;
    for (uint32_t e = 0; e < edge_count(p); e++) {
        if (p->inlinks[e]) {
            large_forget_link(p->inlinks[e]);
        }
    }
}

/* ---- the opening, our side: what came ---- */

static void tell_rows(struct neighbour *p, uint32_t kind, uint32_t edge, uint64_t rows)
{
    neighbour_add_credit(
        p, &(struct batch_credit){
               .edge = edge, .dst = (uint32_t)rows, .bytes = (uint32_t)(rows >> 32), .kind = kind});
}

/* What lies in the inboxes, summed up where what is owed stood: that is forgotten. */
static void sum_pending(struct inlink *link)
{
    const struct stage *s = link->stage;

    link->taken = 0;
    if (!link->owed) {
        return;
    }
    memset(link->owed, 0, s->task_count * sizeof(*link->owed));
    for (uint32_t i = 0; i < s->task_count; i++) {
        for (const struct entry *e = s->tasks[i]->in_head; e; e = e->next) {
            if (e->kind <= ENTRY_LARGE && e->link == link) {
                uint32_t bytes = inbox_unread_bytes(e);

                link->owed[i] += bytes;
                link->taken += e->kind == ENTRY_LARGE && e->u.large->reserved ? 0 : bytes;
            }
        }
    }
}

static void tell_pending(struct neighbour *p, struct inlink *link)
{
    const struct stage *s = link->stage;

    sum_pending(link);
    for (uint32_t i = 0; link->owed && i < s->task_count; i++) {
        if (link->owed[i] > 0) {
            neighbour_add_credit(p, &(struct batch_credit){.edge = link->edge,
                                                           .dst = s->task_indices[i],
                                                           .bytes = link->owed[i],
                                                           .kind = BATCH_CREDIT_PENDING});
            link->owed[i] = 0;
        }
    }
}

static void tell_link(struct neighbour *p, struct inlink *link)
{
    if (link->arrived > 0) {
        tell_rows(p, BATCH_CREDIT_ARRIVED, link->edge, link->arrived);
    }
    tell_pending(p, link);
}

void neighbour_tell_opening(struct neighbour *p)
{
    const struct lane *lane = p->lane;

    p->credit_count = 0;
    neighbour_add_credit(p,
                         &(struct batch_credit){.edge = p->window_in, .kind = BATCH_CREDIT_OPEN});
    for (uint32_t e = 0; e < edge_count(p); e++) {
        if (p->inlinks[e]) {
            tell_link(p, p->inlinks[e]);
        }
    }
    for (uint32_t i = 0; i < lane->topology->plan->processor_count; i++) {
        const struct stage *s = lane->stages[i];

        if (s && s->unmanaged && s->unmanaged[p->index]) {
            tell_link(p, s->unmanaged[p->index]);
        }
    }
    neighbour_add_credit(p, &(struct batch_credit){.kind = BATCH_CREDIT_READY});
}

void neighbour_tell_done(struct neighbour *p)
{
    if (p->mark_due) {
        p->mark_due = false;
        tell_rows(p, BATCH_CREDIT_MOVE, 0, p->moved);
    }
    for (uint32_t e = 0; e < edge_count(p); e++) {
        struct inlink *link = p->inlinks[e];

        if (link && link->done != link->done_told) {
            link->done_told = link->done;
            tell_rows(p, BATCH_CREDIT_DONE, e, link->done);
        }
    }
}

/* ---- the opening, the other side: what came of ours ---- */

static int take_arrived(struct neighbour *p, const struct batch_credit *c)
{
    uint64_t rows = (uint64_t)c->bytes << 32 | c->dst;

    if (c->edge & BATCH_UNMANAGED) {
        p->arrived[edge_count(p)] += rows;
        return 0;
    }
    if (c->edge >= edge_count(p)) {
        return GP_EPROTO;
    }
    p->arrived[c->edge] = rows;
    return 0;
}

static int take_pending(struct neighbour *p, const struct batch_credit *c)
{
    struct out_edge *e;

    if (c->bytes > PENDING_MAX) {
        return GP_EPROTO;
    }
    if (c->edge & BATCH_UNMANAGED) {
        return unmanaged_draw(p->lane, p, c->edge & ~BATCH_UNMANAGED, c->dst, c->bytes);
    }
    e = c->edge < edge_count(p) ? p->lane->out_edges[c->edge] : NULL;
    if (!e || c->dst >= e->targets) {
        return GP_EPROTO;
    }
    if (e->lane_of[c->dst] != p->index) {
        return 0; /* it has moved: that account is no more */
    }
    if (e->credit[c->dst] < (int32_t)c->bytes - PENDING_MAX - out_edge_held(e, c->dst)) {
        return GP_EPROTO;
    }
    out_edge_draw_row(e, c->dst, c->bytes);
    return 0;
}

/* What was sent and did not arrive: nobody will see it. */
static void count_lost(struct neighbour *p)
{
    uint64_t lost = 0;

    for (uint32_t e = 0; e <= edge_count(p); e++) {
        lost += p->sent[e] > p->arrived[e] ? p->sent[e] - p->arrived[e] : 0;
        p->sent[e] = p->arrived[e];
    }
    if (lost > 0) {
        counter_add(&p->lane->stats.rows_lost, lost);
        LOG_WARN(p->lane->env->log, "link.rows_lost", KV_U64("lane", p->lane->index),
                 KV_U64("executor", p->lane->topology->lanes[p->index].executor),
                 KV_U64("rows", lost));
    }
}

int neighbour_take_opening(struct neighbour *p, const struct batch_credit *c)
{
    if ((c->kind == BATCH_CREDIT_OPEN) != (p->window_out == 0)) {
        return GP_EPROTO; /* it comes first, and once */
    }
    switch (c->kind) {
    case BATCH_CREDIT_OPEN:
        if (c->edge == 0 || c->edge > WINDOW_MAX) {
            return GP_EPROTO;
        }
        p->window_out = c->edge;
        memset(p->arrived, 0, (edge_count(p) + 1u) * sizeof(*p->arrived));
        return 0;
    case BATCH_CREDIT_ARRIVED:
        return take_arrived(p, c);
    case BATCH_CREDIT_PENDING:
        return take_pending(p, c);
    case BATCH_CREDIT_READY:
        count_lost(p);
        neighbour_open_accounts(p);
        return 1;
    default:
        return GP_EPROTO;
    }
}

int neighbour_take_done(struct neighbour *p, const struct batch_credit *c)
{
    uint64_t rows = (uint64_t)c->bytes << 32 | c->dst;

    if (!p->ready || c->edge >= edge_count(p)) {
        return GP_EPROTO;
    }
    p->done[c->edge] = rows;
    return 0;
}

void neighbour_say_time(struct neighbour *p)
{
    move_say_mark(p);
    for (uint32_t i = 0; i < p->lane->topology->plan->processor_count; i++) {
        if (p->lane->stages[i]) {
            stage_say_time(p->lane->stages[i], p);
        }
    }
    large_begin_adrift(p->lane);
}

/* ---- retiring ---- */

/* What came from it belongs to nobody from now on: nobody waits for credit. */
static void leave_entries(struct neighbour *p, struct task *t)
{
    for (struct entry *e = t->in_head; e; e = e->next) {
        if (e->kind > ENTRY_LARGE || e->link->neighbour != p) {
            continue;
        }
        e->link = stage_gone_link(t->stage, e->link);
        if (e->parcel) {
            e->parcel->neighbour = &p->lane->gone;
        }
    }
}

static void count_doubt(const struct neighbour *p)
{
    uint64_t rows = 0;

    if (p->lane->topology->lanes[p->index].tasks == 0) {
        return; /* all its tasks have left it: nothing was on its way */
    }

    for (uint32_t e = 0; e <= edge_count(p); e++) {
        rows += p->sent[e] > p->done[e] ? p->sent[e] - p->done[e] : 0;
    }
    counter_add(&p->lane->stats.rows_in_doubt, rows);
    LOG_INFO(p->lane->env->log, "link.ended", KV_U64("lane", p->lane->index),
             KV_U64("executor", p->lane->topology->lanes[p->index].executor),
             KV_U64("rows_in_doubt", rows));
}

void neighbour_retire(struct neighbour *p)
{
    struct lane *lane = p->lane;

    neighbour_lose(p);
    count_doubt(p);
    p->credit_count = 0;
    list_remove(&p->dirty);
    for (uint32_t i = 0; i < lane->topology->plan->processor_count; i++) {
        struct stage *s = lane->stages[i];

        for (uint32_t k = 0; s && k < s->task_count; k++) {
            leave_entries(p, s->tasks[k]);
        }
        if (s) {
            stage_remove_inlinks(s, p);
        }
    }
}
