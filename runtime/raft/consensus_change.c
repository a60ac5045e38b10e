/*
 * Members come and go, one at a time, and the lead is given away.
 *
 *     add:     SETTLE ─▶ ADD ─▶ CATCH_UP ─▶ done
 *     remove:  SETTLE ─▶ REMOVE ─▶ done
 *
 * SETTLE is a barrier: when it has passed, no change of an earlier leader is open any more. libraft
 * does not remember across a restart that one was, and would let two overlap.
 *
 * libraft's callbacks only note what they were told; the pump takes the next step. It owes exactly
 * one callback to each step but SETTLE, whose end is that of a proposal.
 */
#include "raft/consensus_internal.h"

static int code_of(int status)
{
    switch (status) {
    case 0:
        return 0;
    case RAFT_NOCONNECTION: /* its word for too slow */
        return GP_ETIMEOUT;
    case RAFT_NOMEM:
        return GP_ENOMEM;
    case RAFT_CANTCHANGE:
        return GP_ESTATE;
    case RAFT_NOTLEADER:
        return GP_ENOTLEADER;
    case RAFT_BADID:
    case RAFT_NOTFOUND:
        return GP_ENOENT;
    default:
        return GP_ECANCELED;
    }
}

void change_end(struct consensus *c, int code)
{
    const struct change change = c->change;

    if (change.step == CHANGE_NONE) {
        return;
    }
    c->change.step = CHANGE_NONE;
    c->change.is_done = false;
    change.fn(change.user, code);
}

static void on_changed(struct raft_change *req, int status)
{
    struct consensus *c = req->data;

    c->change.is_done = true;
    c->change.status = status;
    life_kick(c);
}

static void change_begin(struct consensus *c, enum change_step step)
{
    struct change *change = &c->change;
    int rv;

    change->step = step;
    change->is_done = false;
    change->request.data = c;
    switch (step) {
    case CHANGE_ADD:
        rv = raft_add(&c->raft, &change->request, change->id, change->address, on_changed);
        break;
    case CHANGE_CATCH_UP:
        rv = raft_assign(&c->raft, &change->request, change->id, RAFT_VOTER, on_changed);
        break;
    default:
        rv = raft_remove(&c->raft, &change->request, change->id, on_changed);
        break;
    }
    if (rv != 0) {
        change->is_done = true;
        change->status = rv;
        if (rv == RAFT_NOMEM) {
            life_seal(c, SEAL_RESTART, 0); /* what it has changed in memory is not known */
        }
    }
}

/* Nothing of an earlier leader is open: the first real step. */
static void on_settled(void *user, int code)
{
    struct consensus *c = user;

    if (c->change.step != CHANGE_SETTLE) {
        return;
    }
    c->change.is_done = true;
    c->change.status = code;
}

static enum change_step next_step(const struct consensus *c)
{
    const struct change *change = &c->change;

    switch (change->step) {
    case CHANGE_SETTLE:
        if (change->is_removal) {
            return CHANGE_REMOVE;
        }
        return members_find(&c->raft.configuration, change->id) == NULL ? CHANGE_ADD
                                                                        : CHANGE_CATCH_UP;
    case CHANGE_ADD:
        return CHANGE_CATCH_UP;
    default:
        return CHANGE_NONE;
    }
}

/* One libraft call at most: the caller runs what it owes and comes again. */
static void step_change(struct consensus *c)
{
    struct change *change = &c->change;
    enum change_step next;

    if (c->is_closed || change->step == CHANGE_NONE || !change->is_done) {
        return;
    }
    if (change->status != 0) {
        /* SETTLE has a code of ours, the others one of libraft's. */
        change_end(c, change->step == CHANGE_SETTLE ? change->status : code_of(change->status));
        return;
    }
    next = next_step(c);
    if (next == CHANGE_NONE) {
        change_end(c, 0);
    } else if (!life_is_up(c) || !c->is_ready || c->raft.transfer != NULL) {
        change_end(c, lead_check(c) < 0 ? lead_check(c) : GP_ENOTLEADER);
    } else {
        change_begin(c, next);
    }
}

static int settle(struct consensus *c, bool is_removal, uint64_t id, const char *address,
                  consensus_fn fn, void *user)
{
    struct change *change = &c->change;
    const int rc = consensus_barrier(c, on_settled, c);

    if (rc < 0) {
        return rc;
    }
    *change = (struct change){.step = CHANGE_SETTLE, .is_removal = is_removal, .id = id};
    change->fn = fn;
    change->user = user;
    (void)str_format(change->address, sizeof(change->address), "%s", address);
    return 0;
}

