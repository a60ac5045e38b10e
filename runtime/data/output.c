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
#include "data/lane.h"
#include "data/large.h"
#include "data/stage.h"
#include "data/task.h"

#define RARE __attribute__((noinline, cold))

static RARE int32_t refuse(struct task *t, const char *text)
{
    t->api.service->fail(&t->api, gp_str_of(text));
    return GP_FAIL;
}

/* Opens run and batch so that a row of `size` bytes can be written. */
static RARE int32_t make_room(struct task *t, struct output *o, struct neighbour *p,
                              uint32_t run_dst, uint32_t size)
{
    struct out_edge *e = o->edge;
    struct batch_element head = {.kind = BATCH_ROWS,
                                 .edge = e->edge,
                                 .source = t->api.index,
                                 .dst = run_dst,
                                 .session = t->session};

    if (neighbour_make_room(p, o->token, &head, size, &e->rows[p->edge_kind],
                            &e->bytes[p->edge_kind]) < 0) {
        return refuse(t, "out of memory for messages");
    }
    if (t->stage->table.poll && batch_pool_is_short(&t->stage->lane->pool)) {
        t->out.full = 1;
    }
    return GP_OK;
}

/* An account is at or below zero. */
static RARE int32_t drained(struct task *t, struct output *o, uint32_t dst, uint32_t size)
{
    struct out_edge *e = o->edge;

    if (e->credit[dst] + (int32_t)size > 0) {
        e->exhausted++;
    }
    o->left = 0;
    if (!out_edge_is_ready(e, t->api.index)) {
        t->out.full = 1;
    }
    if (t->out.full) {
        t->overdraft += size;
        if (t->overdraft > t->stage->lane->options->message_max_bytes) {
            return refuse(t, "went on emitting although the outputs are full; end the batch when "
                             "gp_out_full() says so");
        }
    }
    return GP_OK;
}

static inline int32_t draw(struct task *t, struct output *o, uint32_t dst, uint32_t size)
{
    int32_t *credit = &o->edge->credit[dst];

    *credit -= (int32_t)size;
    if (UNLIKELY(*credit <= 0)) {
        return drained(t, o, dst, size);
    }
    return GP_OK;
}

static inline int32_t put_row(struct task *t, struct output *o, struct neighbour *p,
                              uint32_t run_dst, uint32_t dst, const struct gp_msg *m, uint64_t hash,
                              uint32_t size)
{
    /* Read before anything is written: the compiler must think that the row may overlap it. */
    const void *key = m->key;
    const void *value = m->value;
    uint32_t key_len = m->key_len;
    uint32_t value_len = m->value_len;
    uint32_t flags = m->flags & GP_MSG_KEYED;
    int64_t time_ns = m->time_ns;
    uint8_t *at;

    if (UNLIKELY(p->token != o->token || size > (size_t)(p->limit - p->cursor))) {
        int32_t rc = make_room(t, o, p, run_dst, size);

        if (rc != GP_OK) {
            return rc;
        }
    }
    at = p->cursor;
    p->cursor = at + size;
    p->rows++;
    row_put_header(at, size, key_len, value_len, flags, dst, hash, time_ns);
    at += ROW_HEADER_SIZE;
    if (key_len > 0) {
        row_copy(at, key, key_len);
        at += key_len;
    }
    row_copy(at, value, value_len);
    return GP_OK;
}

static inline int32_t put_to_task(struct task *t, struct output *o, uint32_t dst,
                                  const struct gp_msg *m, uint64_t hash, uint32_t size)
{
    struct out_edge *e = o->edge;
    uint32_t lane = e->lane_of[dst];
    uint32_t run_dst = e->single[lane] ? dst : BATCH_DST_ROWS;
    int32_t rc = put_row(t, o, t->stage->lane->neighbours[lane], run_dst, dst, m, hash, size);

    return rc == GP_OK ? draw(t, o, dst, size) : rc;
}

/* The next target in turn that has credit; if none has, the next in turn. */
static RARE void retarget(struct task *t, struct output *o)
{
    struct out_edge *e = o->edge;
    struct lane *lane = t->stage->lane;
    uint32_t chosen = o->next;
    uint32_t dst;

    for (uint32_t i = 0; i < e->choice_count; i++) {
        uint32_t place =
            o->next + i < e->choice_count ? o->next + i : o->next + i - e->choice_count;

        if (e->credit[e->choice ? e->choice[place] : place] > 0) {
            chosen = place;
            break;
        }
    }
    dst = e->choice ? e->choice[chosen] : chosen;
    o->next = chosen + 1 < e->choice_count ? chosen + 1 : 0;
    o->left = RUN_BYTES;
    if (dst != o->dst || !o->neighbour) {
        o->dst = dst;
        o->neighbour = lane->neighbours[e->lane_of[dst]];
        o->token = ++lane->next_token;
    }
}

