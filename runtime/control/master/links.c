/*
 * links.c: connections between masters, and how a group begins.
 *
 *     each master dials every other ── master.hello ──▶ who are you ── raft frames ──▶
 *
 * What we say goes out on the connection that we dialled, what they say comes in on the one that they
 * dialled. A frame of consensus is taken from a caller that has proven the cluster's key, as a master,
 * and has said which member it is.
 *
 * A group begins when every listed master has answered every other: none belongs to a group, all
 * have the same list. The one with the smallest address draws the group's name and tells who the
 * members are (master.found). Whoever missed that is told again by one that heard it, as long as
 * nothing else has happened in the group, and later by its leader (master.join).
 *
 * A master whose disk was lost is another one, with another id: it waits until somebody adds it.
 */
#include "base/str.h"
#include "control/master/internal.h"

#define GROUP_BYTES 8u
#define ID_SHIFT    10u /* ids fit in every codec on the way */

/* ---- who we are ---- */

static void draw_id(struct master *m)
{
    uint64_t id;

    port_random(m->port, &id, sizeof id);
    m->member = (id >> ID_SHIFT) + 1;
}

/* A member that has not begun keeps its id on disk, so that who was told of it finds it again. */
static int keep_id(struct master *m, struct gp_error *err)
{
    const struct port *port = m->port;
    char path[ARTEFACT_PATH_MAX];
    char text[24];
    struct buf old = {0};
    uint64_t id = 0;

    (void)str_format(path, sizeof path, "%s/member", m->data_dir);
    if (port->fs->exists(port->world, path) == 1 &&
        port->fs->read_file(port->world, path, 64, &old, NULL) >= 0) {
        (void)str_to_u64(str_trim(buf_str(&old)), &id); /* else another one */
    }
    buf_deinit(&old);
    if (id != 0) {
        m->member = id;
        return 0;
    }
    draw_id(m);
    (void)str_format(text, sizeof text, "%llu", (unsigned long long)m->member);
    return port->fs->write_file(port->world, path, str_bytes(gp_str_of(text)), 0600, err);
}

/* It belongs to a group now, whose disk says who it is. Should that be lost, it must not come back
 * under the same id. */
static void forget_id(struct master *m)
{
    char path[ARTEFACT_PATH_MAX];

    (void)str_format(path, sizeof path, "%s/member", m->data_dir);
    (void)m->port->fs->remove(m->port->world, path, NULL); /* not there is fine */
}

static bool is_formed(const struct master *m)
{
    return m->consensus && consensus_id(m->consensus) != 0;
}

static int form(struct master *m, const char *group, const struct consensus_member *members,
                uint32_t count, struct gp_error *err)
{
    int rc = consensus_form(m->consensus, group, m->member, members, count, err);

    if (rc >= 0) {
        forget_id(m);
    }
    return rc;
}

/* A cluster of before had its id in a file of its own. */
static void draw_group(struct master *m, char out[64])
{
    const struct port *port = m->port;
    char path[ARTEFACT_PATH_MAX];
    struct buf text = {0};
    uint8_t random[GROUP_BYTES];

    (void)str_format(path, sizeof path, "%s/cluster", m->data_dir);
    out[0] = '\0';
    if (port->fs->exists(port->world, path) == 1 &&
        port->fs->read_file(port->world, path, 63, &text, NULL) >= 0) {
        (void)str_format(out, 64, "%.*s", STR_ARG(str_trim(buf_str(&text))));
    }
    buf_deinit(&text);
    if (out[0] == '\0') {
        port_random(port, random, sizeof random);
        hex_encode(random, sizeof random, out);
    }
}

int links_begin(struct master *m, struct gp_error *err)
{
    struct consensus_member self = {.votes = true};
    char group[64];

    if (is_formed(m)) {
        m->member = consensus_id(m->consensus);
        forget_id(m);
        return 0;
    }
    if (m->masters_count > 1) {
        return keep_id(m, err);
    }
    draw_id(m);
    self.id = m->member;
    (void)str_format(self.address, sizeof self.address, "%s", m->listed);
    draw_group(m, group);
    return form(m, group, &self, 1, err);
}

/* ---- links ---- */

static struct link *link_at(struct master *m, const char *address)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && strcmp(m->links[i].address, address) == 0) {
            return &m->links[i];
        }
    }
    return NULL;
}

