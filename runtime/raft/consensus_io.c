/*
 * libraft's world, its raft_io: the journal for disk, port for time and chance, consensus_send for
 * messages.
 *
 * Every request is carried out at once and answered with success; its callback waits in the ring
 * until io_drain(). An error of the disk seals the instance instead of being told: append keeps its
 * callback back for ever, set_term and set_vote pretend (nothing that rests on them leaves any
 * more). On close what is owed is settled so that libraft gives its memory back: by then it is
 * unavailable and draws no conclusion from it.
 */

#include "raft/consensus_internal.h"

static struct consensus *owner_of(struct raft_io *io)
{
    return io->impl;
}

/* ---- what is owed ---- */

static struct owed *owe(struct consensus *c, enum owed_kind kind, void *request)
{
    struct owed *owed;

    ASSERT(c->owed_count < OWED_MAX);
    owed = &c->owed[(c->owed_first + c->owed_count++) % OWED_MAX];
    *owed = (struct owed){.kind = kind, .request = request};
    return owed;
}

static struct owed take_owed(struct consensus *c)
{
    const struct owed owed = c->owed[c->owed_first];

    c->owed_first = (c->owed_first + 1) % OWED_MAX;
    c->owed_count--;
    return owed;
}

static void run_snapshot_get(struct consensus *c, const struct owed *owed)
{
    struct raft_snapshot *snapshot = NULL;
    const int rc = disk_snapshot(c, &snapshot, NULL);

    owed->fn.get(owed->request, snapshot, rc < 0 ? RAFT_IOERR : 0);
}

void io_drain(struct consensus *c)
{
    while (c->owed_count > 0 && c->seal == SEAL_NONE) {
        const struct owed owed = take_owed(c);

        switch (owed.kind) {
        case OWED_APPEND:
            owed.fn.append(owed.request, 0);
            break;
        case OWED_SEND:
            owed.fn.send(owed.request, owed.status);
            break;
        case OWED_SNAPSHOT_PUT:
            owed.fn.put(owed.request, 0);
            break;
        case OWED_SNAPSHOT_GET:
            run_snapshot_get(c, &owed);
            break;
        }
    }
}

/* libraft is unavailable now: it takes these as the end of its requests and frees them. An append
 * must not end with an error even here, it would cut the log once for each. */
static void on_io_close(struct raft_io *io, raft_io_close_cb cb)
{
    struct consensus *c = owner_of(io);

    while (c->owed_count > 0) {
        const struct owed owed = take_owed(c);

        switch (owed.kind) {
        case OWED_APPEND:
            owed.fn.append(owed.request, 0);
            break;
        case OWED_SEND:
            owed.fn.send(owed.request, RAFT_CANCELED);
            break;
        case OWED_SNAPSHOT_PUT:
            owed.fn.put(owed.request, RAFT_CANCELED);
            raft_free(owed.installed);
            break;
        case OWED_SNAPSHOT_GET:
            owed.fn.get(owed.request, NULL, RAFT_CANCELED);
            break;
        }
    }
    cb(io);
}

/* ---- reading the disk ---- */

static int on_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct consensus *c = owner_of(io);
    struct gp_error err = {0};
    const int rc = disk_load(c, snapshot, start_index, entries, n_entries, &err);

    if (rc < 0) {
        c->start_code = rc;
        (void)str_format(io->errmsg, sizeof(io->errmsg), "%s",
                         err.text[0] != '\0' ? err.text : error_sentence(rc));
        return RAFT_IOERR;
    }
    *term = journal_term(c->journal);
    *voted_for = journal_vote(c->journal);
    return 0;
}

/* ---- writing it ---- */

static void seal_if(struct consensus *c, int rc)
{
    if (rc < 0) {
        life_seal(c, SEAL_BROKEN, rc);
    }
}

static int append(struct consensus *c, const struct raft_entry entries[], unsigned n)
{
    struct journal_entry *list = calloc(n, sizeof(*list));
    uint64_t index = journal_last(c->journal) + 1;
    int rc = 0;

    if (list == NULL) {
        return GP_ENOMEM;
    }
    for (unsigned i = 0; i < n && rc == 0; i++, index++) {
        if (entries[i].type == RAFT_CHANGE) {
            members_tidy(entries[i].buf.base, entries[i].buf.len);
            rc = members_log_add(&c->members, index,
                                 gp_bytes_of(entries[i].buf.base, entries[i].buf.len));
        }
        list[i] = (struct journal_entry){
            entries[i].term, entries[i].type, {entries[i].buf.base, entries[i].buf.len}};
        c->bytes_since_snapshot += entries[i].buf.len;
    }
    rc = rc < 0 ? rc : journal_append(c->journal, list, n, NULL);
    free(list);
    return rc;
}

static int on_append(struct raft_io *io, struct raft_io_append *req,
                     const struct raft_entry entries[], unsigned n, raft_io_append_cb cb)
{
    struct consensus *c = owner_of(io);

    if (c->seal == SEAL_NONE) {
        seal_if(c, append(c, entries, n));
    }
    owe(c, OWED_APPEND, req)->fn.append = cb;
    return 0;
}

static int on_truncate(struct raft_io *io, raft_index index)
{
    struct consensus *c = owner_of(io);

    if (c->seal == SEAL_NONE) {
        members_log_cut(&c->members, index);
        seal_if(c, journal_truncate(c->journal, index, NULL));
    }
    return 0;
}

static int on_set_term(struct raft_io *io, raft_term term)
{
    struct consensus *c = owner_of(io);

    if (c->seal == SEAL_NONE) {
        seal_if(c, journal_set_vote(c->journal, term, 0, NULL));
    }
    return 0;
}

