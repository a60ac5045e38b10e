/* invariants.c: see invariants.h. */
#include "invariants.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/node.h"
#include "control/appmaster/internal.h"
#include "control/master/internal.h"
#include "control/worker/internal.h"

#define LOOK_EACH 64u /* events */

void invariants_broken(struct invariants *inv, const char *format, ...)
{
    va_list args;

    if (inv->wrong[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(inv->wrong, sizeof inv->wrong, format, args);
        va_end(args);
    }
}

/* ---- masters ---- */

static bool is_live(const struct app *app)
{
    return !app_state_is_end(app->state);
}

/* Among the applications that run no two have one name, and no two one id. */
static void check_names(struct invariants *inv, const struct registry *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        for (uint32_t k = i + 1; k < r->count; k++) {
            const struct app *a = r->apps[i];
            const struct app *b = r->apps[k];

            if (a->id == b->id) {
                invariants_broken(inv, "two applications have the id %u", a->id);
            }
            if (is_live(a) && is_live(b) && strcmp(a->spec.name, b->spec.name) == 0) {
                invariants_broken(inv, "applications %u and %u both run as '%s'", a->id, b->id,
                                  a->spec.name);
            }
        }
    }
}

/* A term has one leader, now and for ever. */
static void check_leader(struct invariants *inv, const struct master *m)
{
    struct consensus_status status;
    uint64_t self;

    if (m->consensus == NULL) {
        return;
    }
    self = consensus_id(m->consensus);
    consensus_status(m->consensus, &status);
    if (status.role != CONSENSUS_LEADER) {
        return;
    }
    for (uint32_t i = 0; i < inv->leader_count; i++) {
        if (inv->leaders[i].term == status.term) {
            if (inv->leaders[i].leader != self) {
                invariants_broken(inv, "term %llu has two leaders",
                                  (unsigned long long)status.term);
            }
            return;
        }
    }
    if (inv->leader_count < INVARIANTS_TERMS) {
        inv->leaders[inv->leader_count].term = status.term;
        inv->leaders[inv->leader_count++].leader = self;
    }
}

static void check_master(struct invariants *inv, const struct master *m)
{
    check_names(inv, &m->registry);
    check_leader(inv, m);
}

/* ---- workers ---- */

/* A worker gives out each of its slots once, and what runs there holds what it was granted. */
static void check_worker(struct invariants *inv, const struct worker *w)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < w->ledger.count; i++) {
        const struct ledger_grant *grant = &w->ledger.grants[i];

        used += grant->slots;
        for (uint32_t k = i + 1; k < w->ledger.count; k++) {
            if (w->ledger.grants[k].app == grant->app) {
                invariants_broken(inv, "worker %s has two grants of application %u", w->name,
                                  grant->app);
            }
        }
    }
    if (used > w->ledger.slots || used != w->ledger.used) {
        invariants_broken(inv, "worker %s has %u slots and granted %u", w->name, w->ledger.slots,
                          used);
    }
}

/* No application's processes hold more slots than it was granted, once they are not being ended. */
static void check_held(struct invariants *inv, const struct worker *w)
{
    for (uint32_t i = 0; i < w->ledger.count; i++) {
        const struct ledger_grant *grant = &w->ledger.grants[i];
        uint32_t held = children_slots(w, grant->app);

        if (held > grant->slots) {
            invariants_broken(inv, "worker %s runs %u slots of application %u, which has %u",
                              w->name, held, grant->app, grant->slots);
        }
    }
}

/* Of one application no two processes of one id run on one worker. */
static void check_children(struct invariants *inv, const struct worker *w)
{
    for (uint32_t i = 0; i < w->child_count; i++) {
        for (uint32_t k = i + 1; k < w->child_count; k++) {
            const struct child *a = w->children[i];
            const struct child *b = w->children[k];

            if (a->proc && b->proc && a->app == b->app && a->executor == b->executor &&
                a->executor != 0) {
                invariants_broken(inv, "worker %s runs executor %u of application %u twice",
                                  w->name, a->executor, a->app);
            }
        }
    }
}

/* ---- appmasters ---- */

/* Who sends already is known to all that were there before it. */
static void check_started(struct invariants *inv, const struct cluster *c,
                          const struct appmaster *am)
{
    uint32_t app = am->options.launch->app;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];

        for (uint32_t k = 0; e->state == EXECUTOR_RUNNING && k < am->executor_count; k++) {
            const struct am_executor *other = am->executors[k];

            if (other->state == EXECUTOR_RUNNING && other->placed < e->placed &&
                invariants_generation(c, app, other->id) < e->placed) {
                invariants_broken(
                    inv, "executor %u of application %u runs, and executor %u does not know it",
                    e->id, app, other->id);
            }
        }
    }
}

