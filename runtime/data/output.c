/*
 * output.c: emit: choose the task, write the row, draw the account. The hottest code of the sending
 * side: once per message. See output.h; making out_edges stands in out_edge.c.
 *
 * What is done per row: hash the key if there is one, choose, three words and two copies, a
 * subtraction. What is rare is in functions of its own, marked so: a new run, a new batch, an
 * exhausted account, a message too large for a batch.
 */
#include "data/output.h"

#include <stdlib.h>

#include <gearpump/state.h>

#include "base/hash_key.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/stage.h"
#include "data/task.h"

#define RARE __attribute__((noinline, cold))

static RARE int32_t refuse(struct task *t, const char *text)
{
    t->api.service->fail(&t->api, gp_str_of(text));
    t->refused = true;
    return GP_FAIL;
}

/* How much a run may take before somebody looks again: less than the neighbour's batch holds
 * when the accounts it draws on have less, or when it is another target's turn. */
static uint32_t grant(const struct output *o, const struct neighbour *p, uint32_t run_dst)
{
    const struct out_edge *e = o->edge;
    int64_t most = p->batch_end - p->cursor;

    if (run_dst == BATCH_DST_ROWS) {
        return (uint32_t)most; /* drawn row by row */
    }
    if (run_dst == BATCH_DST_ALL) {
        const uint32_t *tasks;
        uint32_t count = topology_tasks_on(e->to, p->index, &tasks);

        for (uint32_t i = 0; i < count; i++) {
            most = e->credit[tasks[i]] < most ? e->credit[tasks[i]] : most;
        }
    } else {
        most = e->credit[run_dst] < most ? e->credit[run_dst] : most;
    }
    if ((e->kind == PLAN_SHUFFLE || e->kind == PLAN_LOCAL) && e->choice_count > 1) {
        most = most < RUN_BYTES ? most : RUN_BYTES;
    }
    return most > 0 ? (uint32_t)most : 0;
}

/* The outputs are full: the row at hand still goes out, but not the rows of ever. */
static RARE int32_t overdraw(struct task *t, uint32_t size)
{
    t->out.full = 1;
    t->overdraft += size;
    if (t->overdraft > t->stage->lane->options->message_max_bytes) {
        return refuse(t, "went on emitting although the outputs are full; end the batch when "
                         "gp_out_full() says so");
    }
    return GP_OK;
}

/* Something of the output stands in the open batch of p: fuse.c must not overtake it. */
static void note_unread(const struct task *t, struct output *o, const struct neighbour *p)
{
    if (p == t->stage->lane->self) {
        o->unread = p->next_seq + 1;
    }
}

/*
 * What is rare: sees to it that the open run of p is this output's, towards run_dst, with room for
 * a row of `size` bytes, and that what was written before is drawn from its account.
 */
static RARE int32_t begin(struct task *t, struct output *o, struct neighbour *p, uint32_t run_dst,
                          uint32_t size)
{
    struct batch_element head = {.kind = BATCH_ROWS,
                                 .edge = o->edge->edge,
                                 .source = t->api.index,
                                 .dst = run_dst,
                                 .session = t->session};
    uint32_t granted;
    int32_t rc = GP_OK;

    t->emitted = true;
    if (neighbour_begin_run(p, o->own, &head, o->edge, size) < 0) {
        return refuse(t, "out of memory for messages");
    }
    o->token = o->own;
    note_unread(t, o, p);
    if (!out_edge_is_ready(o->edge, t->api.index)) {
        rc = overdraw(t, size);
    } else if (t->stage->table.poll && batch_pool_is_short(&t->stage->lane->pool)) {
        t->out.full = 1;
    }
    granted = grant(o, p, run_dst);
    p->limit = p->cursor + (granted > size ? granted : size);
    return rc;
}

/* Out of line, so that the callers stay leaves and keep what they need in scratch registers. */
static __attribute__((noinline)) int32_t copy_long(uint8_t *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return GP_OK;
}

/* The row itself: there is room. Everything is read from m before anything is written, for the
 * compiler must think that the row may overlap it. Ends in the longest copy. */
