/*
 * drains.c: what clients ask of workers that are drained, and of tasks that are spread.
 *
 *     worker.drain ─▶ which worker? ─▶ mark proposed, applied ─▶ everyone there is told ─▶ answered
 *
 * The answer says how far it is, and of each application that is still there what it waits for.
 * Only appmasters know that, so all are asked; one that does not answer is such a reason, too.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/drain.h"

#define WHY_MAX 512u

/* ---- which worker ---- */

static int no_such(const struct master *m, const char *ref, struct gp_error *err)
{
    gp_str names[WORKERS_MAX];
    const gp_str *near;

    for (uint32_t i = 0; i < m->workers.count; i++) {
        names[i] = gp_str_of(m->workers.entries[i]->info.name);
    }
    near = str_closest(gp_str_of(ref), names, m->workers.count);
    (void)gp_error_set(err, GP_ENOENT, "no worker '%s'%s%.*s%s", ref,
                       near ? " (did you mean '" : "", near ? (int)near->len : 0,
                       near ? near->ptr : "", near ? "'?)" : "");
    gp_error_hint(err, "gpctl workers");
    return GP_ENOENT;
}

struct found {
    uint32_t worker;
    uint32_t count;
};

static void find_by_name(const struct master *m, gp_str ref, struct found *ret)
{
    for (uint32_t i = 0; i < m->workers.count; i++) {
        const struct worker_entry *entry = m->workers.entries[i];
        if (str_eq(ref, gp_str_of(entry->info.name)) ||
            str_eq(ref, gp_str_of(entry->info.address))) {
            *ret = (struct found){entry->id, ret->count + 1};
        }
    }
    for (uint32_t i = 0; i < m->registry.marks_count && ret->count == 0; i++) { /* it may be lost */
        const struct drain_mark *mark = &m->registry.marks[i];
        if (str_eq(ref, gp_str_of(mark->name)) && !workers_find(&m->workers, mark->worker)) {
            *ret = (struct found){mark->worker, ret->count + 1};
        }
    }
}

static int find(const struct master *m, const char *text, uint32_t *ret, struct gp_error *err)
{
    static const gp_str prefix = {"worker/", 7};
    gp_str ref = gp_str_of(text);
    struct found found = {0};
    uint64_t id;

    if (str_starts_with(ref, prefix)) {
        ref = (gp_str){ref.ptr + prefix.len, ref.len - prefix.len};
    }
    if (str_to_u64(ref, &id) >= 0 && id <= UINT32_MAX) {
        bool is_known = workers_find(&m->workers, (uint32_t)id) != NULL ||
                        registry_mark(&m->registry, (uint32_t)id) != NULL;
        found = (struct found){(uint32_t)id, is_known};
    }
    if (found.count == 0) {
        find_by_name(m, gp_str_of(text), &found);
    }
    if (found.count == 0) {
        return no_such(m, text, err);
    }
    if (found.count > 1) {
        (void)gp_error_set(err, GP_EINVAL, "%u workers are called '%s'", found.count, text);
        gp_error_hint(err, "gpctl workers; name it by its id");
        return GP_EINVAL;
    }
    *ret = found.worker;
    return 0;
}

/* ---- how far it is ---- */

struct part {
    uint32_t app;
    uint32_t tasks;
    bool is_counted; /* tasks, by its appmaster */
    bool is_refused;
    uint32_t moving;
    char why[WHY_MAX];
};

struct survey {
    struct pending pending;
    struct reply_token token;
    uint32_t worker;
    uint32_t waiting; /* for answers */
    uint32_t count;
    struct part parts[];
};

static uint32_t free_slots(const struct master *m)
{
    struct scheduler_worker workers[WORKERS_MAX];
    uint32_t count = workers_offer(&m->workers, workers);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += workers[i].free;
    }
    return sum;
}

/* What the appmaster did not say: it does not know of slots for itself. */
static void explain(const struct master *m, struct part *part)
{
    if (part->why[0] == '\0' && part->moving == 0 && free_slots(m) == 0) {
        part->is_refused = true;
        (void)str_format(part->why, sizeof part->why, "no other worker has a free slot");
    }
}

static void fill_app(const struct master *m, struct part *part, const struct app *app,
                     uint32_t worker, struct msg_drain_app *ret)
{
    const struct app_place *place = apps_place((struct master *)(uintptr_t)m, app->id);
    bool is_there = place && place->worker == worker;
    uint32_t held = drain_held(m, app->id, worker) - (is_there ? 1 : 0);
    uint32_t tasks = part->is_counted ? part->tasks : held;

    explain(m, part);
    *ret = (struct msg_drain_app){.app = app->id,
                                  .name = app->spec.name,
                                  .tasks = tasks,
                                  .moving = part->moving,
                                  .appmaster = is_there,
                                  .stays = part->is_refused && part->moving == 0,
                                  .why = part->why};
}

