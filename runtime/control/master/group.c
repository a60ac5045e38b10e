/*
 * group.c: this master as a member of the group: what the group agrees on, who leads, who belongs
 * to it.
 *
 *     UNFORMED ──founding.c: all agree, or one alone──▶ member: follows ◀──elections──▶ leads
 *
 * The registry is the group's state: snapshots and commands come from here to proposals.c. Whoever
 * leads acts on it: soft state begins empty with each lead (lead_begin) and is thrown away after it
 * (lead_end): workers and appmasters are sent to the next leader and tell it what they have.
 *
 * Without memory to apply a command the registry would differ from the others': it is read from the
 * disk anew, as after a restart (group_reread).
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/internal.h"
#include "control/master/registry_codec.h"

#define REREAD_AGAIN_NS 1000000000
#define RETIRE_NS       1000000000

/* ---- what consensus calls ---- */

static void on_send(void *user, uint64_t member, const char *address, gp_bytes bytes)
{
    (void)member; /* stands in the bytes */
    links_send(user, address, bytes);
}

static void on_apply(void *user, uint64_t index, gp_bytes command)
{
    struct master *m = user;

    (void)index;
    if (!m->is_torn && proposals_apply(m, command) == GP_ENOMEM) {
        LOG_ERROR(master_log(m), "registry.torn", KV_CODE("code", GP_ENOMEM));
        m->is_torn = true;
        timer_start(m->reread_timer, 0);
    }
}

static int on_snapshot(void *user, struct buf *out)
{
    const struct master *m = user;

    return m->is_torn ? GP_EAGAIN : registry_save(&m->registry, out);
}

static int on_restore(void *user, gp_bytes bytes)
{
    struct master *m = user;
    uint64_t seed = m->registry.requests.seed;
    struct gp_error err;
    int rc = 0;

    if (bytes.len == 0) {
        registry_deinit(&m->registry);
        registry_init(&m->registry, seed);
    } else {
        rc = registry_load(&m->registry, m->port, bytes, &err);
        if (rc < 0) {
            LOG_ERROR(master_log(m), "registry.refused", KV_STR("error", err.text));
        }
    }
    return rc;
}

static void on_change(void *user)
{
    group_changed(user);
}

static const struct consensus_events events = {.send = on_send,
                                               .apply = on_apply,
                                               .snapshot = on_snapshot,
                                               .restore = on_restore,
                                               .on_change = on_change};

int group_open(struct master *m, struct gp_error *err)
{
    char folder[ARTEFACT_PATH_MAX];
    const struct consensus_options options = {.port = m->port,
                                              .folder = folder,
                                              .events = &events,
                                              .user = m,
                                              .snapshot_threshold = m->snapshot_entries,
                                              .snapshot_trailing = m->snapshot_entries / 4};
    int rc = str_format(folder, sizeof folder, "%s/raft", m->data_dir);

    if (rc < 0) {
        return gp_error_set(err, GP_EINVAL, "the data directory's name is too long");
    }
    m->is_torn = false;
    return consensus_open(&options, &m->consensus, err);
}

void on_reread_timer(void *user)
{
    struct master *m = user;
    struct gp_error err;

    group_lead_end(m);
    consensus_close(m->consensus);
    m->consensus = NULL;
    if (group_open(m, &err) < 0) {
        LOG_ERROR(master_log(m), "registry.not_read", KV_STR("error", err.text));
        m->is_torn = true;
        timer_start(m->reread_timer, REREAD_AGAIN_NS);
        return;
    }
    group_changed(m);
}

/* ---- who leads ---- */

void group_status(const struct master *m, struct consensus_status *ret)
{
    *ret = (struct consensus_status){.role = CONSENSUS_BROKEN};
    if (m->consensus) {
        consensus_status(m->consensus, ret);
    }
}

/* Or where one is to be looked for first. */
static void leader_address(const struct master *m, const struct consensus_status *status,
                           char out[CONSENSUS_ADDRESS_MAX])
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = consensus_members(m->consensus, members);

    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == (status->leader != 0 ? status->leader : status->heir)) {
            (void)str_format(out, CONSENSUS_ADDRESS_MAX, "%s", members[i].address);
        }
    }
}

static void lead_begin(struct master *m, uint64_t term)
{
    m->leads = true;
    m->elections++;
    m->is_giving_way = false;
    m->term = term;
    LOG_INFO(master_log(m), "master.leads", KV_U64("term", term),
             KV_U64("apps", m->registry.count - m->registry.ended));
    events_begin(m);
    places_lead(m);
    links_lead(m);
}

