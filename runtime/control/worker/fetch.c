/*
 * fetch.c: artefacts, from the master into the worker's store.
 *
 *     fetch_artefact ─▶ CHECKING ─sound─▶ all who wait are told
 *                          └─▶ ASKING ─piece─▶ ASKING ... ─the last─▶ committed: all are told
 *
 * A fetch asks for one piece at a time, from offset 0; the first tells the size. When the hash is
 * not what was said, all of it is asked for once more, and the master looks at its own file first.
 * Fails when: the master has no such artefact or cannot be reached in time, the disk refuses, size
 * or hash are still not what was said; then all who wait hear why, and the next who wants it begins
 * anew.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/worker/internal.h"
#include "wire/artefact.h"

struct fetch {
    struct list_node node; /* worker.fetches */
    struct worker *worker;
    char sha256[ARTEFACT_SHA_LEN + 1];
    struct artefact_in in;
    struct list waits;
    bool look; /* what came was damaged: the master is to look at what it has */
    bool is_checked;
    int checked;  /* how that ended */
    bool is_over; /* its waits are being told; nobody joins any more */
};

struct fetch_wait {
    struct list_node node;
    fetched_fn fn;
    void *user;
};

static void fetch_free(struct fetch *f)
{
    struct list_node *node;

    while ((node = list_pop_front(&f->waits)) != NULL) {
        free(container_of(node, struct fetch_wait, node));
    }
    list_remove(&f->node);
    artefact_drop(&f->in);
    free(f);
}

static void finish(struct fetch *f, int code, const struct gp_error *err)
{
    struct worker *w = f->worker;
    struct list_node *node;

    if (code < 0) {
        LOG_WARN(worker_log(w), "artefact.fetch_failed", KV_STR("sha256", f->sha256),
                 KV_STR("error", err->text));
    } else if (f->in.size > 0) { /* else it was here */
        LOG_INFO(worker_log(w), "artefact.fetched", KV_STR("sha256", f->sha256),
                 KV_U64("size_bytes", f->in.size));
    }
    f->is_over = true;
    while ((node = list_pop_front(&f->waits)) != NULL) {
        struct fetch_wait wait = *container_of(node, struct fetch_wait, node);
        free(container_of(node, struct fetch_wait, node));
        wait.fn(wait.user, code, err);
    }
    w->fetch_count--;
    fetch_free(f);
}

static int ask_piece(struct fetch *f);

