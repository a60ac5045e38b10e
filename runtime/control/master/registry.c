/* registry.c: see registry.h. */
#include "control/master/registry.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/limits.h"

void registry_init(struct registry *r, uint64_t seed)
{
    *r = (struct registry){.next_id = 1};
    map_str_init(&r->requests, REQUESTS_MAX, seed, MAP_KEYS_BORROWED);
}

static void app_free(struct app *app)
{
    if (!app) {
        return;
    }
    fields_deinit(&msg_app_submit_fields, &app->spec);
    value_free(app->plan);
    value_free(app->placement);
    value_free(app->live);
    free(app->error);
    secret_wipe(app->token, sizeof app->token);
    free(app);
}

void registry_deinit(struct registry *r)
{
    for (uint32_t i = 0; i < r->count; i++) {
        app_free(r->apps[i]);
    }
    free(r->apps);
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

/* Forgets the application that ended first, but for one that is in use. */
static void forget_one(struct registry *r, const struct app *keep)
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
        (void)map_str_remove(&r->requests, gp_str_of(app->spec.request_id));
        memmove(&r->apps[oldest], &r->apps[oldest + 1],
                (r->count - oldest - 1) * sizeof(struct app *));
        r->count--;
        r->ended--;
        app_free(app);
    }
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
    same = find_name(r, gp_str_of(submit->name));
    if (same && !app_state_is_end(same->state)) {
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

static int apply_submit(struct registry *r, const struct command *command, struct app **ret_app,
                        struct gp_error *err)
{
    struct msg_app_submit *submit = command->submit;
    struct app *app = NULL;
    struct app **apps;
    int rc;

    if (submit->request_id[0]) {
        *ret_app = map_str_get(&r->requests, gp_str_of(submit->request_id));
        if (*ret_app) {
            return 0;
        }
    }
    rc = submit_check(r, submit, err);
    if (rc < 0) {
        return rc;
    }
    apps = realloc(r->apps, (r->count + 1) * sizeof(struct app *));
    app = calloc(1, sizeof *app);
    if (apps) {
        r->apps = apps;
    }
    if (!apps || !app || !(app->error = str_dup(GP_STR("")))) {
        app_free(app);
        return gp_error_set(err, GP_ENOMEM, "submitting");
    }
    if (submit->request_id[0]) {
        rc = map_str_add(&r->requests, gp_str_of(submit->request_id), app);
        if (rc < 0) {
            app_free(app);
            return gp_error_set(err, rc, "remembering the request");
        }
    }
    app->id = r->next_id++;
    app->version = 1;
    app->submitted_ms = command->wall_ms;
    (void)str_format(app->token, sizeof app->token, "%s", command->token);
    app->spec = *submit; /* its texts move, and with them the key of requests */
    *submit = (struct msg_app_submit){0};
    r->apps[r->count++] = app;
    *ret_app = app;
    return 0;
}

static bool may_move(uint32_t from, uint32_t to)
{
    if (app_state_is_end(from)) {
        return false;
    }
    if (app_state_is_end(to)) {
        return to != APP_FINISHED || from == APP_RUNNING || from == APP_RECOVERING;
    }
    return to >= from || (from == APP_RECOVERING && to == APP_RUNNING);
}

static int apply_state(struct registry *r, struct app *app, const struct command *command,
                       struct gp_error *err)
{
    char *error = NULL;

    if (!may_move(app->state, command->state)) {
        return gp_error_set(err, GP_ESTATE, "application %u is %s and cannot become %s", app->id,
                            app_state_names[app->state], app_state_names[command->state]);
    }
    if (command->error) {
        error = str_dup(gp_str_of(command->error));
        if (!error) {
            return gp_error_set(err, GP_ENOMEM, "remembering an error");
        }
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
        app->finished_ms = command->wall_ms;
        app->live = command->live ? value_dup(command->live) : NULL; /* nice to have: no error */
        r->ended++;
    }
    return 0;
}

/* A tree that is kept as it came. */
static int apply_tree(struct value **kept, const struct value *tree, const char *what,
                      struct gp_error *err)
{
    struct value *copy = value_dup(tree);

    if (!copy) {
        return gp_error_set(err, GP_ENOMEM, "keeping the %s", what);
    }
    value_free(*kept);
    *kept = copy;
    return 0;
}

int registry_apply(struct registry *r, const struct command *command, struct app **ret_app,
                   struct gp_error *err)
{
    struct app *app;
    int rc = 0;

    if (command->op == COMMAND_SUBMIT) {
        return apply_submit(r, command, ret_app, err);
    }
    app = registry_find(r, command->app);
    if (!app) {
        return gp_error_set(err, GP_ENOENT, "no application %u", command->app);
    }
    switch (command->op) {
    case COMMAND_EPOCH:
        app->epoch++;
        break;
    case COMMAND_PLAN:
        rc = apply_tree(&app->plan, command->plan, "plan", err);
        break;
    case COMMAND_PLACEMENT:
        rc = apply_tree(&app->placement, command->placement, "placement", err);
        break;
    case COMMAND_STATE:
        rc = apply_state(r, app, command, err);
        break;
    case COMMAND_SUBMIT:
        UNREACHABLE();
    }
    if (rc < 0) {
        return rc;
    }
    app->version++;
    *ret_app = app;
    if (r->ended > APPS_ENDED_MAX) {
        forget_one(r, app);
    }
    return 0;
}
