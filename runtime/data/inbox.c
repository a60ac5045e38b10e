/*
 * inbox.c: see inbox.h. The walk over an arrived batch stands in inbox_accept.c.
 *
 * Invariants: entries of one inbox are in order of arrival; a parcel has as many refs as entries
 * point into it, plus one while it is walked; credit is owed for exactly the bytes of rows that
 * left an inbox by being consumed or dropped. Failures: without memory for an entry the lane cannot
 * keep its promise to have taken the batch, so that is an assertion.
 */
#include "data/inbox.h"

#include <stdlib.h>

#include "data/lane.h"
#include "data/large.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

#define ENTRIES_PER_CHUNK 255
#define VIEW_AHEAD        1024 /* bytes: the hardware stops at each page, every 32 rows */

struct entry_chunk {
    struct entry_chunk *next;
    uint64_t reserved[7];
    struct entry entries[ENTRIES_PER_CHUNK];
};

static void grow_entries(struct lane *lane)
{
    struct entry_chunk *chunk = (struct entry_chunk *)aligned_alloc(
        CACHE_LINE, ALIGN_UP(sizeof(struct entry_chunk), (size_t)CACHE_LINE));

    ASSERT(chunk);
    chunk->next = (struct entry_chunk *)lane->entry_chunks;
    lane->entry_chunks = chunk;
    for (uint32_t i = ENTRIES_PER_CHUNK; i-- > 0;) {
        chunk->entries[i].next = lane->free_entries;
        lane->free_entries = &chunk->entries[i];
    }
}

struct entry *inbox_new_entry(struct lane *lane)
{
    struct entry *e;

    if (UNLIKELY(!lane->free_entries)) {
        grow_entries(lane);
    }
    e = lane->free_entries;
    lane->free_entries = e->next;
    return e;
}

