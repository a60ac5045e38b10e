/*
 * room.c: a leader without room on its disk gives way to a master that has some.
 *
 *     an upload meets GP_ENOSPC ─▶ the other members are asked for room, one after the other
 *         more than half have some: the first of them gets the lead
 *         else nothing could be agreed on: GP_ENOSPC, for a while
 *
 * Whoever uploads is told GP_ENOTLEADER meanwhile, and asks again until somebody leads and takes
 * it, or this master says what is wrong. Room is tried out: a little is written.
 */
#include "base/str.h"
#include "control/master/internal.h"

#define PROBE_BYTES   65536u
#define GIVE_WAY_NS   10000000000 /* then it is worth asking all of them again */
#define ASKING_FOR_NS 2000000000

int room_check(struct master *m, struct gp_error *err)
{
    static const uint8_t probe[PROBE_BYTES];
    const struct port *port = m->port;
    char path[ARTEFACT_PATH_MAX];
    int rc = str_format(path, sizeof path, "%s/room", m->data_dir);

    if (rc < 0) {
        return gp_error_set(err, rc, "the data directory's name is too long");
    }
    rc = port->fs->write_file(port->world, path, gp_bytes_of(probe, sizeof probe), 0600, err);
    (void)port->fs->remove(port->world, path, NULL); /* or it is overwritten the next time */
    return rc;
}

static void ask_next(struct master *m);

static void on_transferred(void *user, int code)
{
    struct master *m = user;

    (void)code; /* who leads now is asked next, be it us */
    m->is_giving_way = false;
}

static void on_room(void *user, struct peer *peer, const struct answer *answer)
{
    struct master *m = user;

    (void)peer;
    if (answer->code >= 0) {
        m->way_to = m->way_room++ == 0 ? m->way_asked : m->way_to;
    }
    ask_next(m);
}

/* All were asked. */
static void decide(struct master *m, uint32_t voters)
{
    if (m->way_room > voters / 2 &&
        consensus_transfer(m->consensus, m->way_to, on_transferred, m) >= 0) {
        LOG_WARN(master_log(m), "master.gives_way", KV_HEX("to", m->way_to));
    } else {
        m->is_giving_way = false;
    }
}

static void ask_next(struct master *m)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = m->leads && m->consensus ? consensus_members(m->consensus, members) : 0;
    uint32_t voters = 0;

    while (m->way_next < count) {
        const struct consensus_member *member = &members[m->way_next++];
        struct peer *peer = links_peer_at(m, member->address);

        if (member->id != m->member && member->votes && member->is_heard && peer &&
            peer_ask(peer, MSG_MASTER_ROOM, NULL, ASKING_FOR_NS, 0, on_room, m) >= 0) {
            m->way_asked = member->id;
            return;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        voters += members[i].votes;
    }
    if (count > 0) {
        decide(m, voters);
    } else {
        m->is_giving_way = false;
    }
}

int room_give_way(struct master *m, int code, struct gp_error *err)
{
    const int64_t now_ns = loop_now_ns(m->port->loop);

    if (code != GP_ENOSPC || !m->leads || !m->consensus) {
        return code;
    }
    if (!m->is_giving_way && (m->gave_way_ns == 0 || now_ns - m->gave_way_ns > GIVE_WAY_NS)) {
        m->gave_way_ns = now_ns;
        m->is_giving_way = true;
        m->way_next = 0;
        m->way_room = 0;
        ask_next(m);
    }
    return m->is_giving_way
               ? gp_error_set(err, GP_ENOTLEADER, "this master has no room; another is looked for")
               : code;
}
