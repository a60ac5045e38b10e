/*
 * Dialling a peer, and dialling it again.
 *
 *     round: each address in turn ─▶ a connection (peer.c)
 *       ▲      │ all in vain
 *       └─wait─┘ from redial_min to redial_max, doubling; begins anew once it was up
 *
 * Of several addresses none is given much time at first: one that is frozen, or cut off without a
 * word, does not hold up who could be answered by the next. When nobody answers, whoever was silent
 * is tried again in the same round with twice the patience, up to half of the failure timeout.
 *
 * Where a leader is known (follow.c) it is tried first; it need not be one of the addresses.
 *
 * A peer that is dialled once has one round and no wait. Failures: an address that cannot be
 * dialled counts as one where nobody answers; the last reason is told.
 */
#include <stdlib.h>
#include <string.h>

#include "actor/endpoint_internal.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"

#define DIAL_ADDRS_MAX  16
#define PATIENCE_MIN_NS INT64_C(200000000)

void dial_free(struct dial *dial)
{
    if (dial != NULL) {
        timer_free(dial->timer);
        free(dial->addrs);
        free(dial->target);
        free(dial->key);
        free(dial);
    }
}

void dial_stop(struct dial *dial)
{
    if (dial != NULL) {
        timer_free(dial->timer);
        dial->timer = NULL;
    }
}

/* Where there are others to try, nobody is waited for as long as a stranger may take. */
static int64_t patience_max_ns(const struct peer *peer)
{
    const struct endpoint_limits *limits = &peer->ep->limits;
    const int64_t half_ns = limits->failure_timeout_ns / 2;

    return (peer->dial->addrs_count > 1 || peer->dial->leader.text[0] != '\0') &&
                   half_ns < limits->handshake_timeout_ns
               ? half_ns
               : limits->handshake_timeout_ns;
}

static int64_t patience_ns(const struct peer *peer)
{
    const struct dial *dial = peer->dial;
    const int64_t max_ns = patience_max_ns(peer);
    const int64_t now_ns = dial->patience_ns == 0 ? PATIENCE_MIN_NS : dial->patience_ns;

    return dial->addrs_count == 1 || dial->once || now_ns > max_ns ? max_ns : now_ns;
}

/* The same addresses again, with more patience, if that may help. */
static bool pass_again(struct peer *peer)
{
    struct dial *dial = peer->dial;
    const int64_t had_ns = patience_ns(peer);

    if (!dial->was_slow || had_ns >= patience_max_ns(peer)) {
        return false;
    }
    dial->patience_ns = 2 * had_ns;
    dial->was_slow = false;
    dial->tried = 0;
    return true;
}

static bool try_next(struct peer *peer, struct gp_error *err)
{
    struct dial *dial = peer->dial;
    struct net_addr addr = dial->leader;
    const struct conn_target target = {.name = dial->target,
                                       .incarnation = dial->target_incarnation,
                                       .key = dial->key,
                                       .timeout_ns = patience_ns(peer)};
    int rc;

    dial->leader.text[0] = '\0';
    if (addr.text[0] == '\0') {
        if (strcmp(dial->addrs[dial->next].text, dial->lost.text) == 0 &&
            dial->tried + 1 < dial->addrs_count) { /* in the next round again */
            dial->next = (dial->next + 1) % dial->addrs_count;
            dial->tried++;
        }
        addr = dial->addrs[dial->next];
        dial->next = (dial->next + 1) % dial->addrs_count;
        dial->tried++;
    }
    rc = peer_connect(peer, &addr, &target);
    if (rc < 0) {
        (void)gp_error_set(err, rc, "%s: %s", addr.text, error_sentence(rc));
    }
    return rc == 0;
}

/* Half of it is drawn, so that those who lost the same peer do not come back in step. */
void dial_wait(struct peer *peer)
{
    const struct endpoint_limits *limits = &peer->ep->limits;
    struct dial *dial = peer->dial;
    int64_t wait_ns = dial->backoff_ns == 0 ? limits->redial_min_ns : 2 * dial->backoff_ns;

    if (wait_ns > limits->redial_max_ns) {
        wait_ns = limits->redial_max_ns;
    }
    dial->backoff_ns = wait_ns;
    dial->patience_ns = 0;
    dial->was_slow = false;
    dial->tried = 0;
    timer_start(dial->timer, rng_between(&peer->ep->rng, wait_ns / 2, wait_ns));
}

