/*
 * neighbour.c: the open batch of a neighbour, and what all kinds of neighbours share. What is
 * special to a kind stands in neighbour_ring.c and neighbour_stream.c.
 */
#include "data/neighbour.h"

#include <stdlib.h>

#include "base/log.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/unmanaged.h"

/* Of each account into a lane, as senders of that kind have them. */
static uint32_t window_of(const struct lane *lane, uint32_t index, enum neighbour_kind kind)
{
    const struct topology_lane *l = &lane->topology->lanes[index];

    return kind == NEIGHBOUR_RING ? l->ring_window_bytes : l->window_bytes;
}

struct neighbour *neighbour_new(struct lane *lane, uint32_t index, enum neighbour_kind kind)
{
    struct neighbour *p = (struct neighbour *)calloc(1, sizeof(*p));
    size_t edges = lane->topology->plan->edge_count + 1u;

    if (!p) {
        return NULL;
    }
    p->kind = (uint32_t)kind;
    p->edge_kind = kind == NEIGHBOUR_LOCAL  ? EDGE_LOCAL
                   : kind == NEIGHBOUR_RING ? EDGE_RING
                                            : EDGE_TCP;
    p->lane = lane;
    p->index = index;
    p->moved = lane->moves;
    p->rows_ns = INT64_MIN / 2;
    p->window_in = window_of(lane, lane->index, kind);
    p->window_out =
        kind == NEIGHBOUR_STREAM ? 0 : window_of(lane, index, kind); /* else it is told */
    list_node_init(&p->dirty);
    list_init(&p->lent);
    p->inlinks = (struct inlink **)calloc(edges, sizeof(*p->inlinks));
    if (kind == NEIGHBOUR_STREAM) {
        p->sent = (uint64_t *)calloc(3 * edges, sizeof(*p->sent));
        p->arrived = p->sent ? p->sent + edges : NULL;
        p->done = p->sent ? p->arrived + edges : NULL;
    }
    if (!p->inlinks || (kind == NEIGHBOUR_STREAM && !p->sent)) {
        neighbour_free(p);
        return NULL;
    }
    return p;
}

void neighbour_free(struct neighbour *p)
{
    if (!p) {
        return;
    }
    neighbour_stream_free(p->stream);
    free(p->inlinks);
    free(p->sent);
    free(p->credits);
    free(p);
}

void neighbour_mark_dirty(struct neighbour *p)
{
    if (!list_is_linked(&p->dirty)) {
        list_push_back(&p->lane->dirty, &p->dirty);
    }
}

void neighbour_settle(struct neighbour *p)
{
    uint32_t bytes = (uint32_t)(p->cursor - p->settled);

    p->settled = p->cursor;
    if (bytes > 0 && p->run_edge && p->head.dst != BATCH_DST_ROWS) {
        out_edge_draw(p->run_edge, p->index, p->head.dst, bytes);
    }
}

/* What is compared with what the neighbour says has arrived. */
static void count_sent(struct neighbour *p)
{
    const struct topology *topology = p->lane->topology;
    const struct out_edge *e = p->run_edge;
    const uint32_t *tasks;
    uint64_t rows = p->rows;

    if (!e) {
        p->sent[topology->plan->edge_count] += rows;
        return;
    }
    if (p->head.dst == BATCH_DST_ALL) {
        rows *= topology_tasks_on(e->to, p->index, &tasks);
    }
    p->sent[e->edge] += rows;
}

/* Of the task that emitted it; one that moves away meanwhile loses it. */
static void count_emitted(const struct neighbour *p, const struct stage *s)
{
    uint32_t source = p->head.source;
    uint32_t local = s->topology->local_of[source];

    if (s->topology->lane_of[source] == p->lane->index && local < s->task_count &&
        s->tasks[local]) {
        s->tasks[local]->meter.out += p->rows;
    }
}

static void count_run(struct neighbour *p)
{
    struct out_edge *e = p->run_edge;
    uint64_t *seen;

    if (p->sent) {
        count_sent(p);
    }
    if (!e) {
        counter_add(&p->lane->stats.sent, p->rows);
        return;
    }
    counter_add(&e->rows[p->edge_kind], p->rows);
    counter_add(&e->bytes[p->edge_kind], p->head.bytes);
    seen = &p->edges_seen[e->edge / 64];
    if (!(*seen & UINT64_C(1) << e->edge % 64)) {
        *seen |= UINT64_C(1) << e->edge % 64;
        counter_add(&e->batches[p->edge_kind], 1);
    }
    /* A message to all is one message, though it goes to each lane. */
    if (e->counts && (p->head.dst != BATCH_DST_ALL || p->index == e->lanes[0])) {
        counter_add(&e->stage->out_rows, p->rows);
        count_emitted(p, e->stage);
    }
}

