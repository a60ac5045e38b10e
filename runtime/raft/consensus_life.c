/*
 * Instances of libraft: how one begins, is driven, ends, and what comes after it.
 *
 *     no instance ─ life_start ─▶ live ─ life_seal ─▶ sealed ─ life_leave ─▶ no instance ─┐
 *         ▲  ▲                                                                            │
 *         │  └───────────── SEAL_RESTART: at once ────────────────────────────────────────┤
 *         └──────────────── SEAL_BROKEN: when the disk could be read and written again ◀──┘
 *
 * Only life_leave of the outermost enter closes an instance, when no call into libraft is open.
 */

#include "port/beat.h"
#include "raft/consensus_internal.h"

static const char *const role_names[] = {
    [CONSENSUS_UNFORMED] = "unformed",   [CONSENSUS_FOLLOWER] = "follower",
    [CONSENSUS_CANDIDATE] = "candidate", [CONSENSUS_LEADER] = "leader",
    [CONSENSUS_BROKEN] = "broken",
};

/* ---- what is ---- */

int64_t life_now_ns(const struct consensus *c)
{
    return loop_now_ns(c->port->loop);
}

bool life_is_up(const struct consensus *c)
{
    return c->is_live && c->seal == SEAL_NONE;
}

enum consensus_role life_role(const struct consensus *c)
{
    if (c->broken < 0) {
        return CONSENSUS_BROKEN;
    }
    if (!c->is_live) {
        return CONSENSUS_UNFORMED;
    }
    switch (c->raft.state) {
    case RAFT_LEADER:
        return c->is_ready && c->lead_term == c->raft.current_term ? CONSENSUS_LEADER
                                                                   : CONSENSUS_CANDIDATE;
    case RAFT_CANDIDATE:
        return CONSENSUS_CANDIDATE;
    default:
        return CONSENSUS_FOLLOWER;
    }
}

uint64_t life_leader(const struct consensus *c)
{
    if (!life_is_up(c)) {
        return 0;
    }
    switch (c->raft.state) {
    case RAFT_LEADER:
        return c->id;
    case RAFT_FOLLOWER:
        return c->leader_term == c->raft.current_term ? c->raft.follower_state.current_leader.id
                                                      : 0;
    default:
        return 0;
    }
}

bool life_has_memory(size_t bytes)
{
    void *ptr;

    if (!heap_is_ready()) {
        return false;
    }
    ptr = raft_malloc(bytes + MEMORY_SPARE); /* more than the reserve would give */
    raft_free(ptr);
    return ptr != NULL;
}

/* ---- beginning ---- */

static void set_up(struct consensus *c)
{
    const struct consensus_options *o = &c->options;

    raft_set_election_timeout(&c->raft, (unsigned)(o->election_timeout_ns / 1000000));
    raft_set_heartbeat_timeout(&c->raft, (unsigned)(o->heartbeat_ns / 1000000));
    raft_set_install_snapshot_timeout(&c->raft, (unsigned)(o->snapshot_timeout_ns / 1000000));
    raft_set_max_catch_up_round_duration(&c->raft,
                                         (unsigned)(4 * o->snapshot_timeout_ns / 1000000));
    raft_set_snapshot_threshold(&c->raft, o->snapshot_threshold);
    raft_set_snapshot_trailing(&c->raft, o->snapshot_trailing);
    raft_set_pre_vote(&c->raft, true);
}

int life_start(struct consensus *c, struct gp_error *err)
{
    int rv;

    ASSERT(!c->is_live && c->journal != NULL);
    io_init(c);
    state_init(c);
    c->raft = (struct raft){0};
    c->seal = SEAL_NONE;
    c->truncate_from = 0;
    c->leader_term = 0;
    c->bytes_since_snapshot = 0;
    c->snapshot_bytes = 0;
    c->heir = 0;
    c->start_code = 0;
    if (journal_snapshot_index(c->journal) == 0) {
        c->start_code = c->events->restore(c->user, (gp_bytes){0});
        if (c->start_code < 0) {
            return gp_error_set(err, c->start_code, "beginning with nothing");
        }
    }
    if (raft_init(&c->raft, &c->io, &c->fsm, c->id, "self") != 0) {
        return gp_error_set(err, GP_ENOMEM, "starting consensus");
    }
    c->raft.tracer = &c->tracer; /* the default one writes to stderr when the environment says so */
    set_up(c);
    c->is_live = true;
    c->is_starting = true;
    rv = raft_start(&c->raft);
    c->is_starting = false;
    if (rv != 0) {
        const int code = c->start_code < 0 ? c->start_code : GP_ENOMEM;

        (void)gp_error_set(err, code, "%s",
                           c->io.errmsg[0] != '\0' ? c->io.errmsg : error_sentence(code));
        life_stop(c);
        return code;
    }
    return 0;
}

/* ---- ending ---- */

