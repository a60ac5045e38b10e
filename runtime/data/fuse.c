/*
 * fuse.c: see fuse.h. How a task is called with a list of views stands in task_call.c.
 */
#include "data/fuse.h"

#include <stdlib.h>

#include "base/hash_key.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/task_call.h"

_Static_assert(VIEWS_MAX <= FUSE_ROWS, "what was passed on fits a list");

/* ---- whether ---- */

/* The one task that all rows of t go to, if it lives on this lane. */
static struct task *target(const struct task *t)
{
    const struct lane *lane = t->stage->lane;
    const struct out_edge *e = t->stage->out_edges;
    uint32_t dst = 0;
    struct stage *s;

    if (!t->fuse.can) {
        return NULL;
    }
    if (e->kind == PLAN_FORWARD) {
        dst = t->api.index;
    } else if (e->targets > 1) {
        if (e->choice_count > 1 || !e->choice) {
            return NULL;
        }
        dst = e->choice[0];
    }
    if (e->lane_of[dst] != lane->index) {
        return NULL;
    }
    s = lane->stages[lane->topology->plan->edges[e->edge].to];
    return s->table.poll ? NULL : s->tasks[e->to->local_of[dst]];
}

static bool could_be_called(const struct task *t)
{
    return t->state == TASK_RUNNING && t->place == TASK_NOWHERE && !t->in_head && !t->waiting &&
           t->pending == TASK_PENDING_NONE && t->leaving == 0 && task_may_emit(t);
}

static bool nothing_is_on_its_way(const struct task *t)
{
    const struct lane *lane = t->stage->lane;

    return !lane->aligning && !lane->self->held_head &&
           lane->self->seen_seq >= t->outputs->unread && t->outputs->edge->large_count == 0;
}

struct task *fuse_way(const struct task *t)
{
    struct task *to = target(t);

    return to && could_be_called(to) && nothing_is_on_its_way(t) ? to : NULL;
}

static struct fuse_list *list_of(struct lane *lane)
{
    if (lane->fuse_depth == FUSE_DEPTH_MAX) {
        return NULL;
    }
    if (!lane->fuse_lists[lane->fuse_depth]) {
        lane->fuse_lists[lane->fuse_depth] = (struct fuse_list *)malloc(sizeof(struct fuse_list));
    }
    return lane->fuse_lists[lane->fuse_depth];
}

void fuse_free_lists(struct lane *lane)
{
    for (uint32_t i = 0; i < FUSE_DEPTH_MAX; i++) {
        free(lane->fuse_lists[i]);
    }
}

void fuse_prepare(struct task *t)
{
    struct task *to = target(t);

    if (!to) {
        return;
    }
    if (to->place == TASK_RUNNABLE) {
        list_remove(&to->node);
        task_run(to);
    } else {
        fuse_prepare(to);
    }
}

static int32_t emit_fused(struct gp_out *out, uint32_t port, const struct gp_msg *m);
static int32_t emit_row_fused(struct gp_out *out, uint32_t port, const struct gp_row *row);

/* Who kept the functions of an open way can call them all the same. */
static void bind_ordinary(struct task *t)
{
    t->out.emit = t->fuse.emit;
    t->out.emit_row = t->fuse.emit_row;
}

void fuse_open(struct task *t)
{
    struct fuse *f = &t->fuse;
    struct task *to = fuse_way(t);
    uint32_t credit;

    if (!to) {
        return;
    }
    f->list = list_of(t->stage->lane);
    if (!f->list) {
        return;
    }
    ASSERT(t->outputs->edge->credit[to->api.index] > 0); /* or t could not have been called */
    credit = (uint32_t)t->outputs->edge->credit[to->api.index];
    credit = credit < FUSE_BYTES_MAX ? credit : FUSE_BYTES_MAX;
    f->to = to;
    f->at = f->list->views;
    f->end = f->at + FUSE_ROWS;
    f->copy = f->list->bytes;
    f->granted = credit;
    f->room_more = credit / 3; /* for who has more to emit when gp_out_full() says so */
    f->room = credit - f->room_more;
    t->out.emit = emit_fused;
    t->out.emit_row = emit_row_fused;
}

/* Rows that are late here are not passed on as they are: who gets them may be behind. While they
 * can be, the list has no room, and emit asks what to do. */
static void open_pass(struct fuse *f, const struct task_rows *rows)
{
    uint32_t bytes = rows->bytes > 0 ? rows->bytes : row_size_of_views(rows->views, rows->count);

    if (bytes <= f->room) {
        f->passed = rows->views;
        f->pass = rows->views;
        f->pass_end = rows->views + rows->count;
        f->pass_bytes = bytes;
        f->end = f->at;
    }
}

void fuse_offer(struct task *t, const struct task_rows *rows)
{
    struct fuse *f = &t->fuse;

    if (f->list) {
        f->kept = rows->kept;
        f->kept_bytes = rows->kept_bytes;
        if (f->passes && !t->offers_late) {
            open_pass(f, rows);
        }
    }
}

