/*
 * A member of the group as its owner sees it: opened, formed or joined, asked, closed. What happens
 * inside is told at the top of consensus_internal.h.
 *
 * Failure modes: without memory a call answers GP_ENOMEM and nothing has changed; what goes wrong
 * later turns the member broken (consensus_life.c).
 */
#include "raft/consensus.h"

#include <stdlib.h>

#include "base/endian.h"
#include "base/sha256.h"
#include "raft/consensus_internal.h"

#define BOOTSTRAP_TERM 1u

static void fill_in(struct consensus_options *o)
{
    if (o->election_timeout_ns == 0) {
        o->election_timeout_ns = ELECTION_TIMEOUT_NS_DEFAULT;
    }
    if (o->heartbeat_ns == 0) {
        o->heartbeat_ns = o->election_timeout_ns / 5;
    }
    if (o->snapshot_timeout_ns == 0) {
        o->snapshot_timeout_ns = SNAPSHOT_TIMEOUT_NS_DEFAULT;
    }
    if (o->snapshot_threshold == 0) {
        o->snapshot_threshold = SNAPSHOT_THRESHOLD_DEFAULT;
    }
    if (o->snapshot_trailing == 0) {
        o->snapshot_trailing = SNAPSHOT_TRAILING_DEFAULT;
    }
    if (o->snapshot_bytes == 0) {
        o->snapshot_bytes = SNAPSHOT_BYTES_DEFAULT;
    }
}

/* The disk says who we are. */
static int know_self(struct consensus *c)
{
    uint8_t digest[SHA256_SIZE];
    char *group = strdup(journal_group(c->journal));

    if (group == NULL) {
        return GP_ENOMEM;
    }
    sha256(gp_bytes_of(group, strlen(group)), digest);
    free(c->group);
    c->group = group;
    c->group_sum = get_u64_le(digest);
    c->id = journal_member(c->journal);
    return 0;
}

static int make_timers(struct consensus *c)
{
    struct loop *loop = c->port->loop;
    int rc = timer_new(loop, life_on_tick, c, &c->tick);

    rc = rc < 0 ? rc : timer_new(loop, life_on_pump, c, &c->pump);
    return rc < 0 ? rc : timer_new(loop, life_on_mend, c, &c->mend);
}

static int begin(struct consensus *c, const char *group, uint64_t self, gp_bytes members,
                 struct gp_error *err)
{
    const struct journal_entry first = {BOOTSTRAP_TERM, RAFT_CHANGE, members};
    int rc = journal_set_member(c->journal, self, group, err);

    if (rc == 0 && members.len > 0) {
        rc = journal_append(c->journal, &first, 1, err);
    }
    rc = rc < 0 ? rc : journal_set_vote(c->journal, BOOTSTRAP_TERM, 0, err);
    if (rc < 0) {
        return rc;
    }
    rc = know_self(c);
    if (rc < 0) {
        return gp_error_set(err, rc, "beginning a group");
    }
    LOG_INFO(c->port->log, "consensus.formed", KV_HEX("member", c->id), KV_STR("group", group),
             KV_BOOL("joined", members.len == 0));
    return life_start(c, err);
}

/*
 * What a crash may leave of begin(). A member without a term and a log has promised nothing: its
 * disk is wiped and belongs to nobody. One with a log lacks only the last step.
 */
static int finish_beginning(struct consensus *c, const struct journal_options *options,
                            struct gp_error *err)
{
    const struct port *port = c->port;
    int rc;

    if (journal_member(c->journal) == 0 || journal_term(c->journal) > 0) {
        return 0;
    }
    if (journal_last(c->journal) >= journal_first(c->journal)) {
        return journal_set_vote(c->journal, BOOTSTRAP_TERM, 0, err);
    }
    journal_close(c->journal);
    c->journal = NULL;
    rc = port->fs->remove_tree(port->world, options->folder, err);
    return rc < 0 ? rc : journal_open(options, &c->journal, err);
}

int consensus_open(const struct consensus_options *options, struct consensus **ret,
                   struct gp_error *err)
{
    struct consensus *c = calloc(1, sizeof(*c));
    struct journal_options journal = {.port = options->port, .folder = options->folder};
    int rc = GP_ENOMEM;