static inline int32_t put_shuffled(struct task *t, struct output *o, const struct gp_msg *m,
                                   uint64_t hash, uint32_t size)
{
    int32_t rc;

    if (UNLIKELY(o->left <= 0)) {
        retarget(t, o);
    }
    o->left -= (int32_t)size;
    rc = put_row(t, o, o->neighbour, o->dst, o->dst, m, hash, size);
    return rc == GP_OK ? draw(t, o, o->dst, size) : rc;
}

static inline int32_t put_forward(struct task *t, struct output *o, const struct gp_msg *m,
                                  uint64_t hash, uint32_t size)
{
    uint32_t dst = t->api.index;
    int32_t rc =
        put_row(t, o, t->stage->lane->neighbours[o->edge->lane_of[dst]], dst, dst, m, hash, size);

    return rc == GP_OK ? draw(t, o, dst, size) : rc;
}

static __attribute__((noinline)) int32_t put_broadcast(struct task *t, struct output *o,
                                                       const struct gp_msg *m, uint64_t hash,
                                                       uint32_t size)
{
    struct out_edge *e = o->edge;
    int32_t rc = GP_OK;

    for (uint32_t i = 0; i < e->lane_count && rc == GP_OK; i++) {
        const uint32_t *tasks;
        uint32_t count = topology_tasks_on(e->to, e->lanes[i], &tasks);

        rc =
            put_row(t, o, t->stage->lane->neighbours[e->lanes[i]], BATCH_DST_ALL, 0, m, hash, size);
        for (uint32_t k = 0; k < count && rc == GP_OK; k++) {
            rc = draw(t, o, tasks[k], size);
        }
    }
    return rc;
}

static RARE int32_t put_custom(struct task *t, struct output *o, const struct gp_msg *m,
                               uint64_t hash, uint32_t size)
{
    struct out_edge *e = o->edge;
    struct gp_msg hashed = *m;
    uint32_t dst;

    hashed.key_hash = hash;
    dst = e->partitioner->route(e->partitioner_self, &hashed, t->api.index, e->targets);
    if (dst >= e->targets) {
        return refuse(t, "the partitioner chose a task that does not exist");
    }
    return put_to_task(t, o, dst, m, hash, size);
}

static inline int32_t put(struct task *t, struct output *o, uint32_t kind, const struct gp_msg *m,
                          uint64_t hash, uint32_t size)
{
    switch (kind) {
    case PLAN_HASH:
        return put_to_task(t, o, gp_key_group_task(gp_key_group(hash), o->edge->targets), m, hash,
                           size);
    case PLAN_SHUFFLE:
    case PLAN_LOCAL:
        return put_shuffled(t, o, m, hash, size);
    case PLAN_FORWARD:
        return put_forward(t, o, m, hash, size);
    case PLAN_ROUND_ROBIN:
        o->next = o->next + 1 < o->edge->targets ? o->next + 1 : 0;
        return put_to_task(t, o, o->next, m, hash, size);
    case PLAN_BROADCAST:
        return put_broadcast(t, o, m, hash, size);
    default:
        return put_custom(t, o, m, hash, size);
    }
}

static RARE int32_t put_large(struct task *t, const struct stage_port *port, const struct gp_msg *m,
                              uint64_t hash)
{
    uint64_t total = (uint64_t)m->key_len + m->value_len;

    if (m->key_len > GP_KEY_MAX_BYTES) {
        return refuse(t, "a key is longer than 65535 bytes");
    }
    if (total > t->stage->lane->options->message_max_bytes) {
        return refuse(t, "a message is larger than message.max");
    }
    return large_emit(t, port, m, hash);
}

/* Out of line, for its code is long and would cost every emit its registers. */
static __attribute__((noinline)) uint64_t hash_of(const struct stage *s, const struct gp_msg *m)
{
    return hash_key(m->key, m->key_len, s->hash_seed);
}

/* What is the same for every way to emit: checks, hash and size. GP_MORE: go on. */
static inline int32_t prepare(struct task *t, uint32_t port, const struct gp_msg *m,
                              uint64_t *ret_hash, uint32_t *ret_size)
{
    struct stage *s = t->stage;
    uint32_t flags = m->flags;

    if (UNLIKELY(m->size < sizeof(*m))) {
        return refuse(t, "gp_msg.size is too small");
    }
    if (UNLIKELY(port >= s->port_count)) {
        counter_add(&s->lane->stats.lost, 1); /* nobody listens to this port */
        return GP_OK;
    }
    *ret_hash = 0;
    if (flags & GP_MSG_KEYED) {
        *ret_hash = flags & GP_MSG_HASHED ? m->key_hash : hash_of(s, m);
    }
    if (UNLIKELY((uint64_t)m->key_len + m->value_len > t->small_max)) {
        return put_large(t, &s->ports[port], m, *ret_hash);
    }
    *ret_size = row_size(m->key_len, m->value_len);
    t->emitted++;
    return GP_MORE;
}

