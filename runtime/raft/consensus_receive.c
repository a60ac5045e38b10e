/*
 * What other members say, before libraft hears it.
 *
 *     bytes ─ decode ─ is it of our group, from who sent it, for us ─ may this one say this ─
 *       ─ can it be true here ─ put right what libraft would take wrongly ─▶ libraft
 *
 * libraft (as Debian builds it, without assertions) believes what it is told. Beyond what wire
 * checks, it is kept from: two leaders in a term; granted votes of another term; voting twice in
 * one; lists of members that do not hold; messages that begin before what it still has of its log;
 * a commit index beyond what a message spans.
 *
 * When entries replace others among which the members changed, libraft would look for the older
 * list in a log that may not have it any more. Then the log is cut by us and the instance starts
 * afresh.
 */
#include "raft/consensus_internal.h"

/* ---- who may say what ---- */

/* Somebody unknown here may have become a member, or leader, since the last we heard: it counts as
 * long as nobody known leads. Its log must be no older than ours, then an election that it asks for
 * is possible, and it must not be of a far term. */
static bool stranger_may(const struct consensus *c, const struct raft_frame *frame)
{
    const struct raft *r = &c->raft;
    const uint64_t leader = life_leader(c);

    switch (frame->kind) {
    case RAFT_KIND_APPEND:
    case RAFT_KIND_INSTALL:
    case RAFT_KIND_FRAGMENT:
        return leader == 0 || leader == frame->from;
    case RAFT_KIND_VOTE:
        return leader == 0 && r->configuration.n > 0 &&
               frame->term <= r->current_term + STRANGER_TERMS && vote_is_for_newer(c, frame);
    default:
        return false;
    }
}

static bool may(const struct consensus *c, const struct raft_frame *frame)
{
    return members_find(&c->raft.configuration, frame->from) != NULL || stranger_may(c, frame);
}

/* ---- what can be true here ---- */

/* One leader in a term: not us, and not another than the one we know. */
static bool is_second_leader(const struct consensus *c, const struct raft_frame *frame)
{
    const uint64_t leader = life_leader(c);

    return frame->term == c->raft.current_term && leader != 0 && leader != frame->from;
}

static bool are_lists_good(const struct raft_frame *frame)
{
    struct reader r = reader_of(frame->entries);

    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const struct raft_frame_entry entry = raft_frame_entry_next(&r);

        if (entry.type == RAFT_ENTRY_CHANGE && members_check(entry.bytes) < 0) {
            return false;
        }
        if (i == 0 && frame->index == 0 && entry.type != RAFT_ENTRY_CHANGE) {
            return false; /* every log begins with its members */
        }
    }
    return true;
}

static bool is_true_here(const struct consensus *c, const struct raft_frame *frame)
{
    if (frame->term > c->raft.current_term + TERM_LEAP_MAX) {
        return false; /* terms grow by elections, and cannot be taken back */
    }
    switch (frame->kind) {
    case RAFT_KIND_APPEND:
        return !is_second_leader(c, frame) && are_lists_good(frame);
    case RAFT_KIND_INSTALL:
        return !is_second_leader(c, frame) && members_check(frame->members) == 0;
    case RAFT_KIND_VOTE_RESULT:
        return (frame->flags & RAFT_FLAG_GRANTED) == 0 || frame->term <= c->raft.current_term + 1;
    default:
        return true;
    }
}

/* A vote that was given already: silence says no as well. */
static bool is_idle(const struct consensus *c, const struct raft_frame *frame)
{
    const struct raft *r = &c->raft;

    return frame->kind == RAFT_KIND_VOTE && (frame->flags & RAFT_FLAG_PRE_VOTE) == 0 &&
           frame->term == r->current_term && r->voted_for != 0 && r->voted_for != frame->from;
}

/* ---- entries that replace others ---- */

/* The index from which ours have to go; 0: none. */
static uint64_t conflict_of(const struct consensus *c, const struct raft_frame *frame)
{
    const struct raft *r = &c->raft;
    struct reader reader = reader_of(frame->entries);

    if (frame->term < r->current_term ||
        (frame->index > r->commit_index && log_term(&r->log, frame->index) != frame->index_term)) {
        return 0;
    }
    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const struct raft_frame_entry entry = raft_frame_entry_next(&reader);
        const uint64_t index = frame->index + 1 + i;
        const uint64_t ours = log_term(&r->log, index);

        if (index > r->commit_index && ours != 0 && ours != entry.term) {
            return index;
        }
    }
    return 0;
}

/* ---- as libraft wants it ---- */

