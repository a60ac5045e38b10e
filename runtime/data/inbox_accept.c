/*
 * inbox_accept.c: the walk over the elements of an arrived batch. The one place where bytes of
 * another process become indices of ours: each is checked here, save the bounds of rows in runs for
 * one task, which inbox.c checks when it builds their views.
 */
#include <stdlib.h>

#include "actor/rbuf.h"
#include "data/inbox.h"
#include "data/lane.h"
#include "data/large.h"
#include "data/measure.h"
#include "data/move.h"
#include "data/stage.h"
#include "data/task.h"

static void touch(struct inlink *link)
{
    if (UNLIKELY(!link->owed)) {
        link->owed = (uint32_t *)calloc(link->stage->task_count + 1u, sizeof(*link->owed));
        ASSERT(link->owed);
    }
}

/* Whether a task was here already for the sender when it said: all tasks there. */
static bool is_meant(const struct inlink *link, const struct task *t)
{
    return LIKELY(t->came <= link->neighbour->moved);
}

/* So many bytes more of the link's accounts are drawn. Of those who share this process it is
 * known. */
static int take(struct inlink *link, uint64_t bytes)
{
    int64_t max = link->taken_max * link->stage->task_count + link->taken_max_once;

    link->taken += (int64_t)bytes;
    return UNLIKELY(link->taken > max && link->neighbour->kind == NEIGHBOUR_STREAM) ? GP_EFULL : 0;
}

/* ... of all tasks that are meant when the sender says: all tasks there. */
static int take_all(struct inlink *link, const struct batch_element *e)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < link->stage->task_count; i++) {
        tasks += is_meant(link, link->stage->tasks[i]);
    }
    link->arrived += (uint64_t)e->rows * tasks;
    return take(link, (uint64_t)e->bytes * tasks);
}

static struct entry *new_entry(struct lane *lane, struct parcel *parcel, struct inlink *link,
                               const struct batch_element *e, enum entry_kind kind)
{
    struct entry *entry = inbox_new_entry(lane);

    parcel->refs++;
    entry->parcel = parcel;
    entry->link = link;
    entry->kind = kind;
    entry->source = e->source;
    entry->rows = e->rows;
    return entry;
}

static void deliver_range(struct lane *lane, struct parcel *parcel, struct inlink *link,
                          const struct batch_element *e, uint32_t local)
{
    struct task *t = link->stage->tasks[local];
    struct entry *entry;

    if (UNLIKELY(!task_takes(t))) {
        inbox_drop(t, link, e->rows, e->bytes);
        return;
    }
    entry = new_entry(lane, parcel, link, e, ENTRY_RANGE);
    entry->at = e->body;
    entry->u.end = e->body + e->bytes;
    parcel->live_bytes += e->bytes;
    if (parcel->is_lent) {
        parcel->entry = entry;
    }
    inbox_push(t, entry);
    task_ready(t);
}

/* Position in the stage of a task that a neighbour names, or -1. */
static int64_t local_of(const struct lane *lane, const struct stage *s, uint32_t dst)
{
    if (UNLIKELY(dst >= s->topology->tasks || s->topology->lane_of[dst] != lane->index)) {
        return -1;
    }
    return s->topology->local_of[dst];
}

/* First pass: bounds and owner of each row, rows per task. Their count, or GP_EPROTO. */
static int count_rows(struct lane *lane, const struct stage *s, const struct batch_element *e,
                      const uint8_t *base, uint32_t *ret_touched)
{
    const uint8_t *at = e->body;
    const uint8_t *end = at + e->bytes;
    uint32_t n = 0;

    for (; at < end; n++) {
        uint64_t word0 = row_word(at);
        uint32_t size = row_check(word0, (size_t)(end - at));
        int64_t local = size > 0 ? local_of(lane, s, row_word_dst(word0)) : -1;

        if (UNLIKELY(local < 0)) {
            return GP_EPROTO;
        }
        lane->sort_locals[n] = (uint32_t)local;
        lane->sort_offsets[n] = (uint16_t)((size_t)(at - base) / 8);
        if (lane->sort_counts[local]++ == 0) {
            lane->sort_touched[(*ret_touched)++] = (uint32_t)local;
        }
        at += size;
    }
    return (int)n;
}

