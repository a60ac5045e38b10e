/*
 * Following the leader: where a dialled peer goes when a master says that it does not lead.
 *
 *     refused, the leader is known    ─▶ the connection ends, that one is dialled; on_down, on_up
 *     refused, nobody knows           ─▶ held: the same asks again, on this connection
 *     held for longer than a while    ─▶ the connection ends, the next of the list is dialled
 *     the master ended the connection ─▶ the leader is dialled, or the next of the list
 *
 * Happy path: one redirect, at once, and the asks that may follow are answered by the leader. The
 * address it names need not be in the list: a master may have been added since, and whoever answers
 * there must prove the same key.
 *
 * Bounds: masters that send us round, or have no leader, are asked with growing waits, from
 * redial_min to FOLLOW_MAX_NS, until somebody answers otherwise; each ask ends at its deadline. A
 * leader who is not there costs one attempt; then the list is tried as ever, and whoever still
 * names it has not noticed and counts as one that knows nobody.
 */
#include <string.h>

#include "actor/endpoint_internal.h"
#include "base/log.h"
#include "base/str.h"

#define FOLLOW_MAX_NS INT64_C(100000000) /* little beside an election */
#define HELD_MAX_NS   INT64_C(400000000) /* "a while": who knows no leader by then may be cut off */

void follow_settled(struct peer *peer)
{
    if (peer->dial != NULL) {
        peer->dial->follow_ns = 0;
        peer->dial->leaderless_ns = 0;
        peer->dial->lost.text[0] = '\0';
    }
}

/* Grows; half of it is drawn, as in dial_wait(). The first is `first_ns`. */
static int64_t next_wait_ns(struct peer *peer, int64_t first_ns)
{
    const int64_t min_ns = peer->ep->limits.redial_min_ns;
    struct dial *dial = peer->dial;

    if (dial->follow_ns == 0) {
        dial->follow_ns = min_ns;
        return first_ns;
    }
    dial->follow_ns = dial->follow_ns < FOLLOW_MAX_NS / 2 ? 2 * dial->follow_ns : FOLLOW_MAX_NS;
    return rng_between(&peer->ep->rng, dial->follow_ns / 2, dial->follow_ns);
}

/* Not where we are told so, and not where nobody was a moment ago. */
static bool is_worth_trying(const struct peer *peer, const char *leader)
{
    struct net_addr here = {{0}};

    conn_peer_addr(peer->conn, &here);
    return leader[0] != '\0' && strcmp(leader, here.text) != 0 &&
           strcmp(leader, peer->dial->lost.text) != 0;
}

static void move(struct peer *peer, const char *leader)
{
    struct dial *dial = peer->dial;
    struct gp_error why;

    LOG_INFO(peer->ep->port->log, "actor.redirected", KV_STR("peer", peer_label(peer)),
             KV_STR("leader", leader));
    peer->ep->counts.redirects++;
    (void)str_format(dial->leader.text, sizeof(dial->leader.text), "%s", leader);
    dial->is_moving = true;
    dial->is_held = false;
    (void)gp_error_set(&why, GP_ENOTLEADER, "it is not the leader");
    peer_fail(peer, &why); /* follow_on() comes from the loop */
}

/* The next of the list is to be another one. */
static void skip_this_one(struct peer *peer)
{
    struct dial *dial = peer->dial;
    struct net_addr here = {{0}};

    conn_peer_addr(peer->conn, &here);
    if (strcmp(dial->addrs[dial->next].text, here.text) == 0) {
        dial->next = (dial->next + 1) % dial->addrs_count;
    }
}

void follow_refused(struct peer *peer, const char *leader)
{
    const int64_t now_ns = loop_now_ns(peer->ep->loop);
    struct dial *dial = peer->dial;

    if (dial->is_moving || dial->is_held) {
        return; /* another ask was refused before */
    }
    if (is_worth_trying(peer, leader)) {
        move(peer, leader);
        return;
    }
    if (dial->leaderless_ns == 0) {
        dial->leaderless_ns = now_ns;
    }
    if (dial->addrs_count > 1 && now_ns - dial->leaderless_ns > HELD_MAX_NS) {
        dial->leaderless_ns = 0;
        dial->lost.text[0] = '\0';
        skip_this_one(peer);
        move(peer, "");
        return;
    }
    dial->is_held = true;
    timer_start(dial->timer, next_wait_ns(peer, peer->ep->limits.redial_min_ns));
}

void follow_note_end(struct peer *peer, const struct gp_error *why)
{
    struct dial *dial = peer->dial;

    dial->is_held = false;
    if (dial->is_moving) {
        return;
    }
    if (peer->is_up && why->code == GP_ENOTLEADER) {
        dial->is_moving = true;
        dial->leader = conn_leader(peer->conn);
    } else {
        conn_peer_addr(peer->conn, &dial->lost);
    }
}

bool follow_on(struct peer *peer)
{
    struct dial *dial = peer->dial;

    if (!dial->is_moving) {
        return false;
    }
    dial->is_moving = false;
    dial->tried = 0;
    timer_start(dial->timer, next_wait_ns(peer, 0));
    return true;
}