/* The rows that were passed on have left what room there is. Their number. */
static uint32_t close_pass(struct fuse *f)
{
    uint32_t n = (uint32_t)(f->pass - f->passed);
    uint32_t bytes = f->pass == f->pass_end ? f->pass_bytes : row_size_of_views(f->passed, n);

    ASSERT(bytes <= f->room);
    f->room -= bytes;
    f->pass = NULL;
    f->pass_end = NULL;
    return n;
}

/* Something else is emitted: what was passed on becomes the beginning of a list. */
static void list_passed(struct fuse *f)
{
    uint32_t n = close_pass(f);

    memcpy(f->at, f->passed, n * sizeof(*f->at));
    f->at += n;
    f->end = f->list->views + FUSE_ROWS;
    f->passes = n > 0;
}

/* What it was, and its rows: those in the list or those that were passed on. */
static struct task_rows close_list(struct task *t, struct fuse *ret)
{
    struct fuse *f = &t->fuse;
    struct task_rows rows = {.views = f->list->views};

    if (f->pass) {
        rows.views = f->passed;
        rows.count = close_pass(f);
    } else {
        rows.count = (uint32_t)(f->at - f->list->views);
    }
    rows.bytes = f->granted - f->room - f->room_more;
    *ret = *f;
    f->list = NULL;
    f->at = NULL;
    f->end = NULL;
    f->room = 0;
    f->kept = NULL;
    f->kept_bytes = 0;
    bind_ordinary(t);
    return rows;
}

/* ---- the ordinary way ---- */

static void send(struct task *t, const struct gp_row *views, uint32_t n)
{
    counter_add(&t->stage->lane->stats.spilled, n);
    for (uint32_t i = 0; i < n; i++) {
        struct gp_msg m = gp_msg_of_row(&views[i]);
        int32_t rc = t->fuse.emit(&t->out, 0, &m);

        if (rc != GP_OK) {
            t->refused = true; /* it has been said why */
            return;
        }
    }
    cursor_take_back(t);
}

void fuse_spill(struct task *t)
{
    struct fuse was;

    if (t->fuse.list) {
        struct task_rows rows = close_list(t, &was);

        send(t, rows.views, rows.count);
    }
}

/* ---- emit ---- */

/* There is room for the row, if gp_out_full() has to say that there will not be much longer. */
static bool has_room(struct task *t, uint32_t size)
{
    struct fuse *f = &t->fuse;

    if (f->at < f->end && size <= f->room) {
        return true;
    }
    t->out.full = 1;
    f->end = f->list->views + FUSE_ROWS_MAX;
    f->room += f->room_more;
    f->room_more = 0;
    return f->at < f->end && size <= f->room;
}

/* Whether they stay where they are until the row is done. */
static inline bool is_kept(const struct fuse *f, const void *bytes)
{
    return (uintptr_t)bytes - (uintptr_t)f->kept < f->kept_bytes;
}

/* As in a row, zeros follow up to the next whole word. */
static inline const void *copy(struct fuse *f, const void *bytes, uint32_t len)
{
    uint8_t *to = f->copy;

    if (len > 0) {
        f->copy = to + ALIGN_UP(len, 8u);
        put_u64_le(f->copy - 8, 0);
        row_copy(to, bytes, len);
    }
    return to;
}

/* Where they do. */
static inline const void *keep(struct fuse *f, const void *bytes, uint32_t len)
{
    return is_kept(f, bytes) ? bytes : copy(f, bytes, len);
}

/* There is room. The fields of m are read before any of the row is written: the compiler must think
 * that they overlap. */
static inline int32_t append(struct task *t, const struct gp_msg *m, const void *key,
                             uint32_t key_len, const void *value, uint64_t hash, uint32_t flags,
                             uint32_t size)
{
    struct fuse *f = &t->fuse;
    struct gp_row *row = f->at;
    uint32_t value_len = m->value_len;
    int64_t time_ns = m->time_ns;

    f->at = row + 1;
    f->room -= size;
    row->time_ns = time_ns;
    row->key_hash = hash;
    row->key = key;
    row->value = value;
    row->key_len = key_len;
    row->value_len = value_len;
    row->flags = flags;
    row->source = t->api.index;
    return GP_OK;
}

static __attribute__((noinline)) int32_t append_keyed(struct task *t, const struct gp_msg *m,
                                                      uint32_t size)
{
    const void *key = keep(&t->fuse, m->key, m->key_len);
    uint64_t hash =
        m->flags & GP_MSG_HASHED ? m->key_hash : hash_key(m->key, m->key_len, t->stage->hash_seed);

    return append(t, m, key, m->key_len, keep(&t->fuse, m->value, m->value_len), hash, ROW_KEYED,
                  size);
}

static __attribute__((noinline)) int32_t append_copy(struct task *t, const struct gp_msg *m,
                                                     uint32_t size)
{
    const void *value = copy(&t->fuse, m->value, m->value_len);

    return append(t, m, value, 0, value, 0, 0, size);
}

