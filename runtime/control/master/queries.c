/*
 * queries.c: what clients ask to see. Answers borrow from the master's state: they are encoded
 * before anything can change.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"

#define NS_PER_MS         1000000
#define METRICS_LINGER_MS 60000

void app_summary(struct master *m, const struct app *app, struct msg_app_summary *ret)
{
    const struct app_place *place = apps_place(m, app->id);

    *ret = (struct msg_app_summary){.id = app->id,
                                    .name = app->spec.name,
                                    .state = app->state,
                                    .submitted_ms = app->submitted_ms,
                                    .started_ms = app->started_ms,
                                    .finished_ms = app->finished_ms,
                                    .executors = app->executors,
                                    .tasks = app->tasks,
                                    .error = app->error,
                                    .priority = app->spec.priority};
    if (app->state == APP_WAITING && place && place->why[0]) {
        ret->error = (char *)(uintptr_t)place->why; /* as it is by now */
    }
}

int queries_workers(struct master *m, const struct msg_worker_list *list, struct reply_token token)
{
    struct msg_worker_info infos[MSG_PAGE_MAX];
    struct msg_worker_page page = {.workers = infos};
    uint32_t limit = list->limit > 0 && list->limit < MSG_PAGE_MAX ? list->limit : MSG_PAGE_MAX;
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = 0; i < m->workers.count; i++) {
        const struct worker_entry *entry = m->workers.entries[i];
        if (entry->id <= list->after) {
            continue;
        }
        if (page.workers_count == limit) {
            page.next = infos[limit - 1].id;
            break;
        }
        infos[page.workers_count++] =
            (struct msg_worker_info){.id = entry->id,
                                     .name = entry->info.name,
                                     .address = entry->info.address,
                                     .host = entry->info.host,
                                     .pid = entry->info.pid,
                                     .cpus = entry->info.cpus,
                                     .slots = entry->info.slots,
                                     .slots_used = entry->used,
                                     .executors = entry->processes,
                                     .up_ms = (now_ns - entry->up_since_ns) / NS_PER_MS,
                                     .version = entry->info.version,
                                     .state = drain_state(m, entry->id),
                                     .tasks = drain_tasks(m, entry),
                                     .load_1m = entry->load.load_1m,
                                     .memory_total = entry->load.memory_total,
                                     .memory_free = entry->load.memory_free,
                                     .labels = entry->info.labels,
                                     .labels_count = entry->info.labels_count};
    }
    return endpoint_reply(m->ep, token, &page);
}

int queries_apps(struct master *m, const struct msg_app_list *list, struct reply_token token)
{
    struct msg_app_summary summaries[MSG_PAGE_MAX];
    struct msg_app_page page = {.apps = summaries};
    uint32_t limit = list->limit > 0 && list->limit < MSG_PAGE_MAX ? list->limit : MSG_PAGE_MAX;
    uint32_t after = list->after;
    struct app *app;

    while ((app = registry_next(&m->registry, after)) != NULL) {
        after = app->id;
        if (!list->all && app_state_is_end(app->state)) {
            continue;
        }
        if (page.apps_count == limit) {
            page.next = summaries[limit - 1].id;
            break;
        }
        app_summary(m, app, &summaries[page.apps_count++]);
    }
    return endpoint_reply(m->ep, token, &page);
}

/* ---- describe: the appmaster knows the half of it ---- */

struct describing {
    struct pending pending;
    struct reply_token token;
    uint32_t app;
};

/* The appmaster stands among the executors of describe, with words like theirs. */
static const char *place_state(const struct app_place *place)
{
    static const char *const names[] = {[PLACE_WAITING] = "waiting",
                                        [PLACE_STARTING] = "launching",
                                        [PLACE_UP] = "running",
                                        [PLACE_LOST] = "lost",
                                        [PLACE_PAUSED] = "waiting"};

    return place ? names[place->phase] : "ended";
}