void life_stop(struct consensus *c)
{
    if (!c->is_live) {
        return;
    }
    c->last_term = c->raft.current_term;
    c->seal = SEAL_BROKEN; /* nothing leaves any more */
    raft_close(&c->raft, NULL);
    ASSERT(c->owed_count == 0);
    c->is_live = false;
    c->lead_term = 0;
    c->is_ready = false;
    parcels_drop(c);
    assembly_deinit(&c->assembly);
}

void life_seal(struct consensus *c, enum seal seal, int code)
{
    if (seal > c->seal) {
        c->seal = seal;
        c->seal_code = code;
    }
}

static void mend_later(struct consensus *c)
{
    timer_start(c->mend, c->mend_delay_ns);
}

static void turn_broken(struct consensus *c, int code)
{
    const int64_t now = life_now_ns(c);

    journal_close(c->journal);
    c->journal = NULL;
    if (c->mended_ns != 0 && now - c->mended_ns < MEND_HEALTHY_NS) {
        c->mend_delay_ns *= 2;
    } else {
        c->mend_delay_ns = MEND_DELAY_MIN_NS;
    }
    if (c->mend_delay_ns > MEND_DELAY_MAX_NS) {
        c->mend_delay_ns = MEND_DELAY_MAX_NS;
    }
    c->broken = code;
    LOG_ERROR(c->port->log, "consensus.broken", KV_CODE("code", code),
              KV_I64("retry_ms", c->mend_delay_ns / 1000000));
    mend_later(c);
    life_kick(c);
}

/* The instance was sealed: what comes after it. */
static void succeed(struct consensus *c)
{
    const enum seal seal = c->seal;
    const uint64_t truncate_from = c->truncate_from;
    int code = c->seal_code;

    if (seal == SEAL_BROKEN && c->raft.state == RAFT_LEADER) {
        send_farewell(c);
    }
    lead_end_all(c, seal == SEAL_BROKEN ? lead_code(code) : GP_ECANCELED, GP_ENOTLEADER);
    life_stop(c);
    if (seal == SEAL_RESTART) {
        code = truncate_from > 0 ? journal_truncate(c->journal, truncate_from, NULL) : 0;
        code = code < 0 ? code : life_start(c, NULL);
    }
    if (code < 0) {
        turn_broken(c, code);
    }
}

/* Opens the disk afresh, which writes and syncs a little: 0, or why not yet. */
static int try_disk(struct consensus *c, struct gp_error *err)
{
    const struct journal_options options = {.port = c->port, .folder = c->folder};
    int rc = journal_open(&options, &c->journal, err);

    if (rc < 0) {
        c->journal = NULL;
        return rc;
    }
    if (journal_member(c->journal) != c->id || strcmp(journal_group(c->journal), c->group) != 0) {
        return gp_error_set(err, GP_ESTATE, "%s belongs to another member now", c->folder);
    }
    return 0;
}

void life_on_mend(void *user)
{
    struct consensus *c = user;
    struct gp_error err = {0};
    int rc;

    life_enter(c);
    rc = try_disk(c, &err);
    rc = rc < 0 ? rc : life_start(c, &err);
    if (rc < 0) {
        journal_close(c->journal);
        c->journal = NULL;
        c->broken = rc;
        c->mend_delay_ns *= 2;
        c->mend_delay_ns =
            c->mend_delay_ns > MEND_DELAY_MAX_NS ? MEND_DELAY_MAX_NS : c->mend_delay_ns;
        LOG_WARN(c->port->log, "consensus.broken", KV_CODE("code", rc), KV_STR("text", err.text),
                 KV_I64("retry_ms", c->mend_delay_ns / 1000000));
        mend_later(c);
    } else {
        c->broken = 0;
        c->mended_ns = life_now_ns(c);
        LOG_INFO(c->port->log, "consensus.mended", KV_U64("term", c->raft.current_term),
                 KV_U64("last", log_last(&c->raft.log)));
    }
    life_leave(c);
}

/* ---- driving ---- */

void life_enter(struct consensus *c)
{
    c->depth++;
}

/* A change that libraft forgets when a snapshot replaces the log: it would refuse all others. */
static bool has_lost_change(const struct raft *r)
{
    return r->configuration_uncommitted_index != 0 &&
           r->configuration_uncommitted_index <= r->last_applied;
}

/* Runs what libraft is owed and looks at what it has become. */
static void look(struct consensus *c)
{
    io_drain(c);
    if (life_is_up(c) && c->raft.state == RAFT_UNAVAILABLE) {
        life_seal(c, SEAL_BROKEN, GP_EINTERNAL);
    }
    if (life_is_up(c) && has_lost_change(&c->raft)) {
        life_seal(c, SEAL_RESTART, 0);
    }
    if (life_is_up(c)) {
        lead_follow(c);
        io_drain(c);
        state_end_barriers(c);
    }
}