static void survey_finish(struct survey *s)
{
    struct master *m = s->pending.master;
    const struct worker_entry *entry = workers_find(&m->workers, s->worker);
    const struct drain_mark *mark = registry_mark(&m->registry, s->worker);
    struct msg_drain_app apps[MSG_PAGE_MAX];
    struct msg_worker_drained msg = {.worker = s->worker,
                                     .name = entry ? entry->info.name : MSG_NO_TEXT,
                                     .state = drain_state(m, s->worker),
                                     .force = mark && mark->force,
                                     .apps = apps};

    struct gp_error err;

    if (group_check_leads(m, &err) < 0) { /* it was lost while we asked */
        (void)endpoint_reply_error(m->ep, s->token, &err);
        pending_free(s);
        return;
    }
    if (!entry && mark) {
        msg.name = mark->name;
    }
    for (uint32_t i = 0; i < s->count && msg.state == WORKER_DRAINING; i++) {
        const struct app *app = registry_find(&m->registry, s->parts[i].app);
        if (app && drain_held(m, app->id, s->worker) > 0) { /* else it has gone meanwhile */
            fill_app(m, &s->parts[i], app, s->worker, &apps[msg.apps_count]);
            msg.tasks += apps[msg.apps_count++].tasks;
        }
    }
    (void)endpoint_reply(m->ep, s->token, &msg); /* a client that has gone needs no answer */
    pending_free(s);
}

static void take_refused(struct part *part, const struct msg_app_rebalanced *said)
{
    size_t len = 0;

    for (uint32_t i = 0; i < said->refused_count && len < sizeof part->why; i++) {
        const struct msg_move_refused *refused = &said->refused[i];
        int n = str_format(part->why + len, sizeof part->why - len, "%s%u task%s of '%s': %s",
                           i > 0 ? "; " : "", refused->tasks, refused->tasks == 1 ? "" : "s",
                           refused->processor, refused->why);
        len = n < 0 ? sizeof part->why : len + (size_t)n;
    }
}

static void on_part(struct master *m, void *user, uint32_t app,
                    const struct msg_app_rebalanced *said, const struct gp_error *err)
{
    struct survey *s = user;
    struct part *part = s->parts;

    (void)m;
    while (part->app != app) {
        part++; /* each is asked once */
    }
    if (!said) {
        (void)str_format(
            part->why, sizeof part->why, "%s%s",
            err->code == GP_EAGAIN ? "" : "its appmaster does not answer: ", err->text);
    } else {
        part->is_refused = said->refused_count > 0;
        part->moving = said->moving;
        part->is_counted = said->left_count > 0;
        for (uint32_t i = 0; i < said->left_count; i++) {
            part->tasks += said->left[i].worker == s->worker ? said->left[i].tasks : 0;
        }
        take_refused(part, said);
    }
    if (--s->waiting == 0) {
        survey_finish(s);
    }
}

static void ask_all(struct master *m, struct survey *s)
{
    static const struct drain_wish nothing_more = {.spread = false};

    s->waiting = 1; /* ours */
    for (uint32_t i = 0; i < s->count; i++) {
        struct part *part = &s->parts[i];
        struct app_place *place = apps_place(m, part->app);

        if (!place || !drain_can_tell(place)) {
            (void)str_format(part->why, sizeof part->why, "its appmaster is being started");
        } else if (drain_tell(m, place, &nothing_more, on_part, s) >= 0) {
            s->waiting++;
        } else {
            (void)str_format(part->why, sizeof part->why, "its appmaster cannot be reached");
        }
    }
    if (--s->waiting == 0) {
        survey_finish(s);
    }
}

static int survey_begin(struct master *m, uint32_t worker, struct reply_token token,
                        struct gp_error *err)
{
    struct survey *s = pending_new(m, sizeof *s + MSG_PAGE_MAX * sizeof s->parts[0]);

    if (!s) {
        return gp_error_set(err, GP_ENOMEM, "looking how far a worker is drained");
    }
    s->token = token;
    s->worker = worker;
    if (drain_state(m, worker) == WORKER_DRAINING) {
        for (uint32_t i = 0; i < m->workers.grant_count && s->count < MSG_PAGE_MAX; i++) {
            if (m->workers.grants[i].worker == worker) {
                s->parts[s->count++].app = m->workers.grants[i].app;
            }
        }
    }
    ask_all(m, s);
    return 0;
}

/* ---- worker.drain ---- */

struct marking {
    struct pending pending;
    struct reply_token token;
    uint32_t worker;
    bool undo;
};

