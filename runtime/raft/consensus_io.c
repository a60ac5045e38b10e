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

static void snapshot_free(struct raft_snapshot *snapshot)
{
    if (snapshot != NULL) {
        raft_configuration_close(&snapshot->configuration);
        if (snapshot->bufs != NULL) {
            raft_free(snapshot->bufs[0].base);
            raft_free(snapshot->bufs);
        }
        raft_free(snapshot);
    }
}

/* The newest, in memory of libraft's allocator. Negative, GP_... */
static int snapshot_read(struct consensus *c, struct raft_snapshot **ret, struct gp_error *err)
{
    struct raft_snapshot *snapshot = raft_calloc(1, sizeof(*snapshot));
    struct journal_snapshot stored;
    struct buf buf;
    int rc = GP_ENOMEM;

    buf_init(&buf, JOURNAL_SNAPSHOT_MAX + ((size_t)1 << 20));
    if (snapshot == NULL) {
        goto cleanup;
    }
    rc = journal_snapshot_get(c->journal, &stored, &buf, err);
    if (rc < 0) {
        goto cleanup;
    }
    rc = members_decode(stored.members, &snapshot->configuration);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "snapshot %" PRIu64 ": its list of members does not hold",
                           stored.index);
        goto cleanup;
    }
    snapshot->index = stored.index;
    snapshot->term = stored.term;
    snapshot->configuration_index = stored.members_index;
    snapshot->n_bufs = 1;
    snapshot->bufs = raft_calloc(1, sizeof(*snapshot->bufs));
    if (snapshot->bufs != NULL) {
        snapshot->bufs[0].len = stored.data.len;
        snapshot->bufs[0].base = raft_malloc(stored.data.len + 1);
    }
    if (snapshot->bufs == NULL || snapshot->bufs[0].base == NULL) {
        rc = GP_ENOMEM;
        goto cleanup;
    }
    if (stored.data.len > 0) {
        memcpy(snapshot->bufs[0].base, stored.data.ptr, stored.data.len);
    }
    *ret = snapshot;
    snapshot = NULL;
cleanup:
    snapshot_free(snapshot);
    buf_deinit(&buf);
    return rc;
}

static void run_snapshot_get(struct consensus *c, const struct owed *owed)
{
    struct raft_snapshot *snapshot = NULL;
    const int rc = snapshot_read(c, &snapshot, NULL);

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
            break;
        case OWED_SNAPSHOT_GET:
            owed.fn.get(owed.request, NULL, RAFT_CANCELED);
            break;
        }
    }
    cb(io);
}

/* ---- reading the disk ---- */

static int read_entry(struct consensus *c, uint64_t index, struct buf *buf, struct raft_entry *ret,
                      struct gp_error *err)
{
    uint64_t term;
    uint16_t type;
    int rc;

    buf_clear(buf);
    rc = journal_read(c->journal, index, &term, &type, buf, err);
    if (rc < 0) {
        return rc;
    }
    if (term == 0 || type < RAFT_COMMAND || type > RAFT_CHANGE ||
        (type == RAFT_CHANGE && members_check(buf_bytes(buf)) < 0)) {
        return gp_error_set(err, GP_EPROTO, "entry %" PRIu64 " of the log does not hold", index);
    }
    if (type == RAFT_CHANGE && members_log_add(&c->members, index, buf_bytes(buf)) < 0) {
        return gp_error_set(err, GP_ENOMEM, "reading the log");
    }
    /* A batch of its own for each, so that compaction gives memory back entry by entry. */
    ret->batch = raft_malloc(buf_len(buf) + 1);
    if (ret->batch == NULL) {
        return gp_error_set(err, GP_ENOMEM, "reading the log");
    }
    if (buf_len(buf) > 0) {
        memcpy(ret->batch, buf_bytes(buf).ptr, buf_len(buf));
    }
    ret->term = term;
    ret->type = type;
    ret->buf = (struct raft_buffer){.base = ret->batch, .len = buf_len(buf)};
    return 0;
}

static int read_entries(struct consensus *c, uint64_t first, uint64_t count,
                        struct raft_entry **ret, struct gp_error *err)
{
    struct raft_entry *entries = NULL;
    struct buf buf;
    uint64_t done = 0;
    int rc = 0;

