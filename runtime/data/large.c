/*
 * large.c: the sending side of messages that do not fit a batch. See large.h.
 *
 * Invariants: of one account at most one message is past QUEUED; lane.large_out is in order of
 * emission; an out_edge with pending messages has large_count > 0.
 */
#include "data/large.h"

#include <stdlib.h>

#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

#define FRAGMENTS_PER_TURN 4u
#define YIELD_BATCHES      4u /* that a message fills: shorter ones hold nobody up for long */
#define SHARED_NS          INT64_C(1000000000) /* since rows went there: they may again */
#define IN_FLIGHT_MAX      8u   /* batches a neighbour may hold before fragments wait */
#define PIECE_MIN          512u /* a smaller rest of a batch is not worth a fragment */

enum large_state {
    LARGE_QUEUED,
    LARGE_REQUESTED,
    LARGE_SENDING,
};

struct large_out {
    struct list_node node; /* in lane.large_out */
    struct out_edge *edge;
    uint32_t dst;
    uint32_t source;
    uint64_t session;
    uint64_t number; /* of this lane's, in order */
    enum large_state state;
    bool is_adrift; /* its task has moved, and the link to its lane is not there yet */
    struct batch_fragment head;
    uint32_t total;  /* bytes of key and value */
    int64_t sent_ns; /* the last fragment */
    uint8_t bytes[];
};

static int32_t refuse(struct task *t, const char *text)
{
    t->api.service->fail(&t->api, gp_str_of(text));
    t->refused = true;
    return GP_FAIL;
}

static struct neighbour *neighbour_of(const struct out_edge *e, uint32_t dst)
{
    return e->neighbours[e->lane_of[dst]];
}

/* Room for a piece in what is left of the open batch, or in the next one. */
static uint32_t piece_room(const struct neighbour *p)
{
    const uint32_t around = BATCH_ELEMENT_SIZE + BATCH_FRAGMENT_SIZE;
    uint32_t whole = p->lane->options->batch_bytes - BATCH_FRAME_HEADER_SIZE - around;
    size_t left = p->open ? (size_t)(p->batch_end - p->cursor) : 0;

    whole &= ~7u;
    if (left < around + PIECE_MIN || left < around + whole / 8) {
        return whole;
    }
    return ((uint32_t)left - around) & ~7u;
}

/* Copies `len` bytes at `offset` of key and value as one. */
static void copy_piece(uint8_t *to, const struct batch_fragment *head, const uint8_t *key,
                       const uint8_t *value, uint32_t len)
{
    uint32_t offset = head->offset;
    uint32_t of_key = 0;

    if (offset < head->key_len) {
        of_key = head->key_len - offset < len ? head->key_len - offset : len;
        memcpy(to, key + offset, of_key);
        offset += of_key;
    }
    memcpy(to + of_key, value + (offset - head->key_len), len - of_key);
}

/* One fragment, as long as fits. Moves head->offset on. */
static int put_fragment(struct neighbour *p, const struct batch_element *what,
                        struct batch_fragment *head, const uint8_t *key, const uint8_t *value)
{
    uint32_t left = head->key_len + head->value_len - head->offset;
    uint32_t room = piece_room(p);
    uint32_t len = left < room ? left : room;
    struct batch_element e = *what;
    uint8_t *at;

    e.kind = BATCH_FRAGMENT;
    e.bytes = BATCH_FRAGMENT_SIZE + ALIGN_UP(len, 8u);
    at = neighbour_reserve_element(p, &e);
    if (!at) {
        return GP_ENOMEM;
    }
    put_u64_le(at + e.bytes - 8, 0); /* padding */
    batch_fragment_put(at, head);
    copy_piece(at + BATCH_FRAGMENT_SIZE, head, key, value, len);
    head->offset += len;
    return 0;
}

static struct batch_element element_for(const struct out_edge *e, uint32_t source, uint32_t dst,
                                        uint64_t session)
{
    return (struct batch_element){
        .edge = e->edge, .source = source, .dst = dst, .session = session};
}