void group_lead_end(struct master *m)
{
    struct gp_error why;

    if (!m->leads) {
        return;
    }
    m->leads = false;
    LOG_WARN(master_log(m), "master.follows", KV_U64("term", m->term));
    (void)gp_error_set(&why, GP_ENOTLEADER, "this master leads no more");
    waiters_dismiss(m, &why);
    events_dismiss(m, &why);
    restarts_dismiss(m, &why);
    places_dismiss(m, &why);
    while (m->workers.count > 0) {
        struct worker_entry *entry = m->workers.entries[0];
        struct peer *peer = endpoint_peer(m->ep, entry->peer);

        workers_remove(&m->workers, entry);
        if (peer) {
            peer_dismiss(peer, &why);
        }
    }
}

void group_changed(struct master *m)
{
    struct consensus_status status;
    char leader[CONSENSUS_ADDRESS_MAX] = "";

    group_status(m, &status);
    if (m->consensus) {
        leader_address(m, &status, leader);
    }
    m->is_stranger = m->is_stranger && status.leader == 0;
    (void)endpoint_set_leader(m->ep, leader); /* without memory: found by trying */
    if (m->leads && (status.role != CONSENSUS_LEADER || status.term != m->term)) {
        group_lead_end(m);
    }
    if (m->consensus && consensus_group(m->consensus)[0] && !m->cluster[0]) {
        (void)str_format(m->cluster, sizeof m->cluster, "%s", consensus_group(m->consensus));
        (void)endpoint_set_cluster(m->ep, m->cluster); /* the next start will */
        LOG_INFO(master_log(m), "master.formed", KV_STR("cluster", m->cluster));
    }
    links_refresh(m);
    if (!m->leads && status.role == CONSENSUS_LEADER && !m->is_torn) {
        lead_begin(m, status.term);
    }
}

int group_check_leads(const struct master *m, struct gp_error *err)
{
    struct consensus_status status;

    if (m->leads && !m->is_giving_way) {
        return 0;
    }
    if (m->leads) {
        return gp_error_set(err, GP_ENOTLEADER, "another master is about to lead");
    }
    group_status(m, &status);
    if (status.role == CONSENSUS_UNFORMED) {
        (void)gp_error_set(err, GP_ENOTLEADER, "the masters have not formed a cluster yet");
        gp_error_hint(err, "gpctl masters; all of cluster.masters must have started once");
    } else if (m->is_stranger) {
        (void)gp_error_set(err, GP_ENOTLEADER, "this master was removed from its cluster");
        gp_error_hint(err, "gpctl masters add makes it a part of it again");
    } else if (status.role == CONSENSUS_BROKEN) {
        (void)gp_error_set(err, GP_ENOTLEADER, "this master's disk failed: %s",
                           error_sentence(status.broken < 0 ? status.broken : GP_EIO));
    } else if (status.leader == 0) {
        (void)gp_error_set(err, GP_ENOTLEADER, "no master leads now");
        gp_error_hint(err, "gpctl masters; more than half of them must be up");
    } else {
        (void)gp_error_set(err, GP_ENOTLEADER, "another master leads");
    }
    return GP_ENOTLEADER;
}

bool group_is_several(const struct master *m)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];

    return m->consensus && consensus_members(m->consensus, members) > 1;
}

uint32_t group_masters(const struct master *m, char texts[CONSENSUS_MEMBERS_MAX][NET_ADDR_MAX],
                       char *list[CONSENSUS_MEMBERS_MAX])
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = m->consensus ? consensus_members(m->consensus, members) : 0;

    if (count <= 1) { /* alone: where it listens now, which may be another port than once */
        (void)str_format(texts[0], NET_ADDR_MAX, "%s", m->address);
        list[0] = texts[0];
        return 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        (void)str_format(texts[i], NET_ADDR_MAX, "%s", members[i].address);
        list[i] = texts[i];
    }
    return count;
}

/* ---- an orderly end ---- */

static void on_transferred(void *user, int code)
{
    struct master *m = user;

    (void)code; /* the others elect one anyway */
    m->is_retired = true;
}

static void on_retire_timer(void *user)
{
    ((struct master *)user)->is_retired = true;
}

void master_retire(struct master *m)
{
    if (!m->leads || !m->consensus || consensus_transfer(m->consensus, 0, on_transferred, m) < 0 ||
        timer_new(m->port->loop, on_retire_timer, m, &m->retire_timer) < 0) {
        m->is_retired = true;
        return;
    }
    timer_start(m->retire_timer, RETIRE_NS);
}

