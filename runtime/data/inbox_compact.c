/*
 * inbox_compact.c: giving back batches that are held for a few rows.
 *
 * A batch carries rows of many tasks, and all but those of a task that waits (for credit, or for a
 * token) are soon done. Each such rest holds a batch of the sender, whose pool is bounded, or a
 * read buffer; a window of short rows could hold a thousand times its size, and the sender's other
 * tasks would wait for batches because of it. So the rest is copied into memory of its own size.
 * The same is done with runs in memory of a neighbour who has little room left because of them, or
 * is gone.
 *
 * Invariants: an entry is copied at most once, and only from a parcel less than half live or lent,
 * so what inboxes hold is at most about twice what credit allows. Of thin ones, entries of tasks
 * that are about to run are left alone. Thread: the lane's, between callbacks. Failures: without
 * memory the batch stays where it is.
 */
#include <stdlib.h>

#include "data/inbox.h"
#include "data/lane.h"
#include "data/stage.h"
#include "data/task.h"

static void copy_rows(uint8_t *to, const struct entry *e, uint32_t bytes)
{
    if (e->kind != ENTRY_INDEX) {
        memcpy(to, e->at, bytes);
        return;
    }
    for (uint32_t i = 0; i < e->rows; i++) {
        const uint8_t *row = e->at + (size_t)e->u.index[i] * 8;
        uint32_t size = row_word_size(get_u64_le(row));

        memcpy(to, row, size);
        to += size;
    }
}

static bool copy_out(struct lane *lane, struct entry *e)
{
    struct parcel *from = e->parcel;
    uint32_t bytes = inbox_unread_bytes(e);
    uint8_t *copy = (uint8_t *)malloc(bytes);
    struct parcel *to;

    if (!copy) {
        return false;
    }
    copy_rows(copy, e, bytes);
    to = parcel_new(lane);
    to->refs = 1;
    to->live_bytes = bytes;
    to->neighbour = from->neighbour;
    to->copy = copy;
    e->parcel = to;
    e->at = copy;
    if (e->kind != ENTRY_MESSAGE) {
        e->kind = ENTRY_RANGE;
        e->u.end = copy + bytes;
    }
    counter_add(&lane->stats.copied_out, e->rows);
    parcel_used(lane, from, bytes);
    parcel_unref(lane, from);
    return true;
}

bool inbox_return_lent(struct neighbour *p)
{
    struct parcel *oldest;

    if (list_is_empty(&p->lent)) {
        return false;
    }
    oldest = LIST_ENTRY(list_first(&p->lent), struct parcel, node);
    return copy_out(p->lane, oldest->entry);
}

static void compact_task(struct task *t)
{
    if (t->place == TASK_RUNNABLE) {
        return;
    }
    for (struct entry *e = t->in_head; e; e = e->next) {
        if (e->parcel && e->parcel->thin) {
            (void)copy_out(t->stage->lane, e);
        }
    }
}

void inbox_compact(struct lane *lane)
{
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            compact_task(s->tasks[i]);
        }
    }
}