/* All of it, now: no more than a window, as rows would take. */
static int32_t put_now(struct task *t, struct out_edge *e, uint32_t dst,
                       struct batch_fragment *head, const struct gp_msg *m)
{
    struct neighbour *p = neighbour_of(e, dst);
    struct batch_element what = element_for(e, t->api.index, dst, t->session);

    do {
        if (put_fragment(p, &what, head, (const uint8_t *)m->key, (const uint8_t *)m->value) < 0) {
            return refuse(t, "out of memory for messages");
        }
    } while (head->offset < head->key_len + head->value_len);
    return GP_OK;
}

/* Asks the receiver for room. In order with the rows before it. */
static int request(struct large_out *out)
{
    struct neighbour *p = neighbour_of(out->edge, out->dst);
    struct batch_element e = element_for(out->edge, out->source, out->dst, out->session);
    uint8_t body[8];

    e.kind = BATCH_LARGE_REQUEST;
    e.bytes = sizeof(body);
    put_u64_le(body, out->total);
    return neighbour_put_element(p, &e, body);
}

/* Begins with a message that nothing of its account is before any more. */
static int advance(struct large_out *out)
{
    uint32_t window = neighbour_of(out->edge, out->dst)->window_out;

    if (out->total <= window) {
        out->state = LARGE_SENDING; /* small, it merely had to wait its turn */
        return 0;
    }
    out->state = LARGE_REQUESTED;
    return request(out);
}

static struct large_out *find(const struct lane *lane, const struct out_edge *e, uint32_t dst)
{
    LIST_FOREACH (node, &lane->large_out) {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);

        if (out->edge == e && out->dst == dst) {
            return out;
        }
    }
    return NULL;
}

bool large_is_pending(const struct out_edge *e, uint32_t dst)
{
    return e->large_count > 0 && find(e->stage->lane, e, dst) != NULL;
}

/* Whether rows go there, too, which a long message would hold up. */
static bool is_shared(const struct neighbour *p)
{
    return p->kind != NEIGHBOUR_LOCAL && p->lane->now_ns - p->rows_ns < SHARED_NS;
}

static int32_t put_later(struct task *t, struct out_edge *e, uint32_t dst,
                         const struct batch_fragment *head, const struct gp_msg *m)
{
    struct lane *lane = t->stage->lane;
    uint32_t total = head->key_len + head->value_len;
    bool is_first = !large_is_pending(e, dst);
    struct large_out *out = (struct large_out *)large_alloc(lane, sizeof(*out) + total);

    if (!out) {
        return refuse(t, "out of memory for a large message");
    }
    *out = (struct large_out){.edge = e,
                              .dst = dst,
                              .source = t->api.index,
                              .session = t->session,
                              .number = ++lane->large_last,
                              .state = LARGE_QUEUED,
                              .sent_ns = lane->now_ns,
                              .head = *head,
                              .total = total};
    if (head->key_len > 0) {
        memcpy(out->bytes, m->key, head->key_len);
    }
    memcpy(out->bytes + head->key_len, m->value, head->value_len);
    list_node_init(&out->node);
    list_push_back(&lane->large_out, &out->node);
    lane->large_bytes += total;
    e->large_count++;
    if (is_first && advance(out) < 0) {
        return refuse(t, "out of memory for messages");
    }
    return GP_OK;
}

static void count(struct out_edge *e, struct neighbour *p, uint32_t dst, uint32_t bytes)
{
    counter_add(&p->lane->stats.large, 1);
    if (p->sent) {
        p->sent[e->edge]++;
    }
    counter_add(&e->rows[p->edge_kind], 1);
    counter_add(&e->bytes[p->edge_kind], bytes);
    if (e->counts && (e->kind != PLAN_BROADCAST || dst == 0)) {
        counter_add(&e->stage->out_rows, 1);
    }
}

