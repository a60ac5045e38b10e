/*
 * restarts.c: an application once more: the same shared object, settings and parallelism, a new id.
 *
 *     looked up -> killed, if it has not ended -> it has ended -> submitted
 *
 * The request id goes into the submit, so that of a request that comes twice, maybe to another
 * leader, one application is made. Whoever orders the same while the old one is still ending joins
 * those who did before: theirs is the id, and all get the one new application. They are bounded.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"

struct restarting {
    struct pending pending;
    struct list_node node; /* master.restarting */
    struct reply_token token;
    uint32_t app;
    bool is_killed; /* its end is waited for */
    struct msg_app_submit submit;
};

static void restarting_deinit(void *pending)
{
    struct restarting *r = pending;

    list_remove(&r->node);
    fields_deinit(&msg_app_submit_fields, &r->submit);
}

static void refuse(struct restarting *r, const struct gp_error *err)
{
    (void)endpoint_reply_error(r->pending.master->ep, r->token, err);
    pending_free(r);
}

static void submit_again(struct restarting *r)
{
    struct gp_error err;

    if (apps_submit(r->pending.master, &r->submit, r->token, &err) < 0) {
        refuse(r, &err);
    } else {
        pending_free(r);
    }
}

void restarts_notify(struct master *m, const struct app *app)
{
    if (!app_state_is_end(app->state)) {
        return;
    }
    for (struct list_node *node = m->restarting.head.next; node != &m->restarting.head;) {
        struct restarting *r = LIST_ENTRY(node, struct restarting, node);

        node = node->next;
        if (r->app == app->id && r->is_killed) {
            submit_again(r);
        }
    }
}

static void on_killed(struct master *m, void *user, const struct outcome *outcome)
{
    struct restarting *r = user;
    struct app_place *place = outcome->app ? apps_place(m, outcome->app->id) : NULL;

    if (outcome->code < 0) {
        refuse(r, outcome->err);
    } else if (!place) {
        submit_again(r); /* it ended meanwhile */
    } else {
        r->is_killed = true;
        places_stop(place);
    }
}

/* A deep copy, by way of a tree. */
static int copy_spec(const struct app *app, const char *request_id, struct msg_app_submit *ret,
                     struct gp_error *err)
{
    struct value *tree = NULL;
    int rc = fields_encode(&msg_app_submit_fields, &app->spec, &tree);

    if (rc == 0) {
        rc = value_set_str(tree, GP_STR("request_id"), gp_str_of(request_id));
    }
    if (rc == 0) {
        rc = fields_decode(&msg_app_submit_fields, tree, ret, err);
    }
    value_free(tree);
    return rc < 0 ? gp_error_set(err, rc, "restarting: %s", error_sentence(rc)) : 0;
}

/* Of those who order the same already; NULL: nobody does. */
static const char *joined_id(const struct master *m, uint32_t app)
{
    LIST_FOREACH (node, &m->restarting) {
        const struct restarting *r = LIST_ENTRY(node, struct restarting, node);

        if (r->app == app) {
            return r->submit.request_id;
        }
    }
    return NULL;
}

int restarts_begin(struct master *m, const struct msg_app_restart *msg, struct reply_token token,
                   struct gp_error *err)
{
    const struct app *known = registry_request(&m->registry, msg->request_id);
    struct command command = {.op = COMMAND_KILL};
    const char *joined;
    struct restarting *r;
    struct app *app;
    int rc;

    if (known) {
        return endpoint_reply(m->ep, token, &(struct msg_app_submitted){.id = known->id});
    }
    rc = registry_lookup(&m->registry, msg->app, &app, err);
    if (rc < 0) {
        return rc;
    }
    if (list_count(&m->restarting) == RESTARTING_MAX) {
        return gp_error_set(err, GP_EFULL, "%u restarts are under way already", RESTARTING_MAX);
    }
    r = pending_new(m, sizeof *r);
    if (!r) {
        return gp_error_set(err, GP_ENOMEM, "restarting");
    }
    list_node_init(&r->node);
    r->pending.deinit = restarting_deinit;
    r->token = token;
    r->app = app->id;
    joined = joined_id(m, app->id);
    rc = copy_spec(app, joined ? joined : msg->request_id, &r->submit, err);
    if (rc == 0 && app_state_is_end(app->state)) {
        rc = apps_submit(m, &r->submit, token, err);
        pending_free(r);
        return rc;
    }
    list_push_back(&m->restarting, &r->node);
    command.app = app->id;
    rc = rc < 0 ? rc : master_propose(m, &command, on_killed, r, err);
    if (rc < 0) {
        pending_free(r);
    }
    return rc;
}

void restarts_dismiss(struct master *m, const struct gp_error *why)
{
    for (struct list_node *node = m->restarting.head.next; node != &m->restarting.head;) {
        struct restarting *r = LIST_ENTRY(node, struct restarting, node);

        node = node->next;
        if (r->is_killed) { /* else its proposal says so */
            refuse(r, why);
        }
    }
}
