/*
 * founding.c: how a group of masters begins, and who this one is.
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

bool master_is_formed(const struct master *m)
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

int founding_begin(struct master *m, struct gp_error *err)
{
    struct consensus_member self = {.votes = true};
    char group[64];

    if (master_is_formed(m)) {
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

/* ---- the beginning of a group ---- */

static uint32_t founding_members(struct master *m, struct consensus_member *members)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < m->masters_count && count < CONSENSUS_MEMBERS_MAX; i++) {
        const struct link *link = links_at(m, m->masters[i]);
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
                 KV_STR("address", links_of(m, peer) ? links_of(m, peer)->address : ""),
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

void founding_try(struct master *m)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    char group[64];
    struct gp_error err;
    uint32_t count = master_is_formed(m) || !m->consensus ? 0 : founding_members(m, members);

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
void founding_help(struct master *m, struct link *link)
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
        (void)founding_ask(m, link->address, link->id, on_told, m); /* as above */
    }
}

/* ---- found and join ---- */

int founding_found(struct master *m, const struct msg_master_found *msg, struct gp_error *err)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    bool is_meant = false;
    int rc;

    if (master_is_formed(m) && strcmp(consensus_group(m->consensus), msg->group) == 0) {
        return 0; /* told twice */
    }
    for (uint32_t i = 0; i < msg->members_count && i < CONSENSUS_MEMBERS_MAX; i++) {
        members[i] = (struct consensus_member){.id = msg->members[i].id, .votes = true};
        (void)str_format(members[i].address, sizeof members[i].address, "%s",
                         msg->members[i].address);
        is_meant = is_meant || msg->members[i].id == m->member;
    }
    if (master_is_formed(m) || !is_meant || !m->consensus) {
        return gp_error_set(err, GP_ESTATE, "%s is %s", m->listed,
                            master_is_formed(m) ? "part of another group"
                                                : "another master than is meant");
    }
    rc = form(m, msg->group, members, msg->members_count, err);
    if (rc >= 0) {
        links_say_again(m);
    }
    return rc;
}

int founding_join(struct master *m, const struct msg_master_join *msg, struct gp_error *err)
{
    int rc;

    if (master_is_formed(m) && strcmp(consensus_group(m->consensus), msg->group) == 0) {
        return 0; /* told twice */
    }
    if (master_is_formed(m) || msg->id != m->member || !m->consensus) {
        return gp_error_set(err, GP_ESTATE, "%s is %s", m->listed,
                            master_is_formed(m) ? "part of another group"
                                                : "another master than is meant");
    }
    rc = consensus_join(m->consensus, msg->group, m->member, msg->address, err);
    if (rc >= 0) {
        forget_id(m);
        links_say_again(m);
    }
    return rc;
}

int founding_ask(struct master *m, const char *address, uint64_t id, answer_fn fn, void *user)
{
    struct link *link = links_at(m, address);
    const struct msg_master_join join = {.group = (char *)(uintptr_t)consensus_group(m->consensus),
                                         .id = id,
                                         .address = (char *)(uintptr_t)address};

    return link && peer_is_up(link->peer)
               ? peer_ask(link->peer, MSG_MASTER_JOIN, &join, ASK_TIMEOUT_NS, 0, fn, user)
               : GP_EUNREACH;
}
