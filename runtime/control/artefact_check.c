/*
 * artefact_check.c: whether artefacts still are what their names say, a slice a turn of the loop.
 *
 *     begun -> a slice is hashed, then the next of those that wait -> the end -> told
 *
 * A file of one slice is checked at once. However many there are, one slice is hashed in a turn, so
 * that nobody else on this loop waits for more than that. A damaged file is removed, so that it can
 * be fetched again; one that cannot be read is left.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "control/artefacts.h"
#include "control/file_hash.h"

#define CHECKS_MAX 64u

struct artefact_check {
    struct list_node node; /* artefacts.checks */
    struct artefacts *store;
    char sha256[ARTEFACT_SHA_LEN + 1];
    char path[ARTEFACT_PATH_MAX];
    struct file_hash hash;
    artefact_checked_fn fn;
    void *user;
};

static void check_free(struct artefact_check *c)
{
    if (c) {
        file_hash_close(&c->hash);
        list_remove(&c->node);
        free(c);
    }
}

static int judge(struct artefact_check *c, struct gp_error *err)
{
    const struct port *port = c->store->port;
    char hex[SHA256_HEX_SIZE];

    file_hash_final(&c->hash, hex);
    if (strcmp(hex, c->sha256) == 0) {
        return 0;
    }
    LOG_WARN(port->log, "artefact.damaged", KV_STR("path", c->path));
    (void)port->fs->remove(port->world, c->path, NULL); /* what is fetched replaces it anyway */
    return gp_error_set(err, GP_ECHECKSUM, "%s is damaged: its content is %s", c->path, hex);
}

/* 1: there is more. */
static int step(struct artefact_check *c, struct gp_error *err)
{
    int rc = file_hash_step(&c->hash, err);

    if (rc < 0) {
        gp_error_prefix(err, "%s", c->path);
    }
    return rc == 0 ? judge(c, err) : rc;
}

static void on_turn(void *user)
{
    struct artefacts *store = user;
    struct artefact_check *c =
        LIST_ENTRY(list_pop_front(&store->checks), struct artefact_check, node);
    struct gp_error err = {0};
    int rc = step(c, &err);

    if (rc > 0) {
        list_push_back(&store->checks, &c->node);
    }
    if (!list_is_empty(&store->checks)) {
        timer_start(store->turn, 0);
    }
    if (rc <= 0) {
        c->fn(c->user, rc, &err);
        check_free(c);
    }
}

static int check_new(struct artefacts *store, gp_str sha, struct artefact_check **ret,
                     struct gp_error *err)
{
    struct artefact_check *c;
    int rc = 0;

    if (list_count(&store->checks) == CHECKS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u artefacts are being checked already", CHECKS_MAX);
    }
    c = calloc(1, sizeof *c);
    if (!c) {
        return gp_error_set(err, GP_ENOMEM, "checking an artefact");
    }
    c->store = store;
    list_node_init(&c->node);
    if (artefacts_find(store, sha, c->path, sizeof c->path) != 1) {
        rc = gp_error_set(err, GP_ENOENT, "no artefact %.*s", STR_ARG(sha));
    } else {
        (void)str_format(c->sha256, sizeof c->sha256, "%.*s", STR_ARG(sha));
        rc = file_hash_open(&c->hash, store->port, c->path, err);
    }
    if (rc < 0) {
        check_free(c);
        return rc;
    }
    *ret = c;
    return 0;
}

void artefacts_check(struct artefacts *store, gp_str sha, artefact_checked_fn fn, void *user)
{
    struct artefact_check *c = NULL;
    struct gp_error err = {0};
    int rc = check_new(store, sha, &c, &err);

    rc = rc < 0 ? rc : step(c, &err);
    if (rc > 0 && !store->turn && timer_new(store->port->loop, on_turn, store, &store->turn) < 0) {
        rc = gp_error_set(&err, GP_ENOMEM, "checking an artefact");
    }
    if (rc <= 0) {
        check_free(c);
        fn(user, rc, &err);
        return;
    }
    c->fn = fn;
    c->user = user;
    list_push_back(&store->checks, &c->node);
    timer_start(store->turn, 0);
}

void artefacts_close(struct artefacts *store)
{
    while (store->port && !list_is_empty(&store->checks)) {
        check_free(LIST_ENTRY(list_first(&store->checks), struct artefact_check, node));
    }
    timer_free(store->turn);
    store->turn = NULL;
}
