/*
 * What libraft wants told, as frames.
 *
 * Two things libraft 0.15 says are not true and are put right on the way out or in (see
 * consensus_receive.c): a member that took a message claims to hold all of its own log, of which
 * only what the message spanned is known to be the leader's; and a message without entries lets a
 * member commit what it has beyond it.
 *
 * libraft sends everything a member lacks with each heartbeat until it answers. Entries go only to
 * who has been heard lately, up to a size, and one parcel at a time; otherwise the same message
 * goes without them and keeps the member from electing. libraft notices by the answer and tries
 * again.
 */
#include "raft/consensus_internal.h"

struct raft_frame send_frame(const struct consensus *c, enum raft_kind kind, uint64_t to)
{
    return (struct raft_frame){
        .kind = (uint8_t)kind, .group = c->group_sum, .from = c->id, .to = to};
}

void send_out(struct consensus *c, uint64_t to, const char *address, uint64_t snapshot_index)
{
    if (buf_len(&c->out) <= CONSENSUS_FRAME_MAX) {
        c->events->send(c->user, to, address, buf_bytes(&c->out));
    } else if (!parcel_is_busy(c, to)) {
        parcel_begin(c, to, snapshot_index);
    } else {
        buf_deinit(&c->out); /* rare, and too big to keep */
    }
}

/* libraft's own pointer to an address is not always one. */
static const char *address_of(const struct consensus *c, uint64_t id)
{
    const struct raft_server *server = members_find(&c->raft.configuration, id);

    if (server != NULL) {
        return server->address;
    }
    return id != 0 && id == c->answering ? c->answering_address : NULL;
}

/* ---- entries ---- */

/* How many of them go: at least one, and not more than a parcel should hold. */
static unsigned entries_that_go(struct consensus *c, uint64_t to,
                                const struct raft_append_entries *args)
{
    const size_t room = parcel_is_busy(c, to) ? CONSENSUS_FRAME_MAX - 2 * RAFT_FRAME_HEADER_SIZE
                                              : (size_t)APPEND_BYTES_MAX;
    size_t size = 0;
    unsigned n = 0;

    if (!peer_is_heard(c, to)) {
        return 0;
    }
    for (; n < args->n_entries && n < RAFT_FRAME_ENTRIES_MAX; n++) {
        size += raft_frame_entry_size(args->entries[n].buf.len);
        if (size > room && (n > 0 || parcel_is_busy(c, to))) {
            break;
        }
    }
    return n;
}

static int encode_append(struct consensus *c, const struct raft_message *message)
{
    const struct raft_append_entries *args = &message->append_entries;
    struct raft_frame frame = send_frame(c, RAFT_KIND_APPEND, message->server_id);
    int rc;

    frame.term = args->term;
    frame.index = args->prev_log_index;
    frame.index_term = args->prev_log_term;
    frame.committed = args->leader_commit;
    frame.entry_count = entries_that_go(c, message->server_id, args);
    rc = raft_frame_encode(&frame, &c->out);
    for (uint32_t i = 0; i < frame.entry_count; i++) {
        const struct raft_entry *e = &args->entries[i];
        const struct raft_frame_entry entry = {e->term, e->type, {e->buf.base, e->buf.len}};

        rc = rc < 0 ? rc : raft_frame_put_entry(&entry, &c->out);
    }
    return rc;
}

/* ---- the others ---- */

static struct raft_frame append_result(const struct consensus *c,
                                       const struct raft_message *message)
{
    const struct raft_append_entries_result *result = &message->append_entries_result;
    struct raft_frame frame = send_frame(c, RAFT_KIND_APPEND_RESULT, message->server_id);

    frame.term = result->term;
    frame.rejected = result->rejected;
    frame.index = result->last_log_index;
    if (result->rejected == 0 && frame.index > c->answering_last) {
        frame.index = c->answering_last;
    }
    if (result->rejected == 0 && frame.index < c->raft.commit_index) {
        frame.index = c->raft.commit_index; /* every leader to come has that */
    }
    return frame;
}

static struct raft_frame vote(const struct consensus *c, const struct raft_message *message)
{
    const struct raft_request_vote *args = &message->request_vote;
    struct raft_frame frame = send_frame(c, RAFT_KIND_VOTE, message->server_id);

    frame.flags = (uint16_t)((args->disrupt_leader ? RAFT_FLAG_DISRUPT : 0) |
                             (args->pre_vote ? RAFT_FLAG_PRE_VOTE : 0));
    frame.term = args->term;
    frame.index = args->last_log_index;
    frame.index_term = args->last_log_term;
    return frame;
}

