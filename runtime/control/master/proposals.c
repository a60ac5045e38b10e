/*
 * proposals.c: how the registry changes: a command is proposed, comes back to be applied, and whoever
 * proposed it goes on.
 *
 *     master_propose() -> bytes -> ... -> apply() -> outcome -> fn
 *
 * A proposal is found again by its number, which stands in the command. Commands of others, and of
 * this master's earlier lives, are applied as well; nobody here waits for them.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "control/master/internal.h"
#include "control/master/registry_codec.h"

#define COMMAND_MAX_BYTES (1u << 20)

struct proposal {
    struct list_node node; /* master.proposals */
    struct buf bytes;
    uint64_t serial;
    proposed_fn fn;
    void *user;
};

static void proposal_free(struct proposal *p)
{
    if (p) {
        list_remove(&p->node);
        buf_deinit(&p->bytes);
        free(p);
    }
}

int master_propose(struct master *m, const struct command *command, proposed_fn fn, void *user,
                   struct gp_error *err)
{
    struct proposal *p = calloc(1, sizeof *p);
    struct command full = *command;
    int rc = p ? 0 : GP_ENOMEM;

    full.wall_ms = master_wall_ms(m);
    full.proposer = endpoint_incarnation(m->ep);
    full.serial = ++m->next_serial;
    if (rc >= 0) {
        list_node_init(&p->node);
        buf_init(&p->bytes, COMMAND_MAX_BYTES);
        rc = command_encode(&full, &p->bytes);
    }
    if (rc < 0) {
        proposal_free(p);
        return gp_error_set(err, rc, "changing the registry: %s", error_sentence(rc));
    }
    p->serial = full.serial;
    p->fn = fn;
    p->user = user;
    list_push_back(&m->proposals, &p->node);
    timer_start(m->proposal_timer, 0);
    return 0;
}

/* ---- for handlers that only wait ---- */

struct waiting {
    struct pending pending;
    struct reply_token token;
};

static void on_waited(struct master *m, void *user, const struct outcome *outcome)
{
    struct waiting *w = user;

    if (outcome->code < 0) {
        (void)endpoint_reply_error(m->ep, w->token, outcome->err);
    } else {
        (void)endpoint_reply(m->ep, w->token, NULL);
    }
    pending_free(w);
}

int master_propose_for(struct master *m, const struct command *command, struct reply_token token,
                       struct gp_error *err)
{
    struct waiting *w = pending_new(m, sizeof *w);
    int rc;

    if (!w) {
        return gp_error_set(err, GP_ENOMEM, "changing the registry");
    }
    w->token = token;
    rc = master_propose(m, command, on_waited, w, err);
    if (rc < 0) {
        pending_free(w);
    }
    return rc;
}

/* ---- applying ---- */

static int apply(struct master *m, gp_bytes bytes, struct outcome *ret, struct gp_error *err)
{
    struct command_box box;
    int rc = command_decode(m->port, bytes, &box, err);

    *ret = (struct outcome){.worker = m->registry.next_worker};
    if (rc < 0) {
        return rc;
    }
    rc = registry_apply(&m->registry, &box.command, &ret->app, err);
    command_box_deinit(&box);
    if (rc >= 0 && ret->app) {
        if (app_state_is_end(ret->app->state)) {
            places_ended(m, ret->app);
        }
        waiters_notify(m, ret->app);
    }
    return rc;
}

void on_proposal_timer(void *user)
{
    struct master *m = user;
    struct list now;

    list_init(&now);
    list_append_all(&now, &m->proposals);
    while (!list_is_empty(&now)) {
        struct proposal *p = LIST_ENTRY(list_pop_front(&now), struct proposal, node);
        struct gp_error err = {0};
        struct outcome outcome;

        outcome.code = apply(m, buf_bytes(&p->bytes), &outcome, &err);
        outcome.err = &err;
        p->fn(m, p->user, &outcome);
        proposal_free(p);
    }
}

void proposals_deinit(struct master *m)
{
    while (!list_is_empty(&m->proposals)) {
        proposal_free(LIST_ENTRY(list_first(&m->proposals), struct proposal, node));
    }
}
