/*
 * Messages larger than a frame, in fragments.
 *
 * Sender: one parcel for each member at a time; at most a window of bytes is unanswered, so that
 * the queues of the messenger need not hold a snapshot. Without news for a while it goes back to
 * what was answered; without news for the time of a snapshot it gives up, and libraft begins again.
 * Receiver: one parcel at all, for there is one leader; fragments that do not follow what is there
 * are dropped, and each is answered with how much is there. A fragment 0 begins anew. Memory grows
 * with what has arrived, not with what was announced.
 */
#include "raft/consensus_internal.h"

/* ---- members ---- */

struct peer *peer_of(struct consensus *c, uint64_t id)
{
    struct peer *spare = NULL;

    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &c->peers[i];

        if (peer->id == id) {
            return peer;
        }
        if (peer->id == 0 ||
            (!peer->parcel.is_busy && members_find(&c->raft.configuration, peer->id) == NULL)) {
            spare = peer;
        }
    }
    if (spare != NULL) {
        buf_deinit(&spare->parcel.bytes);
        *spare = (struct peer){.id = id};
        buf_init(&spare->parcel.bytes, RAFT_FRAME_PARCEL_MAX);
    }
    return spare;
}

bool peer_is_heard(const struct consensus *c, uint64_t id)
{
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        const struct peer *peer = &c->peers[i];

        if (peer->id == id) {
            return peer->is_heard &&
                   life_now_ns(c) - peer->heard_ns < 2 * c->options.election_timeout_ns;
        }
    }
    return false;
}

/* ---- sending ---- */

bool parcel_is_busy(struct consensus *c, uint64_t to)
{
    const struct peer *peer = peer_of(c, to);

    return peer == NULL || peer->parcel.is_busy;
}

static void parcel_end(struct parcel *parcel)
{
    buf_deinit(&parcel->bytes);
    parcel->is_busy = false;
}

bool parcel_give_way(struct consensus *c, uint64_t to)
{
    struct peer *peer = peer_of(c, to);

    if (peer == NULL || (peer->parcel.is_busy && peer->parcel.snapshot_index != 0)) {
        return false;
    }
    parcel_end(&peer->parcel);
    return true;
}

static void send_fragments(struct consensus *c, struct peer *peer)
{
    const struct raft_server *server = members_find(&c->raft.configuration, peer->id);
    struct parcel *parcel = &peer->parcel;
    const gp_bytes all = buf_bytes(&parcel->bytes);

    while (server != NULL && !c->is_closed && parcel->sent < all.len &&
           parcel->sent - parcel->acked < PARCEL_WINDOW) {
        struct raft_frame frame = send_frame(c, RAFT_KIND_FRAGMENT, peer->id);
        const size_t left = all.len - parcel->sent;
        const size_t len = left < RAFT_FRAME_FRAGMENT_MAX ? left : RAFT_FRAME_FRAGMENT_MAX;

        frame.term = parcel->term;
        frame.parcel = parcel->number;
        frame.total = all.len;
        frame.offset = parcel->sent;
        frame.bytes = gp_bytes_of((const char *)all.ptr + parcel->sent, len);
        buf_clear(&c->out);
        if (raft_frame_encode(&frame, &c->out) < 0) {
            return;
        }
        parcel->sent += len;
        c->events->send(c->user, peer->id, server->address, buf_bytes(&c->out));
    }
}

void parcel_begin(struct consensus *c, uint64_t to, uint64_t snapshot_index)
{
    struct peer *peer = peer_of(c, to);
    struct parcel *parcel = &peer->parcel;
    const struct buf taken = c->out;

    ASSERT(!parcel->is_busy);
    buf_deinit(&parcel->bytes);
    parcel->bytes = taken;
    buf_init(&c->out, RAFT_FRAME_PARCEL_MAX);
    parcel->is_busy = true;
    parcel->number = ++c->parcel_number;
    parcel->term = c->raft.current_term;
    parcel->sent = parcel->acked = 0;
    parcel->moved_ns = life_now_ns(c);
    parcel->snapshot_index = snapshot_index;
    send_fragments(c, peer);
}

void parcel_on_ack(struct consensus *c, const struct raft_frame *frame)
{
    struct peer *peer = peer_of(c, frame->from);
    struct parcel *parcel = peer == NULL ? NULL : &peer->parcel;

    if (parcel == NULL || !parcel->is_busy || parcel->number != frame->parcel ||
        frame->offset > buf_len(&parcel->bytes)) {
        return;
    }
    if (frame->offset > parcel->acked) {
        parcel->moved_ns = life_now_ns(c);
    } else if (frame->offset == 0 && parcel->acked > 0) {
        parcel->sent = 0; /* it has begun another life and has nothing of it */
    } else {
        return;
    }
    parcel->acked = (size_t)frame->offset;
    parcel->sent = parcel->sent < parcel->acked ? parcel->acked : parcel->sent;
    if (parcel->acked == buf_len(&parcel->bytes)) {
        parcel_end(parcel);
        return;
    }
    send_fragments(c, peer);
}

void parcel_on_tick(struct consensus *c)
{
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &c->peers[i];
        struct parcel *parcel = &peer->parcel;
        const int64_t still_ns = life_now_ns(c) - parcel->moved_ns;

        if (!parcel->is_busy) {
            continue;
        }
        if (still_ns >= c->options.snapshot_timeout_ns ||
            members_find(&c->raft.configuration, peer->id) == NULL) {
            parcel_end(parcel);
        } else if (still_ns >= PARCEL_RETRY_NS) {
            parcel->sent = parcel->acked;
            send_fragments(c, peer);
        }
    }
}

void parcels_drop(struct consensus *c)
{
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        parcel_end(&c->peers[i].parcel);
    }
}

/* ---- receiving ---- */

void assembly_deinit(struct assembly *a)
{
    buf_deinit(&a->bytes);
    *a = (struct assembly){0};
}

static void answer(struct consensus *c, const struct raft_frame *fragment, const char *address,
                   uint64_t arrived)
{
    struct raft_frame frame = send_frame(c, RAFT_KIND_FRAGMENT_ACK, fragment->from);

    frame.term = fragment->term;
    frame.parcel = fragment->parcel;
    frame.offset = arrived;
    buf_clear(&c->out);
    if (raft_frame_encode(&frame, &c->out) == 0) {
        c->events->send(c->user, fragment->from, address, buf_bytes(&c->out));
    }
}

bool assembly_add(struct consensus *c, const struct raft_frame *frame, const char *address)
{
    struct assembly *a = &c->assembly;
    const bool is_same =
        a->from == frame->from && a->number == frame->parcel && a->total == frame->total;

    if (is_same && a->is_done) {
        answer(c, frame, address, a->total);
        return false;
    }
    if (a->from == frame->from && a->number - frame->parcel - 1 < PARCEL_LATE) {
        return false; /* of a parcel before this one */
    }
    if (!is_same) {
        if (frame->offset != 0) {
            answer(c, frame, address, 0);
            return false;
        }
        assembly_deinit(a);
        *a = (struct assembly){.from = frame->from,
                               .number = frame->parcel,
                               .term = frame->term,
                               .total = (size_t)frame->total};
        buf_init(&a->bytes, RAFT_FRAME_PARCEL_MAX);
    }
    if (frame->offset == buf_len(&a->bytes) && buf_append_bytes(&a->bytes, frame->bytes) < 0) {
        assembly_deinit(a);
        return false;
    }
    answer(c, frame, address, buf_len(&a->bytes));
    a->is_done = buf_len(&a->bytes) == a->total;
    return a->is_done;
}