static bool copy_entries(const struct raft_frame *frame, uint32_t skip,
                         struct raft_append_entries *args)
{
    const uint32_t count = frame->entry_count - skip;
    struct reader r = reader_of(frame->entries);
    size_t size = 8;
    size_t at = 0;
    char *batch;

    if (count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const size_t len = raft_frame_entry_next(&r).bytes.len;

        size += i < skip ? 0 : ALIGN_UP(len, (size_t)8);
    }
    args->entries = raft_calloc(count, sizeof(*args->entries));
    batch = raft_malloc(size);
    if (args->entries == NULL || batch == NULL) {
        raft_free(args->entries);
        raft_free(batch);
        return false;
    }
    args->n_entries = count;
    r = reader_of(frame->entries);
    for (uint32_t i = 0; i < frame->entry_count; i++) {
        const struct raft_frame_entry entry = raft_frame_entry_next(&r);

        if (i < skip) {
            continue;
        }
        memcpy(batch + at, entry.bytes.ptr, entry.bytes.len);
        args->entries[i - skip] = (struct raft_entry){
            .term = entry.term,
            .type = entry.type,
            .buf = {.base = batch + at, .len = entry.bytes.len},
            .batch = batch,
        };
        at += ALIGN_UP(entry.bytes.len, (size_t)8);
    }
    return true;
}

/*
 * What is committed here, every leader of this term and later has as well: such entries are passed
 * over and the message begins behind them. libraft may not have them any more, and then would
 * refuse the message for ever, or (when it begins with the first entry) append it all at its end.
 */
static bool take_append(struct consensus *c, const struct raft_frame *frame,
                        struct raft_message *message)
{
    struct raft_append_entries *args = &message->append_entries;
    const uint64_t committed = c->raft.commit_index;
    const uint64_t spanned = frame->index + frame->entry_count;
    uint32_t skip = 0;

    message->type = RAFT_IO_APPEND_ENTRIES;
    *args = (struct raft_append_entries){
        .term = frame->term,
        .prev_log_index = frame->index,
        .prev_log_term = frame->index_term,
        .leader_commit = frame->committed < spanned ? frame->committed : spanned,
    };
    if (frame->term >= c->raft.current_term && frame->index < committed) {
        skip = spanned < committed ? frame->entry_count : (uint32_t)(committed - frame->index);
        args->prev_log_index = committed;
        args->prev_log_term = log_term(&c->raft.log, committed);
    }
    c->answering_last = spanned;
    return copy_entries(frame, skip, args);
}

static bool take_install(struct consensus *c, const struct raft_frame *frame,
                         struct raft_message *message)
{
    struct raft_install_snapshot *args = &message->install_snapshot;

    message->type = RAFT_IO_INSTALL_SNAPSHOT;
    *args = (struct raft_install_snapshot){
        .term = frame->term,
        .last_index = frame->index,
        .last_term = frame->index_term,
        .conf_index = frame->members_index,
    };
    c->answering_last = frame->index;
    args->data.len = frame->bytes.len;
    args->data.base = raft_malloc(frame->bytes.len + 1);
    if (args->data.base == NULL || members_decode(frame->members, &args->conf) < 0) {
        raft_configuration_close(&args->conf);
        raft_free(args->data.base);
        return false;
    }
    if (frame->bytes.len > 0) {
        memcpy(args->data.base, frame->bytes.ptr, frame->bytes.len);
    }
    return true;
}

static void take_append_result(const struct raft_frame *frame, struct raft_message *message)
{
    message->type = RAFT_IO_APPEND_ENTRIES_RESULT;
    message->append_entries_result = (struct raft_append_entries_result){
        .term = frame->term, .rejected = frame->rejected, .last_log_index = frame->index};
}

static void take_vote(const struct raft_frame *frame, struct raft_message *message)
{
    message->type = RAFT_IO_REQUEST_VOTE;
    message->request_vote = (struct raft_request_vote){
        .term = frame->term,
        .candidate_id = frame->from,
        .last_log_index = frame->index,
        .last_log_term = frame->index_term,
        .disrupt_leader = (frame->flags & RAFT_FLAG_DISRUPT) != 0,
        .pre_vote = (frame->flags & RAFT_FLAG_PRE_VOTE) != 0,
    };
}

static void take_vote_result(const struct raft_frame *frame, struct raft_message *message)
{
    message->type = RAFT_IO_REQUEST_VOTE_RESULT;
    message->request_vote_result = (struct raft_request_vote_result){
        .term = frame->term,
        .vote_granted = (frame->flags & RAFT_FLAG_GRANTED) != 0,
        .pre_vote = TO_RAFT_TRIBOOL((frame->flags & RAFT_FLAG_PRE_VOTE) != 0),
    };
}