bool master_is_retired(const struct master *m)
{
    return m->is_retired;
}

/* ---- what people see ---- */

static uint64_t behind(uint64_t last, uint64_t match)
{
    return last > match ? last - match : 0;
}

static void member_info(struct master *m, const struct consensus_status *status,
                        const struct consensus_member *member, struct msg_master_info *ret)
{
    bool is_self = member->id == consensus_id(m->consensus);
    bool is_broken = status->role == CONSENSUS_BROKEN;
    bool is_waiting = is_self ? m->is_stranger : links_is_waiting(m, member->address, member->id);
    bool is_up = is_self || (m->leads ? member->is_heard : links_is_up(m, member->address));

    ret->term = is_up ? status->term : 0;
    ret->role = is_waiting                     ? MASTER_WAITING
                : !is_up                       ? MASTER_UNREACHABLE
                : is_self && is_broken         ? MASTER_BROKEN
                : member->id == status->leader ? MASTER_LEADER
                                               : MASTER_FOLLOWER;
    ret->lag = is_self    ? behind(status->committed, status->applied)
               : m->leads ? behind(status->last, member->match)
                          : 0;
}

static void self_info(const struct master *m, const struct consensus_status *status,
                      struct msg_master_info *ret)
{
    ret->last = status->last;
    ret->committed = status->committed;
    ret->applied = status->applied;
    ret->elections = m->elections;
    ret->apply_count = hist_count(&m->apply);
    ret->apply_p50_ns = hist_percentile(&m->apply, 50);
    ret->apply_p99_ns = hist_percentile(&m->apply, 99);
    ret->apply_max_ns = hist_percentile(&m->apply, 100);
}

int queries_cluster_info(struct master *m, struct reply_token token)
{
    struct msg_master_info infos[CONSENSUS_MEMBERS_MAX] = {{0}};
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    struct consensus_status status;
    struct msg_cluster_info info = {
        .cluster = m->cluster, .version = (char *)(uintptr_t)GP_VERSION, .masters = infos};
    const char *newcomer;
    uint32_t cursor = 0;

    group_status(m, &status);
    info.masters_count = m->consensus ? consensus_members(m->consensus, members) : 0;
    for (uint32_t i = 0; i < info.masters_count; i++) {
        member_info(m, &status, &members[i], &infos[i]);
        if (members[i].id == consensus_id(m->consensus)) {
            self_info(m, &status, &infos[i]);
        }
        infos[i].address = info.masters_count == 1 ? m->address : members[i].address;
    }
    if (info.masters_count == 0) { /* not formed yet, or broken: as far as can be seen */
        for (; info.masters_count < m->masters_count; info.masters_count++) {
            char *address = m->masters[info.masters_count];
            bool is_self = strcmp(address, m->listed) == 0;
            infos[info.masters_count].address = address;
            infos[info.masters_count].role =
                is_self && status.role == CONSENSUS_BROKEN   ? MASTER_BROKEN
                : is_self || links_is_waiting(m, address, 0) ? MASTER_WAITING
                : links_is_up(m, address)                    ? MASTER_FOLLOWER
                                                             : MASTER_UNREACHABLE;
        }
        return endpoint_reply(m->ep, token, &info);
    }
    while (info.masters_count < CONSENSUS_MEMBERS_MAX &&
           (newcomer = links_newcomer(m, &cursor)) != NULL) {
        infos[info.masters_count++] = (struct msg_master_info){
            .address = (char *)(uintptr_t)newcomer, .role = MASTER_WAITING};
    }
    return endpoint_reply(m->ep, token, &info);
}

/* ---- who belongs to it ---- */

/* A change of the members on the way. */
struct changing {
    struct pending pending;
    struct reply_token token;
    uint64_t add; /* after the old one of its address was removed; 0: nobody */
    char address[CONSENSUS_ADDRESS_MAX];
};

static void changing_end(struct changing *c, int code)
{
    struct master *m = c->pending.master;
    struct gp_error err;

    if (code == GP_ECANCELED) {
        code = GP_ENOTLEADER; /* cut off half way: who leads next is asked, and does the rest */
    }
    if (code < 0) {
        (void)gp_error_set(&err, code, "changing the masters: %s", error_sentence(code));
        (void)endpoint_reply_error(m->ep, c->token, &err);
    } else {
        LOG_INFO(master_log(m), c->add ? "master.added" : "master.removed",
                 KV_STR("address", c->address));
        (void)endpoint_reply(m->ep, c->token, NULL);
    }
    pending_free(c);
}

static void on_added(void *user, int code)
{
    changing_end(user, code);
}