/* Any ports, any edges. */
static int32_t emit(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    struct task *t = task_of_out(out);
    const struct stage_port *where;
    uint64_t hash = 0;
    uint32_t size = 0;
    int32_t rc = prepare(t, port, m, &hash, &size);

    if (rc != GP_MORE) {
        return rc;
    }
    rc = GP_OK;
    where = &t->stage->ports[port];
    for (uint32_t i = 0; i < where->count && rc == GP_OK; i++) {
        struct output *o = &t->outputs[where->first + i];

        rc = put(t, o, o->edge->kind, m, hash, size);
    }
    return rc;
}

/* One port with one edge, of a known kind: nothing is left to be asked per row. */
static inline int32_t emit_one(struct gp_out *out, uint32_t port, const struct gp_msg *m,
                               uint32_t kind)
{
    struct task *t = task_of_out(out);
    uint64_t hash = 0;
    uint32_t size = 0;
    int32_t rc = prepare(t, port, m, &hash, &size);

    return LIKELY(rc == GP_MORE) ? put(t, t->outputs, kind, m, hash, size) : rc;
}

static int32_t emit_hash(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    return emit_one(out, port, m, PLAN_HASH);
}

static int32_t emit_shuffle(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    return emit_one(out, port, m, PLAN_SHUFFLE);
}

static int32_t emit_forward(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    return emit_one(out, port, m, PLAN_FORWARD);
}

typedef int32_t (*emit_fn)(struct gp_out *out, uint32_t port, const struct gp_msg *m);

static emit_fn choose_emit(const struct stage *s)
{
    if (s->port_count != 1 || s->out_count != 1) {
        return emit;
    }
    switch (s->out_edges[0].kind) {
    case PLAN_HASH:
        return emit_hash;
    case PLAN_SHUFFLE:
    case PLAN_LOCAL:
        return emit_shuffle;
    case PLAN_FORWARD:
        return emit_forward;
    default:
        return emit;
    }
}

static bool grow_scratch(struct lane *lane, uint32_t bytes)
{
    uint8_t *buf;

    if (bytes <= lane->reserve_cap) {
        return true;
    }
    buf = (uint8_t *)realloc(lane->reserve_buf, bytes);
    if (!buf) {
        return false;
    }
    lane->reserve_buf = buf;
    lane->reserve_cap = bytes;
    return true;
}

static void *reserve(struct gp_out *out, uint32_t port, const struct gp_msg *m, uint32_t value_len)
{
    struct task *t = task_of_out(out);
    struct lane *lane = t->stage->lane;
    uint64_t bytes = (uint64_t)m->key_len + value_len;

    if (t->reserved || m->size < sizeof(*m)) {
        (void)refuse(t, "a reservation is open already");
        return NULL;
    }
    if (m->key_len > GP_KEY_MAX_BYTES || bytes > lane->options->message_max_bytes) {
        (void)refuse(t, "a reservation is larger than message.max");
        return NULL;
    }
    if (!grow_scratch(lane, (uint32_t)bytes + 8)) {
        (void)refuse(t, "out of memory for messages");
        return NULL;
    }
    t->reserved = lane->reserve_buf + m->key_len;
    if (m->key_len > 0) {
        memcpy(lane->reserve_buf, m->key, m->key_len); /* the plugin may reuse its key */
    }
    t->reserved_port = port;
    t->reserved_msg = *m;
    t->reserved_msg.key = lane->reserve_buf;
    t->reserved_msg.value = t->reserved;
    t->reserved_msg.value_len = value_len;
    return t->reserved;
}

static int32_t commit(struct gp_out *out, uint32_t value_len)
{
    struct task *t = task_of_out(out);

    if (!t->reserved || value_len > t->reserved_msg.value_len) {
        return refuse(t, "commit without a reservation, or of more than was reserved");
    }
    t->reserved = NULL;
    t->reserved_msg.value_len = value_len;
    return out->emit(out, t->reserved_port, &t->reserved_msg);
}

static int32_t watermark(struct gp_out *out, int64_t time_ns)
{
    struct task *t = task_of_out(out);

    task_pass_watermark(t, time_ns);
    return GP_OK;
}

void output_bind(struct task *t)
{
    t->out.size = (uint32_t)sizeof(t->out);
    t->out.emit = choose_emit(t->stage);
    t->small_max = t->stage->lane->small_max;
    t->out.reserve = reserve;
    t->out.commit = commit;
    t->out.watermark = watermark;
    t->out.host = t;
}

void output_end_slice(struct task *t)
{
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        t->outputs[i].left = 0;
    }
}
