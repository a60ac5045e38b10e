/*
 * proposals.c: how the registry changes: a command is proposed to the group, comes back to be
 * applied, and whoever proposed it goes on.
 *
 *     master_propose() -> bytes -> consensus -> proposals_apply() -> on_ended() -> fn
 *
 * A proposal is found again by its number, which stands in the command. Commands of other masters,
 * and of this one's earlier lives, are applied as well; nobody here waits for them.
 *
 * When leadership is lost on the way nobody knows what became of a command. All of them are
 * harmless twice, so whoever asked is told to ask the next leader.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "control/master/internal.h"
#include "control/master/registry_codec.h"

struct proposal {
    struct list_node node; /* master.proposals */
    struct master *master;
    uint64_t serial;
    int64_t begun_ns;
    proposed_fn fn;
    void *user;
    bool is_applied;
    struct gp_error err; /* of the registry */
    uint32_t app;
    uint32_t worker;
};

static void proposal_free(struct proposal *p)
{
    list_remove(&p->node);
    free(p);
}

/* Why consensus did not come so far, for whoever asked. */
static void explain(const struct proposal *p, int code, struct gp_error *err)
{
    if (code == GP_ENOTLEADER || code == GP_ECANCELED || group_is_several(p->master)) {
        (void)gp_error_set(err, GP_ENOTLEADER, "this master lost the lead meanwhile (%s)",
                           error_sentence(code));
    } else {
        (void)gp_error_set(err, code, "the master could not write it down: %s",
                           error_sentence(code));
    }
}

static void on_ended(void *user, int code)
{
    struct proposal *p = user;
    struct master *m = p->master;
    struct gp_error err = p->err;
    struct outcome outcome = {.err = &err, .worker = p->worker};

    if (code < 0 || !p->is_applied) {
        explain(p, code < 0 ? code : GP_ECANCELED, &err);
    } else {
        hist_record(&m->apply, (uint64_t)(loop_fresh_now_ns(m->port->loop) - p->begun_ns));
    }
    outcome.code = err.code;
    outcome.app = err.code == 0 ? registry_find(&m->registry, p->app) : NULL;
    if (outcome.code == 0 && p->app != 0 && !outcome.app) { /* so old that it is forgotten */
        outcome.code = gp_error_set(&err, GP_ENOENT, "no application %u", p->app);
    }
    list_remove(&p->node);
    p->fn(m, p->user, &outcome);
    free(p);
}

static int encode(struct master *m, const struct command *command, struct proposal *p,
                  struct buf *out)
{
    struct command full = *command;

    full.wall_ms = master_wall_ms(m);
    full.proposer = m->incarnation;
    full.serial = p->serial;
    buf_init(out, CONSENSUS_COMMAND_MAX);
    return command_encode(&full, out);
}

int master_propose(struct master *m, const struct command *command, proposed_fn fn, void *user,
                   struct gp_error *err)
{
    struct proposal *p;
    struct buf bytes = {0};
    int rc = group_check_leads(m, err);

    if (rc < 0) {
        return rc;
    }
    p = calloc(1, sizeof *p);
    if (!p) {
        return gp_error_set(err, GP_ENOMEM, "changing the registry");
    }
    list_node_init(&p->node);
    p->master = m;
    p->serial = ++m->next_serial;
    p->begun_ns = loop_fresh_now_ns(m->port->loop);
    p->fn = fn;
    p->user = user;
    rc = encode(m, command, p, &bytes);
    if (rc >= 0) {
        list_push_back(&m->proposals, &p->node);
        rc = consensus_propose(m->consensus, buf_bytes(&bytes), on_ended, p);
    }
    buf_deinit(&bytes);
    if (rc < 0) {
        proposal_free(p);
        return gp_error_set(err, rc, "changing the registry: %s", error_sentence(rc));
    }
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

static struct proposal *find(struct master *m, const struct command *command)
{
    if (command->proposer != m->incarnation) {
        return NULL;
    }
    LIST_FOREACH (node, &m->proposals) {
        struct proposal *p = LIST_ENTRY(node, struct proposal, node);

        if (p->serial == command->serial) {
            return p;
        }
    }
    return NULL;
}

int proposals_apply(struct master *m, gp_bytes bytes)
{
    struct command_box box;
    struct proposal *p;
    struct app *app = NULL;
    struct app_news news = {0};
    struct gp_error err = {0};
    uint32_t worker = m->registry.next_worker;
    const struct app *before = NULL;
    uint32_t state = APP_SUBMITTED;
    uint32_t op;
    int rc = command_decode(m->port, bytes, &box, &err);

    if (rc < 0) {
        if (rc != GP_ENOMEM) {
            LOG_ERROR(master_log(m), "command.refused", KV_STR("error", err.text));
        }
        return rc;
    }
    before = registry_find(&m->registry, box.command.app);
    state = before ? before->state : state;
    if (box.command.op == COMMAND_PLACEMENT) {
        news_known(before, &news);
    }
    rc = registry_apply(&m->registry, &box.command, &app, &err);
    p = rc == GP_ENOMEM ? NULL : find(m, &box.command);
    op = box.command.op;
    if (rc >= 0 && op == COMMAND_SUBMIT && app->version == 1) {
        events_add(m, EVENT_INFO, "app.submitted", app->id, 0, "%s was submitted", app->spec.name);
    } else if (rc >= 0 && op == COMMAND_DRAIN) {
        events_add(m, EVENT_INFO, box.command.undo ? "worker.serving" : "worker.draining", 0,
                   box.command.worker,
                   box.command.undo ? "worker %u takes tasks again" : "worker %u is to be left",
                   box.command.worker);
    } else if (rc >= 0 && app) {
        events_app(m, app, state);
        news_tell(m, app, &news);
    }
    command_box_deinit(&box);
    if (p) {
        p->is_applied = true;
        p->err = err;
        p->app = app ? app->id : 0;
        p->worker = worker;
    }
    if (rc >= 0 && app) {
        if (app_state_is_end(app->state)) {
            places_ended(m, app);
        }
        waiters_notify(m, app);
        restarts_notify(m, app);
    }
    if (rc >= 0 && op == COMMAND_DRAIN) {
        drain_marked(m);
    }
    return rc;
}

void proposals_deinit(struct master *m)
{
    while (!list_is_empty(&m->proposals)) {
        proposal_free(LIST_ENTRY(list_first(&m->proposals), struct proposal, node));
    }
}