static struct link *link_of(struct master *m, const struct peer *peer)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer == peer) {
            return &m->links[i];
        }
    }
    return NULL;
}

static void link_open(struct master *m, const char *address)
{
    struct net_addr addr;
    const struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .key = HELLO_KEY_CLUSTER};
    struct link *link = link_of(m, NULL);

    if (!link || link_at(m, address) || strcmp(address, m->listed) == 0) {
        return;
    }
    (void)str_format(addr.text, sizeof addr.text, "%s", address);
    *link = (struct link){0};
    (void)str_format(link->address, sizeof link->address, "%s", address);
    if (endpoint_dial(m->ep, &spec, &link->peer) < 0) {
        link->peer = NULL; /* the next refresh tries again */
    }
}

static struct caller *caller_of(struct master *m, const struct peer *peer)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->callers[i].peer == peer) {
            return &m->callers[i];
        }
    }
    return NULL;
}

static bool is_members(const struct master *m, const char *address)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = m->consensus ? consensus_members(m->consensus, members) : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(members[i].address, address) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_wanted(const struct master *m, const char *address)
{
    if (is_members(m, address)) {
        return true;
    }
    for (uint32_t i = 0; i < m->masters_count; i++) {
        if (strcmp(m->masters[i], address) == 0) {
            return true;
        }
    }
    return false;
}

void links_refresh(struct master *m)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = m->consensus ? consensus_members(m->consensus, members) : 0;

    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && !m->links[i].is_newcomer && !is_wanted(m, m->links[i].address)) {
            peer_drop(m->links[i].peer);
            m->links[i] = (struct link){0};
        }
    }
    for (uint32_t i = 0; i < count && count > 1; i++) {
        link_open(m, members[i].address);
    }
    for (uint32_t i = 0; i < m->masters_count; i++) {
        link_open(m, m->masters[i]);
    }
}

void links_send(struct master *m, const char *address, gp_bytes bytes)
{
    const struct frame_header header = {.type = MSG_RAFT};
    struct link *link = link_at(m, address);
    struct conn *conn = link ? peer_conn(link->peer) : NULL;

    if (conn) {
        (void)conn_send(conn, &header, bytes); /* consensus says it again */
    }
}

bool links_is_up(struct master *m, const char *address)
{
    const struct link *link = link_at(m, address);

    return link && peer_is_up(link->peer);
}

bool links_is_waiting(struct master *m, const char *address, uint64_t id)
{
    const struct link *link = link_at(m, address);

    return link && peer_is_up(link->peer) && link->is_heard && link->id != id &&
           (!link->is_formed || link->is_ours);
}

const char *links_newcomer(struct master *m, uint32_t *cursor)
{
    while (*cursor < LINKS_MAX) {
        const struct link *link = &m->links[(*cursor)++];

        if (link->peer && !is_members(m, link->address) && links_is_waiting(m, link->address, 0)) {
            return link->address;
        }
    }
    return NULL;
}

bool links_is_member(struct master *m, const char *address, uint64_t id)
{
    const struct link *link = link_at(m, address);

    return link && peer_is_up(link->peer) && link->is_heard && link->id == id;
}

/* ---- hello ---- */

/* Only a leader can tell, and only of its group. */
static bool is_stranger(const struct master *m, uint64_t id, const char *group)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count;

    if (!m->leads || strcmp(group, consensus_group(m->consensus)) != 0) {
        return false;
    }
    count = consensus_members(m->consensus, members);
    for (uint32_t i = 0; i < count; i++) {
        if (members[i].id == id) {
            return false;
        }
    }
    return true;
}

/* Until a leader of the group speaks to us as to a member (group_changed). */
static void note_stranger(struct master *m, const struct msg_master_hello *hello)
{
    if (!hello->stranger || m->is_stranger || !is_formed(m) ||
        strcmp(hello->group, consensus_group(m->consensus)) != 0) {
        return;
    }
    m->is_stranger = true;
    LOG_WARN(master_log(m), "master.waits", KV_STR("cluster", hello->group),
             KV_STR("hint", "this master was removed: gpctl masters add makes it a part of the "
                            "cluster again, or stop it"));
}