    if (c == NULL) {
        return gp_error_set(err, GP_ENOMEM, "opening consensus");
    }
    heap_begin();
    c->depth = 1; /* nothing destroys it in here */
    c->port = options->port;
    c->events = options->events;
    c->user = options->user;
    c->options = *options;
    fill_in(&c->options);
    list_init(&c->queued);
    list_init(&c->sent);
    list_init(&c->ended);
    buf_init(&c->out, RAFT_FRAME_PARCEL_MAX);
    c->parcel_number = (uint64_t)loop_wall_ns(c->port->loop); /* each life has others */
    c->folder = strdup(options->folder);
    c->group = strdup("");
    if (c->folder == NULL || c->group == NULL || make_timers(c) < 0) {
        (void)gp_error_set(err, GP_ENOMEM, "opening consensus");
        goto cleanup;
    }
    rc = journal_open(&journal, &c->journal, err);
    rc = rc < 0 ? rc : finish_beginning(c, &journal, err);
    if (rc == 0 && journal_member(c->journal) != 0) {
        rc = know_self(c);
        rc = rc < 0 ? gp_error_set(err, rc, "opening consensus") : life_start(c, err);
    }
    if (rc < 0) {
        gp_error_prefix(err, "%s", options->folder);
    }
cleanup:
    if (rc < 0) {
        c->is_closed = true;
        life_leave(c);
        return rc;
    }
    if (c->id != 0) {
        LOG_INFO(c->port->log, "consensus.opened", KV_HEX("member", c->id),
                 KV_STR("group", (const char *)c->group), KV_U64("term", c->raft.current_term),
                 KV_U64("last", log_last(&c->raft.log)));
    }
    *ret = c;
    life_leave(c);
    return 0;
}

/* Libraft may be open below us: it is closed when the outermost call returns. */
void consensus_close(struct consensus *c)
{
    if (c == NULL || c->is_closed) {
        return;
    }
    c->is_closed = true;
    lead_end_all(c, GP_ECANCELED, GP_ECANCELED);
    lead_tell(c);
    change_end(c, GP_ECANCELED);
    transfer_end(c, GP_ECANCELED);
    life_enter(c);
    life_leave(c);
}

uint64_t consensus_id(const struct consensus *c)
{
    return c->id;
}

const char *consensus_group(const struct consensus *c)
{
    return c->group;
}

/* ---- beginning ---- */

static int compare_members(const void *a, const void *b)
{
    const struct consensus_member *x = a;
    const struct consensus_member *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* The same bytes at every member, in whatever order they were listed. */
static int encode_members(const struct consensus_member *members, uint32_t count, struct buf *out)
{
    struct consensus_member sorted[CONSENSUS_MEMBERS_MAX];
    struct raft_configuration list;
    int rc = 0;

    if (count == 0 || count > CONSENSUS_MEMBERS_MAX) {
        return GP_EINVAL;
    }
    memcpy(sorted, members, count * sizeof(*members));
    qsort(sorted, count, sizeof(*sorted), compare_members);
    raft_configuration_init(&list);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (sorted[i].id == 0 || sorted[i].address[0] == '\0' ||
            memchr(sorted[i].address, 0, CONSENSUS_ADDRESS_MAX) == NULL) {
            rc = GP_EINVAL;
        } else {
            const int rv =
                raft_configuration_add(&list, sorted[i].id, sorted[i].address, RAFT_VOTER);

            rc = rv == 0 ? 0 : rv == RAFT_NOMEM ? GP_ENOMEM : GP_EINVAL;
        }
    }
    rc = rc < 0 ? rc : members_encode(&list, out);
    raft_configuration_close(&list);
    return rc;
}

static int check_unformed(const struct consensus *c, const char *group, uint64_t self,
                          struct gp_error *err)
{
    if (c->id != 0) {
        return gp_error_set(err, GP_ESTATE, "this disk belongs to group %s", c->group);
    }
    if (self == 0 || group[0] == '\0') {
        return gp_error_set(err, GP_EINVAL, "a group and its members need names");
    }
    return 0;
}

int consensus_form(struct consensus *c, const char *group, uint64_t self,
                   const struct consensus_member *members, uint32_t count, struct gp_error *err)
{
    struct buf bytes = {0};
    bool is_in = false;
    int rc = check_unformed(c, group, self, err);

    for (uint32_t i = 0; i < count; i++) {
        is_in = is_in || members[i].id == self;
    }
    if (rc == 0) {
        rc = is_in ? encode_members(members, count, &bytes) : GP_EINVAL;
        rc = rc < 0 ? gp_error_set(err, rc, "the list of members does not hold") : 0;
    }
    if (rc == 0) {
        life_enter(c);
        rc = begin(c, group, self, buf_bytes(&bytes), err);
        life_leave(c);
    }
    buf_deinit(&bytes);
    return rc;
}

int consensus_join(struct consensus *c, const char *group, uint64_t self, const char *address,
                   struct gp_error *err)
{
    int rc = check_unformed(c, group, self, err);

