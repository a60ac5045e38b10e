/*
 * Leading, and what is proposed to a leader.
 *
 *     queued ─ pump: one write for many ─▶ sent ─ applied ─▶ ended ─ pump ─▶ fn
 *        └──────── not leading ──────────────┴── lead lost ────▲
 *
 * libraft 0.15 commits entries of earlier terms by counting who has them, which may lose them again
 * (Ongaro 2014, 3.6.2). So a new leader writes a barrier of its own term before it hears any
 * answer: from then on the last entry, the only one libraft counts for, is of this term. The same
 * barrier, once applied, says that everything committed before is applied here: then the member
 * calls itself leader and takes proposals.
 */

#include "raft/consensus_internal.h"

/* Requests of libraft live until their callback, which comes once in any case. */
struct batch {
    struct raft_apply apply;
    struct raft_barrier barrier;
};

static void on_batch_applied(struct raft_apply *req, int status, void *result)
{
    (void)status;
    (void)result;
    free(req->data);
}

static void on_batch_passed(struct raft_barrier *req, int status)
{
    (void)status;
    free(req->data);
}

/* ---- ends ---- */

void lead_end(struct consensus *c, struct proposal *p, int code)
{
    list_remove(&p->node);
    p->code = code;
    raft_free(p->command.base);
    p->command.base = NULL;
    list_push_back(&c->ended, &p->node);
    c->proposal_count--;
    c->proposal_bytes -= p->command.len;
    life_kick(c);
}

static void end_list(struct consensus *c, struct list *list, int code)
{
    struct list_node *node;

    while ((node = list_first(list)) != NULL) {
        lead_end(c, LIST_ENTRY(node, struct proposal, node), code);
    }
}

void lead_end_all(struct consensus *c, int sent_code, int queued_code)
{
    end_list(c, &c->sent, sent_code);
    end_list(c, &c->queued, queued_code);
}

void lead_tell(struct consensus *c)
{
    struct list_node *node;

    while ((node = list_pop_front(&c->ended)) != NULL) {
        struct proposal *p = LIST_ENTRY(node, struct proposal, node);

        p->fn(p->user, p->code);
        free(p);
    }
}

/* ---- leading ---- */

int lead_code(int broken)
{
    return broken == GP_ENOSPC ? GP_ENOSPC : GP_EIO;
}

int lead_check(const struct consensus *c)
{
    if (c->broken < 0) {
        return lead_code(c->broken);
    }
    return life_role(c) == CONSENSUS_LEADER ? 0 : GP_ENOTLEADER;
}

static void on_lead_barrier(struct raft_barrier *req, int status)
{
    struct consensus *c = req->data;

    c->is_ready = status == 0;
    life_kick(c);
}

static void lead_begin(struct consensus *c)
{
    c->lead_term = c->raft.current_term;
    c->is_ready = false;
    c->lead_barrier.data = c;
    /* It fails without memory, and while a transfer of an earlier lead hangs about. Leading without
     * the barrier is not safe. */
    if (raft_barrier(&c->raft, &c->lead_barrier, on_lead_barrier) != 0) {
        life_seal(c, SEAL_RESTART, 0);
    }
}

static void lead_lose(struct consensus *c)
{
    c->lead_term = 0;
    c->is_ready = false;
    lead_end_all(c, GP_ECANCELED, GP_ENOTLEADER);
    parcels_drop(c);
    life_kick(c);
}

void lead_follow(struct consensus *c)
{
    const bool leads = c->raft.state == RAFT_LEADER;

    if (c->lead_term != 0 && (!leads || c->lead_term != c->raft.current_term)) {
        lead_lose(c);
    }
    if (leads && c->lead_term == 0) {
        lead_begin(c);
    }
}

/* ---- submitting ---- */

static struct proposal *first_queued(struct consensus *c)
{
    struct list_node *node = list_first(&c->queued);

    return node == NULL ? NULL : LIST_ENTRY(node, struct proposal, node);
}

/* Moves the first proposals to `sent`: of one kind, few enough for one write. */
static uint32_t take_batch(struct consensus *c, struct raft_buffer bufs[BATCH_COUNT_MAX],
                           uint64_t index)
{
    const bool is_barrier = first_queued(c)->is_barrier;
    struct proposal *p;
    size_t bytes = 0;
    uint32_t count = 0;

    while ((p = first_queued(c)) != NULL && p->is_barrier == is_barrier &&
           count < BATCH_COUNT_MAX && (count == 0 || bytes + p->command.len <= BATCH_BYTES_MAX)) {
        bytes += p->command.len;
        bufs[count] = p->command;
        p->command.base = NULL;
        p->index = is_barrier ? index : index + count;
        p->term = c->raft.current_term;
        list_remove(&p->node);
        list_push_back(&c->sent, &p->node);
        count++;
    }
    return count;
}

/* Without memory libraft may keep a part of them in its log that never reaches the disk: start it
 * afresh. What it took of the buffers is not known either; they are lost to us. */
static void submit_batch(struct consensus *c)
{
    struct raft_buffer bufs[BATCH_COUNT_MAX];
    struct batch *batch = calloc(1, sizeof(*batch));
    const uint64_t index = log_last(&c->raft.log) + 1;
    bool is_barrier;
    uint32_t count;
    int rv;

    if (batch == NULL) {
        lead_end(c, first_queued(c), GP_ENOMEM);
        return;
    }
    is_barrier = first_queued(c)->is_barrier;
    count = take_batch(c, bufs, index);
    batch->apply.data = batch->barrier.data = batch;
    rv = is_barrier ? raft_barrier(&c->raft, &batch->barrier, on_batch_passed)
                    : raft_apply(&c->raft, &batch->apply, bufs, count, on_batch_applied);
    if (rv != 0) {
        free(batch);
        life_seal(c, SEAL_RESTART, 0);
    }
}

void lead_submit(struct consensus *c)
{
    while (!list_is_empty(&c->queued) && life_is_up(c) && c->is_ready && c->raft.transfer == NULL) {
        submit_batch(c);
        io_drain(c);
        lead_follow(c);
    }
    if (!list_is_empty(&c->queued) && (!life_is_up(c) || !c->is_ready)) {
        const int code = lead_check(c);

        end_list(c, &c->queued, code < 0 ? code : GP_ENOTLEADER);
    }
}