static uint16_t *index_room(struct lane *lane, struct parcel *parcel, uint32_t rows)
{
    struct index_block *block = parcel->index;
    uint16_t *room;

    if (!block) {
        block = lane->free_indexes;
        if (block) {
            lane->free_indexes = block->next;
        } else {
            block = (struct index_block *)malloc(sizeof(*block));
            ASSERT(block);
        }
        block->used = 0;
        parcel->index = block;
    }
    ASSERT(rows <= BATCH_ROWS_MAX - block->used);
    room = block->offsets + block->used;
    block->used += rows;
    return room;
}

/* Second pass: an entry per task, its rows listed in order. */
static void deliver_sorted(struct lane *lane, struct parcel *parcel, struct inlink *link,
                           const struct batch_element *e, const uint8_t *base, uint32_t touched,
                           uint32_t rows)
{
    uint16_t *room = index_room(lane, parcel, rows);
    uint32_t at = 0;

    for (uint32_t i = 0; i < touched; i++) {
        uint32_t local = lane->sort_touched[i];
        struct entry *entry = new_entry(lane, parcel, link, e, ENTRY_INDEX);

        entry->at = base;
        entry->u.index = room + at;
        entry->rows = lane->sort_counts[local];
        inbox_push(link->stage->tasks[local], entry);
        lane->sort_counts[local] = at;
        at += entry->rows;
    }
    for (uint32_t i = 0; i < rows; i++) {
        room[lane->sort_counts[lane->sort_locals[i]]++] = lane->sort_offsets[i];
    }
}

/* What was just sorted out for a task that takes nothing any more. */
static void drop_inbox(struct task *t)
{
    const struct entry *e = t->in_head;

    e->link->done += e->rows;
    counter_add(&t->stage->lane->stats.rows_lost, e->rows);
    inbox_clear(t);
}

static int deliver_rows(struct lane *lane, struct parcel *parcel, struct inlink *link,
                        const struct batch_element *e, const uint8_t *base)
{
    uint32_t touched = 0;
    int rows = count_rows(lane, link->stage, e, base, &touched);

    if (LIKELY(rows > 0)) {
        parcel->live_bytes += e->bytes;
        deliver_sorted(lane, parcel, link, e, base, touched, (uint32_t)rows);
    }
    for (uint32_t i = 0; i < touched; i++) {
        struct task *t = link->stage->tasks[lane->sort_touched[i]];

        lane->sort_counts[lane->sort_touched[i]] = 0;
        if (rows > 0 && !task_takes(t)) {
            drop_inbox(t);
        } else {
            task_ready(t);
        }
    }
    return rows < 0 ? rows : 0;
}

static int accept_rows(struct lane *lane, struct parcel *parcel, struct inlink *link,
                       const struct batch_element *e, const uint8_t *base)
{
    struct stage *s = link->stage;
    int64_t local;

    touch(link);
    if (e->dst == BATCH_DST_ALL) {
        if (take_all(link, e) < 0) {
            return GP_EFULL;
        }
        for (uint32_t i = 0; i < s->task_count; i++) {
            if (is_meant(link, s->tasks[i])) {
                deliver_range(lane, parcel, link, e, i);
            }
        }
        return 0;
    }
    link->arrived += e->rows;
    if (take(link, e->bytes) < 0) {
        return GP_EFULL;
    }
    if (e->dst == BATCH_DST_ROWS) {
        return deliver_rows(lane, parcel, link, e, base);
    }
    local = local_of(lane, s, e->dst);
    if (UNLIKELY(local < 0)) {
        return GP_EPROTO;
    }
    deliver_range(lane, parcel, link, e, (uint32_t)local);
    return 0;
}