/* It joined our group: from now on it has a part in it. */
static void on_joined(void *user, struct peer *peer, const struct answer *answer)
{
    struct changing *c = user;
    struct master *m = c->pending.master;
    int rc = answer->code;

    (void)peer;
    if (rc >= 0) {
        rc =
            m->leads ? consensus_add(m->consensus, c->add, c->address, on_added, c) : GP_ENOTLEADER;
    }
    if (rc < 0) {
        changing_end(c, rc);
    }
}

static void add_now(struct changing *c)
{
    int rc = founding_ask(c->pending.master, c->address, c->add, on_joined, c);

    if (rc < 0) {
        changing_end(c, rc);
    }
}

static void on_removed(void *user, int code)
{
    struct changing *c = user;

    if (code < 0 || c->add == 0) {
        changing_end(c, code);
    } else {
        add_now(c);
    }
}

static const struct consensus_member *member_at(const struct consensus_member *members,
                                                uint32_t count, const char *address)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(members[i].address, address) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

/* Whether those that are left would be enough of themselves. */
static int check_quorum(struct master *m, const struct consensus_member *members, uint32_t count,
                        const struct consensus_member *without, struct gp_error *err)
{
    uint32_t voters = 0;
    uint32_t up = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (&members[i] != without && members[i].votes) {
            voters++;
            /* A closed socket is noticed before silence is, and so is one that lost its disk. */
            up += members[i].id == consensus_id(m->consensus) ||
                  (members[i].is_heard && links_is_member(m, members[i].address, members[i].id));
        }
    }
    if (voters == 0) {
        (void)gp_error_set(err, GP_ESTATE, "%s is the only master", without->address);
        gp_error_hint(err, "gpctl masters add HOST:PORT first");
        return GP_ESTATE;
    }
    if (up < voters / 2 + 1) {
        (void)gp_error_set(err, GP_ESTATE, "without %s, %u of %u masters would be up: not enough",
                           without->address, up, voters);
        gp_error_hint(err, "gpctl masters; bring others back first");
        return GP_ESTATE;
    }
    return 0;
}

static int changing_new(struct master *m, const char *address, uint64_t add,
                        struct reply_token token, struct changing **ret, struct gp_error *err)
{
    struct changing *c = pending_new(m, sizeof *c);

    if (!c) {
        return gp_error_set(err, GP_ENOMEM, "changing the masters");
    }
    c->token = token;
    c->add = add;
    (void)str_format(c->address, sizeof c->address, "%s", address);
    *ret = c;
    return 0;
}

int group_add(struct master *m, const struct msg_master_ref *ref, struct reply_token token,
              struct gp_error *err)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = consensus_members(m->consensus, members);
    const struct consensus_member *old = member_at(members, count, ref->address);
    uint64_t id = links_find_newcomer(m, ref->address);
    struct changing *c = NULL;
    int rc;

    if (old && (old->id == id || id == 0) && old->votes && old->is_heard) {
        return gp_error_set(err, GP_EEXIST, "%s is one of the masters", ref->address);
    }
    if (id == 0) {
        (void)gp_error_set(err, GP_EUNREACH, "no new master at %s has called yet", ref->address);
        gp_error_hint(err, "start `gpd master` there on an empty data_dir, with this master in its "
                           "cluster.masters");
        return GP_EUNREACH;
    }
    rc = old && old->id != id ? check_quorum(m, members, count, old, err) : 0;
    rc = rc < 0 ? rc : changing_new(m, ref->address, id, token, &c, err);
    if (rc < 0) {
        return rc;
    }
    if (!old || old->id == id) {
        add_now(c);
        return 0;
    }
    rc = consensus_remove(m->consensus, old->id, on_removed, c);
    if (rc < 0) {
        changing_end(c, rc);
    }
    return 0;
}

int group_remove(struct master *m, const struct msg_master_ref *ref, struct reply_token token,
                 struct gp_error *err)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = consensus_members(m->consensus, members);
    const struct consensus_member *member = member_at(members, count, ref->address);
    struct changing *c = NULL;
    int rc;

    if (!member) {
        return gp_error_set(err, GP_ENOENT, "%s is none of the masters", ref->address);
    }
    rc = check_quorum(m, members, count, member, err);
    rc = rc < 0 ? rc : changing_new(m, ref->address, 0, token, &c, err);
    if (rc < 0) {
        return rc;
    }
    rc = consensus_remove(m->consensus, member->id, on_removed, c);
    if (rc < 0) {
        changing_end(c, rc);
    }
    return 0;
}