static void own_hello(struct master *m, struct msg_master_hello *ret)
{
    *ret = (struct msg_master_hello){
        .id = m->member,
        .address = m->listed,
        .group = is_formed(m) ? (char *)(uintptr_t)consensus_group(m->consensus) : MSG_NO_TEXT,
        .masters = m->masters,
        .masters_count = m->masters_count,
    };
}

static bool lists_are_alike(const struct master *m, const struct msg_master_hello *hello)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < hello->masters_count; i++) {
        for (uint32_t k = 0; k < m->masters_count; k++) {
            found += strcmp(hello->masters[i], m->masters[k]) == 0;
        }
    }
    return found == m->masters_count && found == hello->masters_count;
}

static void list_text(char *const *list, uint32_t count, char *out, size_t cap)
{
    size_t len = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < count && len < cap; i++) {
        (void)str_format(out + len, cap - len, "%s%s", i > 0 ? ", " : "", list[i]);
        len = strlen(out);
    }
}

/* Two that have not begun and do not mean the same cluster: a person must look. */
static int check_lists(struct master *m, const struct msg_master_hello *hello, struct gp_error *err)
{
    char own[384];
    char other[384];

    if (is_formed(m) || hello->group[0] != '\0' || lists_are_alike(m, hello)) {
        return 0;
    }
    list_text(m->masters, m->masters_count, own, sizeof own);
    list_text(hello->masters, hello->masters_count, other, sizeof other);
    (void)gp_error_set(err, GP_EINVAL,
                       "cluster.masters differs: %s has [%s], %s has [%s]; they form no cluster",
                       m->listed, own, hello->address, other);
    return GP_EINVAL;
}

/* ---- the beginning of a group ---- */

static uint32_t founding_members(struct master *m, struct consensus_member *members)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->masters_count && count < CONSENSUS_MEMBERS_MAX; i++) {
        const struct link *link = link_at(m, m->masters[i]);
        bool is_self = strcmp(m->masters[i], m->listed) == 0;

        if (!is_self && (!link || !link->is_heard || link->is_formed || !peer_is_up(link->peer) ||
                         strcmp(m->masters[i], m->listed) < 0)) {
            return 0; /* not all are here, or another one is to begin */
        }
        members[count] =
            (struct consensus_member){.id = is_self ? m->member : link->id, .votes = true};
        (void)str_format(members[count].address, sizeof members[count].address, "%s",
                         m->masters[i]);
        count++;
    }
    return count;
}

static void on_told(void *user, struct peer *peer, const struct answer *answer)
{
    struct master *m = user;

    if (answer->code < 0) { /* its next hello shows what to do */
        LOG_WARN(master_log(m), "master.not_told",
                 KV_STR("address", link_of(m, peer) ? link_of(m, peer)->address : ""),
                 KV_STR("error", answer->err->text));
    }
}

/* Tells one that has not begun who the members were at the beginning. */
static void tell_found(struct master *m, struct link *link)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    struct msg_member told[CONSENSUS_MEMBERS_MAX];
    struct msg_master_found found = {.group = (char *)(uintptr_t)consensus_group(m->consensus),
                                     .members = told};

    found.members_count = consensus_members(m->consensus, members);
    for (uint32_t i = 0; i < found.members_count; i++) {
        told[i] = (struct msg_member){members[i].id, members[i].address};
    }
    (void)peer_ask(link->peer, MSG_MASTER_FOUND, &found, ASK_TIMEOUT_NS, 0, on_told,
                   m); /* its next hello shows what to do */
}

static void try_to_found(struct master *m)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    char group[64];
    struct gp_error err;
    uint32_t count = is_formed(m) || !m->consensus ? 0 : founding_members(m, members);

    if (count == 0) {
        return;
    }
    draw_group(m, group);
    if (form(m, group, members, count, &err) < 0) {
        LOG_ERROR(master_log(m), "master.not_formed", KV_STR("error", err.text));
        return;
    }
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && peer_is_up(m->links[i].peer)) {
            tell_found(m, &m->links[i]);
        }
    }
}