static void take_timeout_now(const struct raft_frame *frame, struct raft_message *message)
{
    message->type = RAFT_IO_TIMEOUT_NOW;
    message->timeout_now = (struct raft_timeout_now){
        .term = frame->term, .last_log_index = frame->index, .last_log_term = frame->index_term};
}

/* False: no memory; the message is lost. */
static bool take(struct consensus *c, const struct raft_frame *frame, struct raft_message *message)
{
    switch (frame->kind) {
    case RAFT_KIND_APPEND:
        return take_append(c, frame, message);
    case RAFT_KIND_INSTALL:
        return take_install(c, frame, message);
    case RAFT_KIND_APPEND_RESULT:
        take_append_result(frame, message);
        return true;
    case RAFT_KIND_VOTE:
        take_vote(frame, message);
        return true;
    case RAFT_KIND_VOTE_RESULT:
        take_vote_result(frame, message);
        return true;
    default:
        take_timeout_now(frame, message);
        return true;
    }
}

/* libraft goes on naming the leader of an earlier term when it has voted in a new one. */
static void note_leader(struct consensus *c, const struct raft_frame *frame)
{
    if ((frame->kind == RAFT_KIND_APPEND || frame->kind == RAFT_KIND_INSTALL) &&
        frame->term == c->raft.current_term && c->raft.state == RAFT_FOLLOWER) {
        c->leader_term = frame->term;
        c->leader_heard_ns = life_now_ns(c);
    }
}

static void deliver(struct consensus *c, const struct raft_frame *frame)
{
    struct raft_message message = {.server_id = frame->from,
                                   .server_address = c->answering_address};
    const uint64_t conflict = frame->kind == RAFT_KIND_APPEND ? conflict_of(c, frame) : 0;

    if (conflict != 0 && conflict <= members_log_last(&c->members)) {
        c->truncate_from = conflict;
        life_seal(c, SEAL_RESTART, 0);
    } else if (is_idle(c, frame)) {
        return;
    } else if (frame->kind == RAFT_KIND_VOTE && vote_is_ours(c)) {
        vote_answer(c, frame);
    } else if (take(c, frame, &message)) {
        c->on_recv(&c->io, &message);
        note_leader(c, frame);
        io_drain(c); /* while it is known whom this answers */
    }
}

/* ---- in ---- */

static void receive_whole(struct consensus *c, const struct raft_frame *frame)
{
    if (!is_true_here(c, frame)) {
        c->malformed++;
        return;
    }
    deliver(c, frame);
}

static void receive_fragment(struct consensus *c, const struct raft_frame *frame,
                             const char *address)
{
    struct raft_frame whole;

    if (frame->term < c->raft.current_term || !assembly_add(c, frame, address)) {
        return;
    }
    if (!life_has_memory(2 * c->assembly.total)) {
        buf_deinit(&c->assembly.bytes); /* lost */
        return;
    }
    if (raft_frame_decode(buf_bytes(&c->assembly.bytes), &whole) < 0 ||
        (whole.kind != RAFT_KIND_APPEND && whole.kind != RAFT_KIND_INSTALL) ||
        whole.group != frame->group || whole.from != frame->from || whole.to != frame->to) {
        c->malformed++;
    } else if (may(c, &whole)) {
        receive_whole(c, &whole);
    }
    buf_deinit(&c->assembly.bytes);
}

void receive(struct consensus *c, uint64_t from, const char *address, gp_bytes bytes)
{
    struct raft_frame frame;
    struct peer *peer;

    if (raft_frame_decode(bytes, &frame) < 0) {
        c->malformed++;
        return;
    }
    if (frame.group != c->group_sum || frame.from != from || frame.to != c->id || from == c->id ||
        address[0] == '\0' || !may(c, &frame)) {
        c->strangers++;
        return;
    }
    peer = peer_of(c, from);
    if (peer != NULL) {
        peer->is_heard = true;
        peer->heard_ns = life_now_ns(c);
    }
    c->answering = from;
    c->answering_last = 0;
    (void)str_format(c->answering_address, sizeof(c->answering_address), "%s", address);
    if (frame.kind == RAFT_KIND_FRAGMENT) {
        receive_fragment(c, &frame, c->answering_address);
    } else if (frame.kind == RAFT_KIND_FRAGMENT_ACK) {
        parcel_on_ack(c, &frame);
    } else {
        receive_whole(c, &frame);
    }
    c->answering = 0;
}
