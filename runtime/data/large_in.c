/*
 * large_in.c: the receiving side of messages that do not fit a batch. See large.h.
 *
 * Invariants: of one account at most one message is being put together (its fragments are in order,
 * as the link is); reserved bytes of a stage are those of messages granted and not yet consumed.
 */
#include <stdlib.h>

#include "data/lane.h"
#include "data/large.h"
#include "data/stage.h"
#include "data/task.h"

/* A request that waits for room. */
struct large_wait {
    struct list_node node; /* in stage.large_waiting */
    struct inlink *link;
    uint32_t local;
    uint32_t bytes;
};

static int find_local(const struct inlink *link, uint32_t dst, uint32_t *ret_local)
{
    const struct topology_processor *p = link->stage->topology;

    if (dst >= p->tasks || p->lane_of[dst] != link->stage->lane->index) {
        return GP_EPROTO;
    }
    *ret_local = p->local_of[dst];
    return 0;
}

static void make_slots(struct inlink *link)
{
    if (!link->large) {
        link->large =
            (struct large_slot *)calloc(link->stage->task_count + 1u, sizeof(*link->large));
        ASSERT(link->large);
    }
    if (!link->owed) {
        link->owed = (uint32_t *)calloc(link->stage->task_count + 1u, sizeof(*link->owed));
        ASSERT(link->owed);
    }
}

static void tell_grant(struct inlink *link, uint32_t local, uint32_t bytes)
{
    const struct batch_credit credit = {.edge = link->edge,
                                        .dst = link->stage->task_indices[local],
                                        .bytes = bytes,
                                        .kind = BATCH_CREDIT_LARGE};

    link->large[local].granted = bytes;
    if (link->neighbour->kind == NEIGHBOUR_LOCAL) {
        neighbour_take_credit(link->neighbour, &credit);
    } else {
        neighbour_add_credit(link->neighbour, &credit);
    }
}

/* Those that asked first are served first; one that is larger than all the room, when nobody else
 * has any. */
static void serve(struct stage *s)
{
    while (!list_is_empty(&s->large_waiting)) {
        struct large_wait *w = LIST_ENTRY(list_first(&s->large_waiting), struct large_wait, node);

        if (s->large_reserved > 0 &&
            s->large_reserved + w->bytes > s->lane->options->large_budget_bytes) {
            return;
        }
        s->large_reserved += w->bytes;
        list_remove(&w->node);
        tell_grant(w->link, w->local, w->bytes);
        free(w);
    }
}

int large_on_request(struct inlink *link, const struct batch_element *e)
{
    uint64_t bytes = get_u64_le(e->body);
    struct stage *s = link->stage;
    struct large_wait *w;
    uint32_t local;

    if (find_local(link, e->dst, &local) < 0 || bytes > s->lane->options->message_max_bytes) {
        return GP_EPROTO;
    }
    make_slots(link);
    if (link->large[local].asked || link->large[local].granted > 0) {
        return GP_EPROTO; /* one at a time */
    }
    w = (struct large_wait *)calloc(1, sizeof(*w));
    ASSERT(w);
    list_node_init(&w->node);
    w->link = link;
    w->local = local;
    w->bytes = (uint32_t)bytes;
    link->large[local].asked = true;
    list_push_back(&s->large_waiting, &w->node);
    serve(s);
    return 0;
}

/* The first fragment: room for all of it. */
static int begin(struct inlink *link, uint32_t local, const struct batch_element *e,
                 const struct batch_fragment *f)
{
    struct large_slot *slot = &link->large[local];
    struct stage *s = link->stage;
    uint32_t total = f->key_len + f->value_len;
    bool dropped = !task_takes(s->tasks[local]) || stage_is_stale(link, e);
    struct large_in *in;

    if (f->offset != 0 || (total > link->neighbour->window_in && total != slot->granted)) {
        return GP_EPROTO; /* larger than the window and nobody asked */
    }
    in = (struct large_in *)large_alloc(s->lane, sizeof(*in) + (dropped ? 0 : total));
    ASSERT(in);
    *in = (struct large_in){.head = *f,
                            .source = e->source,
                            .size = row_size(f->key_len, f->value_len),
                            .reserved = slot->granted > 0,
                            .dropped = dropped};
    slot->in = in;
    slot->asked = false;
    slot->granted = 0;
    return 0;
}

static void deliver(struct inlink *link, uint32_t local, struct large_in *in)
{
    struct task *t = link->stage->tasks[local];
    struct entry *entry;

    link->large[local].in = NULL;
    link->arrived++;
    link->taken += in->reserved ? 0 : in->size;
    if (in->dropped || !task_takes(t)) {
        inbox_drop(t, link, 1, 0);
        inbox_owe_large(t, link, in);
        large_release(t, in);
        return;
    }
    entry = inbox_new_entry(link->stage->lane);
    entry->parcel = NULL;
    entry->link = link;
    entry->kind = ENTRY_LARGE;
    entry->source = in->source;
    entry->rows = 1;
    entry->u.large = in;
    inbox_push(t, entry);
    task_ready(t);
}