    buf_init(&buf, JOURNAL_ENTRY_MAX);
    if (count > 0) {
        entries = raft_calloc((size_t)count, sizeof(*entries));
        rc = entries == NULL ? gp_error_set(err, GP_ENOMEM, "reading the log") : 0;
    }
    for (; rc == 0 && done < count; done++) {
        rc = read_entry(c, first + done, &buf, &entries[done], err);
        if (rc < 0) {
            break;
        }
    }
    if (rc == 0 && first == 1 && count > 0 && entries[0].type != RAFT_CHANGE &&
        journal_snapshot_index(c->journal) == 0) {
        rc = gp_error_set(err, GP_EPROTO, "the log does not begin with the list of members");
    }
    if (rc < 0) {
        for (uint64_t i = 0; i < done; i++) {
            raft_free(entries[i].batch);
        }
        raft_free(entries);
        entries = NULL;
    }
    buf_deinit(&buf);
    *ret = entries;
    return rc;
}

/*
 * Whoever votes alone is leader at once, and libraft does not begin a term for it. Its log must not
 * get other entries in the term of an earlier life: some of those may be on their way to a member
 * that is catching up.
 */
static int begin_term_alone(struct consensus *c, struct gp_error *err)
{
    const struct members_entry *last = members_log_at(&c->members, UINT64_MAX);
    struct raft_configuration members;
    const struct raft_server *self;
    int rc = 0;

    if (last == NULL) {
        return 0;
    }
    rc = members_decode(buf_bytes(&last->bytes), &members);
    self = rc < 0 ? NULL : members_find(&members, c->id);
    if (self != NULL && self->role == RAFT_VOTER && members_voters(&members) == 1) {
        rc = journal_set_vote(c->journal, journal_term(c->journal) + 1, c->id, err);
    }
    raft_configuration_close(&members);
    return rc;
}

static int load(struct consensus *c, struct raft_snapshot **ret_snapshot, raft_index *ret_first,
                struct raft_entry **ret_entries, size_t *ret_count, struct gp_error *err)
{
    const uint64_t snapshot_index = journal_snapshot_index(c->journal);
    uint64_t first = journal_first(c->journal);
    const uint64_t last = journal_last(c->journal);
    uint64_t count = first <= last ? last - first + 1 : 0;
    struct raft_snapshot *snapshot = NULL;
    struct raft_entry *entries = NULL;
    struct buf members = {0};
    int rc = 0;

    members_log_clear(&c->members);
    if (count == 0) {
        first = snapshot_index + 1;
    }
    if (first > snapshot_index + 1 || first + count < snapshot_index + 1) {
        return gp_error_set(err, GP_ESTATE,
                            "the log has %" PRIu64 " to %" PRIu64 ", the snapshot is of %" PRIu64,
                            first, last, snapshot_index);
    }
    if (snapshot_index > 0) {
        rc = snapshot_read(c, &snapshot, err);
        rc = rc < 0 ? rc : members_encode(&snapshot->configuration, &members);
        /* Its list of members may stand in the log too, and then comes from there. */
        if (rc == 0 && (count == 0 || snapshot->configuration_index < first)) {
            rc = members_log_add(&c->members, snapshot->configuration_index, buf_bytes(&members));
        }
    }
    rc = rc < 0 ? rc : read_entries(c, first, count, &entries, err);
    rc = rc < 0 ? rc : begin_term_alone(c, err);
    buf_deinit(&members);
    if (rc < 0) {
        snapshot_free(snapshot);
        for (uint64_t i = 0; entries != NULL && i < count; i++) {
            raft_free(entries[i].batch);
        }
        raft_free(entries);
        return rc;
    }
    *ret_snapshot = snapshot;
    *ret_first = first;
    *ret_entries = entries;
    *ret_count = (size_t)count;
    return 0;
}

static int on_load(struct raft_io *io, raft_term *term, raft_id *voted_for,
                   struct raft_snapshot **snapshot, raft_index *start_index,
                   struct raft_entry *entries[], size_t *n_entries)
{
    struct consensus *c = owner_of(io);
    struct gp_error err = {0};
    const int rc = load(c, snapshot, start_index, entries, n_entries, &err);

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

    ASSERT(snapshot->n_bufs == 1);
    stored.data = gp_bytes_of(snapshot->bufs[0].base, snapshot->bufs[0].len);
    if (c->seal == SEAL_NONE) {
        seal_if(c,
                trailing > 0 ? put_own(c, trailing, &stored) : put_installed(c, snapshot, &stored));
    }
    owe(c, OWED_SNAPSHOT_PUT, req)->fn.put = cb;
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