static void describe_answer(struct master *m, struct app *app, struct reply_token token,
                            const struct msg_app_live *live)
{
    const struct app_place *place = apps_place(m, app->id);
    const struct worker_entry *entry = workers_find(&m->workers, app->worker);
    struct msg_app_description d = {.plan = app->plan};
    struct msg_app_live last = {0};

    app_summary(m, app, &d.app);
    d.appmaster = (struct msg_executor_info){.worker_name = MSG_NO_TEXT,
                                             .worker_address = MSG_NO_TEXT,
                                             .host = MSG_NO_TEXT,
                                             .state = (char *)(uintptr_t)place_state(place)};
    if (entry && app->state != APP_WAITING) {
        d.appmaster.worker = entry->id;
        d.appmaster.worker_name = entry->info.name;
        d.appmaster.worker_address = entry->info.address;
        d.appmaster.host = entry->info.host;
        d.appmaster.pid = place ? place->pid : app->pid;
    }
    if (live) {
        d.live = *live;
    } else if (app->live && fields_decode(&msg_app_live_fields, app->live, &last, NULL) >= 0) {
        d.live = last;
    } else {
        d.live.last_error = d.app.error;
        d.live.guarantee = MSG_NO_TEXT;
    }
    (void)endpoint_reply(m->ep, token, &d); /* a client that has gone needs no answer */
    fields_deinit(&msg_app_live_fields, &last);
}

static void on_app_live(void *user, struct peer *peer, const struct answer *answer)
{
    struct describing *d = user;
    struct master *m = d->pending.master;
    struct app *app = registry_find(&m->registry, d->app);

    (void)peer;
    if (app) {
        describe_answer(m, app, d->token, answer->code < 0 ? NULL : answer->msg);
    } else {
        struct gp_error err;
        (void)gp_error_set(&err, GP_ENOENT, "application %u is no longer known", d->app);
        (void)endpoint_reply_error(m->ep, d->token, &err);
    }
    pending_free(d);
}

int queries_describe(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
                     struct gp_error *err)
{
    const struct app_place *place;
    struct peer *appmaster = NULL;
    struct describing *d;
    struct app *app;
    int rc = registry_lookup(&m->registry, ref->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    place = apps_place(m, app->id);
    if (place && place->peer) {
        appmaster = endpoint_peer(m->ep, place->peer);
    }
    d = appmaster ? pending_new(m, sizeof *d) : NULL;
    if (d) {
        d->token = token;
        d->app = app->id;
        if (peer_ask(appmaster, MSG_APP_QUERY, NULL, ASK_TIMEOUT_NS, 0, on_app_live, d) >= 0) {
            return 0;
        }
        pending_free(d);
    }
    describe_answer(m, app, token, NULL);
    return 0;
}

/* ---- metrics ---- */

/* An appmaster does not know which worker started it. */
static void place_appmaster(const struct master *m, const struct app_place *place,
                            struct msg_executor_vitals *self)
{
    const struct worker_entry *entry = workers_find(&m->workers, place->worker);