/* Somebody at the other end of a link has not begun, we have. */
static void help_to_begin(struct master *m, struct link *link)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = consensus_members(m->consensus, members);
    struct consensus_status status;
    bool is_member = false;

    group_status(m, &status);
    for (uint32_t i = 0; i < count; i++) {
        is_member = is_member || members[i].id == link->id;
    }
    if (!is_member) {
        if (m->leads) {
            LOG_WARN(master_log(m), "master.unknown", KV_STR("address", link->address),
                     KV_STR("hint", "gpctl masters add makes it one of this cluster"));
        }
    } else if (status.last <= 1) {
        tell_found(m, link);
    } else if (m->leads) {
        (void)links_ask_to_join(m, link->address, link->id, on_told, m); /* as above */
    }
}

/* ---- hello: those that we dialled ---- */

static void heard(struct master *m, struct link *link, const struct msg_master_hello *hello)
{
    struct gp_error err;

    link->is_heard = true;
    link->is_formed = hello->group[0] != '\0';
    link->is_ours = is_formed(m) && strcmp(hello->group, consensus_group(m->consensus)) == 0;
    link->id = hello->id;
    note_stranger(m, hello);
    if (check_lists(m, hello, &err) < 0) {
        LOG_ERROR(master_log(m), "masters.differ", KV_STR("error", err.text));
        link->is_heard = false;
    } else if (is_formed(m) && !link->is_formed) {
        help_to_begin(m, link);
    } else if (!is_formed(m) && link->is_formed) {
        LOG_WARN(master_log(m), "master.waits", KV_STR("cluster", hello->group),
                 KV_STR("hint",
                        "that cluster began without this master: gpctl masters add makes it "
                        "a part of it"));
    }
    try_to_found(m);
}

static void on_hello(void *user, struct peer *peer, const struct answer *answer)
{
    struct master *m = user;
    struct link *link = link_of(m, peer);

    if (!link) {
        return;
    }
    if (answer->code >= 0) {
        heard(m, link, answer->msg);
    } else {
        LOG_ERROR(master_log(m), "master.refused", KV_STR("address", link->address),
                  KV_STR("error", answer->err->text));
    }
}

bool links_up(struct master *m, struct peer *peer)
{
    struct link *link = link_of(m, peer);
    struct msg_master_hello hello;

    if (!link) {
        return false;
    }
    own_hello(m, &hello);
    hello.stranger =
        link->is_heard && link->is_ours && is_stranger(m, link->id, consensus_group(m->consensus));
    (void)peer_ask(peer, MSG_MASTER_HELLO, &hello, ASK_TIMEOUT_NS, 0, on_hello,
                   m); /* a lost connection comes again */
    return true;
}

void links_lead(struct master *m)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && m->links[i].is_ours && peer_is_up(m->links[i].peer)) {
            (void)links_up(m, m->links[i].peer);
        }
    }
}

/* Whoever has begun says so to those that wait. */
static void say_hello_again(struct master *m)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && peer_is_up(m->links[i].peer)) {
            (void)links_up(m, m->links[i].peer);
        }
    }
}

void links_down(struct master *m, struct peer *peer)
{
    struct link *link = link_of(m, peer);
    struct caller *caller = caller_of(m, peer);

    if (m->consensus && (link || caller)) {
        consensus_doubt(m->consensus, link ? link->id : caller->id);
    }
    if (link) {
        link->is_heard = false;
        return;
    }
    if (!caller) {
        return;
    }
    link = link_at(m, caller->address);
    *caller = (struct caller){0};
    if (link && link->is_newcomer && !is_wanted(m, link->address)) {
        peer_drop(link->peer);
        *link = (struct link){0};
    }
}

/* ---- hello: those that call ---- */

int links_hello(struct master *m, struct peer *peer, const struct msg_master_hello *msg,
                struct reply_token token, struct gp_error *err)
{
    struct caller *caller = caller_of(m, peer);
    struct link *link = link_at(m, msg->address);
    struct msg_master_hello hello;
    int rc = link_of(m, peer) ? gp_error_set(err, GP_ESTATE, "who was called does not call")
                              : check_lists(m, msg, err);