int32_t large_put(struct task *t, struct output *o, uint32_t dst, const struct gp_msg *m,
                  uint32_t key_len, uint64_t hash)
{
    struct out_edge *e = o->edge;
    struct batch_fragment head = {.flags = m->flags & GP_MSG_KEYED,
                                  .key_len = key_len,
                                  .value_len = m->value_len,
                                  .hash = hash,
                                  .time_ns = m->time_ns};
    struct neighbour *p = neighbour_of(e, dst);
    uint32_t total = key_len + m->value_len;
    bool later = total > p->window_out || large_is_pending(e, dst) ||
                 (total >= YIELD_BATCHES * p->lane->options->batch_bytes && is_shared(p));
    int32_t rc;

    o->token = OUTPUT_STALE; /* rows that follow ask whether they must wait, even with a run open */
    rc = later ? put_later(t, e, dst, &head, m) : put_now(t, e, dst, &head, m);
    if (rc == GP_OK) {
        out_edge_draw(e, p->index, dst, row_size(key_len, m->value_len));
        count(e, p, dst, row_size(key_len, m->value_len));
    }
    return rc;
}

int large_on_grant(struct lane *lane, const struct neighbour *from, uint32_t edge, uint32_t dst)
{
    struct out_edge *e = lane->out_edges[edge];
    struct large_out *out = find(lane, e, dst);

    (void)from; /* that dst is on its lane was checked */
    if (!out || out->state != LARGE_REQUESTED) {
        return lane->moves > 0 ? 0 : GP_EPROTO; /* asked for in an earlier session */
    }
    out->state = LARGE_SENDING;
    lane->large_granted = true;
    return 0;
}

/* A watermark or the end may have waited for what is gone now. */
static void tell_stage(const struct out_edge *e)
{
    if (e->large_count == 0 || e->stage->time_behind > 0) {
        stage_task_changed(e->stage);
    }
}

static void finish(struct lane *lane, struct large_out *out)
{
    struct out_edge *e = out->edge;
    struct large_out *next;

    list_remove(&out->node);
    lane->large_bytes -= out->total;
    e->large_count--;
    next = find(lane, e, out->dst);
    large_dealloc(lane, out);
    if (next) {
        /* Without memory for one batch there is no way to go on in order. */
        ASSERT(advance(next) == 0);
    }
    tell_stage(e);
}

/* All that is left of it, at once. */
static void put_rest(struct lane *lane, struct large_out *out)
{
    struct neighbour *p = neighbour_of(out->edge, out->dst);
    struct batch_element what = element_for(out->edge, out->source, out->dst, out->session);

    out->sent_ns = lane->now_ns;
    while (out->head.offset < out->total) {
        ASSERT(put_fragment(p, &what, &out->head, out->bytes, out->bytes + out->head.key_len) == 0);
    }
}

/* True if it could go on at once. */
static bool send_some(struct lane *lane, struct large_out *out, uint32_t most)
{
    struct neighbour *p = neighbour_of(out->edge, out->dst);
    struct batch_element what = element_for(out->edge, out->source, out->dst, out->session);

    for (uint32_t i = 0; i < most; i++) {
        /* Not for ever: what the neighbour holds may wait for this very message. */
        if (p->in_flight >= IN_FLIGHT_MAX &&
            lane->now_ns - out->sent_ns < lane->options->linger_ns) {
            return false;
        }
        out->sent_ns = lane->now_ns;
        ASSERT(put_fragment(p, &what, &out->head, out->bytes, out->bytes + out->head.key_len) == 0);
        if (out->head.offset == out->total) {
            finish(lane, out);
            return true;
        }
    }
    return true;
}

/*
 * On a link that rows use, too, they take turns: in each turn of the lane what there is of them
 * goes first, and then one batch of fragments.
 */
static bool send_between(struct lane *lane, struct large_out *out)
{
    struct neighbour *p = neighbour_of(out->edge, out->dst);
    uint64_t turn = counter_get(&lane->stats.turns);
    bool could;

    if (p->fed_turn == turn && !p->open) {
        return p->in_flight < IN_FLIGHT_MAX; /* another one has had it */
    }
    if (p->fed_turn != turn) {
        p->fed_turn = turn;
        neighbour_flush(p);
    }
    could = send_some(lane, out, 1);
    if (p->open && p->batch_end - p->cursor < PIECE_MIN) {
        neighbour_flush(p);
    }
    return could;
}

