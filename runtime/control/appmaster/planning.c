/*
 * planning.c: from a shared object to a plan.
 *
 * User code runs here: constructors and init of plugins, and build. Plugins that the graph names
 * come one after the other: the master says which file it is, the worker below fetches it, it is
 * loaded. One that cannot be had is a mistake among the others that build_finish() tells of.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/internal.h"
#include "control/artefacts.h"

#define FETCH_TIMEOUT_NS 20000000000

static int artefact_path(const struct appmaster *am, const char *sha, char *path, size_t cap)
{
    return artefact_path_format(am->options.launch->artefacts, gp_str_of(sha), path, cap);
}

static int load(struct appmaster *am, const char *sha, struct gp_error *err)
{
    char path[ARTEFACT_PATH_MAX];
    int rc = artefact_path(am, sha, path, sizeof path);

    if (rc < 0) {
        return gp_error_set(err, rc, "'%s' is no sha256", sha);
    }
    rc = plugin_load(am->port, path, build_host(), &am->plugins[am->plugin_count], err);
    if (rc >= 0) {
        am->plugin_count++;
    }
    return rc;
}

/* ---- the end of it ---- */

static void finish(struct appmaster *am)
{
    struct build_plugin plugins[PLAN_PLUGINS_MAX];
    struct gp_error err = {0};

    plugins[0] = (struct build_plugin){am->plugins[0].entry->name, am->plugins[0].entry->version,
                                       am->welcome.sha256, am->plugins[0].catalog};
    for (uint32_t i = 1; i < am->plugin_count; i++) {
        plugins[i] =
            (struct build_plugin){build_plugin_name(am->build, i - 1), am->resolved[i].version,
                                  am->resolved[i].sha256, am->plugins[i].catalog};
    }
    if (build_finish(am->build, plugins, &am->plan, &err) < 0) {
        am_fail_err(am, &err);
        return;
    }
    LOG_INFO(am_log(am), "appmaster.plan_made", KV_U64("processors", am->plan->processor_count),
             KV_U64("edges", am->plan->edge_count), KV_U64("tasks", plan_task_count(am->plan)));
    am_move(am, AM_PLANNED);
}

/* ---- RESOLVING ---- */

static void resolve_next(struct appmaster *am);

static void on_fetched(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;
    struct gp_error err = {0};

    (void)peer;
    if (am->state != AM_RESOLVING) {
        return;
    }
    if (answer->code < 0) {
        am_fail(am, answer->code, "plugin '%s' could not be fetched: %s",
                am->resolved[am->plugin_count].name, answer->err->text);
    } else if (load(am, am->resolved[am->plugin_count].sha256, &err) < 0) {
        am_fail_err(am, &err);
    } else {
        resolve_next(am);
    }
}

/* The graph names a plugin that is not there: a mistake among the others. */
static void go_without(struct appmaster *am, const struct gp_error *why)
{
    const struct gp_build *b = build_service(am->build);

    b->service->mistake(b->graph, why->text);
    am->plugin_count++; /* its place stays empty */
    resolve_next(am);
}

static void on_resolved(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;
    struct msg_plugin_resolved *resolved = &am->resolved[am->plugin_count];
    struct msg_plugin_fetch fetch;
    int rc;

    (void)peer;
    if (am->state != AM_RESOLVING) {
        return;
    }
    if (answer->code == GP_ENOENT) {
        go_without(am, answer->err);
        return;
    }
    if (answer->code < 0) {
        am_fail(am, answer->code, "the graph cannot run: %s", answer->err->text);
        return;
    }
    *resolved = *(struct msg_plugin_resolved *)answer->msg;
    *(struct msg_plugin_resolved *)answer->msg = (struct msg_plugin_resolved){0};
    fetch.sha256 = resolved->sha256;
    rc = peer_ask(am->home, MSG_PLUGIN_FETCH, &fetch, FETCH_TIMEOUT_NS, ASK_RETRY, on_fetched, am);
    if (rc < 0) {
        am_fail(am, rc, "plugin '%s' could not be fetched: %s", resolved->name, error_sentence(rc));
    }
}

static void resolve_next(struct appmaster *am)
{
    uint32_t next = am->plugin_count - 1;
    struct msg_plugin_resolve msg;
    int rc;

    if (next == build_plugin_count(am->build)) {
        finish(am);
        return;
    }
    msg.name = (char *)(uintptr_t)build_plugin_name(am->build, next);
    rc = peer_ask(am->master, MSG_PLUGIN_RESOLVE, &msg, am->options.start_timeout_ns, ASK_RETRY,
                  on_resolved, am);
    if (rc < 0) {
        am_fail(am, rc, "plugin '%s' could not be resolved: %s", msg.name, error_sentence(rc));
    }
}

/* ---- LOADING and BUILDING ---- */