static struct raft_frame vote_result(const struct consensus *c, const struct raft_message *message)
{
    const struct raft_request_vote_result *result = &message->request_vote_result;
    struct raft_frame frame = send_frame(c, RAFT_KIND_VOTE_RESULT, message->server_id);

    frame.flags = (uint16_t)((result->vote_granted ? RAFT_FLAG_GRANTED : 0) |
                             (result->pre_vote == raft_tribool_true ? RAFT_FLAG_PRE_VOTE : 0));
    frame.term = result->term;
    /* libraft echoes the term of a pre-vote. A candidate whose log is needed but whose term is old
     * would never learn the new one, and two such would refuse each other for ever. */
    if (!result->vote_granted && frame.term < c->raft.current_term) {
        frame.term = c->raft.current_term;
    }
    return frame;
}

static struct raft_frame timeout_now(const struct consensus *c, const struct raft_message *message)
{
    const struct raft_timeout_now *args = &message->timeout_now;
    struct raft_frame frame = send_frame(c, RAFT_KIND_TIMEOUT_NOW, message->server_id);

    frame.term = args->term;
    frame.index = args->last_log_index;
    frame.index_term = args->last_log_term;
    return frame;
}

static int encode_install(struct consensus *c, const struct raft_message *message)
{
    const struct raft_install_snapshot *args = &message->install_snapshot;
    struct raft_frame frame = send_frame(c, RAFT_KIND_INSTALL, message->server_id);
    struct buf members = {0};
    int rc = members_encode(&args->conf, &members);

    frame.term = args->term;
    frame.index = args->last_index;
    frame.index_term = args->last_term;
    frame.members_index = args->conf_index;
    frame.members = buf_bytes(&members);
    frame.bytes = gp_bytes_of(args->data.base, args->data.len);
    rc = rc < 0 ? rc : raft_frame_encode(&frame, &c->out);
    buf_deinit(&members);
    return rc;
}

static int encode(struct consensus *c, const struct raft_message *message)
{
    struct raft_frame frame;

    switch (message->type) {
    case RAFT_IO_APPEND_ENTRIES:
        return encode_append(c, message);
    case RAFT_IO_INSTALL_SNAPSHOT:
        return encode_install(c, message);
    case RAFT_IO_APPEND_ENTRIES_RESULT:
        frame = append_result(c, message);
        break;
    case RAFT_IO_REQUEST_VOTE:
        frame = vote(c, message);
        break;
    case RAFT_IO_REQUEST_VOTE_RESULT:
        frame = vote_result(c, message);
        break;
    case RAFT_IO_TIMEOUT_NOW:
        frame = timeout_now(c, message);
        break;
    default:
        UNREACHABLE();
    }
    return raft_frame_encode(&frame, &c->out);
}

int send_message(struct consensus *c, const struct raft_message *message)
{
    const char *address = address_of(c, message->server_id);
    const uint64_t snapshot_index =
        message->type == RAFT_IO_INSTALL_SNAPSHOT ? message->install_snapshot.last_index : 0;

    if (address == NULL || c->is_closed) {
        return RAFT_NOCONNECTION;
    }
    /* A snapshot still on its way goes on: libraft's patience is shorter than a slow link. */
    if (snapshot_index != 0 && !parcel_give_way(c, message->server_id)) {
        return 0;
    }
    buf_clear(&c->out);
    if (encode(c, message) < 0) {
        return RAFT_NOMEM;
    }
    send_out(c, message->server_id, address, snapshot_index);
    return 0;
}

/* Only what is on our disk is spoken of: the follower whose log ends there begins an election. */
void send_farewell(struct consensus *c)
{
    const struct raft *r = &c->raft;
    struct raft_frame frame = send_frame(c, RAFT_KIND_TIMEOUT_NOW, 0);
    const struct raft_server *best = NULL;

    frame.term = r->current_term;
    frame.index = r->last_stored;
    frame.index_term = log_term(&r->log, r->last_stored);
    for (unsigned i = 0; i < r->configuration.n; i++) {
        const struct raft_server *server = &r->configuration.servers[i];

        if (server->id != c->id && server->role == RAFT_VOTER && peer_is_heard(c, server->id) &&
            (best == NULL || r->leader_state.progress[i].match_index == r->last_stored)) {
            best = server;
        }
    }
    if (best == NULL || frame.index_term == 0 || c->is_closed) {
        return;
    }
    frame.to = c->heir = best->id;
    buf_clear(&c->out);
    if (raft_frame_encode(&frame, &c->out) == 0) {
        c->events->send(c->user, best->id, best->address, buf_bytes(&c->out));
    }
}