int large_on_fragment(struct inlink *link, const struct batch_element *e)
{
    struct batch_fragment f;
    struct large_in *in;
    gp_bytes piece;
    uint32_t local;
    int rc = batch_fragment_get(e, link->stage->lane->options->message_max_bytes, &f, &piece);

    if (rc < 0 || find_local(link, e->dst, &local) < 0) {
        return GP_EPROTO;
    }
    make_slots(link);
    if (!link->large[local].in) {
        rc = begin(link, local, e, &f);
        if (rc < 0) {
            return rc;
        }
    }
    in = link->large[local].in;
    if (f.key_len != in->head.key_len || f.value_len != in->head.value_len ||
        e->source != in->source || f.offset != in->got) {
        return GP_EPROTO;
    }
    if (in->got > 0 && link->neighbour->runs_seen != in->runs_before) {
        counter_add(&link->stage->lane->stats.interleaved, 1);
    }
    in->runs_before = link->neighbour->runs_seen;
    if (!in->dropped) {
        memcpy(in->bytes + in->got, piece.ptr, piece.len);
    }
    in->got += (uint32_t)piece.len;
    if (in->got == f.key_len + f.value_len) {
        deliver(link, local, in);
    }
    return 0;
}

void large_view(const struct large_in *in, struct gp_row *ret_row)
{
    *ret_row = (struct gp_row){.time_ns = in->head.time_ns,
                               .key_hash = in->head.hash,
                               .key = in->bytes,
                               .value = in->bytes + in->head.key_len,
                               .key_len = in->head.key_len,
                               .value_len = in->head.value_len,
                               .flags = in->head.flags & ROW_KEYED,
                               .source = in->source};
}

void large_release(struct task *t, struct large_in *in)
{
    struct stage *s = t->stage;

    if (in->reserved) {
        s->large_reserved -= in->head.key_len + in->head.value_len;
        serve(s);
    }
    large_dealloc(s->lane, in);
}

void large_forget_link(struct inlink *link)
{
    struct stage *s = link->stage;

    LIST_FOREACH_SAFE(node, &s->large_waiting)
    {
        struct large_wait *w = LIST_ENTRY(node, struct large_wait, node);

        if (w->link == link) {
            list_remove(&w->node);
            free(w);
        }
    }
    for (uint32_t i = 0; link->large && i < s->task_count; i++) {
        struct large_slot *slot = &link->large[i];
        struct large_in *in = slot->in;

        s->large_reserved -= slot->granted;
        *slot = (struct large_slot){0};
        if (in) {
            large_release(s->tasks[i], in);
        }
    }
    serve(s);
}

static void free_slot(struct stage *s, const struct large_slot *slot)
{
    s->large_reserved -= slot->granted;
    if (slot->in && slot->in->reserved) {
        s->large_reserved -= slot->in->head.key_len + slot->in->head.value_len;
    }
    large_dealloc(s->lane, slot->in);
}

static uint32_t place_now(const uint32_t *was, uint32_t count, uint32_t local)
{
    for (uint32_t i = 0; i < count; i++) {
        if (was[i] == local) {
            return i;
        }
    }
    return UINT32_MAX;
}

static void reorder_waiting(struct inlink *link, const uint32_t *was, uint32_t count)
{
    LIST_FOREACH_SAFE(node, &link->stage->large_waiting)
    {
        struct large_wait *w = LIST_ENTRY(node, struct large_wait, node);

        if (w->link == link) {
            w->local = place_now(was, count, w->local);
            if (w->local == UINT32_MAX) {
                list_remove(&w->node);
                free(w);
            }
        }
    }
}

void large_reorder(struct inlink *link, const uint32_t *was, uint32_t count)
{
    struct stage *s = link->stage;
    struct large_slot *slots;

    if (!link->large) {
        return;
    }
    slots = (struct large_slot *)calloc(count + 1u, sizeof(*slots));
    ASSERT(slots);
    for (uint32_t i = 0; i < count; i++) {
        if (was[i] != UINT32_MAX) {
            slots[i] = link->large[was[i]];
            link->large[was[i]] = (struct large_slot){0};
        }
    }
    for (uint32_t i = 0; i < s->task_count; i++) {
        free_slot(s, &link->large[i]);
    }
    free(link->large);
    link->large = slots;
    reorder_waiting(link, was, count);
}

void large_reordered(struct stage *s)
{
    serve(s);
}

void large_free_link(struct inlink *link)
{
    for (uint32_t i = 0; link->large && i < link->stage->task_count; i++) {
        large_dealloc(link->stage->lane, link->large[i].in);
    }
    free(link->large);
    link->large = NULL;
}

void large_free_stage(struct stage *s)
{
    while (!list_is_empty(&s->large_waiting)) {
        free(LIST_ENTRY(list_pop_front(&s->large_waiting), struct large_wait, node));
    }
}