void inbox_deinit_pools(struct lane *lane)
{
    struct entry_chunk *chunk = (struct entry_chunk *)lane->entry_chunks;

    while (chunk) {
        struct entry_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    while (lane->free_parcels) {
        struct parcel *next = lane->free_parcels->next;

        free(lane->free_parcels);
        lane->free_parcels = next;
    }
    while (lane->free_indexes) {
        struct index_block *next = lane->free_indexes->next;

        free(lane->free_indexes);
        lane->free_indexes = next;
    }
}

struct parcel *parcel_new(struct lane *lane)
{
    struct parcel *parcel = lane->free_parcels;

    if (parcel) {
        lane->free_parcels = parcel->next;
    } else {
        parcel = (struct parcel *)malloc(sizeof(*parcel));
        ASSERT(parcel);
    }
    *parcel = (struct parcel){0};
    return parcel;
}

void parcel_free(struct lane *lane, struct parcel *parcel)
{
    parcel->next = lane->free_parcels;
    lane->free_parcels = parcel;
}

static void free_index(struct lane *lane, struct parcel *parcel)
{
    if (parcel->index) {
        parcel->index->next = lane->free_indexes;
        lane->free_indexes = parcel->index;
        parcel->index = NULL;
    }
}

/* The bytes go back to whom they belong. */
static void release(struct lane *lane, struct parcel *parcel)
{
    struct batch *b = parcel->batch;

    free_index(lane, parcel);
    lane->thin_parcels -= parcel->thin;
    if (parcel->copy) {
        free(parcel->copy);
        parcel_free(lane, parcel);
    } else if (!b) {
        neighbour_stream_release(lane, parcel);
    } else if (parcel->neighbour->kind == NEIGHBOUR_LOCAL) {
        parcel->neighbour->in_flight--;
        batch_pool_put_near(&lane->pool, b);
    } else {
        lane->held_batches--;
        parcel->neighbour->held--;
        neighbour_add_return(parcel->neighbour, b);
    }
}

void parcel_used(struct lane *lane, struct parcel *parcel, uint32_t bytes)
{
    parcel->live_bytes -= bytes;
    if (!parcel->thin && parcel->live_bytes < parcel->held_bytes / 2) {
        parcel->thin = true;
        lane->thin_parcels++;
    }
}

void parcel_unref(struct lane *lane, struct parcel *parcel)
{
    ASSERT(parcel->refs > 0);
    if (--parcel->refs == 0) {
        release(lane, parcel);
    }
}

void inbox_push(struct task *t, struct entry *e)
{
    e->next = NULL;
    if (t->in_tail) {
        t->in_tail->next = e;
    } else {
        t->in_head = e;
    }
    t->in_tail = e;
}

void inbox_add_watermark(struct task *t, int64_t time_ns)
{
    struct entry *e = t->in_tail;

    /* The one at the head may be in a callback that yielded: time must not move under it. */
    if (!e || e->kind != ENTRY_WATERMARK || e == t->in_head) {
        e = inbox_new_entry(t->stage->lane);
        e->parcel = NULL;
        e->kind = ENTRY_WATERMARK;
        inbox_push(t, e);
    }
    e->u.time_ns = time_ns;
}

void inbox_repeat_watermark(struct task *t)
{
    struct entry *e;

    if (t->watermark_ns == GP_TIME_MIN || (t->in_head && t->in_head->kind == ENTRY_WATERMARK)) {
        return;
    }
    e = inbox_new_entry(t->stage->lane);
    e->parcel = NULL;
    e->kind = ENTRY_WATERMARK;
    e->u.time_ns = t->watermark_ns;
    e->next = t->in_head;
    t->in_head = e;
    t->in_tail = t->in_tail ? t->in_tail : e;
}

void inbox_add_end(struct task *t)
{
    struct entry *e = inbox_new_entry(t->stage->lane);

    e->parcel = NULL;
    e->kind = ENTRY_END;
    inbox_push(t, e);
}

void inbox_add_leave(struct task *t, uint64_t generation)
{
    struct entry *e = inbox_new_entry(t->stage->lane);

    e->parcel = NULL;
    e->kind = ENTRY_LEAVE;
    e->u.generation = generation;
    inbox_push(t, e);
}

void inbox_add_probe(struct task *t, int64_t time_ns)
{
    struct entry *e = inbox_new_entry(t->stage->lane);

    e->parcel = NULL;
    e->kind = ENTRY_PROBE;
    e->u.time_ns = time_ns;
    inbox_push(t, e);
}

void inbox_pop(struct task *t)
{
    struct lane *lane = t->stage->lane;
    struct entry *e = t->in_head;

    t->in_head = e->next;
    if (!t->in_head) {
        t->in_tail = NULL;
        if (UNLIKELY(t->stage->in_idle)) {
            stage_task_changed(t->stage); /* idle inputs count once what came before is done */
        }
    }
    if (e->parcel) {
        parcel_unref(lane, e->parcel);
    }
    if (UNLIKELY(e->kind == ENTRY_LARGE)) {
        large_release(t, e->u.large);
    }
    t->meter.probes -= e->kind == ENTRY_PROBE;
    e->next = lane->free_entries;
    lane->free_entries = e;
}

/* What a task has consumed of an account; told to the sender once half a window is owed. */
void inbox_owe(struct task *t, struct inlink *link, uint32_t bytes)
{
    uint32_t owed = link->owed[t->local] + bytes;
    struct batch_credit credit;

    if (owed < link->owed_max) {
        link->owed[t->local] = owed;
        return;
    }
    link->owed[t->local] = 0;
    link->taken -= owed;
    if (link->neighbour->kind == NEIGHBOUR_GONE) {
        return;
    }
    credit = (struct batch_credit){
        .edge = link->edge, .dst = t->api.index, .bytes = owed, .kind = BATCH_CREDIT_BYTES};
    if (link->neighbour->kind == NEIGHBOUR_LOCAL) {
        neighbour_take_credit(link->neighbour, &credit);
    } else {
        neighbour_add_credit(link->neighbour, &credit);
    }
}

void inbox_owe_large(struct task *t, struct inlink *link, const struct large_in *in)
{
    link->taken += in->reserved ? in->size : 0; /* until now its own budget bounded it */
    inbox_owe(t, link, in->size);
}

void inbox_drop(struct task *t, struct inlink *link, uint32_t rows, uint32_t bytes)
{
    link->done += rows;
    counter_add(&t->stage->lane->stats.rows_lost, rows);
    inbox_owe(t, link, bytes);
}

/* The sender of this entry wrote something that is no row: nothing after it can be trusted. */
static void fail_entry(struct entry *e, const uint8_t *at)
{
    struct neighbour *p = e->parcel->neighbour;

    counter_add(&p->lane->stats.bad_batches, 1);
    if (p->kind != NEIGHBOUR_GONE) {
        neighbour_fail(p, GP_EPROTO, "a row is malformed");
    }
    e->u.end = at;
}

/*
 * Views of a row that was checked and of those behind it that have the same first word: what that
 * says is taken apart once. Returns how many.
 */
static uint32_t view_alike(const struct entry *e, uint64_t word0, struct gp_row *views,
                           uint32_t max)
{
    const uint8_t *at = e->at;
    const size_t size = row_word_size(word0);
    struct gp_row *view = views;
    struct gp_row like;

    row_view(at, word0, e->source, &like);
    do {
        __builtin_prefetch(at + VIEW_AHEAD);
        __builtin_prefetch(at + VIEW_AHEAD + CACHE_LINE);
        *view++ = (struct gp_row){.time_ns = (int64_t)get_u64_le(at + 16),
                                  .key_hash = get_u64_le(at + 8),
                                  .key = at + ROW_HEADER_SIZE,
                                  .value = at + ROW_HEADER_SIZE + like.key_len,
                                  .key_len = like.key_len,
                                  .value_len = like.value_len,
                                  .flags = like.flags,
                                  .source = like.source};
        at += size;
    } while (view < views + max && size <= (size_t)(e->u.end - at) && row_word(at) == word0);
    return (uint32_t)(view - views);
}

/*
 * Of messages of one kind all rows are alike. Where they are not, nobody can guess which are: from
 * the first that differs on, one is treated as the other.
 */
static uint32_t view_range(struct entry *e, struct gp_row *views, uint32_t max)
{
    const uint8_t *at = e->at;
    uint32_t n = 0;

    while (n < max && at < e->u.end) {
        uint64_t word0 = row_word(at);
        uint32_t size = row_check(word0, (size_t)(e->u.end - at));

        if (UNLIKELY(size == 0)) {
            fail_entry(e, at);
            break;
        }
        if (n == 0) {
            n = view_alike(e, word0, views, max);
            at += (size_t)n * size;
        } else {
            __builtin_prefetch(at + VIEW_AHEAD);
            row_view(at, word0, e->source, &views[n++]);
            at += size;
        }
    }
    return n;
}

static uint32_t view_index(const struct entry *e, struct gp_row *views, uint32_t max)
{
    uint32_t n = e->rows < max ? e->rows : max;

    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *at = e->at + (size_t)e->u.index[i] * 8;

        row_view(at, row_word(at), e->source, &views[i]);
    }
    return n;
}

