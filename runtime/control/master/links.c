/*
 * links.c: connections between masters.
 *
 *     each master dials every other ── master.hello ──▶ who are you ── raft frames ──▶
 *
 * What we say goes out on the connection that we dialled, what they say comes in on the one that
 * they dialled. A frame of consensus is taken from a caller that has proven the cluster's key, as a
 * master, and has said which member it is.
 *
 * How a group begins is in founding.c.
 */
#include "base/str.h"
#include "control/master/internal.h"

/* ---- links ---- */

struct link *links_at(struct master *m, const char *address)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && strcmp(m->links[i].address, address) == 0) {
            return &m->links[i];
        }
    }
    return NULL;
}

struct link *links_of(struct master *m, const struct peer *peer)
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
    struct link *link = links_of(m, NULL);

    if (!link || links_at(m, address) || strcmp(address, m->listed) == 0) {
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
    struct link *link = links_at(m, address);
    struct conn *conn = link ? peer_conn(link->peer) : NULL;

    if (conn) {
        (void)conn_send(conn, &header, bytes); /* consensus says it again */
    }
}

bool links_is_up(struct master *m, const char *address)
{
    const struct link *link = links_at(m, address);

    return link && peer_is_up(link->peer);
}

bool links_is_waiting(struct master *m, const char *address, uint64_t id)
{
    const struct link *link = links_at(m, address);

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
    const struct link *link = links_at(m, address);

    return link && peer_is_up(link->peer) && link->is_heard && link->id == id;
}

uint64_t links_find_newcomer(struct master *m, const char *address)
{
    const struct link *link = links_at(m, address);

    return link && link->is_heard && (!link->is_formed || link->is_ours) ? link->id : 0;
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
    if (!hello->stranger || m->is_stranger || !master_is_formed(m) ||
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
        .group =
            master_is_formed(m) ? (char *)(uintptr_t)consensus_group(m->consensus) : MSG_NO_TEXT,
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

    if (master_is_formed(m) || hello->group[0] != '\0' || lists_are_alike(m, hello)) {
        return 0;
    }
    list_text(m->masters, m->masters_count, own, sizeof own);
    list_text(hello->masters, hello->masters_count, other, sizeof other);
    (void)gp_error_set(err, GP_EINVAL,
                       "cluster.masters differs: %s has [%s], %s has [%s]; they form no cluster",
                       m->listed, own, hello->address, other);
    return GP_EINVAL;
}

/* ---- hello: those that we dialled ---- */

static void heard(struct master *m, struct link *link, const struct msg_master_hello *hello)
{
    struct gp_error err;

    link->is_heard = true;
    link->is_formed = hello->group[0] != '\0';
    link->is_ours = master_is_formed(m) && strcmp(hello->group, consensus_group(m->consensus)) == 0;
    link->id = hello->id;
    note_stranger(m, hello);
    if (check_lists(m, hello, &err) < 0) {
        LOG_ERROR(master_log(m), "masters.differ", KV_STR("error", err.text));
        link->is_heard = false;
    } else if (master_is_formed(m) && !link->is_formed) {
        founding_help(m, link);
    } else if (!master_is_formed(m) && link->is_formed) {
        LOG_WARN(master_log(m), "master.waits", KV_STR("cluster", hello->group),
                 KV_STR("hint",
                        "that cluster began without this master: gpctl masters add makes it "
                        "a part of it"));
    }
    founding_try(m);
}

/* Whoever was not greeted is sent nothing, so a hello that was lost is said on another
 * connection. */
static void say_hello_again(struct peer *peer, int code)
{
    struct gp_error why;

    (void)gp_error_set(&why, code, "saying hello: %s", error_sentence(code));
    peer_redial(peer, &why);
}

static void on_hello(void *user, struct peer *peer, const struct answer *answer)
{
    struct master *m = user;
    struct link *link = links_of(m, peer);

    if (!link) {
        return;
    }
    if (answer->code >= 0) {
        heard(m, link, answer->msg);
    } else if (answer->code == GP_ENOMEM && peer_is_up(peer)) {
        say_hello_again(peer, GP_ENOMEM);
    } else {
        LOG_ERROR(master_log(m), "master.refused", KV_STR("address", link->address),
                  KV_STR("error", answer->err->text));
    }
}

bool links_up(struct master *m, struct peer *peer)
{
    struct link *link = links_of(m, peer);
    struct msg_master_hello hello;
    int rc;

    if (!link) {
        return false;
    }
    own_hello(m, &hello);
    hello.stranger =
        link->is_heard && link->is_ours && is_stranger(m, link->id, consensus_group(m->consensus));
    rc = peer_ask(peer, MSG_MASTER_HELLO, &hello, ASK_TIMEOUT_NS, 0, on_hello, m);
    if (rc < 0) {
        say_hello_again(peer, rc); /* a lost connection comes again, too */
    }
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
void links_say_again(struct master *m)
{
    for (uint32_t i = 0; i < LINKS_MAX; i++) {
        if (m->links[i].peer && peer_is_up(m->links[i].peer)) {
            (void)links_up(m, m->links[i].peer);
        }
    }
}

void links_down(struct master *m, struct peer *peer)
{
    struct link *link = links_of(m, peer);
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
    link = links_at(m, caller->address);
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
    struct link *link = links_at(m, msg->address);
    struct msg_master_hello hello;
    int rc = links_of(m, peer) ? gp_error_set(err, GP_ESTATE, "who was called does not call")
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
        link = links_at(m, msg->address);
        if (link) {
            link->is_newcomer = true;
        }
    }
    return rc;
}

void links_frame(struct master *m, struct peer *peer, const struct frame_header *header,
                 const void *payload)
{
    const struct caller *caller = links_of(m, peer) ? NULL : caller_of(m, peer);

    if (header->type == MSG_RAFT && caller && m->consensus && master_is_formed(m) &&
        peer_address(peer)->role == ROLE_MASTER) {
        consensus_receive(m->consensus, caller->id, caller->address,
                          gp_bytes_of(payload, header->length));
    }
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
    struct link *link = links_at(m, address);

    return link && peer_is_up(link->peer) ? link->peer : NULL;
}