static void on_marked(struct master *m, void *user, const struct outcome *outcome)
{
    struct marking *k = user;
    struct gp_error err;

    if (outcome->code < 0) {
        (void)endpoint_reply_error(m->ep, k->token, outcome->err);
    } else {
        LOG_INFO(master_log(m), k->undo ? "worker.serves_again" : "worker.draining",
                 KV_U64("worker", k->worker));
        if (survey_begin(m, k->worker, k->token, &err) < 0) {
            (void)endpoint_reply_error(m->ep, k->token, &err);
        }
    }
    pending_free(k);
}

static void on_forgotten(struct master *m, void *user, const struct outcome *outcome)
{
    (void)m;
    (void)user;
    (void)outcome; /* the mark that needs its room says what there is to say */
}

/* All marks are given: the oldest of a worker that nobody has seen for long goes. */
static void make_room(struct master *m)
{
    for (uint32_t i = 0; i < m->registry.marks_count; i++) {
        struct command command = {
            .op = COMMAND_DRAIN, .worker = m->registry.marks[i].worker, .undo = true};
        if (!workers_find(&m->workers, command.worker)) {
            (void)master_propose(m, &command, on_forgotten, NULL, NULL); /* as above */
            return;
        }
    }
}

static int mark(struct master *m, const struct msg_worker_drain *msg, uint32_t worker,
                struct reply_token token, struct gp_error *err)
{
    const struct worker_entry *entry = workers_find(&m->workers, worker);
    const struct drain_mark *before = registry_mark(&m->registry, worker);
    struct command command = {.op = COMMAND_DRAIN,
                              .worker = worker,
                              .name = entry    ? entry->info.name
                                      : before ? before->name
                                               : "",
                              .force = msg->force,
                              .undo = msg->undo};
    struct marking *k = pending_new(m, sizeof *k);
    int rc;

    if (!k) {
        return gp_error_set(err, GP_ENOMEM, "draining a worker");
    }
    k->token = token;
    k->worker = worker;
    k->undo = msg->undo;
    if (!before && m->registry.marks_count == REGISTRY_MARKS_MAX) {
        make_room(m);
    }
    rc = master_propose(m, &command, on_marked, k, err);
    if (rc < 0) {
        pending_free(k);
    }
    return rc;
}

int drains_worker(struct master *m, const struct msg_worker_drain *msg, struct reply_token token,
                  struct gp_error *err)
{
    const struct drain_mark *before;
    bool is_so;
    uint32_t worker = 0;
    int rc = find(m, msg->worker, &worker, err);

    if (rc < 0) {
        return rc;
    }
    before = registry_mark(&m->registry, worker);
    is_so = msg->undo ? !before : before && (before->force || !msg->force);
    return msg->look || is_so ? survey_begin(m, worker, token, err)
                              : mark(m, msg, worker, token, err);
}

/* ---- app.rebalance ---- */

struct asking {
    struct pending pending;
    struct reply_token token;
};

static void on_rebalanced(struct master *m, void *user, uint32_t app,
                          const struct msg_app_rebalanced *said, const struct gp_error *err)
{
    struct asking *a = user;
    struct gp_error own;

    if (said) {
        (void)endpoint_reply(m->ep, a->token, said);
    } else {
        if (group_check_leads(m, &own) >= 0) {
            own = *err;
            gp_error_prefix(&own, "the appmaster of application %u", app);
        }
        (void)endpoint_reply_error(m->ep, a->token, &own);
    }
    pending_free(a);
}

static int check_runs(const struct app *app, const struct app_place *place, struct gp_error *err)
{
    if (app_state_is_end(app->state) || app->is_stopping) {
        (void)gp_error_set(err, GP_ESTATE, "application %u is %s", app->id,
                           app->is_stopping ? "being killed" : app_state_names[app->state]);
        gp_error_hint(err, "gpctl list");
        return GP_ESTATE;
    }
    if (!app->plan || !place || !drain_can_tell(place)) {
        (void)gp_error_set(err, GP_EAGAIN, "its appmaster is being started");
        gp_error_hint(err, "gpctl describe %u; then the same again", app->id);
        return GP_EAGAIN;
    }
    return 0;
}

int drains_rebalance(struct master *m, const struct msg_app_rebalance *msg,
                     struct reply_token token, struct gp_error *err)
{
    const struct drain_wish wish = {msg->spread, msg->force, msg->reason};
    struct app_place *place;
    struct asking *a;
    struct app *app;
    int rc = registry_lookup(&m->registry, msg->app, &app, err);

    if (rc < 0) {
        return rc;
    }
    place = apps_place(m, app->id);
    rc = check_runs(app, place, err);
    if (rc < 0) {
        return rc;
    }
    a = pending_new(m, sizeof *a);
    if (!a) {
        return gp_error_set(err, GP_ENOMEM, "rebalancing");
    }
    a->token = token;
    rc = drain_tell(m, place, &wish, on_rebalanced, a);
    if (rc < 0) {
        pending_free(a);
        return gp_error_set(err, GP_EAGAIN, "its appmaster cannot be reached");
    }
    return 0;
}