/* Messages outside the stream: one entry each, for on_message takes one at a time. */
static int accept_messages(struct lane *lane, struct parcel *parcel, const struct batch_element *e)
{
    uint32_t processor = e->edge & ~BATCH_UNMANAGED;
    const uint8_t *at = e->body;
    const uint8_t *end = at + e->bytes;
    struct inlink *link;
    struct stage *s;
    int64_t local;

    if (processor >= lane->topology->plan->processor_count || !lane->stages[processor]) {
        return GP_EPROTO;
    }
    s = lane->stages[processor];
    local = local_of(lane, s, e->dst);
    if (local < 0) {
        return GP_EPROTO;
    }
    link = stage_unmanaged_link(s, parcel->neighbour);
    touch(link);
    if (take(link, e->bytes) < 0) {
        return GP_EFULL;
    }
    while (at < end) {
        uint32_t size = row_check(row_word(at), (size_t)(end - at));
        struct task *t = s->tasks[local];

        if (size == 0) {
            return GP_EPROTO;
        }
        link->arrived++;
        if (task_takes(t)) {
            struct entry *entry = new_entry(lane, parcel, link, e, ENTRY_MESSAGE);

            entry->at = at;
            entry->rows = 1;
            parcel->live_bytes += size;
            inbox_push(t, entry);
            task_ready(t);
        } else {
            inbox_drop(t, link, 1, size);
        }
        at += size;
    }
    return 0;
}

/* Rows of an older session of their task: nobody sees them, but their credit goes back. */
static int drop_stale(struct lane *lane, struct inlink *link, const struct batch_element *e)
{
    struct stage *s = link->stage;
    const uint8_t *at = e->body;
    const uint8_t *end = at + e->bytes;

    touch(link);
    counter_add(&lane->stats.stale_rows, e->rows);
    if (e->dst == BATCH_DST_ALL) {
        if (take_all(link, e) < 0) {
            return GP_EFULL;
        }
        for (uint32_t i = 0; i < s->task_count; i++) {
            if (is_meant(link, s->tasks[i])) {
                inbox_drop(s->tasks[i], link, e->rows, e->bytes);
            }
        }
        return 0;
    }
    link->arrived += e->rows;
    if (take(link, e->bytes) < 0) {
        return GP_EFULL;
    }
    while (at < end) {
        uint64_t word0 = row_word(at);
        uint32_t size = row_check(word0, (size_t)(end - at));
        uint32_t dst = e->dst == BATCH_DST_ROWS ? row_word_dst(word0) : e->dst;
        int64_t local = size > 0 ? local_of(lane, s, dst) : -1;

        if (local < 0) {
            return GP_EPROTO;
        }
        inbox_drop(s->tasks[local], link, 1, size);
        at += size;
    }
    return 0;
}

/* What a task said in an earlier session may come from where it was then. */
static bool source_is_theirs(const struct topology_processor *from, const struct parcel *parcel,
                             const struct batch_element *e)
{
    return e->source < from->tasks && (from->lane_of[e->source] == parcel->neighbour->index ||
                                       e->session < from->session[e->source]);
}

/* One that is for nobody here, or from before 1970, is no reason to end anything. */
static void accept_probe(const struct lane *lane, const struct inlink *link,
                         const struct batch_element *e)
{
    int64_t local = local_of(lane, link->stage, e->dst);
    int64_t time_ns = (int64_t)get_u64_le(e->body);

    if (local >= 0 && time_ns >= 0) {
        measure_probe_came(link->stage->tasks[local], time_ns);
    }
}

static int accept_element(struct lane *lane, struct parcel *parcel, const struct batch_element *e,
                          const uint8_t *base)
{
    const struct topology_processor *from;
    struct inlink *link;

    if (UNLIKELY((e->edge & BATCH_UNMANAGED) && e->kind == BATCH_ROWS)) {
        return accept_messages(lane, parcel, e);
    }
    if (UNLIKELY(e->edge >= lane->topology->plan->edge_count)) {
        return GP_EPROTO;
    }
    link = parcel->neighbour->inlinks[e->edge];
    if (UNLIKELY(!link || (link->ended && e->kind != BATCH_END && !(e->flags & BATCH_AFRESH)))) {
        return GP_EPROTO;
    }
    switch (e->kind) {
    case BATCH_WATERMARK:
        if (UNLIKELY(e->flags & BATCH_AFRESH)) {
            stage_on_afresh(link, (int64_t)get_u64_le(e->body));
        } else {
            stage_on_watermark(link, (int64_t)get_u64_le(e->body));
        }
        return 0;
    case BATCH_IDLE:
    case BATCH_ACTIVE:
        stage_on_idle(link, e->kind == BATCH_IDLE);
        return 0;
    case BATCH_END:
        stage_on_end(link);
        return 0;
    case BATCH_PROBE:
        accept_probe(lane, link, e);
        return 0;
    default:
        break;
    }
    from = &lane->topology->processors[lane->topology->plan->edges[e->edge].from];
    if (UNLIKELY(!source_is_theirs(from, parcel, e))) {
        return GP_EPROTO;
    }
    switch (e->kind) {
    case BATCH_ROWS:
        link->neighbour->runs_seen++;
        if (UNLIKELY(e->session < from->since[e->source])) {
            return drop_stale(lane, link, e);
        }
        return accept_rows(lane, parcel, link, e, base);
    case BATCH_FRAGMENT:
        return large_on_fragment(link, e);
    case BATCH_LARGE_REQUEST:
        return large_on_request(link, e);
    default:
        return GP_EPROTO;
    }
}