static inline int32_t put_row(uint8_t **cursor, uint32_t *rows, uint32_t dst,
                              const struct gp_msg *m, uint32_t key_len, uint64_t hash,
                              uint32_t size)
{
    const void *key = m->key;
    const void *value = m->value;
    uint32_t value_len = m->value_len;
    uint32_t flags = m->flags & GP_MSG_KEYED;
    int64_t time_ns = m->time_ns;
    uint8_t *at = *cursor;

    *cursor = at + size;
    *rows += 1;
    row_put_header(at, size, key_len, value_len, flags, dst, hash, time_ns);
    at += ROW_HEADER_SIZE;
    if (key_len > 0) {
        row_copy(at, key, key_len);
        at += key_len;
    }
    if (value_len > 32) {
        return copy_long(at, value, value_len);
    }
    if (value_len > 0) {
        row_copy(at, value, value_len);
    }
    return GP_OK;
}

static inline int32_t write_row(struct neighbour *p, uint32_t dst, const struct gp_msg *m,
                                uint32_t key_len, uint64_t hash, uint32_t size)
{
    return put_row(&p->cursor, &p->rows, dst, m, key_len, hash, size);
}

/* What a row needs besides the message itself. */
struct row_facts {
    uint64_t hash;
    uint32_t key_len;
    uint32_t size;
};

/* Later rows must not overtake a large message to the same task that still waits. */
static inline bool is_held_up(const struct out_edge *e, uint32_t dst)
{
    return UNLIKELY(e->large_count > 0) && large_is_pending(e, dst);
}

/* So they queue up behind it, as much as one call of user code may overdraw. */
static RARE int32_t queue_up(struct task *t, struct output *o, uint32_t dst, const struct gp_msg *m,
                             const struct row_facts *f)
{
    int32_t rc = overdraw(t, f->size);

    return rc == GP_OK ? large_put(t, o, dst, m, f->key_len, f->hash) : rc;
}

/*
 * What is rare when a row goes to one task: no open run, or an account that this row exhausts.
 * GP_MORE: the row may be written; anything else is the answer.
 */
static RARE int32_t begin_to_task(struct task *t, struct output *o, struct neighbour *p,
                                  uint32_t dst, const struct gp_msg *m, const struct row_facts *f)
{
    struct out_edge *e = o->edge;
    bool single = e->single[p->index];
    int32_t rc = GP_OK;

    if (is_held_up(e, dst)) {
        return queue_up(t, o, dst, m, f);
    }
    if (!output_is_open(o, p, f->size)) {
        rc = begin(t, o, p, single ? dst : BATCH_DST_ROWS, f->size);
        if (UNLIKELY(e->large_count > 0)) {
            o->token = OUTPUT_STALE; /* the next row may be for a task that one waits for */
        }
    }
    if (rc == GP_OK && !single && e->credit[dst] <= (int32_t)f->size) {
        rc = overdraw(t, f->size);
    }
    return rc == GP_OK ? GP_MORE : rc;
}

/* To one task, in a run of its own or in one whose rows name their task. */
static inline int32_t put_to_task(struct task *t, struct output *o, uint32_t dst,
                                  const struct gp_msg *m, const struct row_facts *f)
{
    struct out_edge *e = o->edge;
    uint32_t lane = e->lane_of[dst];
    struct neighbour *p = e->neighbours[lane];
    bool single = e->single[lane];

    if (UNLIKELY(!output_is_open(o, p, f->size) ||
                 (!single && e->credit[dst] <= (int32_t)f->size))) {
        int32_t rc = begin_to_task(t, o, p, dst, m, f);

        if (rc != GP_MORE) {
            return rc;
        }
    }
    if (!single) {
        out_edge_draw_row(e, dst, f->size);
    }
    return write_row(p, dst, m, f->key_len, f->hash, f->size);
}

/* Whether its lane takes batches now, and for it. */
static bool is_reachable(const struct out_edge *e, uint32_t dst)
{
    return !e->to->is_leaving[dst] && e->lane_of[dst] != TOPOLOGY_PARKED &&
           e->neighbours[e->lane_of[dst]]->ready;
}

/* The next target in turn that has credit; if none has, the one that lacks least, so that no
 * account is lower than one row can bring it. One is always reachable: the one that had credit when
 * the task was called. */
static void retarget(struct task *t, struct output *o)
{
    struct out_edge *e = o->edge;
    uint32_t chosen = UINT32_MAX;
    int32_t most = INT32_MIN;
    uint32_t dst;

    for (uint32_t i = 0; i < e->choice_count; i++) {
        uint32_t place =
            o->next + i < e->choice_count ? o->next + i : o->next + i - e->choice_count;

        dst = e->choice ? e->choice[place] : place;
        if (e->credit[dst] > 0) {
            chosen = place;
            break;
        }
        if (e->credit[dst] > most && is_reachable(e, dst)) {
            chosen = place;
            most = e->credit[dst];
        }
    }
    ASSERT(chosen != UINT32_MAX);
    dst = e->choice ? e->choice[chosen] : chosen;
    o->next = chosen + 1 < e->choice_count ? chosen + 1 : 0;
    if (dst != o->dst || o->neighbour->lane == NULL) {
        o->dst = dst;
        o->neighbour = e->neighbours[e->lane_of[dst]];
        o->own = ++t->stage->lane->next_token;
    }
}