int consensus_add(struct consensus *c, uint64_t id, const char *address, consensus_fn fn,
                  void *user)
{
    const struct raft_configuration *members = &c->raft.configuration;
    const struct raft_server *old;
    const int rc = lead_check(c);

    if (rc < 0) {
        return rc;
    }
    if (c->change.step != CHANGE_NONE || c->transfer.step != TRANSFER_NONE) {
        return GP_ESTATE;
    }
    if (id == 0 || address[0] == '\0' || strlen(address) >= CONSENSUS_ADDRESS_MAX) {
        return GP_EINVAL;
    }
    old = members_find(members, id);
    for (unsigned i = 0; i < members->n; i++) {
        if (members->servers[i].id != id && strcmp(members->servers[i].address, address) == 0) {
            return GP_EEXIST;
        }
    }
    if (old != NULL && (old->role == RAFT_VOTER || strcmp(old->address, address) != 0)) {
        return GP_EEXIST;
    }
    if (old == NULL && members->n >= CONSENSUS_MEMBERS_MAX) {
        return GP_EFULL;
    }
    return settle(c, false, id, address, fn, user);
}

int consensus_remove(struct consensus *c, uint64_t id, consensus_fn fn, void *user)
{
    const struct raft_server *server;
    int rc = lead_check(c);

    if (rc < 0) {
        return rc;
    }
    if (c->change.step != CHANGE_NONE || c->transfer.step != TRANSFER_NONE) {
        return GP_ESTATE;
    }
    server = members_find(&c->raft.configuration, id);
    if (server == NULL) {
        return GP_ENOENT;
    }
    if (server->role == RAFT_VOTER && members_voters(&c->raft.configuration) == 1) {
        return GP_EINVAL;
    }
    if (id != c->id) {
        return settle(c, true, id, "", fn, user);
    }
    rc = consensus_transfer(c, 0, fn, user);
    if (rc == 0) {
        c->transfer.is_removal = true;
    }
    return rc;
}

/* ---- giving the lead away ---- */

void transfer_end(struct consensus *c, int code)
{
    const struct transfer transfer = c->transfer;

    if (transfer.step == TRANSFER_NONE) {
        return;
    }
    c->transfer.step = TRANSFER_NONE;
    transfer.fn(transfer.user, transfer.is_removal && code == 0 ? GP_ENOTLEADER : code);
}

static void on_transferred(struct raft_transfer *req)
{
    struct consensus *c = req->data;

    c->transfer.step = TRANSFER_DONE;
    life_kick(c);
}

/* The member with a vote that has most of the log and is there to take it; 0: none. */
static uint64_t best_successor(const struct consensus *c)
{
    const struct raft *r = &c->raft;
    uint64_t best = 0;
    uint64_t match = 0;

    for (unsigned i = 0; i < r->configuration.n; i++) {
        const struct raft_server *server = &r->configuration.servers[i];
        const uint64_t its = r->leader_state.progress[i].match_index;

        if (server->id != c->id && server->role == RAFT_VOTER && peer_is_heard(c, server->id) &&
            (best == 0 || its > match)) {
            best = server->id;
            match = its;
        }
    }
    return best;
}

int consensus_transfer(struct consensus *c, uint64_t to, consensus_fn fn, void *user)
{
    const struct raft_server *server;
    const int rc = lead_check(c);

    if (rc < 0) {
        return rc;
    }
    if (c->transfer.step != TRANSFER_NONE || c->change.step != CHANGE_NONE) {
        return GP_ESTATE;
    }
    to = to == 0 ? best_successor(c) : to;
    server = members_find(&c->raft.configuration, to);
    if (to == c->id || server == NULL || server->role != RAFT_VOTER) {
        return GP_ENOENT;
    }
    c->transfer = (struct transfer){.step = TRANSFER_ASKED, .to = to, .fn = fn, .user = user};
    life_kick(c);
    return 0;
}

static void step_transfer(struct consensus *c)
{
    struct transfer *transfer = &c->transfer;

    if (c->is_closed) {
        return;
    }
    if (transfer->step == TRANSFER_ASKED) {
        if (!life_is_up(c) || !c->is_ready) {
            transfer_end(c, 0); /* somebody else leads already */
            return;
        }
        transfer->step = TRANSFER_STARTED;
        transfer->request.data = c;
        if (raft_transfer(&c->raft, &transfer->request, transfer->to, on_transferred) != 0) {
            transfer_end(c, GP_ETIMEOUT);
        }
    } else if (transfer->step == TRANSFER_DONE) {
        transfer_end(c, life_is_up(c) && c->raft.state == RAFT_LEADER ? GP_ETIMEOUT : 0);
    }
}

void change_step(struct consensus *c)
{
    step_change(c);
    io_drain(c);
    step_transfer(c);
    io_drain(c);
}