int inbox_read_on(struct lane *lane, struct parcel *parcel)
{
    struct batch_cursor cursor = {parcel->at, parcel->left};
    struct neighbour *p = parcel->neighbour;
    struct batch_element e;
    int rc = 0;

    p->reading = true;

    while (rc == 0) {
        rc = batch_next(&cursor, &e);
        if (rc <= 0) {
            break;
        }
        if (UNLIKELY(e.kind == BATCH_MOVE)) {
            rc = 0;
            if (move_on_mark(p, get_u64_le(e.body))) {
                parcel->at = cursor.at;
                parcel->left = cursor.left;
                move_hold(parcel, true);
                p->reading = false;
                return 0;
            }
            continue;
        }
        rc = accept_element(lane, parcel, &e, parcel->body);
    }
    p->reading = false;
    parcel_used(lane, parcel, 0);
    parcel_unref(lane, parcel);
    return rc;
}

/* Whether all that a body holds is one run for one task, which reads no more than its header
 * here. */
static bool is_one_run(const uint8_t *body, size_t len, struct batch_element *ret)
{
    struct batch_cursor cursor = {body, len};

    return batch_next(&cursor, ret) == 1 && cursor.left == 0 && ret->kind == BATCH_ROWS &&
           ret->dst < BATCH_DST_ALL && !(ret->edge & BATCH_UNMANAGED);
}

static int accept_copy_take(struct lane *lane, struct parcel *parcel, const uint8_t *body,
                            size_t len)
{
    struct rbuf *copy = rbuf_new_copy(body, len);

    if (!copy) {
        parcel_free(lane, parcel);
        return GP_ENOMEM;
    }
    parcel->rbuf = copy;
    return inbox_accept_take(lane, parcel, copy->ptr, len);
}

int inbox_accept_lent_take(struct lane *lane, struct parcel *parcel, struct rbuf *buf,
                           const uint8_t *body, size_t len)
{
    struct neighbour *p = parcel->neighbour;
    struct batch_element e;
    int rc;

    if (p->held_head || len > BATCH_BODY_SIZE || !is_one_run(body, len, &e)) {
        return accept_copy_take(lane, parcel, body, len);
    }
    parcel->refs = 1;
    parcel->held_bytes = (uint32_t)len;
    parcel->rbuf = rbuf_ref(buf);
    parcel->is_lent = true;
    list_node_init(&parcel->node);
    list_push_back(&p->lent, &parcel->node);
    rc = accept_element(lane, parcel, &e, NULL);
    parcel_used(lane, parcel, 0);
    parcel_unref(lane, parcel);
    return rc;
}

int inbox_accept_take(struct lane *lane, struct parcel *parcel, const uint8_t *body, size_t len)
{
    parcel->refs = 1;
    parcel->held_bytes = parcel->batch ? BATCH_BLOCK_SIZE : (uint32_t)len;
    parcel->body = body;
    parcel->at = body;
    parcel->left = len;
    if (UNLIKELY(len > BATCH_BODY_SIZE)) {
        parcel_unref(lane, parcel);
        return GP_EPROTO;
    }
    if (UNLIKELY(parcel->neighbour->held_head != NULL)) {
        move_hold(parcel, false);
        return move_holds_too_much(parcel->neighbour) ? GP_EFULL : 0;
    }
    return inbox_read_on(lane, parcel);
}
