/*
 * copies.c: artefacts on other masters.
 *
 *     spread: master.fetch to every other master ─▶ each pulls ─▶ enough of them have it: done
 *     pull:   artefact.get, piece by piece ─▶ checked, on disk, under its name: done
 *             └─ an error ─▶ the next master is asked from the beginning; none is left: failed
 *
 * What a submit names is on more than half of the masters before it is acknowledged, so whoever
 * leads later finds it at one of those that elected it, at the latest when somebody asks for it.
 * One pull of a file at a time; all who want it wait for that.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/master/internal.h"
#include "wire/artefact.h"

#define FETCH_TIMEOUT_NS 60000000000

/* ---- pulling ---- */

struct pull {
    struct pending pending;
    struct list_node node; /* master.pulls */
    char sha256[ARTEFACT_SHA_LEN + 1];
    struct artefact_in in;
    uint64_t only;   /* the one peer to ask; 0: all masters by turns */
    uint32_t cursor; /* of the turns */
    uint64_t source; /* that is asked now */
    struct gp_error err;
    struct list waits;
};

struct pull_wait {
    struct list_node node;
    copied_fn fn;
    void *user;
};

static void pull_finish(struct pull *p, int code)
{
    struct master *m = p->pending.master;
    struct list_node *node;

    if (code < 0) {
        LOG_WARN(master_log(m), "artefact.fetch_failed", KV_STR("sha256", p->sha256),
                 KV_STR("error", p->err.text));
    } else {
        LOG_INFO(master_log(m), "artefact.fetched", KV_STR("sha256", p->sha256),
                 KV_U64("size_bytes", p->in.size));
    }
    list_remove(&p->node); /* who asks from now on begins anew */
    while ((node = list_pop_front(&p->waits)) != NULL) {
        struct pull_wait wait = *LIST_ENTRY(node, struct pull_wait, node);

        free(LIST_ENTRY(node, struct pull_wait, node));
        wait.fn(m, wait.user, code, &p->err);
    }
    artefact_drop(&p->in);
    pending_free(p);
}

void copies_deinit(struct master *m)
{
    while (!list_is_empty(&m->pulls)) {
        struct pull *p = LIST_ENTRY(list_pop_front(&m->pulls), struct pull, node);
        struct list_node *node;

        while ((node = list_pop_front(&p->waits)) != NULL) {
            free(LIST_ENTRY(node, struct pull_wait, node));
        }
        artefact_drop(&p->in);
        pending_free(p);
    }
}

static void on_piece(void *user, struct peer *peer, const struct answer *answer);

static int ask_piece(struct pull *p)
{
    struct master *m = p->pending.master;
    struct peer *peer = endpoint_peer(m->ep, p->source);
    const struct msg_artefact_get get = {
        .sha256 = p->sha256, .offset = p->in.file ? p->in.received : 0, .max = CHUNK_BYTES};

    return peer ? peer_ask(peer, MSG_ARTEFACT_GET, &get, ASK_TIMEOUT_NS, 0, on_piece, p)
                : GP_ECLOSED;
}

/* Begins with the next master that is there. False: none is left. */
static bool ask_next(struct pull *p)
{
    struct master *m = p->pending.master;

    artefact_drop(&p->in);
    for (;;) {
        struct peer *peer = NULL;

        if (p->only != 0 && p->source == 0) {
            peer = endpoint_peer(m->ep, p->only);
        } else if (p->only == 0) {
            peer = links_peer(m, &p->cursor);
        }
        if (!peer) {
            return false;
        }
        p->source = peer_id(peer);
        if (ask_piece(p) >= 0) {
            return true;
        }
    }
}