void neighbour_end_run(struct neighbour *p)
{
    if (p->token == 0) {
        return;
    }
    p->token = 0;
    if (p->rows == 0) {
        p->cursor = p->run; /* nothing came: take the header back */
        return;
    }
    neighbour_settle(p);
    p->head.rows = p->rows;
    p->head.bytes = (uint32_t)(p->cursor - p->run) - BATCH_ELEMENT_SIZE;
    batch_element_put(p->run, &p->head);
    count_run(p);
    p->rows = 0;
}

/* Moves the open batch to the queue. */
static void hand_over(struct neighbour *p)
{
    struct batch *b = p->open;

    neighbour_end_run(p);
    b->used = (uint32_t)(p->cursor - batch_frame(b));
    p->open = NULL;
    p->cursor = NULL;
    p->limit = NULL;
    p->batch_end = NULL;
    if (b->used == BATCH_FRAME_HEADER_SIZE) {
        batch_pool_put_near(&p->lane->pool, b);
        return;
    }
    b->next = NULL;
    b->seq = p->next_seq++;
    if (p->queue_tail) {
        p->queue_tail->next = b;
    } else {
        p->queue_head = b;
    }
    p->queue_tail = b;
    p->in_flight++;
    counter_add(&p->lane->stats.batches_out, 1);
    neighbour_mark_dirty(p);
}

static int open_batch(struct neighbour *p)
{
    struct batch *b = batch_pool_take(&p->lane->pool, p->busy && p->kind == NEIGHBOUR_RING);

    if (!b) {
        return GP_ENOMEM;
    }
    p->open = b;
    memset(p->edges_seen, 0, sizeof p->edges_seen);
    p->opened_ns = p->lane->now_ns;
    p->cursor = batch_body(b);
    p->batch_end = batch_frame(b) + p->lane->options->batch_bytes;
    p->limit = p->cursor;
    return 0;
}

/* An open batch with room for that many bytes, which a batch can hold. */
static int make_room(struct neighbour *p, uint32_t bytes)
{
    ASSERT(bytes <= p->lane->options->batch_bytes - BATCH_FRAME_HEADER_SIZE);
    if (p->open && bytes <= (size_t)(p->batch_end - p->cursor)) {
        return 0;
    }
    if (p->open) {
        p->busy = true;
        counter_add(&p->lane->stats.batches_full, 1);
        hand_over(p);
    }
    return open_batch(p);
}

int neighbour_begin_run(struct neighbour *p, uint64_t token, const struct batch_element *head,
                        struct out_edge *edge, uint32_t size)
{
    int rc;

    if (p->token == token && size <= (size_t)(p->batch_end - p->cursor)) {
        neighbour_settle(p);
        return 0;
    }
    neighbour_end_run(p);
    rc = make_room(p, BATCH_ELEMENT_SIZE + size);
    if (rc < 0) {
        return rc;
    }
    p->run = p->cursor;
    p->cursor += BATCH_ELEMENT_SIZE;
    p->settled = p->cursor;
    p->token = token;
    p->rows_ns = p->lane->now_ns;
    p->head = *head;
    p->run_edge = edge;
    return 0;
}

uint8_t *neighbour_reserve_element(struct neighbour *p, const struct batch_element *e)
{
    uint8_t *body;

    neighbour_end_run(p);
    if (make_room(p, BATCH_ELEMENT_SIZE + e->bytes) < 0) {
        return NULL;
    }
    batch_element_put(p->cursor, e);
    body = p->cursor + BATCH_ELEMENT_SIZE;
    p->cursor = body + e->bytes;
    return body;
}

int neighbour_put_element(struct neighbour *p, const struct batch_element *e, const void *body)
{
    uint8_t *at = neighbour_reserve_element(p, e);

    if (!at) {
        return GP_ENOMEM;
    }
    memcpy(at, body, e->bytes);
    return 0;
}

void neighbour_flush(struct neighbour *p)
{
    if (p->open) {
        p->busy = false;
        hand_over(p);
    }
}

bool neighbour_is_saturated(const struct neighbour *p)
{
    switch (p->kind) {
    case NEIGHBOUR_RING:
        return p->in_flight >= BATCHES_HELD_MAX && !lane_is_asleep(p->other);
    case NEIGHBOUR_STREAM:
        return p->queue_head || neighbour_stream_is_writing(p->stream);
    default:
        return false;
    }
}