static bool is_set(const struct msg_appmaster_welcome *w, const char *key)
{
    for (uint32_t i = 0; i < w->config_count; i++) {
        if (strcmp(w->config[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static int set_default(struct msg_appmaster_welcome *w, gp_str name, const struct value *v)
{
    char key[GP_NAME_MAX_BYTES + 8];
    char number[32];
    gp_str text = {0};
    struct msg_config *grown;

    if (value_kind(v) == VALUE_I64) {
        (void)str_format(number, sizeof number, "%lld", (long long)value_as_i64(v));
        text = gp_str_of(number);
    } else if (value_kind(v) == VALUE_STR) {
        text = value_as_str(v);
    }
    if (!text.ptr || str_format(key, sizeof key, "data.%.*s", STR_ARG(name)) < 0 ||
        is_set(w, key)) {
        return 0;
    }
    grown = realloc(w->config, (w->config_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    w->config = grown;
    grown[w->config_count] = (struct msg_config){str_dup(gp_str_of(key)), str_dup(text)};
    w->config_count++;
    return grown[w->config_count - 1].key && grown[w->config_count - 1].value ? 0 : GP_ENOMEM;
}

/*
 * The cluster's settings of the data plane become parameters of the application, which may have set
 * its own: all its executors must agree on them, and the plan is what they share.
 */
static int set_defaults(struct appmaster *am)
{
    const struct value *data = am->options.launch->data;
    int rc = 0;

    for (size_t i = 0; data && rc >= 0 && i < value_count(data); i++) {
        rc = set_default(&am->welcome, value_name_at(data, i), value_at(data, i));
    }
    return rc;
}

static int build(struct appmaster *am, struct gp_error *err)
{
    const struct msg_appmaster_welcome *w = &am->welcome;
    struct build_options options = {.app_name = w->name,
                                    .host = build_host(),
                                    .catalog = am->plugins[0].catalog,
                                    /* the same two pointers, by the assertions below, as places */
                                    .config = (const struct plan_config *)w->config,
                                    .config_count = w->config_count,
                                    .parallelism = am->parallelism,
                                    .parallelism_count = w->parallelism_count,
                                    .places = (const struct build_place *)w->places,
                                    .place_count = w->places_count};
    int rc;

    _Static_assert(sizeof(struct plan_config) == sizeof(struct msg_config) &&
                       offsetof(struct plan_config, value) == offsetof(struct msg_config, value),
                   "msg_config and plan_config are alike");
    _Static_assert(sizeof(struct build_place) == sizeof(struct msg_task_place) &&
                       offsetof(struct build_place, place) ==
                           offsetof(struct msg_task_place, place),
                   "msg_task_place and build_place are alike");
    ASSERT(w->parallelism_count <= ARRAY_LEN(am->parallelism));
    for (uint32_t i = 0; i < w->parallelism_count; i++) {
        am->parallelism[i] =
            (struct build_parallelism){w->parallelism[i].processor, w->parallelism[i].count};
    }
    port_random(am->port, &options.hash_seed, sizeof options.hash_seed);
    rc = build_new(&options, &am->build);
    if (rc < 0) {
        return gp_error_set(err, rc, "building the graph");
    }
    port_enter(am->port, am->plugins[0].entry->name, "build");
    if (am->plugins[0].app->build(build_service(am->build)) != GP_OK) {
        build_refused(am->build); /* build_finish() tells why */
    }
    port_enter(am->port, NULL, NULL);
    return 0;
}

void planning_load(struct appmaster *am)
{
    struct gp_error err = {0};

    if (set_defaults(am) < 0) {
        am_fail(am, GP_ENOMEM, "loading the application: out of memory");
        return;
    }
    if (load(am, am->welcome.sha256, &err) < 0) {
        am_fail_err(am, &err);
        return;
    }
    if (!am->plugins[0].app || !am->plugins[0].app->build) {
        am_fail(am, GP_EABI, "plugin '%s' has no application in it", am->plugins[0].entry->name);
        return;
    }
    am_move(am, AM_BUILDING);
    if (build(am, &err) < 0) {
        am_fail_err(am, &err);
        return;
    }
    am_move(am, AM_RESOLVING);
    resolve_next(am);
}

/* ---- PLANNED, or planned in an earlier epoch ---- */

void planning_resume(struct appmaster *am)
{
    struct gp_error err = {0};

    if (plan_decode(am->welcome.plan, &am->plan, &err) < 0) {
        gp_error_prefix(&err, "the plan that the master kept");
        am_fail_err(am, &err);
    } else if (am->welcome.placement) {
        recovery_resume(am);
    } else {
        am_move(am, AM_STARTING); /* it came no further than this */
    }
}

static void on_plan_kept(void *user, struct peer *peer, const struct answer *answer)
{
    struct appmaster *am = user;

    (void)peer;
    if (am->state != AM_PLANNED) {
        return;
    }
    if (answer->code < 0) {
        am_fail(am, answer->code, "the master did not keep the plan: %s", answer->err->text);
        return;
    }
    am_move(am, AM_STARTING);
}

void planning_put(struct appmaster *am)
{
    struct msg_plan_put msg = {.app = am->options.launch->app, .epoch = am->options.launch->epoch};
    int rc = plan_encode(am->plan, &msg.plan);

    if (rc >= 0) {
        rc = peer_ask(am->master, MSG_PLAN_PUT, &msg, am->options.start_timeout_ns, ASK_RETRY,
                      on_plan_kept, am);
    }
    value_free(msg.plan);
    if (rc < 0) {
        am_fail(am, rc, "the plan could not be given to the master: %s", error_sentence(rc));
    }
}

void planning_deinit(struct appmaster *am)
{
    build_free(am->build);
    plan_free(am->plan);
    for (uint32_t i = am->plugin_count; i > 0; i--) {
        plugin_unload(am->port, &am->plugins[i - 1]);
    }
    for (uint32_t i = 0; i < PLAN_PLUGINS_MAX; i++) {
        fields_deinit(&msg_plugin_resolved_fields, &am->resolved[i]);
    }
    fields_deinit(&msg_appmaster_welcome_fields, &am->welcome);
}