/* Takes one piece. 1: it was the last; 0: more is asked for. */
static int take_piece(struct fetch *f, gp_bytes bytes, struct gp_error *err)
{
    struct artefact_piece piece;
    int rc = artefact_piece_decode(bytes, &piece);

    if (rc < 0) {
        return gp_error_set(err, rc, "a piece of an artefact: %s", error_sentence(rc));
    }
    if (!f->in.file) {
        rc = artefact_begin(&f->worker->artefacts, gp_str_of(f->sha256), piece.total, &f->in, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (piece.bytes.len == 0) {
        return gp_error_set(err, GP_EPROTO, "artefact %s ended at %llu of %llu bytes", f->sha256,
                            (unsigned long long)f->in.received, (unsigned long long)f->in.size);
    }
    rc = artefact_write(&f->in, piece.offset, piece.bytes, err);
    if (rc < 0) {
        return rc;
    }
    if (f->in.received == f->in.size) {
        rc = artefact_commit(&f->in, err);
        if (rc != GP_ECHECKSUM || f->look) {
            return rc < 0 ? rc : 1;
        }
        f->look = true;
    }
    rc = ask_piece(f);
    return rc < 0 ? gp_error_set(err, rc, "asking the master for artefact %s: %s", f->sha256,
                                 error_sentence(rc))
                  : 0;
}

static void on_piece(void *user, struct peer *peer, const struct answer *answer)
{
    struct fetch *f = user;
    struct gp_error err = {0};
    int rc;

    (void)peer;
    if (answer->code < 0) {
        err = *answer->err;
        gp_error_prefix(&err, "fetching artefact %s", f->sha256);
        rc = answer->code;
    } else {
        rc = take_piece(f, answer->bytes, &err);
    }
    if (rc != 0) {
        finish(f, rc, &err);
    }
}

static int ask_piece(struct fetch *f)
{
    struct msg_artefact_get get = {
        .sha256 = f->sha256, .offset = f->in.file ? f->in.received : 0, .max = CHUNK_BYTES};

    get.look = f->look && get.offset == 0;
    return peer_ask(f->worker->master, MSG_ARTEFACT_GET, &get, ASK_TIMEOUT_NS, ASK_RETRY, on_piece,
                    f);
}

static struct fetch *find(const struct worker *w, const char *sha256)
{
    LIST_FOREACH (n, &w->fetches) {
        struct fetch *f = container_of(n, struct fetch, node);
        if (!f->is_over && strcmp(f->sha256, sha256) == 0) {
            return f;
        }
    }
    return NULL;
}

static int ask_first(struct fetch *f, struct gp_error *err)
{
    int rc = ask_piece(f);

    return rc < 0
               ? gp_error_set(err, rc, "asking the master for an artefact: %s", error_sentence(rc))
               : 0;
}

/* From inside begin() when the file is small, or not there: that goes on by itself. */
static void on_checked(void *user, int code, const struct gp_error *why)
{
    struct fetch *f = user;
    struct gp_error err = {0};

    (void)why; /* whatever it is, a sound one is fetched */
    f->is_checked = true;
    f->checked = code;
    if (list_is_linked(&f->node) && (code >= 0 || (code = ask_first(f, &err)) < 0)) {
        finish(f, code, &err);
    }
}

/* 1: it is here already, and there is no fetch. */
static int begin(struct worker *w, const char *sha256, struct fetch **ret, struct gp_error *err)
{
    struct fetch *f;
    int rc;

    if (w->fetch_count == FETCHES_MAX) {
        return gp_error_set(err, GP_EFULL, "%u artefacts are being fetched already", FETCHES_MAX);
    }
    f = calloc(1, sizeof *f);
    if (!f) {
        return gp_error_set(err, GP_ENOMEM, "fetching an artefact");
    }
    f->worker = w;
    list_init(&f->waits);
    list_node_init(&f->node);
    (void)str_format(f->sha256, sizeof f->sha256, "%s", sha256); /* its length is checked */
    artefacts_check(&w->artefacts, gp_str_of(sha256), on_checked, f);
    rc = !f->is_checked ? 0 : f->checked >= 0 ? 1 : ask_first(f, err);
    if (rc != 0) {
        fetch_free(f);
        return rc;
    }
    list_push_back(&w->fetches, &f->node);
    w->fetch_count++;
    *ret = f;
    return 0;
}

int fetch_artefact(struct worker *w, const char *sha256, fetched_fn fn, void *user,
                   struct gp_error *err)
{
    struct fetch *f = NULL;
    struct fetch_wait *wait;
    int rc = 0;

    if (!artefact_sha_is_valid(gp_str_of(sha256))) {
        return gp_error_set(err, GP_EINVAL, "not a sha256 in 64 lower-case hex digits");
    }
    wait = malloc(sizeof *wait);
    if (!wait) {
        return gp_error_set(err, GP_ENOMEM, "fetching an artefact");
    }
    f = find(w, sha256);
    rc = f ? 0 : begin(w, sha256, &f, err);
    if (rc != 0) {
        free(wait);
        return rc;
    }
    *wait = (struct fetch_wait){.fn = fn, .user = user};
    list_node_init(&wait->node);
    list_push_back(&f->waits, &wait->node);
    return 0;
}

void fetch_forget(struct worker *w, void *user)
{
    LIST_FOREACH (n, &w->fetches) {
        struct fetch *f = container_of(n, struct fetch, node);
        LIST_FOREACH_SAFE(at, &f->waits)
        {
            struct fetch_wait *wait = container_of(at, struct fetch_wait, node);
            if (wait->user == user) {
                list_remove(at);
                free(wait);
            }
        }
    }
}

void fetches_deinit(struct worker *w)
{
    while (!list_is_empty(&w->fetches)) {
        fetch_free(container_of(w->fetches.head.next, struct fetch, node));
    }
    w->fetch_count = 0;
}