/* Takes one piece. 1: it was the last; 0: more is asked for. */
static int take_piece(struct pull *p, gp_bytes bytes, struct gp_error *err)
{
    struct master *m = p->pending.master;
    struct artefact_piece piece;
    int rc = artefact_piece_decode(bytes, &piece);

    if (rc < 0) {
        return gp_error_set(err, rc, "a piece of an artefact: %s", error_sentence(rc));
    }
    rc = p->in.file ? 0
                    : artefact_begin(&m->artefacts, gp_str_of(p->sha256), piece.total, &p->in, err);
    if (rc >= 0 && piece.bytes.len == 0) {
        rc = gp_error_set(err, GP_EPROTO, "artefact %s was cut", p->sha256);
    }
    if (rc >= 0) {
        rc = artefact_write(&p->in, piece.offset, piece.bytes, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (p->in.received == p->in.size) {
        rc = artefact_commit(&p->in, err);
        return rc < 0 ? rc : 1;
    }
    rc = ask_piece(p);
    return rc < 0 ? gp_error_set(err, rc, "fetching artefact %s: %s", p->sha256, error_sentence(rc))
                  : 0;
}

static void on_piece(void *user, struct peer *peer, const struct answer *answer)
{
    struct pull *p = user;
    int rc = answer->code;

    (void)peer;
    if (rc < 0) {
        p->err = *answer->err;
    } else {
        rc = take_piece(p, answer->bytes, &p->err);
    }
    if (rc > 0) {
        pull_finish(p, 0);
    } else if (rc < 0 && !ask_next(p)) {
        pull_finish(p, rc);
    }
}

static struct pull *pull_find(struct master *m, const char *sha)
{
    LIST_FOREACH (node, &m->pulls) {
        struct pull *p = LIST_ENTRY(node, struct pull, node);

        if (strcmp(p->sha256, sha) == 0) {
            return p;
        }
    }
    return NULL;
}

int copies_pull(struct master *m, const char *sha, struct peer *from, copied_fn fn, void *user,
                struct gp_error *err)
{
    struct pull *p = pull_find(m, sha);
    struct pull_wait *wait = calloc(1, sizeof *wait);
    bool is_new = !p;

    if (wait && !p) {
        p = pending_new(m, sizeof *p);
    }
    if (!wait || !p) {
        free(wait);
        return gp_error_set(err, GP_ENOMEM, "fetching an artefact");
    }
    if (is_new) {
        list_node_init(&p->node);
        list_init(&p->waits);
        (void)str_format(p->sha256, sizeof p->sha256, "%s", sha);
        p->only = from ? peer_id(from) : 0;
        if (!artefact_sha_is_valid(gp_str_of(sha)) || !ask_next(p)) {
            pending_free(p);
            free(wait);
            return gp_error_set(err, GP_ENOENT, "artefact %s is not here: upload it first", sha);
        }
        list_push_back(&m->pulls, &p->node);
    }
    list_node_init(&wait->node);
    wait->fn = fn;
    wait->user = user;
    list_push_back(&p->waits, &wait->node);
    return 0;
}

/* ---- another master has us fetch ---- */

struct fetching {
    struct pending pending;
    struct reply_token token;
    uint64_t peer;
    char sha256[ARTEFACT_SHA_LEN + 1];
};

static void on_fetched(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct fetching *f = user;

    if (code < 0) {
        (void)endpoint_reply_error(m->ep, f->token, err);
    } else {
        (void)endpoint_reply(m->ep, f->token, NULL);
    }
    pending_free(f);
}

static void on_checked(void *user, int code, const struct gp_error *why)
{
    struct fetching *f = user;
    struct master *m = f->pending.master;
    struct peer *peer = endpoint_peer(m->ep, f->peer);
    struct gp_error err = {0};

    (void)why; /* whatever it is, the other one has a sound file */
    if (code >= 0) {
        on_fetched(m, f, 0, NULL);
        return;
    }
    code = peer ? copies_pull(m, f->sha256, peer, on_fetched, f, &err)
                : gp_error_set(&err, GP_ECLOSED, "who has artefact %s is gone", f->sha256);
    if (code < 0) {
        on_fetched(m, f, code, &err);
    }
}

int copies_fetch(struct master *m, struct peer *peer, const struct msg_master_fetch *msg,
                 struct reply_token token, struct gp_error *err)
{
    struct fetching *f = pending_new(m, sizeof *f);

    if (!f) {
        return gp_error_set(err, GP_ENOMEM, "fetching an artefact");
    }
    f->token = token;
    f->peer = peer_id(peer);
    (void)str_format(f->sha256, sizeof f->sha256, "%s", msg->sha256); /* a longer one is none */
    artefacts_check(&m->artefacts, gp_str_of(msg->sha256), on_checked, f);
    return 0;
}

/* ---- spreading ---- */

struct spread {
    struct pending pending;
    uint32_t masters;
    uint32_t have;
    uint32_t waiting;
    copied_fn fn; /* NULL: called */
    void *user;
};

/* Says how it ended, as soon as that is known. */
static void spread_step(struct spread *s)
{
    struct gp_error err = {0};
    int code = 0;

    if (s->fn && (s->have > s->masters / 2 || s->waiting == 0)) {
        copied_fn fn = s->fn;

        if (s->have <= s->masters / 2) {
            code = gp_error_set(&err, GP_EUNREACH, "only %u of %u masters could store it", s->have,
                                s->masters);
            gp_error_hint(&err, "gpctl masters; more than half of them must be up");
        }
        s->fn = NULL;
        fn(s->pending.master, s->user, code, &err);
    }
    if (s->waiting == 0) {
        pending_free(s);
    }
}

static void on_stored(void *user, struct peer *peer, const struct answer *answer)
{
    struct spread *s = user;

    (void)peer;
    s->waiting--;
    s->have += answer->code >= 0;
    spread_step(s);
}

int copies_spread(struct master *m, const char *sha, copied_fn fn, void *user, struct gp_error *err)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];
    uint32_t count = consensus_members(m->consensus, members);
    const struct msg_master_fetch fetch = {.sha256 = (char *)(uintptr_t)sha};
    struct spread *s = pending_new(m, sizeof *s);

    if (!s) {
        return gp_error_set(err, GP_ENOMEM, "storing an artefact on the masters");
    }
    s->fn = fn;
    s->user = user;
    s->have = 1;
    s->waiting = 1; /* ours, until all are asked */
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = links_peer_at(m, members[i].address);

        s->masters += members[i].votes;
        if (members[i].id != m->member && members[i].votes && peer &&
            peer_ask(peer, MSG_MASTER_FETCH, &fetch, FETCH_TIMEOUT_NS, 0, on_stored, s) >= 0) {
            s->waiting++;
        }
    }
    s->waiting--;
    spread_step(s);
    return 0;
}
