/* registry.c: see registry.h. */
#include "control/master/registry.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/limits.h"
#include "control/master/registry_codec.h"

void registry_init(struct registry *r, uint64_t seed)
{
    *r = (struct registry){.next_id = 1, .next_worker = 1};
    map_str_init(&r->requests, REQUESTS_MAX, seed, MAP_KEYS_BORROWED);
}

void app_free(struct app *app)
{
    if (!app) {
        return;
    }
    value_free(app->plan);
    value_free(app->placement);
    value_free(app->live);
    if (app->token) {
        secret_wipe(app->token, strlen(app->token));
    }
    fields_deinit(&app_fields, app);
    free(app);
}

void registry_deinit(struct registry *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        app_free(r->apps[i]);
    }
    free(r->apps);
    for (uint32_t i = 0; i < r->marks_count; i++) {
        free(r->marks[i].name);
    }
    free(r->marks);
    map_str_deinit(&r->requests);
    *r = (struct registry){0};
}

/* Index of the first application with an id of at least `id`. */
static uint32_t lower_bound(const struct registry *r, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = r->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (r->apps[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct app *registry_find(const struct registry *r, uint32_t id)
{
    uint32_t at = lower_bound(r, id);
    return at < r->count && r->apps[at]->id == id ? r->apps[at] : NULL;
}

struct app *registry_next(const struct registry *r, uint32_t after)
{
    uint32_t at = after == UINT32_MAX ? r->count : lower_bound(r, after + 1);
    return at < r->count ? r->apps[at] : NULL;
}

static struct app *find_name(const struct registry *r, gp_str name)
{
    struct app *found = NULL;

    for (uint32_t i = r->count; i > 0; i--) {
        struct app *app = r->apps[i - 1];
        if (str_eq(gp_str_of(app->spec.name), name)) {
            if (!app_state_is_end(app->state)) {
                return app;
            }
            found = found ? found : app;
        }
    }
    return found;
}

struct app *registry_live(const struct registry *r, gp_str name)
{
    struct app *app = find_name(r, name);

    return app && !app_state_is_end(app->state) ? app : NULL;
}

struct app *registry_request(const struct registry *r, const char *request_id)
{
    return request_id[0] ? map_str_get(&r->requests, gp_str_of(request_id)) : NULL;
}

static int not_found(const struct registry *r, const char *ref, struct gp_error *err)
{
    gp_str names[APPS_LIVE_MAX + APPS_ENDED_MAX];
    const gp_str *near;

    for (uint32_t i = 0; i < r->count; i++) {
        names[i] = gp_str_of(r->apps[i]->spec.name);
    }
    near = str_closest(gp_str_of(ref), names, r->count);
    (void)gp_error_set(err, GP_ENOENT, "no application '%s'%s%.*s%s", ref,
                       near ? " (did you mean '" : "", near ? (int)near->len : 0,
                       near ? near->ptr : "", near ? "'?)" : "");
    gp_error_hint(err, "gpctl list -a");
    return GP_ENOENT;
}

int registry_lookup(const struct registry *r, const char *ref, struct app **ret_app,
                    struct gp_error *err)
{
    uint64_t id;
    struct app *app = NULL;

    if (str_to_u64(gp_str_of(ref), &id) >= 0 && id <= UINT32_MAX) {
        app = registry_find(r, (uint32_t)id);
    }
    app = app ? app : find_name(r, gp_str_of(ref));
    if (!app) {
        return not_found(r, ref, err);
    }
    *ret_app = app;
    return 0;
}

/* Forgets the application that ended first, but for one that is in use. False: there is none. */
static bool forget_one(struct registry *r, const struct app *keep)
{
    uint32_t oldest = r->count;

    for (uint32_t i = 0; i < r->count; i++) {
        const struct app *app = r->apps[i];
        if (app != keep && app_state_is_end(app->state) &&
            (oldest == r->count || app->finished_ms < r->apps[oldest]->finished_ms)) {
            oldest = i;
        }
    }
    if (oldest < r->count) {
        struct app *app = r->apps[oldest];

        r->bytes -= app->bytes;
        r->ended_bytes -= app->bytes;
        (void)map_str_remove(&r->requests, gp_str_of(app->spec.request_id));
        memmove(&r->apps[oldest], &r->apps[oldest + 1],
                (r->count - oldest - 1) * sizeof(struct app *));
        r->count--;
        r->ended--;
        app_free(app);
        return true;
    }
    return false;
}

/* Snapshots are bounded, so what stands in them is: ended applications make room. */
static int make_room(struct registry *r, uint64_t more, const struct app *keep,
                     struct gp_error *err)
{
    while (r->bytes + more > REGISTRY_BYTES_MAX) {
        if (!forget_one(r, keep)) {
            return gp_error_set(err, GP_EFULL, "the applications of this cluster take %llu bytes",
                                (unsigned long long)r->bytes);
        }
    }
    return 0;
}

int registry_add_take(struct registry *r, struct app *app)
{
    struct app **apps;

    ASSERT(r->count == 0 || r->apps[r->count - 1]->id < app->id);
    apps = realloc(r->apps, (r->count + 1) * sizeof(struct app *));
    if (!apps) {
        return GP_ENOMEM;
    }
    r->apps = apps;
    if (app->spec.request_id[0]) {
        int rc = map_str_add(&r->requests, gp_str_of(app->spec.request_id), app);
        if (rc < 0) {
            return rc;
        }
    }
    r->apps[r->count++] = app;
    r->bytes += app->bytes;
    if (app_state_is_end(app->state)) {
        r->ended++;
        r->ended_bytes += app->bytes;
    }
    return 0;
}

static bool name_is_valid(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inner = (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
        if (!letter && !(inner && i > 0)) {
            return false;
        }
    }
    return len > 0 && len <= MSG_APP_NAME_MAX;
}

static int submit_check(const struct registry *r, const struct msg_app_submit *submit,
                        struct gp_error *err)
{
    struct app *same;

    if (!name_is_valid(submit->name)) {
        (void)gp_error_set(
            err, GP_EINVAL,
            "'%s' cannot be the name of an application: a letter, then letters, digits, '-', '.' "
            "and '_', %u at most",
            submit->name, MSG_APP_NAME_MAX);
        gp_error_hint(err, "choose one with --name");
        return GP_EINVAL;
    }
    same = registry_live(r, gp_str_of(submit->name));
    if (same) {
        (void)gp_error_set(err, GP_EEXIST, "an application '%s' is %s already: number %u",
                           submit->name, app_state_names[same->state], same->id);
        gp_error_hint(err, "gpctl kill %u, or choose another name with --name", same->id);
        return GP_EEXIST;
    }
    if (r->count - r->ended >= APPS_LIVE_MAX) {
        return gp_error_set(err, GP_EFULL, "%u applications are live, more are not possible",
                            APPS_LIVE_MAX);
    }
    return 0;
}

/* The same request came before, or this is a new application. */
static int apply_submit(struct registry *r, const struct command *command, struct app **ret_app,
                        struct gp_error *err)
{
    struct msg_app_submit *submit = command->submit;
    struct app *app;
    int rc;

    *ret_app = registry_request(r, submit->request_id);
    if (*ret_app) {
        return 0;
    }
    rc = submit_check(r, submit, err);
    if (rc >= 0) {
        rc = make_room(r, command->bytes, NULL, err);
    }
    app = rc < 0 ? NULL : calloc(1, sizeof *app);
    if (!app) {
        return rc < 0 ? rc : gp_error_set(err, GP_ENOMEM, "submitting");
    }
    app->id = r->next_id;
    app->version = 1;
    app->submitted_ms = command->wall_ms;
    app->bytes = command->bytes;
    app->error = str_dup(GP_STR(""));
    app->token = str_dup(gp_str_of(command->token));
    app->spec = *submit; /* its texts move, and with them the key of requests */
    rc = app->error && app->token ? registry_add_take(r, app) : GP_ENOMEM;
    if (rc < 0) {
        app->spec = (struct msg_app_submit){0};
        app_free(app);
        return gp_error_set(err, rc, "submitting: %s", error_sentence(rc));
    }
    *submit = (struct msg_app_submit){0};
    r->next_id++;
    *ret_app = app;
    return 0;
}

static bool may_move(uint32_t from, uint32_t to)
{
    if (app_state_is_end(from)) {
        return false;
    }
    if (to == APP_FINISHED) {
        return from == APP_RUNNING || from == APP_RECOVERING;
    }
    if (to == APP_WAITING) {
        return from <= APP_STARTING;
    }
    return to >= from || (from == APP_RECOVERING && to == APP_RUNNING);
}

static void end_app(struct registry *r, struct app *app, const struct command *command,
                    struct value *live)
{
    app->finished_ms = command->wall_ms;
    app->pid = command->pid;
    value_free(app->placement); /* nobody goes on from it */
    app->placement = NULL;
    app->bytes -= app->placement_bytes;
    r->bytes -= app->placement_bytes;
    app->placement_bytes = 0;
    app->live = live;
    if (live) {
        app->bytes += command->bytes;
        r->bytes += command->bytes;
    }
    r->ended++;
    r->ended_bytes += app->bytes;
}

static int apply_state(struct registry *r, struct app *app, const struct command *command,
                       struct gp_error *err)
{
    const struct value *last = app_state_is_end(command->state) ? command->tree : NULL;
    struct value *live = NULL;
    char *error = NULL;

    if (!may_move(app->state, command->state)) {
        return gp_error_set(err, GP_ESTATE, "application %u is %s and cannot become %s", app->id,
                            app_state_names[app->state], app_state_names[command->state]);
    }
    if (last && make_room(r, command->bytes, app, NULL) < 0) {
        last = NULL; /* nice to have */
    }
    if ((command->error && !(error = str_dup(gp_str_of(command->error)))) ||
        (last && !(live = value_dup(last)))) {
        free(error);
        return gp_error_set(err, GP_ENOMEM, "changing the state of an application");
    }
    if (error) {
        free(app->error);
        app->error = error;
    }
    if (app->started_ms == 0 && command->state == APP_RUNNING) {
        app->started_ms = command->wall_ms;
    }
    app->state = command->state;
    app->executors = command->executors ? command->executors : app->executors;
    app->tasks = command->tasks ? command->tasks : app->tasks;
    if (app_state_is_end(app->state)) {
        end_app(r, app, command, live);
    }
    return 0;
}

/* A plan or placement instead of the one before. */
static int replace_tree(struct registry *r, struct app *app, const struct command *command,
                        struct value **tree, uint64_t *bytes, struct gp_error *err)
{
    struct value *copy;
    int rc;

    if (app_state_is_end(app->state)) {
        return gp_error_set(err, GP_ESTATE, "application %u is %s", app->id,
                            app_state_names[app->state]);
    }
    rc = command->bytes > *bytes ? make_room(r, command->bytes - *bytes, app, err) : 0;
    if (rc < 0) {
        return rc;
    }
    copy = value_dup(command->tree);
    if (!copy) {
        return gp_error_set(err, GP_ENOMEM, "keeping what an appmaster wrote down");
    }
    value_free(*tree);
    *tree = copy;
    app->bytes = app->bytes - *bytes + command->bytes;
    r->bytes = r->bytes - *bytes + command->bytes;
    *bytes = command->bytes;
    return 0;
}

/* With a placement comes what was drawn from the budget until then. */
static int replace_placement(struct registry *r, struct app *app, const struct command *command,
                             struct gp_error *err)
{
    uint32_t count = command->restarts_count;
    struct msg_restart *copy = calloc(count + 1u, sizeof *copy);
    int rc;

    if (!copy) {
        return gp_error_set(err, GP_ENOMEM, "keeping how often something was restarted");
    }
    rc = replace_tree(r, app, command, &app->placement, &app->placement_bytes, err);
    if (rc < 0) {
        free(copy);
        return rc;
    }
    for (uint32_t i = 0; i < count; i++) {
        copy[i] = command->restarts[i];
    }
    free(app->restarts);
    app->restarts = copy;
    app->restarts_count = count;
    return 0;
}

/* One more; of too many the oldest goes. */
static int add_restart(struct app *app, int64_t time_ms, struct gp_error *err)
{
    struct msg_restart *grown =
        realloc(app->restarts, ((size_t)app->restarts_count + 1) * sizeof *grown);

    if (!grown) {
        return gp_error_set(err, GP_ENOMEM, "counting a restart");
    }
    app->restarts = grown;
    if (app->restarts_count == MSG_RESTARTS_MAX) {
        memmove(&grown[0], &grown[1], (MSG_RESTARTS_MAX - 1) * sizeof *grown);
        app->restarts_count--;
    }
    grown[app->restarts_count++].time_ms = time_ms;
    return 0;
}

static int apply_epoch(struct app *app, const struct command *command, struct gp_error *err)
{
    char *error = str_dup(gp_str_of(command->error ? command->error : ""));

    if (app_state_is_end(app->state)) {
        free(error);
        return gp_error_set(err, GP_ESTATE, "application %u is %s", app->id,
                            app_state_names[app->state]);
    }
    if (!error) {
        return gp_error_set(err, GP_ENOMEM, "beginning an epoch");
    }
    if (command->is_restart && add_restart(app, command->wall_ms, err) < 0) {
        free(error);
        return GP_ENOMEM;
    }
    free(app->error);
    app->error = error;
    app->epoch++;
    app->worker = command->worker;
    app->state = app->started_ms ? APP_RECOVERING : APP_STARTING;
    return 0;
}

static int apply_to(struct registry *r, struct app *app, const struct command *command,
                    struct gp_error *err)
{
    if (command->op != COMMAND_KILL && command->epoch != app->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            command->epoch, app->id, app->epoch);
    }
    switch (command->op) {
    case COMMAND_EPOCH:
        return apply_epoch(app, command, err);
    case COMMAND_PLAN:
        return replace_tree(r, app, command, &app->plan, &app->plan_bytes, err);
    case COMMAND_PLACEMENT:
        return replace_placement(r, app, command, err);
    case COMMAND_STATE:
        return apply_state(r, app, command, err);
    case COMMAND_KILL:
        app->is_stopping = true;
        return 0;
    default:
        return gp_error_set(err, GP_EUNSUPPORTED, "no command %u", command->op);
    }
}

/* ---- marks of workers ---- */

static struct drain_mark *find_mark(const struct registry *r, uint32_t worker)
{
    for (uint32_t i = 0; i < r->marks_count; i++) {
        if (r->marks[i].worker == worker) {
            return &r->marks[i];
        }
    }
    return NULL;
}

const struct drain_mark *registry_mark(const struct registry *r, uint32_t worker)
{
    return find_mark(r, worker);
}

static void remove_mark(struct registry *r, struct drain_mark *mark)
{
    uint32_t at = (uint32_t)(mark - r->marks);

    free(mark->name);
    memmove(mark, mark + 1, (r->marks_count - at - 1) * sizeof *mark);
    r->marks_count--;
}

int registry_add_mark(struct registry *r, uint32_t worker, const char *name, bool force)
{
    struct drain_mark *grown;
    char *copy;

    if (r->marks_count == REGISTRY_MARKS_MAX) {
        return GP_EFULL;
    }
    grown = realloc(r->marks, (r->marks_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    r->marks = grown;
    copy = str_dup(gp_str_of(name));
    if (!copy) {
        return GP_ENOMEM;
    }
    r->marks[r->marks_count++] = (struct drain_mark){worker, force, copy};
    return 0;
}

static int apply_drain(struct registry *r, const struct command *command, struct gp_error *err)
{
    struct drain_mark *mark = find_mark(r, command->worker);
    int rc = 0;

    if (command->worker == 0 || command->worker >= r->next_worker) {
        return gp_error_set(err, GP_ENOENT, "no worker %u", command->worker);
    }
    if (command->undo && mark) {
        remove_mark(r, mark);
    } else if (mark) {
        mark->force = command->force;
    } else if (!command->undo) {
        rc = registry_add_mark(r, command->worker, command->name ? command->name : "",
                               command->force);
    }
    if (rc == GP_EFULL) {
        return gp_error_set(err, rc, "%u workers are drained, more are not possible",
                            REGISTRY_MARKS_MAX);
    }
    if (rc < 0) {
        return gp_error_set(err, rc, "draining a worker");
    }
    r->marked++;
    return 0;
}

/* The next id; whoever comes again under its old name is what it was. */
static void apply_worker(struct registry *r, const struct command *command)
{
    struct drain_mark *mark = command->worker ? find_mark(r, command->worker) : NULL;

    if (mark) {
        mark->worker = r->next_worker;
    }
    r->next_worker++;
}

int registry_apply(struct registry *r, const struct command *command, struct app **ret_app,
                   struct gp_error *err)
{
    struct app *app;
    int rc;

    *ret_app = NULL;
    if (command->op == COMMAND_SUBMIT) {
        return apply_submit(r, command, ret_app, err);
    }
    if (command->op == COMMAND_WORKER) {
        apply_worker(r, command);
        return 0;
    }
    if (command->op == COMMAND_DRAIN) {
        return apply_drain(r, command, err);
    }
    app = registry_find(r, command->app);
    if (!app) {
        return gp_error_set(err, GP_ENOENT, "no application %u", command->app);
    }
    rc = apply_to(r, app, command, err);
    if (rc < 0) {
        return rc;
    }
    app->version++;
    *ret_app = app;
    while ((r->ended > APPS_ENDED_MAX || r->ended_bytes > APPS_ENDED_BYTES_MAX) &&
           forget_one(r, app)) { /* all but this one may go */
    }
    return 0;
}