/* A run is over, or the slice before: on to the next target. */
static void choose_target(struct task *t, struct output *o)
{
    if (o->neighbour->token == o->own) {
        neighbour_settle(o->neighbour); /* so that what is chosen by is true */
    }
    if (o->edge->kind == PLAN_FORWARD) {
        o->dst = t->api.index;
        o->neighbour = o->edge->neighbours[o->edge->lane_of[o->dst]];
    } else {
        retarget(t, o);
    }
}

static RARE int32_t begin_to_target(struct task *t, struct output *o, const struct gp_msg *m,
                                    const struct row_facts *f)
{
    int32_t rc;

    choose_target(t, o);
    if (is_held_up(o->edge, o->dst)) {
        return queue_up(t, o, o->dst, m, f);
    }
    rc = begin(t, o, o->neighbour, o->dst, f->size);
    return rc == GP_OK ? GP_MORE : rc;
}

/* Shuffle, local and forward: one target for a while. */
static inline int32_t put_to_target(struct task *t, struct output *o, const struct gp_msg *m,
                                    const struct row_facts *f)
{
    if (UNLIKELY(!output_is_open(o, o->neighbour, f->size))) {
        int32_t rc = begin_to_target(t, o, m, f);

        if (rc != GP_MORE) {
            return rc;
        }
    }
    return write_row(o->neighbour, o->dst, m, f->key_len, f->hash, f->size);
}

int32_t output_open(struct task *t, struct output *o, uint32_t value_len)
{
    const struct stage_port *port = &t->stage->ports[o->cursor.port];
    uint32_t size = row_size(0, value_len);
    uint32_t kind = o->edge->kind;

    if (port->count != 1 || value_len > t->small_max ||
        (kind != PLAN_SHUFFLE && kind != PLAN_LOCAL && kind != PLAN_FORWARD)) {
        return GP_AGAIN;
    }
    if (output_is_open(o, o->neighbour, size)) {
        return GP_OK;
    }
    choose_target(t, o);
    return is_held_up(o->edge, o->dst) ? GP_AGAIN : begin(t, o, o->neighbour, o->dst, size);
}

/* One by one, as large messages go. */
static int32_t put_to_each(struct task *t, struct output *o, const struct gp_msg *m,
                           const struct row_facts *f)
{
    int32_t rc = GP_OK;

    for (uint32_t dst = 0; dst < o->edge->targets && rc == GP_OK; dst++) {
        rc = large_put(t, o, dst, m, f->key_len, f->hash);
    }
    return rc;
}

/* Once per lane: all tasks there read the same row. */
static int32_t put_broadcast(struct task *t, struct output *o, const struct gp_msg *m,
                             const struct row_facts *f)
{
    struct out_edge *e = o->edge;
    int32_t rc = GP_OK;

    if (UNLIKELY(e->large_count > 0)) {
        rc = overdraw(t, f->size);
        return rc == GP_OK ? put_to_each(t, o, m, f) : rc; /* none may overtake a large one */
    }
    for (uint32_t i = 0; i < e->lane_count && rc == GP_OK; i++) {
        struct neighbour *p = e->neighbours[e->lanes[i]];

        if (!output_is_open(o, p, f->size)) {
            rc = begin(t, o, p, BATCH_DST_ALL, f->size);
        }
        if (rc == GP_OK) {
            rc = write_row(p, 0, m, f->key_len, f->hash, f->size);
        }
    }
    return rc;
}

/* The task that a custom partitioner chooses, or -1. */
static int64_t route(struct task *t, struct output *o, const struct gp_msg *m, uint64_t hash)
{
    struct out_edge *e = o->edge;
    struct gp_msg hashed = *m;
    uint32_t dst;

    hashed.key_hash = hash;
    dst = e->partitioner->route(e->partitioner_self, &hashed, t->api.index, e->targets);
    if (dst >= e->targets) {
        (void)refuse(t, "the partitioner chose a task that does not exist");
        return -1;
    }
    return dst;
}