/* With a key, or when there is no room, or when the way is not open. */
static __attribute__((noinline)) int32_t emit_else(struct gp_out *out, uint32_t port,
                                                   const struct gp_msg *m)
{
    struct task *t = task_of_out(out);
    struct fuse *f = &t->fuse;
    uint32_t key_len = m->flags & GP_MSG_KEYED ? m->key_len : 0;
    uint32_t size;

    if (f->pass) {
        list_passed(f);
        return emit_fused(out, port, m);
    }
    if (!f->list || port != 0 || m->size < sizeof(*m)) {
        return f->emit(out, port, m);
    }
    size = row_size(key_len, m->value_len);
    if ((uint64_t)key_len + m->value_len > t->small_max || !has_room(t, size)) {
        fuse_spill(t);
        return t->refused ? GP_FAIL : f->emit(out, port, m);
    }
    return m->flags & GP_MSG_KEYED ? append_keyed(t, m, size) : append_copy(t, m, size);
}

/* Without key, and all the rest is as it should be: a leaf, whose registers are all scratch. */
static int32_t emit_fused(struct gp_out *out, uint32_t port, const struct gp_msg *m)
{
    struct task *t = task_of_out(out);
    struct fuse *f = &t->fuse;
    uint64_t size = ALIGN_UP(ROW_HEADER_SIZE + (uint64_t)m->value_len, UINT64_C(8));
    const void *value = m->value;

    if (UNLIKELY((port | m->flags) != 0 || m->size < sizeof(*m) || f->at == f->end ||
                 size > f->room)) {
        return emit_else(out, port, m);
    }
    /* A value without a key begins at a whole word: much code takes it for a struct. */
    if (!is_kept(f, value) || ((uintptr_t)value & 7u) != 0) {
        return append_copy(t, m, (uint32_t)size);
    }
    return append(t, m, value, 0, value, 0, 0, (uint32_t)size);
}

/* A row that is not the next one, or the way for those is not open. */
static __attribute__((noinline)) int32_t emit_row_else(struct gp_out *out, uint32_t port,
                                                       const struct gp_row *row)
{
    struct task *t = task_of_out(out);
    struct gp_msg m = gp_msg_of_row(row);

    t->fuse.passes = row->source == t->api.index;
    return t->fuse.list ? emit_fused(out, port, &m) : t->fuse.emit_row(out, port, row);
}

static int32_t emit_row_fused(struct gp_out *out, uint32_t port, const struct gp_row *row)
{
    struct task *t = task_of_out(out);
    struct fuse *f = &t->fuse;

    if (UNLIKELY(row != f->pass || row == f->pass_end || (port | (row->source ^ t->api.index)))) {
        return emit_row_else(out, port, row);
    }
    f->pass++;
    return GP_OK;
}

/* ---- the call ---- */

static void count(struct task *t, struct out_edge *e, uint32_t n, uint32_t bytes)
{
    counter_add(&e->rows[EDGE_FUSED], n);
    counter_add(&e->bytes[EDGE_FUSED], bytes);
    if (e->counts) {
        t->meter.out += n;
        counter_add(&e->stage->out_rows, n);
    }
}

void fuse_deliver(struct task *t)
{
    struct lane *lane = t->stage->lane;
    struct out_edge *e = t->outputs->edge;
    struct fuse was;
    struct task_rows rows = close_list(t, &was);
    uint32_t bytes = rows.bytes;
    uint32_t done;

    if (rows.count == 0) {
        return;
    }
    rows.port = lane->topology->plan->edges[e->edge].to_port;
    rows.kept = was.copy == was.list->bytes ? was.kept : was.list->bytes;
    rows.kept_bytes =
        was.copy == was.list->bytes ? was.kept_bytes : (size_t)(was.copy - was.list->bytes);
    t->emitted = true;
    t->fuse.reached = was.to;
    lane->fuse_depth++;
    done = task_take(was.to, &rows);
    lane->fuse_depth--;
    counter_add(&lane->stats.fused, done);
    if (UNLIKELY(done < rows.count)) {
        bytes -= row_size_of_views(rows.views + done, rows.count - done);
        send(t, rows.views + done, rows.count - done);
    }
    count(t, e, done, bytes);
    counter_add(&was.to->stage->in_bytes, bytes);
    t->fuse.taken = done;
}

void fuse_bind(struct task *t, emit_fn emit, emit_row_fn emit_row)
{
    const struct stage *s = t->stage;
    const struct out_edge *e = s->out_edges;

    t->fuse.emit = emit;
    t->fuse.emit_row = emit_row;
    bind_ordinary(t);
    t->fuse.can = s->port_count == 1 && s->out_count == 1 && e->kind != PLAN_CUSTOM &&
                  e->kind != PLAN_BROADCAST &&
                  (e->targets == 1 || e->kind == PLAN_FORWARD || e->kind == PLAN_LOCAL);
}