static void flush_fed(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->other_count; i++) {
        if (lane->others[i]->fed_turn == counter_get(&lane->stats.turns)) {
            neighbour_flush(lane->others[i]);
        }
    }
}

bool large_pump(struct lane *lane)
{
    bool more = false;

    lane->large_waits = false;
    lane->large_granted = false;
    LIST_FOREACH_SAFE(node, &lane->large_out)
    {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);
        bool could;

        if (out->state != LARGE_SENDING || out->edge->to->is_leaving[out->dst]) {
            continue;
        }
        could = is_shared(neighbour_of(out->edge, out->dst))
                    ? send_between(lane, out)
                    : send_some(lane, out, FRAGMENTS_PER_TURN);
        more = more || could;
        lane->large_waits = lane->large_waits || !could;
    }
    flush_fed(lane);
    return more && !list_is_empty(&lane->large_out);
}

void large_finish_leaving(struct lane *lane)
{
    LIST_FOREACH_SAFE(node, &lane->large_out)
    {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);
        struct out_edge *e = out->edge;

        if (out->state != LARGE_SENDING || out->head.offset == 0 || !e->to->is_leaving[out->dst]) {
            continue;
        }
        put_rest(lane, out);
        finish(lane, out); /* one behind it waits for its turn, there or elsewhere */
    }
}

void large_follow(struct out_edge *e, uint32_t dst, struct neighbour *from)
{
    LIST_FOREACH (node, &e->stage->lane->large_out) {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);

        if (out->edge != e || out->dst != dst || out->is_adrift) {
            continue;
        }
        ASSERT(out->head.offset == 0);
        out->state = LARGE_QUEUED;
        out->is_adrift = true;
        if (from && from->sent) {
            from->sent[e->edge]--;
        }
    }
}

void large_begin_adrift(struct lane *lane)
{
    LIST_FOREACH (node, &lane->large_out) {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);
        struct out_edge *e = out->edge;
        struct neighbour *p;

        if (!out->is_adrift || e->lane_of[out->dst] == TOPOLOGY_PARKED) {
            continue;
        }
        p = neighbour_of(e, out->dst);
        if (!p->ready) {
            continue;
        }
        out->is_adrift = false;
        out_edge_draw_row(e, out->dst, row_size(out->head.key_len, out->head.value_len));
        if (p->sent) {
            p->sent[e->edge]++;
        }
        if (find(lane, e, out->dst) == out) {
            ASSERT(advance(out) == 0);
            lane->large_granted = lane->large_granted || out->state == LARGE_SENDING;
        }
    }
}

uint64_t large_oldest(const struct stage *s)
{
    LIST_FOREACH (node, &s->lane->large_out) {
        const struct large_out *out = LIST_ENTRY(node, struct large_out, node);

        if (out->edge->stage == s) {
            return out->number;
        }
    }
    return 0;
}

bool large_is_sending(const struct task *t)
{
    LIST_FOREACH (node, &t->stage->lane->large_out) {
        const struct large_out *out = LIST_ENTRY(node, struct large_out, node);

        if (out->edge->stage == t->stage && out->source == t->api.index) {
            return true;
        }
    }
    return false;
}

void large_drop(struct neighbour *p)
{
    struct lane *lane = p->lane;

    LIST_FOREACH_SAFE(node, &lane->large_out)
    {
        struct large_out *out = LIST_ENTRY(node, struct large_out, node);
        struct out_edge *e = out->edge;

        if (e->lane_of[out->dst] != p->index || out->is_adrift) {
            continue;
        }
        list_remove(&out->node);
        lane->large_bytes -= out->total;
        e->large_count--;
        tell_stage(e);
        large_dealloc(lane, out);
    }
}

bool large_is_full(const struct lane *lane)
{
    return lane->large_bytes >= lane->options->large_budget_bytes;
}

void large_deinit(struct lane *lane)
{
    while (!list_is_empty(&lane->large_out)) {
        struct large_out *out =
            LIST_ENTRY(list_pop_front(&lane->large_out), struct large_out, node);

        large_dealloc(lane, out);
    }
}