/* The last line against voting twice in a term, which libraft does for the target of a transfer
 * that outlived its leader. */
static int on_set_vote(struct raft_io *io, raft_id id)
{
    struct consensus *c = owner_of(io);
    const uint64_t vote = c->seal == SEAL_NONE ? journal_vote(c->journal) : 0;

    if (c->seal == SEAL_NONE && vote != 0 && vote != id) {
        life_seal(c, SEAL_RESTART, 0);
    }
    if (c->seal == SEAL_NONE) {
        seal_if(c, journal_set_vote(c->journal, journal_term(c->journal), id, NULL));
    }
    return 0;
}

/* ---- snapshots ---- */

/* libraft stores its current list of members with a snapshot, which may not be committed; the one
 * that was in force is known here. */
static int put_own(struct consensus *c, uint64_t trailing, struct journal_snapshot *stored)
{
    const struct members_entry *members = members_log_at(&c->members, stored->index);
    int rc;

    if (members == NULL) {
        return GP_ESTATE;
    }
    stored->members_index = members->index;
    stored->members = buf_bytes(&members->bytes);
    rc = journal_snapshot_put(c->journal, stored, trailing, false, NULL);
    if (rc == 0) {
        members_log_trim(&c->members, stored->index);
        c->bytes_since_snapshot = 0;
        c->snapshot_bytes = stored->data.len;
        LOG_INFO(c->port->log, "consensus.snapshot", KV_U64("index", stored->index),
                 KV_U64("size_bytes", stored->data.len));
    }
    return rc;
}

static int put_installed(struct consensus *c, const struct raft_snapshot *snapshot,
                         struct journal_snapshot *stored)
{
    struct buf members = {0};
    int rc = members_encode(&snapshot->configuration, &members);

    stored->members_index = snapshot->configuration_index;
    stored->members = buf_bytes(&members);
    rc = rc < 0 ? rc : journal_snapshot_put(c->journal, stored, 0, true, NULL);
    if (rc == 0) {
        members_log_clear(&c->members);
        rc = members_log_add(&c->members, stored->members_index, stored->members);
        c->bytes_since_snapshot = 0;
        c->snapshot_bytes = stored->data.len;
        LOG_INFO(c->port->log, "consensus.installed", KV_U64("index", stored->index),
                 KV_U64("size_bytes", stored->data.len));
    }
    buf_deinit(&members);
    return rc;
}

/* One of our own has a trailing of at least 1; 0 stands for one that came from the leader. */
static int on_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
                           const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb)
{
    struct consensus *c = owner_of(io);
    struct journal_snapshot stored = {.index = snapshot->index, .term = snapshot->term};
    struct owed *owed;

    ASSERT(snapshot->n_bufs == 1);
    stored.data = gp_bytes_of(snapshot->bufs[0].base, snapshot->bufs[0].len);
    if (c->seal == SEAL_NONE) {
        seal_if(c,
                trailing > 0 ? put_own(c, trailing, &stored) : put_installed(c, snapshot, &stored));
    }
    owed = owe(c, OWED_SNAPSHOT_PUT, req);
    owed->fn.put = cb;
    owed->installed = trailing > 0 ? NULL : snapshot->bufs;
    return 0;
}

static int on_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req,
                           raft_io_snapshot_get_cb cb)
{
    owe(owner_of(io), OWED_SNAPSHOT_GET, req)->fn.get = cb;
    return 0;
}

/* ---- the rest ---- */

/* An error here would have libraft free a message twice: what cannot be sent is lost. */
static int on_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message,
                   raft_io_send_cb cb)
{
    struct consensus *c = owner_of(io);
    const int status = c->seal == SEAL_NONE ? send_message(c, message) : RAFT_CANCELED;
    struct owed *owed;

    if (cb != NULL) {
        owed = owe(c, OWED_SEND, req);
        owed->fn.send = cb;
        owed->status = status;
    }
    return 0;
}

static int on_init(struct raft_io *io, raft_id id, const char *address)
{
    (void)io;
    (void)id;
    (void)address;
    return 0;
}

static int on_start(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
    struct consensus *c = owner_of(io);

    (void)msecs; /* we tick more often, so that elections do not fall on the same few moments */
    c->on_tick = tick;
    c->on_recv = recv;
    return 0;
}

/* Groups begin in consensus_form(). */
static int on_bootstrap(struct raft_io *io, const struct raft_configuration *conf)
{
    (void)io;
    (void)conf;
    return RAFT_CANTBOOTSTRAP;
}

static raft_time on_time(struct raft_io *io)
{
    struct consensus *c = owner_of(io);
    const int64_t ms = life_now_ns(c) / 1000000;

    c->last_ms = ms > c->last_ms ? ms : c->last_ms;
    return (raft_time)c->last_ms;
}

static int on_random(struct raft_io *io, int min, int max)
{
    struct consensus *c = owner_of(io);
    uint32_t draw;

    port_random(c->port, &draw, sizeof(draw));
    return max > min ? min + (int)(draw % (uint32_t)(max - min)) : min;
}

void io_init(struct consensus *c)
{
    c->io = (struct raft_io){
        .version = 1,
        .impl = c,
        .init = on_init,
        .close = on_io_close,
        .load = on_load,
        .start = on_start,
        .bootstrap = on_bootstrap,
        .recover = on_bootstrap,
        .set_term = on_set_term,
        .set_vote = on_set_vote,
        .send = on_send,
        .append = on_append,
        .truncate = on_truncate,
        .snapshot_put = on_snapshot_put,
        .snapshot_get = on_snapshot_get,
        .time = on_time,
        .random = on_random,
    };
    c->owed_first = c->owed_count = 0;
}