static void check_appmasters(struct invariants *inv, const struct cluster *c)
{
    const struct node *node;

    for (uint32_t i = 0; (node = cluster_node(c, "appmaster", i)) != NULL; i++) {
        if (node_appmaster(node)) {
            check_started(inv, c, node_appmaster(node));
        }
    }
}

/* ---- promises ---- */

void invariants_promise(struct invariants *inv, uint32_t app, uint32_t state)
{
    struct invariants_promise *p = NULL;

    for (uint32_t i = 0; i < inv->promise_count && !p; i++) {
        p = inv->promises[i].app == app ? &inv->promises[i] : NULL;
    }
    if (!p && inv->promise_count < INVARIANTS_PROMISES) {
        p = &inv->promises[inv->promise_count++];
    }
    if (p) {
        *p = (struct invariants_promise){.app = app, .state = state};
    }
}

/* Whoever starts it again must find it; one master may have lost its disk. */
static bool has_artefact(const struct cluster *c, const char *sha)
{
    char path[ARTEFACT_PATH_MAX];

    for (uint32_t i = 0; i < c->master_count; i++) {
        if (c->masters[i].master &&
            artefacts_find(&c->masters[i].master->artefacts, gp_str_of(sha), path, sizeof path)) {
            return true;
        }
    }
    return false;
}

void invariants_check_promises(struct invariants *inv, const struct cluster *c)
{
    uint32_t leader = cluster_leader(c);
    const struct master *m = leader < CLUSTER_MASTERS_MAX ? c->masters[leader].master : NULL;

    for (uint32_t i = 0; m && i < inv->promise_count; i++) {
        const struct invariants_promise *p = &inv->promises[i];
        const struct app *app = registry_find(&m->registry, p->app);

        if (!app) {
            invariants_broken(inv, "application %u was acknowledged and is not known", p->app);
        } else if (!has_artefact(c, app->spec.sha256)) {
            invariants_broken(inv, "no master has the artefact of application %u", p->app);
        } else if (app_state_is_end(p->state) && app->state != p->state) {
            invariants_broken(inv, "application %u had ended as %s and now is %s", p->app,
                              app_state_names[p->state], app_state_names[app->state]);
        }
    }
}

/* ---- for people ---- */

static void explain_worker(const struct worker *w)
{
    fprintf(stderr, "%s: %u of %u slots used\n", w->name, w->ledger.used, w->ledger.slots);
    for (uint32_t i = 0; i < w->ledger.count; i++) {
        fprintf(stderr, "  application %u, epoch %u: %u slots\n", w->ledger.grants[i].app,
                w->ledger.grants[i].epoch, w->ledger.grants[i].slots);
    }
    for (uint32_t i = 0; i < w->child_count; i++) {
        const struct child *child = w->children[i];

        if (child->proc) {
            fprintf(stderr, "  runs executor %u of application %u, epoch %u: %u slots\n",
                    child->executor, child->app, child->epoch, child->slots);
        }
    }
}

static void explain_master(const struct master *m)
{
    for (uint32_t i = 0; i < m->registry.count; i++) {
        const struct app *app = m->registry.apps[i];

        fprintf(stderr, "application %u '%s': %s, epoch %u\n", app->id, app->spec.name,
                app_state_names[app->state], app->epoch);
    }
    for (uint32_t i = 0; i < m->workers.grant_count; i++) {
        fprintf(stderr, "  granted: application %u on worker %u: %u slots\n",
                m->workers.grants[i].app, m->workers.grants[i].worker, m->workers.grants[i].slots);
    }
}

void invariants_explain(const struct cluster *c)
{
    for (uint32_t i = 0; i < c->master_count; i++) {
        if (c->masters[i].master) {
            fprintf(stderr, "master %u knows:\n", i + 1);
            explain_master(c->masters[i].master);
        }
    }
    for (uint32_t i = 0; i < c->worker_count; i++) {
        if (c->workers[i].worker) {
            explain_worker(c->workers[i].worker);
        }
    }
}

/* ---- looking ---- */

void invariants_check(struct invariants *inv, const struct cluster *c)
{
    inv->looks++;
    invariants_check_tasks(inv, c);
    check_appmasters(inv, c);
    for (uint32_t i = 0; i < c->master_count; i++) {
        if (c->masters[i].master) {
            check_master(inv, c->masters[i].master);
            invariants_check_queue(inv, c->masters[i].master);
        }
    }
    for (uint32_t i = 0; i < c->worker_count; i++) {
        if (c->workers[i].worker) {
            check_worker(inv, c->workers[i].worker);
            check_held(inv, c->workers[i].worker);
            check_children(inv, c->workers[i].worker);
        }
    }
}

void invariants_step(struct invariants *inv, const struct cluster *c)
{
    if (sim_events(c->sim) >= inv->next_event) {
        inv->next_event = sim_events(c->sim) + LOOK_EACH;
        invariants_check(inv, c);
    }
}
