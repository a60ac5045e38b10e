/*
 * neighbour_ring.c: neighbours in the same process. Batches go by pointer and come home when read;
 * both sides publish once per turn and wake the other only if it sleeps for what was sent.
 */
#include "data/lane.h"
#include "data/neighbour.h"
#include "data/output.h"
#include "data/stage.h"

struct news {
    bool data;
    bool other;
};

static bool push_returns(struct neighbour *p, struct news *news)
{
    while (p->return_head) {
        struct ring_slot *slot = ring_push(p->to);

        if (!slot) {
            return false;
        }
        slot->kind = RING_RETURN;
        slot->batch = p->return_head;
        p->return_head = p->return_head->next;
        news->other = true;
    }
    p->return_tail = NULL;
    return true;
}

static bool push_credits(struct neighbour *p, struct news *news)
{
    uint32_t done = 0;
    bool all = true;

    for (; done < p->credit_count; done++) {
        const struct batch_credit *c = &p->credits[done];
        struct ring_slot *slot = ring_push(p->to);

        if (!slot) {
            all = false;
            break;
        }
        slot->kind = RING_CREDIT;
        slot->edge = c->edge;
        slot->dst = c->dst;
        slot->bytes = c->bytes;
        slot->credit_kind = c->kind;
        news->other = true;
    }
    p->credit_count -= done;
    memmove(p->credits, p->credits + done, p->credit_count * sizeof(*p->credits));
    return all;
}

static bool push_data(struct neighbour *p, struct news *news)
{
    while (p->queue_head) {
        struct ring_slot *slot = ring_push(p->to);

        if (!slot) {
            return false;
        }
        slot->kind = RING_DATA;
        slot->batch = neighbour_next_queued(p);
        news->data = true;
    }
    return true;
}

bool neighbour_ring_pump(struct neighbour *p)
{
    struct news news = {false, false};
    bool all = push_returns(p, &news) && (p->credit_count == 0 || push_credits(p, &news)) &&
               push_data(p, &news);
    bool published = ring_publish(p->to);

    if (!all) {
        lane_wake(p->other,
                  SLEEP_DATA); /* full of what alone wakes nobody: data may stand behind */
    } else if (published) {
        lane_wake(p->other, news.data ? SLEEP_DATA : SLEEP_ANY);
    }
    return all;
}

static void take_data(struct neighbour *p, struct batch *b)
{
    ASSERT(b->seq == p->seen_seq);
    p->seen_seq++;
    b->parcel = (struct parcel){.neighbour = p, .batch = b};
    p->lane->held_batches++;
    if (inbox_accept_take(p->lane, &b->parcel, batch_body(b), batch_body_len(b)) < 0) {
        UNREACHABLE(); /* bytes of this process */
    }
}

static void take_return(struct neighbour *p, struct batch *b)
{
    p->in_flight--;
    /* A batch that carried little has few lines that the other core owns. */
    if (b->used < BATCH_FRAME_SIZE / 4) {
        batch_pool_put_near(&p->lane->pool, b);
    } else {
        batch_pool_put_far(&p->lane->pool, b);
    }
}

void neighbour_take(struct neighbour *p)
{
    const struct ring_slot *slot;

    while ((slot = ring_take(p->from)) != NULL) {
        switch (slot->kind) {
        case RING_DATA:
            take_data(p, slot->batch);
            break;
        case RING_RETURN:
            take_return(p, slot->batch);
            break;
        default:
            neighbour_take_credit(p, &(struct batch_credit){.edge = slot->edge,
                                                            .dst = slot->dst,
                                                            .bytes = slot->bytes,
                                                            .kind = slot->credit_kind});
            break;
        }
    }
    if (ring_release(p->from)) {
        lane_wake(p->other, SLEEP_ROOM);
    }
}