uint64_t life_log_bytes(const struct consensus *c, uint64_t snapshot_bytes)
{
    const uint64_t least = c->options.snapshot_bytes;

    return snapshot_bytes > least ? snapshot_bytes : least;
}

/* libraft counts entries and not bytes. */
static void watch_size(struct consensus *c)
{
    const bool is_due = c->bytes_since_snapshot > life_log_bytes(c, c->snapshot_bytes);

    raft_set_snapshot_threshold(&c->raft, is_due ? 1 : c->options.snapshot_threshold);
}

static uint64_t members_sum(const struct consensus *c)
{
    const struct raft_configuration *members = &c->raft.configuration;
    uint64_t sum = 0;

    for (unsigned i = 0; c->is_live && i < members->n; i++) {
        sum += members->servers[i].id * (3 + (uint64_t)members->servers[i].role);
    }
    return sum;
}

static struct seen see(const struct consensus *c)
{
    return (struct seen){.role = life_role(c),
                         .term = c->is_live ? c->raft.current_term : c->last_term,
                         .leader = life_leader(c),
                         .members = members_sum(c)};
}

static bool is_seen(const struct consensus *c, const struct seen *now)
{
    return now->role == c->seen.role && now->term == c->seen.term &&
           now->leader == c->seen.leader && now->members == c->seen.members;
}

/* Alone there is nobody to hear or to tell; a second member changes that within one slow tick, or
 * at once when it is being added. */
static void arm_tick(struct consensus *c)
{
    const bool is_alone = c->raft.state == RAFT_LEADER && c->raft.configuration.n <= 1 &&
                          c->change.step == CHANGE_NONE;
    const int64_t want = !c->is_live ? 0 : is_alone ? ALONE_TICK_NS : c->options.heartbeat_ns / 3;

    if (want == c->tick_ns) {
        return;
    }
    c->tick_ns = want;
    if (want == 0) {
        timer_stop(c->tick);
    } else if (is_alone) {
        (void)timer_start_beat(c->tick, want, 0);
    } else {
        timer_start(c->tick, want);
    }
}

static void destroy(struct consensus *c)
{
    life_stop(c);
    journal_close(c->journal);
    timer_free(c->tick);
    timer_free(c->pump);
    timer_free(c->mend);
    for (uint32_t i = 0; i < PEERS_MAX; i++) {
        buf_deinit(&c->peers[i].parcel.bytes);
    }
    assembly_deinit(&c->assembly);
    members_log_clear(&c->members);
    buf_deinit(&c->out);
    free(c->group);
    free(c->folder);
    free(c);
}

/* Until an instance stands and nothing is owed, or there is none. */
static void settle(struct consensus *c)
{
    ASSERT(c->depth == 1);
    while (!c->is_closed && c->is_live) {
        look(c);
        if (c->seal == SEAL_NONE) {
            watch_size(c);
            return;
        }
        succeed(c);
    }
}

void life_leave(struct consensus *c)
{
    ASSERT(c->depth > 0);
    if (c->depth == 1) {
        settle(c);
    }
    if (c->depth == 1 && !c->is_closed) {
        const struct seen now = see(c);

        arm_tick(c);
        if (!is_seen(c, &now)) {
            life_kick(c);
        }
    }
    if (--c->depth == 0 && c->is_closed) {
        destroy(c);
    }
}

void life_kick(struct consensus *c)
{
    if (!c->is_pumping && !c->is_closed) {
        c->is_pumping = true;
        timer_start(c->pump, 0);
    }
}

void life_on_tick(void *user)
{
    struct consensus *c = user;

    life_enter(c);
    c->tick_ns = 0; /* armed again on leaving */
    if (life_is_up(c) && life_has_memory(0)) {
        c->on_tick(&c->io);
        io_drain(c);
        parcel_on_tick(c);
    }
    life_leave(c);
}

static void tell_change(struct consensus *c)
{
    const struct seen now = see(c);
    const enum consensus_role before = c->seen.role;

    if (c->is_closed || is_seen(c, &now)) {
        return;
    }
    c->seen = now;
    if (now.role != before) {
        LOG_INFO(c->port->log, "consensus.role", KV_STR("role", role_names[now.role]),
                 KV_U64("term", now.term));
    }
    c->events->on_change(c->user);
}

void life_on_pump(void *user)
{
    struct consensus *c = user;

    const bool has_memory = life_has_memory(BATCH_BYTES_MAX);

    c->is_pumping = false;
    life_enter(c);
    if (has_memory) {
        lead_submit(c);
        settle(c);
    }
    lead_tell(c);
    if (has_memory) {
        change_step(c);
        settle(c);
    }
    tell_change(c);
    if (!has_memory && !c->is_pumping && !c->is_closed) {
        c->is_pumping = true;
        timer_start(c->pump, MEMORY_RETRY_NS);
    }
    life_leave(c);
}