    self->worker = place->worker;
    if (entry) {
        free(self->host);
        self->host = str_dup(gp_str_of(entry->info.host)); /* without memory it is not told */
    }
}

void queries_metrics_told(struct master *m, const struct peer *peer, struct msg_app_metrics *msg)
{
    const struct app_place *place = apps_place(m, msg->app);

    if (msg->app != 0 && place && place->peer == peer_id(peer)) { /* else of a former life */
        for (uint32_t i = 0; i < msg->executors_count && msg->executors[i].id == 0; i++) {
            place_appmaster(m, place, &msg->executors[i]);
        }
        history_add_take(m->history, msg, master_wall_ms(m), loop_now_ns(m->port->loop));
    }
}

int queries_metrics(struct master *m, const struct msg_metrics_read *read, struct reply_token token,
                    struct gp_error *err)
{
    struct msg_metrics_history reply = {0};
    struct app *app;
    int rc = registry_lookup(&m->registry, read->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    rc = history_read(m->history, app->id, read, &reply);
    if (rc < 0 && rc != GP_ENOENT) {
        return gp_error_set(err, rc, "reading what was measured: %s", error_sentence(rc));
    }
    reply.state = app->state;
    reply.latest.app = app->id; /* also of one that has told nothing yet */
    reply.latest.name = app->spec.name;
    rc = endpoint_reply(m->ep, token, &reply);
    if (rc == GP_ETOOBIG) {
        history_read_cut(&reply);
        rc = endpoint_reply(m->ep, token, &reply);
    }
    history_read_deinit(&reply);
    return rc;
}

void master_figures(const struct master *m, struct master_figures *ret)
{
    struct consensus_status status;

    group_status(m, &status);
    *ret = (struct master_figures){.leads = m->leads,
                                   .term = status.term,
                                   .last = status.last,
                                   .committed = status.committed,
                                   .applied = status.applied,
                                   .elections = m->elections,
                                   .apply = &m->apply,
                                   .workers = m->workers.count,
                                   .history_bytes = history_bytes(m->history),
                                   .counts = endpoint_counts(m->ep)};
    for (uint32_t i = 0; i < m->workers.count; i++) {
        ret->slots += m->workers.entries[i]->info.slots;
        ret->slots_used += m->workers.entries[i]->used;
    }
}

/* One that has ended is, while who comes by now and then may not have seen its last counts; unless
 * another has its name. */
static bool is_shown(const struct master *m, const struct app *app)
{
    const struct app *other = app;

    if (!app_state_is_end(app->state)) {
        return true;
    }
    while ((other = registry_next(&m->registry, other->id)) != NULL) {
        if (strcmp(other->spec.name, app->spec.name) == 0) {
            return false;
        }
    }
    return master_wall_ms(m) - app->finished_ms < METRICS_LINGER_MS;
}

const struct msg_app_metrics *master_app_metrics(const struct master *m, uint32_t after)
{
    const struct app *app;

    while ((app = registry_next(&m->registry, after)) != NULL) {
        const struct msg_app_metrics *latest = history_latest(m->history, app->id);
        if (latest && is_shown(m, app)) {
            return latest;
        }
        after = app->id;
    }
    return NULL;
}

/* ---- waiting ---- */

static void waiter_answer(struct master *m, const struct waiter *waiter, const struct app *app)
{
    struct msg_app_change change = {.version = app->version};

    app_summary(m, app, &change.app);
    if (waiter->kill) {
        (void)endpoint_reply(m->ep, waiter->token, &change.app);
    } else {
        (void)endpoint_reply(m->ep, waiter->token, &change);
    }
}

static void waiter_timer_set(struct master *m)
{
    int64_t first = INT64_MAX;
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = 0; i < m->waiter_count; i++) {
        first = m->waiters[i].deadline_ns < first ? m->waiters[i].deadline_ns : first;
    }
    if (first == INT64_MAX) {
        timer_stop(m->waiter_timer);
    } else {
        timer_start(m->waiter_timer, first > now_ns ? first - now_ns : 0);
    }
}

int waiters_add(struct master *m, const struct waiter *waiter, struct gp_error *err)
{
    if (m->waiter_count == WAITERS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u clients are waiting already", WAITERS_MAX);
    }
    m->waiters[m->waiter_count++] = *waiter;
    waiter_timer_set(m);
    return 0;
}

int queries_wait(struct master *m, const struct msg_app_wait *wait, struct reply_token token,
                 struct gp_error *err)
{
    struct waiter waiter = {.token = token, .seen_version = wait->seen_version};
    struct app *app;
    int rc = registry_lookup(&m->registry, wait->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    waiter.app = app->id;
    waiter.deadline_ns = loop_now_ns(m->port->loop) + (int64_t)wait->timeout_ms * NS_PER_MS;
    if (app->version != wait->seen_version || wait->timeout_ms == 0) {
        waiter_answer(m, &waiter, app);
        return 0;
    }
    return waiters_add(m, &waiter, err);
}

void waiters_dismiss(struct master *m, const struct gp_error *why)
{
    while (m->waiter_count > 0) {
        (void)endpoint_reply_error(m->ep, m->waiters[--m->waiter_count].token, why);
    }
    waiter_timer_set(m);
}

void waiters_notify(struct master *m, const struct app *app)
{
    for (uint32_t i = m->waiter_count; i > 0; i--) {
        struct waiter *waiter = &m->waiters[i - 1];
        bool due =
            waiter->kill ? app_state_is_end(app->state) : app->version != waiter->seen_version;
        if (waiter->app == app->id && due) {
            waiter_answer(m, waiter, app);
            *waiter = m->waiters[--m->waiter_count];
        }
    }
    waiter_timer_set(m);
}

void on_waiter_timer(void *user)
{
    struct master *m = user;
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = m->waiter_count; i > 0; i--) {
        struct waiter waiter = m->waiters[i - 1];
        const struct app *app = registry_find(&m->registry, waiter.app);
        if (waiter.deadline_ns > now_ns && app) {
            continue;
        }
        m->waiters[i - 1] = m->waiters[--m->waiter_count];
        if (app) {
            waiter_answer(m, &waiter, app);
        }
    }
    waiter_timer_set(m);
}
