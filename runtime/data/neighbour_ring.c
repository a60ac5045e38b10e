/*
 * neighbour_ring.c: neighbours in the same process. Batches go by pointer and come home when read;
 * both sides publish once per turn and wake the other only if it sleeps for what was sent.
 */
#include "data/lane.h"
#include "data/neighbour.h"
#include "data/output.h"
#include "data/stage.h"

static bool push_returns(struct neighbour *p)
{
    while (p->return_head) {
        struct ring_slot *slot = ring_push(p->to);

        if (!slot) {
            return false;
        }
        slot->kind = RING_RETURN;
        slot->batch = p->return_head;
        p->return_head = p->return_head->next;
    }
    p->return_tail = NULL;
    return true;
}

static bool push_credits(struct neighbour *p)
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
    }
    p->credit_count -= done;
    memmove(p->credits, p->credits + done, p->credit_count * sizeof(*p->credits));
    return all;
}

static bool push_data(struct neighbour *p)
{
    while (p->queue_head) {
        struct ring_slot *slot = ring_push(p->to);

        if (!slot) {
            return false;
        }
        slot->kind = RING_DATA;
        slot->batch = neighbour_next_queued(p);
        p->unseen++;
    }
    return true;
}

/*
 * Waking a thread costs 3 to 10 us, as much as several hundred rows. So a lane that goes on sending
 * full batches lets a sleeper sleep until some of them wait for it: it is woken less often, for
 * more. Not when turns are long, for then the next look may come too late; not when this lane
 * rests, for then there will be no more.
 */
static bool may_hold_wake(const struct neighbour *p)
{
    const struct lane *lane = p->lane;

    return !lane->resting && p->busy && p->unseen < WAKE_BATCHES && lane->turn_ns < WAKE_HOLD_NS &&
           (p->held_ns == 0 || lane->now_ns - p->held_ns < WAKE_HOLD_NS) &&
           lane_is_asleep(p->other);
}

/* False while it is held back: to be asked again in the next turn. */
static bool wake_for_data(struct neighbour *p)
{
    if (p->unseen == 0) {
        return true;
    }
    if (may_hold_wake(p)) {
        p->held_ns = p->held_ns ? p->held_ns : p->lane->now_ns;
        return false;
    }
    p->unseen = 0;
    p->held_ns = 0;
    lane_wake(p->other, SLEEP_DATA);
    return true;
}

bool neighbour_ring_pump(struct neighbour *p)
{
    bool credits = p->credit_count > 0;
    bool returns = p->return_head != NULL;
    bool all = push_returns(p) && (!credits || push_credits(p)) && push_data(p);

    (void)ring_publish(p->to);
    if (!all) {
        /* Full of what alone wakes nobody: data may stand behind. */
        lane_wake(p->other, SLEEP_DATA);
    } else if (credits) {
        lane_wake(p->other, SLEEP_CREDIT);
    } else if (returns) {
        lane_wake(p->other, p->held < BATCHES_HELD_MAX ? SLEEP_FEW : SLEEP_ANY);
    }
    return wake_for_data(p) && all;
}

static void take_data(struct neighbour *p, struct batch *b)
{
    ASSERT(b->seq == p->seen_seq);
    p->seen_seq++;
    b->parcel = (struct parcel){.neighbour = p, .batch = b};
    p->lane->held_batches++;
    p->held++;
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