static int32_t put_custom(struct task *t, struct output *o, const struct gp_msg *m,
                          const struct row_facts *f)
{
    int64_t dst = route(t, o, m, f->hash);

    return dst < 0 ? GP_FAIL : put_to_task(t, o, (uint32_t)dst, m, f);
}

static uint32_t take_turn(struct output *o)
{
    o->next = o->next + 1 < o->edge->targets ? o->next + 1 : 0;
    return o->next;
}

static int32_t put(struct task *t, struct output *o, const struct gp_msg *m,
                   const struct row_facts *f)
{
    switch (o->edge->kind) {
    case PLAN_HASH:
        return put_to_task(t, o, gp_key_group_task(gp_key_group(f->hash), o->edge->targets), m, f);
    case PLAN_SHUFFLE:
    case PLAN_LOCAL:
    case PLAN_FORWARD:
        return put_to_target(t, o, m, f);
    case PLAN_ROUND_ROBIN:
        return put_to_task(t, o, take_turn(o), m, f);
    case PLAN_BROADCAST:
        return put_broadcast(t, o, m, f);
    default:
        return put_custom(t, o, m, f);
    }
}

#define KEY_SHORT 16u

/* The hash of a key that is known to be short: the compiler leaves the rest of it out. */
static inline uint64_t hash_short(const void *key, uint32_t len, uint64_t seed)
{
    if (len > KEY_SHORT) {
        __builtin_unreachable();
    }
    return hash_key(key, len, seed);
}

static int32_t put_large(struct task *t, struct output *o, const struct gp_msg *m,
                         const struct row_facts *f)
{
    int64_t dst;

    switch (o->edge->kind) {
    case PLAN_BROADCAST:
        return put_to_each(t, o, m, f);
    case PLAN_HASH:
        dst = gp_key_group_task(gp_key_group(f->hash), o->edge->targets);
        break;
    case PLAN_ROUND_ROBIN:
        dst = take_turn(o);
        break;
    case PLAN_CUSTOM:
        dst = route(t, o, m, f->hash);
        break;
    default:
        choose_target(t, o);
        dst = o->dst;
        break;
    }
    return dst < 0 ? GP_FAIL : large_put(t, o, (uint32_t)dst, m, f->key_len, f->hash);
}

/* Too large for a batch. */
static RARE int32_t emit_large(struct task *t, const struct stage_port *port,
                               const struct gp_msg *m, const struct row_facts *f)
{
    const struct lane *lane = t->stage->lane;
    uint64_t total = (uint64_t)f->key_len + m->value_len;
    bool was_full = t->out.full != 0;
    int32_t rc = GP_OK;

    if (f->key_len > GP_KEY_MAX_BYTES) {
        return refuse(t, "a key is longer than 65535 bytes");
    }
    if (total > lane->options->message_max_bytes) {
        return refuse(t, "a message is larger than message.max");
    }
    if (was_full) {
        rc = overdraw(t, (uint32_t)total);
    }
    t->emitted = true;
    for (uint32_t i = 0; i < port->count && rc == GP_OK; i++) {
        struct output *o = &t->outputs[port->first + i];

        rc = put_large(t, o, m, f);
        note_unread(t, o, lane->self);
        if (!out_edge_is_ready(o->edge, t->api.index)) {
            t->out.full = 1;
        }
    }
    return rc;
}

/* Any message, any ports, any edges. */
static __attribute__((noinline)) int32_t emit_any(struct gp_out *out, uint32_t port,
                                                  const struct gp_msg *m)
{
    struct task *t = task_of_out(out);
    struct stage *s = t->stage;
    struct row_facts f = {0};
    int32_t rc = GP_OK;

    cursor_take_back(t);
    if (m->size < sizeof(*m)) {
        return refuse(t, "gp_msg.size is too small");
    }
    if (port >= s->port_count) {
        counter_add(&s->lane->stats.lost, 1); /* nobody listens to this port */
        return GP_OK;
    }
    if (m->flags & GP_MSG_KEYED) {
        f.key_len = m->key_len;
        f.hash =
            m->flags & GP_MSG_HASHED ? m->key_hash : hash_key(m->key, m->key_len, s->hash_seed);
    }
    if ((uint64_t)f.key_len + m->value_len > s->lane->small_max) {
        return emit_large(t, &s->ports[port], m, &f);
    }
    f.size = row_size(f.key_len, m->value_len);
    for (uint32_t i = 0; i < s->ports[port].count && rc == GP_OK; i++) {
        rc = put(t, &t->outputs[s->ports[port].first + i], m, &f);
    }
    return rc;
}