    (void)address; /* it stands in the list of members that comes with the log */
    if (rc < 0) {
        return rc;
    }
    life_enter(c);
    rc = begin(c, group, self, (gp_bytes){0}, err);
    life_leave(c);
    return rc;
}

/* ---- acts ---- */

/* What comes from inside a callback is lost, as on a network: libraft cannot hear it now. */
void consensus_receive(struct consensus *c, uint64_t from, const char *address, gp_bytes bytes)
{
    if (c->is_closed || c->depth > 0 || !life_is_up(c) || !life_has_memory(2 * bytes.len)) {
        return;
    }
    life_enter(c);
    receive(c, from, address, bytes);
    life_leave(c);
}

static int propose(struct consensus *c, gp_bytes command, bool is_barrier, consensus_fn fn,
                   void *user)
{
    struct proposal *p;
    int rc = c->is_closed ? GP_ENOTLEADER : lead_check(c);

    if (rc < 0) {
        return rc;
    }
    if (c->proposal_count >= CONSENSUS_PENDING_MAX ||
        command.len > CONSENSUS_PENDING_BYTES_MAX - c->proposal_bytes) {
        return GP_EFULL;
    }
    p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return GP_ENOMEM;
    }
    list_node_init(&p->node);
    p->is_barrier = is_barrier;
    p->fn = fn;
    p->user = user;
    if (!is_barrier) {
        p->command.len = command.len;
        p->command.base = raft_malloc(command.len);
        if (p->command.base == NULL) {
            free(p);
            return GP_ENOMEM;
        }
        memcpy(p->command.base, command.ptr, command.len);
    }
    list_push_back(&c->queued, &p->node);
    c->proposal_count++;
    c->proposal_bytes += command.len;
    life_kick(c);
    return 0;
}

int consensus_propose(struct consensus *c, gp_bytes command, consensus_fn fn, void *user)
{
    if (command.len == 0) {
        return GP_EINVAL;
    }
    if (command.len > CONSENSUS_COMMAND_MAX) {
        return GP_ETOOBIG;
    }
    return propose(c, command, false, fn, user);
}

int consensus_barrier(struct consensus *c, consensus_fn fn, void *user)
{
    return propose(c, (gp_bytes){0}, true, fn, user);
}

/* ---- questions ---- */

void consensus_status(const struct consensus *c, struct consensus_status *ret)
{
    *ret = (struct consensus_status){
        .role = life_role(c),
        .term = c->last_term,
        .leader = life_leader(c),
        .heir = c->broken < 0 ? c->heir : 0,
        .broken = c->broken,
        .malformed = c->malformed,
        .strangers = c->strangers,
    };
    if (c->is_live) {
        ret->term = c->raft.current_term;
        ret->last = log_last(&c->raft.log);
        ret->committed = c->raft.commit_index;
        ret->applied = c->raft.last_applied;
    }
}

/* The last list that stood in the log. */
static uint32_t members_of_before(const struct consensus *c,
                                  struct consensus_member ret[CONSENSUS_MEMBERS_MAX])
{
    const struct members_entry *last = members_log_at(&c->members, UINT64_MAX);
    struct raft_configuration list;
    uint32_t count = 0;

    if (last == NULL) {
        return 0;
    }
    if (members_decode(buf_bytes(&last->bytes), &list) == 0) {
        for (; count < list.n; count++) {
            ret[count] = (struct consensus_member){.id = list.servers[count].id,
                                                   .votes = list.servers[count].role == RAFT_VOTER};
            (void)str_format(ret[count].address, sizeof(ret[count].address), "%s",
                             list.servers[count].address);
        }
    }
    raft_configuration_close(&list);
    return count;
}

uint32_t consensus_members(const struct consensus *c,
                           struct consensus_member ret[CONSENSUS_MEMBERS_MAX])
{
    const struct raft *r = &c->raft;
    uint32_t count = 0;

    if (c->broken < 0 && !c->is_live) {
        return members_of_before(c, ret);
    }
    for (unsigned i = 0; c->is_live && i < r->configuration.n && count < CONSENSUS_MEMBERS_MAX;
         i++) {
        const struct raft_server *server = &r->configuration.servers[i];
        struct consensus_member *member = &ret[count++];

        *member = (struct consensus_member){
            .id = server->id,
            .votes = server->role == RAFT_VOTER,
            .is_heard = server->id == c->id || peer_is_heard(c, server->id),
            .match = server->id == c->id ? r->last_stored : 0,
        };
        if (r->state == RAFT_LEADER && server->id != c->id) {
            member->match = r->leader_state.progress[i].match_index;
        }
        (void)str_format(member->address, sizeof(member->address), "%s", server->address);
    }
    return count;
}