    if (rc < 0) {
        return rc;
    }
    if (msg->id == 0 || msg->id == m->member) {
        return gp_error_set(err, GP_EINVAL, "member %llu is this master itself",
                            (unsigned long long)msg->id);
    }
    caller = caller ? caller : caller_of(m, NULL);
    if (!caller) {
        return gp_error_set(err, GP_EFULL, "%u masters are connected already", LINKS_MAX);
    }
    caller->peer = peer;
    caller->id = msg->id;
    caller->is_formed = msg->group[0] != '\0';
    (void)str_format(caller->address, sizeof caller->address, "%s", msg->address);
    note_stranger(m, msg);
    own_hello(m, &hello);
    hello.stranger = is_stranger(m, msg->id, msg->group);
    rc = endpoint_reply(m->ep, token, &hello);
    if (link && (!link->is_heard || link->id != msg->id || link->is_formed != caller->is_formed) &&
        peer_is_up(link->peer)) {
        (void)links_up(m, link->peer); /* it is another one than it was: ask there, too */
    } else if (!link) {
        link_open(m, msg->address); /* one that wants to be added */
        link = link_at(m, msg->address);
        if (link) {
            link->is_newcomer = true;
        }
    }
    return rc;
}

void links_frame(struct master *m, struct peer *peer, const struct frame_header *header,
                 const void *payload)
{
    const struct caller *caller = link_of(m, peer) ? NULL : caller_of(m, peer);

    if (header->type == MSG_RAFT && caller && m->consensus && is_formed(m) &&
        peer_address(peer)->role == ROLE_MASTER) {
        consensus_receive(m->consensus, caller->id, caller->address,
                          gp_bytes_of(payload, header->length));
    }
}

/* ---- found and join ---- */

int links_found(struct master *m, const struct msg_master_found *msg, struct gp_error *err)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    bool is_meant = false;
    int rc;

    if (is_formed(m) && strcmp(consensus_group(m->consensus), msg->group) == 0) {
        return 0; /* told twice */
    }
    for (uint32_t i = 0; i < msg->members_count && i < CONSENSUS_MEMBERS_MAX; i++) {
        members[i] = (struct consensus_member){.id = msg->members[i].id, .votes = true};
        (void)str_format(members[i].address, sizeof members[i].address, "%s",
                         msg->members[i].address);
        is_meant = is_meant || msg->members[i].id == m->member;
    }
    if (is_formed(m) || !is_meant || !m->consensus) {
        return gp_error_set(err, GP_ESTATE, "%s is %s", m->listed,
                            is_formed(m) ? "part of another group"
                                         : "another master than is meant");
    }
    rc = form(m, msg->group, members, msg->members_count, err);
    if (rc >= 0) {
        say_hello_again(m);
    }
    return rc;
}

int links_join(struct master *m, const struct msg_master_join *msg, struct gp_error *err)
{
    int rc;

    if (is_formed(m) && strcmp(consensus_group(m->consensus), msg->group) == 0) {
        return 0; /* told twice */
    }
    if (is_formed(m) || msg->id != m->member || !m->consensus) {
        return gp_error_set(err, GP_ESTATE, "%s is %s", m->listed,
                            is_formed(m) ? "part of another group"
                                         : "another master than is meant");
    }
    rc = consensus_join(m->consensus, msg->group, m->member, msg->address, err);
    if (rc >= 0) {
        forget_id(m);
        say_hello_again(m);
    }
    return rc;
}

int links_ask_to_join(struct master *m, const char *address, uint64_t id, answer_fn fn, void *user)
{
    struct link *link = link_at(m, address);
    const struct msg_master_join join = {.group = (char *)(uintptr_t)consensus_group(m->consensus),
                                         .id = id,
                                         .address = (char *)(uintptr_t)address};

    return link && peer_is_up(link->peer)
               ? peer_ask(link->peer, MSG_MASTER_JOIN, &join, ASK_TIMEOUT_NS, 0, fn, user)
               : GP_EUNREACH;
}

uint64_t links_find_newcomer(struct master *m, const char *address)
{
    const struct link *link = link_at(m, address);

    return link && link->is_heard && (!link->is_formed || link->is_ours) ? link->id : 0;
}

/* ---- other masters, for artefacts ---- */

struct peer *links_peer(struct master *m, uint32_t *cursor)
{
    while (*cursor < LINKS_MAX) {
        struct link *link = &m->links[(*cursor)++];

        if (link->peer && peer_is_up(link->peer)) {
            return link->peer;
        }
    }
    return NULL;
}

struct peer *links_peer_at(struct master *m, const char *address)
{
    struct link *link = link_at(m, address);

    return link && peer_is_up(link->peer) ? link->peer : NULL;
}