uint32_t inbox_views(struct task *t, struct gp_row *views, uint32_t max, uint32_t *ret_port)
{
    uint32_t count = 0;
    struct entry *e = t->in_head;

    if (UNLIKELY(e->kind == ENTRY_LARGE)) {
        *ret_port = e->link->port;
        large_view(e->u.large, views);
        e->viewed = 1;
        return 1;
    }
    while (e && e->kind <= ENTRY_INDEX && count < max) {
        if (count == 0) {
            *ret_port = e->link->port;
        } else if (e->link->port != *ret_port) {
            break;
        }
        e->viewed = e->kind == ENTRY_RANGE ? view_range(e, views + count, max - count)
                                           : view_index(e, views + count, max - count);
        count += e->viewed;
        if (UNLIKELY(e->viewed == 0)) {
            if (count > 0) {
                break;
            }
            /* Nothing of it was a row. */
            inbox_pop(t);
            e = t->in_head;
            continue;
        }
        e = e->next;
    }
    return count;
}

/* n of the rows in view of the head entry are done. True when the entry is. */
static bool consume_entry(struct task *t, struct entry *e, const struct gp_row *views, uint32_t n)
{
    uint32_t bytes;

    e->link->done += n;
    if (UNLIKELY(e->kind == ENTRY_LARGE)) {
        counter_add(&t->stage->in_bytes, e->u.large->size);
        inbox_owe_large(t, e->link, e->u.large);
        return true;
    }
    if (e->kind == ENTRY_INDEX) {
        bytes = row_size_of_views(views, n);
        counter_add(&t->stage->in_bytes, bytes);
        e->u.index += n;
        e->rows -= n;
        inbox_owe(t, e->link, bytes);
        parcel_used(t->stage->lane, e->parcel, bytes);
        return e->rows == 0;
    }
    const uint8_t *next = row_end_of_view(&views[n - 1]);

    bytes = (uint32_t)(next - e->at);
    counter_add(&t->stage->in_bytes, bytes);
    e->at = next;
    inbox_owe(t, e->link, bytes);
    parcel_used(t->stage->lane, e->parcel, bytes);
    return e->at == e->u.end;
}

void inbox_consume(struct task *t, const struct gp_row *views, uint32_t n)
{
    while (n > 0) {
        struct entry *e = t->in_head;
        uint32_t part = n < e->viewed ? n : e->viewed;

        ASSERT(part > 0);
        n -= part;
        if (consume_entry(t, e, views, part)) {
            inbox_pop(t);
        }
        views += part;
    }
}

uint32_t inbox_unread_bytes(const struct entry *e)
{
    uint32_t bytes = 0;

    if (e->kind == ENTRY_RANGE) {
        return (uint32_t)(e->u.end - e->at);
    }
    if (e->kind == ENTRY_LARGE) {
        return e->u.large->size;
    }
    if (e->kind == ENTRY_MESSAGE) {
        return row_word_size(get_u64_le(e->at));
    }
    for (uint32_t i = 0; i < e->rows; i++) {
        bytes += row_word_size(get_u64_le(e->at + (size_t)e->u.index[i] * 8));
    }
    return bytes;
}

void inbox_clear(struct task *t)
{
    while (t->in_head) {
        struct entry *e = t->in_head;

        if (e->kind == ENTRY_LARGE) {
            inbox_owe_large(t, e->link, e->u.large);
        } else if (e->kind < ENTRY_LARGE) {
            uint32_t bytes = inbox_unread_bytes(e);

            inbox_owe(t, e->link, bytes);
            parcel_used(t->stage->lane, e->parcel, bytes);
        }
        inbox_pop(t);
    }
}