/* Every address was tried in vain. */
static void round_over(struct peer *peer, const struct gp_error *why)
{
    struct endpoint *ep = peer->ep;

    LOG_DEBUG(ep->port->log, "actor.dial_failed", KV_STR("peer", peer_label(peer)),
              KV_CODE("code", why->code), KV_STR("why", why->text));
    if (peer->dial->once) {
        peer->dial->is_over = true;
        asks_end(peer, why);
        if (!peer->is_gone) {
            ep->events->on_down(ep->user, peer, why);
        }
        return;
    }
    dial_wait(peer);
    if (ep->events->on_unreachable != NULL) {
        ep->events->on_unreachable(ep->user, peer, why);
    }
}

void dial_on(struct peer *peer, const struct gp_error *why)
{
    struct gp_error err = *why;

    peer->dial->was_slow = peer->dial->was_slow || why->code == GP_ETIMEOUT;
    do {
        while (peer->dial->leader.text[0] != '\0' || peer->dial->tried < peer->dial->addrs_count) {
            if (try_next(peer, &err)) {
                return;
            }
        }
    } while (pass_again(peer));
    round_over(peer, &err);
}

static void on_dial_timer(void *user)
{
    const struct gp_error nothing = {0};
    struct peer *peer = user;

    peer_hold(peer);
    if (peer->conn == NULL) {
        dial_on(peer, &nothing);
    } else if (peer->dial->is_held) {
        peer->dial->is_held = false;
        asks_resend(peer);
    }
    peer_release(peer);
}

static struct dial *dial_new(const struct dial_spec *spec)
{
    struct dial *dial = calloc(1, sizeof(*dial));

    if (dial == NULL) {
        return NULL;
    }
    dial->addrs = calloc(spec->addrs_count, sizeof(*dial->addrs));
    dial->target = str_dup(gp_str_of(spec->target));
    dial->key = str_dup(gp_str_of(spec->key));
    if (dial->addrs == NULL || dial->target == NULL || dial->key == NULL) {
        dial_free(dial);
        return NULL;
    }
    memcpy(dial->addrs, spec->addrs, spec->addrs_count * sizeof(*dial->addrs));
    dial->addrs_count = spec->addrs_count;
    dial->target_incarnation = spec->target_incarnation;
    dial->once = spec->once;
    return dial;
}

int peer_set_addrs(struct peer *peer, const struct net_addr *addrs, uint32_t count)
{
    struct dial *dial = peer->dial;
    struct net_addr *copy;

    ASSERT(dial != NULL);
    if (count == 0 || count > DIAL_ADDRS_MAX) {
        return GP_EINVAL;
    }
    copy = calloc(count, sizeof(*copy));
    if (copy == NULL) {
        return GP_ENOMEM;
    }
    memcpy(copy, addrs, count * sizeof(*copy));
    free(dial->addrs);
    dial->addrs = copy;
    dial->addrs_count = count;
    dial->next = dial->next % count;
    return 0;
}

int endpoint_dial(struct endpoint *ep, const struct dial_spec *spec, struct peer **ret)
{
    struct dial *dial;
    struct peer *peer;

    if (spec->addrs_count == 0 || spec->addrs_count > DIAL_ADDRS_MAX || spec->key == NULL) {
        return GP_EINVAL;
    }
    dial = dial_new(spec);
    if (dial == NULL) {
        return GP_ENOMEM;
    }
    peer = peer_new(ep);
    if (peer == NULL) {
        dial_free(dial);
        return GP_ENOMEM;
    }
    peer->dial = dial;
    if (timer_new(ep->loop, on_dial_timer, peer, &dial->timer) < 0) {
        peer_remove(peer, NULL);
        return GP_ENOMEM;
    }
    timer_start(dial->timer, 0); /* from the loop */
    *ret = peer;
    return 0;
}
