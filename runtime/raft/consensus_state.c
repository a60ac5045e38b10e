/*
 * The owner's state as libraft knows it, its raft_fsm: commands in, snapshots out and in.
 *
 * libraft takes an error of any of these for the end of the world, so none is told: a command
 * cannot fail, a snapshot that cannot be made now is tried again later, and one that cannot be
 * restored seals the instance (when it begins, the beginning fails).
 */
#include "raft/consensus_internal.h"

static struct consensus *owner_of(struct raft_fsm *fsm)
{
    return fsm->data;
}

/* The proposal of this entry, if it is still the entry that was proposed. Those before it in the
 * list are barriers, which it ends, or were replaced by others. */
static void end_proposals(struct consensus *c, uint64_t index)
{
    const uint64_t term = log_term(&c->raft.log, index);
    struct list_node *node;

    while ((node = list_first(&c->sent)) != NULL) {
        struct proposal *p = LIST_ENTRY(node, struct proposal, node);

        if (p->index > index || (p->index == index && p->is_barrier)) {
            return;
        }
        if (p->is_barrier || p->index == index) {
            lead_end(c, p, p->is_barrier || p->term == term ? 0 : GP_ECANCELED);
        } else {
            lead_end(c, p, GP_ECANCELED);
        }
    }
}

void state_end_barriers(struct consensus *c)
{
    struct list_node *node;

    while ((node = list_first(&c->sent)) != NULL) {
        struct proposal *p = LIST_ENTRY(node, struct proposal, node);

        if (!p->is_barrier || p->index > c->raft.last_applied) {
            return;
        }
        lead_end(c, p, 0);
    }
}

/* libraft does not say which entry it is; its counter is moved after this call. */
static int on_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct consensus *c = owner_of(fsm);
    const uint64_t index = c->raft.last_applied + 1;

    *result = NULL;
    if (!c->is_closed) {
        c->events->apply(c->user, index, gp_bytes_of(buf->base, buf->len));
    }
    end_proposals(c, index);
    return 0;
}

/* libraft counts entries and not bytes, so it is told how many they are. */
static void set_trailing(struct consensus *c, size_t snapshot_bytes)
{
    const uint64_t bytes = life_log_bytes(c, snapshot_bytes) / TRAILING_PART;
    const uint32_t count = log_count_within(&c->raft.log, c->raft.last_applied, bytes);
    const uint32_t most = c->options.snapshot_trailing;

    raft_set_snapshot_trailing(&c->raft, count < most ? count : most);
}

/* Busy is the one answer that libraft takes with patience. */
static int on_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
    struct consensus *c = owner_of(fsm);
    struct raft_buffer *list = NULL;
    struct buf out;
    int rv = RAFT_BUSY;

    buf_init(&out, JOURNAL_SNAPSHOT_MAX);
    if (c->is_closed || c->seal != SEAL_NONE || c->events->snapshot(c->user, &out) < 0) {
        goto cleanup;
    }
    list = raft_malloc(sizeof(*list));
    if (list == NULL) {
        goto cleanup;
    }
    list->len = buf_len(&out);
    list->base = raft_malloc(list->len + 1);
    if (list->base == NULL) {
        raft_free(list);
        goto cleanup;
    }
    if (list->len > 0) {
        memcpy(list->base, buf_bytes(&out).ptr, list->len);
    }
    *bufs = list;
    *n_bufs = 1;
    rv = 0;
    set_trailing(c, list->len);
cleanup:
    buf_deinit(&out);
    return rv;
}

static int on_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct consensus *c = owner_of(fsm);
    const int rc = c->is_closed ? 0 : c->events->restore(c->user, gp_bytes_of(buf->base, buf->len));

    if (rc < 0 && c->is_starting) {
        c->start_code = rc;
        return RAFT_MALFORMED; /* its caller frees buf */
    }
    if (rc < 0) {
        life_seal(c, SEAL_BROKEN, rc);
    }
    raft_free(buf->base);
    return 0;
}

void state_init(struct consensus *c)
{
    c->fsm = (struct raft_fsm){
        .version = 1,
        .data = c,
        .apply = on_apply,
        .snapshot = on_snapshot,
        .restore = on_restore,
    };
}