void neighbour_add_credit(struct neighbour *p, const struct batch_credit *credit)
{
    if (p->credit_count == p->credit_capacity) {
        uint32_t capacity = p->credit_capacity ? p->credit_capacity * 2 : 16;
        struct batch_credit *credits =
            (struct batch_credit *)realloc(p->credits, capacity * sizeof(*credits));

        /* Without the note the sender would wait for ever: better to end here, loudly. */
        ASSERT(credits);
        p->credits = credits;
        p->credit_capacity = capacity;
    }
    p->credits[p->credit_count++] = *credit;
    neighbour_mark_dirty(p);
}

void neighbour_add_return(struct neighbour *p, struct batch *b)
{
    b->next = NULL;
    if (p->return_tail) {
        p->return_tail->next = b;
    } else {
        p->return_head = b;
    }
    p->return_tail = b;
    neighbour_mark_dirty(p);
}

struct batch *neighbour_next_queued(struct neighbour *p)
{
    struct batch *b = p->queue_head;

    if (b) {
        p->queue_head = b->next;
        if (!p->queue_head) {
            p->queue_tail = NULL;
        }
        b->next = NULL;
    }
    return b;
}

static int take_credit(struct neighbour *p, const struct batch_credit *c)
{
    struct lane *lane = p->lane;
    struct out_edge *e;
    int64_t bytes;

    if (!p->ready) {
        return GP_EPROTO;
    }
    if (c->edge & BATCH_UNMANAGED) {
        return unmanaged_refill(lane, p, c->edge & ~BATCH_UNMANAGED, c->dst, c->bytes);
    }
    if (c->edge >= lane->topology->plan->edge_count || !lane->out_edges[c->edge]) {
        return GP_EPROTO;
    }
    e = lane->out_edges[c->edge];
    if (c->dst >= e->targets) {
        return GP_EPROTO;
    }
    if (e->lane_of[c->dst] != p->index) {
        return 0; /* it has moved: that account is no more */
    }
    if (c->kind != BATCH_CREDIT_BYTES) {
        return c->kind == BATCH_CREDIT_LARGE ? large_on_grant(lane, p, c->edge, c->dst) : GP_EPROTO;
    }
    /* More than was drawn would let the account grow without bound. */
    bytes = (int64_t)p->window_out - out_edge_held(e, c->dst) - e->credit[c->dst];
    if (c->bytes > bytes) {
        if (lane->moves == 0) {
            return GP_EPROTO;
        }
        /* Of a session before the task went and came back. */
        out_edge_refill(e, c->dst, (uint32_t)bytes);
        return 0;
    }
    out_edge_refill(e, c->dst, c->bytes);
    return 0;
}

void neighbour_take_credit(struct neighbour *p, const struct batch_credit *credit)
{
    if (UNLIKELY(take_credit(p, credit) < 0)) {
        ASSERT(p->kind == NEIGHBOUR_STREAM);
        neighbour_fail(p, GP_EPROTO, "credit for what was not sent");
    }
}

void neighbour_fail(struct neighbour *p, int code, const char *text)
{
    struct lane *lane = p->lane;

    if (p->failed) {
        return;
    }
    ASSERT(p->kind == NEIGHBOUR_STREAM);
    p->failed = true;
    LOG_WARN(lane->env->log, "link.failed", KV_U64("lane", lane->index),
             KV_U64("executor", lane->topology->lanes[p->index].executor), KV_CODE("code", code),
             KV_STR("text", text));
    neighbour_stream_refuse(p, code, text); /* neighbour_stream_down() follows */
}

void neighbour_fail_batch(struct neighbour *p, int code)
{
    if (code == GP_EFULL) {
        counter_add(&p->lane->stats.overdrawn, 1);
        neighbour_fail(p, code, "it sends more than it has credit for");
    } else {
        counter_add(&p->lane->stats.bad_batches, 1);
        neighbour_fail(p, code, "a batch is malformed");
    }
}

/* Reads in place what this lane sent to itself. */
static void pump_local(struct neighbour *p)
{
    struct batch *b;

    while ((b = neighbour_next_queued(p)) != NULL) {
        b->parcel = (struct parcel){.neighbour = p, .batch = b};
        p->seen_seq = b->seq + 1;
        if (inbox_accept_take(p->lane, &b->parcel, batch_body(b), batch_body_len(b)) < 0) {
            UNREACHABLE(); /* our own bytes */
        }
    }
}

void neighbour_pump(struct neighbour *p)
{
    list_remove(&p->dirty);
    switch (p->kind) {
    case NEIGHBOUR_LOCAL:
        pump_local(p);
        break;
    case NEIGHBOUR_RING:
        if (!neighbour_ring_pump(p)) {
            neighbour_mark_dirty(p);
        }
        break;
    default:
        neighbour_stream_pump(p);
        break;
    }
}
