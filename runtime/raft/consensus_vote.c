/*
 * Votes that libraft leaves to us: soon, when the leader's connection breaks (consensus_doubt), and
 * those of a member whose own list of members gives it none.
 *
 * Who is a voter is said by the candidate's list, which may be newer than ours: a second member
 * whose promotion was written by the first one, which then died, has to elect that one or nobody
 * ever will. libraft refuses, so we answer for it. The rules are those of any vote (Ongaro 2014,
 * 3.4, 3.6.1 and 9.6): nobody leads, as far as can be heard; its log is no older than ours; one
 * vote in a term, on the disk before it is said. libraft learns of it from the disk: the instance
 * starts afresh.
 */
#include "raft/consensus_internal.h"

static bool has_leader(const struct consensus *c)
{
    return c->leader_heard_ns != 0 &&
           life_now_ns(c) - c->leader_heard_ns < c->options.election_timeout_ns;
}

/*
 * As if the time since we heard it were over, but for what is drawn so that not all begin at once.
 * libraft has no call for it; the fields are those that its timer and recvUpdateLeader() set.
 */
static void forget_leader(struct consensus *c)
{
    struct raft *r = &c->raft;
    uint32_t draw;

    raft_free(r->follower_state.current_leader.address);
    r->follower_state.current_leader.address = NULL;
    r->follower_state.current_leader.id = 0;
    c->leader_heard_ns = 0;
    port_random(c->port, &draw, sizeof(draw));
    r->follower_state.randomized_election_timeout = draw % (r->election_timeout / DOUBT_PART + 1);
    r->election_timer_start = c->io.time(&c->io);
}

void consensus_doubt(struct consensus *c, uint64_t member)
{
    if (c->is_closed || c->depth > 0 || !life_is_up(c) || c->raft.state != RAFT_FOLLOWER ||
        life_leader(c) != member || member == 0) {
        return;
    }
    life_enter(c);
    LOG_INFO(c->port->log, "consensus.doubted", KV_HEX("leader", member),
             KV_U64("term", c->raft.current_term));
    forget_leader(c);
    life_leave(c);
}

bool vote_is_ours(const struct consensus *c)
{
    const struct raft_server *self = members_find(&c->raft.configuration, c->id);

    return c->raft.configuration.n > 0 && (self == NULL || self->role != RAFT_VOTER);
}

/* Not worse than ours, by what it ends with. */
bool vote_is_for_newer(const struct consensus *c, const struct raft_frame *frame)
{
    const uint64_t last = log_last(&c->raft.log);
    const uint64_t last_term = log_term(&c->raft.log, last);

    return frame->index_term > last_term ||
           (frame->index_term == last_term && frame->index >= last);
}

static void say(struct consensus *c, const struct raft_frame *vote, uint16_t granted, uint64_t term)
{
    struct raft_frame frame = send_frame(c, RAFT_KIND_VOTE_RESULT, vote->from);

    frame.flags = (uint16_t)(granted | (vote->flags & RAFT_FLAG_PRE_VOTE));
    frame.term = term;
    buf_clear(&c->out);
    if (raft_frame_encode(&frame, &c->out) == 0) {
        send_out(c, vote->from, c->answering_address, 0);
    }
}

void vote_answer(struct consensus *c, const struct raft_frame *frame)
{
    const bool is_pre = (frame->flags & RAFT_FLAG_PRE_VOTE) != 0;
    const bool is_asked = (frame->flags & RAFT_FLAG_DISRUPT) != 0;
    int rc;

    if (frame->term < c->raft.current_term) {
        say(c, frame, 0, c->raft.current_term); /* it has to know */
        return;
    }
    if ((has_leader(c) && !is_asked) || !vote_is_for_newer(c, frame)) {
        return;
    }
    if (!is_pre) {
        rc = journal_set_vote(c->journal, frame->term, frame->from, NULL);
        life_seal(c, rc < 0 ? SEAL_BROKEN : SEAL_RESTART, rc);
        if (rc < 0) {
            return;
        }
    }
    say(c, frame, RAFT_FLAG_GRANTED, frame->term);
}