/* Nothing is lent, or not enough: the next message will find more. */
static __attribute__((noinline)) int32_t emit_and_lend(struct gp_out *out, uint32_t port,
                                                       const struct gp_msg *m)
{
    struct task *t = task_of_out(out);
    int32_t rc = emit_any(out, port, m);

    if (rc == GP_OK && (port | m->flags) == 0) {
        cursor_lend(t, t->outputs);
    }
    return rc;
}

/*
 * Shuffle, local and forward on the one edge of the one port, message without key, cursor lent:
 * what can be said in a few instructions. Anything else is for emit_any().
 */
static int32_t emit_to_target(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    struct output *o = task_of_out(out)->outputs;
    struct gp_cursor *c = &o->cursor;
    uint64_t size = ALIGN_UP(ROW_HEADER_SIZE + (uint64_t)m->value_len, UINT64_C(8));

    if (UNLIKELY((port | m->flags) != 0 || m->size < sizeof(*m) || !cursor_has_room(c, size))) {
        return emit_and_lend(out, port, m);
    }
    return put_row(&c->at, &c->rows, o->dst, m, 0, 0, (uint32_t)size);
}

/*
 * The same for messages with a short key on a hash edge, its run open and in credit. It calls
 * nothing it must come back from, and so keeps all it needs in scratch registers: whatever is rare
 * begins anew in emit_any(). Sizes are compared as 64 bits and with the longest key, so that none
 * wraps.
 */
static int32_t emit_hash(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    struct output *o = task_of_out(out)->outputs;
    struct out_edge *e = o->edge;
    struct neighbour *p;
    uint64_t hash;
    uint32_t size;
    uint32_t dst;
    uint32_t lane;

    if (UNLIKELY(port != 0 || m->size < sizeof(*m) || (m->flags & GP_MSG_KEYED) == 0 ||
                 m->key_len > KEY_SHORT)) {
        return emit_any(out, port, m);
    }
    hash = m->flags & GP_MSG_HASHED ? m->key_hash : hash_short(m->key, m->key_len, e->hash_seed);
    dst = gp_key_group_task(gp_key_group(hash), e->targets);
    lane = e->lane_of[dst];
    p = e->neighbours[lane];
    size = row_size(m->key_len, m->value_len);
    if (UNLIKELY(!output_is_open(o, p, ROW_HEADER_SIZE + KEY_SHORT + 8 + (uint64_t)m->value_len))) {
        return emit_any(out, port, m);
    }
    if (!e->single[lane]) {
        if (UNLIKELY(e->credit[dst] <= (int32_t)size)) {
            return emit_any(out, port, m);
        }
        out_edge_draw_row(e, dst, size);
    }
    return put_row(&p->cursor, &p->rows, dst, m, m->key_len, hash, size);
}

static int32_t emit_row_to_target(struct gp_out *out, uint32_t port, const struct gp_row *row)
{
    struct gp_msg m = gp_msg_of_row(row);

    return emit_to_target(out, port, &m);
}

static int32_t emit_row_any(struct gp_out *out, uint32_t port, const struct gp_row *row)
{
    struct gp_msg m = gp_msg_of_row(row);

    return out->emit(out, port, &m);
}

static emit_fn choose_emit(const struct stage *s)
{
    if (s->port_count != 1 || s->out_count != 1) {
        return emit_any;
    }
    switch (s->out_edges[0].kind) {
    case PLAN_HASH:
        return emit_hash;
    case PLAN_SHUFFLE:
    case PLAN_LOCAL:
    case PLAN_FORWARD:
        return emit_to_target;
    default:
        return emit_any;
    }
}

static int32_t watermark(struct gp_out *out, int64_t time_ns)
{
    struct task *t = task_of_out(out);

    t->emitted = true; /* who promises is not silent */
    task_pass_watermark(t, time_ns);
    return GP_OK;
}

void output_bind(struct task *t)
{
    emit_fn emit = choose_emit(t->stage);
    bool here = emit == emit_to_target; /* where reserved messages without key are built */

    t->out.size = (uint32_t)sizeof(t->out);
    fuse_bind(t, emit, here ? emit_row_to_target : emit_row_any);
    t->small_max = t->stage->lane->small_max;
    t->out.reserve = here ? output_reserve : output_reserve_aside;
    t->out.commit = here ? output_commit : output_commit_aside;
    t->out.watermark = watermark;
    t->out.host = t;
}

void output_end_slice(struct task *t)
{
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        t->outputs[i].token = OUTPUT_STALE;
    }
}
